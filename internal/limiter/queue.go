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

func classOf(t Request) class {
	switch {
	case t.First:
		return untried
	case t.Misconfigured == 0:
		return unrefused
	case t.OwnFault:
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
	late        bool      // it was notified and did not come in time: it has lost the slot, but not its place
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
	p := lim.next(now)
	if p == nil {
		return nil
	}
	p.notified = now
	lim.notified = append(lim.notified, p)
	return p.Notify
}

// next returns the next waiter to notify; nil: there is no slot for any.
func (lim *Limiter) next(now time.Time) *waiter {
	if !lim.breaker.isOpen() {
		return lim.nextNormal(now)
	}
	for _, mode := range []mode{firstMode, probeMode} {
		if p := lim.nextIn(mode, now); p != nil && !now.Before(lim.breaker.opensAt(mode)) && lim.free(mode, nil) > 0 {
			return p
		}
	}
	return nil
}

// nextNormal returns the next waiter at an endpoint that works; its flow moves to the end of the turns.
func (lim *Limiter) nextNormal(now time.Time) *waiter {
	if now.Before(lim.breaker.opensAt(normalMode)) || lim.free(normalMode, nil) <= 0 {
		return nil
	}
	for i, l := range lim.active {
		for e := l.queue.Front(); e != nil; {
			p := e.Value.(*waiter)
			e = e.Next()
			if now.Sub(p.seen) > QueueTimeout {
				lim.remove(p)
				return lim.nextNormal(now) // the turns may have changed
			}
			if !p.notified.IsZero() || p.late {
				continue
			}
			if !p.Exempt && lim.room(l, nil, now) <= 0 || l.retry && lim.retries.room(retryRate, now) <= 0 {
				break // nor is there for the waiters behind it
			}
			lim.active = append(slices.Delete(lim.active, i, i+1), l)
			return p
		}
	}
	return nil
}

// room returns how many requests of a flow the rates allow, beside those that were notified.
func (lim *Limiter) room(l *flow, own *waiter, now time.Time) int {
	counts := func(p *waiter) bool { return p != own && !p.Exempt }
	return min(
		lim.used.room(lim.total, now)-lim.kept(counts),
		l.used.room(lim.perFlow, now)-lim.kept(func(p *waiter) bool { return counts(p) && p.flow.name == l.name }))
}

func (lim *Limiter) kept(counts func(*waiter) bool) (n int) {
	for _, p := range lim.notified {
		if counts(p) {
			n++
		}
	}
	return n
}

func (lim *Limiter) flow(key flowKey, now time.Time) *flow {
	l := lim.flows[key]
	if l != nil {
		return l
	}
	if len(lim.flows) >= lim.sweepAt {
		maps.DeleteFunc(lim.flows, func(_ flowKey, l *flow) bool { return lim.isIdle(l, now) })
		lim.sweepAt = 2*len(lim.flows) + 16
	}
	if lim.flows == nil {
		lim.flows = map[flowKey]*flow{}
	}
	l = &flow{flowKey: key, used: lim.windowOf(key.name)}
	lim.flows[key] = l
	return l
}

// windowOf returns what the flows of a name have used of PerFlow.
func (lim *Limiter) windowOf(name string) *window {
	for class := range classes {
		for _, retry := range []bool{false, true} {
			if l := lim.flows[flowKey{name, class, retry}]; l != nil {
				return l.used
			}
		}
	}
	return &window{}
}

// isIdle reports whether a flow has no state.
func (lim *Limiter) isIdle(l *flow, now time.Time) bool {
	return l.queue.Len() == 0 && (lim.perFlow.Count <= 0 || l.used.room(lim.perFlow, now) == lim.perFlow.Count)
}

// Idle reports whether the endpoint has no request in flight or waiting, and no state: a new Limiter is equivalent.
func (lim *Limiter) Idle(now time.Time) bool {
	lim.mu.Lock()
	defer lim.mu.Unlock()
	for _, l := range lim.flows {
		if !lim.isIdle(l, now) {
			return false
		}
	}
	return lim.busy == 0 && lim.breaker.isIdle(now) && lim.retries.room(retryRate, now) == retryRate.Count && (lim.total.Count <= 0 || lim.used.room(lim.total, now) == lim.total.Count)
}

func (lim *Limiter) queue(l *flow, t Request, now time.Time) *waiter {
	p := &waiter{Request: t, since: now, flow: l}
	if l.queue.Len() == 0 {
		lim.active = append(lim.active, l)
	}
	p.element = l.queue.PushBack(p)
	if lim.waiters == nil {
		lim.waiters = map[any]*waiter{}
	}
	lim.waiters[t.ID] = p
	return p
}

func (lim *Limiter) remove(p *waiter) {
	if p == nil {
		return
	}
	lim.unnotify(p)
	delete(lim.waiters, p.ID)
	p.flow.queue.Remove(p.element)
	if p.flow.queue.Len() == 0 {
		lim.active = slices.DeleteFunc(lim.active, func(l *flow) bool { return l == p.flow })
	}
}

func (lim *Limiter) unnotify(p *waiter) {
	p.notified = time.Time{}
	lim.notified = slices.DeleteFunc(lim.notified, func(c *waiter) bool { return c == p })
}

// dropLate drops the slots that are kept for waiters that did not come.
func (lim *Limiter) dropLate(now time.Time) {
	for len(lim.notified) > 0 && now.Sub(lim.notified[0].notified) > notifyTimeout {
		lim.notified[0].late = true
		lim.unnotify(lim.notified[0])
	}
}
