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
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
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
	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/receivers"
)

var (
	t0     = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	oncall = v1beta1.ReceiverRef{Kind: v1beta1.KindClusterReceiver, Name: "oncall"}
	team   = v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: "team"}
)

func usable(version string) receivers.Party {
	return receivers.Party{Version: version, Spec: &v1beta1.CommonReceiverSpec{ResolveTimeoutSeconds: ptr.To[int32](600)}}
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
	hash := pageHash(&a.Spec)
	return v1beta1.Delivery{
		Kind: ref.Kind, Name: ref.Name, State: v1beta1.DeliverySent, ContentHash: hash, TriedHash: hash,
		Sequence: 1, Attempts: 1, LastAttemptTime: seconds(t0), SentTime: seconds(t0),
	}
}

// failing is a row whose last attempt failed in a way that leads to the state.
func failing(a *v1beta1.Alert, ref v1beta1.ReceiverRef, state v1beta1.DeliveryState, next time.Time) v1beta1.Delivery {
	row := v1beta1.Delivery{
		Kind: ref.Kind, Name: ref.Name, State: state, TriedHash: pageHash(&a.Spec), TriedWith: "v1",
		Sequence: 1, Attempts: 3, FirstAttemptTime: seconds(t0), LastAttemptTime: seconds(t0),
	}
	if !next.IsZero() {
		row.NextAttemptTime = seconds(next)
	}
	row.Uncertain = state == v1beta1.DeliveryPending
	return row
}

