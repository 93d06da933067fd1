// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package alertrules has the rules of an Alert: the next request to each receiver, its key, and the status after an answer. It is pure: no client, no
// clock.
package alertrules

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// defaultResolveTimeout is the schema's default, for a receiver that does not exist.
const defaultResolveTimeout = 10 * time.Minute

// Target is a receiver of an Alert.
type Target struct {
	// Spec is nil where the receiver does not exist.
	Spec *v1beta1.CommonReceiverSpec
	// Problem is why it cannot be used now; nil if it can.
	Problem *Problem
	// Leaving: the receiver or its namespace is being deleted, so that a missing Secret is not created again.
	Leaving bool
	// ResolvesOnly: the receiver or its Secret is gone, and its sender is kept for resolves. Problem names the missing object.
	ResolvesOnly bool
	// SecretNamespace is the namespace of its Secret.
	SecretNamespace string
	// RaisesByReopening: a message about an open incident notifies no one, so that the incident is resolved and opened again where the
	// severity rises.
	RaisesByReopening bool
	// Edits reports whether the receiver can change the message with an external id where it is shown, so that nobody is notified; nil: that
	// is not known, and shows when it is tried.
	Edits func(externalID string) bool
	// NamespaceRateLimit bounds the messages of each namespace to it; nil: no bound.
	NamespaceRateLimit *v1beta1.RateLimit
	// UID is the receiver's.
	UID types.UID
	// Revision changes with each change of the receiver's spec and of its Secret's metadata. It is at most 128 bytes.
	Revision string
	// Version changes with the receiver's address, its TLS settings and the content of its Secret, which decide whether a message arrives. It is at
	// most 128 bytes; empty where the Secret's content was not read.
	Version string
	// SecretNote is about keys of the Secret that may be misspelt, and about an address in it that is risky; empty: no such keys and address, or the
	// Secret's content was not read.
	SecretNote string
}

// Problem is why a receiver cannot be used until a person changes something.
type Problem struct {
	// Reason is one of the exported reasons of v1beta1.
	Reason string
	// Message is for people.
	Message string
}

// problemOfResolve is why no resolve can be sent to it now; nil: one can.
func (t Target) problemOfResolve() *Problem {
	if t.ResolvesOnly {
		return nil
	}
	return t.Problem
}

// isGone reports whether no resolve can be sent to it, now or later: it does not exist, or its Secret went with its namespace.
func (t Target) isGone() bool {
	isSecretMissing := t.Problem != nil && t.Problem.Reason == v1beta1.ReasonSecretNotFound
	return t.Spec == nil || t.Leaving && isSecretMissing && !t.ResolvesOnly
}

// ResolveTimeout is how long a resolve is tried.
func (t Target) ResolveTimeout() time.Duration {
	if t.Spec == nil || t.Spec.ResolveTimeoutSeconds == nil {
		return defaultResolveTimeout
	}
	return time.Duration(*t.Spec.ResolveTimeoutSeconds) * time.Second
}

// Inputs are the facts, beside the Alert, from which a plan follows.
type Inputs struct {
	// Now is the time of this process's clock, which decides when something waits no longer.
	Now time.Time
	// Server is the API server's time. It measures all that ends, such as an Alert that expires or a resolve that is given up, and is the clock of
	// creationTimestamp and deletionTimestamp: the clock of this process may be wrong (R11).
	Server times.Server
	// LeaderSince is when this process began to lead, in the API server's time.
	LeaderSince time.Time
	// ActiveSince is the same, or, where this process was stopped for longer than its lease, when it continued.
	ActiveSince time.Time
	// Refs are the receivers that the Alert names, or its default receiver; empty: no receiver.
	Refs []v1beta1.ReceiverRef
	// Receivers are the receivers in Refs, in the status, and of requests in flight.
	Receivers map[v1beta1.ReceiverRef]Receiver
}

// Receiver has the facts about one receiver from which a plan follows.
type Receiver struct {
	Target

	// InFlight is the request about this Alert that is not answered yet; nil: no request is.
	InFlight *InFlightRequest
	// Failed is the last attempt of this process, if it failed.
	Failed *FailedAttempt
	// Recovered is when the receiver last succeeded again after it had failed.
	Recovered time.Time
	// Blocked: it takes no request for some time, about any Alert; set for an Alert that is being deleted.
	Blocked bool
}

// FailedAttempt is an attempt that failed.
type FailedAttempt struct {
	Since    time.Time // when the first one failed of those in a row
	At       time.Time
	OwnFault bool // requests of other Alerts to the receiver succeeded meanwhile
	// Throttled: the receiver has a limit of its own. The next attempt is due at once, and waits in the receiver's queue for its turn.
	Throttled bool
}

// InFlightRequest is a request that is not answered yet.
type InFlightRequest struct {
	Request
	Since time.Time // by this process's clock
	Began time.Time // by the API server's
}

// hasPassed reports whether a time of the API server has passed.
func (in Inputs) hasPassed(t time.Time) bool {
	return !in.Server.Known.IsZero() && !in.Server.Known.Before(t)
}

// isAhead reports whether a recorded time lies ahead of the API server's known time: a clock has been corrected since (R11).
func (in Inputs) isAhead(t time.Time) bool {
	return !in.Server.Known.IsZero() && times.IsAhead(t, in.Server.Known)
}

// isWrong reports whether a recorded time lies ahead, and has to be corrected in the record: what counts from it would never end. In a process that has
// just begun to lead, the clock that is wrong may be the API server's, which is behind, such as after a start of its machine.
func (in Inputs) isWrong(t time.Time) bool {
	return in.isAhead(t) && in.Server.Known.Sub(in.LeaderSince) >= times.Agreement
}

