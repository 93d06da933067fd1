// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"cmp"
	"fmt"
	"slices"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
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
		catalog.IsOurs(si, id) || catalog.IsNextID(si.UID, si.Spec.ExternalID, id) || hasLeftBehind(si.UID, &si.Status.OperationStatus, id)
}

// IsRemovedWithObject reports whether the broker's instance is deprovisioned when the object is deleted.
func IsRemovedWithObject(si *v1beta1.ServiceInstance) bool {
	return OwnsInstance(si) || IsToBeDeleted(si)
}

// BindingID returns the id under which the broker knows a binding.
func BindingID(b *v1beta1.ServiceBinding, s *v1beta1.ServiceBindingStatus) string {
	return cmp.Or(s.ExternalID, b.Spec.ExternalID)
}

// PredecessorIDs returns the ids of the bindings that a binding replaces, or has replaced, and that the broker still has.
func PredecessorIDs(s *v1beta1.ServiceBindingStatus) (ids []string) {
	for _, p := range s.Predecessors {
		ids = append(ids, p.ID)
	}
	return Distinct(append(ids, s.PredecessorID)...)
}

// OwnsBindingID reports whether the broker's binding under one of the object's ids may be deleted (R10).
func OwnsBindingID(b *v1beta1.ServiceBinding, id string) bool {
	return !b.DeletionTimestamp.IsZero() && IsToBeDeleted(b) ||
		b.UID != "" && b.Status.CreatedForUID == b.UID && id == b.Spec.ExternalID ||
		catalog.IsOurs(b, id) || catalog.IsNextID(b.UID, b.Spec.ExternalID, id) || hasLeftBehind(b.UID, &b.Status.OperationStatus, id)
}

// hasLeftBehind reports whether this very object has left the id behind, rather than an object that it was copied from.
func hasLeftBehind(uid types.UID, s *v1beta1.OperationStatus, id string) bool {
	return slices.ContainsFunc(s.LeftBehind, func(l v1beta1.LeftBehind) bool { return l.ID == id && l.UID == uid })
}

// RetainedAsSupplied is the cause of a release where the id was supplied and the object did not create the broker's resource under it.
func RetainedAsSupplied(id string) *Cause {
	return &Cause{v1beta1.ReasonRetained, fmt.Sprintf("the id %q was supplied in spec.externalID, and this object did not create the resource under it: the resource is retained", id)}
}

// LeftBehindIDs returns the ids that an object has left behind.
func LeftBehindIDs(s *v1beta1.OperationStatus) (ids []string) {
	for _, l := range s.LeftBehind {
		ids = append(ids, l.ID)
	}
	return ids
}

// IsToBeDeleted reports whether the deletion policy says that the broker's resource is deleted with the object, even if another client created it.
func IsToBeDeleted(o metav1.Object) bool {
	return o.GetAnnotations()[v1beta1.DeletionPolicyAnnotation] == v1beta1.DeletionPolicyDelete
}

// annotate returns the command that sets an annotation of an object, which kind names as kubectl does.
func annotate(kind string, o metav1.Object, key, value string) string {
	return fmt.Sprintf("kubectl annotate --overwrite -n %s %s %s %s=%s", o.GetNamespace(), kind, o.GetName(), key, value)
}

// Retain returns the command that has the broker's resources of an object left at the broker.
func Retain(kind string, o metav1.Object) string {
	return annotate(kind, o, v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyRetain)
}

// AlsoLeft adds to the cause of a release that the broker may have something under other ids, which stays there.
func (c *Cause) AlsoLeft(ids []string) *Cause {
	if len(ids) == 0 {
		return c
	}
	return &Cause{v1beta1.ReasonRetained, c.Message + "; what the broker may have under these former ids is left there: " + Enumerate(ids)}
}

// bothWays returns the commands by which a person decides whether the broker's resource is removed when the object is deleted.
func bothWays(kind string, o metav1.Object) string {
	const key = v1beta1.DeletionPolicyAnnotation
	return fmt.Sprintf(`"%s" removes it with this object, "%s" retains it`, annotate(kind, o, key, v1beta1.DeletionPolicyDelete), annotate(kind, o, key, v1beta1.DeletionPolicyRetain))
}

// Conflict is the message about an object whose generated id the broker has for another resource; what describes that resource.
func Conflict(kind string, o metav1.Object, id, what string) string {
	return fmt.Sprintf("under the id %q the broker has %s. It is neither changed nor removed, since it may be in use: a backup of this object that was restored does not show what was created later. To continue without it, re-create this object: %s", id, what, bothWays(kind, o))
}

// ConflictHeld is the blocker of the deletion of such an object.
func ConflictHeld(kind string, o metav1.Object, id string) *Blocker {
	return BlockedBy(v1beta1.ReasonConflict, fmt.Sprintf("the resource under the id %q differs from what this object's status records, and is removed only if the deletion policy is Delete: %s", id, bothWays(kind, o)))
}

// SuppliedConflict is the message about an object whose supplied id the broker has for something else, such as a service instance.
func SuppliedConflict(resource, id, outcome string) string {
	return fmt.Sprintf("the broker has another %s under the id %q, which was supplied: %s. It is neither changed nor removed. To use it, set the spec to its properties; for a new one, re-create this object without spec.externalID", resource, id, outcome)
}

// OwnershipUnknown is the blocker of the deletion of an object with a supplied id if it is not on record whether its request created the resource,
// such as after 202.
func OwnershipUnknown(kind string, o metav1.Object, id string) *Blocker {
	return BlockedBy(v1beta1.ReasonOwnershipUnknown, fmt.Sprintf("the id %q was supplied in spec.externalID, and the broker has not confirmed whether this object created the resource under it, or another one, such as one of another cluster: %s", id, bothWays(kind, o)))
}

// OwnershipUnknownWhenReady says the same of an object that is not being deleted.
func OwnershipUnknownWhenReady(kind string, o metav1.Object, id string) string {
	return fmt.Sprintf("The id %q was supplied, and the broker has not confirmed whose request created the resource under it: a deletion of this object waits until its deletion policy is set. %s", id, bothWays(kind, o))
}

// NothingCreated is the cause of a release where the broker has created nothing for the object. isOthers: another object owns the id.
func NothingCreated(reason, id string, isOthers bool) *Cause {
	if isOthers {
		return &Cause{v1beta1.ReasonRetained, fmt.Sprintf("the broker has created nothing for this object; the resource under the id %q belongs to another object, and is retained for it", id)}
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
