// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// +kubebuilder:validation:XValidation:rule="has(self.url) == has(self.channelID)",message="url and channelID are for a bot and belong together"

// MattermostProvider sends through Mattermost. Keys of the Secret: url of the
// incoming webhook, or token of the bot; and the secretKey of each header.
type MattermostProvider struct {
	// url of the server, for a bot; the URL of an incoming webhook belongs into the
	// Secret.
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	URL string `json:"url,omitempty"`

	// channelID is the id of the channel that the bot posts to. A bot needs it; an
	// incoming webhook has a channel of its own.
	// +kubebuilder:validation:MaxLength=26
	// +optional
	ChannelID string `json:"channelID,omitempty"`

	// username is shown as the author of an incoming webhook's posts, where the server
	// permits it. A bot has its own.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Username string `json:"username,omitempty"`

	// iconURL is the address of the author's picture. As username.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	IconURL string `json:"iconURL,omitempty"`

	// headers are sent with each request, at most 16, such as X-Scope-OrgID.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(h, self.filter(o, o.name.lowerAscii() == h.name.lowerAscii()).size() == 1)",message="each header is set once: names differ in more than upper and lower case"
	// +listType=map
	// +listMapKey=name
	// +optional
	Headers []HTTPHeader `json:"headers,omitempty"`
}
