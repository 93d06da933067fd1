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

package servicecatalog

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
)

// idOf is the id under which the broker knows an instance.
func idOf(si *v1beta1.ServiceInstance) string {
	return cmp.Or(si.Status.ExternalID, si.Spec.ExternalID)
}

// isOwned says whether what is at the broker under the instance's id is known to be
// this object's, so that it may be removed (R10).
func isOwned(si *v1beta1.ServiceInstance) bool {
	return ownsInstanceID(si, idOf(si))
}

// ownsInstanceID is the same of an id that the instance's spec or status has.
func ownsInstanceID(si *v1beta1.ServiceInstance, id string) bool {
	return si.UID != "" && si.Status.CreatedForUID == si.UID && id == idOf(si) ||
		catalog.IsOurs(si, id) || catalog.IsNextID(si.UID, si.Spec.ExternalID, id)
}

// goesWithObject says whether what is there may be removed once somebody has deleted the
// object.
func goesWithObject(si *v1beta1.ServiceInstance) bool {
	return isOwned(si) || si.Annotations[v1beta1.DeletionPolicyAnnotation] == v1beta1.DeletionPolicyDelete
}

// bindingID is the id under which the broker knows a binding.
func bindingID(b *v1beta1.ServiceBinding, s *v1beta1.ServiceBindingStatus) string {
	return cmp.Or(s.ExternalID, b.Spec.ExternalID)
}

// ownsID says whether what is at the broker under an id of the binding's may be removed (R10).
func ownsID(b *v1beta1.ServiceBinding, id string) bool {
	return !b.DeletionTimestamp.IsZero() && b.Annotations[v1beta1.DeletionPolicyAnnotation] == v1beta1.DeletionPolicyDelete ||
		b.UID != "" && b.Status.CreatedForUID == b.UID && id == b.Spec.ExternalID ||
		catalog.IsOurs(b, id) || catalog.IsNextID(b.UID, b.Spec.ExternalID, id)
}

// nextInstanceID is an id that the instance has not had yet (R2).
func nextInstanceID(si *v1beta1.ServiceInstance, present string) string {
	return catalog.NextIDAfter(si.UID, si.Spec.ExternalID, present)
}

// nextBindingID is an id that the binding has not had yet (R2).
func nextBindingID(b *v1beta1.ServiceBinding, s *v1beta1.ServiceBindingStatus) string {
	return catalog.NextIDAfter(b.UID, b.Spec.ExternalID, s.ExternalID, s.LastRemovedID)
}

// leftAsBrought is why what was there under an id before the object stays.
func leftAsBrought(id string) *word {
	return &word{v1beta1.ReasonRetained, fmt.Sprintf("the id %q was brought along, and this object did not create what is there: it is left as it is at the broker", id)}
}

// neverMade is why an object goes for which the broker has made nothing. isOthers: the id is another
// object's, which may have something there.
func neverMade(reason, id string, isOthers bool) *word {
	if isOthers {
		return &word{v1beta1.ReasonRetained, fmt.Sprintf("the broker has made nothing for this object; what it has under the id %q is another object's, and is left to that", id)}
	}
	return &word{reason, "the broker has made nothing for this object"}
}

// distinct are those ids that are not empty, each once, in the order in which they come first.
func distinct(ids ...string) (some []string) {
	for _, id := range ids {
		if id != "" && !slices.Contains(some, id) {
			some = append(some, id)
		}
	}
	return some
}
