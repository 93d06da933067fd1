// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limiter

import (
	"math/rand/v2"
	"slices"
	"sync"
	"time"
)

const (
	// TenantSlots bounds the requests in flight to all endpoints of a tenant that work, and, beside them, the probes: requests to endpoints
	// that have not answered yet or fail, and those that only ask whether an endpoint works.
	TenantSlots = 4 * slots
	// TenantProbes bounds the probes in flight while probes hang.
	TenantProbes = 4
	// hangs is how long a request without an answer takes that hangs.
	hangs = time.Second
	// minSpread is the shortest time over which the requests that follow others are spread.
	minSpread = 100 * time.Millisecond
)

// tenant bounds the requests to the endpoints that one tenant defines: endpoints that hang must not hold slots that endpoints of others need. The
// endpoints take turns. A nil tenant bounds nothing. Its lock is taken after a Limiter's.
type tenant struct {
	mu            sync.Mutex
	slots, probes turns
}

// turns are slots that Limiters take in turn.
type turns struct {
	busy, limit int
	waiting     []queued // the next one first
}

// queued is an endpoint that waits.
type queued struct {
	*Limiter

	fails bool // when it began to wait
}

func newTenant() *tenant {
	return &tenant{slots: turns{limit: TenantSlots}, probes: turns{limit: TenantSlots}}
}

func (t *tenant) of(probe bool) (own, other *turns) {
	if probe {
		return &t.probes, &t.slots
	}
	return &t.slots, &t.probes
}

// enter takes a slot for a request to an endpoint, unless all free slots are for the endpoints whose turn is earlier. Then it is the endpoint's turn
// after theirs.
func (t *tenant) enter(lim *Limiter, probe bool) bool {
	if t == nil {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	defer t.notifyLater()
	own, other := t.of(probe)
	other.leave(lim)
	position, waits := own.position(lim)
	entered := position < own.limit-own.busy
	if entered {
		own.leave(lim)
		own.busy++
	}
	switch {
	case entered && len(lim.waiters) > 0: // those wait for the endpoint's next turn
		position, _ = own.position(lim)
		own.insert(position, lim)
	case !entered && !waits:
		own.insert(position, lim)
	}
	return entered
}

// exit returns a slot after a request that took some time. After a long one the next request waits, for up to a tenth of that time: requests
// that began together at endpoints that hang also end together, and the statuses that follow from them, if they were written all at once,
// would delay the statuses of other tenants.
func (t *tenant) exit(probe bool, took time.Duration, o Outcome) {
	if t == nil {
		return
	}
	if probe {
		t.adapt(o == Unavailable && took >= hangs)
	}
	if spread := took / 10; spread > minSpread {
		time.AfterFunc(rand.N(spread), func() {
			t.free(probe)
			t.notify(time.Now())
		})
		return
	}
	t.free(probe)
}

// adapt halves the probes while they hang, so that fewer statuses are written for the same hundreds of endpoints, and adds one with each other
// probe.
func (t *tenant) adapt(hung bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if hung {
		t.probes.limit = max(t.probes.limit/2, TenantProbes)
	} else {
		t.probes.limit = min(t.probes.limit+1, TenantSlots)
	}
}

func (t *tenant) free(probe bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	own, _ := t.of(probe)
	own.busy--
}

// leave ends an endpoint's waiting.
func (t *tenant) leave(lim *Limiter) {
	if t == nil {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if wasWaiting := t.slots.leave(lim); t.probes.leave(lim) || wasWaiting {
		t.notifyLater()
	}
}

// notifyLater calls notify from another goroutine, which can lock a Limiter, if endpoints have a turn.
func (t *tenant) notifyLater() {
	if len(t.next()) > 0 {
		time.AfterFunc(0, func() { t.notify(time.Now()) })
	}
}

// notify notifies waiters of the endpoints whose turn it is. It is called without the lock of a Limiter.
func (t *tenant) notify(now time.Time) {
	for again := t != nil; again; {
		again = false
		t.mu.Lock()
		next := t.next()
		t.mu.Unlock()
		for _, endpoint := range next {
			again = endpoint.notifyOne(now) || again
		}
	}
}

// next returns the endpoints whose turn it is.
func (t *tenant) next() []queued {
	return slices.Concat(t.slots.next(), t.probes.next())
}

// position returns the number of endpoints whose turn is earlier, and whether the endpoint waits already. One that was not asked yet comes before
// those that fail, each of which may hold its slot for as long as a request may take.
func (t *turns) position(lim *Limiter) (earlier int, waits bool) {
	if i := t.index(lim); i >= 0 {
		return i, true
	}
	earlier = len(t.waiting)
	for lim.breaker.standing == unasked && earlier > 0 && t.waiting[earlier-1].fails {
		earlier--
	}
	return earlier, false
}

func (t *turns) index(lim *Limiter) int {
	return slices.IndexFunc(t.waiting, func(q queued) bool { return q.Limiter == lim })
}

func (t *turns) insert(at int, lim *Limiter) {
	t.waiting = slices.Insert(t.waiting, at, queued{lim, lim.breaker.standing == fails})
}

func (t *turns) leave(lim *Limiter) (left bool) {
	i := t.index(lim)
	if i >= 0 {
		t.waiting = slices.Delete(t.waiting, i, i+1)
	}
	return i >= 0
}

func (t *turns) next() []queued {
	return slices.Clone(t.waiting[:min(len(t.waiting), max(t.limit-t.busy, 0))])
}

// notifyOne notifies a waiter in the endpoint's turn, which is for one request, unless one was notified. If no waiter can be notified, the turn has
// passed to the next endpoint.
func (lim *Limiter) notifyOne(now time.Time) (passed bool) {
	lim.mu.Lock()
	var call func()
	lim.dropLate(now)
	if len(lim.notified) == 0 {
		call = lim.pickOne(now)
	}
	lim.arm(now)
	passed = lim.leaveTenant()
	lim.mu.Unlock()
	if call != nil {
		call()
	}
	return passed
}

// leaveTenant gives up the endpoint's turn if no waiter was notified.
func (lim *Limiter) leaveTenant() bool {
	if len(lim.notified) > 0 {
		return false
	}
	lim.tenant.leave(lim)
	return true
}

// isProbe reports whether a request to the endpoint is a probe for its tenant.
func (lim *Limiter) isProbe(r Request) bool {
	return r.Probe || lim.breaker.standing != works
}