// unlessPassed returns a time of the API server, or zero if it has passed.
func (in Inputs) unlessPassed(t time.Time) time.Time {
	if in.hasPassed(t) {
		return time.Time{}
	}
	return t
}

// wakeAt returns when, by this process's clock, to plan again for a time of the API server; zero: t has passed, or is never.
func (in Inputs) wakeAt(t time.Time) time.Time {
	switch {
	case t.IsZero() || in.hasPassed(t):
		return time.Time{}
	case in.Server.Known.IsZero():
		return in.Now.Add(time.Minute)
	}
	return in.Now.Add(t.Sub(in.Server.Known))
}

// future returns t, or zero if it has passed.
func future(t, now time.Time) time.Time {
	if t.After(now) {
		return t
	}
	return time.Time{}
}

// lastFailure is when the last attempt of a delivery failed; zero: it did not. The time of another process's attempt is the time in the status,
// rounded up.
func (in Inputs) lastFailure(row v1beta1.Delivery) time.Time {
	if failed := in.Receivers[RefOf(row)].Failed; failed != nil {
		return failed.At
	}
	if row.LastAttemptedReceiver == "" || row.LastAttemptTime == nil {
		return time.Time{}
	}
	return times.Earliest(row.LastAttemptTime.Add(time.Second), in.Now) // it may have been recorded under another clock
}

// isRecovered reports whether the receiver has succeeded since the last attempt, so that the next one may. An attempt that failed
// although the receiver worked waits for its own time.
func (in Inputs) isRecovered(row v1beta1.Delivery) bool {
	receiver := in.Receivers[RefOf(row)]
	isOwnFault := receiver.Failed != nil && receiver.Failed.OwnFault
	return !isOwnFault && receiver.Recovered.After(in.lastFailure(row))
}

// isDue reports whether another attempt at the last request is due.
func (in Inputs) isDue(row v1beta1.Delivery) bool {
	next := row.NextAttemptTime
	isWaiting := next != nil && in.Now.Before(next.Time) && !times.IsAhead(lastAttempt(row), in.Now)
	failed := in.Receivers[RefOf(row)].Failed
	isThrottled := failed != nil && failed.Throttled
	return !isWaiting || in.isRecovered(row) || isThrottled
}

// Action is the next write to the Alert itself, or none. The set is closed.
type Action int

const (
	// Deliver: make the requests that are due, and record them.
	Deliver Action = iota
	// AddFinalizer: before anything is sent.
	AddFinalizer
	// Release: remove the finalizer; every receiver knows that it is over, or was given up on.
	Release
	// Purge: delete the Alert, whose time to live has ended.
	Purge
)

// Plan has the next requests and write about an Alert.
type Plan struct {
	// Deliveries are the deliveries as they are, one for each receiver.
	Deliveries []DeliveryPlan
	Action     Action
	// Wake is when to plan again if nothing happens before; zero: never.
	Wake time.Time
	// KeepUntil is until when an Alert that goes away without a resolve waits for its last reposts to receivers that forget messages; zero: it does
	// not wait.
	KeepUntil time.Time
}

// DeliveryPlan has the next request to one receiver, and its row of the status.
type DeliveryPlan struct {
	Row v1beta1.Delivery
	// recordedState is the row's state before the plan.
	recordedState v1beta1.DeliveryState
	// Named is false where the spec no longer names the receiver.
	Named bool
	phase phase
	// reason is the reason of the Alert's condition unless the phase is settled; waitsFor is added to the condition's message.
	reason, waitsFor string
	// Send is the request to make now, if any.
	Send *Request
	// Wake is when to plan again; zero: never.
	Wake time.Time
}

// phase says which side acts next.
type phase int

const (
	phaseSettled    phase = iota // none
	phaseInProgress              // Bellhop
	phaseBlocked                 // a person has to change something
)

// Request is a request to a receiver.
type Request struct {
	Event    result.Event
	Hash     string
	Sequence int64
	Attempt  int32
	Version  string // of the target
	// First: no attempt of this content is on record.
	First bool
	// WriteAhead: it must be on record before it is sent (R1).
	WriteAhead bool
	// AtMostOnce: if its answer is lost it is not repeated.
	AtMostOnce bool
	// OutcomeUnknown: the receiver may hold more than it confirmed.
	OutcomeUnknown bool
	// Severity and JoinedTime belong to the content.
	Severity   v1beta1.Severity
	JoinedTime *metav1.Time
	// Quiet: nobody has to be told of the content.
	Quiet bool
	// Continues: the receiver holds a message of the Alert, which this one, which notifies, continues.
	Continues bool
	// FilteredHash is the hash of the content that the receiver filters, where the request is a resolve.
	FilteredHash string
	// BelowMinimum is the receiver's minSeverity where the request resolves a firing alert whose severity fell below it; else empty.
	BelowMinimum v1beta1.Severity
	// Misconfigured is how many answers in a row looked like a misconfiguration; OwnFault: of the Alert alone.
	Misconfigured int32
	OwnFault      bool
	// Unconfirmed is how many answers so far were neither the service's success nor its failure.
	Unconfirmed int32
	// Partial says which of the receiver's recipients have the content, or a former one that was not confirmed; "": none.
	Partial string
	// FailingSince is when the first of the attempts in a row before this one failed; zero: none has failed.
	FailingSince time.Time
	// ByDefault, as in the row.
	ByDefault bool
}

// Outcome is the result of a request.
type Outcome struct {
	Request
	Ref     v1beta1.ReceiverRef
	Receipt result.Receipt
	Failure *result.Error // nil: confirmed
	Began   time.Time     // by the API server's clock, in whole seconds
	At      time.Time     // of the answer, by this process's clock
	Number  uint64        // in the order of the process's outcomes
	Verdict limiter.Attribution
}
