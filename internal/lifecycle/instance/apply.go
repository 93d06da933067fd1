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

package instance

import (
	"cmp"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	"github.com/gophernetes/bellhop/internal/limiter"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// Answer is the broker's answer to a request about an instance.
type Answer struct {
	osbresult.Outcome
	lifecycle.Attribution
	// Created: this request has created the instance (201).
	Created                 bool
	DashboardURL, Operation string
	// State and words, the description, are of a poll.
	State                osbresult.State
	OperationDescription string
	// Instance is what was fetched; nil: it was not, or cannot be.
	Instance *osbresult.Instance
}

// application is the application of an answer to a status.
type application struct {
	si     *v1beta1.ServiceInstance
	status v1beta1.ServiceInstanceStatus
	phase  Phase
	call   Request
	answer Answer
	now    time.Time
}

// Apply returns the status after a request; status is the one before it, as the decision has it.
func Apply(si *v1beta1.ServiceInstance, status v1beta1.ServiceInstanceStatus, call Request, a Answer, now time.Time) v1beta1.ServiceInstanceStatus {
	f := &application{si: si, status: *status.DeepCopy(), phase: PhaseOf(&status), call: call, answer: a, now: now}
	if call.Operation == lifecycle.Poll || f.isMitigation() {
		f.call.generation = status.ObservedGeneration // of the operation: later generations are still to come
	}
	f.status.ObservedGeneration = f.call.generation
	switch call.Operation {
	case lifecycle.Provision:
		f.applyProvision()
	case lifecycle.Update:
		f.applyUpdate()
	case lifecycle.Deprovision:
		f.applyDeprovision()
	case lifecycle.Poll:
		f.applyPoll()
	case lifecycle.Inspect:
		f.applyInspection()
	default: // those of bindings
	}
	f.phase.encode(&f.status)
	return f.status
}

// isDeleting reports whether the object is being deleted.
func (f *application) isDeleting() bool { return !f.si.DeletionTimestamp.IsZero() }

// isOverdue reports whether the answer was received after the deadline of the operation that
// was polled. Only an answer can be overdue: without one the operation may have ended in time (R11).
func (f *application) isOverdue() bool {
	return f.call.MaxDuration > 0 && lifecycle.Schedule{OperationStart: f.status.OperationStartTime, Now: f.now}.IsOverdue(f.call.MaxDuration)
}

// isMitigation reports whether the request is part of an orphan mitigation.
func (f *application) isMitigation() bool {
	return (f.call.Operation == lifecycle.Deprovision || f.call.Removal) && !f.isDeleting()
}

// recordSuccess records that the broker has what was requested.
func (f *application) recordSuccess(reason, message string) {
	s := &f.status
	if f.call.Properties != nil {
		s.ExternalProperties = f.call.Properties
	} else if s.InProgressProperties != nil {
		s.ExternalProperties = s.InProgressProperties
	}
	f.phase = Provisioned
	s.ReconciledGeneration = f.call.generation
	s.Attempts, s.Unusable, s.RefusedUpdate = nil, false, ""
	f.recordDashboard()
	f.setConditions(lifecycle.ConditionSet{Ready: v1beta1.ConditionTrue, Reason: reason, Message: message})
}

func (f *application) recordDashboard() {
	if f.answer.DashboardURL != "" {
		f.status.DashboardURL = &f.answer.DashboardURL
	}
}

// recordAccepted records an asynchronous operation that the broker has begun.
func (f *application) recordAccepted(v lifecycle.ConditionSet) {
	if !f.phase.IsAccepted() { // the deadline counts from the acceptance
		f.status.OperationStartTime = lifecycle.Timestamp(f.now)
	}
	f.phase, f.status.LastOperation = f.phase.accepted(), nil
	if f.answer.Operation != "" {
		f.status.LastOperation = &f.answer.Operation
	}
	lifecycle.RecordAnswer(f.status.Attempts)
	f.recordDashboard()
	v.Ready = v1beta1.ConditionFalse
	f.setConditions(v)
}

// recordUnknownOutcome records a request with an unknown outcome.
func (f *application) recordUnknownOutcome(what, reason string) {
	if f.call.Operation == lifecycle.Update || f.answer.Class == osbresult.Unknown { // otherwise a repeat finds what is left
		f.attempts().Unknown++
	}
	f.recordRetry(what, reason)
}

// recordRetry records a failed request that is repeated.
func (f *application) recordRetry(what, reason string) {
	f.recordRetryMessage(reason, what+" call failed: "+f.describeOutcome())
}

// recordRetryMessage records a request that is repeated, with a message about this attempt.
func (f *application) recordRetryMessage(reason, message string) {
	f.scheduleRetry(message)
	f.setConditions(f.withStalled(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: reason, Message: f.withNextAttempt(message)}))
}

