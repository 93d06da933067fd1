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
	"cmp"
	"fmt"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	"github.com/gophernetes/bellhop/internal/limiter"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

func (f *application) applyUnbind() {
	switch f.answer.Class {
	case osbresult.Done, osbresult.Gone:
		f.recordRemoved()
	case osbresult.Accepted:
		// The binding of a failed rotation is removed before its predecessor: one operation at a time.
		if last := f.status.PredecessorID == "" || f.call.BindingID == f.status.PredecessorID; !f.phase().isMitigating() || f.isDeleting() && last {
			f.beginUnbind()
		}
		f.recordAccepted(f.phase().accepted(), f.withRemovalText(lifecycle.ConditionSet{Reason: v1beta1.ReasonUnbinding, Message: "The binding is being removed asynchronously"}), f.answer.Operation)
	case osbresult.NeedsAsync: // repeated at once, with accepts_incomplete
	case osbresult.Concurrency: // the operation in progress goes on
		message := "Unbind call failed: " + f.describeOutcome()
		f.scheduleRetry(message)
		f.setConditions(f.withRemovalText(lifecycle.ConditionSet{Ready: v1beta1.ConditionUnknown, Reason: v1beta1.ReasonUnbindCallFailed, Message: f.withNextAttempt(message)}))
	default:
		f.recordRemovalFailure("Unbind call failed: " + f.describeOutcome())
	}
}

// beginUnbind records the beginning of an unbinding.
func (f *application) beginUnbind() {
	s, phase := &f.status, f.phase()
	if phase.isUnbinding() && s.OperationStartTime != nil {
		return
	}
	next := Unbinding
	if phase.IsAccepted() {
		next = UnbindAccepted
	}
	f.setPhase(next)
	s.OperationStartTime, s.InProgressProperties = lifecycle.Timestamp(f.now), nil
}

// withRemovalText adds to conditions why a removal was begun, and how a person releases an object that is being deleted (R8).
func (f *application) withRemovalText(v lifecycle.ConditionSet) lifecycle.ConditionSet {
	switch s := &f.status; {
	case f.isDeleting():
		v.Message += ". " + lifecycle.HowToRelease(f.b)
	case s.PredecessorID != "": // say handles it
	case f.phase().isMitigating():
		ready := v.Ready
		v = lifecycle.Mitigating(v.Reason, lifecycle.MitigationPrefix+": "+lifecycle.Uncapitalize(v.Message), s.Attempts, nil)
		v.Ready = ready
	case f.phase().isUnbinding():
		v.Message = "The binding is being replaced: " + lifecycle.Uncapitalize(v.Message)
	}
	return v
}

// recordRemoved records that the broker has confirmed the removal of a binding.
func (f *application) recordRemoved() {
	s := &f.status
	switch {
	case f.call.BindingID == s.PredecessorID:
		f.recordPredecessorRemoved()
	case f.isDeleting():
		f.recordGone()
		f.setConditions(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonUnboundSuccessfully, Message: "The binding was removed successfully"})
	case f.phase().isMitigating() && s.PredecessorID != "":
		f.attempts().Removals++
		s.LastRemovedID = f.call.BindingID
		f.revertRotation("what was made for that could not be used, and is removed again")
	case f.phase().isMitigating():
		f.recordMitigated()
	default: // a replacement follows
		*s = resetForNextID(f.b, *s, f.now)
		f.setConditions(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonRebinding, Message: "The binding is being replaced; the one before it is removed"})
	}
}

// recordPredecessorRemoved records the removal of the predecessor.
func (f *application) recordPredecessorRemoved() {
	s := &f.status
	s.PredecessorID = ""
	if f.isDeleting() {
		f.setPhase(Unbinding)
		s.OperationStartTime, s.InProgressProperties = lifecycle.Timestamp(f.now), nil
		f.attempts().NextTime = nil
		return
	}
	f.setPhase(Idle)
	s.Attempts = f.attemptsSinceInjection()
	f.setConditions(injectedConditions(f.b))
}

// attemptsSinceInjection returns the attempts of a binding whose credentials are in its Secret.
func (f *application) attemptsSinceInjection() *v1beta1.Attempts {
	if s := &f.status; s.Attempts == nil || s.ExpiresAt == nil && s.RenewBefore == nil {
		return nil
	}
	return &v1beta1.Attempts{Generation: f.b.Generation, LastTime: f.status.Attempts.LastTime}
}

// recordGone records that the broker has nothing of the object.
func (f *application) recordGone() {
	s := &f.status
	f.setPhase(Idle)
	s.ExternalProperties, s.CreatedForUID, s.UnbindStatus = nil, "", v1beta1.UnbindSucceeded
	s.ExpiresAt, s.RenewBefore = nil, nil
	if f.call.RetainsPredecessor {
		s.PredecessorID = "" // left to its owner
	}
}

