// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/ptr"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/conditions"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

var (
	t0     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	oncall = v1beta1.ReceiverRef{Kind: v1beta1.KindClusterReceiver, Name: "oncall"}
	team   = v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: "team"}
)

func usable(version string) Target {
	return Target{Version: version, Spec: &v1beta1.CommonReceiverSpec{ResolveTimeoutSeconds: ptr.To[int32](600)}}
}

// policy is oncall with a delivery policy.
func policy(policy v1beta1.DeliveryPolicy) map[v1beta1.ReceiverRef]Target {
	p := usable("v1")
	p.Spec.DeliveryPolicy = policy
	return map[v1beta1.ReceiverRef]Target{oncall: p}
}

// forgetful is oncall as an Alertmanager.
func forgetful() map[v1beta1.ReceiverRef]Target {
	p := usable("v1")
	p.Spec.Alertmanager = &v1beta1.AlertmanagerProvider{}
	return map[v1beta1.ReceiverRef]Target{oncall: p}
}

func newAlert(edits ...func(*v1beta1.Alert)) *v1beta1.Alert {
	a := &v1beta1.Alert{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "ns", Name: "a", UID: types.UID("uid"), Generation: 1,
			CreationTimestamp: metav1.NewTime(t0), Finalizers: []string{v1beta1.AlertFinalizer},
		},
		Spec: v1beta1.AlertSpec{Content: "A", Severity: v1beta1.SeverityInfo, State: v1beta1.AlertFiring},
	}
	for _, edit := range edits {
		edit(a)
	}
	return a
}

// holding is a row that holds what the spec says.
func holding(a *v1beta1.Alert, ref v1beta1.ReceiverRef) v1beta1.Delivery {
	hash := ContentHash(&a.Spec)
	return v1beta1.Delivery{
		Kind: ref.Kind, Name: ref.Name, State: v1beta1.DeliverySent,
		HeldMessage:     v1beta1.HeldMessage{ContentHash: hash, SentTime: times.Timestamp(t0)},
		DeliveryAttempt: v1beta1.DeliveryAttempt{LastAttemptedHash: hash, Sequence: 1, Attempts: 1, LastAttemptTime: times.Timestamp(t0)},
	}
}

// failing is a row whose last attempt failed in a way that leads to the state.
func failing(a *v1beta1.Alert, ref v1beta1.ReceiverRef, state v1beta1.DeliveryState, next time.Time) v1beta1.Delivery {
	row := v1beta1.Delivery{
		Kind: ref.Kind, Name: ref.Name, State: state,
		DeliveryAttempt: v1beta1.DeliveryAttempt{
			LastAttemptedHash: ContentHash(&a.Spec), LastAttemptedReceiver: "v1", Sequence: 1, Attempts: 3, FirstAttemptTime: times.Timestamp(t0), LastAttemptTime: times.Timestamp(t0),
		},
	}
	if !next.IsZero() {
		row.NextAttemptTime = times.Timestamp(next)
	}
	row.OutcomeUnknown = state == v1beta1.DeliveryPending
	row.AnswerLost = state == v1beta1.DeliveryUnknown
	return row
}

func deletedAt(t time.Time) func(*v1beta1.Alert) {
	return func(a *v1beta1.Alert) { a.DeletionTimestamp = &metav1.Time{Time: t} }
}

// retained releases an Alert without a resolve.
func retained(a *v1beta1.Alert) {
	a.Annotations = map[string]string{deletionPolicyAnnotation: retain}
}

// lived has an Alert delete itself a minute after t0.
func lived(a *v1beta1.Alert) {
	a.Spec.TTLSecondsAfterFinished, a.Status.FinishedTime = ptr.To[int32](60), times.Timestamp(t0)
}

func rows(rows ...func(*v1beta1.Alert) v1beta1.Delivery) func(*v1beta1.Alert) {
	return func(a *v1beta1.Alert) {
		for _, row := range rows {
			a.Status.Deliveries = append(a.Status.Deliveries, row(a))
		}
	}
}

func holds(ref v1beta1.ReceiverRef) func(*v1beta1.Alert) v1beta1.Delivery {
	return func(a *v1beta1.Alert) v1beta1.Delivery { return holding(a, ref) }
}

// isHeldBy is a row that an Alertmanager confirmed.
func isHeldBy(ref v1beta1.ReceiverRef) func(*v1beta1.Alert) v1beta1.Delivery {
	return func(a *v1beta1.Alert) v1beta1.Delivery {
		row := holding(a, ref)
		row.ExternalID = "info@2026-03-01T12:00:00Z"
		return row
	}
}

func fails(ref v1beta1.ReceiverRef, state v1beta1.DeliveryState, next time.Time) func(*v1beta1.Alert) v1beta1.Delivery {
	return func(a *v1beta1.Alert) v1beta1.Delivery { return failing(a, ref, state, next) }
}

// receiversOf returns receivers to which no request was made.
func receiversOf(targets map[v1beta1.ReceiverRef]Target) map[v1beta1.ReceiverRef]Receiver {
	receivers := map[v1beta1.ReceiverRef]Receiver{}
	for ref, target := range targets {
		receivers[ref] = Receiver{Target: target}
	}
	return receivers
}

// change changes a receiver in the inputs.
func (in Inputs) change(ref v1beta1.ReceiverRef, change func(*Receiver)) {
	receiver := in.Receivers[ref]
	change(&receiver)
	in.Receivers[ref] = receiver
}

