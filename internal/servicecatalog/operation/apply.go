// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package operation has the common part of operations on instances and on bindings: the Request, the record of a request that failed, and the
// Effect of an answer. A Kind has the words that differ.
package operation

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Request has the fields of all requests about an object.
type Request struct {
	Operation rules.Operation
	// ID is the id of the resource at the broker.
	ID string
	// NextID is the id of the next attempt, once the resource under ID is removed (R2).
	NextID string
	// Generation of the spec that it follows from.
	Generation int64
	// NothingAtBroker: no request under the id was sent before, so that the broker cannot have a resource under it.
	NothingAtBroker bool
	// Owned: this object created the broker's resource, so that it may be deleted (R10). Retained: the deletion policy is Retain.
	Owned, Retained bool
	// CleanUp: the request is about an id left behind.
	CleanUp bool
	// PollsRemoval: the operation that is polled is a removal. LastOperation is the broker's name of that operation.
	PollsRemoval  bool
	LastOperation string
	// ConfirmsGone: an answer 410 Gone confirms the deletion: it follows an earlier one, and a success of the broker.
	ConfirmsGone bool
	// Address is the digest of the broker's address, which is recorded where the broker creates or changes the resource there; empty: it is not.
	Address string
	// SeenRunning: this process has seen the broker accept the operation on record, or report it in progress.
	SeenRunning bool
	// Repeat: the request only gets the credentials of a resource that exists, or may exist, so that no orphan mitigation follows. Replaces: the resource is the successor of one in use.
	Repeat, Replaces bool
	// Retrievable: the resource can be fetched.
	Retrievable bool
	// Required are the names of parameters that are sent because the plan's schema requires them.
	Required []string
	// MaxDuration is the maximum duration of the operation that is polled. IsOverdue: it has exceeded that.
	MaxDuration time.Duration
	IsOverdue   bool
	// MitigationOver: the orphan mitigation has failed for so long that its id is left behind after another failure.
	MitigationOver bool
}

// MayMitigate reports whether a failed request is followed by an orphan mitigation.
func (r *Request) MayMitigate() bool { return r.Owned && !r.Retained }

// MayBeFetched reports whether the request is repeated to make a successor, and an earlier one may have made it already.
func (r *Request) MayBeFetched() bool {
	return r.Replaces && !r.Repeat && !r.NothingAtBroker && r.Retrievable
}

// MakePoll makes the request a poll of an operation, which the broker has named.
func (r *Request) MakePoll(removal bool, operation string) {
	r.Operation, r.PollsRemoval, r.LastOperation = rules.Poll, removal, operation
}

// Answer is the broker's answer to a request.
type Answer struct {
	osbresult.Outcome
	rules.Attribution
	// Operation is the broker's name of the operation that it has begun.
	Operation string
	// State and OperationDescription are of a poll.
	State                osbresult.State
	OperationDescription string
	// Created: the request has created the instance (201). Instance is the instance that was fetched; nil: it was not fetched, or cannot be.
	Created      bool
	DashboardURL string
	Instance     *osbresult.Instance
	// Binding is the broker's binding; nil: the answer has none.
	Binding *osbresult.Binding
}

// Application is the application of an answer to the status of an object.
type Application struct {
	Kind *Kind
	// Change is the operation of the request, or the operation that is polled.
	Change *Change
	Object metav1.Object
	Common *v1beta1.OperationStatus
	Call   *Request
	Answer Answer
	Now    time.Time
	// Attempted is the spec that the request counts for; nil: the attempts keep the spec of the failure that is mitigated.
	Attempted *v1beta1.AttemptedSpec
	// ConflictHeld: the broker has something under the id that the record does not show to be left over from this object.
	ConflictHeld bool
	// KeepsLastError: the attempts keep the message of a refusal, or of the failure that is mitigated.
	KeepsLastError bool
	// Exists: the broker has confirmed the resource. Its removals do not count as failures then.
	Exists bool
	// Mitigated is where the resource is that an orphan mitigation removes: the broker, and the plans; nil: the request is not part of one.
	Mitigated *v1beta1.LeftBehind
}

// IsDeleting reports whether the object is being deleted.
func (ap *Application) IsDeleting() bool { return !ap.Object.GetDeletionTimestamp().IsZero() }

// BeginDeadline has the deadline of an asynchronous operation count from its acceptance, or from the time on record, which is later if this process's
// clock is behind.
func (ap *Application) BeginDeadline() {
	begin := ap.Now
	if start := ap.Common.OperationStartTime; start != nil {
		begin = times.Latest(begin, start.Time)
	}
	ap.Common.OperationStartTime = times.Timestamp(begin)
}

