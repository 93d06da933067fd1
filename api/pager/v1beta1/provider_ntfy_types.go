// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// NtfyProvider sends through ntfy. Keys of the Secret: token, or username and
// password; topic, in place of spec.ntfy.topic; and the secretKey of each
// header.
type NtfyProvider struct {
	// url of the server. Default https://ntfy.sh.
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	URL string `json:"url,omitempty"`

	// topic to publish to. Default: the key topic of the Secret.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Topic string `json:"topic,omitempty"`

	// headers are sent with each request, at most 16, such as X-Scope-OrgID.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(h, self.filter(o, o.name.lowerAscii() == h.name.lowerAscii()).size() == 1)",message="each header is set once: names differ in more than upper and lower case"
	// +listType=map
	// +listMapKey=name
	// +optional
	Headers []HTTPHeader `json:"headers,omitempty"`
}
