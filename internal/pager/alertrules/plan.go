// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"slices"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
)

// keepTimeout is how long an Alert whose time to live has ended waits for its last repost to receivers that forget messages. An earlier repost has
// ended there by then.
const keepTimeout = 10 * time.Minute

// Decide returns the plan for an Alert.
func Decide(a *v1beta1.Alert, in Inputs) Plan {
	var plan Plan
	rows := rowsOf(a, in)
	full := isFull(rows)
	for _, row := range rows {
		d := planDelivery(a, row, in, full)
		plan.Deliveries = append(plan.Deliveries, d)
		plan.Wake = times.Earliest(plan.Wake, d.Wake)
	}
	if !plan.hasReceivers() && a.DeletionTimestamp.IsZero() {
		plan.Wake = times.Earliest(plan.Wake, in.wakeAt(expiry(a, in)))
	}
	protected := slices.Contains(a.Finalizers, v1beta1.AlertFinalizer)
	if !protected {
		plan.sendNothing()
	}
	purge := purgeTime(a)
	switch {
	case !a.DeletionTimestamp.IsZero() && !protected: // only finalizers of others are left
		plan.Wake = time.Time{}
	case !a.DeletionTimestamp.IsZero():
		if plan.finished(a, in) {
			plan.Action = Release
			if RetainsExternal(a) {
				plan.KeepUntil = in.unlessPassed(a.DeletionTimestamp.Add(graceAfterCreation))
			}
		}
	case plan.finished(a, in) && !purge.IsZero() && in.hasPassed(purge):
		plan.Action = Purge
		plan.sendNothing()
		if protected {
			plan.KeepUntil = in.unlessPassed(purge.Add(keepTimeout))
		}
	default:
		if !protected {
			plan.Action = AddFinalizer
		}
		plan.Wake = times.Earliest(plan.Wake, in.wakeAt(purge))
	}
	return plan
}

// inPhase returns the deliveries that are in a phase.
func (pl Plan) inPhase(p phase) []DeliveryPlan {
	return slices.DeleteFunc(slices.Clone(pl.Deliveries), func(d DeliveryPlan) bool { return d.phase != p })
}

// Sends reports whether there is a request to make now.
func (pl Plan) Sends() bool {
	return slices.ContainsFunc(pl.Deliveries, func(d DeliveryPlan) bool { return d.Send != nil })
}

// Held returns the rows of the receivers that hold the content of an Alert which fires and names them.
func (pl Plan) Held(a *v1beta1.Alert) (rows []v1beta1.Delivery) {
	for _, d := range pl.Deliveries {
		if d.Named && IsHeld(a, d.Row) {
			rows = append(rows, d.Row)
		}
	}
	return rows
}

// RowOf returns the row of a receiver as the plan's report has it.
func (pl Plan) RowOf(ref v1beta1.ReceiverRef) v1beta1.Delivery {
	var row v1beta1.Delivery
	for _, d := range pl.Deliveries {
		if RefOf(d.Row) == ref {
			row = d.Row
		}
	}
	row.Message = redact.Shorten(row.Message, MaxMessage)
	return row
}

// hasReceivers reports whether the Alert resolves to a receiver.
func (pl Plan) hasReceivers() bool {
	return slices.ContainsFunc(pl.Deliveries, func(d DeliveryPlan) bool { return d.Named })
}

func (pl Plan) sendNothing() {
	for i := range pl.Deliveries {
		pl.Deliveries[i].Send = nil
	}
}

// finished reports whether nothing more happens, neither by itself nor by a change of another object.
func (pl Plan) finished(a *v1beta1.Alert, in Inputs) bool {
	if !IsOver(a) && !pl.hasReceivers() && !expired(a, in) {
		return false // a default receiver may be created
	}
	return !slices.ContainsFunc(pl.Deliveries, func(d DeliveryPlan) bool { return d.phase != phaseSettled })
}

// planDelivery returns the plan for one receiver. full: no further receiver gets a message.
func planDelivery(a *v1beta1.Alert, row v1beta1.Delivery, in Inputs, full bool) DeliveryPlan {
	ref := RefOf(row)
	receiver := in.Receivers[ref]
	t := receiver.Target
	if full && !IsConsidered(row) {
		t.Problem = &tooManyReceivers
	}
	isOpen := isResolved(row.LastAttemptedHash) && !confirmed(row, ResolvedHash())
	if first := row.FirstAttemptTime; first != nil && isOpen && in.isWrong(first.Time) {
		row.FirstAttemptTime = times.Timestamp(in.Server.Known) // a clock was ahead: the resolve would be tried for as long
	}
	d := DeliveryPlan{Row: row, recordedState: row.State, Named: slices.Contains(in.Refs, ref)}
	if receiver.InFlight != nil {
		d.planInFlight(a, *receiver.InFlight, in.Now)
		return d
	}
	d.Row = withLostAnswer(d.Row)
	d.next(a, t, in)
	d.rememberFormerLeader(a, in)
	return d
}

// rememberFormerLeader has the first record of an Alert say that its receiver may hold the message: a former leader may have sent it without a record
// (R1), and the status proves nothing only while it is initial.
func (d *DeliveryPlan) rememberFormerLeader(a *v1beta1.Alert, in Inputs) {
	isOpen := d.Row.State == v1beta1.DeliveryPending || d.Row.State == v1beta1.DeliveryExpired
	if d.Named && isOpen && d.Row.LastAttemptedHash == "" && mayHaveBeenSent(a, in) {
		d.Row.OutcomeUnknown = true
	}
}

// mayHaveBeenSent reports whether a former leader may have sent the first message of an Alert without a record.
func mayHaveBeenSent(a *v1beta1.Alert, in Inputs) bool {
	return hasInitialStatus(a) && a.CreationTimestamp.Time.Before(in.LeaderSince)
}

// planInFlight waits for the answer of a request in flight. Any write of the status meanwhile records the request (R1): a row without it would say
// that no message was sent.
func (d *DeliveryPlan) planInFlight(a *v1beta1.Alert, f InFlightRequest, now time.Time) {
	d.Row = RowInFlight(d.Row, f)
	if d.Named && !IsOver(a) && d.Row.State == v1beta1.DeliverySent && d.Row.FilteredHash != ContentHash(&a.Spec) {
		d.Row.State = v1beta1.DeliveryPending // it was edited since
	}
	d.phase, d.reason = phaseInProgress, v1beta1.ReasonSending
	if isSlow(d.Row) { // until the answer says otherwise
		d.phase, d.reason = phaseBlocked, v1beta1.ReasonMisconfigured
	}
	d.Wake = future(InFlightShownAt(a, f), now)
}
