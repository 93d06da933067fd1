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

// answer is what came of a call.
type answer struct {
	osbresult.Outcome
	blame
	// created: this very call has created what is there.
	created              bool
	dashboard, operation string
	// state and words are of a poll.
	state osbresult.State
	words string
	// instance is what an inspection found.
	instance *osbresult.Instance
}

// instanceFold takes an answer into a status.
type instanceFold struct {
	si     *v1beta1.ServiceInstance
	status v1beta1.ServiceInstanceStatus
	call   instanceCall
	answer answer
	now    time.Time
}

// foldInstance is the status after a call, where status is that before it.
func foldInstance(si *v1beta1.ServiceInstance, status v1beta1.ServiceInstanceStatus, call instanceCall, a answer, now time.Time) v1beta1.ServiceInstanceStatus {
	f := &instanceFold{si: si, status: *status.DeepCopy(), call: call, answer: a, now: now}
	if call.verb == poll || f.isCleanup() {
		f.call.generation = status.ObservedGeneration // that of the operation: later ones are still to come
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

// isDeleting says whether the object is being deleted.
func (f *instanceFold) isDeleting() bool { return !f.si.DeletionTimestamp.IsZero() }

// isOverdue reports whether the answer was received after the deadline of the operation that
// was polled. Only an answer can be overdue: without one the operation may have ended in time (R11).
func (f *instanceFold) isOverdue() bool {
	return f.call.limit > 0 && isOverdue(f.status.OperationStartTime, f.call.limit, f.now)
}

// isCleanup says whether the call removes what a failure may have left.
func (f *instanceFold) isCleanup() bool {
	return (f.call.verb == deprovision || f.call.removal) && !f.isDeleting()
}

// succeed is for a broker that has what was asked for.
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

// end has nothing under way any more.
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

// accept is for a broker that has begun.
func (f *instanceFold) accept(v verdict) {
	if !f.status.AsyncOpInProgress { // how long it was asked for before does not count
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

// unsure is for a request of which it is not known what it did.
func (f *instanceFold) unsure(what, reason string) {
	if f.call.verb == update || f.answer.Class == osbresult.Unknown { // else nothing is left that a repeat would not find
		f.attempts().Unknown++
	}
	f.again(what, reason)
}

// again is for a request that is going to be repeated.
func (f *instanceFold) again(what, reason string) {
	f.repeat(reason, what+" call failed: "+f.words())
}

// repeat is for a request that is going to be repeated, and says what has come of this one.
func (f *instanceFold) repeat(reason, message string) {
	f.later(message)
	f.say(f.retried(verdict{ready: v1beta1.ConditionFalse, reason: reason, message: f.sayAttempt(message)}))
}

// repeatSlowly is for an operation that the broker has carried out in vain: it takes its time.
func (f *instanceFold) repeatSlowly(reason, message string) {
	a := f.attempts()
	a.Misconfigured = max(a.Misconfigured, limiter.QuickRetries)
	f.answer.Class = osbresult.Misconfigured
	f.repeat(reason, message)
}

// sayAttempt adds to a message when the next attempt is made.
func (f *instanceFold) sayAttempt(message string) string {
	return sayNext(message, f.status.Attempts, f.answer.probed)
}

// retried is a verdict on what is repeated: a person should look if that is seldom.
func (f *instanceFold) retried(v verdict) verdict {
	if !isSlow(f.status.Attempts) {
		return v
	}
	return v.slow(v.reason)
}

// later counts an attempt, keeps what came of it, and says when the next one is made.
func (f *instanceFold) later(message string) {
	a := f.attempts()
	if !f.isCleanup() { // of which the cause is said
		a.LastError = message
	}
	taken := f.answer.Class == osbresult.Conflict && !f.call.owned // else it is ours, and found out about
	countFailure(a, f.si.UID, failure{misconfigured: taken || f.answer.Misconfigured(), ownFault: f.answer.ownFault, probed: f.answer.probed != "", asked: f.answer.RetryAfter}, f.now)
}

// attempts are those of what the call is for: of a cleanup, what had failed.
func (f *instanceFold) attempts() *v1beta1.Attempts {
	if f.status.Attempts == nil {
		f.status.Attempts = &v1beta1.Attempts{Generation: f.call.generation}
	}
	a := f.status.Attempts
	if f.isCleanup() {
		return a
	}
	if a.Generation != f.call.generation { // what failed before was something else
		*a = v1beta1.Attempts{Generation: f.call.generation, Unknown: a.Unknown, Conflict: a.Conflict, PlanIDs: a.PlanIDs, Refusals: a.Refusals, Stopped: a.Stopped, NextTime: a.NextTime}
	}
	a.ParametersVersion = held(cmp.Or(f.call.props, f.status.InProgressProperties)).ParametersVersion
	if f.call.unsure { // until one has succeeded
		a.Unknown = max(a.Unknown, 1)
	}
	return a
}

// tryAgain says what a person can do about an instance that is not tried any more.
const tryAgain = "; it is not tried any more until the spec or a Secret of parametersFrom changes: increase spec.updateRequests to try the same again"

// stop has nothing tried any more for this generation.
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

// words are what the broker said, for people.
func (f *instanceFold) words() string { return sayOutcome(f.answer.Outcome) }

func (f *instanceFold) say(v verdict) { setInstanceConditions(&f.status, v, f.now) }
