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

package pager

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/limiter"
	"github.com/gophernetes/bellhop/internal/notify/result"
	"github.com/gophernetes/bellhop/internal/redact"
)

const (
	firstBackoff = time.Second
	lastBackoff  = 10 * time.Minute
	// maxMessage is the schema's bound of a delivery's message, in bytes.
	maxMessage = 1024
	// maxConditionMessage is what people still read, in bytes; the schema has 32 KiB.
	maxConditionMessage = 4096
)

// outcome is what came of a request.
type outcome struct {
	send
	ref     v1beta1.ReceiverRef
	receipt result.Receipt
	failure *result.Error // nil: confirmed
	began   time.Time     // in whole seconds
	at      time.Time     // of the answer
	number  uint64        // in the ledger
	verdict limiter.Verdict
}

// fold is the row once the outcome is known. Folding an outcome twice is
// folding it once.
func fold(row v1beta1.Delivery, o outcome) v1beta1.Delivery {
	row.TriedHash, row.Sequence, row.Attempts = o.hash, o.sequence, o.attempt
	row.ByDefault = o.byDefault
	row.FilteredHash = "" // what was kept back is not the last word any more
	row.LastAttemptTime = seconds(o.at)
	if o.attempt == 1 {
		row.FirstAttemptTime = seconds(o.began)
	}
	row.NextAttemptTime = nil
	if o.event == result.Fired && holdsPage(row) { // it fires again after a resolve that may have arrived
		row.ContentHash = ""
	}
	if o.failure == nil {
		return foldConfirmed(row, o)
	}
	row.TriedWith, row.MisconfiguredAnswers = o.version, 0
	row.AnswerLost = o.failure.Class == result.Unknown
	row.Uncertain = o.uncertain || row.AnswerLost
	row.Reason, row.Message = o.failure.Reason, o.failure.Message
	switch class := o.failure.Class; {
	case class == result.Permanent:
		row.State = v1beta1.DeliveryFailed
	case class == result.Configuration:
		return foldMisconfigured(row, o)
	case row.AnswerLost && o.once:
		row.State, row.Message = v1beta1.DeliveryUnknown, o.failure.Message+notRepeated
	default:
		row.State = stateOfOpen(row, o.event)
		wait := max(backoff(o.hash+string(o.ref.Kind)+o.ref.Name, o.attempt), o.failure.RetryAfter)
		// Statuses have whole seconds; rounded down it would be too early.
		row.NextAttemptTime = seconds(o.at.Add(wait + time.Second - 1))
	}
	return row
}

// foldMisconfigured is the row after an answer that looks like a misconfiguration: after the quick retries it waits for the receiver's
// next probe, or, if the fault is the Alert's own, for a time of its own.
func foldMisconfigured(row v1beta1.Delivery, o outcome) v1beta1.Delivery {
	row.State = stateOfOpen(row, o.event)
	row.MisconfiguredAnswers = o.misconfigured + 1
	if isSlow(row) && !o.ownFault && !o.verdict.OwnFault {
		return row
	}
	wait := spread(o.hash+string(o.ref.Kind)+o.ref.Name, o.attempt, limiter.MisconfigurationDelay(int(row.MisconfiguredAnswers)))
	row.NextAttemptTime = seconds(o.at.Add(wait + time.Second - 1))
	return row
}

// stateOfOpen is the state of a row that is tried again: a resolve that fails does not undo that the page was sent.
func stateOfOpen(row v1beta1.Delivery, event result.Event) v1beta1.DeliveryState {
	if event == result.Resolved && holdsPage(row) {
		return v1beta1.DeliverySent
	}
	return v1beta1.DeliveryPending
}

// notRepeated says why, and what a person can do.
const notRepeated = "; it may have arrived, and deliveryPolicy AtMostOnce does not repeat it: to send it again, change the Alert or the policy"

