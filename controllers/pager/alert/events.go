// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/kube/conditions"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
)

// emitEvents emits events about a written status, and counts its deliveries.
func (r *Reconciler) emitEvents(before *v1beta1.Alert, after v1beta1.AlertStatus, in alertrules.Inputs) {
	for _, row := range after.Deliveries {
		old := alertrules.DeliveryIn(before.Status.Deliveries, alertrules.RefOf(row))
		isSameAttempt := known(old) == known(row) && old.Sequence == row.Sequence && old.Attempts == row.Attempts
		isAnswered := old.Reason == v1beta1.ReasonSending
		if row.Reason == v1beta1.ReasonSending || isSameAttempt && !isAnswered {
			continue // a request in flight is no news until it is answered
		}
		r.emitDelivery(before, row)
		isNewState := known(old) != known(row) || old.Sequence != row.Sequence || isAnswered
		if isNewState && row.State != v1beta1.DeliveryPending {
			r.metrics.CountDelivery(in.Receivers[alertrules.RefOf(row)].Spec, row.State)
		}
	}
	r.emitStalled(before, after.Conditions)
}

// emitStalled emits an event if an Alert became Stalled, or for another reason than before. Those of a delivery have an event of their own.
func (r *Reconciler) emitStalled(before *v1beta1.Alert, after []metav1.Condition) {
	stalled := meta.FindStatusCondition(after, conditions.Stalled)
	if stalled == nil || stalled.Status != metav1.ConditionTrue || stalled.Reason == v1beta1.ReasonFailed || stalled.Reason == v1beta1.ReasonExpired {
		return
	}
	if was := meta.FindStatusCondition(before.Status.Conditions, conditions.Stalled); was == nil || was.Reason != stalled.Reason {
		r.event(before, corev1.EventTypeWarning, stalled.Reason, "Send", "%s", stalled.Message)
	}
}

// emitDelivery emits an event about the outcome of a delivery.
func (r *Reconciler) emitDelivery(a *v1beta1.Alert, row v1beta1.Delivery) {
	name := string(row.Kind) + "/" + row.Name
	isConfirmed := row.ContentHash == row.LastAttemptedHash && row.LastAttemptedReceiver == ""
	isFirstFailure := row.Attempts == 1 && row.NextAttemptTime != nil
	switch {
	case row.State == v1beta1.DeliverySent && isConfirmed:
		r.event(a, corev1.EventTypeNormal, v1beta1.ReasonSent, "Send", "Sent to %s", name)
	case row.State == v1beta1.DeliveryResolved && row.ContentHash != "":
		r.event(a, corev1.EventTypeNormal, v1beta1.ReasonResolved, "Resolve", "Resolve sent to %s", name)
	case row.State == v1beta1.DeliveryFailed:
		r.event(a, corev1.EventTypeWarning, v1beta1.ReasonFailed, "Send", "Not sent to %s: %s", name, row.Message)
	case known(row) == v1beta1.DeliveryUnknown:
		r.event(a, corev1.EventTypeWarning, v1beta1.ReasonOutcomeUnknown, "Send", "Outcome unknown for %s: %s", name, row.Message)
	case row.State == v1beta1.DeliveryExpired && alertrules.HoldingOf(row) == alertrules.Holds:
		r.event(a, corev1.EventTypeWarning, v1beta1.ReasonExpired, "Send", "The change is not sent to %s, as the Alert has expired", name)
	case row.State == v1beta1.DeliveryExpired:
		r.event(a, corev1.EventTypeWarning, v1beta1.ReasonExpired, "Send", "Expired before %s confirmed it", name)
	case isFirstFailure: // once per delivery
		r.event(a, corev1.EventTypeWarning, v1beta1.ReasonRetrying, "Send", "%s: %s", name, row.Message)
	}
}

// known returns the state of a row; Pending for a request in flight, whose Unknown is recorded ahead.
func known(row v1beta1.Delivery) v1beta1.DeliveryState {
	if row.State == v1beta1.DeliveryUnknown && row.Reason == v1beta1.ReasonSending {
		return v1beta1.DeliveryPending
	}
	return row.State
}

// emitRelease emits events about the release of an Alert.
func (r *Reconciler) emitRelease(ctx context.Context, alert *v1beta1.Alert, plan alertrules.Plan, in alertrules.Inputs) {
	for _, d := range plan.Deliveries {
		name := string(d.Row.Kind) + "/" + d.Row.Name
		before := alertrules.DeliveryIn(alert.Status.Deliveries, alertrules.RefOf(d.Row))
		switch {
		case d.Row.State == v1beta1.DeliveryResolved && d.Row.Sequence > before.Sequence:
			r.metrics.CountDelivery(in.Receivers[alertrules.RefOf(d.Row)].Spec, d.Row.State)
			r.event(alert, corev1.EventTypeNormal, v1beta1.ReasonResolved, "Resolve", "Resolve sent to %s", name)
		case alertrules.HoldingOf(d.Row) != alertrules.HoldsNothing:
			r.metrics.CountAbandoned()
			r.emitAbandoned(ctx, alert, name)
		}
	}
}

// emitAbandoned emits an event about a receiver that did not receive the resolve. A namespace that is being deleted takes no events: there the
// event is about the Namespace, which has its events in another one.
func (r *Reconciler) emitAbandoned(ctx context.Context, alert *v1beta1.Alert, receiver string) {
	namespace := apiserver.Metadata("Namespace")
	err := r.client.Get(ctx, client.ObjectKey{Name: alert.Namespace}, namespace)
	if err != nil || namespace.DeletionTimestamp.IsZero() {
		r.event(alert, corev1.EventTypeWarning, "Abandoned", "Release", "Released, but %s did not receive the resolve", receiver)
		return
	}
	note := fmt.Sprintf("Alert %s was released, but %s did not receive the resolve", alert.Name, receiver)
	r.recorder.Eventf(namespace, alert, corev1.EventTypeWarning, "Abandoned", "Release", "%s", redact.Shorten(note, redact.MaxNote))
}

func (r *Reconciler) event(about *v1beta1.Alert, kind, reason, action, note string, args ...any) {
	r.recorder.Eventf(about, nil, kind, reason, action, "%s", redact.Shorten(fmt.Sprintf(note, args...), redact.MaxNote))
}
