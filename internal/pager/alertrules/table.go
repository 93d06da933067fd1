// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// want is the state that an Alert wants a receiver to have. The set is closed.
type want int

const (
	// wantsNoChange: it keeps the message that it holds, if any.
	wantsNoChange want = iota
	// wantsContent: it holds the content.
	wantsContent
	// wantsFiltered: it holds nothing, as the content is below its minSeverity.
	wantsFiltered
	// wantsOver: it holds nothing, as the Alert is resolved.
	wantsOver
	// wantsRelease: it holds nothing, and the Alert is gone.
	wantsRelease
)

// wants returns the state that an Alert, whose content has a hash, wants a receiver to have. The first case that applies decides: a deletion goes
// before a resolve, and content that the receiver has confirmed is not filtered afterwards.
func (d *DeliveryPlan) wants(a *v1beta1.Alert, content string, t Target, in Inputs) want {
	switch {
	case !a.DeletionTimestamp.IsZero() && RetainsExternal(a):
		return wantsNoChange
	case !a.DeletionTimestamp.IsZero():
		return wantsRelease
	case a.Spec.State == v1beta1.AlertResolved:
		return wantsOver
	case !d.Named:
		return wantsNoChange
	case confirmed(d.Row, content), isOutcomeUnknown(d.Row, content, t):
		return wantsContent
	case d.isFiltered(a, content, t, in):
		return wantsFiltered
	}
	return wantsContent
}

// next plans the next request to a receiver: by the state that the Alert wants it to have, by its Holding, and by what may be sent. The first case
// that applies decides. The row has the state Sent only while the receiver holds the content of the spec: a repost has the text of the spec. The
// state is also set while a request is due or in flight (request, planInFlight), and by its outcome (Apply).
func (d *DeliveryPlan) next(a *v1beta1.Alert, t Target, in Inputs) {
	content, holding := ContentHash(&a.Spec), d.holding(in)
	switch d.wants(a, content, t, in) {
	case wantsNoChange:
	case wantsContent:
		switch {
		case confirmed(d.Row, content):
			d.settle(v1beta1.DeliverySent, "")
		case isOutcomeUnknown(d.Row, content, t):
			d.planUnknown()
		case d.isKeptBack(a, t):
			d.keepBack(content)
		case expired(a, in):
			d.Row.OutcomeUnknown = d.Row.OutcomeUnknown || holding == MayHold
			d.settle(v1beta1.DeliveryExpired, v1beta1.ReasonExpired)
		default:
			d.planFiring(a, content, t, in)
		}
	case wantsFiltered:
		d.Row.FilteredHash = content
		switch {
		case confirmed(d.Row, ResolvedHash()):
			d.settle(v1beta1.DeliveryResolved, v1beta1.ReasonBelowMinSeverity)
		case holding != HoldsNothing:
			d.planResolveInTime(t, in)
			d.setMinimum(t)
		default:
			d.settle(v1beta1.DeliveryFiltered, v1beta1.ReasonFiltered)
		}
	case wantsOver:
		switch {
		case holding != HoldsNothing, d.Named && hasInitialStatus(a) && isEdited(a): // the first message is sent without a record
			d.planResolveInTime(t, in)
		default:
			d.settle(v1beta1.DeliveryResolved, "")
		}
	case wantsRelease: // a message that was certainly not accepted is not sent, so that a storm can be purged
		limit := in.deletionLimit(a, d.Row, t)
		inTime := limit.IsZero() || !in.hasPassed(limit)
		mayTry := d.Named && inTime && !in.Receivers[RefOf(d.Row)].Blocked
		switch {
		case isOutcomeUnknown(d.Row, ResolvedHash(), t):
			d.settle(v1beta1.DeliveryUnknown, v1beta1.ReasonOutcomeUnknown)
		case holding != HoldsNothing && !t.isGone() && inTime:
			d.forgetRefusal(a)
			d.planResolve(t, limit, in)
		case mayTry && d.eligibleForLastAttempt(a, t, in):
			d.planContent(a, content, t, result.Fired, in)
			d.Wake = in.wakeAt(limit)
		case mayTry && hasInitialStatus(a) && !isYoung(a) && t.problemOfResolve() == nil:
			d.planResolve(t, limit, in)
		}
	}
}
