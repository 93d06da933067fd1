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

// laneKey identifies a flow.
type laneKey struct {
	name  string
	retry bool
}

type lane struct {
	laneKey
	used  window
	queue list.List // of *place
}

type place struct {
	Ticket
	since, seen time.Time
	called      time.Time // zero: not yet
	late        bool      // it was notified and did not come in time: it has lost the slot, but not its place
	lane        *lane
	element     *list.Element
}

// entry is a request that has a slot.
type entry struct {
	Ticket
	epoch int
	probe bool // it is the probe of an endpoint that looks misconfigured
}

// pick selects the waiters for whom there is room, flow by flow, and keeps slots for them.
func (b *Bulkhead) pick(now time.Time) (calls []func()) {
	b.forgetUncome(now)
	for !b.isDown(now) && b.free(nil) > 0 {
		p := b.nextProbe(now)
		if !b.misconfigured.isBlocking() {
			p = b.next(now)
		}
		if p == nil {
			break
		}
		p.called = now
		b.called = append(b.called, p)
		calls = append(calls, p.Call)
	}
	b.arm(now)
	return calls
}

// next returns the next waiter to notify; its flow moves to the end of the turns.
func (b *Bulkhead) next(now time.Time) *place {
	for i, l := range b.turns {
		for e := l.queue.Front(); e != nil; {
			p := e.Value.(*place)
			e = e.Next()
			if now.Sub(p.seen) > QueueTimeout {
				b.remove(p)
				return b.next(now) // the turns may have changed
			}
			if !p.called.IsZero() || p.late {
				continue
			}
			if !p.Exempt && b.room(l, nil, now) <= 0 || l.retry && b.refailed.room(retryRate, now) <= 0 {
				break // nor is there for the waiters behind it
			}
			b.turns = append(slices.Delete(b.turns, i, i+1), l)
			return p
		}
	}
	return nil
}

// free returns the number of slots for own, beside those that are kept for others.
func (b *Bulkhead) free(own *place) int {
	limit := slots
	if b.tripped() || b.misconfigured.isBlocking() {
		limit = 1
	}
	if own != nil && own.late { // it has waited before
		return limit - b.busy
	}
	return limit - b.busy - b.kept(func(p *place) bool { return p != own })
}

// room returns how many requests of a flow the rates allow, beside those that were notified.
func (b *Bulkhead) room(l *lane, own *place, now time.Time) int {
	counts := func(p *place) bool { return p != own && !p.Exempt }
	return min(
		b.used.room(b.total, now)-b.kept(counts),
		l.used.room(b.perLane, now)-b.kept(func(p *place) bool { return counts(p) && p.lane == l }))
}

func (b *Bulkhead) kept(counts func(*place) bool) (n int) {
	for _, p := range b.called {
		if counts(p) {
			n++
		}
	}
	return n
}

func (b *Bulkhead) lane(key laneKey, now time.Time) *lane {
	l := b.lanes[key]
	if l != nil {
		return l
	}
	if len(b.lanes) >= b.sweepAt {
		maps.DeleteFunc(b.lanes, func(_ laneKey, l *lane) bool { return b.isIdle(l, now) })
		b.sweepAt = 2*len(b.lanes) + 16
	}
	if b.lanes == nil {
		b.lanes = map[laneKey]*lane{}
	}
	l = &lane{laneKey: key}
	b.lanes[key] = l
	return l
}

// isIdle reports whether a flow has no state.
func (b *Bulkhead) isIdle(l *lane, now time.Time) bool {
	return l.queue.Len() == 0 && (b.perLane.Count <= 0 || l.used.room(b.perLane, now) == b.perLane.Count)
}

// Idle reports whether the endpoint has no request in flight or waiting, and no state: a new Bulkhead is equivalent.
func (b *Bulkhead) Idle(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	for _, l := range b.lanes {
		if !b.isIdle(l, now) {
			return false
		}
	}
	return b.busy == 0 && b.failures == 0 && b.misconfigured.answers == 0 && !b.isDown(now) && b.refailed.room(retryRate, now) == retryRate.Count && (b.total.Count <= 0 || b.used.room(b.total, now) == b.total.Count)
}

func (b *Bulkhead) queue(l *lane, t Ticket, now time.Time) *place {
	p := &place{Ticket: t, since: now, lane: l}
	if l.queue.Len() == 0 {
		b.turns = append(b.turns, l)
	}
	p.element = l.queue.PushBack(p)
	if b.places == nil {
		b.places = map[any]*place{}
	}
	b.places[t.Who] = p
	return p
}

func (b *Bulkhead) remove(p *place) {
	if p == nil {
		return
	}
	b.uncall(p)
	delete(b.places, p.Who)
	p.lane.queue.Remove(p.element)
	if p.lane.queue.Len() == 0 {
		b.turns = slices.DeleteFunc(b.turns, func(l *lane) bool { return l == p.lane })
	}
}

func (b *Bulkhead) uncall(p *place) {
	p.called = time.Time{}
	b.called = slices.DeleteFunc(b.called, func(c *place) bool { return c == p })
}

// forgetUncome drops the slots that are kept for waiters that did not come.
func (b *Bulkhead) forgetUncome(now time.Time) {
	for len(b.called) > 0 && now.Sub(b.called[0].called) > callTimeout {
		b.called[0].late = true
		b.uncall(b.called[0])
	}
}
