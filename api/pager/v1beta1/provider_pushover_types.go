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

// PushoverProvider sends through Pushover. Keys of the Secret: token of the
// application, user or group key user.
type PushoverProvider struct {
	// url of the API. Default https://api.pushover.net.
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	URL string `json:"url,omitempty"`

	// device to send to. Default: all devices of the user.
	// +kubebuilder:validation:MaxLength=25
	// +optional
	Device string `json:"device,omitempty"`
}
