// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/utils/ptr"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/walktest"
)

// pager is asked once only.
var pager = v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: "pager"}

// TestWalks walks an Alert through edits, answers, lost answers, crashes and
// time, and checks what must hold wherever it stands.
func TestWalks(t *testing.T) {
	for seed := range walktest.Count(500, 1500) {
		w := &walk{T: t, seed: seed, rnd: rand.New(rand.NewPCG(seed, 1)), Now: t0, started: t0, failed: map[v1beta1.ReceiverRef]FailedAttempt{}, alert: newAlert(), held: map[v1beta1.ReceiverRef]string{}, keys: map[string]string{}, tried: map[string]bool{}, accepted: map[string]bool{},
			joined: map[string]string{}, told: map[v1beta1.ReceiverRef]string{}, certain: map[v1beta1.ReceiverRef]bool{}}
		w.Targets = map[v1beta1.ReceiverRef]Target{oncall: usable("v0"), team: usable("v0"), pager: policy(v1beta1.AtMostOnce)[oncall]}
		w.Refs = []v1beta1.ReceiverRef{oncall, team, pager}
		w.alert.Status.ObservedGeneration = -1
		for range 40 {
			w.edit()
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
	Now      time.Time     // of the API server
	skew     time.Duration // of the process's clock
	started  time.Time     // when the process did, of the API server
	failed   map[v1beta1.ReceiverRef]FailedAttempt
	alert    *v1beta1.Alert
	Refs     []v1beta1.ReceiverRef
	Targets  map[v1beta1.ReceiverRef]Target
	held     map[v1beta1.ReceiverRef]string // what each receiver really holds: a hash
	keys     map[string]string              // key → receiver and hash
	tried    map[string]bool                // keys that may have arrived at a receiver of AtMostOnce
	accepted map[string]bool                // keys of messages that a receiver took
	flying   []Outcome                      // of requests that are under way
	ledger   []Outcome                      // not recorded yet
	joined   map[string]string              // hash → joinedTime; "": none
	told     map[v1beta1.ReceiverRef]string // the joinedTime of the last message that notified
	certain  map[v1beta1.ReceiverRef]bool   // it is recorded that the last message was confirmed
	firedAt  time.Time                      // when it was edited to fire again, after it was recorded as resolved; zero: it was not
	calm     bool                           // every request succeeds, nothing crashes
	released bool
}

func (w *walk) failf(format string, args ...any) {
	w.Helper()
	w.Fatalf("seed %d: %s\nalert: %+v", w.seed, fmt.Sprintf(format, args...), w.alert)
}

func (w *walk) edit() {
	w.Now = w.Now.Add(time.Duration(w.rnd.IntN(90)) * time.Second)
	w.moveClock()
	deleted := !w.alert.DeletionTimestamp.IsZero()
	defer func() {
		w.joined[ContentHash(&w.alert.Spec)] = ""
		if at := w.alert.Spec.JoinedTime; at != nil {
			w.joined[ContentHash(&w.alert.Spec)] = times.Format(at.Time)
		}
	}()
	switch w.rnd.IntN(14) {
	case 0:
		w.alert.Spec.Content = string(rune('A' + w.rnd.IntN(3)))
		w.alert.Spec.Severity = severities[w.rnd.IntN(3)]
		w.alert.Generation++
	case 1:
		w.alert.Spec.State = []v1beta1.AlertState{v1beta1.AlertFiring, v1beta1.AlertResolved}[w.rnd.IntN(2)]
		w.alert.Generation++
		if recorded := w.alert.Status; w.alert.Spec.State == v1beta1.AlertFiring && recorded.Occurrence > 0 && recorded.FiringSince == nil {
			w.firedAt = w.Now
		}
	case 10: // instances join
		w.alert.Spec.JoinedTime = times.Timestamp(w.Now)
		fallthrough
	case 11: // others leave
		w.alert.Spec.Content = string(rune('A' + w.rnd.IntN(3)))
		w.alert.Generation++
	case 2:
		w.Targets[oncall] = usable(fmt.Sprintf("v%d", w.rnd.IntN(3)))
	case 3:
		w.Refs = [][]v1beta1.ReceiverRef{{oncall}, {team}, {pager}, {oncall, team, pager}, nil}[w.rnd.IntN(5)]
		w.alert.Generation++
	case 9:
		changed := w.Targets[pager]
		changed.Version = fmt.Sprintf("v%d", w.rnd.IntN(3))
		w.Targets[pager] = changed
	case 5:
		w.Targets[oncall] = Target{Problem: &Problem{Reason: v1beta1.ReasonReceiverNotFound, Message: "away"}}
	case 6:
		suspended := usable("v9")
		suspended.Problem = &Problem{Reason: v1beta1.ReasonSuspended, Message: "suspended"}
		w.Targets[team] = suspended
	case 7:
		loud := usable(fmt.Sprintf("v%d", w.rnd.IntN(3)))
		loud.Spec.MinSeverity = []v1beta1.Severity{v1beta1.SeverityInfo, v1beta1.SeverityCritical}[w.rnd.IntN(2)]
		w.Targets[team] = loud
	case 8:
		w.alert.Spec.ExpireAfterSeconds = []*int32{nil, ptr.To[int32](60), ptr.To[int32](3600)}[w.rnd.IntN(3)]
		w.alert.Spec.TTLSecondsAfterFinished = []*int32{nil, nil, nil, ptr.To[int32](7200)}[w.rnd.IntN(4)]
		w.alert.Generation++
	case 4:
		if !deleted && w.rnd.IntN(4) == 0 {
			w.alert.DeletionTimestamp = times.Timestamp(w.Now)
		}
	default: // no edit
	}
}

// reconcile does what the reconciler does, with faults between any two steps.
func (w *walk) reconcile() {
	w.land()
	alert, view := w.look()
	plan := Decide(alert, view)
	w.checkWake(alert, plan)
	sends := plan.Deliveries
	if !w.writeAhead(alert, view, sends) {
		return
	}
	for _, d := range sends {
		if d.Send == nil {
			continue
		}
		o := Outcome{Request: *d.Send, Ref: RefOf(d.Row), Began: w.Now, At: w.local()}
		w.deliver(&o)
		if !w.calm && w.rnd.IntN(6) == 0 {
			w.crash()
			return
		}
		w.flying = append(w.flying, o)
	}
	w.land()
	w.record()
}

// checkWake checks that no delivery is due before the Alert is looked at again, unless it is about to be gone.
func (w *walk) checkWake(alert *v1beta1.Alert, plan Plan) {
	if !alert.DeletionTimestamp.IsZero() && len(alert.Finalizers) == 0 || plan.Action == Release || plan.Action == Purge {
		return
	}
	for _, d := range plan.Deliveries {
		if d.phase == phaseInProgress && d.Row.State == v1beta1.DeliveryPending && d.Send == nil && d.Wake.Sub(w.local()) > 45*time.Minute {
			w.failf("%s is due at %s, and it is %s", RefOf(d.Row).Name, d.Wake, w.local())
		}
		if !d.Wake.IsZero() && (plan.Wake.IsZero() || d.Wake.Before(plan.Wake)) {
			w.failf("%s is due at %s, and the Alert is looked at again at %s", RefOf(d.Row).Name, d.Wake, plan.Wake)
		}
	}
}

// look is what a reconcile sees: the recorded status with what is in the ledger.
func (w *walk) look() (*v1beta1.Alert, Inputs) {
	alert := w.alert.DeepCopy()
	for _, o := range w.ledger {
		applied := Apply(DeliveryIn(alert.Status.Deliveries, o.Ref), o)
		if twice := Apply(applied, o); !equality.Semantic.DeepEqual(applied, twice) {
			w.failf("an Outcome folded twice is not what it is folded once")
		}
		PutDelivery(alert, applied)
	}
	view := Inputs{Now: w.local(), Server: times.Server{Known: w.Now}, LeaderSince: w.started, Refs: w.Refs, Receivers: receiversOf(w.Targets)}
	for ref := range w.Targets {
		view.change(ref, func(r *Receiver) { r.Edits = func(string) bool { return canEdit(ref) } })
	}
	for ref, failed := range w.failed {
		view.change(ref, func(r *Receiver) { r.Failed = &failed })
	}
	for _, o := range w.flying {
		view.change(o.Ref, func(r *Receiver) {
			r.InFlight = &InFlightRequest{Request: o.Request, Since: w.local(), Began: o.Began}
		})
	}
	return alert, view
}

// writeAhead puts on record what must not be sent twice; the API server may be away.
func (w *walk) writeAhead(alert *v1beta1.Alert, view Inputs, sends []DeliveryPlan) bool {
	ahead := false
	for _, t := range sends {
		if t.Send != nil && t.Send.WriteAhead {
			ahead = true
		}
	}
	if !ahead {
		return true
	}
	if !w.calm && w.rnd.IntN(8) == 0 {
		return false
	}
	for _, t := range sends {
		if t.Send != nil {
			view.change(RefOf(t.Row), func(r *Receiver) {
				r.InFlight = &InFlightRequest{Request: *t.Send, Since: w.local(), Began: w.Now}
			})
		}
	}
	alert.Status = Report(alert, Decide(alert, view), view)
	w.checkStatus(alert)
	w.alert, w.ledger = alert, nil
	if !w.calm && w.rnd.IntN(8) == 0 {
		w.crash()
		return false
	}
	return true
}

// land brings in some of the requests that are under way.
func (w *walk) land() {
	var still []Outcome
	for _, o := range w.flying {
		if w.calm || w.rnd.IntN(3) > 0 {
			w.ledger = append(w.ledger, o)
			delete(w.failed, o.Ref)
			if o.Failure != nil {
				w.failed[o.Ref] = FailedAttempt{Since: o.At, At: o.At, OwnFault: o.Verdict.OwnFault}
			}
		} else {
			still = append(still, o)
		}
	}
	w.flying = still
}

// crash forgets all that is not recorded. F-P4: whatever is edited before the next start, the end is what the spec says.
func (w *walk) crash() {
	w.flying, w.ledger, w.failed, w.started = nil, nil, map[v1beta1.ReceiverRef]FailedAttempt{}, w.Now
}

func (w *walk) local() time.Time { return w.Now.Add(w.skew) }

// moveClock moves the process's clock, with and without a restart. F-P33: no due time is far away afterwards.
func (w *walk) moveClock() {
	if w.calm || w.rnd.IntN(6) > 0 {
		return
	}
	w.skew = []time.Duration{time.Minute, time.Hour, 24 * time.Hour, 365 * 24 * time.Hour}[w.rnd.IntN(4)] * time.Duration(w.rnd.IntN(3)-1)
	if w.rnd.IntN(2) == 0 {
		w.crash()
	}
}

func (w *walk) record() {
	if !w.calm && w.rnd.IntN(10) == 0 {
		return // the API server is away
	}
	after, view := w.look()
	plan := Decide(after, view)
	if ttl := after.Spec.TTLSecondsAfterFinished; plan.Action == Purge && w.Now.Before(after.CreationTimestamp.Add(time.Duration(*ttl)*time.Second)) {
		w.failf("purged before its time to live has passed")
	}
	if plan.Action == Purge {
		w.released = true
		return
	}
	if plan.Action == Release {
		if len(w.flying) > 0 {
			w.failf("released while a request is under way")
		}
		w.checkRelease(after)
		w.released = true
		return
	}
	after.Status = Report(after, plan, view)
	w.checkStatus(after)
	w.alert, w.ledger = after, nil
	for _, row := range after.Status.Deliveries {
		w.certain[RefOf(row)] = confirmed(row, row.ContentHash) && !row.OutcomeUnknown && !isResolved(row.ContentHash)
	}
	if again := Report(after, Decide(after, view), view); !equality.Semantic.DeepEqual(again, after.Status) {
		w.failf("a second look writes again:\n%+v\n%+v", again, after.Status)
	}
}

// deliver is the receiver: it may act and not say so.
func (w *walk) deliver(o *Outcome) {
	if len(w.alert.Finalizers) == 0 {
		w.failf("sent without a finalizer")
	}
	key := DeliveryKey(w.alert, o.Ref, o.Sequence, o.Hash)
	meaning := fmt.Sprint(o.Ref, o.Hash)
	if was, ok := w.keys[key]; ok && was != meaning {
		w.failf("one key for two messages: %s and %s", was, meaning)
	}
	w.keys[key] = meaning
	if o.AtMostOnce && w.tried[key] {
		w.failf("sent twice, although it may have arrived: %s", meaning)
	}
	if slices.ContainsFunc(w.flying, func(other Outcome) bool { return other.Ref == o.Ref }) {
		w.failf("two requests to one receiver at once")
	}
	w.tried[key] = true
	w.checkNotified(o)
	switch roll := w.rnd.IntN(9); {
	case w.calm || roll < 4:
		w.accept(key, o)
	case roll < 6: // acted, but we are not told
		w.accept(key, o)
		o.Failure = &result.Error{Class: result.Unknown, Reason: "Timeout"}
	case roll == 6:
		o.Failure = &result.Error{Class: result.Temporary, Reason: "RateLimited", RetryAfter: time.Minute}
		w.tried[key] = false
	case roll == 7: // F-P1: never final
		o.Failure = &result.Error{Class: result.Configuration, Reason: "NotFound"}
		o.Verdict = limiter.Attribution{OwnFault: w.rnd.IntN(2) == 0}
		w.tried[key] = false
	default:
		o.Failure = &result.Error{Class: result.Permanent, Reason: "Rejected"}
		w.tried[key] = false
	}
}

// canEdit has the receivers that can change their message where it is shown.
func canEdit(ref v1beta1.ReceiverRef) bool { return ref == team }

// checkNotified checks that a change without a join notifies nobody, and that one with a join is told.
func (w *walk) checkNotified(o *Outcome) {
	wasCertain, joined := w.certain[o.Ref], w.joined[o.Hash]
	w.certain[o.Ref] = false
	switch {
	case o.Event == result.Resolved || joined == "":
	case o.Event == result.Updated && w.told[o.Ref] != joined:
		w.failf("what joined at %s is told to nobody at %s, who heard of %q", joined, o.Ref.Name, w.told[o.Ref])
	case o.Event == result.Updated && wasCertain && !canEdit(o.Ref):
		w.failf("%s is told of a change that nobody has to be told of", o.Ref.Name)
	}
}

// holds reports whether a receiver holds a content, or one for which nobody has to be told of it.
func (w *walk) holds(ref v1beta1.ReceiverRef, content string) bool {
	held := w.held[ref]
	return held == content || !canEdit(ref) && held != "" && !isResolved(held) && w.joined[content] != "" && w.joined[held] == w.joined[content]
}

// accept is the receiver that takes a message, or recognises by its key that it has it.
func (w *walk) accept(key string, o *Outcome) {
	if w.accepted[key] {
		return
	}
	w.accepted[key], w.held[o.Ref] = true, o.Hash
	if o.Event == result.Fired {
		w.told[o.Ref] = w.joined[o.Hash]
	}
}

// checkStatus: a status claims only what a receiver confirmed.
func (w *walk) checkStatus(a *v1beta1.Alert) {
	for _, row := range a.Status.Deliveries {
		if row.State == v1beta1.DeliverySent && row.ContentHash != row.LastAttemptedHash && !isResolved(row.LastAttemptedHash) {
			w.failf("%s is Sent, but something else was tried since", row.Name)
		}
	}
	firing := a.Spec.State == v1beta1.AlertFiring && a.DeletionTimestamp.IsZero()
	for _, row := range a.Status.Deliveries { // F-P28: whatever the process's clock says
		if firing && slices.Contains(w.Refs, RefOf(row)) && row.State == v1beta1.DeliveryExpired && row.LastAttemptedHash == "" && a.Spec.ExpireAfterSeconds != nil && w.Now.Before(times.Latest(a.CreationTimestamp.Time, w.firedAt).Add(time.Duration(*a.Spec.ExpireAfterSeconds)*time.Second)) {
			w.failf("%s is Expired before its time", row.Name)
		}
	}
	if since := a.Status.FiringSince; (since == nil) == firing || firing && since.Time.Before(w.firedAt) || firing && a.Status.Occurrence == 0 {
		w.failf("it fires since %v, and fired last at %s", since, w.firedAt)
	}
	for _, row := range a.Status.Deliveries {
		wanted := slices.Contains(w.Refs, RefOf(row))
		asked := slices.ContainsFunc(w.flying, func(o Outcome) bool { return o.Ref == RefOf(row) })
		if asked && row.State == v1beta1.DeliverySent && !isResolved(row.LastAttemptedHash) && firing && wanted {
			w.failf("%s is Sent, but something is under way", row.Name)
		}
		page := ContentHash(&a.Spec) // which the receiver filters: then it is resolved
		if firing && wanted && !asked && row.FilteredHash != page && confirmed(row, ContentHash(&a.Spec)) != (row.State == v1beta1.DeliverySent) {
			w.failf("%s is %s: what it holds says otherwise", row.Name, row.State)
		}
		if firing && wanted && a.Status.FinishedTime != nil && (row.State == v1beta1.DeliveryPending || row.State == v1beta1.DeliveryFailed) {
			w.failf("finished, but %s is %s", row.Name, row.State)
		}
	}
	expired := len(w.Refs) == 0 || slices.ContainsFunc(a.Status.Deliveries, func(row v1beta1.Delivery) bool {
		return slices.Contains(w.Refs, RefOf(row)) && row.State == v1beta1.DeliveryExpired && HoldingOf(row) != Holds
	})
	if ready := meta.IsStatusConditionTrue(a.Status.Conditions, v1beta1.ConditionReady); firing && ready != (a.Status.FinishedTime != nil && !expired) {
		w.failf("Ready is %v", ready)
	}
	if a.Status.Sent && a.DeletionTimestamp.IsZero() {
		for _, ref := range w.Refs {
			filtered := DeliveryIn(a.Status.Deliveries, ref).State == v1beta1.DeliveryFiltered
			row := DeliveryIn(a.Status.Deliveries, ref)
			filtered = filtered || row.FilteredHash == ContentHash(&a.Spec) || row.State == v1beta1.DeliveryExpired
			if firing && !filtered && !w.holds(ref, ContentHash(&a.Spec)) {
				w.failf("sent is true, but %s holds %q", ref.Name, w.held[ref])
			}
		}
	}
}

// checkRelease asks the receivers: what one really holds is resolved before the Alert is released, or its time is over, or there is no
// receiver any more.
func (w *walk) checkRelease(a *v1beta1.Alert) {
	for ref, hash := range w.held {
		row := DeliveryIn(a.Status.Deliveries, ref)
		lost := ref == pager && row.AnswerLost && isResolved(row.LastAttemptedHash)
		refused := row.State == v1beta1.DeliveryFailed
		p := w.Targets[ref]
		unrecorded := hasInitialStatus(a) && (p.Problem != nil || isYoung(a))
		limit := times.Latest(a.DeletionTimestamp.Time, w.started).Add(p.ResolveTimeout())
		if row.FirstAttemptTime != nil && isResolved(row.LastAttemptedHash) {
			limit = a.DeletionTimestamp.Add(p.ResolveTimeout())
		}
		if p.Spec != nil && !isResolved(hash) && !lost && !refused && !unrecorded && w.Now.Before(limit) {
			w.failf("released while %s holds %q", ref.Name, hash)
		}
	}
}

// settle: once the faults stop, the end is what the spec says, and then silence.
func (w *walk) settle() {
	w.calm = true
	w.Targets[oncall], w.Targets[team] = usable("calm"), usable("calm")
	calm := w.Targets[pager]
	calm.Version = "calm"
	w.Targets[pager] = calm
	w.alert.Spec.ExpireAfterSeconds = nil
	for range 10 {
		w.Now = w.Now.Add(time.Hour)
		if w.reconcile(); w.released {
			return
		}
	}
	if w.alert.Spec.State == v1beta1.AlertFiring && w.alert.DeletionTimestamp.IsZero() {
		for _, ref := range w.Refs {
			filtered := DeliveryIn(w.alert.Status.Deliveries, ref).State == v1beta1.DeliveryFiltered
			filtered = filtered || DeliveryIn(w.alert.Status.Deliveries, ref).FilteredHash != ""
			if below := DeliveryIn(w.alert.Status.Deliveries, ref).FilteredHash != ""; below && w.held[ref] != "" && !isResolved(w.held[ref]) {
				w.failf("in the end %s holds %q, which is below its minSeverity", ref.Name, w.held[ref]) // F-B2
			}
			lost := ref == pager && DeliveryIn(w.alert.Status.Deliveries, ref).State == v1beta1.DeliveryUnknown
			if !filtered && !lost && !w.holds(ref, ContentHash(&w.alert.Spec)) {
				w.failf("in the end %s holds %q", ref.Name, w.held[ref])
			}
		}
	}
	alert, view := w.look()
	if plan := Decide(alert, view); shorthand(plan, w.Now) != "" {
		w.failf("not silent in the end: %s", shorthand(plan, w.Now))
	}
}
