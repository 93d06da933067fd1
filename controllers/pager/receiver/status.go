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
	"github.com/gophernetes/bellhop/internal/kube/conditions"
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
	e.recordTimes(seen, now)
	if target.Problem != nil {
		e.applyProblem(r, *target.Problem, now)
	} else {
		e.applyAnswer(target, seen, now)
	}
	isNewGeneration := was.ObservedGeneration != e.status.ObservedGeneration
	e.urgent = isNewGeneration || !slices.Equal(summary(was.Conditions), summary(e.status.Conditions))
	return e
}

// recordTimes records the last delivery and the last error, unless another process has recorded later ones.
func (e *evaluation) recordTimes(seen endpoints.Observation, now time.Time) {
	delivered, failed := times.Timestamp(seen.Delivered), times.Timestamp(seen.Failed)
	isLater := func(seen, recorded *metav1.Time) bool { // a record that lies ahead is by a clock that has been corrected since
		return recorded == nil || !seen.Before(recorded) || times.IsAhead(recorded.Time, now)
	}
	if !seen.Delivered.IsZero() && isLater(delivered, e.status.LastDeliveryTime) {
		e.status.LastDeliveryTime = delivered
	}
	if !seen.Failed.IsZero() && isLater(failed, e.status.LastErrorTime) {
		e.status.LastErrorTime, e.status.LastError = failed, redact.Shorten(seen.LastError, alertrules.MaxMessage)
	}
}

// applyProblem sets the conditions of a receiver that cannot be used. A Secret may be applied after the receiver.
func (e *evaluation) applyProblem(r v1beta1.ReceiverObject, problem alertrules.Problem, now time.Time) {
	e.status.TestedWith = ""
	set := conditions.Set{Ready: metav1.ConditionFalse, Reason: problem.Reason, Message: problem.Message, Open: conditions.Stalled}
	from := r.GetCreationTimestamp().Add(alertrules.OrderTolerance)
	if problem.Reason == v1beta1.ReasonSecretNotFound && now.Before(from) {
		set.Open, e.requeueAt = conditions.Reconciling, from
	}
	e.write(set, now)
}

// applyAnswer sets the conditions for the last answer of a receiver that can be used, and decides whether to probe it.
func (e *evaluation) applyAnswer(target alertrules.Target, seen endpoints.Observation, now time.Time) {
	isKnown := seen.Proof.Version == target.Version
	if !isKnown && e.status.TestedWith == target.Version && e.isAbandoned() {
		e.status.TestedWith = ""
	}
	if isKnown || e.status.TestedWith != target.Version {
		e.write(e.conditionSet(target, seen, isKnown, now), now)
		e.scheduleProbe(target, seen, isKnown, now)
	}
	for i := range e.status.Conditions { // conditions that an edit does not change hold for the new generation
		e.status.Conditions[i].ObservedGeneration = e.status.ObservedGeneration
	}
}

// isAbandoned reports whether no delivery follows from which a status that is not Ready would change: the process that probed or delivered has
// ended, perhaps before it recorded that the receiver works again; or it was of a version that left receivers without a harmless call at
// Unknown; or the last reconcile panicked.
func (e *evaluation) isAbandoned() bool {
	ready := meta.FindStatusCondition(e.status.Conditions, conditions.Ready)
	stalled := meta.FindStatusCondition(e.status.Conditions, conditions.Stalled)
	isStalled := stalled != nil && stalled.Status == metav1.ConditionTrue
	if stalled != nil && stalled.Reason == v1beta1.ReasonInternalError {
		return true
	}
	if ready == nil {
		return false
	}
	return ready.Status == metav1.ConditionUnknown || ready.Status == metav1.ConditionFalse && !isStalled && e.status.Waiting == 0
}

