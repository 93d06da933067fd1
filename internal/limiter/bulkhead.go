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

// Package limiter bounds what is sent to an endpoint: requests in flight, rates, a circuit breaker that probes, and queues that
// are fair between namespaces. It knows no network, no broker and no receiver; the time is handed in.
package limiter

import (
	"container/list"
	"maps"
	"slices"
	"sync"
	"time"
)

const (
	// slots is how many requests one party may have under way.
	slots = 4
	// failuresToTrip is after how many failures in a row a party is taken for down.
	failuresToTrip = 3
	// firstRest and lastRest bound how long a party that is down is left alone before one request tries it again.
	firstRest, lastRest = time.Second, 30 * time.Second
	// maxWish bounds for how long all are kept from a party that asked one to wait.
	maxWish = 5 * time.Minute
	// callTimeout is how long a place is kept for who was called.
	callTimeout = 2 * time.Second
	// QueueTimeout is within which time who waits has to ask again, so as not to be taken for gone.
	QueueTimeout = 15 * time.Minute
)

// retryRate is how many retries may fail before others wait: enough to notice soon that a party does better.
var retryRate = Rate{Count: 10, Period: time.Second}

// Ticket is what one asks for a slot with.
type Ticket struct {
	// Who asks, by which the same is known when it asks again.
	Who any
	// Lane is the queue that it waits in. Lanes are called in turn: a long queue in one does not keep another waiting.
	Lane string
	// Total and PerLane bound how many enter; both are as of the last ticket.
	Total, PerLane Rate
	// Retry: the request was made before, and failed. Such tickets wait in lanes of their own, so that no first request waits for
	// them.
	Retry bool
	// FailingSince is when the first request failed of those of the same object that have failed in a row; zero: the last one did not.
	FailingSince time.Time
	// Misconfigured is how many answers in a row to the object's requests looked like a misconfiguration.
	Misconfigured int
	// OwnFault: such answers were found to be due to the object alone, so that another one does not block the endpoint.
	OwnFault bool
	// Exempt enters whatever the rates say. Such tickets wait in a lane of their own.
	Exempt bool
	// Call is called, from another goroutine, when it is worth asking again. That there is a slot then is not promised.
	Call func()
}

// Cause is why somebody waits. The set is closed.
type Cause string

const (
	Busy      Cause = "Busy"      // others are under way
	Throttled Cause = "Throttled" // a rate is used up
	Down      Cause = "Down"      // the party has failed, or asked to be left alone
	Failing   Cause = "Failing"   // this is a retry, and others have just failed again
	// Misconfigured: the endpoint keeps answering as one that is misconfigured, and only the probe is sent.
	Misconfigured Cause = "Misconfigured"
)

// Wait is why and since when somebody waits.
type Wait struct {
	Since time.Time
	Cause Cause
}

// Result is what came of a request, as far as it matters to the next one.
type Result struct {
	// Failed: the party did not answer, or only that it cannot, which would meet another request as well.
	Failed bool
	// Error: the party answered, but did not do it, which may be due to this one request.
	Error bool
	// Misconfigured: the answer, or the failure to get one, looks like a misconfiguration of the endpoint or of what stands before
	// it, which a person has to mend. Such a Result is not Failed.
	Misconfigured bool
	// Unauthorized: it is Misconfigured, and the credentials were refused.
	Unauthorized bool
	// Wish is how long it asked to be left alone.
	Wish time.Duration
	// Unasked: the request was not made, so that nothing is known of the party.
	Unasked bool
}

// Verdict is what a Result says of the object whose request it was.
type Verdict struct {
	// OwnFault: requests of other objects have succeeded since this object's began to fail.
	OwnFault bool
	// Slow: the endpoint looks misconfigured, and one request at a time, the probe, is sent every few minutes. The object of the
	// request waits for it like the others.
	Slow bool
	// FailedProbe: the request was such a probe. What came of it need be said of the endpoint only.
	FailedProbe bool
}

// A Bulkhead keeps one party from holding more than its few of what all share, and from being sent more in a time than it is
// meant to get. A party that fails several times in a row is taken for down: until it answers, one request at a time tries
// it, ever more seldom. Retries that it answers with errors are bounded, however many objects want them; those that succeed are
// not, so that all go on once a party does better. The zero value is ready to use.
type Bulkhead struct {
	mu             sync.Mutex
	version        string    // of the party; "" until it is known
	epoch          int       // how often it has become another
	busy           int       // with requests, of whichever epoch
	failures       int       // in a row
	rests          int       // since it is down
	until          time.Time // when it may be tried again, as it failed
	wish           time.Time // until when it asked to be left alone
	succeeded      time.Time // when a request last did
	recovers       bool      // with the next success: objects wait because of a failure of the party
	misconfigured  misconfiguration
	onRecovery     func() // may be nil
	total, perLane Rate
	used, refailed window
	lanes          map[laneKey]*lane
	sweepAt        int     // of so many lanes
	turns          []*lane // those with a queue, the next one first
	places         map[any]*place
	called         []*place
	timer          *time.Timer
}

// laneKey is how a lane is found.
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
	late        bool      // it was called and did not come in time: the slot went to another, but not its place
	lane        *lane
	element     *list.Element
}

// entry is a Ticket that has taken a slot.
type entry struct {
	Ticket
	epoch int
	probe bool // it was let in alone, to see whether the endpoint still looks misconfigured
}

// A Leave gives a slot back, with what came of the request.
type Leave func(now time.Time, r Result) Verdict

