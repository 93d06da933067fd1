// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
)

// pending is the state of Alerts that this process has beyond their status: requests in flight, and outcomes that are not recorded yet, so that none
// is lost when a write fails. The next reconcile continues from there.
type pending struct {
	mu       sync.Mutex
	entries  map[types.NamespacedName]*record
	requests int        // in flight
	finished *sync.Cond // of an alertrules.InFlightRequest
	number   uint64     // of the last alertrules.Outcome
	closed   bool
}

// record is the pending state of one Alert.
type record struct {
	uid       types.UID
	outcomes  []alertrules.Outcome
	receivers map[v1beta1.ReceiverRef]*attempts
	released  bool // the finalizer was removed, also where the cache still shows it
}

// attempts is the state of the requests about an Alert to one receiver.
type attempts struct {
	inFlight *alertrules.InFlightRequest
	repost   *reposting
	failed   *alertrules.FailedAttempt // since the receiver last confirmed something
	queued   bool                      // it waits for a slot
	unsent   []intent
}

// intent is a row that was written ahead of a request that was not sent, as the write was not confirmed; before is the row without it.
type intent struct{ before, after v1beta1.Delivery }

// reposting is a repost in flight, during which no other request about the Alert is sent to the receiver.
type reposting struct {
	since     time.Time
	isAwaited bool // a request waits for its end
}

func newPending() *pending {
	p := &pending{entries: map[types.NamespacedName]*record{}}
	p.finished = sync.NewCond(&p.mu)
	return p
}

func nameOf(a *v1beta1.Alert) types.NamespacedName {
	return types.NamespacedName{Namespace: a.Namespace, Name: a.Name}
}

// of returns the entry of an Alert; nil: the Alert has none, or the entry is another Alert's of the name.
func (p *pending) of(a *v1beta1.Alert) *record {
	if e := p.entries[nameOf(a)]; e != nil && e.uid == a.UID {
		return e
	}
	return nil
}

// begin records a request in flight, unless the process is stopping, or a repost is in flight, which began at the returned time.
func (p *pending) begin(a *v1beta1.Alert, ref v1beta1.ReceiverRef, f alertrules.InFlightRequest) (began bool, reposted time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	to := p.open(a).at(ref)
	if reposted = to.awaitRepost(); !reposted.IsZero() {
		return false, reposted
	}
	if to.inFlight != nil || p.closed {
		return false, time.Time{}
	}
	to.inFlight = &f
	p.requests++
	return true, time.Time{}
}

// awaitRepost returns when the repost in flight began, whose end another request waits for; zero: none is in flight.
func (p *pending) awaitRepost(a *v1beta1.Alert, ref v1beta1.ReceiverRef) (since time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.of(a)
	if e == nil || e.receivers[ref] == nil {
		return time.Time{}
	}
	return e.receivers[ref].awaitRepost()
}

func (to *attempts) awaitRepost() (since time.Time) {
	if to.repost == nil {
		return time.Time{}
	}
	to.repost.isAwaited = true
	return to.repost.since
}

// beginRepost records a repost in flight, unless the process is stopping, the Alert is gone, or its status does not have an outcome at the receiver
// yet.
func (p *pending) beginRepost(a *v1beta1.Alert, ref v1beta1.ReceiverRef, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if other := p.entries[nameOf(a)]; other != nil && other.uid != a.UID {
		return false
	}
	e := p.open(a)
	defer p.dropEmpty(a)
	to := e.at(ref)
	isUnrecorded := slices.ContainsFunc(e.outcomes, func(o alertrules.Outcome) bool { return o.Ref == ref })
	if p.closed || e.released || isUnrecorded || to.inFlight != nil || to.repost != nil {
		return false
	}
	to.repost = &reposting{since: now}
	p.requests++
	return true
}

