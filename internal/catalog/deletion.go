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

package catalog

import (
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// IsRetained says whether everything that an object has at its broker is to be left as it is.
func IsRetained(o metav1.Object) bool {
	return o.GetAnnotations()[v1beta1.DeletionPolicyAnnotation] == v1beta1.DeletionPolicyRetain
}

// WaitsForBindings says whether an instance that is deleted goes only after its bindings, if
// anything of it is at its broker.
func WaitsForBindings(si *v1beta1.ServiceInstance) bool {
	return !IsRetained(si) && slices.Contains(si.Finalizers, v1beta1.Finalizer)
}
