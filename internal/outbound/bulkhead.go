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

package outbound

import (
	"container/list"
	"slices"
	"sync"
	"time"
)

const (
	// slots is how many requests one party may have under way.
	slots = 4
	// timeoutsToTrip is after how many time-outs in a row a party gets one request at a time, until it answers one.
	timeoutsToTrip = 3
	// callTimeout is how long a place is kept for who was called.
	callTimeout = 2 * time.Second
	// QueueTimeout is within which time who waits has to ask again, so as not to be taken for gone.
	QueueTimeout = 3 * time.Minute
)

// Ticket is what one asks for a slot with.
type Ticket struct {
	// Who asks, by which the same is known when it asks again.
	Who any
	// Lane is the queue that it waits in. Lanes are called in turn: a long queue in one does not keep another waiting.
	Lane string
	// Total and PerLane bound how many enter; both are as of the last ticket.
	Total, PerLane Rate
	// Exempt enters whatever the rates say. Such tickets wait in a lane of their own.
	Exempt bool
	// Call is called, from another goroutine, when it is worth asking again. That there is a slot then is not promised.
	Call func()
}

// Wait is why and since when somebody waits.
type Wait struct {
	Since time.Time
	// Throttled: a rate is used up. Else others are under way.
	Throttled bool
}

// A Bulkhead keeps one party from holding more than its few of what all share, and from being sent more in a time than it is
// meant to get. The zero value is ready to use.
type Bulkhead struct {
	mu             sync.Mutex
	busy           int
	timeouts       int // in a row
	total, perLane Rate
	used           window
	lanes          map[string]*lane
	turns          []*lane // those with a queue, the next one first
	places         map[any]*place
	called         []*place
	timer          *time.Timer
}

type lane struct {
	name  string
	used  window
	queue list.List // of *place
}

type place struct {
	Ticket
	since, seen time.Time
	called      time.Time // zero: not yet
	lane        *lane
	element     *list.Element
}

// Enter takes a slot, which Leave gives back, or queues.
func (b *Bulkhead) Enter(t Ticket, now time.Time) (entered bool, wait Wait) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !t.Exempt {
		b.total, b.perLane = t.Total, t.PerLane
	}
	b.forgetUncome(now)
	own := b.places[t.Who]
	l := b.lane(t.Lane)
	busy, throttled := b.free(own) <= 0, !t.Exempt && b.room(l, own, now) <= 0
	if !busy && !throttled {
		b.remove(own)
		b.busy++
		if !t.Exempt {
			b.used.use(b.total, now)
			l.used.use(b.perLane, now)
		}
		b.prune(l, now)
		return true, Wait{}
	}
	if own == nil {
		own = b.queue(l, t, now)
	}
	own.Ticket, own.seen = t, now
	b.uncall(own)
	b.arm(now)
	return false, Wait{Since: own.since, Throttled: throttled && !busy}
}

// Leave gives a slot back and says whether the party ran into the time limit.
func (b *Bulkhead) Leave(now time.Time, timedOut bool) {
	b.mu.Lock()
	b.busy--
	b.timeouts++
	if !timedOut {
		b.timeouts = 0
	}
	calls := b.call(now)
	b.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

// Withdraw gives up a place, if there is one.
func (b *Bulkhead) Withdraw(who any, now time.Time) {
	b.mu.Lock()
	own := b.places[who]
	if own == nil {
		b.mu.Unlock()
		return
	}
	b.remove(own)
	calls := b.call(now)
	b.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

// call picks those for whom there is room, lane by lane, and keeps it for them.
func (b *Bulkhead) call(now time.Time) (calls []func()) {
	b.forgetUncome(now)
	for b.free(nil) > 0 {
		p := b.next(now)
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

// next is who is to be called next; its lane goes to the end of the turns.
func (b *Bulkhead) next(now time.Time) *place {
	for i, l := range b.turns {
		for e := l.queue.Front(); e != nil; {
			p := e.Value.(*place)
			e = e.Next()
			if now.Sub(p.seen) > QueueTimeout {
				b.remove(p)
				return b.next(now) // the turns may have changed
			}
			if !p.called.IsZero() {
				continue
			}
			if !p.Exempt && b.room(l, nil, now) <= 0 {
				break // nor is there for those behind
			}
			b.turns = append(slices.Delete(b.turns, i, i+1), l)
			return p
		}
	}
	return nil
}

// free is how many slots there are for own, beside those kept for others.
func (b *Bulkhead) free(own *place) int {
	limit := slots
	if b.timeouts >= timeoutsToTrip {
		limit = 1
	}
	return limit - b.busy - b.kept(func(p *place) bool { return p != own })
}

// room is how many more the rates let in from a lane, beside those called.
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

// arm calls again once a rate has room, if anybody waits for that.
func (b *Bulkhead) arm(now time.Time) {
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
	opens := b.opens(now)
	if opens.IsZero() {
		return
	}
	b.timer = time.AfterFunc(opens.Sub(now), func() {
		b.mu.Lock()
		calls := b.call(time.Now())
		b.mu.Unlock()
		for _, call := range calls {
			call()
		}
	})
}

// opens is when the rates let the next one in for whom there is a slot; zero: there
// is none, or nobody waits.
func (b *Bulkhead) opens(now time.Time) (at time.Time) {
	if b.free(nil) <= 0 {
		return at
	}
	for _, l := range b.turns {
		var opens time.Time
		if b.used.room(b.total, now) <= 0 {
			opens = b.used.opens(b.total)
		}
		if l.used.room(b.perLane, now) <= 0 {
			if o := l.used.opens(b.perLane); o.After(opens) {
				opens = o
			}
		}
		if !opens.IsZero() && (at.IsZero() || opens.Before(at)) {
			at = opens
		}
	}
	return at
}

func (b *Bulkhead) lane(name string) *lane {
	l := b.lanes[name]
	if l == nil {
		if b.lanes == nil {
			b.lanes = map[string]*lane{}
		}
		l = &lane{name: name}
		b.lanes[name] = l
	}
	return l
}

// prune forgets a lane that has nothing to remember.
func (b *Bulkhead) prune(l *lane, now time.Time) {
	if l.queue.Len() == 0 && (b.perLane.Count <= 0 || l.used.room(b.perLane, now) == b.perLane.Count) {
		delete(b.lanes, l.name)
	}
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

// forgetUncome keeps no slot for who was called and did not come.
func (b *Bulkhead) forgetUncome(now time.Time) {
	for len(b.called) > 0 && now.Sub(b.called[0].called) > callTimeout {
		b.remove(b.called[0])
	}
}
