// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package v1beta1

// TelegramProvider sends through Telegram. Keys of the Secret: token of the
// bot.
type TelegramProvider struct {
	// url of the Bot API. Default https://api.telegram.org.
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	URL string `json:"url,omitempty"`

	// chatID is the number of the chat, which is negative for groups and channels,
	// or @ and the name of a public one.
	// +kubebuilder:validation:MaxLength=33
	// +required
	ChatID string `json:"chatID,omitempty"`

	// messageThreadID is the topic of a forum to post in. Leave it out for the topic
	// General.
	// +kubebuilder:validation:Minimum=1
	// +optional
	MessageThreadID int32 `json:"messageThreadID,omitempty"`

	// disableNotification sends messages without a sound. Default false.
	// +optional
	DisableNotification bool `json:"disableNotification,omitempty"`
}
