// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"cmp"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// planFiring plans the message of a firing alert, if it may be sent now, until it expires.
func (d *DeliveryPlan) planFiring(a *v1beta1.Alert, content string, t Target, in Inputs) {
	switch {
	case isOutOfDate(a, in) && d.Row.LastAttemptedHash == "":
		d.waitFor(Problem{
			Reason:  v1beta1.ReasonRestored,
			Message: "restored from a backup, so it may be out of date; to send it, remove the label " + RestoreLabel,
		})
	case t.Problem != nil:
		d.waitFor(*t.Problem)
		d.allowForOrder(a, in)
	case d.reopens(a, content, t):
		d.planResolve(t, time.Time{}, in)
		d.setWriteAhead(a)
	default:
		d.planContent(a, content, t, d.firingEvent(a), in)
		d.allowForFormerLeader(a, in)
	}
	d.Wake = times.Earliest(d.Wake, in.wakeAt(expiry(a, in)))
}

// isOutOfDate reports whether the occurrence of an Alert was restored from a backup. One that began since then is news.
func isOutOfDate(a *v1beta1.Alert, in Inputs) bool {
	return isRestored(a) && !firingSince(a, in).After(a.CreationTimestamp.Time)
}

// planContent plans the request for the content of a firing alert, if it is due.
func (d *DeliveryPlan) planContent(a *v1beta1.Alert, content string, t Target, event result.Event, in Inputs) {
	d.planRequest(t, content, event, v1beta1.ReasonRetrying, in)
	if d.Send != nil {
		d.Send.Severity, d.Send.JoinedTime = cmp.Or(a.Spec.Severity, v1beta1.SeverityInfo), a.Spec.JoinedTime
		d.Send.Quiet = isQuiet(a, event)
		d.Send.Continues = event == result.Fired && HoldingOf(d.Row) == Holds
	}
	d.setWriteAhead(a)
}

// isFiltered reports whether the receiver's minSeverity filters the content. An edited minSeverity applies to the next content.
func (d *DeliveryPlan) isFiltered(a *v1beta1.Alert, content string, t Target, in Inputs) bool {
	held := d.holding(in) != HoldsNothing
	switch {
	case d.Row.FilteredHash == content:
		return true
	case t.Problem != nil, !held && (expired(a, in) || isOutOfDate(a, in)):
		return false
	}
	return Rank(a.Spec.Severity) < Rank(t.Spec.MinSeverity)
}

// setMinimum says in a resolve that the severity fell below the receiver's minimum.
func (d *DeliveryPlan) setMinimum(t Target) {
	if d.Send != nil {
		d.Send.BelowMinimum = t.Spec.MinSeverity
	}
}

// firingEvent is Updated where the content changes the message that a receiver holds. It is Fired, a new message, which notifies, where the receiver
// holds none, the severity rises, instances have joined, or a resolve was sent before.
func (d *DeliveryPlan) firingEvent(a *v1beta1.Alert) result.Event {
	if HoldingOf(d.Row) == Holds && !isResolved(d.Row.LastAttemptedHash) && !d.rises(a) && !d.joins(a) {
		return result.Updated
	}
	return result.Fired
}

// joins reports whether instances have joined the content since the receiver was told. An earlier time counts as well: the clock of the
// source may have been corrected (R11).
func (d *DeliveryPlan) joins(a *v1beta1.Alert) bool {
	joined, known := a.Spec.JoinedTime, d.Row.JoinedTime
	return joined != nil && (known == nil || times.Format(joined.Time) != times.Format(known.Time)) // both in whole seconds, as in the hash
}

// isQuiet reports whether nobody has to be told of the content: an Alert whose instances join says by joinedTime when people have to be.
func isQuiet(a *v1beta1.Alert, event result.Event) bool {
	return event == result.Updated && a.Spec.JoinedTime != nil
}

// isKeptBack reports whether the content is not sent, as nobody has to be told of it, and the receiver cannot change the message that it shows.
// After an attempt that is not confirmed it is sent: people may have read something else since.
func (d *DeliveryPlan) isKeptBack(a *v1beta1.Alert, t Target) bool {
	return isQuiet(a, d.firingEvent(a)) && t.Edits != nil && !t.Edits(d.Row.ExternalID) && !d.Row.OutcomeUnknown && confirmed(d.Row, d.Row.ContentHash)
}

// keepBack takes the content for confirmed: the next message, which notifies, has it. The severity that the receiver confirmed stays.
func (d *DeliveryPlan) keepBack(content string) {
	d.Row.ContentHash, d.Row.LastAttemptedHash, d.Row.FilteredHash = content, content, ""
	d.settle(v1beta1.DeliverySent, "")
	d.Row.Message = result.NoteOfKeptBack
}

func (d *DeliveryPlan) rises(a *v1beta1.Alert) bool {
	return Rank(a.Spec.Severity) > Rank(heldSeverity(d.Row, a.Spec))
}

// reopens reports whether an open incident has to be resolved so that the rise of severity opens another one. A refused resolve is not
// waited for.
func (d *DeliveryPlan) reopens(a *v1beta1.Alert, content string, t Target) bool {
	opened := HoldingOf(d.Row) == Holds || d.Row.OutcomeUnknown && d.Row.LastAttemptedHash != content
	refused := isResolved(d.Row.LastAttemptedHash) && d.Row.State == v1beta1.DeliveryFailed
	return t.RaisesByReopening && opened && d.rises(a) && !refused
}

// allowForFormerLeader has a refusal of the first content not count as proof that the receiver holds nothing: a former leader may have sent
// it as well, without a record (R1).
func (d *DeliveryPlan) allowForFormerLeader(a *v1beta1.Alert, in Inputs) {
	if d.Send != nil && mayHaveBeenSent(a, in) {
		d.Send.OutcomeUnknown = true
	}
}

// setWriteAhead has a content recorded before it is sent, unless it is the first one and the status was never written (R1), or the row says
// that it is being repeated.
func (d *DeliveryPlan) setWriteAhead(a *v1beta1.Alert) {
	repeated := d.Send != nil && d.Send.Hash == d.Row.LastAttemptedHash && d.recordedState == v1beta1.DeliveryPending
	if d.Send != nil && !repeated && (!hasInitialStatus(a) || isEdited(a)) {
		d.Send.WriteAhead = true
	}
}
