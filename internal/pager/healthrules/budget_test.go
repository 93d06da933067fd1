// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

func TestBudget(t *testing.T) {
	var b Budget
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	object := func(i int) types.UID { return types.UID(fmt.Sprint(i)) }
	for i := range MaxFired {
		if ok, _ := b.Take("shop", object(i), Ask{}, now.Add(time.Duration(i)*time.Second/10)); !ok {
			t.Fatalf("object %d waits", i)
		}
	}
	at := now.Add(10 * time.Second)
	for i := MaxFired; i < MaxFired+5; i++ {
		if ok, again := b.Take("shop", object(i), Ask{After: time.Second}, at); ok || !again.Equal(now.Add(firedWindow)) {
			t.Fatalf("object %d: %t, again at %v", i, ok, again)
		}
	}
	if n, ask := b.Waiting("shop"); n != 5 || ask.After != time.Second {
		t.Errorf("%d wait, for %+v", n, ask)
	}
	if ok, _ := b.Take("other", object(0), Ask{}, at); !ok {
		t.Error("another namespace waits")
	}
	b.Forget("shop", object(MaxFired))
	if ok, _ := b.Take("shop", object(MaxFired+1), Ask{}, now.Add(firedWindow)); !ok {
		t.Error("an object waits after the window of the first")
	}
	if n, _ := b.Waiting("shop"); n != 3 {
		t.Errorf("%d wait", n)
	}
}

// A request that the API server refuses is tried again, and uses the budget once.
func TestBudgetIsGivenBack(t *testing.T) {
	var b Budget
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for range 2 * MaxFired {
		if ok, _ := b.Take("shop", "1", Ask{}, now); !ok {
			t.Fatal("the object waits")
		}
		b.GiveBack("shop")
	}
	b.GiveBack("shop")
	if ok, _ := b.Take("shop", "2", Ask{}, now); !ok || len(b.byNamespace["shop"].fired) != 1 {
		t.Errorf("%d Alerts have fired", len(b.byNamespace["shop"].fired))
	}
}

// A process takes over what its predecessor has used: a restart is no reason for more Alerts.
func TestBudgetGoesOn(t *testing.T) {
	var b Budget
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	fired := make([]time.Time, MaxFired)
	for i := range fired {
		fired[i] = now.Add(-time.Duration(i) * time.Second / 2)
	}
	if b.Has("shop") {
		t.Error("the budget is in use before it has begun")
	}
	b.Begin("shop", fired)
	b.Begin("shop", fired)
	if ok, again := b.Take("shop", "1", Ask{}, now); ok || len(b.byNamespace["shop"].fired) != MaxFired || !b.Has("shop") || !again.Equal(fired[MaxFired-1].Add(firedWindow)) {
		t.Errorf("an object has an Alert: %t, again at %v", ok, again)
	}
}

// The Alert about the objects that wait is an update, and with most receivers a message: it says a new number once a minute.
func TestBudgetReports(t *testing.T) {
	var b Budget
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for seconds, want := range []bool{0: true, 1: false, 59: false, 60: true, 61: false, 119: false, 120: true} {
		at := now.Add(time.Duration(seconds) * time.Second)
		if ok, again := b.Report("shop", at); ok != want || !ok && !again.Equal(now.Add(time.Duration(seconds/60+1)*time.Minute)) {
			t.Errorf("after %d s: %t, again at %v", seconds, ok, again)
		}
	}
}

// In no minute do more Alerts fire than the budget has, and each object that tries again when it is told to fires in the end.
func TestBudgetHolds(t *testing.T) {
	var b Budget
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	due := map[types.UID]time.Time{}
	for i := range 500 {
		due[types.UID(fmt.Sprint(i))] = now
	}
	var fired []time.Time
	for step := 0; len(due) > 0; step++ {
		if step > 20*60 {
			t.Fatalf("%d objects still wait", len(due))
		}
		for object, at := range due {
			if at.After(now) {
				continue
			}
			ok, again := b.Take("shop", object, Ask{}, now)
			if due[object] = again; ok {
				fired = append(fired, now)
				delete(due, object)
			}
		}
		now = now.Add(time.Second)
	}
	for i := MaxFired; i < len(fired); i++ {
		if fired[i].Sub(fired[i-MaxFired]) < firedWindow {
			t.Fatalf("%d Alerts fired within %s", MaxFired+1, fired[i].Sub(fired[i-MaxFired]))
		}
	}
}

// A clock that was ahead and is set back does not keep the Alerts of a namespace waiting for longer than the window.
func TestBudgetAfterTheClockIsSetBack(t *testing.T) {
	var b Budget
	ahead := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	for i := range MaxFired {
		b.Take("shop", types.UID(fmt.Sprint(i)), Ask{}, ahead)
	}
	b.Report("shop", ahead)
	now := ahead.Add(-time.Hour)
	if ok, again := b.Take("shop", "next", Ask{}, now); ok || again.Sub(now) > firedWindow {
		t.Errorf("%t, again after %s", ok, again.Sub(now))
	}
	if ok, _ := b.Report("shop", now); !ok {
		t.Error("nothing is reported")
	}
}
