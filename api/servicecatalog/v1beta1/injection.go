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

// The admission policies of config/injection read these, and the operator does not.
const (
	// InjectionLabel is the label of a Namespace whose Pods may get the credentials
	// of its ServiceBindings; the value is enabled.
	InjectionLabel = "bellhop.gophernetes.io/injection"
	// InjectLabel is the label of a Pod that gets credentials; the value is true.
	InjectLabel = "bellhop.gophernetes.io/inject"
	// InjectBindingsAnnotation names the ServiceBindings whose credentials a Pod
	// gets: 1 to 16, separated by commas, as NAME or, where the Secret has another
	// name, NAME=SECRET.
	InjectBindingsAnnotation = "bellhop.gophernetes.io/bindings"
	// InjectEnvAnnotation names the variables that the containers of a Pod get: at
	// most 64, separated by commas, as VARIABLE=BINDING/KEY.
	InjectEnvAnnotation = "bellhop.gophernetes.io/env"
	// InjectedAnnotation is on a Pod that has its credentials, as true. A Pod that
	// cannot have them is refused with what the annotation would say instead.
	InjectedAnnotation = "bellhop.gophernetes.io/injected"
)