func TestDecide(t *testing.T) {
	at := func(d time.Duration) time.Time { return t0.Add(d) }
	one := []v1beta1.ReceiverRef{oncall}
	good := map[v1beta1.ReceiverRef]Target{oncall: usable("v1")}
	suspended := map[v1beta1.ReceiverRef]Target{oncall: usable("v1")}
	paused := suspended[oncall]
	paused.Problem = &Problem{Reason: v1beta1.ReasonSuspended, Message: "suspended"}
	suspended[oncall] = paused
	for name, c := range map[string]struct {
		why        string
		alert      *v1beta1.Alert
		Refs       []v1beta1.ReceiverRef
		Targets    map[v1beta1.ReceiverRef]Target
		Now, Since time.Time
		Server     time.Time // the API server's; default: Now
		flying     bool      // a request to oncall is in flight
		Blocked    bool
		failed     bool      // the last attempt at oncall was this process's
		failedAt   time.Time // default: t0
		want       string    // sends, then what else, then the wake
	}{
		"new": {why: "it is sent at once", alert: newAlert(), Refs: one, Targets: good, Now: t0,
			want: "Fired#1.1"},
		"without finalizer": {why: "no effect before its undo is in etcd", Refs: one, Targets: good, Now: t0,
			alert: newAlert(func(a *v1beta1.Alert) { a.Finalizers = nil }), want: "protect"},
		"held": {why: "a receiver that holds it is left alone", alert: newAlert(rows(holds(oncall))), Refs: one, Targets: good, Now: t0,
			want: ""},
		"edited receiver": {why: "an edited receiver never sends again what is sent", alert: newAlert(rows(holds(oncall))), Refs: one, Now: t0,
			Targets: map[v1beta1.ReceiverRef]Target{oncall: usable("v2")}, want: ""},
		"added receiver": {why: "only the new one is paged", alert: newAlert(rows(holds(oncall))), Refs: []v1beta1.ReceiverRef{oncall, team}, Now: t0,
			Targets: map[v1beta1.ReceiverRef]Target{oncall: usable("v1"), team: usable("v1")}, want: "Fired#1.1"},
		"removed receiver": {why: "what it holds stays on record", alert: newAlert(rows(holds(oncall), holds(team))), Refs: one, Targets: good, Now: t0,
			want: ""},
		"changed": {why: "new content has a new key", alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) { a.Spec.Content = "B" }), Refs: one, Targets: good, Now: t0,
			want: "Updated#2.1"},
		"back again": {why: "A, B, A is sent anew also where B never got through", Refs: one, Targets: good, Now: t0,
			alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) {
				a.Status.Deliveries[0].LastAttemptedHash, a.Status.Deliveries[0].Sequence = "1:b", 2
			}),
			want: "Updated#3.1"},
		"waiting": {why: "not before it is due", alert: newAlert(rows(fails(oncall, v1beta1.DeliveryPending, at(time.Minute)))), Refs: one, Targets: good, Now: t0,
			want: "wake 1m0s"},
		"due": {why: "a repeat has the same sequence, so the same key", alert: newAlert(rows(fails(oncall, v1beta1.DeliveryPending, at(time.Minute)))), Refs: one, Targets: good, Now: at(time.Minute),
			want: "Fired#1.4"},
		"receiver changed while waiting": {why: "what kept it may be mended", alert: newAlert(rows(fails(oncall, v1beta1.DeliveryPending, at(time.Minute)))), Refs: one, Now: t0,
			Targets: map[v1beta1.ReceiverRef]Target{oncall: usable("v2")}, want: "Fired#1.4"},
		"refused": {why: "not again by itself", alert: newAlert(rows(fails(oncall, v1beta1.DeliveryFailed, time.Time{}))), Refs: one, Targets: good, Now: at(time.Hour),
			want: ""},
		"refused, receiver changed": {why: "a change is a reason to try", alert: newAlert(rows(fails(oncall, v1beta1.DeliveryFailed, time.Time{}))), Refs: one, Now: t0,
			Targets: map[v1beta1.ReceiverRef]Target{oncall: usable("v2")}, want: "Fired#1.4"},
		"expires": {why: "an event at its expiry says so", alert: newAlert(rows(fails(oncall, v1beta1.DeliveryFailed, time.Time{})), func(a *v1beta1.Alert) { a.Spec.ExpireAfterSeconds = ptr.To[int32](60) }), Refs: one, Targets: good, Now: t0,
			want: "wake 1m0s"},
		"expired": {why: "nobody is paged about yesterday", alert: newAlert(func(a *v1beta1.Alert) { a.Spec.ExpireAfterSeconds = ptr.To[int32](60) }), Refs: one, Targets: good, Now: at(time.Minute),
			want: ""},
		"expired, held": {why: "telling that it is over is no page", Refs: one, Targets: good, Now: at(time.Hour),
			alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) {
				a.Spec.ExpireAfterSeconds, a.Spec.State = ptr.To[int32](60), v1beta1.AlertResolved
			}), want: "Resolved#2.1"},
		"resolved, never sent": {why: "who was not paged is not told", alert: newAlert(func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved }), Refs: one, Targets: good, Now: t0,
			want: ""},
		"resolved, Outcome unknown": {why: "who may have been paged is told", alert: newAlert(rows(fails(oncall, v1beta1.DeliveryPending, at(time.Minute))), func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved }), Refs: one, Targets: good, Now: t0,
			want: "Resolved#2.1"},
		"resolved, certainly not sent": {why: "a refused connection is nothing to take back", Refs: one, Targets: good, Now: t0, failed: true,
			alert: newAlert(rows(fails(oncall, v1beta1.DeliveryPending, at(time.Minute))), func(a *v1beta1.Alert) {
				a.Spec.State, a.Status.Deliveries[0].OutcomeUnknown = v1beta1.AlertResolved, false
			}), want: ""},
		"resolved, unknown and then refused": {why: "the refusal says nothing of the attempt before", Refs: one, Targets: good, Now: t0,
			alert: newAlert(rows(fails(oncall, v1beta1.DeliveryFailed, time.Time{})), func(a *v1beta1.Alert) {
				a.Spec.State, a.Status.Deliveries[0].OutcomeUnknown = v1beta1.AlertResolved, true
			}), want: "Resolved#2.1"},
		"resolve limit, receiver away": {why: "no wake-up in the past", Refs: one, Now: at(time.Hour),
			Targets: map[v1beta1.ReceiverRef]Target{oncall: {Problem: &Problem{Reason: "ReceiverNotFound"}}},
			alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) {
				a.Spec.State = v1beta1.AlertResolved
				row := &a.Status.Deliveries[0]
				row.LastAttemptedHash, row.LastAttemptedReceiver, row.Sequence, row.FirstAttemptTime = ResolvedHash(), "v1", 2, times.Timestamp(t0)
			}), want: ""},
		"deleted after the resolve limit": {why: "a deletion is a reason to try again", Refs: one, Targets: good, Now: at(time.Hour),
			alert: newAlert(rows(holds(oncall)), deletedAt(at(time.Hour)), func(a *v1beta1.Alert) {
				a.Spec.State = v1beta1.AlertResolved
				row := &a.Status.Deliveries[0]
				row.LastAttemptedHash, row.LastAttemptedReceiver, row.Sequence, row.Attempts, row.FirstAttemptTime = ResolvedHash(), "v1", 2, 5, times.Timestamp(t0)
			}), want: "Resolved#2.6, wake 10m0s"},
		"deleted after a refused resolve": {why: "once, as it may be mended", Refs: one, Targets: good, Now: at(time.Hour),
			alert: newAlert(rows(holds(oncall)), deletedAt(at(time.Hour)), func(a *v1beta1.Alert) {
				row := &a.Status.Deliveries[0]
				row.State, row.LastAttemptedHash, row.LastAttemptedReceiver, row.Sequence = v1beta1.DeliveryFailed, ResolvedHash(), "v1", 2
			}), want: "Resolved#2.2, wake 10m0s"},
		"restored, expired": {why: "old news ends", Refs: one, Targets: good, Now: at(time.Hour),
			alert: newAlert(func(a *v1beta1.Alert) {
				a.Labels = map[string]string{RestoreLabel: "r"}
				a.Spec.ExpireAfterSeconds = ptr.To[int32](60)
			}), want: ""},
		"resolve limit": {why: "a resolve is not tried for ever", Refs: one, Targets: good, Now: at(10 * time.Minute),
			alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) {
				a.Spec.State = v1beta1.AlertResolved
				row := &a.Status.Deliveries[0]
				row.LastAttemptedHash, row.LastAttemptedReceiver, row.Sequence, row.FirstAttemptTime = ResolvedHash(), "v1", 2, times.Timestamp(t0)
			}), want: ""},
		"deleted, held": {why: "the receiver is told first", alert: newAlert(rows(holds(oncall)), deletedAt(at(time.Hour))), Refs: one, Targets: good, Now: at(time.Hour),
			want: "Resolved#2.1, wake 10m0s"},
		"deleted, told": {why: "nothing is left", Refs: one, Targets: good, Now: at(time.Hour),
			alert: newAlert(rows(holds(oncall)), deletedAt(at(time.Hour)), func(a *v1beta1.Alert) {
				a.Status.Deliveries[0].ContentHash, a.Status.Deliveries[0].LastAttemptedHash = ResolvedHash(), ResolvedHash()
			}), want: "release"},
		"deleted, limit over": {why: "deletion ends", alert: newAlert(rows(holds(oncall)), deletedAt(t0)), Refs: one, Targets: good, Now: at(10 * time.Minute),
			want: "release"},
		"deleted while the operator was away": {why: "the time runs once somebody tries", alert: newAlert(rows(holds(oncall)), deletedAt(t0)), Refs: one, Targets: good, Now: at(time.Hour), Since: at(time.Hour),
			want: "Resolved#2.1, wake 10m0s"},
		"deleted while the operator was away, limit over": {why: "deletion ends", alert: newAlert(rows(holds(oncall)), deletedAt(t0)), Refs: one, Targets: good, Now: at(70 * time.Minute), Since: at(time.Hour),
			want: "release"},
		"deleted, tried before a restart": {why: "restarts do not hold it up", Refs: one, Targets: good, Now: at(10 * time.Minute), Since: at(9 * time.Minute), want: "release",
			alert: newAlert(rows(holds(oncall)), deletedAt(t0), func(a *v1beta1.Alert) {
				a.Status.Deliveries[0].LastAttemptedHash, a.Status.Deliveries[0].FirstAttemptTime = ResolvedHash(), times.Timestamp(t0)
			})},
		"deleted, receiver gone": {why: "there is nobody to tell", alert: newAlert(rows(holds(oncall)), deletedAt(t0)), Refs: one, Now: t0,
			Targets: map[v1beta1.ReceiverRef]Target{oncall: {Problem: &Problem{Reason: "ReceiverNotFound"}}}, want: "release"},
		// F-P67: what is gone with the namespace.
		"deleted, receiver gone, its sender kept": {why: "who was paged is told", alert: newAlert(rows(holds(oncall)), deletedAt(t0)), Refs: one, Now: t0,
			Targets: map[v1beta1.ReceiverRef]Target{oncall: keptFor("ReceiverNotFound")}, want: "Resolved#2.1, wake 10m0s"},
		"resolved, Secret gone, the sender kept": {why: "who was paged is told", alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved }), Refs: one, Now: t0,
			Targets: map[v1beta1.ReceiverRef]Target{oncall: keptFor("SecretNotFound")}, want: "Resolved#2.1"},
		"firing, Secret gone, the sender kept": {why: "it is kept for no page", alert: newAlert(), Refs: one, Now: at(time.Hour),
			Targets: map[v1beta1.ReceiverRef]Target{oncall: keptFor("SecretNotFound")}, want: ""},
		"edited, Secret gone, the sender kept": {why: "it is kept for no page", alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) { a.Spec.Content = "B" }), Refs: one, Now: at(time.Hour),
			Targets: map[v1beta1.ReceiverRef]Target{oncall: keptFor("SecretNotFound")}, want: ""},
		"deleted, young, the sender kept": {why: "it is kept for no page", alert: newAlert(deletedAt(at(time.Minute))), Refs: one, Now: at(time.Minute),
			Targets: map[v1beta1.ReceiverRef]Target{oncall: keptFor("SecretNotFound")}, want: "release"},
		"deleted, Secret gone with the namespace": {why: "nobody can create it there again", alert: newAlert(rows(holds(oncall)), deletedAt(t0)), Refs: one, Now: t0,
			Targets: map[v1beta1.ReceiverRef]Target{oncall: {Spec: &v1beta1.CommonReceiverSpec{}, Leaving: true, Problem: &Problem{Reason: "SecretNotFound"}}}, want: "release"},
		"deleted, Secret gone alone": {why: "somebody may create it again", alert: newAlert(rows(holds(oncall)), deletedAt(t0)), Refs: one, Now: t0,
			Targets: map[v1beta1.ReceiverRef]Target{oncall: {Spec: &v1beta1.CommonReceiverSpec{}, Problem: &Problem{Reason: "SecretNotFound"}}}, want: "wake 10m0s"},
		"deleted, retained": {why: "a person releases it", alert: newAlert(rows(holds(oncall)), deletedAt(t0), retained), Refs: one, Targets: good, Now: t0,
			want: "release, keep until 1m0s"},
		"deleted, young": {why: "apply and delete in one script still pages", alert: newAlert(deletedAt(at(time.Minute))), Refs: one, Targets: good, Now: at(time.Minute),
			want: "Fired#1.1, wake 10m0s"},
		"deleted, not so young": {why: "a storm can be purged", alert: newAlert(deletedAt(at(time.Minute + time.Second))), Refs: one, Targets: good, Now: at(2 * time.Minute),
			want: "release"},
		// F-P27: what may have arrived is resolved, as by state: Resolved.
		"deleted, Outcome unknown": {why: "who may have been paged is told", alert: newAlert(rows(fails(oncall, v1beta1.DeliveryPending, at(time.Minute))), deletedAt(t0)), Refs: one, Targets: good, Now: t0,
			want: "Resolved#2.1, wake 10m0s"},
		"deleted, tried": {why: "a failed attempt was the one", failed: true, alert: newAlert(rows(fails(oncall, v1beta1.DeliveryPending, at(time.Minute))), deletedAt(t0), func(a *v1beta1.Alert) {
			a.Status.Deliveries[0].OutcomeUnknown = false
		}), Refs: one, Targets: good, Now: t0,
			want: "release"},
		"deleted, tried by another process": {why: "it may have repeated the attempt, without a record", alert: newAlert(rows(fails(oncall, v1beta1.DeliveryPending, at(time.Minute))), deletedAt(t0), func(a *v1beta1.Alert) {
			a.Status.Deliveries[0].OutcomeUnknown = false
		}), Refs: one, Targets: good, Now: t0,
			want: "Resolved#2.1, wake 10m0s"},
		"deleted, another's finalizer": {why: "ours is gone, so we are phaseSettled", alert: newAlert(deletedAt(t0), func(a *v1beta1.Alert) { a.Finalizers = []string{"x/y"} }), Refs: one, Targets: good, Now: t0,
			want: ""},
		"restored": {why: "old news waits for a person", alert: newAlert(func(a *v1beta1.Alert) { a.Labels = map[string]string{RestoreLabel: "r"} }), Refs: one, Targets: good, Now: t0,
			want: ""},
		"restored, fires again": {why: "F-P49: it began to fire since", alert: newAlert(recorded(1, -1), func(a *v1beta1.Alert) { a.Labels = map[string]string{RestoreLabel: "r"} }), Refs: one, Targets: good, Now: at(time.Hour),
			want: "Fired#1.1"},
		"restored, has fired again": {why: "F-P49", alert: newAlert(recorded(2, 30), func(a *v1beta1.Alert) { a.Labels = map[string]string{RestoreLabel: "r"} }), Refs: one, Targets: good, Now: at(time.Hour),
			want: "Fired#1.1"},
		"time to live": {why: "it counts from the end", Refs: one, Targets: good, Now: at(time.Minute),
			alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) {
				a.Spec.TTLSecondsAfterFinished, a.Status.FinishedTime = ptr.To[int32](90), times.Timestamp(t0)
			}), want: "wake 30s"},
		"time to live over": {why: "it deletes itself, and makes no finalizer anew", Refs: one, Targets: good, Now: at(2 * time.Minute),
			alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) {
				a.Finalizers = nil
				a.Spec.TTLSecondsAfterFinished, a.Status.FinishedTime = ptr.To[int32](90), times.Timestamp(t0)
			}), want: "purge"},
		"time to live over, content changed": {why: "it is not finished any more", Refs: one, Targets: good, Now: at(2 * time.Minute),
			alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) {
				a.Spec.TTLSecondsAfterFinished, a.Status.FinishedTime = ptr.To[int32](90), times.Timestamp(t0)
				a.Spec.Content = "B"
			}), want: "Updated#2.1"},
		"filtered": {why: "the filter was asked about this content once, like everything about a receiver", Refs: one, Targets: good, Now: t0,
			alert: newAlert(func(a *v1beta1.Alert) {
				a.Status.Deliveries = []v1beta1.Delivery{{Kind: oncall.Kind, Name: oncall.Name, State: v1beta1.DeliveryFiltered, FilteredHash: ContentHash(&a.Spec)}}
			}), want: ""},
		"filtered, changed": {why: "new content is asked about anew", Refs: one, Targets: good, Now: t0,
			alert: newAlert(func(a *v1beta1.Alert) {
				a.Status.Deliveries = []v1beta1.Delivery{{Kind: oncall.Kind, Name: oncall.Name, State: v1beta1.DeliveryFiltered, FilteredHash: ContentHash(&a.Spec)}}
				a.Spec.Content = "B"
			}), want: "Fired#1.1"},
		"under way": {why: "one request at a time: what comes next depends on its answer", Refs: one, Targets: good, Now: t0, flying: true,
			alert: newAlert(), want: "wake 10s"},
		"F-P73: under way, the first": {why: "the status is empty", Refs: one, Targets: good, Now: t0, flying: true,
			alert: newAlert(func(a *v1beta1.Alert) { a.Status.ObservedGeneration = -1 }), want: "wake 3s"},
		"under way, deleted": {why: "it may arrive yet", Refs: one, Targets: good, Now: at(2 * time.Minute), flying: true,
			alert: newAlert(deletedAt(at(2 * time.Minute))), want: "wake 10s"},
		"once": {why: "what must not be sent twice is marked so", Refs: one, Now: t0, Targets: policy(v1beta1.AtMostOnce), alert: newAlert(), want: "once Fired#1.1"},
		"once, lost": {why: "it is never sent again by itself", Refs: one, Now: at(time.Hour), Targets: policy(v1beta1.AtMostOnce),
			alert: newAlert(rows(fails(oncall, v1beta1.DeliveryUnknown, time.Time{}))), want: ""},
		"once, lost, another version": {why: "nor because the receiver has changed", Refs: one, Now: at(time.Hour),
			Targets: func() map[v1beta1.ReceiverRef]Target {
				p := policy(v1beta1.AtMostOnce)
				other := p[oncall]
				other.Version = "v2"
				return map[v1beta1.ReceiverRef]Target{oncall: other}
			}(), alert: newAlert(rows(fails(oncall, v1beta1.DeliveryUnknown, time.Time{}))), want: ""},
		"once, lost, changed": {why: "other content is another message", Refs: one, Now: at(time.Hour), Targets: policy(v1beta1.AtMostOnce),
			alert: newAlert(rows(fails(oncall, v1beta1.DeliveryUnknown, time.Time{})), func(a *v1beta1.Alert) { a.Spec.Content = "B" }), want: "once Fired#2.1"},
		"once, lost, resolved": {why: "who may have been paged is told that it is over", Refs: one, Now: at(time.Hour), Targets: policy(v1beta1.AtMostOnce),
			alert: newAlert(func(a *v1beta1.Alert) {
				row := failing(a, oncall, v1beta1.DeliveryUnknown, time.Time{})
				row.OutcomeUnknown = true
				a.Status.Deliveries = []v1beta1.Delivery{row}
				a.Spec.State = v1beta1.AlertResolved
			}), want: "once Resolved#2.1"},
		"once, lost, deleted": {why: "so is a receiver of a deleted Alert", Refs: one, Now: at(time.Hour), Targets: policy(v1beta1.AtMostOnce),
			alert: newAlert(deletedAt(at(time.Hour)), func(a *v1beta1.Alert) {
				row := failing(a, oncall, v1beta1.DeliveryUnknown, time.Time{})
				row.OutcomeUnknown = true
				a.Status.Deliveries = []v1beta1.Delivery{row}
			}), want: "once Resolved#2.1, wake 10m0s"},
		"once, lost, policy changed": {why: "a person asks for it", Refs: one, Now: at(time.Hour), Targets: policy(v1beta1.AtLeastOnce),
			alert: newAlert(rows(fails(oncall, v1beta1.DeliveryUnknown, time.Time{}))), want: "Fired#1.4"},
		"once, not accepted": {why: "what was refused for now can be sent", Refs: one, Now: at(time.Minute), Targets: policy(v1beta1.AtMostOnce),
			alert: newAlert(rows(fails(oncall, v1beta1.DeliveryPending, t0))), want: "once Fired#1.4"},
		"resolved, Alertmanager": {why: "it is over", Refs: one, Now: at(2 * time.Minute), Targets: forgetful(),
			alert: newAlert(rows(isHeldBy(oncall)), func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved }), want: "Resolved#2.1"},
		// F-P8: what goes away without a resolve waits for receivers that forget what they hold, so that they keep it.
		"time to live, forgets":  {why: "it would end there", Refs: one, Now: at(time.Minute), Targets: forgetful(), alert: newAlert(rows(isHeldBy(oncall)), lived), want: "purge, keep until 11m0s"},
		"time to live, too late": {why: "it has ended there", Refs: one, Now: at(11 * time.Minute), Targets: forgetful(), alert: newAlert(rows(isHeldBy(oncall)), lived), want: "purge"},
		"released":               {why: "it would end there", Refs: one, Now: t0, Targets: forgetful(), alert: newAlert(rows(isHeldBy(oncall)), deletedAt(t0), retained), want: "release, keep until 1m0s"},
		"released, too late":     {why: "a person does not wait for it", Refs: one, Now: at(time.Minute), Targets: forgetful(), alert: newAlert(rows(isHeldBy(oncall)), deletedAt(t0), retained), want: "release"},
		"became an Alertmanager": {why: "what another confirmed is not said again", Refs: one, Now: at(2 * time.Minute), Targets: forgetful(),
			alert: newAlert(rows(holds(oncall))), want: ""},
		"nobody any more": {why: "it waits for a default, as it is not held by anybody", Targets: good, Now: t0,
			alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) { a.Spec.Content, a.Spec.TTLSecondsAfterFinished = "B", ptr.To[int32](0) }), want: ""},
		"deleted young, no time for resolves": {why: "the one attempt is no resolve", Refs: one, Now: at(time.Second),
			Targets: func() map[v1beta1.ReceiverRef]Target {
				p := usable("v1")
				p.Spec.ResolveTimeoutSeconds = ptr.To[int32](0)
				return map[v1beta1.ReceiverRef]Target{oncall: p}
			}(), alert: newAlert(deletedAt(at(time.Second))), want: "Fired#1.1, wake 1m0s"},
		"deleted young, blocked": {why: "a storm that waits is purged by deleting it", Refs: one, Targets: good, Now: t0, Blocked: true,
			alert: newAlert(deletedAt(t0)), want: "release"},
		"deleted, blocked, held": {why: "who was paged is told", Refs: one, Targets: good, Now: t0, Blocked: true,
			alert: newAlert(rows(holds(oncall)), deletedAt(t0)), want: "Resolved#2.1, wake 10m0s"},
		"resolved, sent, and tried again, names nobody any more": {why: "the retry is due although no receiver is named", Targets: good, Now: t0,
			alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) {
				a.Spec.State = v1beta1.AlertResolved
				row := &a.Status.Deliveries[0]
				row.LastAttemptedHash, row.LastAttemptedReceiver, row.Sequence, row.FirstAttemptTime, row.NextAttemptTime = ResolvedHash(), "v1", 2, times.Timestamp(t0), times.Timestamp(at(time.Minute))
			}), want: "wake 1m0s"},
		// F-P28: expiry and TTL follow the API server's time, not this process's clock.
		"expired by a clock that is ahead": {why: "no page is lost by a clock", Refs: one, Targets: good, Now: at(2 * time.Hour), Server: at(time.Minute),
			alert: newAlert(func(a *v1beta1.Alert) { a.Spec.ExpireAfterSeconds = ptr.To[int32](3600) }), want: "Fired#1.1, wake 59m0s"},
		"time to live over by a clock that is ahead": {why: "nor deleted", Refs: one, Targets: good, Now: at(2 * time.Hour), Server: at(time.Minute),
			alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) {
				a.Spec.TTLSecondsAfterFinished, a.Status.FinishedTime = ptr.To[int32](90), times.Timestamp(t0)
			}), want: "wake 30s"},
		// F-P33: a due time that was recorded under a clock ahead is now.
		"due by a clock that was ahead": {why: "no page is put off by a clock", Refs: one, Targets: good, Now: at(time.Minute),
			alert: newAlert(rows(fails(oncall, v1beta1.DeliveryPending, at(24*time.Hour+time.Minute))), func(a *v1beta1.Alert) {
				a.Status.Deliveries[0].LastAttemptTime = times.Timestamp(at(24 * time.Hour))
			}), want: "Fired#1.4"},
		// F-B12: suspension is on purpose, so that its time does not count.
		"suspended, resolved": {why: "no limit", Refs: one, Targets: suspended, Now: at(time.Hour),
			alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) {
				a.Spec.State = v1beta1.AlertResolved
				row := &a.Status.Deliveries[0]
				row.LastAttemptedHash, row.LastAttemptedReceiver, row.Sequence, row.FirstAttemptTime = ResolvedHash(), "v1", 2, times.Timestamp(t0)
			}), want: ""},
		"suspended, deleted":             {why: "no limit", Refs: one, Targets: suspended, Now: at(time.Hour), alert: newAlert(rows(holds(oncall)), deletedAt(t0)), want: ""},
		"suspended, deleted, never sent": {why: "it is cancelled", Refs: one, Targets: suspended, Now: at(time.Minute), alert: newAlert(deletedAt(t0)), want: "release"},
		"suspended, expires": {why: "a page about yesterday is not sent afterwards", Refs: one, Targets: suspended, Now: at(time.Minute),
			alert: newAlert(func(a *v1beta1.Alert) { a.Spec.ExpireAfterSeconds = ptr.To[int32](60) }), want: ""},
		"suspended, time to live over": {why: "a cleanup, never a resolve", Refs: one, Targets: suspended, Now: at(2 * time.Minute),
			alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) {
				a.Spec.TTLSecondsAfterFinished, a.Status.FinishedTime = ptr.To[int32](90), times.Timestamp(t0)
			}), want: "purge, keep until 11m30s"},
		"suspended before, resolved": {why: "the limit begins anew", Refs: one, Targets: good, Now: at(time.Hour),
			alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) {
				a.Spec.State = v1beta1.AlertResolved
				row := &a.Status.Deliveries[0]
				row.LastAttemptedHash, row.LastAttemptedReceiver, row.Sequence, row.Attempts, row.Reason = ResolvedHash(), "v1", 2, 1, v1beta1.ReasonSuspended
			}), want: "Resolved#2.2"},
		"suspended before, deleted": {why: "the limit begins anew", Refs: one, Targets: good, Now: at(time.Hour),
			alert: newAlert(rows(holds(oncall)), deletedAt(t0), func(a *v1beta1.Alert) { a.Status.Deliveries[0].Reason = v1beta1.ReasonSuspended }),
			want:  "Resolved#2.1"},
		"nobody": {why: "no receiver is a reason to wait", alert: newAlert(), Now: t0, want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			before := c.alert.DeepCopy()
			in := Inputs{Now: c.Now, Server: times.Server{Known: c.Now}, LeaderSince: c.Since, Refs: c.Refs, Receivers: receiversOf(c.Targets)}
			if !c.Server.IsZero() {
				in.Server.Known = c.Server
			}
			in.change(oncall, func(r *Receiver) {
				r.Blocked = c.Blocked
				if c.failed {
					r.Failed = &FailedAttempt{Since: t0, At: times.Latest(t0, c.failedAt)}
				}
				if c.flying {
					r.InFlight = &InFlightRequest{Since: c.Now}
				}
			})
			plan := Decide(c.alert, in)
			if got := shorthand(plan, c.Now); got != c.want {
				t.Errorf("%s: decided %q, want %q", c.why, got, c.want)
			}
			if !equality.Semantic.DeepEqual(before, c.alert) {
				t.Error("the decision changed what it was made on")
			}
		})
	}
}

