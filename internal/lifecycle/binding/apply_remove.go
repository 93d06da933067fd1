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

func (f *application) unbind() {
	switch f.answer.Class {
	case osbresult.Done, osbresult.Gone:
		f.removed()
	case osbresult.Accepted:
		// The binding of a failed rotation is removed before its predecessor: one operation at a time.
		if last := f.status.PredecessorID == "" || f.call.BindingID == f.status.PredecessorID; !f.status.OrphanMitigationInProgress || f.isDeleting() && last {
			f.beginUnbind()
		}
		f.accept(f.removing(lifecycle.ConditionSet{Reason: v1beta1.ReasonUnbinding, Message: "The binding is being removed asynchronously"}), f.answer.Operation)
	case osbresult.NeedsAsync: // repeated at once, with accepts_incomplete
	case osbresult.Concurrency: // the operation in progress goes on
		message := "Unbind call failed: " + f.words()
		f.later(message)
		f.say(f.removing(lifecycle.ConditionSet{Ready: v1beta1.ConditionUnknown, Reason: v1beta1.ReasonUnbindCallFailed, Message: f.sayAttempt(message)}))
	default:
		f.removalFailed("Unbind call failed: " + f.words())
	}
}

// beginUnbind records the beginning of an unbinding.
func (f *application) beginUnbind() {
	s := &f.status
	if s.CurrentOperation == v1beta1.OperationUnbind && s.OperationStartTime != nil {
		return
	}
	s.CurrentOperation, s.OperationStartTime = v1beta1.OperationUnbind, lifecycle.Timestamp(f.now)
	s.OrphanMitigationInProgress, s.InProgressProperties = false, nil
}

// removing adds to conditions why a removal was begun, and how a person releases an object that is being deleted (R8).
func (f *application) removing(v lifecycle.ConditionSet) lifecycle.ConditionSet {
	switch s := &f.status; {
	case f.isDeleting():
		v.Message += ". " + lifecycle.HowToRelease(f.b)
	case s.PredecessorID != "": // say handles it
	case s.OrphanMitigationInProgress:
		ready := v.Ready
		v = lifecycle.Mitigating(v.Reason, lifecycle.MitigationPrefix+": "+lifecycle.Uncapitalize(v.Message), s.Attempts, nil)
		v.Ready = ready
	case s.CurrentOperation == v1beta1.OperationUnbind:
		v.Message = "The binding is being replaced: " + lifecycle.Uncapitalize(v.Message)
	}
	return v
}

// removed records that the broker has confirmed the removal of a binding.
func (f *application) removed() {
	s := &f.status
	switch {
	case f.call.BindingID == s.PredecessorID:
		f.retired()
	case f.isDeleting():
		f.gone()
		f.say(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonUnboundSuccessfully, Message: "The binding was removed successfully"})
	case s.OrphanMitigationInProgress && s.PredecessorID != "":
		f.attempts().Removals++
		s.LastRemovedID = f.call.BindingID
		f.revert("what was made for that could not be used, and is removed again")
	case s.OrphanMitigationInProgress:
		f.cleaned()
	default: // a replacement follows
		*s = movedOn(f.b, *s, f.now)
		f.say(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonRebinding, Message: "The binding is being replaced; the one before it is removed"})
	}
}

// retired records the removal of the predecessor.
func (f *application) retired() {
	s := &f.status
	s.PredecessorID = ""
	s.AsyncOpInProgress, s.LastOperation = false, nil
	if f.isDeleting() {
		s.OperationStartTime = nil
		f.beginUnbind()
		f.attempts().NextTime = nil
		return
	}
	f.end()
	s.Attempts = f.sinceInjected()
	f.say(injected(f.b))
}

// sinceInjected returns the attempts of a binding whose credentials are in its Secret.
func (f *application) sinceInjected() *v1beta1.Attempts {
	if s := &f.status; s.Attempts == nil || s.ExpiresAt == nil && s.RenewBefore == nil {
		return nil
	}
	return &v1beta1.Attempts{Generation: f.b.Generation, LastTime: f.status.Attempts.LastTime}
}

// gone records that the broker has nothing of the object.
func (f *application) gone() {
	s := &f.status
	f.end()
	s.ExternalProperties, s.CreatedForUID, s.UnbindStatus = nil, "", v1beta1.UnbindSucceeded
	s.ExpiresAt, s.RenewBefore = nil, nil
	if f.call.RetainsPredecessor {
		s.PredecessorID = "" // left to its owner
	}
}