func deletedAt(t time.Time) func(*v1beta1.Alert) {
	return func(a *v1beta1.Alert) { a.DeletionTimestamp = &metav1.Time{Time: t} }
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

func fails(ref v1beta1.ReceiverRef, state v1beta1.DeliveryState, next time.Time) func(*v1beta1.Alert) v1beta1.Delivery {
	return func(a *v1beta1.Alert) v1beta1.Delivery { return failing(a, ref, state, next) }
}

func TestDecide(t *testing.T) {
	at := func(d time.Duration) time.Time { return t0.Add(d) }
	one := []v1beta1.ReceiverRef{oncall}
	good := map[v1beta1.ReceiverRef]receivers.Party{oncall: usable("v1")}
	for name, c := range map[string]struct {
		why     string
		alert   *v1beta1.Alert
		refs    []v1beta1.ReceiverRef
		parties map[v1beta1.ReceiverRef]receivers.Party
		now     time.Time
		want    string // sends, then what else, then the wake
	}{
		"new": {why: "it is sent at once", alert: newAlert(), refs: one, parties: good, now: t0,
			want: "Fired#1.1"},
		"without finalizer": {why: "no effect before its undo is in etcd", refs: one, parties: good, now: t0,
			alert: newAlert(func(a *v1beta1.Alert) { a.Finalizers = nil }), want: "protect"},
		"held": {why: "a receiver that holds it is left alone", alert: newAlert(rows(holds(oncall))), refs: one, parties: good, now: t0,
			want: ""},
		"edited receiver": {why: "an edited receiver never sends again what is sent", alert: newAlert(rows(holds(oncall))), refs: one, now: t0,
			parties: map[v1beta1.ReceiverRef]receivers.Party{oncall: usable("v2")}, want: ""},
		"added receiver": {why: "only the new one is paged", alert: newAlert(rows(holds(oncall))), refs: []v1beta1.ReceiverRef{oncall, team}, now: t0,
			parties: map[v1beta1.ReceiverRef]receivers.Party{oncall: usable("v1"), team: usable("v1")}, want: "Fired#1.1"},
		"removed receiver": {why: "what it holds stays on record", alert: newAlert(rows(holds(oncall), holds(team))), refs: one, parties: good, now: t0,
			want: ""},
		"changed": {why: "new content has a new key", alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) { a.Spec.Content = "B" }), refs: one, parties: good, now: t0,
			want: "Updated#2.1"},
		"back again": {why: "A, B, A is sent anew also where B never got through", refs: one, parties: good, now: t0,
			alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) { a.Status.Deliveries[0].TriedHash, a.Status.Deliveries[0].Sequence = "1:b", 2 }),
			want:  "Updated#3.1"},
		"waiting": {why: "not before it is due", alert: newAlert(rows(fails(oncall, v1beta1.DeliveryPending, at(time.Minute)))), refs: one, parties: good, now: t0,
			want: "wake 1m0s"},
		"due": {why: "a repeat has the same sequence, so the same key", alert: newAlert(rows(fails(oncall, v1beta1.DeliveryPending, at(time.Minute)))), refs: one, parties: good, now: at(time.Minute),
			want: "Fired#1.4"},
		"receiver changed while waiting": {why: "what kept it may be mended", alert: newAlert(rows(fails(oncall, v1beta1.DeliveryPending, at(time.Minute)))), refs: one, now: t0,
			parties: map[v1beta1.ReceiverRef]receivers.Party{oncall: usable("v2")}, want: "Fired#1.4"},
		"refused": {why: "not again by itself", alert: newAlert(rows(fails(oncall, v1beta1.DeliveryFailed, time.Time{}))), refs: one, parties: good, now: at(time.Hour),
			want: ""},
		"refused, receiver changed": {why: "a change is a reason to try", alert: newAlert(rows(fails(oncall, v1beta1.DeliveryFailed, time.Time{}))), refs: one, now: t0,
			parties: map[v1beta1.ReceiverRef]receivers.Party{oncall: usable("v2")}, want: "Fired#1.4"},
		"expires": {why: "an event at its expiry says so", alert: newAlert(rows(fails(oncall, v1beta1.DeliveryFailed, time.Time{})), func(a *v1beta1.Alert) { a.Spec.ExpireAfterSeconds = ptr.To[int32](60) }), refs: one, parties: good, now: t0,
			want: "wake 1m0s"},
		"expired": {why: "nobody is paged about yesterday", alert: newAlert(func(a *v1beta1.Alert) { a.Spec.ExpireAfterSeconds = ptr.To[int32](60) }), refs: one, parties: good, now: at(time.Minute),
			want: ""},
		"expired, held": {why: "telling that it is over is no page", refs: one, parties: good, now: at(time.Hour),
			alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) {
				a.Spec.ExpireAfterSeconds, a.Spec.State = ptr.To[int32](60), v1beta1.AlertResolved
			}), want: "Resolved#2.1"},
		"resolved, never sent": {why: "who was not paged is not told", alert: newAlert(func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved }), refs: one, parties: good, now: t0,
			want: ""},
		"resolved, outcome unknown": {why: "who may have been paged is told", alert: newAlert(rows(fails(oncall, v1beta1.DeliveryPending, at(time.Minute))), func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved }), refs: one, parties: good, now: t0,
			want: "Resolved#2.1"},
		"resolved, certainly not sent": {why: "a refused connection is nothing to take back", refs: one, parties: good, now: t0,
			alert: newAlert(rows(fails(oncall, v1beta1.DeliveryPending, at(time.Minute))), func(a *v1beta1.Alert) {
				a.Spec.State, a.Status.Deliveries[0].Uncertain = v1beta1.AlertResolved, false
			}), want: ""},
		"resolved, unknown and then refused": {why: "the refusal says nothing of the attempt before", refs: one, parties: good, now: t0,
			alert: newAlert(rows(fails(oncall, v1beta1.DeliveryFailed, time.Time{})), func(a *v1beta1.Alert) {
				a.Spec.State, a.Status.Deliveries[0].Uncertain = v1beta1.AlertResolved, true
			}), want: "Resolved#2.1"},
		"resolve limit, receiver away": {why: "no wake-up in the past", refs: one, now: at(time.Hour),
			parties: map[v1beta1.ReceiverRef]receivers.Party{oncall: {Problem: &receivers.Problem{Reason: "ReceiverNotFound"}}},
			alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) {
				a.Spec.State = v1beta1.AlertResolved
				row := &a.Status.Deliveries[0]
				row.TriedHash, row.TriedWith, row.Sequence, row.FirstAttemptTime = resolvedHash(), "v1", 2, seconds(t0)
			}), want: ""},
		"deleted after the resolve limit": {why: "a deletion is a reason to try again", refs: one, parties: good, now: at(time.Hour),
			alert: newAlert(rows(holds(oncall)), deletedAt(at(time.Hour)), func(a *v1beta1.Alert) {
				a.Spec.State = v1beta1.AlertResolved
				row := &a.Status.Deliveries[0]
				row.TriedHash, row.TriedWith, row.Sequence, row.Attempts, row.FirstAttemptTime = resolvedHash(), "v1", 2, 5, seconds(t0)
			}), want: "Resolved#2.6, wake 10m0s"},
		"deleted after a refused resolve": {why: "once, as it may be mended", refs: one, parties: good, now: at(time.Hour),
			alert: newAlert(rows(holds(oncall)), deletedAt(at(time.Hour)), func(a *v1beta1.Alert) {
				row := &a.Status.Deliveries[0]
				row.State, row.TriedHash, row.TriedWith, row.Sequence = v1beta1.DeliveryFailed, resolvedHash(), "v1", 2
			}), want: "Resolved#2.2, wake 10m0s"},
		"restored, expired": {why: "old news ends", refs: one, parties: good, now: at(time.Hour),
			alert: newAlert(func(a *v1beta1.Alert) {
				a.Labels = map[string]string{restoreLabel: "r"}
				a.Spec.ExpireAfterSeconds = ptr.To[int32](60)
			}), want: ""},
		"resolve limit": {why: "a resolve is not tried for ever", refs: one, parties: good, now: at(10 * time.Minute),
			alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) {
				a.Spec.State = v1beta1.AlertResolved
				row := &a.Status.Deliveries[0]
				row.TriedHash, row.TriedWith, row.Sequence, row.FirstAttemptTime = resolvedHash(), "v1", 2, seconds(t0)
			}), want: ""},
		"deleted, held": {why: "the receiver is told first", alert: newAlert(rows(holds(oncall)), deletedAt(at(time.Hour))), refs: one, parties: good, now: at(time.Hour),
			want: "Resolved#2.1, wake 10m0s"},
		"deleted, told": {why: "nothing is left", refs: one, parties: good, now: at(time.Hour),
			alert: newAlert(rows(holds(oncall)), deletedAt(at(time.Hour)), func(a *v1beta1.Alert) {
				a.Status.Deliveries[0].ContentHash, a.Status.Deliveries[0].TriedHash = resolvedHash(), resolvedHash()
			}), want: "release"},
		"deleted, limit over": {why: "deletion ends", alert: newAlert(rows(holds(oncall)), deletedAt(t0)), refs: one, parties: good, now: at(10 * time.Minute),
			want: "release"},
		"deleted, receiver gone": {why: "there is nobody to tell", alert: newAlert(rows(holds(oncall)), deletedAt(t0)), refs: one, now: t0,
			parties: map[v1beta1.ReceiverRef]receivers.Party{oncall: {Problem: &receivers.Problem{Reason: "ReceiverNotFound"}}}, want: "release"},
		"deleted, retained": {why: "a person lets go", alert: newAlert(rows(holds(oncall)), deletedAt(t0), func(a *v1beta1.Alert) { a.Annotations = map[string]string{deletionPolicyAnnotation: retain} }), refs: one, parties: good, now: t0,
			want: "release"},
		"deleted, young": {why: "apply and delete in one script still pages", alert: newAlert(deletedAt(at(time.Minute))), refs: one, parties: good, now: at(time.Minute),
			want: "Fired#1.1, wake 10m0s"},
		"deleted, not so young": {why: "a storm can be purged", alert: newAlert(deletedAt(at(time.Minute + time.Second))), refs: one, parties: good, now: at(2 * time.Minute),
			want: "release"},
		"deleted, tried": {why: "a failed attempt was the one", alert: newAlert(rows(fails(oncall, v1beta1.DeliveryPending, at(time.Minute))), deletedAt(t0)), refs: one, parties: good, now: t0,
			want: "release"},
		"deleted, another's finalizer": {why: "ours is gone, so we are done", alert: newAlert(deletedAt(t0), func(a *v1beta1.Alert) { a.Finalizers = []string{"x/y"} }), refs: one, parties: good, now: t0,
			want: ""},
		"restored": {why: "old news waits for a person", alert: newAlert(func(a *v1beta1.Alert) { a.Labels = map[string]string{restoreLabel: "r"} }), refs: one, parties: good, now: t0,
			want: ""},
		"time to live": {why: "it counts from the end", refs: one, parties: good, now: at(time.Minute),
			alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) {
				a.Spec.TTLSecondsAfterFinished, a.Status.FinishedTime = ptr.To[int32](90), seconds(t0)
			}), want: "wake 30s"},
		"time to live over": {why: "it deletes itself, and makes no finalizer anew", refs: one, parties: good, now: at(2 * time.Minute),
			alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) {
				a.Finalizers = nil
				a.Spec.TTLSecondsAfterFinished, a.Status.FinishedTime = ptr.To[int32](90), seconds(t0)
			}), want: "purge"},
		"time to live over, content changed": {why: "it is not finished any more", refs: one, parties: good, now: at(2 * time.Minute),
			alert: newAlert(rows(holds(oncall)), func(a *v1beta1.Alert) {
				a.Spec.TTLSecondsAfterFinished, a.Status.FinishedTime = ptr.To[int32](90), seconds(t0)
				a.Spec.Content = "B"
			}), want: "Updated#2.1"},
		"filtered": {why: "the filter was asked about this content once, like everything about a receiver", refs: one, parties: good, now: t0,
			alert: newAlert(func(a *v1beta1.Alert) {
				a.Status.Deliveries = []v1beta1.Delivery{{Kind: oncall.Kind, Name: oncall.Name, State: v1beta1.DeliveryFiltered, FilteredHash: pageHash(&a.Spec)}}
			}), want: ""},
		"filtered, changed": {why: "new content is asked about anew", refs: one, parties: good, now: t0,
			alert: newAlert(func(a *v1beta1.Alert) {
				a.Status.Deliveries = []v1beta1.Delivery{{Kind: oncall.Kind, Name: oncall.Name, State: v1beta1.DeliveryFiltered, FilteredHash: pageHash(&a.Spec)}}
				a.Spec.Content = "B"
			}), want: "Fired#1.1"},
		"nobody": {why: "no receiver is a reason to wait", alert: newAlert(), now: t0, want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			before := c.alert.DeepCopy()
			s := decide(c.alert, world{now: c.now, refs: c.refs, parties: c.parties})
			if got := shorthand(s, c.now); got != c.want {
				t.Errorf("%s: decided %q, want %q", c.why, got, c.want)
			}
			if !equality.Semantic.DeepEqual(before, c.alert) {
				t.Error("the decision changed what it was made on")
			}
		})
	}
}