// shorthand is a step as the table writes it: event#sequence.attempt.
func shorthand(plan Plan, now time.Time) string {
	var parts []string
	for _, d := range plan.Deliveries {
		if d.Send != nil {
			part := fmt.Sprintf("%s#%d.%d", d.Send.Event, d.Send.Sequence, d.Send.Attempt)
			if d.Send.AtMostOnce {
				part = "once " + part
			}
			parts = append(parts, part)
		}
	}
	if plan.Action != Deliver {
		parts = append(parts, map[Action]string{AddFinalizer: "protect", Release: "release", Purge: "purge"}[plan.Action])
	}
	if !plan.KeepUntil.IsZero() {
		parts = append(parts, "keep until "+plan.KeepUntil.Sub(t0).String())
	}
	if !plan.Wake.IsZero() {
		parts = append(parts, "wake "+plan.Wake.Sub(now).String())
	}
	out := ""
	for i, part := range parts {
		if i > 0 {
			out += ", "
		}
		out += part
	}
	return out
}

// F-P73, F-P69: an Alert whose status is empty says early that its receiver fails, and late that others of a burst come first.
func TestWaitShownAt(t *testing.T) {
	first, known := newAlert(func(a *v1beta1.Alert) { a.Status.ObservedGeneration = -1 }), newAlert()
	for cause, early := range map[limiter.Cause]bool{limiter.Down: true, limiter.LooksMisconfigured: true, limiter.Busy: false, limiter.RateLimited: false, limiter.TenantBusy: false} {
		want := ConditionDelay
		if early {
			want = FirstConditionDelay
		}
		wait := limiter.Wait{Since: t0, Cause: cause}
		if got := WaitShownAt(first, wait).Sub(t0); got != want {
			t.Errorf("%s: after %s, want %s", cause, got, want)
		}
		if got := WaitShownAt(known, wait).Sub(t0); got != ConditionDelay {
			t.Errorf("%s, with a status: after %s", cause, got)
		}
		in := Inputs{Now: t0, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receiversOf(map[v1beta1.ReceiverRef]Target{oncall: usable("v1")})}
		plan := Decide(first, in).Waiting(first, map[v1beta1.ReceiverRef]limiter.Wait{oncall: wait}, t0)
		if at := plan.Wake.Sub(t0); at > want || plan.Sends() {
			t.Errorf("%s: wakes after %s, want %s", cause, at, want)
		}
	}
}

