// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limiter

import (
	"maps"
	"math"
	"slices"
	"time"
)

// class is the state of the objects of a flow by their last answers. Each class has flows of its own.
type class int

const (
	untried   class = iota // first attempts
	unrefused              // no answer in a row looked like a misconfiguration
	refused                // the last answer looked like a misconfiguration
	atFault                // the same, and requests of other objects have succeeded meanwhile
	classes
)

func classOf(r Request) class {
	switch {
	case r.First:
		return untried
	case r.Misconfigured == 0:
		return unrefused
	case r.OwnFault:
		return atFault
	}
	return refused
}

// flowKey identifies a flow.
type flowKey struct {
	name  string
	class class
	retry bool
}

type flow struct {
	flowKey
	group   *group // of all flows of the name
	turn    uint64 // the last one in firstMode or probeMode
	picks   int    // waiters that were notified in its turns
	waiters int    // of which some were notified
	ready   ready  // the others
}

type waiter struct {
	Request
	since, seen time.Time
	due         time.Time // its age, which it keeps when it is queued again
	number      uint64    // in the order in which waiters were queued
	notified    time.Time // zero: not yet
	late        bool      // it was notified and did not come in time, or postponed its request: it has lost the slot, but not its place
	flow        *flow
	index       int // in its queue, while it is ready
}

// isReady reports whether the waiter can be notified.
func (w *waiter) isReady() bool { return w.notified.IsZero() && !w.late }

// entry is a request that has a slot.
type entry struct {
	Request
	epoch int
	mode  mode
}

// pick selects the waiters for whom there is room, flow by flow, and keeps slots for them.
func (lim *Limiter) pick(now time.Time) (calls []func()) {
	lim.dropLate(now)
	for call := lim.pickOne(now); call != nil; call = lim.pickOne(now) {
		calls = append(calls, call)
	}
	lim.arm(now)
	return calls
}

// pickOne picks the next waiter, and returns its Notify; nil: there is no slot for any.
func (lim *Limiter) pickOne(now time.Time) (call func()) {
	w := lim.next(now)
	if w == nil {
		return nil
	}
	w.flow.ready.remove(w)
	w.notified = now
	lim.notified = append(lim.notified, w)
	return w.Notify
}

// next returns the next waiter to notify; nil: there is no slot for any.
func (lim *Limiter) next(now time.Time) *waiter {
	if !lim.breaker.isOpen() {
		return lim.nextNormal(now)
	}
	for _, mode := range []mode{firstMode, probeMode} {
		if w := lim.nextIn(mode, now); w != nil && !now.Before(lim.breaker.opensAt(mode)) && lim.free(mode, nil) > 0 {
			w.flow.picks++
			return w
		}
	}
	return nil
}

// nextNormal returns the next waiter at an endpoint that works; its flow moves to the end of the turns.
func (lim *Limiter) nextNormal(now time.Time) *waiter {
	if now.Before(lim.breaker.opensAt(normalMode)) || lim.free(normalMode, nil) <= 0 {
		return nil
	}
	for i, f := range lim.active {
		if f.retry && lim.retries.room(retryRate, now) <= 0 {
			continue
		}
		w := lim.choose(f, now)
		if w == nil {
			continue
		}
		if now.Sub(w.seen) > QueueTimeout {
			lim.remove(w)
			return lim.nextNormal(now) // the turns may have changed
		}
		f.picks++
		lim.active = append(slices.Delete(lim.active, i, i+1), f)
		return w
	}
	return nil
}

// choose returns the waiter that gets the turn of a flow; nil: none may enter. Waiters of other flows of the name come first if they are more
// severe: the name stands for a namespace. Each fourth turn is for the oldest of the flow.
func (lim *Limiter) choose(f *flow, now time.Time) *waiter {
	best := lim.front(f, normalMode, now)
	if best == nil || f.isForOldest() {
		return best
	}
	for class := range classes {
		other := lim.flows[flowKey{f.name, class, f.retry}]
		if other == nil || other == f {
			continue
		}
		if w := other.ready.mostSevere(lim.mayEnter(other, now)); w != nil && w.Severity > best.Severity {
			best = w
		}
	}
	return best
}

// isForOldest reports whether the next turn of the flow is for its oldest waiter.
func (f *flow) isForOldest() bool { return f.picks%oldestEvery == oldestEvery-1 }

// front returns the first waiter of a flow that can be notified in a mode. The probe is the request that waits for longest.
func (lim *Limiter) front(f *flow, mode mode, now time.Time) *waiter {
	if mode == probeMode || f.isForOldest() {
		return f.ready.oldest(lim.mayEnter(f, now))
	}
	return f.ready.mostSevere(lim.mayEnter(f, now))
}

// mayEnter returns the function that reports whether the rates allow a waiter of a flow to enter.
func (lim *Limiter) mayEnter(f *flow, now time.Time) func(*waiter) bool {
	return func(w *waiter) bool { return lim.room(f, w.Request, nil, now) > 0 }
}

