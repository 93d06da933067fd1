// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"slices"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
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
		ap.beginRemovalOfPredecessor()
		ap.setConditions(ap.withRemovalText(effect.Conditions))
	}
}

// recordRemovalAccepted records that the broker works on the removal. The binding of a failed replacement is removed before its
// predecessors: one operation at a time.
func (ap *application) recordRemovalAccepted() {
	if last := len(ap.status.Predecessors) == 0 || isPredecessor(&ap.status, ap.call.ID); !ap.phase.IsMitigating() || ap.IsDeleting() && last {
		ap.beginRemoval()
	}
	ap.recordAccepted(ap.phase.Task, ap.withRemovalText(kind.Removal.Running))
}

// markForRepetition records that the broker does not work on the removal any more, which is requested once more.
func (ap *application) markForRepetition() {
	ap.phase.Accepted = false
	ap.beginRemovalOfPredecessor()
	if ap.IsDeleting() {
		ap.beginRemoval()
	}
}

// beginRemoval records the beginning of an unbinding.
func (ap *application) beginRemoval() {
	s := &ap.status
	s.UnbindStatus = v1beta1.UnbindRequired // the original service-catalog may have given it up
	if ap.phase.IsUnbinding() && s.OperationStartTime != nil {
		return
	}
	ap.phase.Task = bindingphase.RemovalOf(s)
	s.OperationStartTime, s.InProgressProperties = times.Timestamp(ap.Now), nil
}

// beginRemovalOfPredecessor records that the attempts are of the removal of a predecessor: they do not put off a replacement.
func (ap *application) beginRemovalOfPredecessor() {
	if !ap.IsDeleting() && isPredecessor(&ap.status, ap.call.ID) && !ap.phase.IsUnbinding() {
		ap.phase = bindingphase.Phase{Task: bindingphase.RemovingPredecessor}
		ap.status.OperationStartTime = times.Timestamp(ap.Now)
	}
}

// withRemovalText adds to conditions why a removal was begun, and how a person releases an object that is being deleted (R8).
func (ap *application) withRemovalText(set rules.ConditionSet) rules.ConditionSet {
	switch s := &ap.status; {
	case ap.IsDeleting():
		set.Message += ". " + rules.HowToRelease(ap.b)
	case ap.phase.IsReplacement(): // setConditions says that the present credentials stay
	case ap.phase.IsMitigating():
		ready := set.Ready
		set = rules.Mitigating(set.Reason, rules.MitigationPrefix+": "+rules.Uncapitalize(set.Message), s.Attempts, nil)
		set.Ready = ready
	case ap.phase.IsUnbinding():
		set.Message = "The binding of the former credentials is being removed: " + rules.Uncapitalize(set.Message)
	}
	return set
}

// recordRemoved records that the broker has confirmed the removal of a binding.
func (ap *application) recordRemoved() {
	s := &ap.status
	switch {
	case isPredecessor(s, ap.call.ID):
		ap.recordPredecessorRemoved()
	case ap.IsDeleting():
		ap.clearBinding()
		ap.setConditions(rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonUnboundSuccessfully, Message: "The binding was removed successfully"})
	case ap.phase.IsReplacement():
		a := ap.Attempts()
		message := "the new binding could not be used, and was removed"
		if a.LastError != "" {
			message += ": " + a.LastError
		}
		if rules.RecordRemoval(a, ap.b.UID, ap.Now); a.NextTime != nil {
			message += "; another one is requested at " + times.Format(a.NextTime.Time)
		}
		ap.revertAfter(message)
	default:
		ap.recordMitigated()
	}
}

// recordLeftBehind records that the id is left behind: nothing was sent under the next one. A predecessor stays the binding.
func (ap *application) recordLeftBehind(what string) {
	a := ap.Attempts()
	if ap.phase.IsReplacement() {
		if a.NextTime != nil {
			what += "; another one is requested at " + times.Format(a.NextTime.Time)
		}
		ap.revertAfter(what)
		return
	}
	ap.clearBinding()
	ap.status.UnbindStatus = v1beta1.UnbindNotRequired
	ap.UseNextID()
	if a.Stopped {
		ap.status.ReconciledGeneration = ap.call.Generation
	}
	ap.setConditions(rules.Unremoved(what, "bound", v1beta1.ReasonServiceBindingReturnedFailure, a))
}

// RuleOfDeletion returns why the broker's binding of an id is deleted. The status is the one before the answer.
func RuleOfDeletion(b *v1beta1.ServiceBinding, s *v1beta1.ServiceBindingStatus, id string) rules.DeletionRule {
	switch {
	case !b.DeletionTimestamp.IsZero():
		return rules.ObjectDeleted
	case isPredecessor(s, id):
		return rules.CredentialRotation
	}
	return rules.OrphanMitigation
}

// recordPredecessorRemoved records the removal of a predecessor.
func (ap *application) recordPredecessorRemoved() {
	s := &ap.status
	s.Predecessors = slices.DeleteFunc(s.Predecessors, func(p v1beta1.PredecessorBinding) bool { return p.ID == ap.call.ID })
	ap.disownRemoved()
	if ap.IsDeleting() {
		ap.phase = bindingphase.Phase{Task: bindingphase.RemovalOf(s)}
		s.OperationStartTime, s.InProgressProperties = times.Timestamp(ap.Now), nil
		ap.Attempts().NextTime = nil
		return
	}
	ap.phase = bindingphase.Phase{}
	s.Attempts = rules.RefusalOf(s.Attempts)
	if rules.IsTrue(rules.FindCondition(s.Conditions, v1beta1.ConditionReady)) { // otherwise they are about the present credentials
		ap.setConditions(deliveredConditions(ap.b, s, bindingphase.IsDelivered(s)))
	}
}

// disownRemoved drops the proof that this object created the binding under the id of its spec, once that is removed.
func (ap *application) disownRemoved() {
	if ap.call.ID == ap.b.Spec.ExternalID {
		ap.status.CreatedForUID, ap.status.OwnershipUnknown = "", false
	}
}

// clearBinding removes the binding under the present id from the status.
func (ap *application) clearBinding() {
	s := &ap.status
	ap.phase = bindingphase.Phase{}
	s.ExternalProperties, s.UnbindStatus = nil, v1beta1.UnbindSucceeded
	s.ExpiresAt, s.RenewBefore, s.IssuedAt = nil, nil, nil
	ap.disownRemoved()
}

// recordMitigated records a successful orphan mitigation.
func (ap *application) recordMitigated() {
	s := &ap.status
	ap.clearBinding()
	ap.UseNextID()
	a := ap.Attempts()
	if rules.RecordRemoval(a, ap.b.UID, ap.Now); a.Stopped {
		s.ReconciledGeneration = ap.call.Generation
	}
	ap.setConditions(rules.Mitigated("bound", v1beta1.ReasonServiceBindingReturnedFailure, a))
}
