/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

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
