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

// NtfyProvider sends through ntfy. Keys of the Secret: token, or username and
// password; topic, in place of spec.ntfy.topic; and the secretKey of each
// header.
type NtfyProvider struct {
	// url of the server. Default https://ntfy.sh.
	// +kubebuilder:validation:MaxLength=2048
	// +optional
	URL string `json:"url,omitempty"`

	// topic to publish to. Default: the key topic of the Secret.
	// +kubebuilder:validation:MaxLength=64
	// +optional
	Topic string `json:"topic,omitempty"`

	// headers are sent with each request, at most 16, such as X-Scope-OrgID.
	// +kubebuilder:validation:MaxItems=16
	// +kubebuilder:validation:XValidation:rule="self.all(h, self.filter(o, o.name.lowerAscii() == h.name.lowerAscii()).size() == 1)",message="each header is set once: names differ in more than upper and lower case"
	// +listType=map
	// +listMapKey=name
	// +optional
	Headers []HTTPHeader `json:"headers,omitempty"`
}