// intend is the row of a receiver that must not be asked twice, before it is
// asked: if nothing else is recorded, its answer was lost.
func intend(row v1beta1.Delivery, s send, now time.Time) v1beta1.Delivery {
	lost := result.Error{Class: result.Unknown, Reason: v1beta1.ReasonSending, Message: "an answer is not on record"}
	return fold(row, outcome{send: s, ref: refOf(row), failure: &lost, began: seconds(now).Time, at: now})
}

func foldConfirmed(row v1beta1.Delivery, o outcome) v1beta1.Delivery {
	row.ContentHash, row.TriedWith, row.Uncertain, row.AnswerLost, row.MisconfiguredAnswers = o.hash, "", false, false, 0
	row.Reason, row.Message = "", o.receipt.Note
	if o.event == result.Resolved {
		row.State = v1beta1.DeliveryResolved
		return row
	}
	row.State, row.SentTime, row.ExternalID = v1beta1.DeliverySent, row.LastAttemptTime, o.receipt.ExternalID
	return row
}

// backoff doubles from a second to ten minutes.
func backoff(seed string, attempt int32) time.Duration {
	d := lastBackoff
	if shift := attempt - 1; shift < 10 {
		d = min(firstBackoff<<shift, lastBackoff)
	}
	return spread(seed, attempt, d)
}

// spread is a quarter more or less than d, so that Alerts that failed together do not come back together.
func spread(seed string, attempt int32, d time.Duration) time.Duration {
	h := fnv.New32a()
	fmt.Fprint(h, seed, attempt)
	return d*3/4 + d/2*time.Duration(h.Sum32()%1024)/1024
}

func seconds(t time.Time) *metav1.Time {
	return &metav1.Time{Time: t.Truncate(time.Second)}
}

// report is the status that says what s knows.
func report(a *v1beta1.Alert, s step, w world) v1beta1.AlertStatus {
	status := v1beta1.AlertStatus{
		ObservedGeneration: a.Generation,
		Conditions:         slices.Clone(a.Status.Conditions),
	}
	reached, wanted := 0, 0
	for _, t := range s.turns {
		// A status that the schema refuses would never be written.
		t.row.Message = redact.Shorten(t.row.Message, maxMessage)
		status.Deliveries = append(status.Deliveries, t.row)
		if !t.wanted || t.row.State == v1beta1.DeliveryFiltered {
			continue
		}
		wanted++
		// A page that arrived did so also where telling that it is over fails.
		over := a.Spec.State == v1beta1.AlertResolved || !a.DeletionTimestamp.IsZero()
		if t.row.State == v1beta1.DeliverySent || over && t.row.SentTime != nil {
			reached++
		}
	}
	status.Sent = reached > 0 && reached == wanted
	status.Receivers = fmt.Sprintf("%d/%d", reached, wanted)
	if s.finished(a, w) && a.DeletionTimestamp.IsZero() {
		status.FinishedTime = a.Status.FinishedTime
		if status.FinishedTime == nil {
			status.FinishedTime = seconds(w.now)
		}
	}
	for _, c := range conditions(a, s, w, status) {
		c.ObservedGeneration = a.Generation
		c.Message = redact.Shorten(c.Message, maxConditionMessage)
		c.LastTransitionTime = *seconds(w.now)
		meta.SetStatusCondition(&status.Conditions, c)
	}
	return status
}

// conditions are Ready, which sums up, and of what is still open the two parts:
// what goes on by itself, and what waits for somebody.
func conditions(a *v1beta1.Alert, s step, w world, status v1beta1.AlertStatus) []metav1.Condition {
	ours, theirs := s.inPhase(going), s.inPhase(stalled)
	ready := condition(v1beta1.ConditionReady, false, append(slices.Clone(theirs), ours...), a, w)
	reconciling := condition(v1beta1.ConditionReconciling, len(ours) > 0, ours, a, w)
	blocked := condition(v1beta1.ConditionStalled, len(theirs) > 0, theirs, a, w)
	if len(ours)+len(theirs) == 0 {
		ready.Status, ready.Reason, ready.Message = outcomeOf(a, s, w, status)
		if ready.Status == metav1.ConditionFalse {
			blocked.Status, blocked.Message = metav1.ConditionTrue, ready.Message
		}
	}
	for _, c := range []*metav1.Condition{&reconciling, &blocked} {
		c.Reason = cmp.Or(c.Reason, ready.Reason)
	}
	return []metav1.Condition{ready, reconciling, blocked}
}

