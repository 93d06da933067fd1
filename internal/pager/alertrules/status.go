// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/conditions"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
)

// MaxMessage is the schema's bound of a delivery's message, in bytes.
const MaxMessage = 1024

// Report returns the status of an Alert with a plan.
func Report(a *v1beta1.Alert, plan Plan, in Inputs) v1beta1.AlertStatus {
	status := v1beta1.AlertStatus{
		ObservedGeneration: a.Generation,
		Conditions:         slices.Clone(a.Status.Conditions),
	}
	reached, wanted := 0, 0
	for _, d := range plan.Deliveries {
		// A status that the schema refuses could never be written.
		d.Row.Message = redact.Shorten(d.Row.Message, MaxMessage)
		status.Deliveries = append(status.Deliveries, d.Row)
		if !d.Named || d.Row.State == v1beta1.DeliveryFiltered && d.Row.SentTime == nil {
			continue
		}
		wanted++
		if isReached(a, d.Row) {
			reached++
		}
	}
	status.Sent = reached > 0 && reached == wanted
	status.Receivers = fmt.Sprintf("%d/%d", reached, wanted)
	if plan.finished(a, in) && a.DeletionTimestamp.IsZero() {
		status.FinishedTime = a.Status.FinishedTime
		if status.FinishedTime == nil || in.isWrong(status.FinishedTime.Time) {
			status.FinishedTime = times.Timestamp(in.finishedAt())
		}
	}
	conditions.Put(&status.Conditions, a.Generation, in.Now, conditionsOf(a, plan, in, status)...)
	if a.Status.Occurrence > 0 || !equality.Semantic.DeepEqual(status, a.Status) { // an upgrade alone writes nothing: no record says the same
		in.setOccurrence(a, &status)
	}
	return status
}

// isReached reports whether the receiver confirmed the Alert. The Alert stays sent where the resolve fails, or where a change is filtered or comes
// after the expiry.
func isReached(a *v1beta1.Alert, row v1beta1.Delivery) bool {
	switch row.State {
	case v1beta1.DeliverySent:
		return true
	case v1beta1.DeliveryFiltered, v1beta1.DeliveryResolved:
		return row.SentTime != nil
	case v1beta1.DeliveryExpired:
		return HoldingOf(row) == Holds
	default:
		return IsOver(a) && row.SentTime != nil
	}
}

// finishedAt is the present in the API server's time. While that is not known, it is the later time of this process's clock and of the time that was
// known last: what begins now would end too early by the other.
func (in Inputs) finishedAt() time.Time {
	return in.Server.Present(in.Now)
}

// conditionsOf returns Ready, which sums up, Reconciling for deliveries in progress, and Stalled for blocked ones.
func conditionsOf(a *v1beta1.Alert, plan Plan, in Inputs, status v1beta1.AlertStatus) []metav1.Condition {
	ours, theirs := plan.inPhase(phaseInProgress), plan.inPhase(phaseBlocked)
	ready := condition(v1beta1.ConditionReady, false, append(slices.Clone(theirs), ours...), a, in)
	reconciling := condition(v1beta1.ConditionReconciling, len(ours) > 0, ours, a, in)
	blocked := condition(v1beta1.ConditionStalled, len(theirs) > 0, theirs, a, in)
	if len(ours)+len(theirs) == 0 {
		ready.Status, ready.Reason, ready.Message = outcomeOf(a, plan, in, status)
		if ready.Status == metav1.ConditionFalse {
			blocked.Status, blocked.Message = metav1.ConditionTrue, ready.Message
		}
	}
	for _, c := range []*metav1.Condition{&reconciling, &blocked} {
		c.Reason = cmp.Or(c.Reason, ready.Reason)
	}
	return []metav1.Condition{ready, reconciling, blocked}
}

// condition is about open deliveries; the first one gives the reason.
func condition(kind string, is bool, open []DeliveryPlan, a *v1beta1.Alert, in Inputs) metav1.Condition {
	c := metav1.Condition{Type: kind, Status: metav1.ConditionFalse}
	if is {
		c.Status = metav1.ConditionTrue
	}
	if len(open) > 0 {
		c.Reason, c.Message = open[0].reason, describe(a, open, in)
	}
	return c
}

