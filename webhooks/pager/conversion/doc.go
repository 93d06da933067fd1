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

// Package conversion turns Alerts of v1alpha1 into Alerts of v1beta1, the hub,
// and back. What the versions share is generated; here stands what they do not:
// the message is called content, and the title is an annotation.
//
// +k8s:conversion-gen=github.com/gophernetes/bellhop/api/pager/v1beta1
// +k8s:conversion-gen-external-types=github.com/gophernetes/bellhop/api/pager/v1alpha1
package conversion