// room returns how many requests like r of a flow the rates allow, beside those that were notified.
func (lim *Limiter) room(f *flow, r Request, own *waiter, now time.Time) int {
	if r.Exempt {
		return math.MaxInt
	}
	counts := func(w *waiter) bool { return w != own && !w.Exempt }
	return min(
		lim.used.room(lim.total, now)-lim.kept(counts),
		f.group.used.room(lim.perFlow, now)-lim.kept(func(w *waiter) bool { return counts(w) && w.flow.group == f.group }),
		lim.shareRoom(f.group, r, own, now))
}

func (lim *Limiter) kept(counts func(*waiter) bool) (n int) {
	for _, w := range lim.notified {
		if counts(w) {
			n++
		}
	}
	return n
}

func (lim *Limiter) flow(key flowKey, now time.Time) *flow {
	f := lim.flows[key]
	if f != nil {
		return f
	}
	if len(lim.flows) >= lim.sweepAt {
		maps.DeleteFunc(lim.flows, func(_ flowKey, f *flow) bool { return lim.isIdle(f, now) })
		lim.sweepAt = 2*len(lim.flows) + 16
	}
	if lim.flows == nil {
		lim.flows = map[flowKey]*flow{}
	}
	f = &flow{flowKey: key, group: lim.groupOf(key.name)}
	lim.flows[key] = f
	return f
}

// groupOf returns the state that the flows of a name share.
func (lim *Limiter) groupOf(name string) *group {
	for class := range classes {
		for _, retry := range []bool{false, true} {
			if f := lim.flows[flowKey{name, class, retry}]; f != nil {
				return f.group
			}
		}
	}
	return &group{}
}

// isIdle reports whether a flow has no state.
func (lim *Limiter) isIdle(f *flow, now time.Time) bool {
	share := lim.total.Count / 2
	hasUsed := lim.perFlow.Count > 0 && f.group.used.room(lim.perFlow, now) < lim.perFlow.Count
	hasUsedShare := lim.total.Count >= sharedFrom && f.group.critical.room(Rate{share, lim.total.Period}, now) < share
	return f.waiters == 0 && !hasUsed && !hasUsedShare
}

// Idle reports whether the endpoint has no request in flight or waiting, and no state: a new Limiter is equivalent.
func (lim *Limiter) Idle(now time.Time) bool {
	lim.mu.Lock()
	defer lim.mu.Unlock()
	for _, f := range lim.flows {
		if !lim.isIdle(f, now) {
			return false
		}
	}
	return lim.busy == 0 && lim.breaker.isIdle(now) && lim.retries.room(retryRate, now) == retryRate.Count && (lim.total.Count <= 0 || lim.used.room(lim.total, now) == lim.total.Count)
}

func (lim *Limiter) queue(f *flow, r Request, now time.Time) *waiter {
	lim.queued++
	w := &waiter{Request: r, since: now, seen: now, due: dueSince(r, now), number: lim.queued, flow: f}
	if f.waiters == 0 {
		lim.active = append(lim.active, f)
	}
	f.waiters++
	f.ready.add(w)
	if lim.waiters == nil {
		lim.waiters = map[any]*waiter{}
	}
	lim.waiters[r.ID] = w
	return w
}

// requeue has a waiter that could not enter wait with its present request. It keeps its age.
func (lim *Limiter) requeue(w *waiter, r Request, now time.Time) {
	if w.isReady() {
		w.flow.ready.remove(w)
	}
	lim.unnotify(w)
	w.Request, w.seen, w.late = r, now, false
	w.due = dueSince(r, w.since)
	w.flow.ready.add(w)
}

func (lim *Limiter) remove(w *waiter) {
	if w == nil {
		return
	}
	if w.isReady() {
		w.flow.ready.remove(w)
	}
	lim.unnotify(w)
	delete(lim.waiters, w.ID)
	w.flow.waiters--
	if w.flow.waiters == 0 {
		lim.active = slices.DeleteFunc(lim.active, func(f *flow) bool { return f == w.flow })
	}
}

// unnotify gives up the slot that is kept for a waiter. The caller queues it again, or removes it.
func (lim *Limiter) unnotify(w *waiter) {
	w.notified = time.Time{}
	lim.notified = slices.DeleteFunc(lim.notified, func(other *waiter) bool { return other == w })
}

// Postpone gives up the slot that is kept for a waiter, if there is one, so that the next waiter is notified at once. The waiter keeps its
// place: it takes a slot that is free when it asks again.
func (lim *Limiter) Postpone(id any, now time.Time) {
	lim.mu.Lock()
	own := lim.waiters[id]
	if own == nil || own.notified.IsZero() {
		lim.mu.Unlock()
		return
	}
	own.late = true
	lim.unnotify(own)
	lim.unlockAndNotify(now)
}

// dropLate drops the slots that are kept for waiters that did not come.
func (lim *Limiter) dropLate(now time.Time) {
	for len(lim.notified) > 0 && now.Sub(lim.notified[0].notified) > notifyTimeout {
		lim.notified[0].late = true
		lim.unnotify(lim.notified[0])
	}
}
