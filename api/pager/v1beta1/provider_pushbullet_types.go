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

// +kubebuilder:validation:AtMostOneOf=deviceIden;email;channelTag

// PushbulletProvider sends through Pushbullet. Keys of the Secret: token, the
// access token.
type PushbulletProvider struct {
	// url of the API. Default https://api.pushbullet.com.
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	URL string `json:"url,omitempty"`

	// deviceIden is the device to push to. Default: all devices of the owner of
	// the token.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	DeviceIden string `json:"deviceIden,omitempty"`

	// email is the person to push to.
	// +kubebuilder:validation:MaxLength=320
	// +optional
	Email string `json:"email,omitempty"`

	// channelTag is the channel to push to.
	// +kubebuilder:validation:MaxLength=256
	// +optional
	ChannelTag string `json:"channelTag,omitempty"`
}
