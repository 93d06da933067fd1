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

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
)

// pending holds what this process knows of Alerts beyond their status: requests in flight, and outcomes that are not recorded yet, so that
// none is lost when a write fails. The next reconcile continues from there.
type pending struct {
	mu       sync.Mutex
	entries  map[types.NamespacedName]*record
	requests int        // in flight
	finished *sync.Cond // of an alertrules.InFlightRequest
	number   uint64     // of the last alertrules.Outcome
	closed   bool
}

// record is what is known of one Alert.
type record struct {
	uid      types.UID
	outcomes []alertrules.Outcome
	inFlight map[v1beta1.ReceiverRef]alertrules.InFlightRequest
	reposts  map[v1beta1.ReceiverRef]*reposting
	failed   map[v1beta1.ReceiverRef]alertrules.FailedAttempt // since the receiver last confirmed something
	queued   []v1beta1.ReceiverRef                            // where it waits for a slot
	unsent   map[v1beta1.ReceiverRef][]intent
	released bool // the finalizer was removed, whatever the cache shows
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

// of returns the entry of an Alert; nil: there is none, or it is of another Alert of the name.
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
	e := p.open(a)
	if repost := e.reposts[ref]; repost != nil {
		repost.isAwaited = true
		return false, repost.since
	}
	if _, busy := e.inFlight[ref]; busy || p.closed {
		return false, time.Time{}
	}
	e.inFlight[ref] = f
	p.requests++
	return true, time.Time{}
}

// beginRepost records a repost in flight, unless the process is stopping, the Alert is gone, or its status does not have yet what the
// receiver was sent.
func (p *pending) beginRepost(a *v1beta1.Alert, ref v1beta1.ReceiverRef, now time.Time) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.of(a); e != nil && !e.mayRepost(ref) || p.closed {
		return false
	}
	p.open(a).reposts[ref] = &reposting{since: now}
	p.requests++
	return true
}

func (r *record) mayRepost(ref v1beta1.ReceiverRef) bool {
	_, isInFlight := r.inFlight[ref]
	isUnrecorded := slices.ContainsFunc(r.outcomes, func(o alertrules.Outcome) bool { return o.Ref == ref })
	return !r.released && !isInFlight && !isUnrecorded && r.reposts[ref] == nil
}

// endRepost ends a repost, and reports whether another request waits for that.
func (p *pending) endRepost(a *v1beta1.Alert, ref v1beta1.ReceiverRef) (isAwaited bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests--
	p.finished.Broadcast()
	e := p.of(a)
	if e == nil {
		return false
	}
	if repost := e.reposts[ref]; repost != nil {
		isAwaited = repost.isAwaited
	}
	delete(e.reposts, ref)
	p.dropEmpty(a, e)
	return isAwaited
}

// dropEmpty removes an entry that says nothing.
func (p *pending) dropEmpty(a *v1beta1.Alert, e *record) {
	if len(e.outcomes)+len(e.inFlight)+len(e.reposts)+len(e.failed)+len(e.queued)+len(e.unsent) == 0 && !e.released {
		delete(p.entries, nameOf(a))
	}
}

// open returns the entry of an Alert, and creates it if there is none.
func (p *pending) open(a *v1beta1.Alert) *record {
	e := p.of(a)
	if e == nil {
		e = &record{uid: a.UID, inFlight: map[v1beta1.ReceiverRef]alertrules.InFlightRequest{}, reposts: map[v1beta1.ReceiverRef]*reposting{},
			failed: map[v1beta1.ReceiverRef]alertrules.FailedAttempt{}, unsent: map[v1beta1.ReceiverRef][]intent{}}
		p.entries[nameOf(a)] = e
	}
	return e
}

// queue records where an Alert waits for a slot, and returns where it no longer does.
func (p *pending) queue(a *v1beta1.Alert, queued map[v1beta1.ReceiverRef]limiter.Wait) (left []v1beta1.ReceiverRef) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.of(a) == nil && len(queued) == 0 {
		return nil
	}
	e := p.open(a)
	left = slices.DeleteFunc(e.queued, func(ref v1beta1.ReceiverRef) bool { _, still := queued[ref]; return still })
	e.queued = slices.Collect(maps.Keys(queued))
	return left
}