// shorthand is a step as the table writes it: event#sequence.attempt.
func shorthand(s step, now time.Time) string {
	var parts []string
	for _, turn := range s.turns {
		if turn.send != nil {
			parts = append(parts, fmt.Sprintf("%s#%d.%d", turn.send.event, turn.send.sequence, turn.send.attempt))
		}
	}
	for name, is := range map[string]bool{"protect": s.protect, "release": s.release, "purge": s.purge} {
		if is {
			parts = append(parts, name)
		}
	}
	if !s.wake.IsZero() {
		parts = append(parts, "wake "+s.wake.Sub(now).String())
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

// TestWalks walks an Alert through edits, answers, lost answers, crashes and
// time, and checks what must hold wherever it stands.
func TestWalks(t *testing.T) {
	for seed := range uint64(3000) {
		w := &walk{T: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 1)), now: t0, alert: newAlert(), held: map[v1beta1.ReceiverRef]string{}, keys: map[string]string{}}
		w.parties = map[v1beta1.ReceiverRef]receivers.Party{oncall: usable("v0"), team: usable("v0")}
		w.refs = []v1beta1.ReceiverRef{oncall, team}
		for range 40 {
			if !w.crashed {
				w.edit()
			}
			if w.reconcile(); w.released {
				break
			}
		}
		if !w.released {
			w.settle()
		}
	}
}