// conditionSet returns the conditions for the last answer; isKnown: there was one with this version.
func (e *evaluation) conditionSet(target alertrules.Target, seen endpoints.Observation, isKnown bool, now time.Time) conditions.Set {
	if !isKnown {
		return conditions.Set{Ready: metav1.ConditionUnknown, Reason: v1beta1.ReasonProbing, Message: "The receiver is being checked", Open: conditions.Reconciling}
	}
	if seen.Proof.NotProbed || seen.Proof.Failure == nil {
		return setOfSuccess(seen.Proof, target.SecretNote)
	}
	failure := withSecret(seen.Proof.Failure, target.Spec)
	set := conditions.Set{Ready: metav1.ConditionFalse, Reason: failure.Reason, Message: failure.Message}
	switch {
	case failure.Class == result.Unconfirmed:
		set.Message += "; each Alert is sent three times at most, and may have arrived each time"
		set.Open = conditions.Stalled
	case failure.Class == result.Configuration:
		e.addMisconfiguration(&set, seen, now)
	case e.status.TestedWith == target.Version && e.status.Waiting == 0: // it has answered before: the next delivery decides
		set.Open = ""
	case e.status.TestedWith == target.Version:
		set.Open = conditions.Reconciling
	default:
		if seen.NextProbe.After(now) {
			set.Message += "; next probe at " + times.Format(seen.NextProbe)
		}
		set.Open = conditions.Reconciling
	}
	return set
}

// setOfSuccess returns the conditions of a receiver that answers, or of one whose provider has no probe. A receiver may work with a Secret that
// has a misspelt key, which the note is about: its messages are not signed.
func setOfSuccess(proof endpoints.Proof, note string) conditions.Set {
	if note != "" {
		note = ". " + note
	}
	if proof.NotProbed {
		return conditions.Set{Ready: metav1.ConditionTrue, Reason: v1beta1.ReasonNotProbed,
			Message: "The configuration is complete. This provider offers no check that sends no message; the first delivery will show whether it works" + note}
	}
	if proof.Refused != "" {
		return conditions.Set{Ready: metav1.ConditionFalse, Reason: v1beta1.ReasonRecipientRefused, Open: conditions.Stalled,
			Message: "The receiver answers, and refuses some of its recipients, who get nothing; the others get every Alert. Correct the list, or what refuses them: " + proof.Refused}
	}
	return conditions.Set{Ready: metav1.ConditionTrue, Reason: v1beta1.ReasonReachable, Message: "The receiver answers" + note}
}

// scheduleProbe has the receiver probed, now or later, until an answer shows whether it works.
func (e *evaluation) scheduleProbe(target alertrules.Target, seen endpoints.Observation, isKnown bool, now time.Time) {
	if seen.Proof.IsFinal(target.Version) {
		e.status.TestedWith = target.Version
	}
	if e.status.TestedWith == target.Version || seen.Probing {
		return
	}
	if isKnown && now.Before(seen.NextProbe) {
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

// addMisconfiguration says of a receiver that looks misconfigured when its next delivery or probe is.
func (e *evaluation) addMisconfiguration(set *conditions.Set, seen endpoints.Observation, now time.Time) {
	isSlow := seen.Slow
	if !seen.Proof.Delivery {
		isSlow = seen.Probes > limiter.QuickRetries
		if seen.NextProbe.After(now) {
			set.Message += "; next probe at " + times.Format(seen.NextProbe)
		}
	} else if seen.NextDelivery.After(now) {
		set.Message += "; next attempt, with an Alert, at " + times.Format(seen.NextDelivery)
	} else if e.status.Waiting == 0 {
		isSlow = true
		set.Message += "; the next Alert will show whether that has changed"
	}
	set.Open = conditions.Reconciling
	if isSlow {
		set.Open = conditions.Stalled
	}
}

func (e *evaluation) write(set conditions.Set, now time.Time) {
	set.Write(&e.status.Conditions, e.status.ObservedGeneration, now)
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
	row := alertrules.DeliveryIn(a.Status.Deliveries, ref)
	if alertrules.IsOver(a) {
		return alertrules.HoldingOf(row) == alertrules.Holds && row.State != v1beta1.DeliveryUnknown
	}
	named := row.ByDefault || slices.Contains(a.Spec.ReceiverRefs, ref)
	return named && slices.Contains([]v1beta1.DeliveryState{"", v1beta1.DeliveryPending, v1beta1.DeliveryFailed}, row.State)
}
