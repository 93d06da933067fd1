// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// recordRemoval records the effect of the answer to a removal.
func (ap *application) recordRemoval(effect operation.Effect) {
	switch effect.Result {
	case operation.Done:
		ap.recordRemoved()
	case operation.Accepted:
		ap.recordRemovalAccepted()
	case operation.LeftBehind:
		ap.recordLeftBehind(effect.Message)
	case operation.GoneOnce:
		ap.markForRepetition()
	case operation.Failed:
		ap.markForRepetition()
		ap.setConditions(ap.WithStalled(ap.withRemovalText(effect.Conditions)))
	default: // it waits
		ap.setConditions(ap.withRemovalText(effect.Conditions))
	}
}

// recordRemovalAccepted records that the broker works on the removal.
func (ap *application) recordRemovalAccepted() {
	if ap.IsDeleting() {
		ap.beginRemoval()
	}
	ap.status.OperationStartTime = times.Timestamp(ap.Now) // also of a removal that is repeated past its deadline
	ap.recordAccepted(ap.withRemovalText(kind.Removal.Running))
}

// markForRepetition records that the broker does not work on the removal any more, which is requested once more.
func (ap *application) markForRepetition() {
	ap.phase.Accepted = false
	ap.status.Unusable = ap.status.Unusable || ap.Answer.InstanceUnusable
	if ap.IsDeleting() {
		ap.beginRemoval()
	}
}

// beginRemoval records the beginning of a deprovisioning.
func (ap *application) beginRemoval() {
	if ap.phase.isDeprovisioning() {
		return
	}
	s := &ap.status
	if s.InProgressProperties == nil { // otherwise the broker may have either
		s.InProgressProperties = s.ExternalProperties
	}
	ap.phase, s.OperationStartTime = Deprovisioning, times.Timestamp(ap.Now)
}

// withRemovalText adds to conditions why a removal was begun, and how a person releases an object that is being deleted (R8).
func (ap *application) withRemovalText(set rules.ConditionSet) rules.ConditionSet {
	set.Mitigation = rules.MitigationCause(ap.status.Conditions)
	if ap.IsDeleting() {
		set.Mitigation = nil
		set.Message += ". " + rules.HowToRelease(ap.si)
	} else if ap.isMitigation() {
		ready := set.Ready
		set = rules.Mitigating(set.Reason, rules.MitigationPrefix+": "+set.Message, ap.status.Attempts, set.Mitigation)
		set.Ready = ready
	}
	return set
}

// recordRemoved records that the broker has confirmed the removal.
func (ap *application) recordRemoved() {
	s := &ap.status
	ap.phase = Removed
	s.ExternalProperties, s.CreatedForUID, s.OwnershipUnknown, s.DashboardURL = nil, "", false, nil
	if ap.IsDeleting() {
		ap.setConditions(rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonDeprovisionedSuccessfully, Message: "The instance was deprovisioned successfully"})
		return
	}
	ap.UseNextID()
	rules.RecordRemoval(ap.Attempts(), ap.si.UID, ap.Now)
	ap.setConditions(rules.Mitigated("provisioned", v1beta1.ReasonClusterServiceBrokerReturnedFailure, ap.status.Attempts))
}

// location returns where the instance is, or may be.
func (ap *application) location() *v1beta1.LeftBehind {
	target := v1beta1.ServiceBindingTarget{PlanID: ap.call.PlanID}
	if at := ap.status.Broker; at != nil {
		target.BrokerReference = *at
	}
	target.ServiceID = ap.call.ServiceID
	return &v1beta1.LeftBehind{Target: target, PlanIDs: RecordedPlans(&ap.status)}
}

// recordLeftBehind records that the id of an orphan mitigation is left behind: nothing was sent under the next one.
func (ap *application) recordLeftBehind(what string) {
	s := &ap.status
	ap.phase = NotCreated
	s.ProvisionStatus = v1beta1.NotProvisioned
	s.ExternalProperties, s.CreatedForUID, s.OwnershipUnknown, s.DashboardURL = nil, "", false, nil
	ap.UseNextID()
	ap.setConditions(rules.Unremoved(what, "provisioned", v1beta1.ReasonClusterServiceBrokerReturnedFailure, s.Attempts))
}

// RuleOfDeletion returns why an instance's resource is deleted at its broker.
func RuleOfDeletion(si *v1beta1.ServiceInstance) rules.DeletionRule {
	if si.DeletionTimestamp.IsZero() {
		return rules.OrphanMitigation
	}
	return rules.ObjectDeleted
}

// recordUnanswered records a poll without a state.
func (ap *application) recordUnanswered(effect operation.Effect) {
	if ap.Answer.Unfit() && ap.call.HasOtherPlans {
		ap.Attempts().Refusals++
	}
	if ap.IsDeleting() && !ap.call.IsRemoval() && rules.IsRemovedWithObject(ap.si) { // the removal is tried instead
		ap.phase.Accepted = false
	}
	ap.setConditions(ap.withRemovalText(effect.Conditions))
}
