// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package cachetransform reduces the memory of cached objects: it drops fields that are not read, and shares equal parts.
package cachetransform

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// Strip returns a transform that removes managedFields and kubectl's last-applied annotation from objects, and annotations and
// owner references from metadata-only objects. An update of a whole object would lose the annotation; the operator patches
// objects of users.
//
// Of a metadata-only object the controlling owner stays if it has the kind keepOwner: a Secret's owner has to be known before the
// Secret is written or deleted.
func Strip(keepOwner string) cache.TransformFunc {
	return func(obj any) (any, error) {
		if o, ok := obj.(metav1.Object); ok {
			o.SetManagedFields(nil)
			delete(o.GetAnnotations(), corev1.LastAppliedConfigAnnotation)
		}
		if m, ok := obj.(*metav1.PartialObjectMetadata); ok {
			m.Annotations = nil
			m.OwnerReferences = ownerToKeep(m, keepOwner)
		}
		return obj, nil
	}
}

// ownerToKeep returns the controlling owner if it has the kind.
func ownerToKeep(m *metav1.PartialObjectMetadata, kind string) []metav1.OwnerReference {
	owner := metav1.GetControllerOfNoCopy(m)
	if owner == nil || owner.Kind != kind {
		return nil
	}
	return []metav1.OwnerReference{{Kind: kind, UID: owner.UID, Controller: owner.Controller}}
}