// Enter takes a slot, or queues: then leave is nil.
func (b *Bulkhead) Enter(t Ticket, now time.Time) (leave Leave, wait Wait) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !t.Exempt {
		b.total, b.perLane = t.Total, t.PerLane
	}
	b.forgetUncome(now)
	l := b.lane(laneKey{t.Lane, t.Retry}, now)
	own := b.places[t.Who]
	if own != nil && own.lane != l { // it asks for something else
		since := own.since
		b.remove(own)
		own = b.queue(l, t, since)
	}
	cause := b.cause(l, own, t.Exempt, now)
	if cause == "" {
		b.remove(own)
		b.busy++
		if !t.Exempt {
			b.used.use(b.total, now)
			l.used.use(b.perLane, now)
		}
		e := entry{Ticket: t, epoch: b.epoch, probe: b.misconfigured.isBlocking()}
		return func(now time.Time, r Result) Verdict { return b.leave(e, now, r) }, Wait{}
	}
	if own == nil {
		own = b.queue(l, t, now)
	}
	own.Ticket, own.seen, own.late = t, now, false
	b.uncall(own)
	b.arm(now)
	return nil, Wait{Since: own.since, Cause: cause}
}

// cause is why own cannot enter now, "" if it can.
func (b *Bulkhead) cause(l *lane, own *place, exempt bool, now time.Time) Cause {
	switch {
	case b.misconfigured.isSlow() && !b.mayProbe(own, now):
		return Misconfigured
	case b.isDown(now), b.misconfigured.isBlocking() && !b.mayProbe(own, now):
		return Down
	case l.retry && b.refailed.room(retryRate, now) <= 0:
		return Failing
	case !exempt && b.room(l, own, now) <= 0:
		return Throttled
	case b.free(own) <= 0:
		return Busy
	}
	return ""
}

// Blocked says why nobody from a lane gets in for some time, "" if that is not so: others that are under way are no reason.
func (b *Bulkhead) Blocked(name string, now time.Time) Cause {
	b.mu.Lock()
	defer b.mu.Unlock()
	l := b.lanes[laneKey{name: name}]
	if l == nil {
		l = &lane{}
	}
	if cause := b.cause(l, nil, false, now); cause != Busy {
		return cause
	}
	if b.tripped() || b.misconfigured.isBlocking() {
		return Down
	}
	return ""
}

// unlockAndCall calls those for whom there is room, and further ones.
func (b *Bulkhead) unlockAndCall(now time.Time, further ...func()) {
	calls := append(b.pick(now), further...)
	b.mu.Unlock()
	for _, call := range calls {
		call()
	}
}

// Renew says of which version a party is, such as its address and what it is asked with. One that has become another was not down,
// nor has it asked to be left alone, and whoever waits has a chance; what is under way says nothing of it, but keeps its slot until it
// ends. The rates stay.
func (b *Bulkhead) Renew(version string, now time.Time) {
	b.mu.Lock()
	former := b.version
	b.version = version
	if former == "" || former == version {
		b.mu.Unlock()
		return
	}
	b.epoch++
	b.failures, b.rests, b.until, b.wish, b.recovers, b.misconfigured = 0, 0, time.Time{}, time.Time{}, false, misconfiguration{}
	b.unlockAndCall(now)
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
	b.unlockAndCall(now)
}

// pick picks those for whom there is room, lane by lane, and keeps it for them.
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
			if !p.called.IsZero() || p.late {
				continue
			}
			if !p.Exempt && b.room(l, nil, now) <= 0 || l.retry && b.refailed.room(retryRate, now) <= 0 {
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
	if b.tripped() || b.misconfigured.isBlocking() {
		limit = 1
	}
	if own != nil && own.late { // it has waited for its turn
		return limit - b.busy
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

// arm calls again once there is room, or who was called has not come.
func (b *Bulkhead) arm(now time.Time) {
	if b.timer != nil {
		b.timer.Stop()
		b.timer = nil
	}
	opens := b.opens(now)
	if len(b.called) > 0 && len(b.places) > len(b.called) {
		late := b.called[0].called.Add(callTimeout + time.Millisecond)
		if opens.IsZero() || late.Before(opens) {
			opens = late
		}
	}
	if opens.IsZero() {
		return
	}
	b.timer = time.AfterFunc(opens.Sub(now), func() {
		b.mu.Lock()
		b.unlockAndCall(time.Now())
	})
}

// opens is when the next one is let in for whom there is a slot; zero: there is none, or nobody waits.
func (b *Bulkhead) opens(now time.Time) (at time.Time) {
	if b.free(nil) <= 0 {
		return at
	}
	for _, l := range b.turns {
		var opens time.Time
		if b.isDown(now) {
			opens = latest(latest(b.until, b.wish), b.misconfigured.probeAt)
		}
		if b.used.room(b.total, now) <= 0 {
			opens = latest(opens, b.used.opens(b.total))
		}
		if l.retry && b.refailed.room(retryRate, now) <= 0 {
			opens = latest(opens, b.refailed.opens(retryRate))
		}
		if l.used.room(b.perLane, now) <= 0 {
			opens = latest(opens, l.used.opens(b.perLane))
		}
		if !opens.IsZero() && (at.IsZero() || opens.Before(at)) {
			at = opens
		}
	}
	return at
}

func latest(a, b time.Time) time.Time {
	if b.After(a) {
		return b
	}
	return a
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

// isIdle says whether a lane has nothing to remember.
func (b *Bulkhead) isIdle(l *lane, now time.Time) bool {
	return l.queue.Len() == 0 && (b.perLane.Count <= 0 || l.used.room(b.perLane, now) == b.perLane.Count)
}

// Idle says whether the party has nobody under way or waiting, and nothing to remember: a new bulkhead is as good.
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

// forgetUncome keeps no slot for who was called and did not come.
func (b *Bulkhead) forgetUncome(now time.Time) {
	for len(b.called) > 0 && now.Sub(b.called[0].called) > callTimeout {
		b.called[0].late = true
		b.uncall(b.called[0])
	}
}
