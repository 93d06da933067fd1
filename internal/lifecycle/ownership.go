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

package lifecycle

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
)

// InstanceID returns the id under which the broker knows an instance.
func InstanceID(si *v1beta1.ServiceInstance) string {
	return cmp.Or(si.Status.ExternalID, si.Spec.ExternalID)
}

// OwnsInstance reports whether this object created the broker's instance under its id, so that it may be deleted (R10).
func OwnsInstance(si *v1beta1.ServiceInstance) bool {
	return OwnsInstanceID(si, InstanceID(si))
}

// OwnsInstanceID reports the same for one of the ids in the instance's spec and status.
func OwnsInstanceID(si *v1beta1.ServiceInstance, id string) bool {
	return si.UID != "" && si.Status.CreatedForUID == si.UID && id == InstanceID(si) ||
		catalog.IsOurs(si, id) || catalog.IsNextID(si.UID, si.Spec.ExternalID, id)
}

// IsRemovedWithObject reports whether the broker's instance is deprovisioned when the object is deleted.
func IsRemovedWithObject(si *v1beta1.ServiceInstance) bool {
	return OwnsInstance(si) || si.Annotations[v1beta1.DeletionPolicyAnnotation] == v1beta1.DeletionPolicyDelete
}

// BindingID returns the id under which the broker knows a binding.
func BindingID(b *v1beta1.ServiceBinding, s *v1beta1.ServiceBindingStatus) string {
	return cmp.Or(s.ExternalID, b.Spec.ExternalID)
}

// OwnsBindingID reports whether the broker's binding under one of the object's ids may be deleted (R10).
func OwnsBindingID(b *v1beta1.ServiceBinding, id string) bool {
	return !b.DeletionTimestamp.IsZero() && b.Annotations[v1beta1.DeletionPolicyAnnotation] == v1beta1.DeletionPolicyDelete ||
		b.UID != "" && b.Status.CreatedForUID == b.UID && id == b.Spec.ExternalID ||
		catalog.IsOurs(b, id) || catalog.IsNextID(b.UID, b.Spec.ExternalID, id)
}

// NextInstanceID returns an id that the instance has not had yet (R2).
func NextInstanceID(si *v1beta1.ServiceInstance, present string) string {
	return catalog.NextIDAfter(si.UID, si.Spec.ExternalID, present)
}

// NextBindingID returns an id that the binding has not had yet (R2).
func NextBindingID(b *v1beta1.ServiceBinding, s *v1beta1.ServiceBindingStatus) string {
	return catalog.NextIDAfter(b.UID, b.Spec.ExternalID, s.ExternalID, s.LastRemovedID)
}

// RetainedAsSupplied is the cause of a release where the id was supplied and the object did not create what the broker has under it.
func RetainedAsSupplied(id string) *Cause {
	return &Cause{v1beta1.ReasonRetained, fmt.Sprintf("the id %q was supplied in spec.externalID, and this object did not create what the broker has under it: it is left there", id)}
}

// NothingCreated is the cause of a release where the broker has created nothing for the object. isOthers: another object owns the id.
func NothingCreated(reason, id string, isOthers bool) *Cause {
	if isOthers {
		return &Cause{v1beta1.ReasonRetained, fmt.Sprintf("the broker has created nothing for this object; what it has under the id %q belongs to another object, and is left to that", id)}
	}
	return &Cause{reason, "the broker has created nothing for this object"}
}

// Distinct returns the ids that are not empty, each once, in the order of their first occurrence.
func Distinct(ids ...string) (some []string) {
	for _, id := range ids {
		if id != "" && !slices.Contains(some, id) {
			some = append(some, id)
		}
	}
	return some
}
