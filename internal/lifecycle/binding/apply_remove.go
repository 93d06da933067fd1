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

package binding

import (
	"slices"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	"github.com/gophernetes/bellhop/internal/lifecycle/validity"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// RecordRemovalAccepted records that the broker works on the removal. The binding of a failed replacement is removed before its
// predecessors: one operation at a time.
func (ap *application) RecordRemovalAccepted() {
	if last := len(ap.status.Predecessors) == 0 || validity.IsPredecessor(&ap.status, ap.call.ID); !ap.phase.isMitigating() || ap.IsDeleting() && last {
		ap.BeginRemoval()
	}
	ap.recordAccepted(ap.phase.Task, ap.WithRemovalText(lifecycle.ConditionSet{Reason: v1beta1.ReasonUnbinding, Message: "The binding is being removed asynchronously"}))
}

// MarkForRepetition records that the broker does not work on the removal any more.
func (ap *application) MarkForRepetition() {
	ap.phase.Accepted = false
	if ap.IsDeleting() && ap.status.UnbindStatus == v1beta1.UnbindFailed { // of the original service-catalog
		ap.status.UnbindStatus = v1beta1.UnbindRequired
	}
}

// BeginRemoval records the beginning of an unbinding.
func (ap *application) BeginRemoval() {
	s := &ap.status
	if ap.phase.isUnbinding() && s.OperationStartTime != nil {
		return
	}
	ap.phase.Task = removalOf(s)
	s.OperationStartTime, s.InProgressProperties = lifecycle.Timestamp(ap.Now), nil
}

// ContinueRemoval records that the attempts are of the removal of a predecessor: they do not put off a replacement.
func (ap *application) ContinueRemoval() {
	if !ap.IsDeleting() && validity.IsPredecessor(&ap.status, ap.call.ID) && !ap.phase.isUnbinding() {
		ap.phase = Phase{Task: RemovingPredecessor}
		ap.status.OperationStartTime = lifecycle.Timestamp(ap.Now)
	}
}

// WithRemovalText adds to conditions why a removal was begun, and how a person releases an object that is being deleted (R8).
func (ap *application) WithRemovalText(set lifecycle.ConditionSet) lifecycle.ConditionSet {
	switch s := &ap.status; {
	case ap.IsDeleting():
		set.Message += ". " + lifecycle.HowToRelease(ap.b)
	case ap.phase.isReplacement(): // setConditions says that the present credentials stay
	case ap.phase.isMitigating():
		ready := set.Ready
		set = lifecycle.Mitigating(set.Reason, lifecycle.MitigationPrefix+": "+lifecycle.Uncapitalize(set.Message), s.Attempts, nil)
		set.Ready = ready
	case ap.phase.isUnbinding():
		set.Message = "The binding of the former credentials is being removed: " + lifecycle.Uncapitalize(set.Message)
	}
	return set
}

// RecordRemoved records that the broker has confirmed the removal of a binding.
func (ap *application) RecordRemoved() {
	s := &ap.status
	switch {
	case validity.IsPredecessor(s, ap.call.ID):
		ap.recordPredecessorRemoved()
	case ap.IsDeleting():
		ap.recordGone()
		ap.SetConditions(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonUnboundSuccessfully, Message: "The binding was removed successfully"})
	case ap.phase.isReplacement():
		ap.Attempts().Removals++
		s.LastRemovedID = ap.call.ID
		ap.revert("the new binding could not be used, and was removed")
	default:
		ap.recordMitigated()
	}
}

// RuleOfDeletion returns why the broker's binding of an id is deleted. The status is the one before the answer.
func RuleOfDeletion(b *v1beta1.ServiceBinding, s *v1beta1.ServiceBindingStatus, id string) lifecycle.DeletionRule {
	switch {
	case !b.DeletionTimestamp.IsZero():
		return lifecycle.ObjectDeleted
	case validity.IsPredecessor(s, id):
		return lifecycle.CredentialRotation
	}
	return lifecycle.OrphanMitigation
}

