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
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/limiter"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// answer is the broker's answer to a request about an instance.
type answer struct {
	osbresult.Outcome
	blame
	// created: this request has created the instance (201).
	created              bool
	dashboard, operation string
	// state and words, the description, are of a poll.
	state osbresult.State
	words string
	// instance is what was fetched; nil: it was not, or cannot be.
	instance *osbresult.Instance
}

// instanceFold is the application of an answer to a status.
type instanceFold struct {
	si     *v1beta1.ServiceInstance
	status v1beta1.ServiceInstanceStatus
	call   instanceCall
	answer answer
	now    time.Time
}

// foldInstance returns the status after a request; status is the one before it, as the decision has it.
func foldInstance(si *v1beta1.ServiceInstance, status v1beta1.ServiceInstanceStatus, call instanceCall, a answer, now time.Time) v1beta1.ServiceInstanceStatus {
	f := &instanceFold{si: si, status: *status.DeepCopy(), call: call, answer: a, now: now}
	if call.verb == poll || f.isCleanup() {
		f.call.generation = status.ObservedGeneration // of the operation: later generations are still to come
	}
	f.status.ObservedGeneration = f.call.generation
	switch call.verb {
	case provision:
		f.provision()
	case update:
		f.update()
	case deprovision:
		f.deprovision()
	case poll:
		f.poll()
	case inspect:
		f.inspect()
	default: // those of bindings
	}
	return f.status
}

// isDeleting reports whether the object is being deleted.
func (f *instanceFold) isDeleting() bool { return !f.si.DeletionTimestamp.IsZero() }

// isOverdue reports whether the answer was received after the deadline of the operation that
// was polled. Only an answer can be overdue: without one the operation may have ended in time (R11).
func (f *instanceFold) isOverdue() bool {
	return f.call.limit > 0 && isOverdue(f.status.OperationStartTime, f.call.limit, f.now)
}

// isCleanup reports whether the request is part of an orphan mitigation.
func (f *instanceFold) isCleanup() bool {
	return (f.call.verb == deprovision || f.call.removal) && !f.isDeleting()
}

// succeed records that the broker has what was requested.
func (f *instanceFold) succeed(reason, message string) {
	s := &f.status
	if f.call.props != nil {
		s.ExternalProperties = f.call.props
	} else if s.InProgressProperties != nil {
		s.ExternalProperties = s.InProgressProperties
	}
	f.end()
	s.ProvisionStatus, s.DeprovisionStatus = v1beta1.Provisioned, v1beta1.DeprovisionRequired
	s.ReconciledGeneration = f.call.generation
	s.Attempts, s.Unusable, s.RefusedUpdate = nil, false, ""
	f.keepDashboard()
	f.say(verdict{ready: v1beta1.ConditionTrue, reason: reason, message: message})
}

// end clears the operation in progress.
func (f *instanceFold) end() {
	s := &f.status
	s.CurrentOperation, s.OperationStartTime, s.InProgressProperties = "", nil, nil
	s.AsyncOpInProgress, s.LastOperation, s.OrphanMitigationInProgress = false, nil, false
}

func (f *instanceFold) keepDashboard() {
	if f.answer.dashboard != "" {
		f.status.DashboardURL = &f.answer.dashboard
	}
}

// accept records an asynchronous operation that the broker has begun.
func (f *instanceFold) accept(v verdict) {
	if !f.status.AsyncOpInProgress { // the deadline counts from the acceptance
		f.status.OperationStartTime = timeOf(f.now)
	}
	f.status.AsyncOpInProgress, f.status.LastOperation = true, nil
	if f.answer.operation != "" {
		f.status.LastOperation = &f.answer.operation
	}
	noteAnswer(f.status.Attempts)
	f.keepDashboard()
	v.ready = v1beta1.ConditionFalse
	f.say(v)
}

// unsure records a request with an unknown outcome.
func (f *instanceFold) unsure(what, reason string) {
	if f.call.verb == update || f.answer.Class == osbresult.Unknown { // otherwise a repeat finds what is left
		f.attempts().Unknown++
	}
	f.again(what, reason)
}

// again records a failed request that is repeated.
func (f *instanceFold) again(what, reason string) {
	f.repeat(reason, what+" call failed: "+f.words())
}

// repeat records a request that is repeated, with a message about this attempt.
func (f *instanceFold) repeat(reason, message string) {
	f.later(message)
	f.say(f.retried(verdict{ready: v1beta1.ConditionFalse, reason: reason, message: f.sayAttempt(message)}))
}

// repeatSlowly records an asynchronous operation that has failed: it is retried slowly, as it takes the broker long.
func (f *instanceFold) repeatSlowly(reason, message string) {
	a := f.attempts()
	a.Misconfigured = max(a.Misconfigured, limiter.QuickRetries)
	f.answer.Class = osbresult.Misconfigured
	f.repeat(reason, message)
}

// sayAttempt adds to a message when the next attempt is due.
func (f *instanceFold) sayAttempt(message string) string {
	return sayNext(message, f.status.Attempts, f.answer.probed)
}

// retried adds Stalled where requests are retried slowly.
func (f *instanceFold) retried(v verdict) verdict {
	if !isSlow(f.status.Attempts) {
		return v
	}
	return v.slow(v.reason)
}

// later records a failed attempt, its message, and when the next one is due.
func (f *instanceFold) later(message string) {
	a := f.attempts()
	if !f.isCleanup() { // then the message stays that of its cause
		a.LastError = message
	}
	taken := f.answer.Class == osbresult.Conflict && !f.call.owned // otherwise the id is ours, and the conflict is inspected
	countFailure(a, f.si.UID, failure{misconfigured: taken || f.answer.Misconfigured(), ownFault: f.answer.ownFault, probed: f.answer.probed != "", asked: f.answer.RetryAfter}, f.now)
}

// attempts returns the attempts of the request's generation, or of the failure that is mitigated; it creates them if there are none.
func (f *instanceFold) attempts() *v1beta1.Attempts {
	if f.status.Attempts == nil {
		f.status.Attempts = &v1beta1.Attempts{Generation: f.call.generation}
	}
	a := f.status.Attempts
	if f.isCleanup() {
		return a
	}
	if a.Generation != f.call.generation { // the recorded ones are of another spec
		*a = v1beta1.Attempts{Generation: f.call.generation, Unknown: a.Unknown, Conflict: a.Conflict, PlanIDs: a.PlanIDs, Refusals: a.Refusals, Stopped: a.Stopped, NextTime: a.NextTime}
	}
	a.ParametersVersion = held(cmp.Or(f.call.props, f.status.InProgressProperties)).ParametersVersion
	if f.call.unsure { // until an update has succeeded
		a.Unknown = max(a.Unknown, 1)
	}
	return a
}

// tryAgain says how a person repeats a request that was refused.
const tryAgain = "; it is not retried until the spec or a Secret of parametersFrom changes: increase spec.updateRequests to repeat it unchanged"

// stop ends the attempts for this generation.
func (f *instanceFold) stop(reason, failed, message string) {
	if f.answer.UpdateNotRepeatable {
		message += "; the broker said not to send this change again: change plan or parameters to something else"
	} else {
		message += tryAgain
	}
	a := f.attempts()
	a.Stopped, a.NextTime, a.LastTime, a.LastError = true, nil, timeOf(f.now), message
	f.say(givenUp(reason, failed, message))
}

// words describes the outcome of the request.
func (f *instanceFold) words() string { return sayOutcome(f.answer.Outcome) }

func (f *instanceFold) say(v verdict) { setInstanceConditions(&f.status, v, f.now) }