// Attempts returns the attempts that the request counts for, and creates them if they do not exist.
func (ap *Application) Attempts() *v1beta1.Attempts {
	if ap.Common.Attempts == nil {
		ap.Common.Attempts = &v1beta1.Attempts{AttemptedSpec: v1beta1.AttemptedSpec{Generation: ap.Call.Generation}}
	}
	a := ap.Common.Attempts
	if ap.Attempted == nil {
		return a
	}
	if a.Generation != ap.Attempted.Generation { // the recorded ones are of another spec, or of before the deletion
		ap.Kind.Renew(a)
	}
	a.AttemptedSpec = *ap.Attempted
	return a
}

// UseNextID makes the next id the object's: a late removal under the former one, by a former leader, may still arrive (R2).
func (ap *Application) UseNextID() { ap.Common.ExternalID = ap.Call.NextID }

// DescribeOutcome describes the outcome of the request.
func (ap *Application) DescribeOutcome() string { return rules.DescribeOutcome(ap.Answer.Outcome) }

// WithNextAttempt adds to a message when the next attempt is due, after a failed one was recorded.
func (ap *Application) WithNextAttempt(message string) string {
	return rules.WithNextAttempt(message, &ap.Common.Attempts.Backoff, ap.Answer.Probed)
}

// WithStalled adds Stalled where requests are retried slowly, as also while the broker has something under the id that needs a person.
func (ap *Application) WithStalled(set rules.ConditionSet) rules.ConditionSet {
	a := ap.Common.Attempts
	if a != nil && ap.Exists {
		a = &v1beta1.Attempts{Backoff: a.Backoff}
	}
	if !rules.IsSlow(a) {
		return set
	}
	return set.WithStalled(set.Reason)
}

// RecordAccepted records the name of an operation that the broker has begun.
func (ap *Application) RecordAccepted() {
	if ap.Common.LastOperation = nil; ap.Answer.Operation != "" {
		ap.Common.LastOperation = &ap.Answer.Operation
	}
	rules.RecordAnswer(ap.Common.Attempts)
}

// callFailed returns the message of a request or an operation that has failed.
func (ap *Application) callFailed(words string) string { return callFailed(ap.Change.Name, words) }

func callFailed(name, words string) string { return name + " call failed: " + words }

// Retry records a request that is repeated, and returns the conditions with a message about this attempt.
func (ap *Application) Retry(reason, message string) rules.ConditionSet {
	ap.ScheduleRetry(message)
	return ap.WithStalled(rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: reason, Message: ap.WithNextAttempt(message)})
}

// RetryRequest does the same for a failed request of a name. A conflict that is held stays one: it is looked at again from time to time.
func (ap *Application) RetryRequest(name, reason string) rules.ConditionSet {
	message := ap.DescribeHeld() + callFailed(name, ap.DescribeOutcome())
	if ap.isHeldByAnswer() {
		return ap.RetrySlowly(reason, message)
	}
	return ap.Retry(reason, message)
}

// RetrySlowly schedules the retry of a request that takes the broker long, or whose answer does not change soon. It sets the class of the answer to
// Misconfigured, by which ScheduleRetry chooses the schedule.
func (ap *Application) RetrySlowly(reason, message string) rules.ConditionSet {
	a := ap.Attempts()
	a.Misconfigured = max(a.Misconfigured, limiter.QuickRetries)
	ap.Answer.Class = osbresult.Misconfigured
	return ap.Retry(reason, message)
}

// RetryUnseen records that an operation has failed that may be a later one than the one on record, as after a restore from a backup. The resource
// is fetched, or else the repeated request shows whether the broker has it.
func (ap *Application) RetryUnseen(reason, message string) rules.ConditionSet {
	a := ap.Attempts()
	if a.Conflict = true; ap.Call.Retrievable {
		a.Unknown++
	}
	return ap.Retry(reason, message)
}

// RetryByFetch records a refused request for a successor that an earlier one may have made. The memory of requests has it fetched next; after a
// restart the request is sent again.
func (ap *Application) RetryByFetch(message string) rules.ConditionSet {
	return ap.Retry(ap.Change.Failed, message+"; what an earlier request has created is fetched")
}

// ScheduleRetry records a failed attempt, its message, and when the next one is due.
func (ap *Application) ScheduleRetry(message string) {
	a := ap.Attempts()
	if !ap.KeepsLastError {
		a.LastError = message
	}
	rules.RecordFailure(&a.Backoff, ap.Object.GetUID(), rules.Failure{Misconfigured: ap.isTaken() || ap.Answer.Misconfigured(), OwnFault: ap.Answer.OwnFault,
		Probed: ap.Answer.Probed != "", RetryAfter: ap.Answer.RetryAfter}, ap.Now)
}

// Stop ends the attempts until something changes.
func (ap *Application) Stop(message string) {
	a := ap.Attempts()
	a.Stopped, a.NextTime, a.LastTime, a.LastError = true, nil, times.Timestamp(ap.Now), message
}