// outcomeOf is how an Alert ended of which nothing is open.
func outcomeOf(a *v1beta1.Alert, plan Plan, in Inputs, status v1beta1.AlertStatus) (is metav1.ConditionStatus, reason, message string) {
	isExpired := slices.ContainsFunc(plan.Deliveries, func(d DeliveryPlan) bool {
		return d.Named && d.Row.State == v1beta1.DeliveryExpired && !isReached(a, d.Row)
	})
	isBelow := !slices.ContainsFunc(plan.Deliveries, func(d DeliveryPlan) bool {
		return d.Named && d.Row.State != v1beta1.DeliveryFiltered && d.Row.Reason != v1beta1.ReasonBelowMinSeverity
	})
	switch {
	case a.Spec.State == v1beta1.AlertResolved:
		return metav1.ConditionTrue, v1beta1.ReasonResolved, "Every receiver that was notified has received the resolve"
	case isExpired || !plan.hasReceivers() && expired(a, in):
		return metav1.ConditionFalse, v1beta1.ReasonExpired, fmt.Sprintf("Sent to %s receivers before it expired at %s", status.Receivers, times.Format(expiry(a, in)))
	case !plan.hasReceivers():
		return metav1.ConditionFalse, v1beta1.ReasonNoReceiver, "No receiver is named in spec.receiverRefs, and neither the namespace nor the cluster has a default; " +
			"it is sent as soon as a Receiver or ClusterReceiver has the annotation " + v1beta1.DefaultReceiverAnnotation + `: "true"`
	case status.Sent && !isBelow && slices.ContainsFunc(plan.Deliveries, func(d DeliveryPlan) bool { return d.Named && d.Row.State == v1beta1.DeliveryExpired }):
		return metav1.ConditionTrue, v1beta1.ReasonSent, fmt.Sprintf("Sent to %s receivers before it expired at %s; what changed since is not sent", status.Receivers, times.Format(expiry(a, in)))
	case status.Sent && !isBelow:
		return metav1.ConditionTrue, v1beta1.ReasonSent, fmt.Sprintf("Sent to %s receivers", status.Receivers)
	}
	return metav1.ConditionTrue, v1beta1.ReasonFiltered, "Below the minSeverity of every receiver"
}

// describe returns a text that says for each receiver why its request waits and when the next attempt is due.
func describe(a *v1beta1.Alert, open []DeliveryPlan, in Inputs) string {
	var parts []string
	for _, d := range open {
		part := fmt.Sprintf("%s/%s: ", d.Row.Kind, d.Row.Name)
		if strings.Contains(d.Row.Message, fmt.Sprintf("%s %q", d.Row.Kind, d.Row.Name)) {
			part = "" // the message names the receiver
		}
		switch {
		case d.Row.Message != "":
			part += d.Row.Message
		case d.Row.Reason != "" && d.Row.Reason != v1beta1.ReasonSending:
			part += d.Row.Reason
		default:
			part += "being sent"
		}
		if d.Row.Attempts > 0 && d.Row.LastAttemptTime != nil {
			part += fmt.Sprintf(" (attempt %d at %s", d.Row.Attempts, times.Format(d.Row.LastAttemptTime.Time))
			if d.Row.NextAttemptTime != nil {
				part += ", next at " + times.Format(d.Row.NextAttemptTime.Time)
			}
			part += ")"
		}
		if d.waitsFor != "" {
			part += "; " + d.waitsFor
		}
		parts = append(parts, part)
	}
	message := strings.Join(parts, "; ")
	if a.DeletionTimestamp.IsZero() {
		return message
	}
	var until time.Time
	unlimited, isWaitedFor := false, false
	for _, d := range open {
		t := in.Receivers[RefOf(d.Row)].Target
		end := in.deletionLimit(a, d.Row, t)
		until, unlimited = times.Latest(until, end), unlimited || end.IsZero()
		isWaitedFor = isWaitedFor || end.IsZero() && wasSuspended(d.Row, t)
	}
	limit := fmt.Sprintf("until at most %s, while the resolve is being sent", times.Format(until))
	switch {
	case isWaitedFor:
		limit = "and waits for as long as a receiver is suspended, to send it the resolve afterwards"
	case unlimited:
		limit = "while the resolve is being sent"
	}
	return fmt.Sprintf("Being deleted since %s, %s: %s. To release it now, set the annotation %s: %s",
		times.Format(a.DeletionTimestamp.Time), limit, message, deletionPolicyAnnotation, retain)
}
