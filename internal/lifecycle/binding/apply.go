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
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// Answer is the broker's answer to a request about a binding.
type Answer struct {
	osbresult.Outcome
	lifecycle.Attribution
	// Binding is the broker's binding; nil: the answer has none.
	Binding *osbresult.Binding
	// Operation is the broker's name of the removal that it has begun.
	Operation string
	// State and words, the description, are of a poll.
	State                osbresult.State
	OperationDescription string
}

// application is the application of an answer to a status.
type application struct {
	b      *v1beta1.ServiceBinding
	status v1beta1.ServiceBindingStatus
	call   Request
	answer Answer
	now    time.Time
}

// Apply returns the status after a request; status is the one before it, as the decision has it.
func Apply(b *v1beta1.ServiceBinding, status v1beta1.ServiceBindingStatus, call Request, a Answer, now time.Time) v1beta1.ServiceBindingStatus {
	f := &application{b: b, status: *status.DeepCopy(), call: call, answer: a, now: now}
	f.status.ObservedGeneration = b.Generation
	switch call.Operation {
	case lifecycle.Bind:
		f.applyBind()
	case lifecycle.Fetch:
		f.applyFetch()
	case lifecycle.Unbind:
		f.applyUnbind()
	default:
		f.applyPoll()
	}
	return f.status
}

// isDeleting reports whether the object is being deleted.
func (f *application) isDeleting() bool { return !f.b.DeletionTimestamp.IsZero() }

// isOverdue reports whether the answer was received after the deadline of the polled operation (R11).
func (f *application) isOverdue() bool {
	return f.call.MaxDuration > 0 && lifecycle.Schedule{OperationStart: f.status.OperationStartTime, Now: f.now}.IsOverdue(f.call.MaxDuration)
}

func (f *application) phase() Phase { return PhaseOf(&f.status) }

func (f *application) setPhase(p Phase) { setPhase(&f.status, p) }

func (f *application) isRotation() bool { return IsRotation(&f.status) }

// recordAccepted records the phase of an asynchronous operation that the broker has begun.
func (f *application) recordAccepted(p Phase, v lifecycle.ConditionSet, operation string) {
	s := &f.status
	if !f.phase().IsAccepted() { // the deadline counts from the acceptance, and polls name the plan of the beginning
		target := f.call.Target
		s.OperationStartTime, s.Target = lifecycle.Timestamp(f.now), &target
	}
	f.setPhase(p)
	s.LastOperation = nil
	lifecycle.RecordAnswer(s.Attempts)
	if operation != "" {
		s.LastOperation = &operation
	}
	v.Ready = v1beta1.ConditionFalse
	f.setConditions(v)
}

// untilAsked says how a person repeats a request that was refused.
const untilAsked = " until the annotation " + v1beta1.RebindAnnotation + " changes"

// recordRetry records a failed request that is repeated.
func (f *application) recordRetry(what, reason string) {
	f.recordRetryMessage(reason, what+" call failed: "+f.describeOutcome())
}

// recordRetryMessage records a request that is repeated, with a message about this attempt.
func (f *application) recordRetryMessage(reason, message string) {
	f.scheduleRetry(message)
	f.setConditions(f.withStalled(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: reason, Message: f.withNextAttempt(message)}))
}

// withNextAttempt adds to a message when the next attempt is due.
func (f *application) withNextAttempt(message string) string {
	return lifecycle.WithNextAttempt(message, f.status.Attempts, f.answer.Probed)
}

// withStalled adds Stalled where requests are retried slowly.
func (f *application) withStalled(v lifecycle.ConditionSet) lifecycle.ConditionSet {
	if !isSlowBinding(&f.status) {
		return v
	}
	return v.WithStalled(v.Reason)
}

// scheduleRetry records a failed attempt, its message, and when the next one is due.
func (f *application) scheduleRetry(message string) {
	a := f.attempts()
	if !f.phase().isMitigating() { // then the message stays that of its cause
		a.LastError = message
	}
	taken := f.answer.Class == osbresult.Conflict && !f.call.Owned // otherwise the id is ours, and the conflict is inspected
	lifecycle.RecordFailure(a, f.b.UID, lifecycle.Failure{Misconfigured: taken || f.answer.Misconfigured(), OwnFault: f.answer.OwnFault, Probed: f.answer.Probed != "", RetryAfter: f.answer.RetryAfter}, f.now)
}

// attempts returns the attempts of the request's generation, and creates them if there are none.
func (f *application) attempts() *v1beta1.Attempts {
	if f.status.Attempts == nil {
		f.status.Attempts = &v1beta1.Attempts{}
	}
	a := f.status.Attempts
	if a.Generation != f.call.generation { // the recorded ones are of another spec, or of before the deletion
		a.Misconfigured, a.OwnFault, a.FailingSince, a.LastError = 0, false, nil, ""
	}
	a.Generation, a.ParametersVersion = f.call.generation, f.call.ParametersVersion
	return a
}

// stopRetrying ends the attempts.
func (f *application) stopRetrying(reason, message string) { f.stopRetryingAs(reason, reason, message) }

func (f *application) stopRetryingAs(reason, failed, message string) {
	a := f.attempts()
	a.Stopped, a.NextTime, a.LastTime, a.LastError = true, nil, lifecycle.Timestamp(f.now), message
	f.status.ReconciledGeneration = f.call.generation
	f.setConditions(lifecycle.Terminal(reason, failed, message))
}

// describeOutcome describes the outcome of the request.
func (f *application) describeOutcome() string { return lifecycle.DescribeOutcome(f.answer.Outcome) }

// setConditions sets the conditions. As long as the Secret has valid credentials, the binding is Ready, whatever comes of a rotation.
func (f *application) setConditions(v lifecycle.ConditionSet) {
	s := &f.status
	if s.PredecessorID != "" && isDelivered(s) && !hasEnded(s, f.now) && !f.isDeleting() && v.Ready != v1beta1.ConditionTrue {
		v = stillInjectedConditions(lifecycle.Uncapitalize(v.Message))
	}
	setBindingConditions(s, v, f.now)
}
