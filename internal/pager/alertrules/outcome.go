// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"cmp"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// backoff has the delays of requests that failed.
var backoff = times.Backoff{First: time.Second, Last: 10 * time.Minute, Jitter: 25, Steps: 1024}

// Apply returns the row after an outcome. Applying an outcome twice is applying it once, and a failure changes no row of a later attempt,
// which a new leader has made meanwhile.
func Apply(row v1beta1.Delivery, o Outcome) v1beta1.Delivery {
	if o.Failure != nil && isLater(row, o.Request) {
		return row
	}
	row = beginAttempt(row, o.Request, o.Began)
	row.LastAttemptTime = times.Timestamp(o.At)
	if o.Failure == nil {
		return applyConfirmed(row, o)
	}
	row.LastAttemptedReceiver, row.MisconfiguredAnswers, row.UnconfirmedAnswers = o.Version, 0, o.Unconfirmed
	row.AnswerLost = o.Failure.Class == result.Unknown || o.Failure.Class == result.Unconfirmed
	row.PartialDelivery = cmp.Or(o.Failure.Partial, o.Partial)
	row.OutcomeUnknown = o.OutcomeUnknown || row.AnswerLost || row.PartialDelivery != ""
	row.Reason, row.Message = o.Failure.Reason, o.Failure.Message
	switch class := o.Failure.Class; {
	case class == result.Permanent:
		row.State = v1beta1.DeliveryFailed
	case class == result.Configuration:
		return applyMisconfigured(row, o)
	case row.AnswerLost && o.AtMostOnce:
		row.State, row.Message = v1beta1.DeliveryUnknown, o.Failure.Message+notRepeatedHint
	case class == result.Unconfirmed:
		return applyUnconfirmed(row, o)
	default:
		row.State = stateOfOpen(row, o.Event)
		wait := max(backoffOf(o), o.Failure.RetryAfter)
		row.NextAttemptTime = times.NotBefore(o.At.Add(wait))
	}
	return row
}

// backoffOf returns the time between an outcome and the next attempt. A request that the receiver throttled waits for its turn in the queue of this
// process. The time matters only after a restart.
func backoffOf(o Outcome) time.Duration {
	if o.Verdict.Throttled {
		return backoff.First
	}
	return Backoff(o.Hash+string(o.Ref.Kind)+o.Ref.Name, o.Attempt)
}

// isLater reports whether the row is of a later attempt than a request. Attempts that are not recorded before they are sent may have the
// same number.
func isLater(row v1beta1.Delivery, r Request) bool {
	if row.Sequence != r.Sequence {
		return row.Sequence > r.Sequence
	}
	return row.Attempts > r.Attempt || confirmed(row, r.Hash)
}

// applyMisconfigured returns the row after an answer that looks like a misconfiguration: after the quick retries it waits for the
// receiver's next probe, or, if the fault is the Alert's own, for a time of its own.
func applyMisconfigured(row v1beta1.Delivery, o Outcome) v1beta1.Delivery {
	row.State = stateOfOpen(row, o.Event)
	row.MisconfiguredAnswers = o.Misconfigured + 1
	if isSlow(row) && !o.OwnFault && !o.Verdict.OwnFault {
		return row
	}
	wait := backoff.Spread(limiter.MisconfigurationDelay(int(row.MisconfiguredAnswers)), o.Hash+string(o.Ref.Kind)+o.Ref.Name, o.Attempt)
	row.NextAttemptTime = times.NotBefore(o.At.Add(wait))
	return row
}

// stateOfOpen is the state of a row that is tried again: a resolve that fails does not undo that the message was sent.
func stateOfOpen(row v1beta1.Delivery, event result.Event) v1beta1.DeliveryState {
	if event == result.Resolved && HoldingOf(row) == Holds {
		return v1beta1.DeliverySent
	}
	return v1beta1.DeliveryPending
}

// notRepeatedHint says how a person can have a message sent again whose outcome is unknown.
const notRepeatedHint = "; it may have arrived, and deliveryPolicy AtMostOnce does not repeat it: to send it again, change the Alert or the policy"

// beginAttempt returns the row with an attempt of a request, which began at a time of the API server.
func beginAttempt(row v1beta1.Delivery, r Request, began time.Time) v1beta1.Delivery {
	if r.Event == result.Fired && HoldingOf(row) == Holds && isResolved(row.LastAttemptedHash) {
		row.ContentHash, row.Severity, row.JoinedTime = "", "", nil // it fires again after a resolve that may have arrived
	}
	if r.Event != result.Resolved || !IsConsidered(row) { // a resolve may be about a former occurrence
		row.ByDefault = r.ByDefault
	}
	row.LastAttemptedHash, row.Sequence, row.Attempts = r.Hash, r.Sequence, r.Attempt
	row.FilteredHash = r.FilteredHash
	if r.Attempt == 1 || row.FirstAttemptTime == nil {
		row.FirstAttemptTime = times.Timestamp(began)
	}
	row.NextAttemptTime = nil
	return row
}

// RowInFlight returns the row that is recorded while a request is in flight (R1): unless its outcome replaces the row, the receiver may hold the
// message.
func RowInFlight(row v1beta1.Delivery, f InFlightRequest) v1beta1.Delivery {
	row = beginAttempt(row, f.Request, f.Began)
	row.LastAttemptTime, row.LastAttemptedReceiver, row.MisconfiguredAnswers = times.Timestamp(f.Since), f.Version, f.Misconfigured
	row.UnconfirmedAnswers, row.PartialDelivery = f.Unconfirmed, f.Partial
	if !isSlow(row) { // then a person should see why
		row.Message = ""
	}
	row.AnswerLost, row.OutcomeUnknown = true, true
	row.Reason, row.State = v1beta1.ReasonSending, stateOfOpen(row, f.Event)
	if f.AtMostOnce {
		row.State = v1beta1.DeliveryUnknown
	}
	return row
}

// withLostAnswer returns the row of a request that is neither in flight nor answered: the process that sent it has ended.
func withLostAnswer(row v1beta1.Delivery) v1beta1.Delivery {
	if row.Reason != v1beta1.ReasonSending {
		return row
	}
	row.Reason, row.Message = v1beta1.ReasonOutcomeUnknown, "the answer to the last attempt is not recorded"
	if row.State == v1beta1.DeliveryUnknown {
		row.Message += notRepeatedHint
	}
	return row
}

func applyConfirmed(row v1beta1.Delivery, o Outcome) v1beta1.Delivery {
	row.ContentHash, row.LastAttemptedReceiver, row.OutcomeUnknown, row.AnswerLost, row.MisconfiguredAnswers = o.Hash, "", false, false, 0
	row.UnconfirmedAnswers, row.PartialDelivery = 0, ""
	row.Reason, row.Message = "", o.Receipt.Note
	if o.Event == result.Resolved {
		row.State, row.Severity, row.JoinedTime = v1beta1.DeliveryResolved, "", nil
		return row
	}
	row.State = v1beta1.DeliverySent
	if o.Receipt.KeptBack {
		return row
	}
	row.Severity, row.JoinedTime = o.Severity, o.JoinedTime
	row.SentTime, row.ExternalID = row.LastAttemptTime, o.Receipt.ExternalID
	return row
}

// Backoff doubles from a second to ten minutes.
func Backoff(seed string, attempt int32) time.Duration { return backoff.Delay(seed, attempt) }