// queuedAt returns where an Alert waits for a slot.
func (p *pending) queuedAt(a *v1beta1.Alert) []v1beta1.ReceiverRef {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.of(a); e != nil {
		return slices.Clone(e.queued)
	}
	return nil
}

// end records the outcome of a request. It returns false if the Alert is gone.
func (p *pending) end(a *v1beta1.Alert, o alertrules.Outcome) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests--
	p.finished.Broadcast()
	e := p.of(a)
	if e == nil {
		return false
	}
	isRecorded := e.inFlight[o.Ref].WriteAhead
	delete(e.inFlight, o.Ref)
	e.observeFailure(o)
	if o.Verdict.FailedProbe && !isRecorded { // the receiver's status has the outcome
		return true
	}
	p.number++
	o.Number = p.number
	e.outcomes = append(e.outcomes, o)
	return true
}

// observeFailure remembers since when attempts fail.
func (r *record) observeFailure(o alertrules.Outcome) {
	since := o.At
	if f, ok := r.failed[o.Ref]; ok && !o.FailingSince.IsZero() {
		since = f.Since
	}
	if delete(r.failed, o.Ref); o.Failure != nil {
		r.failed[o.Ref] = alertrules.FailedAttempt{Since: since, At: o.At, OwnFault: o.Verdict.OwnFault, Throttled: o.Verdict.Throttled}
	}
}

// cancel records that a request was not sent. Where the write of its record failed, unsent has the
// record, which may have been written nevertheless; no answer is lost then.
func (p *pending) cancel(a *v1beta1.Alert, ref v1beta1.ReceiverRef, unsent ...intent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.requests--
	p.finished.Broadcast()
	if e := p.of(a); e != nil {
		delete(e.inFlight, ref)
		if len(unsent) > 0 {
			e.unsent[ref] = append(e.unsent[ref], unsent...)
		}
	}
}

// confirm records that a request whose record is written is sent now.
func (p *pending) confirm(a *v1beta1.Alert, ref v1beta1.ReceiverRef) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if e := p.of(a); e != nil {
		delete(e.unsent, ref)
	}
}

// apply applies the outcomes that are not recorded yet to a, and adds the requests in flight to in, in one critical section, so that no
// request is missing in both. It returns the number of the last outcome; 0: there is none.
func (p *pending) apply(a *v1beta1.Alert, in *alertrules.Inputs) (last uint64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	in.InFlight, in.Failed = nil, nil
	e := p.of(a)
	if e == nil {
		return 0
	}
	in.InFlight, in.Failed = maps.Clone(e.inFlight), maps.Clone(e.failed)
	e.removeUnsent(a)
	for _, o := range e.outcomes {
		alertrules.PutDelivery(a, alertrules.Apply(alertrules.DeliveryIn(a.Status.Deliveries, v1beta1.Delivery{Kind: o.Ref.Kind, Name: o.Ref.Name}), o))
		last = o.Number
	}
	return last
}

// removeUnsent removes the records of requests that were not sent from a.
func (r *record) removeUnsent(a *v1beta1.Alert) {
	for ref, unsent := range r.unsent {
		row := alertrules.DeliveryIn(a.Status.Deliveries, v1beta1.Delivery{Kind: ref.Kind, Name: ref.Name})
		for _, i := range unsent {
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
	for ref, f := range e.inFlight {
		row := alertrules.DeliveryIn(a.Status.Deliveries, v1beta1.Delivery{Kind: ref.Kind, Name: ref.Name})
		if row.Reason == v1beta1.ReasonSending {
			f.WriteAhead = true // its outcome has to be recorded, too
			e.inFlight[ref] = f
		}
	}
	p.dropEmpty(a, e)
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

// drop removes the entry of an Alert of the name that is gone: any but the one with uid. It returns what was sent for it, and where it
// waits.
func (p *pending) drop(name types.NamespacedName, uid types.UID) (outcomes []alertrules.Outcome, queued []v1beta1.ReceiverRef) {
	p.mu.Lock()
	defer p.mu.Unlock()
	e := p.entries[name]
	if e == nil || e.uid == uid {
		return nil, nil
	}
	delete(p.entries, name)
	return e.outcomes, e.queued
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

// unrecorded returns the Alerts with outcomes that are not in their status.
func (p *pending) unrecorded() []types.NamespacedName {
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