// recordMitigated records a successful orphan mitigation.
func (f *application) recordMitigated() {
	s := &f.status
	f.recordGone()
	s.ExternalID = lifecycle.NextBindingID(f.b, s) // a late removal by a former leader may still arrive (R2)
	a := f.attempts()
	if lifecycle.RecordRemoval(a, f.b.UID, f.now); a.Stopped {
		s.ReconciledGeneration = f.call.generation
	}
	f.setConditions(lifecycle.Mitigated("bound", v1beta1.ReasonServiceBindingReturnedFailure, a))
}

// recordRemovalFailure records a removal that has to be repeated.
func (f *application) recordRemovalFailure(message string) {
	s := &f.status
	f.setPhase(f.phase().unaccepted())
	f.scheduleRetry(message)
	if f.answer.Unfit() {
		s.Attempts.Refusals++
	}
	if f.isDeleting() {
		f.beginUnbind()
		s.UnbindStatus = v1beta1.UnbindRequired
	}
	f.setConditions(f.withStalled(f.withRemovalText(lifecycle.ConditionSet{Ready: v1beta1.ConditionUnknown, Reason: v1beta1.ReasonUnbindCallFailed, Message: f.withNextAttempt(message)})))
}

func (f *application) applyPoll() {
	a := f.answer
	if a.Class == osbresult.Done {
		lifecycle.RecordAnswer(f.status.Attempts)
	}
	switch {
	case f.call.Removal && a.Class == osbresult.Gone:
		f.recordRemoved()
	case f.call.Removal && a.NotFound(): // it proves nothing; a broker that follows the specification answers the repeated request with 410
		f.recordRemovalFailure("The broker does not know the operation: " + f.describeOutcome())
	case a.Class != osbresult.Done:
		f.recordPollFailure()
	case a.State == osbresult.InProgress && f.isOverdue():
		f.recordOperationFailure(fmt.Sprintf("it was not finished within %s", f.call.MaxDuration))
	case a.State == osbresult.InProgress:
		f.recordProgress()
	case a.State == osbresult.Succeeded && f.call.Removal:
		f.recordRemoved()
	case a.State == osbresult.Succeeded:
		if f.call.BindingID == f.b.Spec.ExternalID {
			f.status.CreatedForUID = f.b.UID
		}
		f.recordBound()
	default:
		f.recordOperationFailure(cmp.Or(a.OperationDescription, "the broker gives no reason"))
	}
}

// recordPollFailure records a poll without a state. It is not counted, which would cost a write each time, unless polls are slow retries.
func (f *application) recordPollFailure() {
	v := lifecycle.PollUnanswered(f.describeOutcome(), f.isOverdue())
	if f.answer.Misconfigured() {
		f.scheduleRetry(v.Message)
		v.Message = f.withNextAttempt(v.Message)
		v = f.withStalled(v)
	}
	f.setConditions(f.withRemovalText(v))
}

// recordProgress records what the broker says of an operation in progress.
func (f *application) recordProgress() {
	v := lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonBinding, Message: "The binding is being created asynchronously"}
	if f.call.Removal {
		v.Reason, v.Message = v1beta1.ReasonUnbinding, "The binding is being removed asynchronously"
	}
	v.Message = lifecycle.WithProgress(v.Message, f.answer.OperationDescription)
	f.setConditions(f.withRemovalText(v))
}

func (f *application) recordOperationFailure(words string) {
	message := "Bind call failed: " + words
	switch s := &f.status; {
	case f.call.Removal:
		f.recordRemovalFailure("Unbind call failed: " + words)
	case f.isRotation():
		f.startMitigation(lifecycle.Cause{Reason: v1beta1.ReasonBindCallFailed, Message: message})
	case IsBound(s): // an existing binding was requested again
		f.setPhase(Idle)
		f.recordRetryMessage(v1beta1.ReasonBindCallFailed, message)
	case f.call.MayMitigate():
		f.attempts().LastTime = lifecycle.Timestamp(f.now)
		f.startMitigation(lifecycle.Cause{Reason: v1beta1.ReasonBindCallFailed, Message: message})
	default: // nothing is removed, and the request is repeated
		f.setPhase(Idle)
		a := f.attempts()
		a.Misconfigured, f.answer.Class = max(a.Misconfigured, limiter.QuickRetries), osbresult.Misconfigured
		f.recordRetryMessage(v1beta1.ReasonBindCallFailed, message)
	}
}
