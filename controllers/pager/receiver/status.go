// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/pager/receivers/endpoints"
)

// evaluation is the result of an evaluation.
type evaluation struct {
	status v1beta1.ReceiverStatus
	// probe: probe it now.
	probe bool
	// urgent: the conditions have changed.
	urgent bool
	// requeueAt is when to reconcile again; zero: with the next event.
	requeueAt time.Time
}

// evaluate evaluates a receiver. It is pure: no client, no clock.
func evaluate(r v1beta1.ReceiverObject, target alertrules.Target, seen endpoints.Observation, waiting int32, now time.Time) evaluation {
	was := r.CommonStatus()
	e := evaluation{status: *was.DeepCopy()}
	e.status.ObservedGeneration = r.GetGeneration()
	e.status.Waiting = waiting
	if t := times.Timestamp(seen.Delivered); !seen.Delivered.IsZero() && (was.LastDeliveryTime == nil || was.LastDeliveryTime.Before(t)) {
		e.status.LastDeliveryTime = t
	}
	if t := times.Timestamp(seen.Failed); !seen.Failed.IsZero() && (was.LastErrorTime == nil || !t.Before(was.LastErrorTime)) {
		e.status.LastErrorTime, e.status.LastError = t, redact.Shorten(seen.LastError, alertrules.MaxMessage)
	}

	if target.Problem != nil {
		e.status.TestedWith = ""
		open := v1beta1.ConditionStalled
		if from := r.GetCreationTimestamp().Add(alertrules.OrderTolerance); target.Problem.Reason == v1beta1.ReasonSecretNotFound && now.Before(from) {
			open, e.requeueAt = v1beta1.ConditionReconciling, from
		}
		e.setConditions(now, metav1.ConditionFalse, target.Problem.Reason, target.Problem.Message, open)
	} else {
		known := seen.Proof.Version == target.Version
		// The process that probed or delivered has ended, perhaps before it recorded that the receiver works again, and no delivery follows;
		// or it was of a version that left receivers without a harmless call at Unknown.
		isAbandoned := waiting == 0 && meta.IsStatusConditionFalse(was.Conditions, v1beta1.ConditionReady) && !meta.IsStatusConditionTrue(was.Conditions, v1beta1.ConditionStalled) ||
			meta.IsStatusConditionPresentAndEqual(was.Conditions, v1beta1.ConditionReady, metav1.ConditionUnknown) || panicked(was.Conditions)
		if !known && was.TestedWith == target.Version && isAbandoned {
			e.status.TestedWith = ""
		}
		if known || e.status.TestedWith != target.Version {
			e.applyProof(target, seen, known, now)
		}
		for i := range e.status.Conditions { // conditions that an edit does not change hold for the new generation
			e.status.Conditions[i].ObservedGeneration = r.GetGeneration()
		}
	}
	e.urgent = !slices.Equal(summary(was.Conditions), summary(e.status.Conditions)) || was.ObservedGeneration != e.status.ObservedGeneration
	return e
}

// panicked reports whether the last reconcile of the receiver panicked: its conditions have to be evaluated anew.
func panicked(conditions []metav1.Condition) bool {
	stalled := meta.FindStatusCondition(conditions, v1beta1.ConditionStalled)
	return stalled != nil && stalled.Reason == v1beta1.ReasonInternalError
}

// applyProof sets the conditions for the last answer; known: there was one with this version.
func (e *evaluation) applyProof(target alertrules.Target, seen endpoints.Observation, known bool, now time.Time) {
	seen.Proof.Failure = withSecret(seen.Proof.Failure, target.Spec)
	proof := seen.Proof
	note := "" // a receiver may work with a Secret that has a misspelt key: its messages are not signed
	if target.SecretNote != "" {
		note = ". " + target.SecretNote
	}
	switch {
	case known && proof.NotProbed:
		e.setConditions(now, metav1.ConditionTrue, v1beta1.ReasonNotProbed, "The configuration is complete. This provider offers no check that sends no message; the first delivery will show whether it works"+note, "")
	case known && proof.Failure == nil && proof.Refused != "":
		e.setConditions(now, metav1.ConditionFalse, v1beta1.ReasonRecipientRefused,
			"The receiver answers, and refuses some of its recipients, who get nothing; the others get every Alert. Correct the list, or what refuses them: "+proof.Refused, v1beta1.ConditionStalled)
	case known && proof.Failure == nil:
		e.setConditions(now, metav1.ConditionTrue, v1beta1.ReasonReachable, "The receiver answers"+note, "")
	case known && proof.Failure.Class == result.Unconfirmed:
		e.setConditions(now, metav1.ConditionFalse, proof.Failure.Reason,
			proof.Failure.Message+"; each Alert is sent three times at most, and may have arrived each time", v1beta1.ConditionStalled)
	case known && proof.Failure.Class == result.Configuration:
		e.setMisconfigured(seen, now)
	case known && e.status.TestedWith == target.Version: // it has answered before: deliveries decide
		open := ""
		if e.status.Waiting > 0 {
			open = v1beta1.ConditionReconciling
		}
		e.setConditions(now, metav1.ConditionFalse, proof.Failure.Reason, proof.Failure.Message, open)
	case known:
		message := proof.Failure.Message
		if seen.NextProbe.After(now) {
			message = fmt.Sprintf("%s; next probe at %s", message, times.Format(seen.NextProbe))
		}
		e.setConditions(now, metav1.ConditionFalse, proof.Failure.Reason, message, v1beta1.ConditionReconciling)
	default:
		e.setConditions(now, metav1.ConditionUnknown, v1beta1.ReasonProbing, "The receiver is being checked", v1beta1.ConditionReconciling)
	}
	if proof.IsFinal(target.Version) {
		e.status.TestedWith = target.Version
	}
	if e.status.TestedWith == target.Version || seen.Probing {
		return
	}
	if now.Before(seen.NextProbe) && known {
		e.requeueAt = seen.NextProbe
		return
	}
	e.probe = true
}

