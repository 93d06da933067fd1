// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limiter_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound/limiter"
)

// load makes requests to the endpoints of a tenant, and counts those in flight.
type load struct {
	limiters limiter.Limiters[string]
	result   func(endpoint string) limiter.Result
	takes    func(endpoint string) time.Duration // a request
	late     func() time.Duration                // between a notification and the next attempt to enter

	mu                        sync.Mutex
	slots, probes             int // in flight
	mostSlots, mostProbes, ok int
	works                     map[string]bool // endpoints that answered last
	tried                     map[int]bool
	entered                   map[int]bool
	heartbeats                map[int]*time.Timer
}

func newLoad() *load {
	return &load{
		limiters: limiter.Limiters[string]{TenantOf: func(endpoint string) string { return endpoint[:1] }},
		result:   func(string) limiter.Result { return limiter.Result{} },
		takes:    func(string) time.Duration { return time.Second },
		late:     func() time.Duration { return 0 },
		works:    map[string]bool{},
		tried:    map[int]bool{},
		entered:  map[int]bool{},

		heartbeats: map[int]*time.Timer{},
	}
}

// ask makes one request, which is repeated until it succeeds.
func (c *load) ask(endpoint string, who int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.entered[who] {
		return
	}
	late := c.late()
	enter := func() { time.AfterFunc(late, func() { c.ask(endpoint, who) }) }
	isProbe := !c.works[endpoint]
	release, _ := c.limiters.Of(endpoint, time.Now()).Enter(limiter.Request{ID: who, Notify: enter}, time.Now())
	if release == nil {
		if c.heartbeats[who] == nil {
			c.heartbeats[who] = time.AfterFunc(limiter.QueueTimeout/3, func() { c.ask(endpoint, who) })
		}
		c.heartbeats[who].Reset(limiter.QueueTimeout / 3)
		return
	}
	c.entered[who] = true
	count := func(by int) {
		if isProbe {
			c.probes += by
		} else {
			c.slots += by
		}
	}
	count(1)
	c.mostSlots, c.mostProbes = max(c.mostSlots, c.slots), max(c.mostProbes, c.probes)
	time.AfterFunc(c.takes(endpoint), func() {
		c.mu.Lock()
		count(-1)
		r := c.result(endpoint)
		failed := r.Outcome == limiter.Unavailable
		c.works[endpoint], c.tried[who] = !failed, true
		if !failed {
			c.ok++
		}
		c.entered[who] = !failed // for good
		release(time.Now(), r)
		c.mu.Unlock()
		if failed {
			c.ask(endpoint, who)
		}
	})
}

// pass lets time pass.
func (c *load) pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// answer has all endpoints answer so from now on.
func (c *load) answer(takes time.Duration, o limiter.Outcome) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.takes = func(string) time.Duration { return takes }
	c.result = func(string) limiter.Result { return limiter.Result{Outcome: o} }
	c.mostSlots, c.mostProbes = 0, 0
}

// F-S10: all endpoints of a tenant together have 16 requests in flight where they work, and 16 where they do not, or 4 while these hang, however
// many there are; and another tenant has its own.
func TestATenantHasBoundedRequestsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newLoad()
		c.takes = func(string) time.Duration { return time.Minute }
		for i := range 900 {
			c.ask(fmt.Sprintf("a%d", i%300), i)
		}
		other, wait := c.limiters.Of("b", time.Now()).Enter(limiter.Request{ID: "b", Notify: func() {}}, time.Now())
		if other == nil {
			t.Errorf("another tenant waits: %+v", wait)
		}
		if _, wait := c.limiters.Of("a300", time.Now()).Enter(limiter.Request{ID: "a", Notify: func() {}}, time.Now()); wait.Cause != limiter.TenantBusy {
			t.Errorf("got %q", wait.Cause)
		}
		c.limiters.Cancel("a300", "a", time.Now())
		c.pass(6 * time.Hour)
		if c.mostSlots != 16 || c.mostProbes != 16 || c.ok != 900 {
			t.Errorf("at most %d requests and %d probes in flight, %d succeeded", c.mostSlots, c.mostProbes, c.ok)
		}

		c.answer(time.Minute, limiter.Unavailable)
		for i := range 900 {
			c.ask(fmt.Sprintf("a%d", i%300), 900+i)
		}
		c.pass(6 * time.Hour)
		c.answer(time.Minute, limiter.Unavailable)
		c.pass(6 * time.Hour)
		if c.mostSlots != 0 || c.mostProbes != 4 {
			t.Errorf("at most %d requests and %d probes in flight while all endpoints hang", c.mostSlots, c.mostProbes)
		}
		c.answer(time.Minute, limiter.Accepted)
		c.pass(12 * time.Hour)
		if c.ok != 1800 {
			t.Errorf("%d succeeded after the endpoints have recovered", c.ok)
		}
	})
}

