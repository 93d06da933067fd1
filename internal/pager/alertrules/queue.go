// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"fmt"
	"slices"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

const (
	// ConditionDelay is how long an Alert waits for a slot at a receiver, or for an answer, before its status says so, which costs a
	// write.
	ConditionDelay = 10 * time.Second
	// FirstConditionDelay is the same while the status is empty and the receiver is slow or fails.
	FirstConditionDelay = 3 * time.Second
	// queueHeartbeat is how often it asks for a slot, in case it is not notified of one.
	queueHeartbeat = limiter.QueueTimeout / 3
)

// InFlightShownAt is when the status of an Alert says that a request is in flight.
func InFlightShownAt(a *v1beta1.Alert, f InFlightRequest) time.Time {
	if hasInitialStatus(a) {
		return f.Since.Add(FirstConditionDelay)
	}
	return f.Since.Add(ConditionDelay)
}

// WaitShownAt is when the status of an Alert says that a request waits for a slot. Alerts of a burst, which wait for each other, say so
// late: it would be a write for each.
func WaitShownAt(a *v1beta1.Alert, wait limiter.Wait) time.Time {
	isFailing := wait.Cause == limiter.Down || wait.Cause == limiter.LooksMisconfigured
	if hasInitialStatus(a) && isFailing {
		return wait.Since.Add(FirstConditionDelay)
	}
	return wait.Since.Add(ConditionDelay)
}

// Waiting returns the plan for an Alert where some requests have to wait for a slot at their receiver.
func (pl Plan) Waiting(a *v1beta1.Alert, queued map[v1beta1.ReceiverRef]limiter.Wait, now time.Time) Plan {
	pl.Deliveries = slices.Clone(pl.Deliveries)
	for i := range pl.Deliveries {
		d := &pl.Deliveries[i]
		wait, ok := queued[RefOf(d.Row)]
		if !ok || d.Send == nil {
			continue
		}
		pl.Wake = times.Earliest(pl.Wake, now.Add(queueHeartbeat))
		pl.Wake = times.Earliest(pl.Wake, future(WaitShownAt(a, wait), now))
		d.queue(wait.Cause, now)
		d.Send = nil
	}
	return pl
}

// DueSince returns since when a request is due, which is its age in the receiver's queue; zero: since now.
func DueSince(a *v1beta1.Alert, row v1beta1.Delivery, r Request) time.Time {
	switch {
	case !r.First && row.FirstAttemptTime != nil:
		return row.FirstAttemptTime.Time
	case r.Event == result.Fired && r.Sequence == 1:
		return RecordedSince(a).Time
	}
	return time.Time{}
}

// queue records that the request waits for a slot. The receiver's answer to the attempt before stays, and so does a Retry-After that has not
// passed, for a process that follows.
func (d *DeliveryPlan) queue(cause limiter.Cause, now time.Time) {
	d.phase = phaseInProgress
	if next := d.Row.NextAttemptTime; cause != limiter.Down || next != nil && !next.After(now) {
		d.Row.NextAttemptTime = nil
	}
	if cause == limiter.LooksMisconfigured {
		d.phase = phaseBlocked
	}
	d.reason, d.waitsFor = whyQueued(cause, d.Row)
	if d.Row.LastAttemptedHash != d.Send.Hash || d.Row.Message == "" {
		d.Row.Reason, d.Row.Message = d.reason, d.waitsFor
		d.waitsFor = ""
	}
}

// whyQueued returns the reason of the Alert's condition, and a text that says why the request waits.
func whyQueued(cause limiter.Cause, row v1beta1.Delivery) (reason, text string) {
	seeReceiver := fmt.Sprintf("see the status of %s/%s", row.Kind, row.Name)
	switch cause {
	case limiter.RateLimited:
		return v1beta1.ReasonThrottled, "as many messages of this kind and severity as rateLimit or namespaceRateLimit allows were sent to this receiver"
	case limiter.Down:
		return v1beta1.ReasonQueued, "circuit breaker open, or Retry-After in effect: one Alert at a time is sent until the receiver answers: " + seeReceiver
	case limiter.LooksMisconfigured:
		return v1beta1.ReasonMisconfigured, fmt.Sprintf("retried with %s/%s, see its status", row.Kind, row.Name)
	case limiter.TenantBusy:
		return v1beta1.ReasonQueued, fmt.Sprintf("requests to other Receivers of this namespace come first: all of them together have at most %d in flight to those that answer, and as many to the others, or %d while these hang", limiter.TenantSlots, limiter.TenantProbes)
	case limiter.Busy, limiter.Failing:
	}
	return v1beta1.ReasonQueued, "other requests to this receiver come first"
}
