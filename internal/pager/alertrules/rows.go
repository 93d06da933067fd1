// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/utils/ptr"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

const (
	// keptRows is how many rows of receivers that the spec no longer names, and that hold nothing, stay in the status, which is bounded by it.
	keptRows = 16
	// maxHolding is how many receivers hold a message before no further one is sent to a receiver that has got none: a row is kept until its
	// receiver has heard the end.
	maxHolding = 64
)

// rowsOf returns the recorded deliveries, and new ones for receivers without.
func rowsOf(a *v1beta1.Alert, in Inputs) []v1beta1.Delivery {
	var named, holding, others []v1beta1.Delivery
	missing := slices.Clone(in.Refs)
	byDefault := len(a.Spec.ReceiverRefs) == 0
	for _, row := range a.Status.Deliveries {
		if i := slices.Index(missing, RefOf(row)); i >= 0 {
			missing = slices.Delete(missing, i, i+1)
			row.ByDefault = byDefault
			named = append(named, row)
		} else if IsConsidered(row) {
			row.ByDefault = row.ByDefault && !BeginsAgain(a) // it was the default of a former occurrence
			if HoldingOf(row) != HoldsNothing {
				holding = append(holding, row)
			} else {
				others = append(others, row)
			}
		}
	}
	for _, ref := range missing {
		named = append(named, v1beta1.Delivery{Kind: ref.Kind, Name: ref.Name, State: v1beta1.DeliveryPending, ByDefault: byDefault})
	}
	if len(others) > keptRows {
		lastTried := func(row v1beta1.Delivery) time.Time { return ptr.Deref(row.LastAttemptTime, metav1.Time{}).Time }
		slices.SortStableFunc(others, func(x, y v1beta1.Delivery) int { return lastTried(y).Compare(lastTried(x)) })
		others = others[:keptRows]
	}
	return withInFlight(slices.Concat(named, holding, others), in)
}

// isFull reports whether as many receivers hold a message as the status may have rows of.
func isFull(rows []v1beta1.Delivery) bool {
	holding := 0
	for _, row := range rows {
		if HoldingOf(row) != HoldsNothing {
			holding++
		}
	}
	return holding >= maxHolding
}

// tooManyReceivers is the problem of a receiver that gets nothing while the status is full.
var tooManyReceivers = Problem{
	Reason:  v1beta1.ReasonTooManyReceivers,
	Message: fmt.Sprintf("%d receivers have this Alert, most of which spec.receiverRefs no longer names, and have to hear its end: set state to Resolved, or create another Alert", maxHolding),
}

// withInFlight adds receivers with a request in flight that the spec no longer names and that are not recorded yet.
func withInFlight(rows []v1beta1.Delivery, in Inputs) []v1beta1.Delivery {
	from := len(rows)
	for ref, receiver := range in.Receivers {
		if receiver.InFlight != nil && !slices.ContainsFunc(rows, func(row v1beta1.Delivery) bool { return RefOf(row) == ref }) {
			rows = append(rows, v1beta1.Delivery{Kind: ref.Kind, Name: ref.Name, State: v1beta1.DeliveryPending})
		}
	}
	slices.SortFunc(rows[from:], func(x, y v1beta1.Delivery) int { return cmp.Compare(x.Name, y.Name) })
	return rows
}

// IsConsidered reports whether a message was attempted at the receiver, or filtered. From then on a default is not resolved again.
func IsConsidered(row v1beta1.Delivery) bool {
	return row.LastAttemptedHash != "" || row.FilteredHash != ""
}

// confirmed reports whether the last attempt was the content of a hash, and succeeded.
func confirmed(row v1beta1.Delivery, hash string) bool {
	return row.ContentHash == hash && row.LastAttemptedHash == hash && row.LastAttemptedReceiver == ""
}

// IsHeld reports whether the receiver of a row holds the content of an Alert that fires and names it.
func IsHeld(a *v1beta1.Alert, row v1beta1.Delivery) bool {
	if a.Spec.State != v1beta1.AlertFiring || row.State != v1beta1.DeliverySent || !isNamed(a, row) {
		return false
	}
	return confirmed(row, ContentHash(&a.Spec))
}