// cleaned records a successful orphan mitigation.
func (f *application) cleaned() {
	s := &f.status
	f.gone()
	s.ExternalID = lifecycle.NextBindingID(f.b, s) // a late removal by a former leader may still arrive (R2)
	a := f.attempts()
	if lifecycle.RecordRemoval(a, f.b.UID, f.now); a.Stopped {
		s.ReconciledGeneration = f.call.generation
	}
	f.say(lifecycle.Mitigated("bound", v1beta1.ReasonServiceBindingReturnedFailure, a))
}

// removalFailed records a removal that has to be repeated.
func (f *application) removalFailed(message string) {
	s := &f.status
	s.AsyncOpInProgress, s.LastOperation = false, nil
	f.later(message)
	if f.answer.Unfit() {
		s.Attempts.Refusals++
	}
	if f.isDeleting() {
		f.beginUnbind()
		s.UnbindStatus = v1beta1.UnbindRequired
	}
	f.say(f.retried(f.removing(lifecycle.ConditionSet{Ready: v1beta1.ConditionUnknown, Reason: v1beta1.ReasonUnbindCallFailed, Message: f.sayAttempt(message)})))
}

func (f *application) poll() {
	a := f.answer
	if a.Class == osbresult.Done {
		lifecycle.RecordAnswer(f.status.Attempts)
	}
	switch {
	case f.call.Removal && a.Class == osbresult.Gone:
		f.removed()
	case f.call.Removal && a.NotFound(): // it proves nothing; a broker that follows the specification answers the repeated request with 410
		f.removalFailed("The broker does not know the operation: " + f.words())
	case a.Class != osbresult.Done:
		f.pollFailed()
	case a.State == osbresult.InProgress && f.isOverdue():
		f.operationFailed(fmt.Sprintf("it was not finished within %s", f.call.MaxDuration))
	case a.State == osbresult.InProgress:
		f.progress()
	case a.State == osbresult.Succeeded && f.call.Removal:
		f.removed()
	case a.State == osbresult.Succeeded:
		if f.call.BindingID == f.b.Spec.ExternalID {
			f.status.CreatedForUID = f.b.UID
		}
		f.bound()
	default:
		f.operationFailed(cmp.Or(a.OperationDescription, "the broker gives no reason"))
	}
}

// pollFailed records a poll without a state. It is not counted, which would cost a write each time, unless polls are slow retries.
func (f *application) pollFailed() {
	v := lifecycle.PollUnanswered(f.words(), f.isOverdue())
	if f.answer.Misconfigured() {
		f.later(v.Message)
		v.Message = f.sayAttempt(v.Message)
		v = f.retried(v)
	}
	f.say(f.removing(v))
}

// progress records what the broker says of an operation in progress.
func (f *application) progress() {
	v := lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonBinding, Message: "The binding is being created asynchronously"}
	if f.call.Removal {
		v.Reason, v.Message = v1beta1.ReasonUnbinding, "The binding is being removed asynchronously"
	}
	v.Message = lifecycle.WithProgress(v.Message, f.answer.OperationDescription)
	f.say(f.removing(v))
}

func (f *application) operationFailed(words string) {
	message := "Bind call failed: " + words
	switch s := &f.status; {
	case f.call.Removal:
		f.removalFailed("Unbind call failed: " + words)
	case f.isRotation():
		f.dispose(lifecycle.Cause{Reason: v1beta1.ReasonBindCallFailed, Message: message})
	case IsBound(s): // an existing binding was requested again
		f.end()
		f.repeat(v1beta1.ReasonBindCallFailed, message)
	case f.call.MayMitigate():
		f.attempts().LastTime = lifecycle.Timestamp(f.now)
		f.dispose(lifecycle.Cause{Reason: v1beta1.ReasonBindCallFailed, Message: message})
	default: // nothing is removed, and the request is repeated
		f.end()
		a := f.attempts()
		a.Misconfigured, f.answer.Class = max(a.Misconfigured, limiter.QuickRetries), osbresult.Misconfigured
		f.repeat(v1beta1.ReasonBindCallFailed, message)
	}
}
