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