// F-S10: an endpoint that works does not wait for those of its tenant that hang, and a new one waits for one request at most.
func TestATenantHasEndpointsThatWorkWaitForNoneThatHangs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newLoad()
		healthy := func(endpoint string) bool { return strings.HasPrefix(endpoint, "a-healthy") }
		c.takes = func(endpoint string) time.Duration {
			if healthy(endpoint) {
				return time.Millisecond
			}
			return 10 * time.Second
		}
		c.result = func(endpoint string) limiter.Result {
			if healthy(endpoint) {
				return limiter.Result{}
			}
			return limiter.Result{Outcome: limiter.Unavailable}
		}
		wantSoon := func(endpoint string, within time.Duration) {
			t.Helper()
			ok := c.ok
			c.ask(endpoint, rand.Int())
			c.pass(within)
			if c.ok == ok {
				t.Errorf("%s was not asked within %s", endpoint, within)
			}
		}
		wantSoon("a-healthy", 2*time.Millisecond)
		for i := range 600 {
			c.ask(fmt.Sprintf("a%d", i%300), i)
		}
		for minute := range 60 {
			c.pass(time.Minute)
			wantSoon("a-healthy", 2*time.Millisecond)
			if minute > 30 { // all have been asked
				wantSoon(fmt.Sprint("a-healthy", minute), 12*time.Second)
			}
		}
	})
}

// F-S10: each endpoint of a tenant gets its turn, whatever the answers are, and however late the waiters come.
func TestEachEndpointOfATenantGetsItsTurn(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			c := newLoad()
			c.takes = func(string) time.Duration { return time.Duration(r.IntN(5000)) * time.Millisecond }
			c.late = func() time.Duration { return time.Duration(r.IntN(1+int(seed)%3*1500)) * time.Millisecond }
			c.result = func(string) limiter.Result {
				return limiter.Result{Outcome: []limiter.Outcome{limiter.Unavailable, limiter.Accepted, limiter.Accepted, limiter.Accepted}[r.IntN(4)]}
			}
			for i := range 400 {
				c.ask(fmt.Sprintf("a%d", i%(1+r.IntN(60))), i)
			}
			c.pass(3 * time.Hour)
			if c.ok != 400 || c.mostSlots > 16 || c.mostProbes > 16 {
				t.Errorf("seed %d: %d of 400 succeeded, at most %d requests and %d probes in flight", seed, c.ok, c.mostSlots, c.mostProbes)
			}
		})
	}
}

// F-S10: requests that began together at endpoints that hang do not end together for ever, so that the statuses that follow from them are not
// written in bursts. Each request gets its turn, also beside others to the same endpoint.
func TestATenantHasItsRequestsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newLoad()
		ended := map[int64]int{} // by the second
		c.takes = func(string) time.Duration { return 15 * time.Second }
		c.result = func(string) limiter.Result {
			ended[time.Now().Unix()]++
			return limiter.Result{Outcome: limiter.Unavailable}
		}
		for i := range 900 {
			c.ask(fmt.Sprintf("a%d", i%300), i)
		}
		c.pass(time.Minute) // four rounds
		c.mu.Lock()
		clear(ended)
		c.mu.Unlock()
		c.pass(2 * time.Hour)
		together := 0
		for _, n := range ended {
			if n == limiter.TenantProbes {
				together++
			}
		}
		if together > len(ended)/10 {
			t.Errorf("all %d requests ended together %d times, in %d seconds", limiter.TenantProbes, together, len(ended))
		}
		if len(c.tried) != 900 {
			t.Errorf("%d of 900 were tried", len(c.tried))
		}
	})
}
