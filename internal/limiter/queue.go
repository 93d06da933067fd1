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

// flowKey identifies a flow.
type flowKey struct {
	name  string
	retry bool
}

type flow struct {
	flowKey
	used  window
	queue list.List // of *place
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
	probe bool // it is the probe of an endpoint that looks misconfigured
}

// pick selects the waiters for whom there is room, flow by flow, and keeps slots for them.
func (b *Limiter) pick(now time.Time) (calls []func()) {
	b.dropLate(now)
	for !b.isDown(now) && b.free(nil) > 0 {
		p := b.nextProbe(now)
		if !b.misconfigured.isBlocking() {
			p = b.next(now)
		}
		if p == nil {
			break
		}
		p.notified = now
		b.notified = append(b.notified, p)
		calls = append(calls, p.Notify)
	}
	b.arm(now)
	return calls
}

// next returns the next waiter to notify; its flow moves to the end of the turns.
func (b *Limiter) next(now time.Time) *waiter {
	for i, l := range b.active {
		for e := l.queue.Front(); e != nil; {
			p := e.Value.(*waiter)
			e = e.Next()
			if now.Sub(p.seen) > QueueTimeout {
				b.remove(p)
				return b.next(now) // the turns may have changed
			}
			if !p.notified.IsZero() || p.late {
				continue
			}
			if !p.Exempt && b.room(l, nil, now) <= 0 || l.retry && b.retries.room(retryRate, now) <= 0 {
				break // nor is there for the waiters behind it
			}
			b.active = append(slices.Delete(b.active, i, i+1), l)
			return p
		}
	}
	return nil
}

// free returns the number of slots for own, beside those that are kept for others.
func (b *Limiter) free(own *waiter) int {
	limit := slots
	if b.tripped() || b.misconfigured.isBlocking() {
		limit = 1
	}
	if own != nil && own.late { // it has waited before
		return limit - b.busy
	}
	return limit - b.busy - b.kept(func(p *waiter) bool { return p != own })
}

// room returns how many requests of a flow the rates allow, beside those that were notified.
func (b *Limiter) room(l *flow, own *waiter, now time.Time) int {
	counts := func(p *waiter) bool { return p != own && !p.Exempt }
	return min(
		b.used.room(b.total, now)-b.kept(counts),
		l.used.room(b.perFlow, now)-b.kept(func(p *waiter) bool { return counts(p) && p.flow == l }))
}

func (b *Limiter) kept(counts func(*waiter) bool) (n int) {
	for _, p := range b.notified {
		if counts(p) {
			n++
		}
	}
	return n
}

func (b *Limiter) flow(key flowKey, now time.Time) *flow {
	l := b.flows[key]
	if l != nil {
		return l
	}
	if len(b.flows) >= b.sweepAt {
		maps.DeleteFunc(b.flows, func(_ flowKey, l *flow) bool { return b.isIdle(l, now) })
		b.sweepAt = 2*len(b.flows) + 16
	}
	if b.flows == nil {
		b.flows = map[flowKey]*flow{}
	}
	l = &flow{flowKey: key}
	b.flows[key] = l
	return l
}

// isIdle reports whether a flow has no state.
func (b *Limiter) isIdle(l *flow, now time.Time) bool {
	return l.queue.Len() == 0 && (b.perFlow.Count <= 0 || l.used.room(b.perFlow, now) == b.perFlow.Count)
}

// Idle reports whether the endpoint has no request in flight or waiting, and no state: a new Limiter is equivalent.
func (b *Limiter) Idle(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.flows {
		if !b.isIdle(l, now) {
			return false
		}
	}
	return b.busy == 0 && b.failures == 0 && b.misconfigured.answers == 0 && !b.isDown(now) && b.retries.room(retryRate, now) == retryRate.Count && (b.total.Count <= 0 || b.used.room(b.total, now) == b.total.Count)
}

func (b *Limiter) queue(l *flow, t Request, now time.Time) *waiter {
	p := &waiter{Request: t, since: now, flow: l}
	if l.queue.Len() == 0 {
		b.active = append(b.active, l)
	}
	p.element = l.queue.PushBack(p)
	if b.waiters == nil {
		b.waiters = map[any]*waiter{}
	}
	b.waiters[t.ID] = p
	return p
}

func (b *Limiter) remove(p *waiter) {
	if p == nil {
		return
	}
	b.unnotify(p)
	delete(b.waiters, p.ID)
	p.flow.queue.Remove(p.element)
	if p.flow.queue.Len() == 0 {
		b.active = slices.DeleteFunc(b.active, func(l *flow) bool { return l == p.flow })
	}
}

func (b *Limiter) unnotify(p *waiter) {
	p.notified = time.Time{}
	b.notified = slices.DeleteFunc(b.notified, func(c *waiter) bool { return c == p })
}

// dropLate drops the slots that are kept for waiters that did not come.
func (b *Limiter) dropLate(now time.Time) {
	for len(b.notified) > 0 && now.Sub(b.notified[0].notified) > notifyTimeout {
		b.notified[0].late = true
		b.unnotify(b.notified[0])
	}
}