type walk struct {
	*testing.T
	seed     uint64
	rnd      *rand.Rand
	now      time.Time
	alert    *v1beta1.Alert
	refs     []v1beta1.ReceiverRef
	parties  map[v1beta1.ReceiverRef]receivers.Party
	held     map[v1beta1.ReceiverRef]string // what each receiver really holds: a hash
	keys     map[string]string              // key → receiver and hash
	calm     bool                           // every request succeeds, nothing crashes
	crashed  bool
	released bool
}

func (w *walk) failf(format string, args ...any) {
	w.Helper()
	w.Fatalf("seed %d: %s\nalert: %+v", w.seed, fmt.Sprintf(format, args...), w.alert)
}

func (w *walk) edit() {
	w.now = w.now.Add(time.Duration(w.rnd.IntN(90)) * time.Second)
	deleted := !w.alert.DeletionTimestamp.IsZero()
	switch w.rnd.IntN(12) {
	case 0:
		w.alert.Spec.Content = string(rune('A' + w.rnd.IntN(3)))
		w.alert.Generation++
	case 1:
		w.alert.Spec.State = []v1beta1.AlertState{v1beta1.AlertFiring, v1beta1.AlertResolved}[w.rnd.IntN(2)]
		w.alert.Generation++
	case 2:
		w.parties[oncall] = usable(fmt.Sprintf("v%d", w.rnd.IntN(3)))
	case 3:
		w.refs = [][]v1beta1.ReceiverRef{{oncall}, {team}, {oncall, team}}[w.rnd.IntN(3)]
	case 5:
		w.parties[oncall] = receivers.Party{Problem: &receivers.Problem{Reason: v1beta1.ReasonReceiverNotFound, Message: "away"}}
	case 6:
		suspended := usable("v9")
		suspended.Problem = &receivers.Problem{Reason: v1beta1.ReasonSuspended, Message: "suspended"}
		w.parties[team] = suspended
	case 7:
		loud := usable(fmt.Sprintf("v%d", w.rnd.IntN(3)))
		loud.Spec.MinSeverity = []v1beta1.Severity{v1beta1.SeverityInfo, v1beta1.SeverityCritical}[w.rnd.IntN(2)]
		w.parties[team] = loud
	case 8:
		w.alert.Spec.ExpireAfterSeconds = []*int32{nil, ptr.To[int32](60), ptr.To[int32](3600)}[w.rnd.IntN(3)]
		w.alert.Generation++
	case 4:
		if !deleted && w.rnd.IntN(4) == 0 {
			w.alert.DeletionTimestamp = seconds(w.now)
		}
	}
}

