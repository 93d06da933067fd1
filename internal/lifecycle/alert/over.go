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

package alert

import (
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/notify/result"
)

// planResolved sends that the alert is over to a receiver that may hold a message.
func (d *DeliveryPlan) planResolved(a *v1beta1.Alert, p Target, in Inputs) {
	unrecorded := d.Wanted && isUnrecorded(a) && isEdited(a)
	if d.holding(in) == HoldsNothing && !unrecorded {
		d.rest(v1beta1.DeliveryResolved, "")
		return
	}
	d.planOver(p, in)
}

// planOver sends that the alert is over, until the receiver's resolve timeout. The resolve is recorded first, as the edit that it follows
// from can be taken back.
func (d *DeliveryPlan) planOver(p Target, in Inputs) {
	if isOutcomeUnknown(d.Row, ResolvedHash(), p) {
		d.planUnknown()
		return
	}
	var until time.Time
	if isResolved(d.Row.LastAttemptedHash) && d.Row.FirstAttemptTime != nil {
		until = d.Row.FirstAttemptTime.Add(p.ResolveTimeout())
	}
	changed := p.Problem == nil && d.Row.LastAttemptedReceiver != p.Version
	if !until.IsZero() && in.hasPassed(until) && !changed && !isSuspended(p) {
		d.Row.NextAttemptTime = nil
		d.phase, d.reason = phaseBlocked, v1beta1.ReasonResolveTimedOut
		return
	}
	d.resolve(p, until, in)
	if d.Send != nil && d.Send.Hash != d.Row.LastAttemptedHash {
		d.Send.WriteAhead = true
	}
}

// planDeleted sends that the alert is over to a receiver that may hold a message. What was certainly not accepted is cancelled, so that a
// storm can be purged; a young Alert that was never attempted gets one attempt, if that can be made.
func (d *DeliveryPlan) planDeleted(a *v1beta1.Alert, p Target, in Inputs) {
	if retainsExternal(a) {
		return
	}
	limit := in.deletionLimit(a, d.Row, p)
	inTime := limit.IsZero() || !in.hasPassed(limit)
	switch {
	case isOutcomeUnknown(d.Row, ResolvedHash(), p):
		d.rest(v1beta1.DeliveryUnknown, v1beta1.ReasonOutcomeUnknown)
	case d.holding(in) != HoldsNothing && p.Spec != nil && inTime:
		if d.Row.State == v1beta1.DeliveryFailed && isResolved(d.Row.LastAttemptedHash) && d.Row.LastAttemptTime.Before(a.DeletionTimestamp) {
			d.Row.State = v1beta1.DeliverySent // the deletion is tried again
		}
		d.resolve(p, limit, in)
	case d.Wanted && inTime && !in.Blocked[RefOf(d.Row)] && d.eligibleForLastAttempt(a, p, in):
		d.request(p, ContentHash(&a.Spec), result.Fired, v1beta1.ReasonRetrying, in)
		d.setSeverity(a.Spec.Severity)
		d.writeAhead(a)
		d.Wake = in.wakeAt(limit)
	case d.Wanted && isUnrecorded(a) && !isYoung(a) && p.Problem == nil && inTime && !in.Blocked[RefOf(d.Row)]:
		d.resolve(p, limit, in)
	}
}

// deletionLimit is until when a receiver may delay a deletion: at least a minute for a message that is still to be sent, else the
// resolve timeout, which begins when a process leads, or with the first attempt. Zero: without end, as the receiver is suspended, or was
// until a moment ago.
func (in Inputs) deletionLimit(a *v1beta1.Alert, row v1beta1.Delivery, p Target) time.Time {
	began, timeout := latest(a.DeletionTimestamp.Time, in.LeaderSince), p.ResolveTimeout()
	d := DeliveryPlan{Row: row}
	switch {
	case d.holding(in) == HoldsNothing:
		return began.Add(max(timeout, graceAfterCreation))
	case timeout == 0:
		return a.DeletionTimestamp.Time
	case isSuspended(p), p.Problem == nil && row.Reason == v1beta1.ReasonSuspended:
		return time.Time{}
	case isResolved(row.LastAttemptedHash) && row.FirstAttemptTime != nil: // the first attempt may be a former process's
		began = latest(a.DeletionTimestamp.Time, row.FirstAttemptTime.Time)
	}
	return began.Add(timeout)
}

// eligibleForLastAttempt reports whether an Alert that is being deleted is so young that its author expects it to be sent, and it was
// not attempted yet.
func (d *DeliveryPlan) eligibleForLastAttempt(a *v1beta1.Alert, p Target, in Inputs) bool {
	return isYoung(a) && d.Row.LastAttemptedHash == "" && p.Problem == nil && a.Spec.State == v1beta1.AlertFiring &&
		!expired(a, in) && !isRestored(a) && rank(a.Spec.Severity) >= rank(p.Spec.MinSeverity)
}

// isYoung reports whether an Alert was deleted soon after its creation.
func isYoung(a *v1beta1.Alert) bool {
	return a.DeletionTimestamp.Sub(a.CreationTimestamp.Time) <= graceAfterCreation
}

// IsBlockedByMissingTarget reports whether something would be sent to a receiver of a deleted Alert if the receiver, its Secret, or its
// selection of the namespace existed.
func (d *DeliveryPlan) IsBlockedByMissingTarget(a *v1beta1.Alert, p Target, in Inputs) bool {
	if p.Problem == nil || p.Problem.Reason == v1beta1.ReasonSuspended || retainsExternal(a) {
		return false
	}
	there := p // as it would be
	there.Problem = nil
	if there.Spec == nil {
		there.Spec = &v1beta1.CommonReceiverSpec{}
	}
	return d.holding(in) != HoldsNothing && p.Spec == nil || d.Wanted && d.eligibleForLastAttempt(a, there, in)
}

// IsBlockedByMissingDefault reports the same of a default receiver.
func (pl Plan) IsBlockedByMissingDefault(a *v1beta1.Alert, in Inputs) bool {
	var none DeliveryPlan
	return len(pl.Deliveries) == 0 && !retainsExternal(a) && none.eligibleForLastAttempt(a, Target{Spec: &v1beta1.CommonReceiverSpec{}}, in)
}
