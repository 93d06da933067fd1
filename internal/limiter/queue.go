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

package limiter

import (
	"container/list"
	"maps"
	"slices"
	"time"
)

// class is what is known of the objects of a flow. Each class has flows of its own.
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
	used  *window   // that of all flows of the name
	turn  uint64    // the last one in firstMode or probeMode
	queue list.List // of *waiter
}

type waiter struct {
	Request
	since, seen time.Time
	notified    time.Time // zero: not yet
	late        bool      // it was notified and did not come in time, or postponed its request: it has lost the slot, but not its place
	flow        *flow
	element     *list.Element
}

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

// pickOne picks the next waiter, and returns what notifies it; nil: there is no slot for any.
func (lim *Limiter) pickOne(now time.Time) (call func()) {
	w := lim.next(now)
	if w == nil {
		return nil
	}
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
		for e := f.queue.Front(); e != nil; {
			w := e.Value.(*waiter)
			e = e.Next()
			if now.Sub(w.seen) > QueueTimeout {
				lim.remove(w)
				return lim.nextNormal(now) // the turns may have changed
			}
			if !w.notified.IsZero() || w.late {
				continue
			}
			if !w.Exempt && lim.room(f, nil, now) <= 0 || f.retry && lim.retries.room(retryRate, now) <= 0 {
				break // nor is there for the waiters behind it
			}
			lim.active = append(slices.Delete(lim.active, i, i+1), f)
			return w
		}
	}
	return nil
}

// room returns how many requests of a flow the rates allow, beside those that were notified.
func (lim *Limiter) room(f *flow, own *waiter, now time.Time) int {
	counts := func(w *waiter) bool { return w != own && !w.Exempt }
	return min(
		lim.used.room(lim.total, now)-lim.kept(counts),
		f.used.room(lim.perFlow, now)-lim.kept(func(w *waiter) bool { return counts(w) && w.flow.name == f.name }))
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
	f = &flow{flowKey: key, used: lim.windowOf(key.name)}
	lim.flows[key] = f
	return f
}

// windowOf returns what the flows of a name have used of PerFlow.
func (lim *Limiter) windowOf(name string) *window {
	for class := range classes {
		for _, retry := range []bool{false, true} {
			if f := lim.flows[flowKey{name, class, retry}]; f != nil {
				return f.used
			}
		}
	}
	return &window{}
}

// isIdle reports whether a flow has no state.
func (lim *Limiter) isIdle(f *flow, now time.Time) bool {
	return f.queue.Len() == 0 && (lim.perFlow.Count <= 0 || f.used.room(lim.perFlow, now) == lim.perFlow.Count)
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
	w := &waiter{Request: r, since: now, flow: f}
	if f.queue.Len() == 0 {
		lim.active = append(lim.active, f)
	}
	w.element = f.queue.PushBack(w)
	if lim.waiters == nil {
		lim.waiters = map[any]*waiter{}
	}
	lim.waiters[r.ID] = w
	return w
}

func (lim *Limiter) remove(w *waiter) {
	if w == nil {
		return
	}
	lim.unnotify(w)
	delete(lim.waiters, w.ID)
	w.flow.queue.Remove(w.element)
	if w.flow.queue.Len() == 0 {
		lim.active = slices.DeleteFunc(lim.active, func(f *flow) bool { return f == w.flow })
	}
}

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
