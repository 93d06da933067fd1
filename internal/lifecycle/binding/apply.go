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
	"github.com/gophernetes/bellhop/internal/lifecycle/validity"
	"github.com/gophernetes/bellhop/internal/limiter"
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
	case lifecycle.Poll:
		f.applyPoll()
	default:
		panic(lifecycle.UnknownOperation("ServiceBinding", call.Operation))
	}
	return f.status
}

// isDeleting reports whether the object is being deleted.
func (ap *application) isDeleting() bool { return !ap.b.DeletionTimestamp.IsZero() }

// isOverdue reports whether the answer was received after the deadline of the polled operation (R11).
func (ap *application) isOverdue() bool {
	return ap.call.MaxDuration > 0 && lifecycle.Schedule{OperationStart: ap.status.OperationStartTime, Now: ap.now}.IsOverdue(ap.call.MaxDuration)
}

func (ap *application) phase() Phase { return PhaseOf(&ap.status) }

func (ap *application) setPhase(p Phase) { setPhase(&ap.status, p) }

func (ap *application) isReplacement() bool { return IsReplacement(&ap.status) }

// recordAccepted records the phase of an asynchronous operation that the broker has begun.
func (ap *application) recordAccepted(p Phase, v lifecycle.ConditionSet, operation string) {
	s := &ap.status
	if !ap.phase().IsAccepted() { // the deadline counts from the acceptance, and polls name the plan of the beginning
		target := ap.call.Target
		s.OperationStartTime, s.Target = lifecycle.Timestamp(ap.now), &target
	}
	ap.setPhase(p)
	s.LastOperation = nil
	lifecycle.RecordAnswer(s.Attempts)
	if operation != "" {
		s.LastOperation = &operation
	}
	v.Ready = v1beta1.ConditionFalse
	ap.setConditions(v)
}

// untilAsked says how a person repeats a request that was refused.
const untilAsked = " until the annotation " + v1beta1.RebindAnnotation + " changes"

// recordRetry records a failed request that is repeated.
func (ap *application) recordRetry(what, reason string) {
	ap.recordRetryMessage(reason, what+" call failed: "+ap.describeOutcome())
}

// recordRetryMessage records a request that is repeated, with a message about this attempt.
func (ap *application) recordRetryMessage(reason, message string) {
	ap.scheduleRetry(message)
	ap.setConditions(ap.withStalled(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: reason, Message: ap.withNextAttempt(message)}))
}

// recordSlowRetry records a failure that is retried slowly.
func (ap *application) recordSlowRetry(reason, message string) {
	a := ap.attempts()
	a.Misconfigured, ap.answer.Class = max(a.Misconfigured, limiter.QuickRetries), osbresult.Misconfigured
	ap.recordRetryMessage(reason, message)
}

// withNextAttempt adds to a message when the next attempt is due.
func (ap *application) withNextAttempt(message string) string {
	return lifecycle.WithNextAttempt(message, ap.status.Attempts, ap.answer.Probed)
}

// withStalled adds Stalled where requests are retried slowly.
func (ap *application) withStalled(v lifecycle.ConditionSet) lifecycle.ConditionSet {
	if !isSlowBinding(&ap.status) {
		return v
	}
	return v.WithStalled(v.Reason)
}

// scheduleRetry records a failed attempt, its message, and when the next one is due.
func (ap *application) scheduleRetry(message string) {
	a := ap.attempts()
	if !ap.phase().isMitigating() && !a.Stopped { // then the message stays that of its cause
		a.LastError = message
	}
	taken := ap.answer.Class == osbresult.Conflict && !ap.call.Owned // otherwise the id is ours, and the conflict is inspected
	lifecycle.RecordFailure(a, ap.b.UID, lifecycle.Failure{Misconfigured: taken || ap.answer.Misconfigured(), OwnFault: ap.answer.OwnFault, Probed: ap.answer.Probed != "", RetryAfter: ap.answer.RetryAfter}, ap.now)
}

// attempts returns the attempts of the request's generation, and creates them if there are none.
func (ap *application) attempts() *v1beta1.Attempts {
	if ap.status.Attempts == nil {
		ap.status.Attempts = &v1beta1.Attempts{}
	}
	a := ap.status.Attempts
	if a.Generation != ap.call.generation { // the recorded ones are of another spec, or of before the deletion
		a.Misconfigured, a.OwnFault, a.FailingSince, a.LastError = 0, false, nil, ""
	}
	a.Generation, a.ParametersVersion, a.ParametersDigest = ap.call.generation, ap.call.parametersVersion, ap.call.parametersDigest
	return a
}

// stopRetrying ends the attempts.
func (ap *application) stopRetrying(reason, message string) {
	ap.stopRetryingAs(reason, reason, message)
}

func (ap *application) stopRetryingAs(reason, failed, message string) {
	ap.stop(message)
	if ap.isReplacement() { // the credentials that were to be replaced stay
		return
	}
	ap.status.ReconciledGeneration = ap.call.generation
	ap.setConditions(lifecycle.Terminal(reason, failed, message))
}

// stop records that the request is not repeated until something changes.
func (ap *application) stop(message string) {
	a := ap.attempts()
	a.Stopped, a.NextTime, a.LastTime, a.LastError = true, nil, lifecycle.Timestamp(ap.now), message
}

// describeOutcome describes the outcome of the request.
func (ap *application) describeOutcome() string { return lifecycle.DescribeOutcome(ap.answer.Outcome) }

// setConditions sets the conditions. As long as the Secret has valid credentials, the binding is Ready, whatever comes of their replacement,
// of fetching them again, or of the removal of those before them.
func (ap *application) setConditions(v lifecycle.ConditionSet) {
	s := &ap.status
	if beside := s.PredecessorID != "" || ap.call.Recheck || validity.IsPredecessor(s, ap.call.BindingID); beside && isDelivered(s) && !validity.HasEnded(s, ap.now) && !ap.isDeleting() && v.Ready != v1beta1.ConditionTrue {
		v = stillInjectedConditions(lifecycle.Uncapitalize(v.Message))
	}
	setBindingConditions(s, v, ap.now)
}
