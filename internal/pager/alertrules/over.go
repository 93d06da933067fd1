// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
)

// planResolveInTime plans a request that says that the alert is over, until the receiver's resolve timeout. The resolve is recorded first, as the edit that it
// follows from can be taken back.
func (d *DeliveryPlan) planResolveInTime(t Target, in Inputs) {
	if isOutcomeUnknown(d.Row, ResolvedHash(), t) {
		d.planUnknown()
		return
	}
	var until time.Time
	if isResolved(d.Row.LastAttemptedHash) && d.Row.FirstAttemptTime != nil {
		until = in.resolveLimit(d.Row, d.Row.FirstAttemptTime.Time, t)
	}
	changed := t.Problem == nil && d.Row.LastAttemptedReceiver != t.Version
	if !until.IsZero() && in.hasPassed(until) && !changed && !isSuspended(t) {
		d.Row.NextAttemptTime = nil
		d.phase, d.reason = phaseBlocked, v1beta1.ReasonResolveTimedOut
		return
	}
	d.planResolve(t, until, in)
	if d.Send != nil && d.Send.Hash != d.Row.LastAttemptedHash {
		d.Send.WriteAhead = true
	}
}

// forgetRefusal has a resolve that was refused before the deletion be tried again.
func (d *DeliveryPlan) forgetRefusal(a *v1beta1.Alert) {
	if d.Row.State == v1beta1.DeliveryFailed && isResolved(d.Row.LastAttemptedHash) && d.Row.LastAttemptTime.Before(a.DeletionTimestamp) {
		d.Row.State = v1beta1.DeliverySent
	}
}

// deletionLimit is until when a receiver may delay a deletion: at least a minute for a message that is still to be sent, else the
// resolve timeout, which begins when a process leads, or with the first attempt. Zero: without end, as the receiver is suspended, or was
// until a moment ago.
func (in Inputs) deletionLimit(a *v1beta1.Alert, row v1beta1.Delivery, t Target) time.Time {
	began, timeout := times.Latest(a.DeletionTimestamp.Time, in.LeaderSince), t.ResolveTimeout()
	d := DeliveryPlan{Row: row}
	switch {
	case d.holding(in) == HoldsNothing:
		return began.Add(max(timeout, graceAfterCreation))
	case timeout == 0:
		return times.Earliest(a.DeletionTimestamp.Time, in.LeaderSince)
	case wasSuspended(row, t):
		return time.Time{}
	case isResolved(row.LastAttemptedHash) && row.FirstAttemptTime != nil: // the first attempt may be a former process's
		began = row.FirstAttemptTime.Time
		if !in.isAhead(a.DeletionTimestamp.Time) { // a deletion timestamp cannot be corrected
			began = times.Latest(a.DeletionTimestamp.Time, began)
		}
		return in.resolveLimit(row, began, t)
	case in.isAhead(a.DeletionTimestamp.Time) && t.problemOfResolve() == nil && !in.Receivers[RefOf(row)].Blocked:
		return time.Time{} // it is not known since when it is being deleted: the limit begins with the first attempt
	case in.isAhead(a.DeletionTimestamp.Time):
		began = in.LeaderSince
	}
	return began.Add(timeout)
}

// wasSuspended reports whether a person has suspended the receiver, or had until a moment ago.
func wasSuspended(row v1beta1.Delivery, t Target) bool {
	return isSuspended(t) || t.Problem == nil && row.Reason == v1beta1.ReasonSuspended
}

// resolveLimit is until when a resolve is tried that was first attempted at a time: for the resolve timeout. A process that has just begun to lead, or was
// stopped, has a minute for its first attempt, and for others the timeout, if that is shorter: the limit may have passed while no process ran (R11).
func (in Inputs) resolveLimit(row v1beta1.Delivery, first time.Time, t Target) time.Time {
	timeout, grace := t.ResolveTimeout(), graceAfterCreation
	if failed := in.Receivers[RefOf(row)].Failed; failed != nil && !in.hasContinuedSince(failed.At) {
		grace = min(timeout, grace)
	}
	return times.Latest(first.Add(timeout), in.ActiveSince.Add(grace))
}

// hasContinuedSince reports whether this process was stopped after a time of its clock, for longer than its lease.
func (in Inputs) hasContinuedSince(t time.Time) bool {
	return in.finishedAt().Sub(in.ActiveSince) < in.Now.Sub(t)
}

// eligibleForLastAttempt reports whether an Alert that is being deleted is so young that its author expects it to be sent, and it was
// not attempted yet.
func (d *DeliveryPlan) eligibleForLastAttempt(a *v1beta1.Alert, t Target, in Inputs) bool {
	return isYoung(a) && d.Row.LastAttemptedHash == "" && t.Problem == nil && a.Spec.State == v1beta1.AlertFiring &&
		!expired(a, in) && !isOutOfDate(a, in) && Rank(a.Spec.Severity) >= Rank(t.Spec.MinSeverity)
}

// isYoung reports whether an Alert was deleted soon after its creation.
func isYoung(a *v1beta1.Alert) bool {
	return a.DeletionTimestamp.Sub(a.CreationTimestamp.Time) <= graceAfterCreation
}

// IsBlockedByMissingTarget reports whether something would be sent to a receiver of a deleted Alert if the receiver, its Secret, or its
// selection of the namespace existed.
func (d *DeliveryPlan) IsBlockedByMissingTarget(a *v1beta1.Alert, t Target, in Inputs) bool {
	if t.Problem == nil || t.Problem.Reason == v1beta1.ReasonSuspended || RetainsExternal(a) {
		return false
	}
	there := t // as it would be
	there.Problem = nil
	if there.Spec == nil {
		there.Spec = &v1beta1.CommonReceiverSpec{}
	}
	return d.holding(in) != HoldsNothing && t.isGone() || d.Named && d.eligibleForLastAttempt(a, there, in)
}

// IsBlockedByMissingDefault reports the same of a default receiver.
func (pl Plan) IsBlockedByMissingDefault(a *v1beta1.Alert, in Inputs) bool {
	var none DeliveryPlan
	return len(pl.Deliveries) == 0 && !RetainsExternal(a) && none.eligibleForLastAttempt(a, Target{Spec: &v1beta1.CommonReceiverSpec{}}, in)
}
