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
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// bindingAnswer is the broker's answer to a request about a binding.
type bindingAnswer struct {
	osbresult.Outcome
	blame
	// binding is the broker's binding; nil: the answer has none.
	binding *osbresult.Binding
	// operation is the broker's name of the removal that it has begun.
	operation string
	// state and words, the description, are of a poll.
	state osbresult.State
	words string
}

// bindingFold is the application of an answer to a status.
type bindingFold struct {
	b      *v1beta1.ServiceBinding
	status v1beta1.ServiceBindingStatus
	call   bindingCall
	answer bindingAnswer
	now    time.Time
}

// foldBinding returns the status after a request; status is the one before it, as the decision has it.
func foldBinding(b *v1beta1.ServiceBinding, status v1beta1.ServiceBindingStatus, call bindingCall, a bindingAnswer, now time.Time) v1beta1.ServiceBindingStatus {
	f := &bindingFold{b: b, status: *status.DeepCopy(), call: call, answer: a, now: now}
	f.status.ObservedGeneration = b.Generation
	switch call.verb {
	case bind:
		f.bind()
	case fetch:
		f.fetch()
	case unbind:
		f.unbind()
	default:
		f.poll()
	}
	return f.status
}

// isDeleting reports whether the object is being deleted.
func (f *bindingFold) isDeleting() bool { return !f.b.DeletionTimestamp.IsZero() }

// isOverdue reports whether the answer was received after the deadline of the polled operation (R11).
func (f *bindingFold) isOverdue() bool {
	return f.call.limit > 0 && isOverdue(f.status.OperationStartTime, f.call.limit, f.now)
}

// isRotation reports whether the operation replaces an existing binding.
func (f *bindingFold) isRotation() bool {
	return f.status.PredecessorID != "" && f.status.CurrentOperation == v1beta1.OperationBind
}

// end clears the operation in progress.
func (f *bindingFold) end() {
	s := &f.status
	s.CurrentOperation, s.OperationStartTime, s.InProgressProperties = "", nil, nil
	s.AsyncOpInProgress, s.LastOperation, s.OrphanMitigationInProgress = false, nil, false
}

// accept records an asynchronous operation that the broker has begun.
func (f *bindingFold) accept(v verdict, operation string) {
	s := &f.status
	if !s.AsyncOpInProgress { // the deadline counts from the acceptance, and polls name the plan of the beginning
		target := f.call.target
		s.OperationStartTime, s.Target = timeOf(f.now), &target
	}
	s.AsyncOpInProgress, s.LastOperation = true, nil
	noteAnswer(s.Attempts)
	if operation != "" {
		s.LastOperation = &operation
	}
	v.ready = v1beta1.ConditionFalse
	f.say(v)
}

// untilAsked says how a person repeats a request that was refused.
const untilAsked = " until the annotation " + v1beta1.RebindAnnotation + " changes"

// again records a failed request that is repeated.
func (f *bindingFold) again(what, reason string) {
	f.repeat(reason, what+" call failed: "+f.words())
}

// repeat records a request that is repeated, with a message about this attempt.
func (f *bindingFold) repeat(reason, message string) {
	f.later(message)
	f.say(f.retried(verdict{ready: v1beta1.ConditionFalse, reason: reason, message: f.sayAttempt(message)}))
}

// sayAttempt adds to a message when the next attempt is due.
func (f *bindingFold) sayAttempt(message string) string {
	return sayNext(message, f.status.Attempts, f.answer.probed)
}

// retried adds Stalled where requests are retried slowly.
func (f *bindingFold) retried(v verdict) verdict {
	if !isSlowBinding(&f.status) {
		return v
	}
	return v.slow(v.reason)
}

// later records a failed attempt, its message, and when the next one is due.
func (f *bindingFold) later(message string) {
	a := f.attempts()
	if !f.status.OrphanMitigationInProgress { // then the message stays that of its cause
		a.LastError = message
	}
	taken := f.answer.Class == osbresult.Conflict && !f.call.owned // otherwise the id is ours, and the conflict is inspected
	countFailure(a, f.b.UID, failure{misconfigured: taken || f.answer.Misconfigured(), ownFault: f.answer.ownFault, probed: f.answer.probed != "", asked: f.answer.RetryAfter}, f.now)
}

// attempts returns the attempts of the request's generation, and creates them if there are none.
func (f *bindingFold) attempts() *v1beta1.Attempts {
	if f.status.Attempts == nil {
		f.status.Attempts = &v1beta1.Attempts{}
	}
	a := f.status.Attempts
	if a.Generation != f.call.generation { // the recorded ones are of another spec, or of before the deletion
		a.Misconfigured, a.OwnFault, a.FailingSince, a.LastError = 0, false, nil, ""
	}
	a.Generation, a.ParametersVersion = f.call.generation, f.call.version
	return a
}

// stop ends the attempts.
func (f *bindingFold) stop(reason, message string) { f.stopAs(reason, reason, message) }

func (f *bindingFold) stopAs(reason, failed, message string) {
	a := f.attempts()
	a.Stopped, a.NextTime, a.LastTime, a.LastError = true, nil, timeOf(f.now), message
	f.status.ReconciledGeneration = f.call.generation
	f.say(givenUp(reason, failed, message))
}

// words describes the outcome of the request.
func (f *bindingFold) words() string { return sayOutcome(f.answer.Outcome) }

// say sets the conditions. As long as the Secret has valid credentials, the binding is Ready, whatever comes of a rotation.
func (f *bindingFold) say(v verdict) {
	s := &f.status
	if s.PredecessorID != "" && isDelivered(s) && !hasEnded(s, f.now) && !f.isDeleting() && v.ready != v1beta1.ConditionTrue {
		v = stillInjected(uncapitalized(v.message))
	}
	setBindingConditions(s, v, f.now)
}