// F-U37: while a receiver is suspended no resolve is being sent.
func TestDeletionThatWaitsForASuspension(t *testing.T) {
	suspended := usable("v1")
	suspended.Problem = &Problem{Reason: v1beta1.ReasonSuspended, Message: `ClusterReceiver "oncall" is suspended`}
	for target, want := range map[*Target]string{
		new(suspended):    "and waits for as long as a receiver is suspended, to send it the resolve afterwards: ClusterReceiver \"oncall\" is suspended",
		new(usable("v1")): "until at most " + times.Format(t0.Add(10*time.Minute)) + ", while the resolve is being sent: ",
	} {
		a := newAlert(rows(holds(oncall)), deletedAt(t0))
		in := Inputs{Now: t0, Server: times.Server{Known: t0}, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receiversOf(map[v1beta1.ReceiverRef]Target{oncall: *target})}
		status := Report(a, Decide(a, in), in)
		ready := meta.FindStatusCondition(status.Conditions, v1beta1.ConditionReady)
		if text := "Being deleted since " + times.Format(t0) + ", " + want; !strings.HasPrefix(ready.Message, text) {
			t.Errorf("got %q, want %q", ready.Message, text)
		}
	}
}

func TestAnAlertWithoutReceiversIsNotReady(t *testing.T) {
	a := newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) { a.Spec.Content = "changed" })
	in := Inputs{Now: t0, Receivers: receiversOf(map[v1beta1.ReceiverRef]Target{oncall: usable("v1")})}
	a.Status = Report(a, Decide(a, in), in)
	if ready := meta.FindStatusCondition(a.Status.Conditions, v1beta1.ConditionReady); ready.Reason != v1beta1.ReasonNoReceiver || a.Status.FinishedTime != nil {
		t.Errorf("nobody holds it, but Ready is %s: %s", ready.Status, ready.Reason)
	}
}

