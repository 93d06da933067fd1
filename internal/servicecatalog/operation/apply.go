// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package operation has what operations on instances and on bindings have in common: what a request is, what is recorded of a request that
// failed, and what polls of an operation lead to. A Kind has what differs.
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

// Request is what all requests about an object have.
type Request struct {
	Operation rules.Operation
	// ID is the id of the resource at the broker.
	ID string
	// NextID is the id of the next attempt, once what is under ID is removed (R2).
	NextID string
	// Generation of the spec that it follows from.
	Generation int64
	// NothingAtBroker: the broker can have nothing under the id before the request.
	NothingAtBroker bool
	// Owned: this object created the broker's resource, so that it may be deleted (R10). Retained: the deletion policy is Retain.
	Owned, Retained bool
	// CleanUp: the request is about an id left behind.
	CleanUp bool
	// Removal: the operation that is polled is a removal. LastOperation is the broker's name of that operation.
	Removal       bool
	LastOperation string
	// ConfirmsGone: an answer 410 Gone confirms the deletion: it follows an earlier one, and a success of the broker.
	ConfirmsGone bool
	// Address is the digest of the broker's address, which is recorded where the broker creates or changes the resource there; empty: it is not.
	Address string
	// SeenRunning: this process has seen the broker accept the operation on record, or report it in progress.
	SeenRunning bool
	// Retrievable: the resource can be fetched.
	Retrievable bool
	// Required are the names of parameters that are sent because the plan's schema requires them.
	Required []string
	// MaxDuration is the maximum duration of the operation that is polled.
	MaxDuration time.Duration
}

// MayMitigate reports whether a failed request is followed by an orphan mitigation.
func (r *Request) MayMitigate() bool { return r.Owned && !r.Retained }

// Answer is the broker's answer to a request.
type Answer struct {
	osbresult.Outcome
	rules.Attribution
	// Operation is the broker's name of the operation that it has begun.
	Operation string
	// State and OperationDescription are of a poll.
	State                osbresult.State
	OperationDescription string
	// Created: the request has created the instance (201). Instance is what was fetched; nil: it was not, or cannot be.
	Created      bool
	DashboardURL string
	Instance     *osbresult.Instance
	// Binding is the broker's binding; nil: the answer has none.
	Binding *osbresult.Binding
}

// Application is the application of an answer to the status of an object.
type Application struct {
	Kind   Kind
	Names  *Names
	Object metav1.Object
	Common *v1beta1.OperationStatus
	Call   *Request
	Answer Answer
	Now    time.Time
}

// IsDeleting reports whether the object is being deleted.
func (ap *Application) IsDeleting() bool { return !ap.Object.GetDeletionTimestamp().IsZero() }

// IsOverdue reports whether the answer was received after the deadline of the operation that was polled. Only an answer can be overdue:
// without one the operation may have ended in time (R11).
func (ap *Application) IsOverdue() bool {
	return ap.Call.MaxDuration > 0 && rules.Schedule{OperationStart: ap.Common.OperationStartTime, Now: ap.Now}.IsOverdue(ap.Call.MaxDuration)
}

// UseNextID makes the next id that of the object: a late removal under the former one, by a former leader, may still arrive (R2).
func (ap *Application) UseNextID() { ap.Common.ExternalID = ap.Call.NextID }

// DescribeOutcome describes the outcome of the request.
func (ap *Application) DescribeOutcome() string { return rules.DescribeOutcome(ap.Answer.Outcome) }

// WithNextAttempt adds to a message when the next attempt is due, after a failed one was recorded.
func (ap *Application) WithNextAttempt(message string) string {
	return rules.WithNextAttempt(message, &ap.Common.Attempts.Backoff, ap.Answer.Probed)
}

// WithStalled adds Stalled where requests are retried slowly.
func (ap *Application) WithStalled(set rules.ConditionSet) rules.ConditionSet {
	if !ap.Kind.IsSlow() {
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

// RecordRetry records a failed request that is repeated.
func (ap *Application) RecordRetry(what, reason string) {
	ap.RecordRetryMessage(reason, callFailed(what, ap.DescribeOutcome()))
}

// callFailed returns the message of a request or an operation that has failed.
func callFailed(what, words string) string { return what + " call failed: " + words }

// RecordRetryMessage records a request that is repeated, with a message about this attempt.
func (ap *Application) RecordRetryMessage(reason, message string) {
	ap.ScheduleRetry(message)
	ap.Kind.SetConditions(ap.WithStalled(rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: reason, Message: ap.WithNextAttempt(message)}))
}

// RecordSlowRetry records an asynchronous operation that has failed: it is retried slowly, as it takes the broker long.
func (ap *Application) RecordSlowRetry(reason, message string) {
	a := ap.Kind.Attempts()
	a.Misconfigured = max(a.Misconfigured, limiter.QuickRetries)
	ap.Answer.Class = osbresult.Misconfigured
	ap.RecordRetryMessage(reason, message)
}

// RecordUnseenFailure records that an operation has failed that may be a later one than the one on record, as after a restore from a backup.
// What the broker has is fetched, or else the repeated request shows whether the resource is there.
func (ap *Application) RecordUnseenFailure(reason, message string) {
	a := ap.Kind.Attempts()
	if a.Conflict = true; ap.Call.Retrievable {
		a.Unknown++
	}
	ap.RecordRetryMessage(reason, message)
}

// ScheduleRetry records a failed attempt, its message, and when the next one is due.
func (ap *Application) ScheduleRetry(message string) {
	a := ap.Kind.Attempts()
	if !ap.Kind.KeepsLastError() {
		a.LastError = message
	}
	taken := ap.Answer.Class == osbresult.Conflict && !ap.Call.Owned // otherwise the id is ours, and the conflict is inspected
	rules.RecordFailure(&a.Backoff, ap.Object.GetUID(), rules.Failure{Misconfigured: taken || ap.Answer.Misconfigured(), OwnFault: ap.Answer.OwnFault,
		Probed: ap.Answer.Probed != "", RetryAfter: ap.Answer.RetryAfter}, ap.Now)
}

// Stop ends the attempts until something changes.
func (ap *Application) Stop(message string) {
	a := ap.Kind.Attempts()
	a.Stopped, a.NextTime, a.LastTime, a.LastError = true, nil, times.Timestamp(ap.Now), message
}
