// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// MatrixProvider sends through Matrix. Keys of the Secret: token of the
// account; and the secretKey of each header.
type MatrixProvider struct {
	// url of the homeserver.
	// +kubebuilder:validation:MaxLength=2048
	// +required
	URL string `json:"url,omitempty"`

	// roomID is the id of the room, such as !abc:example.com; an alias, such as
	// #ops:example.com, is none.
	// +kubebuilder:validation:MaxLength=256
	// +required
	RoomID string `json:"roomID,omitempty"`

	// headers are sent with each request, at most 16, such as X-Scope-OrgID.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(h, self.filter(o, o.name.lowerAscii() == h.name.lowerAscii()).size() == 1)",message="each header is set once: names differ in more than upper and lower case"
	// +listType=map
	// +listMapKey=name
	// +optional
	Headers []HTTPHeader `json:"headers,omitempty"`
}