// withSecret adds to an answer about credentials or their rights which Secret has them, in the words in which a broker's status says it.
func withSecret(failure *result.Error, spec *v1beta1.CommonReceiverSpec) *result.Error {
	if failure == nil || failure.Reason != result.ReasonUnauthorized && failure.Reason != result.ReasonForbidden || spec == nil || spec.SecretRef == nil {
		return failure
	}
	named := *failure
	named.Message += fmt.Sprintf("; the credentials are those of Secret %q", spec.SecretRef.Name)
	return &named
}

// setMisconfigured sets the conditions of a receiver that looks misconfigured, with the time of its next delivery or probe.
func (e *evaluation) setMisconfigured(seen endpoints.Observation, now time.Time) {
	message, slow := seen.Proof.Failure.Message, seen.Slow
	switch {
	case !seen.Proof.Delivery:
		slow = seen.Probes > limiter.QuickRetries
		if seen.NextProbe.After(now) {
			message += "; next probe at " + times.Format(seen.NextProbe)
		}
	case seen.NextDelivery.After(now):
		message += "; next attempt, with an Alert, at " + times.Format(seen.NextDelivery)
	case e.status.Waiting == 0:
		message, slow = message+"; the next Alert will show whether that has changed", true
	}
	open := v1beta1.ConditionReconciling
	if slow {
		open = v1beta1.ConditionStalled
	}
	e.setConditions(now, metav1.ConditionFalse, seen.Proof.Failure.Reason, message, open)
}

// setConditions sets the three conditions; open is the one beside Ready that is True; empty: none.
func (e *evaluation) setConditions(now time.Time, ready metav1.ConditionStatus, reason, message, open string) {
	for _, kind := range []string{v1beta1.ConditionReady, v1beta1.ConditionReconciling, v1beta1.ConditionStalled} {
		condition := metav1.Condition{Type: kind, Status: metav1.ConditionFalse, Reason: reason,
			ObservedGeneration: e.status.ObservedGeneration, LastTransitionTime: *times.Timestamp(now)}
		switch kind {
		case v1beta1.ConditionReady:
			condition.Status = ready
			condition.Message = redact.Shorten(redact.Capitalize(message), alertrules.MaxConditionMessage)
		case open:
			condition.Status = metav1.ConditionTrue
			condition.Message = redact.Shorten(redact.Capitalize(message), alertrules.MaxConditionMessage)
		}
		meta.SetStatusCondition(&e.status.Conditions, condition)
	}
}

// summary returns types, statuses and reasons.
func summary(conditions []metav1.Condition) []string {
	var s []string
	for _, c := range conditions {
		s = append(s, c.Type, string(c.Status), c.Reason)
	}
	return s
}

// hasOpen reports whether an Alert has an unconfirmed delivery to a receiver.
func hasOpen(a *v1beta1.Alert, ref v1beta1.ReceiverRef) bool {
	row := alertrules.DeliveryIn(a.Status.Deliveries, v1beta1.Delivery{Kind: ref.Kind, Name: ref.Name})
	if alertrules.IsOver(a) {
		return alertrules.HoldingOf(row) == alertrules.Holds && row.State != v1beta1.DeliveryUnknown
	}
	named := row.ByDefault || slices.Contains(a.Spec.ReceiverRefs, ref)
	return named && slices.Contains([]v1beta1.DeliveryState{"", v1beta1.DeliveryPending, v1beta1.DeliveryFailed}, row.State)
}