// recordPredecessorRemoved records the removal of a predecessor.
func (ap *application) recordPredecessorRemoved() {
	s := &ap.status
	s.Predecessors = slices.DeleteFunc(s.Predecessors, func(p v1beta1.PredecessorBinding) bool { return p.ID == ap.call.ID })
	ap.disownRemoved()
	if ap.IsDeleting() {
		ap.phase = Phase{Task: removalOf(s)}
		s.OperationStartTime, s.InProgressProperties = lifecycle.Timestamp(ap.Now), nil
		ap.Attempts().NextTime = nil
		return
	}
	ap.phase = Phase{}
	s.Attempts = refusalOf(s.Attempts)
	ap.SetConditions(deliveredConditions(ap.b, s))
}

// disownRemoved drops the proof that this object created the binding under the id of its spec, once that is removed.
func (ap *application) disownRemoved() {
	if ap.call.ID == ap.b.Spec.ExternalID {
		ap.status.CreatedForUID, ap.status.OwnershipUnknown = "", false
	}
}

// recordGone records that the broker has nothing of the object.
func (ap *application) recordGone() {
	s := &ap.status
	ap.phase = Phase{}
	s.ExternalProperties, s.UnbindStatus = nil, v1beta1.UnbindSucceeded
	s.ExpiresAt, s.RenewBefore, s.IssuedAt = nil, nil, nil
	ap.disownRemoved()
}

// recordMitigated records a successful orphan mitigation.
func (ap *application) recordMitigated() {
	s := &ap.status
	ap.recordGone()
	ap.UseNextID() // a late removal by a former leader may still arrive (R2)
	a := ap.Attempts()
	if lifecycle.RecordRemoval(a, ap.b.UID, ap.Now); a.Stopped {
		s.ReconciledGeneration = ap.call.Generation
	}
	ap.SetConditions(lifecycle.Mitigated("bound", v1beta1.ReasonServiceBindingReturnedFailure, a))
}

// RecordOverdue ends a creation that is still in progress after its deadline.
func (ap *application) RecordOverdue(words string) { ap.RecordOperationFailure(words) }

// RecordOperationSuccess records the success of a creation.
func (ap *application) RecordOperationSuccess() { ap.recordBound() }

// RecordProgress records what the broker says of an operation in progress.
func (ap *application) RecordProgress() {
	set := lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonBinding, Message: "The binding is being created asynchronously"}
	if ap.call.Removal {
		set.Reason, set.Message = v1beta1.ReasonUnbinding, "The binding is being removed asynchronously"
	}
	set.Message = lifecycle.WithProgress(set.Message, ap.Answer.OperationDescription)
	ap.SetConditions(ap.WithRemovalText(set))
}

// RecordOperationFailure records the failure of an operation.
func (ap *application) RecordOperationFailure(words string) {
	message := "Bind call failed: " + words
	switch s := &ap.status; {
	case ap.call.Removal:
		ap.RecordRemovalFailure("Unbind call failed: " + words)
	case ap.phase.isReplacement():
		ap.startMitigation(lifecycle.Cause{Reason: v1beta1.ReasonBindCallFailed, Message: message})
	case IsBound(s): // an existing binding was requested again
		ap.phase = Phase{}
		ap.RecordRetryMessage(v1beta1.ReasonBindCallFailed, message)
	case ap.call.MayMitigate() && !ap.call.SeenRunning && ap.Answer.State == osbresult.Failed: // the operation that has failed may be a later one than the one on record
		ap.phase = Phase{Task: Binding}
		ap.RecordUnseenFailure(v1beta1.ReasonBindCallFailed, message)
	case ap.call.MayMitigate():
		ap.Attempts().LastTime = lifecycle.Timestamp(ap.Now)
		ap.startMitigation(lifecycle.Cause{Reason: v1beta1.ReasonBindCallFailed, Message: message})
	default: // nothing is removed, and the request is repeated
		ap.phase = Phase{}
		ap.RecordSlowRetry(v1beta1.ReasonBindCallFailed, message)
	}
}