// reconcile does what the reconciler does, with faults between any two steps.
func (w *walk) reconcile() {
	view := world{now: w.now, refs: w.refs, parties: w.parties}
	s := decide(w.alert, view)
	after := w.alert.DeepCopy()
	for _, turn := range s.turns {
		if turn.send == nil {
			continue
		}
		o := outcome{send: *turn.send, ref: refOf(turn.row), began: w.now, at: w.now}
		w.deliver(&o)
		if crash := !w.calm && w.rnd.IntN(6) == 0; crash {
			// Nothing is recorded. An edit that is taken back before the next
			// start is the one thing that cannot be known then (docs/concepts.md).
			w.crashed = true
			return
		}
		applyOutcome(after, o)
		once := after.DeepCopy()
		if applyOutcome(after, o); !equality.Semantic.DeepEqual(once, after) {
			w.failf("an outcome folded twice is not what it is folded once")
		}
	}
	w.crashed = false
	s = decide(after, view)
	if s.release {
		w.checkRelease(after)
		w.released = true
		return
	}
	after.Status = report(after, s, view)
	w.checkStatus(after)
	w.alert = after
	if again := report(after, decide(after, view), view); !equality.Semantic.DeepEqual(again, after.Status) {
		w.failf("a second look writes again:\n%+v\n%+v", again, after.Status)
	}
}