// F-P40: what was sent stays sent where the text is corrected after the expiry.
func TestWhatWasSentBeforeTheExpiryStaysSent(t *testing.T) {
	a := newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) { a.Spec.ExpireAfterSeconds, a.Spec.Content = ptr.To[int32](60), "corrected" })
	in := Inputs{Now: t0.Add(time.Hour), Server: times.Server{Known: t0.Add(time.Hour)}, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receiversOf(map[v1beta1.ReceiverRef]Target{oncall: usable("v1")})}
	plan := Decide(a, in)
	a.Status = Report(a, plan, in)
	if ready := meta.FindStatusCondition(a.Status.Conditions, v1beta1.ConditionReady); plan.Sends() || !a.Status.Sent || ready.Reason != v1beta1.ReasonSent ||
		!strings.Contains(ready.Message, "what changed since is not sent") || meta.IsStatusConditionTrue(a.Status.Conditions, v1beta1.ConditionStalled) {
		t.Errorf("sent is %t, conditions %+v", a.Status.Sent, a.Status.Conditions)
	}
}

// F-P65: of former receivers those that hold a message stay in the status, whose rows are bounded, until they have heard the end.
func TestFormerReceiversHearTheEnd(t *testing.T) {
	nth := func(i int) v1beta1.ReceiverRef {
		return v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: fmt.Sprint("r", i)}
	}
	a := newAlert()
	for i := range 2 * keptRows {
		row := v1beta1.Delivery{Kind: v1beta1.KindReceiver, Name: fmt.Sprint("quiet", i), State: v1beta1.DeliveryFiltered, FilteredHash: ContentHash(&a.Spec)}
		a.Status.Deliveries = append(a.Status.Deliveries, row)
	}
	in := Inputs{Now: t0, Server: times.Server{Known: t0}, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receiversOf(map[v1beta1.ReceiverRef]Target{oncall: usable("v1")})}
	for i := range maxHolding - 1 {
		a.Status.Deliveries = append(a.Status.Deliveries, holding(a, nth(i)))
	}
	plan := Decide(a, in)
	if len(plan.Deliveries) != maxHolding+keptRows || !plan.Sends() {
		t.Errorf("it has %d rows, and sends is %t", len(plan.Deliveries), plan.Sends())
	}

	a.Status.Deliveries = append(a.Status.Deliveries, holding(a, nth(maxHolding)))
	plan = Decide(a, in)
	a.Status = Report(a, plan, in)
	if stalled := meta.FindStatusCondition(a.Status.Conditions, v1beta1.ConditionStalled); plan.Sends() || stalled.Reason != v1beta1.ReasonTooManyReceivers || stalled.Status != metav1.ConditionTrue {
		t.Errorf("sends is %t, and the condition %+v", plan.Sends(), stalled)
	}

	a.Spec.State = v1beta1.AlertResolved
	for _, row := range a.Status.Deliveries {
		in.Receivers[RefOf(row)] = Receiver{Target: usable("v1")}
	}
	ends := 0
	for _, d := range Decide(a, in).Deliveries {
		if d.Send != nil {
			ends++
		}
	}
	if ends != maxHolding {
		t.Errorf("%d of %d receivers hear the end", ends, maxHolding)
	}
}