// endRepost ends a repost, and reports whether another request waits for that.
func (p *pending) endRepost(a *v1beta1.Alert, ref v1beta1.ReceiverRef) (isAwaited bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endRequest()
	e := p.of(a)
	if e == nil || e.at(ref).repost == nil {
		return false
	}
	isAwaited = e.at(ref).repost.isAwaited
	e.at(ref).repost = nil
	p.dropEmpty(a)
	return isAwaited
}

// endRequest counts a request as ended.
func (p *pending) endRequest() {
	p.requests--
	p.finished.Broadcast()
}

// open returns the entry of an Alert, and creates it if necessary.
func (p *pending) open(a *v1beta1.Alert) *record {
	e := p.of(a)
	if e == nil {
		e = &record{uid: a.UID, receivers: map[v1beta1.ReceiverRef]*attempts{}}
		p.entries[nameOf(a)] = e
	}
	return e
}

// at returns the attempts at a receiver, and creates them if necessary.
func (r *record) at(ref v1beta1.ReceiverRef) *attempts {
	if r.receivers[ref] == nil {
		r.receivers[ref] = &attempts{}
	}
	return r.receivers[ref]
}

// dropEmpty removes attempts without state, and the entry of the Alert if it has none left.
func (p *pending) dropEmpty(a *v1beta1.Alert) {
	e := p.of(a)
	maps.DeleteFunc(e.receivers, func(_ v1beta1.ReceiverRef, to *attempts) bool {
		return to.inFlight == nil && to.repost == nil && to.failed == nil && !to.queued && len(to.unsent) == 0
	})
	if len(e.receivers)+len(e.outcomes) == 0 && !e.released {
		delete(p.entries, nameOf(a))
	}
}

// queue records where an Alert waits for a slot, and returns where it no longer does.
func (p *pending) queue(a *v1beta1.Alert, queued map[v1beta1.ReceiverRef]limiter.Wait) (left []v1beta1.ReceiverRef) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.open(a)
	for _, ref := range e.queued() {
		if _, waits := queued[ref]; !waits {
			e.at(ref).queued = false
			left = append(left, ref)
		}
	}
	for ref := range queued {
		e.at(ref).queued = true
	}
	p.dropEmpty(a)
	return left
}

// queuedAt returns where an Alert waits for a slot.
func (p *pending) queuedAt(a *v1beta1.Alert) []v1beta1.ReceiverRef {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.of(a); e != nil {
		return e.queued()
	}
	return nil
}

func (r *record) queued() (all []v1beta1.ReceiverRef) {
	for ref, to := range r.receivers {
		if to.queued {
			all = append(all, ref)
		}
	}
	return all
}

// end records the outcome of a request. It returns false if the Alert is gone.
func (p *pending) end(a *v1beta1.Alert, o alertrules.Outcome) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endRequest()
	e := p.of(a)
	if e == nil {
		return false
	}
	to := e.at(o.Ref)
	isRecorded := to.inFlight != nil && to.inFlight.WriteAhead
	to.inFlight = nil
	to.observeFailure(o)
	if o.Verdict.FailedProbe && !isRecorded { // the receiver's status has the outcome
		return true
	}
	p.number++
	o.Number = p.number
	e.outcomes = append(e.outcomes, o)
	return true
}

// observeFailure remembers since when attempts fail.
func (to *attempts) observeFailure(o alertrules.Outcome) {
	since := o.At
	if to.failed != nil && !o.FailingSince.IsZero() {
		since = to.failed.Since
	}
	to.failed = nil
	if o.Failure != nil {
		to.failed = &alertrules.FailedAttempt{Since: since, At: o.At, OwnFault: o.Verdict.OwnFault, Throttled: o.Verdict.Throttled}
	}
}

// cancel records that a request was not sent. Where the write of its record failed, unsent has the record, which may have been written
// nevertheless; no answer is lost then.
func (p *pending) cancel(a *v1beta1.Alert, ref v1beta1.ReceiverRef, unsent ...intent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.endRequest()
	if e := p.of(a); e != nil {
		to := e.at(ref)
		to.inFlight, to.unsent = nil, append(to.unsent, unsent...)
	}
}

