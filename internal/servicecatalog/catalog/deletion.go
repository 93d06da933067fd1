// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
