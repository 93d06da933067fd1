// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// +kubebuilder:validation:XValidation:rule="!has(self.url) || has(self.channel)",message="url is for a bot: set channel, too"
// +kubebuilder:validation:AtMostOneOf=iconEmoji;iconURL

// SlackProvider sends through Slack. Keys of the Secret: url of the incoming
// webhook, or token of the bot.
type SlackProvider struct {
	// url of the Web API, for a bot; the URL of an incoming webhook belongs into the
	// Secret. Default https://slack.com/api/.
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	URL string `json:"url,omitempty"`

	// channel is the id of the channel that the bot posts to, such as C0123456789. A bot needs it; an
	// incoming webhook has a channel of its own.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Channel string `json:"channel,omitempty"`

	// username is shown as the author. A bot needs the scope chat:write.customize; a
	// webhook of an app ignores it.
	// +kubebuilder:validation:MaxLength=80
	// +optional
	Username string `json:"username,omitempty"`

	// iconEmoji is shown as the author's picture, such as :fire:. As username.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	IconEmoji string `json:"iconEmoji,omitempty"`

	// iconURL is the address of the author's picture. As username.
	// +kubebuilder:validation:MaxLength=1024
	// +optional
	IconURL string `json:"iconURL,omitempty"`

	// footer is shown below each message. Plain text.
	// +kubebuilder:validation:MaxLength=300
	// +optional
	Footer string `json:"footer,omitempty"`

	// mentions are notified of each message but a resolve, at most 8: the id of a
	// person (U0123456789) or of a group (S0123456789), channel, or here.
	// +kubebuilder:validation:MaxItems=8
	// +kubebuilder:validation:items:MaxLength=32
	// +listType=set
	// +optional
	Mentions []string `json:"mentions,omitempty"`
}