func TestAStatusIsNeverTooLongForItsSchema(t *testing.T) {
	a := newAlert()
	row := failing(a, oncall, v1beta1.DeliveryPending, t0.Add(time.Hour))
	row.Message = strings.Repeat("ä", MaxMessage)
	a.Status.Deliveries = []v1beta1.Delivery{row}
	view := Inputs{Now: t0, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receiversOf(map[v1beta1.ReceiverRef]Target{oncall: usable("v1")})}
	for range 40 {
		view.Refs = append(view.Refs, v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: fmt.Sprint(len(view.Refs))})
		more := row
		more.Kind, more.Name = v1beta1.KindReceiver, view.Refs[len(view.Refs)-1].Name
		a.Status.Deliveries = append(a.Status.Deliveries, more)
		view.Receivers[view.Refs[len(view.Refs)-1]] = Receiver{Target: usable("v1")}
	}
	status := Report(a, Decide(a, view), view)
	for _, c := range status.Conditions {
		if len(c.Message) > conditions.MaxMessage {
			t.Errorf("the message of %s is %d bytes", c.Type, len(c.Message))
		}
	}
	got := status.Deliveries[0].Message
	if len(got) > MaxMessage || !utf8.ValidString(got) || !strings.HasSuffix(got, "ä…") {
		t.Errorf("the message is %d bytes and ends in %q", len(got), got[len(got)-8:])
	}
}

