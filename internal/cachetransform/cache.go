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

package cachetransform

import (
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/tools/cache"
)

// StripForCache says what caches keep of an object: not who wrote which field, nor the copy
// of it that kubectl leaves in it; and of a Secret or Namespace only what is asked for.
// An update of the whole object loses that copy; what users apply is written by patches.
//
// Of an object's metadata alone they keep the controlling owner if it is of the kind
// keepOwner: whose Secret it is has to be known before it is written or deleted.
func StripForCache(keepOwner string) cache.TransformFunc {
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

// ownerToKeep is the controlling owner, if it is of a kind.
func ownerToKeep(m *metav1.PartialObjectMetadata, kind string) []metav1.OwnerReference {
	owner := metav1.GetControllerOfNoCopy(m)
	if owner == nil || owner.Kind != kind {
		return nil
	}
	return []metav1.OwnerReference{{Kind: kind, UID: owner.UID, Controller: owner.Controller}}
}
