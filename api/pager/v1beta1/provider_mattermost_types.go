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