// deliver is the receiver: it may act and not say so.
func (w *walk) deliver(o *outcome) {
	if len(w.alert.Finalizers) == 0 {
		w.failf("sent without a finalizer")
	}
	key := deliveryKey(w.alert, o.ref, o.sequence, o.hash)
	meaning := fmt.Sprint(o.ref, o.hash)
	if was, ok := w.keys[key]; ok && was != meaning {
		w.failf("one key for two messages: %s and %s", was, meaning)
	}
	w.keys[key] = meaning
	switch roll := w.rnd.IntN(8); {
	case w.calm || roll < 4:
		w.held[o.ref] = o.hash
	case roll < 6: // acted, but we are not told
		w.held[o.ref] = o.hash
		o.failure = &notify.Error{Class: notify.Unknown, Reason: "Timeout"}
	case roll == 6:
		o.failure = &notify.Error{Class: notify.Temporary, Reason: "RateLimited", RetryAfter: time.Minute}
	default:
		o.failure = &notify.Error{Class: notify.Permanent, Reason: "Rejected"}
	}
}

// checkStatus: a status claims only what a receiver confirmed.
func (w *walk) checkStatus(a *v1beta1.Alert) {
	for _, row := range a.Status.Deliveries {
		if row.State == v1beta1.DeliverySent && row.ContentHash != row.TriedHash && !isResolved(row.TriedHash) {
			w.failf("%s is Sent, but something else was tried since", row.Name)
		}
	}
	firing := a.Spec.State == v1beta1.AlertFiring && a.DeletionTimestamp.IsZero()
	for _, row := range a.Status.Deliveries {
		wanted := slices.Contains(w.refs, refOf(row))
		if firing && wanted && confirmed(row, pageHash(&a.Spec)) != (row.State == v1beta1.DeliverySent) {
			w.failf("%s is %s: what it holds says otherwise", row.Name, row.State)
		}
		if firing && wanted && a.Status.FinishedTime != nil && (row.State == v1beta1.DeliveryPending || row.State == v1beta1.DeliveryFailed) {
			w.failf("finished, but %s is %s", row.Name, row.State)
		}
	}
	if ready := meta.IsStatusConditionTrue(a.Status.Conditions, v1beta1.ConditionReady); firing && ready != (a.Status.FinishedTime != nil && !slices.ContainsFunc(a.Status.Deliveries, func(row v1beta1.Delivery) bool {
		return slices.Contains(w.refs, refOf(row)) && row.State == v1beta1.DeliveryExpired
	})) {
		w.failf("Ready is %v", ready)
	}
	if a.Status.Sent && a.DeletionTimestamp.IsZero() {
		for _, ref := range w.refs {
			filtered := deliveryIn(a.Status.Deliveries, v1beta1.Delivery{Kind: ref.Kind, Name: ref.Name}).State == v1beta1.DeliveryFiltered
			if firing && !filtered && w.held[ref] != pageHash(&a.Spec) {
				w.failf("sent is true, but %s holds %q", ref.Name, w.held[ref])
			}
		}
	}
}

// checkRelease: what a receiver confirmed is undone before we let go, or its
// time is over, or there is no receiver any more.
func (w *walk) checkRelease(a *v1beta1.Alert) {
	for _, row := range a.Status.Deliveries {
		if p := w.parties[refOf(row)]; p.Spec != nil && holdsPage(row) && w.now.Before(a.DeletionTimestamp.Add(p.ResolveTimeout())) {
			w.failf("let go while %s holds a page", row.Name)
		}
	}
}

// settle: once the faults stop, the end is what the spec says, and then silence.
func (w *walk) settle() {
	w.calm = true
	w.parties[oncall], w.parties[team] = usable("calm"), usable("calm")
	w.alert.Spec.ExpireAfterSeconds = nil
	for range 10 {
		w.now = w.now.Add(time.Hour)
		if w.reconcile(); w.released {
			return
		}
	}
	if w.alert.Spec.State == v1beta1.AlertFiring && w.alert.DeletionTimestamp.IsZero() {
		for _, ref := range w.refs {
			filtered := deliveryIn(w.alert.Status.Deliveries, v1beta1.Delivery{Kind: ref.Kind, Name: ref.Name}).State == v1beta1.DeliveryFiltered
			if !filtered && w.held[ref] != pageHash(&w.alert.Spec) {
				w.failf("in the end %s holds %q", ref.Name, w.held[ref])
			}
		}
	}
	view := world{now: w.now, refs: w.refs, parties: w.parties}
	if s := decide(w.alert, view); shorthand(s, w.now) != "" {
		w.failf("not silent in the end: %s", shorthand(s, w.now))
	}
}