// condition is about the open turns, the first of which says why.
func condition(kind string, is bool, open []turn, a *v1beta1.Alert, w world) metav1.Condition {
	c := metav1.Condition{Type: kind, Status: metav1.ConditionFalse}
	if is {
		c.Status = metav1.ConditionTrue
	}
	if len(open) > 0 {
		c.Reason, c.Message = open[0].reason, describe(a, open, w)
	}
	return c
}

// outcomeOf says how an Alert ended of which nothing is open.
func outcomeOf(a *v1beta1.Alert, s step, w world, status v1beta1.AlertStatus) (is metav1.ConditionStatus, reason, message string) {
	isExpired := slices.ContainsFunc(s.turns, func(t turn) bool { return t.wanted && t.row.State == v1beta1.DeliveryExpired })
	switch {
	case a.Spec.State == v1beta1.AlertResolved:
		return metav1.ConditionTrue, v1beta1.ReasonResolved, "Every receiver that was paged knows that it is over"
	case isExpired || !s.isForAnybody() && expired(a, w.now):
		return metav1.ConditionFalse, v1beta1.ReasonExpired, fmt.Sprintf("Sent to %s receivers before it expired at %s", status.Receivers, stamp(expiry(a)))
	case !s.isForAnybody():
		return metav1.ConditionFalse, v1beta1.ReasonNoReceiver, "No receiver is named in spec.receiverRefs, and neither the namespace nor the cluster has a default; " +
			"it is sent as soon as a Receiver or ClusterReceiver has the annotation " + v1beta1.DefaultReceiverAnnotation + `: "true"`
	case status.Sent:
		return metav1.ConditionTrue, v1beta1.ReasonSent, fmt.Sprintf("Sent to %s receivers", status.Receivers)
	}
	return metav1.ConditionTrue, v1beta1.ReasonFiltered, "Below the minSeverity of every receiver"
}

// describe says of each receiver what it waits for and when it is tried again.
func describe(a *v1beta1.Alert, open []turn, w world) string {
	var parts []string
	for _, t := range open {
		part := fmt.Sprintf("%s/%s: ", t.row.Kind, t.row.Name)
		switch {
		case t.row.Message != "":
			part += t.row.Message
		case t.row.Reason != "":
			part += t.row.Reason
		default:
			part += "being sent"
		}
		if t.row.Attempts > 0 && t.row.LastAttemptTime != nil {
			part += fmt.Sprintf(" (attempt %d at %s", t.row.Attempts, stamp(t.row.LastAttemptTime.Time))
			if t.row.NextAttemptTime != nil {
				part += ", next at " + stamp(t.row.NextAttemptTime.Time)
			}
			part += ")"
		}
		if t.waitsFor != "" {
			part += "; " + t.waitsFor
		}
		parts = append(parts, part)
	}
	message := strings.Join(parts, "; ")
	if a.DeletionTimestamp.IsZero() {
		return message
	}
	var until time.Time
	for _, t := range open {
		if end := w.deletionLimit(a, t.row, w.parties[refOf(t.row)]); end.After(until) {
			until = end
		}
	}
	return fmt.Sprintf("Being deleted since %s, until at most %s, while receivers are told that it is over: %s. To let go now, set the annotation %s: %s",
		stamp(a.DeletionTimestamp.Time), stamp(until), message, deletionPolicyAnnotation, retain)
}

func stamp(t time.Time) string { return t.UTC().Format(time.RFC3339) }
