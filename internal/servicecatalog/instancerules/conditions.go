// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// observe sets the fields of the status that come from the spec.
func (d *decision) observe() {
	isCleanup := d.phase.isMitigating() && d.si.DeletionTimestamp.IsZero()
	if !d.phase.Accepted && !isCleanup { // these stay with the generation that they began with
		d.Status.ObservedGeneration = d.si.Generation
	}
	ref, _ := catalog.ReferenceOf(d.si.Spec.PlanReference) // admission has refused a wrong one
	d.Status.UserSpecifiedClassName, d.Status.UserSpecifiedPlanName = ref.UserSpecifiedClassName(), ref.UserSpecifiedPlanName()
}

// setConditions sets the conditions.
func (d *decision) setConditions(set rules.ConditionSet) {
	d.observe()
	SetConditions(&d.Status, set, d.in.Now)
}

// setBlocked sets the conditions for a blocker. An event about the missing object, or the time of the blocker, causes another reconcile.
func (d *decision) setBlocked(by *rules.Blocker) {
	set, wake := by.ConditionSet(d.si, d.in.Now)
	set.Ready, set.Message = v1beta1.ConditionFalse, by.Message
	d.RequeueAt = wake
	d.setConditions(set)
}

// blockRemoval sets the conditions for a blocker of a deletion or an orphan mitigation.
func (d *decision) blockRemoval(by *rules.Blocker) {
	set, wake := by.ConditionSet(d.si, d.in.Now)
	set.Mitigation = rules.MitigationCause(d.Status.Conditions)
	d.RequeueAt = wake
	d.setConditions(set)
}

// StatusForBlocker returns the status for a blocker that appears after the decision, such as a full queue or an API server that
// does not answer.
func StatusForBlocker(si *v1beta1.ServiceInstance, why *rules.Blocker, now time.Time) v1beta1.ServiceInstanceStatus {
	status := *si.Status.DeepCopy()
	set, _ := why.ConditionSet(si, now)
	set.Mitigation = rules.MitigationCause(status.Conditions)
	SetConditions(&status, set, now)
	return status
}

// stopRetrying ends the attempts until the spec changes.
func (d *decision) stopRetrying(reason, message string) {
	d.Status.Attempts = d.schedule().Stop()
	d.setConditions(rules.Terminal(reason, reason, message))
}

// SetConditions sets the conditions of a status.
func SetConditions(status *v1beta1.ServiceInstanceStatus, set rules.ConditionSet, now time.Time) {
	status.Conditions = set.Conditions(status.Conditions, now)
	status.LastConditionState = rules.LastConditionState(status.Conditions)
}
