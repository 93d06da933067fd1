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

// IsRetained reports whether the deletion policy of an object is Retain.
func IsRetained(o metav1.Object) bool {
	return o.GetAnnotations()[v1beta1.DeletionPolicyAnnotation] == v1beta1.DeletionPolicyRetain
}

// WaitsForBindings reports whether the deletion of an instance waits for its bindings: the broker may have it.
func WaitsForBindings(si *v1beta1.ServiceInstance) bool {
	return !IsRetained(si) && slices.Contains(si.Finalizers, v1beta1.Finalizer)
}
