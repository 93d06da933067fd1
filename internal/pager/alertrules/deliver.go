// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// OrderTolerance is for how long an Alert fires before a missing receiver or Secret is a problem.
const OrderTolerance = 5 * time.Minute

// planResolve plans a request that says that the alert is over, until a time of the API server; zero: without end.
func (d *DeliveryPlan) planResolve(t Target, until time.Time, in Inputs) {
	switch {
	case isSuspended(t): // a person suspended the receiver: the resolve timeout begins again when it is resumed
		d.Row.FirstAttemptTime, until = nil, time.Time{}
		fallthrough
	case t.problemOfResolve() != nil:
		d.Row.Reason, d.Row.Message, d.Row.NextAttemptTime = t.Problem.Reason, t.Problem.Message, nil
		d.phase, d.reason = phaseBlocked, t.Problem.Reason
	default:
		d.planRequest(t, ResolvedHash(), result.Resolved, v1beta1.ReasonResolving, in)
	}
	d.Wake = times.Earliest(d.Wake, in.wakeAt(until))
}

// settle sets a final state. The message of an error stays only where the row has expired or is unknown, or the state does not change.
func (d *DeliveryPlan) settle(state v1beta1.DeliveryState, reason string) {
	if d.Row.State != state && state != v1beta1.DeliveryExpired && state != v1beta1.DeliveryUnknown {
		d.Row.Message = ""
	}
	d.Row.State, d.Row.Reason, d.Row.NextAttemptTime = state, reason, nil
}

// planUnknown settles a row whose outcome is unknown and must not be repeated: a person decides, by a change of the content, which is
// another message, or of the policy, which repeats this one.
func (d *DeliveryPlan) planUnknown() {
	d.settle(v1beta1.DeliveryUnknown, v1beta1.ReasonOutcomeUnknown)
	d.phase, d.reason = phaseBlocked, v1beta1.ReasonOutcomeUnknown
}

// waitFor blocks a row until a person changes something, which causes an event.
func (d *DeliveryPlan) waitFor(p Problem) {
	d.Row.Reason, d.Row.Message, d.Row.NextAttemptTime = p.Reason, p.Message, nil
	d.Row.State = v1beta1.DeliveryPending
	d.phase, d.reason = phaseBlocked, p.Reason
}

// allowForOrder keeps an Alert in progress that fires since a short time, and whose receiver or Secret does not exist: manifests are applied
// together, in any order.
func (d *DeliveryPlan) allowForOrder(a *v1beta1.Alert, in Inputs) {
	until := firingSince(a, in).Add(OrderTolerance)
	missing := d.reason == v1beta1.ReasonReceiverNotFound || d.reason == v1beta1.ReasonSecretNotFound
	if missing && !in.hasPassed(until) {
		d.phase, d.Wake = phaseInProgress, in.wakeAt(until)
	}
}

// isSlow reports whether a delivery has used up its quick retries.
func isSlow(row v1beta1.Delivery) bool { return row.MisconfiguredAnswers > limiter.QuickRetries }

// planRequest sets d.Send to the next request for the content of a hash if it is due, and otherwise d.Wake. After a final refusal it plans none
// until the receiver changes.
func (d *DeliveryPlan) planRequest(t Target, hash string, event result.Event, reason string, in Inputs) {
	// LastAttemptedReceiver is a Target.Version: another version of the receiver allows another attempt with the same content.
	isSameAttempt := d.Row.LastAttemptedHash == hash && d.Row.LastAttemptedReceiver == t.Version
	if isSameAttempt && d.Row.State == v1beta1.DeliveryFailed {
		d.phase, d.reason = phaseBlocked, v1beta1.ReasonFailed
		return
	}
	d.phase, d.reason = phaseInProgress, reason
	if isSameAttempt && isSlow(d.Row) {
		d.phase, d.reason = phaseBlocked, v1beta1.ReasonMisconfigured
	}
	if event != result.Resolved {
		d.Row.State = v1beta1.DeliveryPending
	}
	if isSameAttempt && !in.isDue(d.Row) {
		d.Wake = d.Row.NextAttemptTime.Time
		return
	}
	d.Send = d.newRequest(t, hash, event, in)
	if isSameAttempt {
		d.Send.addFailures(d.Row, in)
	}
}

// newRequest returns the next attempt for the content of a hash.
func (d *DeliveryPlan) newRequest(t Target, hash string, event result.Event, in Inputs) *Request {
	r := &Request{Event: event, Hash: hash, Sequence: d.Row.Sequence, Attempt: d.Row.Attempts + 1, Version: t.Version,
		WriteAhead: isAtMostOnce(t), AtMostOnce: isAtMostOnce(t), ByDefault: d.Row.ByDefault}
	isSameContent := d.Row.LastAttemptedHash == hash
	if !isSameContent {
		r.Sequence++
		r.Attempt, r.First = 1, true
	}
	holding, followsResolve := d.holding(in), isResolved(d.Row.LastAttemptedHash)
	// An earlier attempt may have arrived, for any answer to this one.
	mayHaveArrived := d.Row.OutcomeUnknown || holding == MayHold
	// A resolve for a receiver that holds nothing by its record: an attempt without a record may have arrived.
	resolvesUnrecorded := event == result.Resolved && holding == HoldsNothing
	// The resolve before this message was not confirmed, and may have arrived.
	firesAfterResolve := event == result.Fired && holding == Holds && followsResolve
	r.OutcomeUnknown = mayHaveArrived || resolvesUnrecorded || firesAfterResolve
	// PartialDelivery is about the last attempt. Another message takes it over only where the receiver has confirmed none.
	hasConfirmedNone := event == result.Fired && holding != Holds && !followsResolve
	if isSameContent || hasConfirmedNone {
		r.Partial = d.Row.PartialDelivery
	}
	if event == result.Resolved {
		r.FilteredHash = d.Row.FilteredHash
	}
	return r
}

// addFailures adds the failures of former attempts of the same request.
func (r *Request) addFailures(row v1beta1.Delivery, in Inputs) {
	r.Unconfirmed, r.Misconfigured = row.UnconfirmedAnswers, row.MisconfiguredAnswers
	r.OwnFault = isSlow(row) && row.NextAttemptTime != nil
	r.FailingSince = in.lastFailure(row)
	if failed := in.Receivers[RefOf(row)].Failed; failed != nil {
		r.FailingSince = failed.Since
	}
}

// isOutcomeUnknown reports whether the answer to the content of a hash was lost, or confirmed nothing as often as is tried, and must not
// be repeated.
func isOutcomeUnknown(row v1beta1.Delivery, hash string, t Target) bool {
	return row.LastAttemptedHash == hash && (row.AnswerLost && isAtMostOnce(t) || isUnconfirmed(row, t))
}

// lastAttempt is when the last attempt ended, by the clock of the process that made it; zero: there was no attempt.
func lastAttempt(row v1beta1.Delivery) time.Time {
	if row.LastAttemptTime == nil {
		return time.Time{}
	}
	return row.LastAttemptTime.Time
}

func isSuspended(t Target) bool {
	return t.Problem != nil && t.Problem.Reason == v1beta1.ReasonSuspended
}

func isAtMostOnce(t Target) bool {
	return t.Spec != nil && t.Spec.DeliveryPolicy == v1beta1.AtMostOnce
}
