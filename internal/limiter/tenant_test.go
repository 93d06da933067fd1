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

package limiter_test

import (
	"fmt"
	"math/rand/v2"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gophernetes/bellhop/internal/limiter"
)

// load makes requests to the endpoints of a tenant, and counts those in flight.
type load struct {
	limiters limiter.Limiters[string]
	result   func() limiter.Result
	takes    func() time.Duration // a request
	late     func() time.Duration // between a notification and the next attempt to enter

	mu                        sync.Mutex
	slots, probes             int // in flight
	mostSlots, mostProbes, ok int
	failing                   map[string]map[int]bool // requests whose last answers in a row were failures
	entered                   map[int]bool
	heartbeats                map[int]*time.Timer
}

func newLoad() *load {
	return &load{
		limiters: limiter.Limiters[string]{TenantOf: func(endpoint string) string { return endpoint[:1] }},
		result:   func() limiter.Result { return limiter.Result{} },
		takes:    func() time.Duration { return time.Second },
		late:     func() time.Duration { return 0 },
		failing:  map[string]map[int]bool{},
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
	enter := func() { time.AfterFunc(c.late(), func() { c.ask(endpoint, who) }) }
	isProbe := len(c.failing[endpoint]) >= 3
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
	time.AfterFunc(c.takes(), func() {
		c.mu.Lock()
		count(-1)
		r := c.result()
		failed := r.Outcome == limiter.Unavailable
		if failed {
			if c.failing[endpoint] == nil {
				c.failing[endpoint] = map[int]bool{}
			}
			c.failing[endpoint][who] = true
		} else {
			c.failing[endpoint] = nil
			c.ok++
		}
		c.entered[who] = !failed // for good
		c.mu.Unlock()
		release(time.Now(), r)
		if failed {
			c.ask(endpoint, who)
		}
	})
}

// F-S10: all endpoints of a tenant together have 16 requests and 4 probes in flight, however many hang, and another tenant has its own.
func TestATenantHasBoundedRequestsInFlight(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newLoad()
		c.takes = func() time.Duration { return time.Minute }
		c.result = func() limiter.Result { return limiter.Result{Outcome: limiter.Unavailable} }
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
		time.Sleep(6 * time.Hour)
		if c.mostSlots != 16 || c.mostProbes != 4 {
			t.Errorf("at most %d requests and %d probes in flight", c.mostSlots, c.mostProbes)
		}
		c.result = func() limiter.Result { return limiter.Result{} }
		time.Sleep(12 * time.Hour)
		if c.ok != 900 {
			t.Errorf("%d succeeded after the endpoints have recovered", c.ok)
		}
	})
}

// F-S10: requests that only ask whether an endpoint works do not delay the others of the tenant.
func TestATenantHasSlotsOfItsOwnForProbes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newLoad()
		entered := 0
		for i := range 10 {
			endpoint := c.limiters.Of(fmt.Sprintf("a%d", i), time.Now())
			if release, _ := endpoint.Enter(limiter.Request{ID: i, Probe: true, Notify: func() {}}, time.Now()); release != nil {
				entered++
			}
		}
		if release, _ := c.limiters.Of("a9", time.Now()).Enter(limiter.Request{ID: "an Alert", Notify: func() {}}, time.Now()); entered != 4 || release == nil {
			t.Errorf("%d probes in flight; the other entered: %t", entered, release != nil)
		}
	})
}

// F-S10: each endpoint of a tenant gets its turn, whatever the answers are, and however late the waiters come.
func TestEachEndpointOfATenantGetsItsTurn(t *testing.T) {
	for seed := range uint64(20) {
		synctest.Test(t, func(t *testing.T) {
			r := rand.New(rand.NewPCG(seed, 1))
			c := newLoad()
			c.takes = func() time.Duration { return time.Duration(r.IntN(5000)) * time.Millisecond }
			c.late = func() time.Duration { return time.Duration(r.IntN(1+int(seed)%3*1500)) * time.Millisecond }
			c.result = func() limiter.Result {
				return limiter.Result{Outcome: []limiter.Outcome{limiter.Unavailable, limiter.Accepted, limiter.Accepted, limiter.Accepted}[r.IntN(4)]}
			}
			for i := range 400 {
				c.ask(fmt.Sprintf("a%d", i%(1+r.IntN(60))), i)
			}
			time.Sleep(3 * time.Hour)
			if c.ok != 400 || c.mostSlots > 16 {
				t.Errorf("seed %d: %d of 400 succeeded, at most %d in flight", seed, c.ok, c.mostSlots)
			}
		})
	}
}

// F-S10: requests that began together at endpoints that hang do not end together for ever, so that the statuses that follow from them are not
// written in bursts. Each request gets its turn, also beside others to the same endpoint.
func TestATenantHasItsRequestsSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newLoad()
		ended, tried := map[int64]int{}, 0 // by the second
		c.takes = func() time.Duration { return 15 * time.Second }
		c.result = func() limiter.Result {
			ended[time.Now().Unix()]++
			return limiter.Result{Outcome: limiter.Unavailable}
		}
		for i := range 900 {
			c.ask(fmt.Sprintf("a%d", i%300), i)
		}
		time.Sleep(time.Minute) // four rounds
		clear(ended)
		time.Sleep(40 * time.Minute)
		for second, n := range ended {
			if n > limiter.TenantSlots-4 {
				t.Errorf("%d requests ended in second %d", n, second)
			}
		}
		for _, failed := range c.failing {
			tried += len(failed)
		}
		if tried != 900 {
			t.Errorf("%d of 900 were tried", tried)
		}
	})
}
