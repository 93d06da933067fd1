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

package brokers

import (
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/gophernetes/bellhop/internal/enqueue"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	"github.com/gophernetes/bellhop/internal/lifecycle/lifecycletest"
	"github.com/gophernetes/bellhop/internal/limiter"
	"github.com/gophernetes/bellhop/internal/limiter/limitertest"
)

// TestWhatWaitsSaysSoInTurn: a broker that stops answering has many wait, and all at once.
func TestWhatWaitsSaysSoInTurn(t *testing.T) {
	l := Queue{statusLimiter: NewStatusLimiter()}
	first, second := &Place{}, &Place{}
	for _, where := range []*Place{first, second, first} {
		l.StatusTime(where, lifecycletest.T0)
	}
	if got := []time.Time{first.statusTime, second.statusTime}; !got[0].Equal(lifecycletest.T0) || !got[1].Equal(lifecycletest.T0.Add(StatusInterval)) {
		t.Errorf("they say so at %v", got)
	}
	if l.statusLimiter.AllowN(lifecycletest.T0, 1) {
		t.Error("others may say something at the same time")
	}
	if later := lifecycletest.T0.Add(time.Hour); !l.StatusTime(&Place{}, later).Equal(later) {
		t.Error("one alone has to wait for long")
	}
	if later := lifecycletest.T0.Add(2 * time.Hour); !l.statusLimiter.AllowN(later, 1) || l.statusLimiter.AllowN(later, 1) {
		t.Error("it is not one at a time")
	}
}

// TestWhatGetsItsTurnLeavesItsMomentToOthers: else those who come after many that are served before
// they have said anything would never say so.
func TestWhatGetsItsTurnLeavesItsMomentToOthers(t *testing.T) {
	l := &Queue{clock: clocktesting.NewFakePassiveClock(lifecycletest.T0), statusLimiter: NewStatusLimiter()}
	for range 1000 {
		w := &Place{}
		l.StatusTime(w, lifecycletest.T0)
		if w.statusTime.After(lifecycletest.T0.Add(StatusInterval)) {
			t.Fatalf("it says so after %s", w.statusTime.Sub(lifecycletest.T0))
		}
		l.forget(&w)
	}
}

// TestWhatWaitsAsksInTime: who does not ask loses its place, and what many have to say keeps nobody
// from that, nor from saying something later.
func TestWhatWaitsAsksInTime(t *testing.T) {
	l := Queue{statusLimiter: NewStatusLimiter()}
	many := make([]Place, 10_000)
	said := 0
	for i := range many {
		at := l.StatusTime(&many[i], lifecycletest.T0)
		if at.After(lifecycletest.T0.Add(QueueHeartbeat)) {
			t.Fatalf("number %d comes again after %v", i, at.Sub(lifecycletest.T0))
		}
		if !many[i].statusTime.IsZero() {
			said++
		}
	}
	if want := int(QueueHeartbeat/StatusInterval) + 1; said != want {
		t.Errorf("%d say so within %v, want %d", said, QueueHeartbeat, want)
	}
	late := &Place{}
	if now := lifecycletest.T0.Add(QueueHeartbeat + StatusInterval); !l.StatusTime(late, now).Equal(now) {
		t.Errorf("the next one says so at %v, %v later", late.statusTime, late.statusTime.Sub(now))
	}
}

// TestWhoAsksAnotherBrokerWaitsAtTheFormerNoMore: a slot would be kept for it there.
func TestWhoAsksAnotherBrokerWaitsAtTheFormerNoMore(t *testing.T) {
	now := time.Now() // the limiter has a clock of its own
	c := &Clients{}
	l := Queue{kind: "ServiceInstance", clients: c, clock: clocktesting.NewFakePassiveClock(now), wake: &enqueue.Enqueuer{}}
	si, former, next := lifecycletest.NewInstance(), Key{Name: "former"}, Key{Name: "next"}
	freed := limitertest.FillSlots(t, c.Limiters.Of(former, now), now)
	var queued *Place
	if leave, _ := l.Enter(si, &queued, former, lifecycle.Provision, nil); leave != nil || queued == nil || queued.Broker != former {
		t.Fatalf("entered %v, waits at %+v", leave != nil, queued)
	}
	leave, _ := l.Enter(si, &queued, next, lifecycle.Provision, nil)
	if leave == nil || queued != nil {
		t.Fatalf("entered %v, waits at %+v", leave != nil, queued)
	}
	leave(now, limiter.Result{})
	if !freed() {
		t.Error("its place at the former broker is still there")
	}
}
