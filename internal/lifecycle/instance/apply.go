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
	default:
		panic(lifecycle.UnknownOperation("ServiceInstance", call.Operation))
	}
	f.phase.encode(&f.status)
	return f.status
}

// isDeleting reports whether the object is being deleted.
func (ap *application) isDeleting() bool { return !ap.si.DeletionTimestamp.IsZero() }

// isOverdue reports whether the answer was received after the deadline of the operation that
// was polled. Only an answer can be overdue: without one the operation may have ended in time (R11).
func (ap *application) isOverdue() bool {
	return ap.call.MaxDuration > 0 && lifecycle.Schedule{OperationStart: ap.status.OperationStartTime, Now: ap.now}.IsOverdue(ap.call.MaxDuration)
}

// isMitigation reports whether the request is part of an orphan mitigation.
func (ap *application) isMitigation() bool {
	return (ap.call.Operation == lifecycle.Deprovision || ap.call.Removal) && !ap.isDeleting()
}

// recordSuccess records that the broker has what was requested.
func (ap *application) recordSuccess(reason, message string) {
	s := &ap.status
	if ap.call.Properties != nil {
		s.ExternalProperties = ap.call.Properties
	} else if s.InProgressProperties != nil {
		s.ExternalProperties = s.InProgressProperties
	}
	ap.phase = Provisioned
	s.ReconciledGeneration = ap.call.generation
	s.Attempts, s.Unusable, s.RefusedUpdate = nil, false, ""
	ap.recordDashboard()
	ap.setConditions(lifecycle.ConditionSet{Ready: v1beta1.ConditionTrue, Reason: reason, Message: message})
}

func (ap *application) recordDashboard() {
	if ap.answer.DashboardURL != "" {
		ap.status.DashboardURL = &ap.answer.DashboardURL
	}
}

// recordAccepted records an asynchronous operation that the broker has begun.
func (ap *application) recordAccepted(v lifecycle.ConditionSet) {
	if !ap.phase.IsAccepted() { // the deadline counts from the acceptance
		ap.status.OperationStartTime = lifecycle.Timestamp(ap.now)
	}
	ap.phase, ap.status.LastOperation = ap.phase.accepted(), nil
	if ap.answer.Operation != "" {
		ap.status.LastOperation = &ap.answer.Operation
	}
	lifecycle.RecordAnswer(ap.status.Attempts)
	ap.recordDashboard()
	v.Ready = v1beta1.ConditionFalse
	ap.setConditions(v)
}

// recordUnknownOutcome records a request with an unknown outcome.
func (ap *application) recordUnknownOutcome(what, reason string) {
	if ap.call.Operation == lifecycle.Update || ap.answer.Class == osbresult.Unknown && !isConflictHeld(&ap.status) { // otherwise a repeat finds what is left
		ap.attempts().Unknown++
	}
	ap.recordRetry(what, reason)
}

// recordRetry records a failed request that is repeated.
func (ap *application) recordRetry(what, reason string) {
	ap.recordRetryMessage(reason, what+" call failed: "+ap.describeOutcome())
}

// recordRetryMessage records a request that is repeated, with a message about this attempt.
func (ap *application) recordRetryMessage(reason, message string) {
	ap.scheduleRetry(message)
	ap.setConditions(ap.withStalled(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: reason, Message: ap.withNextAttempt(message)}))
}

// recordSlowRetry records an asynchronous operation that has failed: it is retried slowly, as it takes the broker long.
func (ap *application) recordSlowRetry(reason, message string) {
	a := ap.attempts()
	a.Misconfigured = max(a.Misconfigured, limiter.QuickRetries)
	ap.answer.Class = osbresult.Misconfigured
	ap.recordRetryMessage(reason, message)
}

// withNextAttempt adds to a message when the next attempt is due.
func (ap *application) withNextAttempt(message string) string {
	return lifecycle.WithNextAttempt(message, ap.status.Attempts, ap.answer.Probed)
}

// withStalled adds Stalled where requests are retried slowly.
func (ap *application) withStalled(v lifecycle.ConditionSet) lifecycle.ConditionSet {
	if !lifecycle.IsSlow(ap.status.Attempts) {
		return v
	}
	return v.WithStalled(v.Reason)
}

// scheduleRetry records a failed attempt, its message, and when the next one is due.
func (ap *application) scheduleRetry(message string) {
	a := ap.attempts()
	if !ap.isMitigation() { // then the message stays that of its cause
		a.LastError = message
	}
	taken := ap.answer.Class == osbresult.Conflict && !ap.call.Owned // otherwise the id is ours, and the conflict is inspected
	lifecycle.RecordFailure(a, ap.si.UID, lifecycle.Failure{Misconfigured: taken || ap.answer.Misconfigured(), OwnFault: ap.answer.OwnFault, Probed: ap.answer.Probed != "", RetryAfter: ap.answer.RetryAfter}, ap.now)
}

// attempts returns the attempts of the request's generation, or of the failure that is mitigated; it creates them if there are none.
func (ap *application) attempts() *v1beta1.Attempts {
	if ap.status.Attempts == nil {
		ap.status.Attempts = &v1beta1.Attempts{Generation: ap.call.generation}
	}
	a := ap.status.Attempts
	if ap.isMitigation() {
		return a
	}
	if a.Generation != ap.call.generation { // the recorded ones are of another spec
		*a = v1beta1.Attempts{Generation: ap.call.generation, Unknown: a.Unknown, Conflict: a.Conflict, PlanIDs: a.PlanIDs, Refusals: a.Refusals, Stopped: a.Stopped, NextTime: a.NextTime}
	}
	sent := lifecycle.NonNil(cmp.Or(ap.call.Properties, ap.status.InProgressProperties))
	a.ParametersVersion, a.ParametersDigest = sent.ParametersVersion, sent.ParametersDigest
	if ap.call.OutcomeUnknown { // until an update has succeeded
		a.Unknown = max(a.Unknown, 1)
	}
	return a
}

// tryAgain says how a person repeats a request that was refused.
const tryAgain = "; it is not retried until the spec or a Secret of parametersFrom changes: increase spec.updateRequests to repeat it unchanged"

// stopRetrying ends the attempts for this generation.
func (ap *application) stopRetrying(reason, failed, message string) {
	if ap.answer.UpdateNotRepeatable {
		message += "; the broker said not to send this change again: change plan or parameters to something else"
	} else {
		message += tryAgain
	}
	a := ap.attempts()
	a.Stopped, a.NextTime, a.LastTime, a.LastError = true, nil, lifecycle.Timestamp(ap.now), message
	ap.setConditions(lifecycle.Terminal(reason, failed, message))
}

// describeOutcome describes the outcome of the request.
func (ap *application) describeOutcome() string { return lifecycle.DescribeOutcome(ap.answer.Outcome) }

func (ap *application) setConditions(v lifecycle.ConditionSet) { SetConditions(&ap.status, v, ap.now) }
