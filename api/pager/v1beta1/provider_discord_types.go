// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// DiscordProvider sends through Discord. Keys of the Secret: url of the
// webhook.
type DiscordProvider struct {
	// threadID is the thread to post in, by its number; a forum needs one.
	// +kubebuilder:validation:MaxLength=20
	// +optional
	ThreadID string `json:"threadID,omitempty"`

	// username is shown as the author. Default: the webhook's name.
	// +kubebuilder:validation:MaxLength=80
	// +optional
	Username string `json:"username,omitempty"`

	// avatarURL is the address of the author's picture. Default: the webhook's.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	AvatarURL string `json:"avatarURL,omitempty"`

	// mentions are notified of each new message but a resolve, at most 8: the number
	// of a person, & and the number of a role, everyone, or here.
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=32
	// +listType=set
	// +optional
	Mentions []string `json:"mentions,omitempty"`
}