func TestBackoffGrowsAndStaysApart(t *testing.T) {
	seen := map[time.Duration]bool{}
	for attempt := int32(1); attempt < 100; attempt++ {
		d := Backoff("seed", attempt)
		if low, high := backoff.First*3/4, backoff.Last*5/4; d < low || d > high {
			t.Errorf("attempt %d waits %s, want %s to %s", attempt, d, low, high)
		}
		seen[Backoff(fmt.Sprint("seed", attempt), 20)] = true
	}
	if len(seen) < 50 {
		t.Errorf("99 Alerts that failed together come back at %d different times", len(seen))
	}
	if got, want := Backoff("seed", 2), 1681640625*time.Nanosecond; got != want { // the same in each version
		t.Errorf("the second delay is %s, want %s", got, want)
	}
}

func TestKeysTellApart(t *testing.T) {
	a := newAlert()
	other := newAlert(func(a *v1beta1.Alert) { a.UID = "other" })
	keys := []string{
		DeliveryKey(a, oncall, 1, "h"), DeliveryKey(a, oncall, 2, "h"), DeliveryKey(a, oncall, 1, "g"), DeliveryKey(a, team, 1, "h"),
		DeliveryKey(other, oncall, 1, "h"), IncidentKey(a, oncall), IncidentKey(other, oncall), IncidentKey(a, team),
		DeliveryKey(a, v1beta1.ReceiverRef{Kind: oncall.Kind, Name: "oncall1"}, 1, "h"),
	}
	seen := map[string]bool{}
	for _, key := range keys {
		if seen[key] || len(key) != 32 {
			t.Errorf("key %q is not one of its own, of 32 characters", key)
		}
		seen[key] = true
	}
	// Durable: an upgrade that changes these sends everything again.
	if got, want := ContentHash(&a.Spec), "1:1e32545813d644c17966cb36ca0f7b51"; got != want {
		t.Errorf("the hash of the content is %q, was %q", got, want)
	}
	if got, want := DeliveryKey(a, oncall, 1, "h"), "6345d851899cb0a3fcf2d8b55113586b"; got != want {
		t.Errorf("DeliveryKey is %q, was %q", got, want)
	}
	if spec := a.Spec; reflect.TypeOf(spec).NumField() != 10 {
		t.Error("AlertSpec has another number of fields: is the new one content? Then it is a part of the hash where it is set, or HashVersion has to change")
	}
}