// recordSlowRetry records an asynchronous operation that has failed: it is retried slowly, as it takes the broker long.
func (f *application) recordSlowRetry(reason, message string) {
	a := f.attempts()
	a.Misconfigured = max(a.Misconfigured, limiter.QuickRetries)
	f.answer.Class = osbresult.Misconfigured
	f.recordRetryMessage(reason, message)
}

// withNextAttempt adds to a message when the next attempt is due.
func (f *application) withNextAttempt(message string) string {
	return lifecycle.WithNextAttempt(message, f.status.Attempts, f.answer.Probed)
}

// withStalled adds Stalled where requests are retried slowly.
func (f *application) withStalled(v lifecycle.ConditionSet) lifecycle.ConditionSet {
	if !lifecycle.IsSlow(f.status.Attempts) {
		return v
	}
	return v.WithStalled(v.Reason)
}

// scheduleRetry records a failed attempt, its message, and when the next one is due.
func (f *application) scheduleRetry(message string) {
	a := f.attempts()
	if !f.isMitigation() { // then the message stays that of its cause
		a.LastError = message
	}
	taken := f.answer.Class == osbresult.Conflict && !f.call.Owned // otherwise the id is ours, and the conflict is inspected
	lifecycle.RecordFailure(a, f.si.UID, lifecycle.Failure{Misconfigured: taken || f.answer.Misconfigured(), OwnFault: f.answer.OwnFault, Probed: f.answer.Probed != "", RetryAfter: f.answer.RetryAfter}, f.now)
}

// attempts returns the attempts of the request's generation, or of the failure that is mitigated; it creates them if there are none.
func (f *application) attempts() *v1beta1.Attempts {
	if f.status.Attempts == nil {
		f.status.Attempts = &v1beta1.Attempts{Generation: f.call.generation}
	}
	a := f.status.Attempts
	if f.isMitigation() {
		return a
	}
	if a.Generation != f.call.generation { // the recorded ones are of another spec
		*a = v1beta1.Attempts{Generation: f.call.generation, Unknown: a.Unknown, Conflict: a.Conflict, PlanIDs: a.PlanIDs, Refusals: a.Refusals, Stopped: a.Stopped, NextTime: a.NextTime}
	}
	a.ParametersVersion = lifecycle.NonNil(cmp.Or(f.call.Properties, f.status.InProgressProperties)).ParametersVersion
	if f.call.OutcomeUnknown { // until an update has succeeded
		a.Unknown = max(a.Unknown, 1)
	}
	return a
}

// tryAgain says how a person repeats a request that was refused.
const tryAgain = "; it is not retried until the spec or a Secret of parametersFrom changes: increase spec.updateRequests to repeat it unchanged"

// stopRetrying ends the attempts for this generation.
func (f *application) stopRetrying(reason, failed, message string) {
	if f.answer.UpdateNotRepeatable {
		message += "; the broker said not to send this change again: change plan or parameters to something else"
	} else {
		message += tryAgain
	}
	a := f.attempts()
	a.Stopped, a.NextTime, a.LastTime, a.LastError = true, nil, lifecycle.Timestamp(f.now), message
	f.setConditions(lifecycle.Terminal(reason, failed, message))
}

// describeOutcome describes the outcome of the request.
func (f *application) describeOutcome() string { return lifecycle.DescribeOutcome(f.answer.Outcome) }

func (f *application) setConditions(v lifecycle.ConditionSet) { SetConditions(&f.status, v, f.now) }
