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

// +kubebuilder:validation:XValidation:rule="!has(self.url) || has(self.channel)",message="url is for a bot: set channel, too"

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
}
