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

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/limiter"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

func (f *bindingFold) unbind() {
	switch f.answer.Class {
	case osbresult.Done, osbresult.Gone:
		f.removed()
	case osbresult.Accepted:
		// The binding of a failed rotation is removed before its predecessor: one operation at a time.
		if last := f.status.PredecessorID == "" || f.call.id == f.status.PredecessorID; !f.status.OrphanMitigationInProgress || f.isDeleting() && last {
			f.beginUnbind()
		}
		f.accept(f.removing(verdict{reason: v1beta1.ReasonUnbinding, message: "The binding is being removed asynchronously"}), f.answer.operation)
	case osbresult.NeedsAsync: // repeated at once, with accepts_incomplete
	case osbresult.Concurrency: // the operation in progress goes on
		message := "Unbind call failed: " + f.words()
		f.later(message)
		f.say(f.removing(verdict{ready: v1beta1.ConditionUnknown, reason: v1beta1.ReasonUnbindCallFailed, message: f.sayAttempt(message)}))
	default:
		f.removalFailed("Unbind call failed: " + f.words())
	}
}

// beginUnbind records the beginning of an unbinding.
func (f *bindingFold) beginUnbind() {
	s := &f.status
	if s.CurrentOperation == v1beta1.OperationUnbind && s.OperationStartTime != nil {
		return
	}
	s.CurrentOperation, s.OperationStartTime = v1beta1.OperationUnbind, timeOf(f.now)
	s.OrphanMitigationInProgress, s.InProgressProperties = false, nil
}

// removing adds to conditions why a removal was begun, and how a person releases an object that is being deleted (R8).
func (f *bindingFold) removing(v verdict) verdict {
	switch s := &f.status; {
	case f.isDeleting():
		v.message += ". " + howToLetGo(f.b)
	case s.PredecessorID != "": // say handles it
	case s.OrphanMitigationInProgress:
		ready := v.ready
		v = cleanup(v.reason, cleaningUp+": "+uncapitalized(v.message), s.Attempts, nil)
		v.ready = ready
	case s.CurrentOperation == v1beta1.OperationUnbind:
		v.message = "The binding is being replaced: " + uncapitalized(v.message)
	}
	return v
}

// removed records that the broker has confirmed the removal of a binding.
func (f *bindingFold) removed() {
	s := &f.status
	switch {
	case f.call.id == s.PredecessorID:
		f.retired()
	case f.isDeleting():
		f.gone()
		f.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonUnboundSuccessfully, message: "The binding was removed successfully"})
	case s.OrphanMitigationInProgress && s.PredecessorID != "":
		f.attempts().Removals++
		s.LastRemovedID = f.call.id
		f.revert("what was made for that could not be used, and is removed again")
	case s.OrphanMitigationInProgress:
		f.cleaned()
	default: // a replacement follows
		*s = movedOn(f.b, *s, f.now)
		f.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonRebinding, message: "The binding is being replaced; the one before it is removed"})
	}
}

// retired records the removal of the predecessor.
func (f *bindingFold) retired() {
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
func (f *bindingFold) sinceInjected() *v1beta1.Attempts {
	if s := &f.status; s.Attempts == nil || s.ExpiresAt == nil && s.RenewBefore == nil {
		return nil
	}
	return &v1beta1.Attempts{Generation: f.b.Generation, LastTime: f.status.Attempts.LastTime}
}

// gone records that the broker has nothing of the object.
func (f *bindingFold) gone() {
	s := &f.status
	f.end()
	s.ExternalProperties, s.CreatedForUID, s.UnbindStatus = nil, "", v1beta1.UnbindSucceeded
	s.ExpiresAt, s.RenewBefore = nil, nil
	if f.call.keeps {
		s.PredecessorID = "" // left to its owner
	}
}

// cleaned records a successful orphan mitigation.
func (f *bindingFold) cleaned() {
	s := &f.status
	f.gone()
	s.ExternalID = nextBindingID(f.b, s) // a late removal by a former leader may still arrive (R2)
	a := f.attempts()
	if countRemoval(a, f.b.UID, f.now); a.Stopped {
		s.ReconciledGeneration = f.call.generation
	}
	f.say(cleaned("bound", v1beta1.ReasonServiceBindingReturnedFailure, a))
}

// removalFailed records a removal that has to be repeated.
func (f *bindingFold) removalFailed(message string) {
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
	f.say(f.retried(f.removing(verdict{ready: v1beta1.ConditionUnknown, reason: v1beta1.ReasonUnbindCallFailed, message: f.sayAttempt(message)})))
}

func (f *bindingFold) poll() {
	a := f.answer
	if a.Class == osbresult.Done {
		noteAnswer(f.status.Attempts)
	}
	switch {
	case f.call.removal && a.Class == osbresult.Gone:
		f.removed()
	case f.call.removal && a.NotFound(): // it proves nothing; a broker that follows the specification answers the repeated request with 410
		f.removalFailed("The broker does not know the operation: " + f.words())
	case a.Class != osbresult.Done:
		f.pollFailed()
	case a.state == osbresult.InProgress && f.isOverdue():
		f.operationFailed(fmt.Sprintf("it was not finished within %s", f.call.limit))
	case a.state == osbresult.InProgress:
		f.progress()
	case a.state == osbresult.Succeeded && f.call.removal:
		f.removed()
	case a.state == osbresult.Succeeded:
		if f.call.id == f.b.Spec.ExternalID {
			f.status.CreatedForUID = f.b.UID
		}
		f.bound()
	default:
		f.operationFailed(cmp.Or(a.words, "the broker gives no reason"))
	}
}

// pollFailed records a poll without a state. It is not counted, which would cost a write each time, unless polls are slow retries.
func (f *bindingFold) pollFailed() {
	v := pollUnanswered(f.words(), f.isOverdue())
	if f.answer.Misconfigured() {
		f.later(v.message)
		v.message = f.sayAttempt(v.message)
		v = f.retried(v)
	}
	f.say(f.removing(v))
}

// progress records what the broker says of an operation in progress.
func (f *bindingFold) progress() {
	v := verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonBinding, message: "The binding is being created asynchronously"}
	if f.call.removal {
		v.reason, v.message = v1beta1.ReasonUnbinding, "The binding is being removed asynchronously"
	}
	v.message = sayProgress(v.message, f.answer.words)
	f.say(f.removing(v))
}

func (f *bindingFold) operationFailed(words string) {
	message := "Bind call failed: " + words
	switch s := &f.status; {
	case f.call.removal:
		f.removalFailed("Unbind call failed: " + words)
	case f.isRotation():
		f.dispose(word{v1beta1.ReasonBindCallFailed, message})
	case isBound(s): // an existing binding was requested again
		f.end()
		f.repeat(v1beta1.ReasonBindCallFailed, message)
	case f.call.cleans():
		f.attempts().LastTime = timeOf(f.now)
		f.dispose(word{v1beta1.ReasonBindCallFailed, message})
	default: // nothing is removed, and the request is repeated
		f.end()
		a := f.attempts()
		a.Misconfigured, f.answer.Class = max(a.Misconfigured, limiter.QuickRetries), osbresult.Misconfigured
		f.repeat(v1beta1.ReasonBindCallFailed, message)
	}
}
