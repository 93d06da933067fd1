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

// bindingAnswer is what came of a call about a binding.
type bindingAnswer struct {
	osbresult.Outcome
	blame
	// binding is what the broker told of it.
	binding *osbresult.Binding
	// operation is what the broker calls the removal that it has begun.
	operation string
	// state and words are of a poll.
	state osbresult.State
	words string
}

// bindingFold takes an answer into a status.
type bindingFold struct {
	b      *v1beta1.ServiceBinding
	status v1beta1.ServiceBindingStatus
	call   bindingCall
	answer bindingAnswer
	now    time.Time
}

// foldBinding is the status after a call, where status is that before it.
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

// isDeleting says whether the object is being deleted.
func (f *bindingFold) isDeleting() bool { return !f.b.DeletionTimestamp.IsZero() }

// isOverdue is that of instanceFold.
func (f *bindingFold) isOverdue() bool {
	return f.call.limit > 0 && isOverdue(f.status.OperationStartTime, f.call.limit, f.now)
}

// isRotation says whether what is being made is to replace what is there.
func (f *bindingFold) isRotation() bool {
	return f.status.PredecessorID != "" && f.status.CurrentOperation == v1beta1.OperationBind
}

// end has nothing under way any more.
func (f *bindingFold) end() {
	s := &f.status
	s.CurrentOperation, s.OperationStartTime, s.InProgressProperties = "", nil, nil
	s.AsyncOpInProgress, s.LastOperation, s.OrphanMitigationInProgress = false, nil, false
}

// accept is for a broker that has begun.
func (f *bindingFold) accept(v verdict, operation string) {
	s := &f.status
	if !s.AsyncOpInProgress { // from now on it is asked for, with the plan of its beginning, and may be overdue
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

// untilAsked says what a person can do about a binding that is not tried any more.
const untilAsked = " until the annotation " + v1beta1.RebindAnnotation + " changes"

// again is for a request that is going to be repeated.
func (f *bindingFold) again(what, reason string) {
	f.repeat(reason, what+" call failed: "+f.words())
}

// repeat is for a request that is going to be repeated, and says what has come of this one.
func (f *bindingFold) repeat(reason, message string) {
	f.later(message)
	f.say(f.retried(verdict{ready: v1beta1.ConditionFalse, reason: reason, message: f.sayAttempt(message)}))
}

// sayAttempt adds to a message when the next attempt is made.
func (f *bindingFold) sayAttempt(message string) string {
	return sayNext(message, f.status.Attempts, f.answer.probed)
}

// retried is a verdict on what is repeated: a person should look if that is seldom.
func (f *bindingFold) retried(v verdict) verdict {
	if !isSlowBinding(&f.status) {
		return v
	}
	return v.slow(v.reason)
}

// later counts an attempt, keeps what came of it, and says when the next one is made.
func (f *bindingFold) later(message string) {
	a := f.attempts()
	if !f.status.OrphanMitigationInProgress { // of which the cause is said
		a.LastError = message
	}
	taken := f.answer.Class == osbresult.Conflict && !f.call.owned // else it is ours, and found out about
	countFailure(a, f.b.UID, failure{misconfigured: taken || f.answer.Misconfigured(), ownFault: f.answer.ownFault, probed: f.answer.probed != "", asked: f.answer.RetryAfter}, f.now)
}

// attempts are those of the call's generation.
func (f *bindingFold) attempts() *v1beta1.Attempts {
	if f.status.Attempts == nil {
		f.status.Attempts = &v1beta1.Attempts{}
	}
	a := f.status.Attempts
	if a.Generation != f.call.generation { // what failed before was something else, such as what is deleted now
		a.Misconfigured, a.OwnFault, a.FailingSince, a.LastError = 0, false, nil, ""
	}
	a.Generation, a.ParametersVersion = f.call.generation, f.call.version
	return a
}

// stop has nothing tried any more.
func (f *bindingFold) stop(reason, message string) { f.stopAs(reason, reason, message) }

func (f *bindingFold) stopAs(reason, failed, message string) {
	a := f.attempts()
	a.Stopped, a.NextTime, a.LastTime, a.LastError = true, nil, timeOf(f.now), message
	f.status.ReconciledGeneration = f.call.generation
	f.say(givenUp(reason, failed, message))
}

// words are what the broker said, for people.
func (f *bindingFold) words() string { return sayOutcome(f.answer.Outcome) }

// say has the conditions say something. As long as the Secret has credentials that work,
// the binding is ready, whatever becomes of what is to replace them or was before them.
func (f *bindingFold) say(v verdict) {
	s := &f.status
	if s.PredecessorID != "" && isDelivered(s) && !hasEnded(s, f.now) && !f.isDeleting() && v.ready != v1beta1.ConditionTrue {
		v = stillInjected(uncapitalized(v.message))
	}
	setBindingConditions(s, v, f.now)
}
