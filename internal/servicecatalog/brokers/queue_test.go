// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"fmt"
	"slices"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/enqueue"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/outbound/limiter/limitertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// TestStatusesOfQueuedObjectsArePaced: thousands of objects begin to wait at once when a broker stops answering. The statuses of all of
// them are written, one each StatusInterval, and none is kept from it by those that got a slot meanwhile.
func TestStatusesOfQueuedObjectsArePaced(t *testing.T) {
	for objects, want := range map[int]struct {
		within time.Duration
		least  int
	}{
		1:      {time.Second, 1},
		100:    {5 * time.Minute, 100},
		10_000: {10 * time.Minute, 2900},
	} {
		l := NewQueue("ServiceInstance", &Clients{}, nil, nil)
		waiting := make([]time.Time, objects) // when each asks next
		written := 0
		for now := rulestest.T0; now.Before(rulestest.T0.Add(want.within)); now = now.Add(StatusInterval) {
			for i, at := range waiting {
				if at.After(now) {
					continue
				}
				again := l.AllowStatus(now)
				if again < 0 || again > StatusRetry {
					t.Fatalf("it asks again after %s", again)
				}
				if waiting[i] = now.Add(again); again == 0 {
					waiting[i], written = now.Add(want.within), written+1
				}
			}
		}
		if most := int(want.within / StatusInterval); written < want.least || written > most {
			t.Errorf("of %d objects %d statuses are written within %s, want %d to %d", objects, written, want.within, want.least, most)
		}
	}
}

// TestWhoAsksAnotherBrokerWaitsAtTheFormerNoMore: a slot would be kept for it there.
func TestWhoAsksAnotherBrokerWaitsAtTheFormerNoMore(t *testing.T) {
	now := time.Now() // the limiter has a clock of its own
	c := &Clients{}
	l := Queue{kind: "ServiceInstance", clients: c, clock: clocktesting.NewFakePassiveClock(now), wake: &enqueue.Enqueuer{}}
	si, former, next := rulestest.NewInstance(), Key{Name: "former"}, Key{Name: "next"}
	freed := limitertest.FillSlots(t, c.Limiters.Of(former, now), now)
	var queued *Key
	if leave, _ := l.Enter(si, &queued, former, rules.Provision, nil); leave != nil || queued == nil || *queued != former {
		t.Fatalf("entered %v, waits at %+v", leave != nil, queued)
	}
	leave, _ := l.Enter(si, &queued, next, rules.Provision, nil)
	if leave == nil || queued != nil {
		t.Fatalf("entered %v, waits at %+v", leave != nil, queued)
	}
	leave(now, limiter.Result{})
	if !freed() {
		t.Error("its place at the former broker is still there")
	}
}

// F-P31: the first request of an object is sent to a broker that looks misconfigured, since that may be the fault of another object;
// polls and retries wait for the probe.
func TestF_P31_TheFirstRequestDoesNotWaitForTheProbe(t *testing.T) {
	now, broker := time.Now(), Key{Name: "broker"}
	c := &Clients{}
	l := Queue{kind: "ServiceInstance", clients: c, clock: clocktesting.NewFakePassiveClock(now), wake: &enqueue.Enqueuer{}}
	refused := &v1beta1.Attempts{Backoff: v1beta1.Backoff{Count: 4, Misconfigured: 4, FailingSince: times.Timestamp(now)}}
	enter := func(name string, v rules.Operation, attempts *v1beta1.Attempts) limiter.Release {
		si, queued := rulestest.NewInstance(), (*Key)(nil)
		si.Name = name
		release, _ := l.Enter(si, &queued, broker, v, attempts)
		return release
	}
	if release := enter("poison", rules.Provision, refused); release != nil {
		release(now, limiter.Result{Outcome: limiter.Misconfigured})
	}
	if enter("refused", rules.Provision, refused) != nil {
		t.Error("a retry does not wait for the probe")
	}
	release := enter("new", rules.Provision, nil)
	if release == nil {
		t.Fatal("the first request of another object waits")
	}
	if enter("another", rules.Provision, nil) != nil {
		t.Error("two first requests are sent at once")
	}
	release(now, limiter.Result{})
	if enter("refused", rules.Provision, refused) == nil {
		t.Error("the retry waits after a success")
	}
}

// F-S52: a namespace with many operations in progress at a broker of the cluster does not delay the polls of another one, nor requests.
func TestF_S52_PollsAreSharedByNamespace(t *testing.T) {
	now, broker := time.Now(), Key{Name: "shared"}
	c := &Clients{}
	l := Queue{kind: "ServiceInstance", clients: c, clock: clocktesting.NewFakePassiveClock(now), wake: &enqueue.Enqueuer{}}
	type object struct {
		instance *v1beta1.ServiceInstance
		op       rules.Operation
		queued   *Key
	}
	var waiting []*object
	add := func(namespace, name string, op rules.Operation) {
		si := rulestest.NewInstance()
		si.Namespace, si.Name = namespace, name
		waiting = append(waiting, &object{instance: si, op: op})
	}
	for i := range 100 {
		add("many", fmt.Sprint("many-", i), rules.Poll)
	}
	add("one", "polled", rules.Poll)
	add("many", "changed", rules.Update)
	add("one", "changed", rules.Update)

	var releases []limiter.Release
	var order []string
	enter := func() {
		for _, o := range waiting {
			if o.instance == nil {
				continue
			}
			if release, _ := l.Enter(o.instance, &o.queued, broker, o.op, nil); release != nil {
				releases = append(releases, release)
				order = append(order, o.instance.Namespace+"/"+o.instance.Name)
				o.instance = nil
			}
		}
	}
	for enter(); len(releases) > 0; enter() {
		releases[0](now, limiter.Result{})
		releases = releases[1:]
	}
	if len(order) != len(waiting) {
		t.Fatalf("%d of %d got a slot", len(order), len(waiting))
	}
	for _, name := range []string{"one/polled", "many/changed", "one/changed"} {
		if turn := slices.Index(order, name); turn > 8 {
			t.Errorf("%s is sent as number %d of %d", name, turn, len(order))
		}
	}
}