func TestAStatusIsNeverTooLongForItsSchema(t *testing.T) {
	a := newAlert()
	row := failing(a, oncall, v1beta1.DeliveryPending, t0.Add(time.Hour))
	row.Message = strings.Repeat("ä", maxMessage)
	a.Status.Deliveries = []v1beta1.Delivery{row}
	view := world{now: t0, refs: []v1beta1.ReceiverRef{oncall}, parties: map[v1beta1.ReceiverRef]receivers.Party{oncall: usable("v1")}}
	for range 40 {
		view.refs = append(view.refs, v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: fmt.Sprint(len(view.refs))})
		more := row
		more.Kind, more.Name = v1beta1.KindReceiver, view.refs[len(view.refs)-1].Name
		a.Status.Deliveries = append(a.Status.Deliveries, more)
		view.parties[view.refs[len(view.refs)-1]] = usable("v1")
	}
	status := report(a, decide(a, view), view)
	for _, c := range status.Conditions {
		if len(c.Message) > maxConditionMessage {
			t.Errorf("the message of %s is %d bytes", c.Type, len(c.Message))
		}
	}
	got := status.Deliveries[0].Message
	if len(got) > maxMessage || !utf8.ValidString(got) || !strings.HasSuffix(got, "ä…") {
		t.Errorf("the message is %d bytes and ends in %q", len(got), got[len(got)-8:])
	}
}

func TestBackoffGrowsAndStaysApart(t *testing.T) {
	seen := map[time.Duration]bool{}
	for attempt := int32(1); attempt < 100; attempt++ {
		d := backoff("seed", attempt)
		if low, high := firstBackoff*3/4, lastBackoff*5/4; d < low || d > high {
			t.Errorf("attempt %d waits %s, want %s to %s", attempt, d, low, high)
		}
		seen[backoff(fmt.Sprint("seed", attempt), 20)] = true
	}
	if len(seen) < 50 {
		t.Errorf("99 Alerts that failed together come back at %d different times", len(seen))
	}
}

func TestKeysTellApart(t *testing.T) {
	a := newAlert()
	other := newAlert(func(a *v1beta1.Alert) { a.UID = "other" })
	keys := []string{
		deliveryKey(a, oncall, 1, "h"), deliveryKey(a, oncall, 2, "h"), deliveryKey(a, oncall, 1, "g"), deliveryKey(a, team, 1, "h"),
		deliveryKey(other, oncall, 1, "h"), incidentKey(a, oncall), incidentKey(other, oncall), incidentKey(a, team),
		deliveryKey(a, v1beta1.ReceiverRef{Kind: oncall.Kind, Name: "oncall1"}, 1, "h"),
	}
	seen := map[string]bool{}
	for _, key := range keys {
		if seen[key] || len(key) != 32 {
			t.Errorf("key %q is not one of its own, of 32 characters", key)
		}
		seen[key] = true
	}
	// Durable: an upgrade that changes these sends everything again.
	if got, want := pageHash(&a.Spec), "1:1e32545813d644c17966cb36ca0f7b51"; got != want {
		t.Errorf("pageHash is %q, was %q", got, want)
	}
	if got, want := deliveryKey(a, oncall, 1, "h"), "6345d851899cb0a3fcf2d8b55113586b"; got != want {
		t.Errorf("deliveryKey is %q, was %q", got, want)
	}
	if spec := a.Spec; reflect.TypeOf(spec).NumField() != 7 {
		t.Error("AlertSpec has another number of fields: is the new one content? Then pageHash needs a new version")
	}
}
