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

package servicecatalog

import (
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/enqueue"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	"github.com/gophernetes/bellhop/internal/lifecycle/lifecycletest"
	"github.com/gophernetes/bellhop/internal/limiter"
)

// TestWhatWaitsSaysSoInTurn: a broker that stops answering has many wait, and all at once.
func TestWhatWaitsSaysSoInTurn(t *testing.T) {
	l := line{news: newNewsLimiter()}
	first, second := &waiting{}, &waiting{}
	for _, where := range []*waiting{first, second, first} {
		l.sayAt(where, start)
	}
	if got := []time.Time{first.says, second.says}; !got[0].Equal(start) || !got[1].Equal(start.Add(newsInterval)) {
		t.Errorf("they say so at %v", got)
	}
	if l.news.AllowN(start, 1) {
		t.Error("others may say something at the same time")
	}
	if later := start.Add(time.Hour); !l.sayAt(&waiting{}, later).Equal(later) {
		t.Error("one alone has to wait for long")
	}
	if later := start.Add(2 * time.Hour); !l.news.AllowN(later, 1) || l.news.AllowN(later, 1) {
		t.Error("it is not one at a time")
	}
}

// TestWhatGetsItsTurnLeavesItsMomentToOthers: else those who come after many that are served before
// they have said anything would never say so.
func TestWhatGetsItsTurnLeavesItsMomentToOthers(t *testing.T) {
	l := &line{clock: clocktesting.NewFakePassiveClock(start), news: newNewsLimiter()}
	for range 1000 {
		w := &waiting{}
		l.sayAt(w, start)
		if w.says.After(start.Add(newsInterval)) {
			t.Fatalf("it says so after %s", w.says.Sub(start))
		}
		l.forget(&w)
	}
}

// TestWhatWaitsAsksInTime: who does not ask loses its place, and what many have to say keeps nobody
// from that, nor from saying something later.
func TestWhatWaitsAsksInTime(t *testing.T) {
	l := line{news: newNewsLimiter()}
	many := make([]waiting, 10_000)
	said := 0
	for i := range many {
		at := l.sayAt(&many[i], start)
		if at.After(start.Add(askAgain)) {
			t.Fatalf("number %d comes again after %v", i, at.Sub(start))
		}
		if !many[i].says.IsZero() {
			said++
		}
	}
	if want := int(askAgain/newsInterval) + 1; said != want {
		t.Errorf("%d say so within %v, want %d", said, askAgain, want)
	}
	late := &waiting{}
	if now := start.Add(askAgain + newsInterval); !l.sayAt(late, now).Equal(now) {
		t.Errorf("the next one says so at %v, %v later", late.says, late.says.Sub(now))
	}
}

// full is a broker of which all slots are taken, and freed gives them back and says whether nobody
// waits there any more.
func full(t *testing.T, c *connections, key brokerKey, now time.Time) (freed func() bool) {
	t.Helper()
	b := c.bulkheads.Of(key, now)
	var leaves []limiter.Leave
	for n := 0; ; n++ {
		leave, _ := b.Enter(limiter.Ticket{Who: n, Call: func() {}}, now)
		if leave == nil {
			b.Withdraw(n, now)
			break
		}
		leaves = append(leaves, leave)
	}
	return func() bool {
		for _, leave := range leaves {
			leave(now, limiter.Result{})
		}
		return b.Idle(now)
	}
}

// TestWhoAsksAnotherBrokerWaitsAtTheFormerNoMore: a slot would be kept for it there.
func TestWhoAsksAnotherBrokerWaitsAtTheFormerNoMore(t *testing.T) {
	now := time.Now() // the bulkhead has a clock of its own
	c := &connections{}
	l := line{kind: "ServiceInstance", connections: c, clock: clocktesting.NewFakePassiveClock(now), wake: &enqueue.Enqueuer{}}
	si, former, next := lifecycletest.NewInstance(), brokerKey{name: "former"}, brokerKey{name: "next"}
	freed := full(t, c, former, now)
	var queued *waiting
	if leave, _ := l.enter(si, &queued, former, lifecycle.Provision, nil); leave != nil || queued == nil || queued.broker != former {
		t.Fatalf("entered %v, waits at %+v", leave != nil, queued)
	}
	leave, _ := l.enter(si, &queued, next, lifecycle.Provision, nil)
	if leave == nil || queued != nil {
		t.Fatalf("entered %v, waits at %+v", leave != nil, queued)
	}
	leave(now, limiter.Result{})
	if !freed() {
		t.Error("its place at the former broker is still there")
	}
}

// TestAPlaceIsTheNames: the next object of the name has it, and with it the means to give it up.
func TestAPlaceIsTheNames(t *testing.T) {
	ledger := newLedger[v1beta1.ServiceInstanceStatus, struct{}](newOrphans())
	si := lifecycletest.NewInstance()
	ledger.of(si).queued = &waiting{broker: brokerKey{name: "former"}, says: start}
	si.UID = "another"
	if e := ledger.of(si); e.uid != "another" || e.queued == nil || *e.queued != (waiting{broker: brokerKey{name: "former"}}) {
		t.Errorf("%+v", e)
	}
}
