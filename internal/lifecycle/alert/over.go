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

// planResolved sends that the alert is over to a receiver that was notified, or may have been.
func (d *DeliveryPlan) planResolved(a *v1beta1.Alert, p Target, w Inputs) {
	now, begun := w.Now, isResolved(d.Row.LastAttemptedHash)
	if isOutcomeUnknown(d.Row, ResolvedHash(), p) {
		d.planUnknown()
		return
	}
	unrecorded := d.Wanted && isUnrecorded(a) && isEdited(a)
	if confirmed(d.Row, ResolvedHash()) || !IsNotified(d.Row) && !d.Row.OutcomeUnknown && !begun && !unrecorded {
		d.rest(v1beta1.DeliveryResolved, "")
		return
	}
	var until time.Time
	if begun && d.Row.FirstAttemptTime != nil {
		until = d.Row.FirstAttemptTime.Add(p.ResolveTimeout())
	}
	changed := p.Problem == nil && d.Row.LastAttemptedReceiver != p.Version
	if !until.IsZero() && !now.Before(until) && !changed {
		d.Row.NextAttemptTime = nil
		d.phase, d.reason = phaseBlocked, v1beta1.ReasonResolveTimedOut
		return
	}
	d.resolve(p, until, w)
	d.writeAhead(true)
}

// planDeleted sends that the alert is over to a receiver that was notified. What is not confirmed is cancelled, so that a storm can be
// purged; a young Alert that was never attempted gets one attempt, if that can be made.
func (d *DeliveryPlan) planDeleted(a *v1beta1.Alert, p Target, w Inputs) {
	if retainsExternal(a) {
		return
	}
	now, limit := w.Now, w.deletionLimit(a, d.Row, p)
	switch {
	case isOutcomeUnknown(d.Row, ResolvedHash(), p):
		d.rest(v1beta1.DeliveryUnknown, v1beta1.ReasonOutcomeUnknown)
	case mayBeNotified(d.Row) && p.Spec != nil && now.Before(limit):
		if d.Row.State == v1beta1.DeliveryFailed && isResolved(d.Row.LastAttemptedHash) && d.Row.LastAttemptTime.Before(a.DeletionTimestamp) {
			d.Row.State = v1beta1.DeliverySent // the deletion is tried again
		}
		d.resolve(p, limit, w)
	case d.Wanted && now.Before(limit) && !w.Blocked[RefOf(d.Row)] && eligibleForLastAttempt(a, d.Row, p, now):
		d.request(p, ContentHash(&a.Spec), result.Fired, v1beta1.ReasonRetrying, w)
		d.writeAhead(isEdited(a))
		d.Wake = limit
	case d.Wanted && isUnrecorded(a) && !isYoung(a) && p.Problem == nil && now.Before(limit) && !w.Blocked[RefOf(d.Row)]:
		d.resolve(p, limit, w)
	}
}

// deletionLimit is until when a receiver may delay a deletion: at least a minute for a message that is still to be sent, else the
// resolve timeout, which begins when a process leads.
func (i Inputs) deletionLimit(a *v1beta1.Alert, row v1beta1.Delivery, p Target) time.Time {
	began, timeout := latest(a.DeletionTimestamp.Time, i.LeaderSince), p.ResolveTimeout()
	switch {
	case !mayBeNotified(row):
		return began.Add(max(timeout, graceAfterCreation))
	case timeout == 0:
		return a.DeletionTimestamp.Time
	case isResolved(row.LastAttemptedHash) && row.FirstAttemptTime != nil: // the first attempt may be a former process's
		began = Earliest(began, latest(a.DeletionTimestamp.Time, row.FirstAttemptTime.Time))
	}
	return began.Add(timeout)
}

// eligibleForLastAttempt reports whether an Alert that is being deleted is so young that its author expects it to be sent, and it was
// not attempted yet.
func eligibleForLastAttempt(a *v1beta1.Alert, row v1beta1.Delivery, p Target, now time.Time) bool {
	return isYoung(a) && row.LastAttemptedHash == "" && p.Problem == nil && a.Spec.State == v1beta1.AlertFiring &&
		!expired(a, now) && !isRestored(a) && rank(a.Spec.Severity) >= rank(p.Spec.MinSeverity)
}

// isYoung reports whether an Alert was deleted soon after its creation.
func isYoung(a *v1beta1.Alert) bool {
	return a.DeletionTimestamp.Sub(a.CreationTimestamp.Time) <= graceAfterCreation
}

// IsBlockedByMissingTarget reports whether something would be sent to a receiver of a deleted Alert if the receiver, its Secret, or its
// selection of the namespace existed.
func (d *DeliveryPlan) IsBlockedByMissingTarget(a *v1beta1.Alert, p Target, now time.Time) bool {
	if p.Problem == nil || p.Problem.Reason == v1beta1.ReasonSuspended || retainsExternal(a) {
		return false
	}
	there := p // as it would be
	there.Problem = nil
	if there.Spec == nil {
		there.Spec = &v1beta1.CommonReceiverSpec{}
	}
	return mayBeNotified(d.Row) && p.Spec == nil || d.Wanted && eligibleForLastAttempt(a, d.Row, there, now)
}

// IsBlockedByMissingDefault reports the same of a default receiver.
func (pl Plan) IsBlockedByMissingDefault(a *v1beta1.Alert, now time.Time) bool {
	return len(pl.Deliveries) == 0 && !retainsExternal(a) && eligibleForLastAttempt(a, v1beta1.Delivery{}, Target{Spec: &v1beta1.CommonReceiverSpec{}}, now)
}