func BenchmarkDecide(b *testing.B) {
	a := newAlert(rows(holds(oncall)))
	in := Inputs{Now: t0, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receiversOf(map[v1beta1.ReceiverRef]Target{oncall: usable("v1")})}
	for b.Loop() {
		Decide(a, in)
	}
}

func BenchmarkReport(b *testing.B) {
	a := newAlert(rows(holds(oncall)))
	in := Inputs{Now: t0, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receiversOf(map[v1beta1.ReceiverRef]Target{oncall: usable("v1")})}
	plan := Decide(a, in)
	for b.Loop() {
		Report(a, plan, in)
	}
}

// F-P26: a refusal of the first content leaves open what the receiver holds where a former leader may have sent it too, without a record.
func TestAFormerLeaderMayHaveSent(t *testing.T) {
	one := []v1beta1.ReceiverRef{oncall}
	for name, since := range map[string]time.Time{"created before this process led": t0.Add(time.Second), "created later": t0} {
		a := newAlert(func(a *v1beta1.Alert) { a.Status.ObservedGeneration = -1 })
		in := Inputs{Now: t0.Add(time.Second), Server: times.Server{Known: t0.Add(time.Second)}, LeaderSince: since, Refs: one, Receivers: receiversOf(map[v1beta1.ReceiverRef]Target{oncall: usable("v1")})}
		plan := Decide(a, in)
		send := plan.Deliveries[0].Send
		row := Apply(plan.Deliveries[0].Row, Outcome{Request: *send, Failure: &result.Error{Class: result.Permanent, Reason: "Rejected"}})
		if row.State != v1beta1.DeliveryFailed || row.OutcomeUnknown != since.After(t0) {
			t.Errorf("%s: %s, outcome unknown %t", name, row.State, row.OutcomeUnknown)
		}
	}
}

// F-P26: the same of a repeat, which is not recorded before it is sent.
func TestAFormerLeaderMayHaveRepeated(t *testing.T) {
	refused := Outcome{Request: Request{Event: result.Fired, Attempt: 1}, Failure: &result.Error{Class: result.Temporary, Reason: "ServerError"}}
	for name, failed := range map[string]*FailedAttempt{"the last attempt is a former leader's": nil, "it is this process's": {}} {
		a := newAlert()
		refused.Hash = ContentHash(&a.Spec)
		PutDelivery(a, Apply(v1beta1.Delivery{Kind: oncall.Kind, Name: oncall.Name}, refused))
		now := t0.Add(time.Hour)
		receivers := map[v1beta1.ReceiverRef]Receiver{oncall: {Target: usable("v1"), Failed: failed}}
		plan := Decide(a, Inputs{Now: now, Server: times.Server{Known: now}, LeaderSince: t0, Refs: []v1beta1.ReceiverRef{oncall}, Receivers: receivers})
		if send := plan.Deliveries[0].Send; send == nil || send.OutcomeUnknown != (failed == nil) {
			t.Errorf("%s: %+v", name, send)
		}
	}
}

// F-P26: a process that no longer leads may hear of a request long after the new leader has repeated it.
func TestALateFailureChangesNoLaterAttempt(t *testing.T) {
	lost := Outcome{Request: Request{Event: result.Resolved, Hash: ResolvedHash(), Sequence: 2, Attempt: 1, OutcomeUnknown: true}, Failure: &result.Error{Class: result.Unknown, Reason: "Timeout"}}
	open := Apply(newAlert(rows(holds(oncall))).Status.Deliveries[0], lost)
	for name, later := range map[string]func(*Outcome){
		"confirmed":                      func(o *Outcome) { o.Attempt, o.Failure = 2, nil },
		"confirmed, neither recorded":    func(o *Outcome) { o.Failure = nil },
		"refused":                        func(o *Outcome) { o.Attempt, o.Failure = 2, &result.Error{Class: result.Permanent, Reason: "Rejected"} },
		"of the next content, confirmed": func(o *Outcome) { o.Event, o.Hash, o.Sequence, o.Failure = result.Fired, "another", 3, nil },
	} {
		next := lost
		later(&next)
		row := Apply(open, next)
		if got := Apply(row, lost); !reflect.DeepEqual(got, row) {
			t.Errorf("%s: the row was %+v, and is %+v", name, row, got)
		}
	}
}

// keptFor is the target of a receiver whose sender is kept, for a reason.
func keptFor(reason string) Target {
	t := usable("v1")
	t.Leaving, t.ResolvesOnly, t.Problem = true, true, &Problem{Reason: reason}
	return t
}