// isNamed reports whether an Alert names the receiver of a row, or has it by default.
func isNamed(a *v1beta1.Alert, row v1beta1.Delivery) bool {
	if len(a.Spec.ReceiverRefs) == 0 {
		return row.ByDefault
	}
	return slices.Contains(a.Spec.ReceiverRefs, RefOf(row))
}

// Holding is whether a receiver holds a message of an Alert, so that it has to hear that the Alert is over.
type Holding int

const (
	// HoldsNothing: it has not got one, or has confirmed that the Alert is over.
	HoldsNothing Holding = iota
	// MayHold: it may have got one.
	MayHold
	// Holds: it has confirmed one, but not yet that the Alert is over.
	Holds
)

// HoldingOf returns the Holding of a receiver by its row.
func HoldingOf(row v1beta1.Delivery) Holding {
	switch {
	case row.ContentHash != "" && !isResolved(row.ContentHash):
		return Holds
	case row.OutcomeUnknown:
		return MayHold
	}
	return HoldsNothing
}

// holding is HoldingOf with this process's own attempts: a repeat of a pending row is not recorded before it is sent, so that only the process that
// made the last attempt knows that it failed.
func (d *DeliveryPlan) holding(in Inputs) Holding {
	row, recorded := d.Row, HoldingOf(d.Row)
	isOwn := in.Receivers[RefOf(row)].Failed != nil
	isOver := isResolved(row.ContentHash) && isResolved(row.LastAttemptedHash)
	if recorded == HoldsNothing && row.LastAttemptedHash != "" && !isOver && row.State == v1beta1.DeliveryPending && !isOwn {
		return MayHold
	}
	return recorded
}

// MayHoldPage reports whether a receiver has to hear the end of an Alert: it holds a message, or an attempt may have arrived whose outcome is
// not recorded.
func MayHoldPage(a *v1beta1.Alert, ref v1beta1.ReceiverRef) bool {
	row := DeliveryIn(a.Status.Deliveries, ref)
	if row.LastAttemptedHash == "" { // the first message is sent without a record
		mayBeNamed := len(a.Spec.ReceiverRefs) == 0 || slices.Contains(a.Spec.ReceiverRefs, ref)
		return mayBeNamed && hasInitialStatus(a)
	}
	return (&DeliveryPlan{Row: row}).holding(Inputs{}) != HoldsNothing
}

// heldSeverity is the severity of the content that the receiver confirmed. Rows of earlier releases do not have it; Info where it is not
// known.
func heldSeverity(row v1beta1.Delivery, spec v1beta1.AlertSpec) v1beta1.Severity {
	for _, s := range severities {
		if spec.Severity = s; row.Severity == "" && row.ContentHash == ContentHash(&spec) {
			return s
		}
	}
	return row.Severity
}

// RefOf is the receiver of a row.
func RefOf(row v1beta1.Delivery) v1beta1.ReceiverRef {
	return v1beta1.ReceiverRef{Kind: row.Kind, Name: row.Name}
}

// DeliveryIn returns the row of a receiver, or a new one.
func DeliveryIn(rows []v1beta1.Delivery, ref v1beta1.ReceiverRef) v1beta1.Delivery {
	for _, row := range rows {
		if RefOf(row) == ref {
			return row
		}
	}
	return v1beta1.Delivery{Kind: ref.Kind, Name: ref.Name}
}

// PutDelivery replaces or adds the row of a receiver.
func PutDelivery(a *v1beta1.Alert, row v1beta1.Delivery) {
	i := slices.IndexFunc(a.Status.Deliveries, func(old v1beta1.Delivery) bool { return RefOf(old) == RefOf(row) })
	if i >= 0 && equality.Semantic.DeepEqual(a.Status.Deliveries[i], row) {
		return // it is recorded, and with it when the Alert was finished
	}
	a.Status.FinishedTime = nil // it is set again if the Alert is finished
	if i < 0 {
		a.Status.Deliveries = append(a.Status.Deliveries, row)
		return
	}
	a.Status.Deliveries[i] = row
}