// confirm records that a request whose record is written is sent now.
func (p *pending) confirm(a *v1beta1.Alert, ref v1beta1.ReceiverRef) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.of(a); e != nil {
		e.at(ref).unsent = nil
	}
}

// apply applies the outcomes that are not recorded yet to a, and puts the requests in flight and the failures into in, in one critical section,
// so that no request is missing in both. It returns the number of the last outcome; 0: no outcome.
func (p *pending) apply(a *v1beta1.Alert, in *alertrules.Inputs) (last uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.of(a)
	if e == nil {
		e = &record{}
	}
	if in.Receivers == nil {
		in.Receivers = map[v1beta1.ReceiverRef]alertrules.Receiver{}
	}
	for ref := range sets.KeySet(in.Receivers).Union(sets.KeySet(e.receivers)) {
		receiver := in.Receivers[ref]
		receiver.InFlight, receiver.Failed = nil, nil
		if known := e.receivers[ref]; known != nil {
			receiver.InFlight, receiver.Failed = known.inFlight, known.failed
		}
		in.Receivers[ref] = receiver
	}
	e.removeUnsent(a)
	for _, o := range e.outcomes {
		alertrules.PutDelivery(a, alertrules.Apply(alertrules.DeliveryIn(a.Status.Deliveries, o.Ref), o))
		last = o.Number
	}
	return last
}

// removeUnsent removes the records of requests that were not sent from a.
func (r *record) removeUnsent(a *v1beta1.Alert) {
	for ref, to := range r.receivers {
		row := alertrules.DeliveryIn(a.Status.Deliveries, ref)
		for _, i := range to.unsent {
			if equality.Semantic.DeepEqual(row, i.after) {
				alertrules.PutDelivery(a, i.before)
			}
		}
	}
}

// markRecorded drops the outcomes up to the one with a number, which are recorded.
func (p *pending) markRecorded(a *v1beta1.Alert, last uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.of(a)
	if e == nil {
		return
	}
	e.outcomes = slices.DeleteFunc(e.outcomes, func(o alertrules.Outcome) bool { return o.Number <= last })
	for ref, to := range e.receivers {
		row := alertrules.DeliveryIn(a.Status.Deliveries, ref)
		if row.Reason == v1beta1.ReasonSending && to.inFlight != nil {
			recorded := *to.inFlight
			recorded.WriteAhead = true // its outcome has to be recorded, too
			to.inFlight = &recorded
		}
	}
	p.dropEmpty(a)
}

// release records that an Alert was released: without finalizers it is gone, though the cache may still show it.
func (p *pending) release(a *v1beta1.Alert) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.open(a).released = true
}

func (p *pending) isReleased(a *v1beta1.Alert) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.of(a)
	return e != nil && e.released
}

// drop removes the entry of an Alert of the name that is gone: any but the one with uid. It returns its outcomes that are not recorded, and the
// receivers in whose queues it waits.
func (p *pending) drop(name types.NamespacedName, uid types.UID) (outcomes []alertrules.Outcome, queued []v1beta1.ReceiverRef) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.entries[name]
	if e == nil || e.uid == uid {
		return nil, nil
	}
	delete(p.entries, name)
	return e.outcomes, e.queued()
}

// close begins no more requests, and waits for those in flight.
func (p *pending) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.closed = true
	for p.requests > 0 {
		p.finished.Wait()
	}
}

// withOutcomes returns the Alerts with outcomes that are not in their status.
func (p *pending) withOutcomes() []types.NamespacedName {
	p.mu.Lock()
	defer p.mu.Unlock()
	var names []types.NamespacedName
	for name, e := range p.entries {
		if len(e.outcomes) > 0 {
			names = append(names, name)
		}
	}
	return names
}
