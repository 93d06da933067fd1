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

// Package v1beta1 has the eight kinds of the retired Kubernetes service-catalog,
// wire-compatible with it: manifests, svcat and finalizers keep working. What is
// added is optional, and in a status or an annotation wherever that is possible.
//
// +kubebuilder:object:generate=true
// +groupName=servicecatalog.k8s.io
package v1beta1
