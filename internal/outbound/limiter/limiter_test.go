// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limiter_test

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound/limiter"
)

// testEndpoint counts who entered and who was called.
type testEndpoint struct {
	limiter.Limiter
	total, perLane limiter.Rate
	retries        func(who string) bool // nil: none

	mu     sync.Mutex
	called []string
	under  []limiter.Release // way, who entered first comes first
}

// Enter notes who has entered.
func (te *testEndpoint) Enter(t limiter.Request, now time.Time) (bool, limiter.Wait) {
	release, wait := te.Limiter.Enter(t, now)
	if release != nil {
		te.mu.Lock()
		defer te.mu.Unlock()
		te.under = append(te.under, release)
	}
	return release != nil, wait
}

// Leave releases the slot that was taken first.
func (te *testEndpoint) Leave(now time.Time, r limiter.Result) {
	te.mu.Lock()
	release := te.under[0]
	te.under = te.under[1:]
	te.mu.Unlock()
	release(now, r)
}

// take is who was called since it was last asked.
func (te *testEndpoint) take() []string {
	synctest.Wait()
	te.mu.Lock()
	defer te.mu.Unlock()
	called := te.called
	te.called = nil
	return called
}

// enter asks for who, whose lane is what stands before a slash.
func (te *testEndpoint) enter(who string) bool {
	entered, _ := te.ask(who)
	return entered
}

func (te *testEndpoint) ask(who string) (bool, limiter.Wait) {
	name, _, _ := strings.Cut(who, "/")
	return te.Enter(limiter.Request{ID: who, Flow: name, Total: te.total, PerFlow: te.perLane, Retry: te.retries != nil && te.retries(who), Notify: func() {
		te.mu.Lock()
		defer te.mu.Unlock()
		te.called = append(te.called, who)
	}}, time.Now())
}

func (te *testEndpoint) release(failed bool) {
	if failed {
		te.Leave(time.Now(), limiter.Result{Outcome: limiter.Unavailable})
		return
	}
	te.Leave(time.Now(), limiter.Result{})
}

func (te *testEndpoint) wantCalled(t *testing.T, why string, want ...string) {
	t.Helper()
	if called := te.take(); fmt.Sprint(called) != fmt.Sprint(want) {
		t.Errorf("%s: called %v, want %v", why, called, want)
	}
}

func inBubble(t *testing.T, test func(t *testing.T, p *testEndpoint)) {
	synctest.Test(t, func(t *testing.T) { test(t, &testEndpoint{}) })
}

func TestLimiterHasFourSlots(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		began := time.Now()
		for i := range 6 {
			if got, want := p.enter(fmt.Sprint(i)), i < 4; got != want {
				t.Errorf("%d entered: %v", i, got)
			}
		}
		p.release(false)
		p.wantCalled(t, "a slot is free", "4")
		if p.enter("newcomer") {
			t.Error("a newcomer took the slot that is kept for who was called")
		}
		time.Sleep(time.Second)
		if !p.enter("4") {
			t.Error("who was called found no slot")
		}
		if entered, wait := p.ask("5"); entered || !wait.Since.Equal(began) || wait.Cause != limiter.Busy {
			t.Errorf("entered %v, waits %+v", entered, wait)
		}
	})
}

func TestLimiterTripsAndProbes(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		for _, who := range []string{"a", "b", "c", "d", "x/e", "x/f", "x/g", "x/h"} {
			p.enter(who)
		}
		for _, next := range []string{"x/e", "x/f"} {
			p.release(true)
			p.wantCalled(t, "two failures are no pattern", next)
			if !p.enter(next) || p.Blocked("x", time.Now()) != "" {
				t.Errorf("%s did not enter", next)
			}
		}
		for range 3 {
			p.release(true)
			p.wantCalled(t, "three are, and a request is under way")
		}
		p.release(true)
		if _, wait := p.ask("x/g"); wait.Cause != limiter.Down || p.Blocked("x", time.Now()) != limiter.Down {
			t.Errorf("waits because it is %s", wait.Cause)
		}
		for _, rest := range []time.Duration{2, 4, 8, 16, 30, 30} {
			p.take()
			time.Sleep(rest*time.Second - time.Millisecond)
			p.wantCalled(t, "it is left alone")
			time.Sleep(time.Millisecond)
			p.wantCalled(t, "one tries it", "x/g")
			if !p.enter("x/g") || p.enter("x/h") {
				t.Error("one tries it, and no more")
			}
			p.release(true)
			p.enter("x/g") // again: it goes to the end
			p.Cancel("x/h", time.Now())
		}
		time.Sleep(30 * time.Second)
		p.take()
		p.enter("x/g")
		p.enter("x/h")
		p.release(false)
		p.wantCalled(t, "it answers", "x/h")
		if !p.enter("x/h") || !p.enter("a") || !p.enter("b") || !p.enter("c") || p.enter("d") {
			t.Error("all slots are back")
		}
	})
}

func TestLimiterHonorsRetryAfter(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		p.enter("a")
		p.Leave(time.Now(), limiter.Result{Outcome: limiter.Throttled, RetryAfter: 7 * time.Second})
		if _, wait := p.ask("b"); wait.Cause != limiter.Down {
			t.Errorf("waits because it is %s", wait.Cause)
		}
		time.Sleep(7 * time.Second)
		p.wantCalled(t, "as long as it wants", "b")
		p.enter("b")
		p.Leave(time.Now(), limiter.Result{Outcome: limiter.Throttled, RetryAfter: 24 * time.Hour})
		time.Sleep(4 * time.Minute)
		p.enter("c")
		p.wantCalled(t, "four minutes later")
		time.Sleep(time.Minute)
		p.wantCalled(t, "but others not for a day", "c")
	})
}

func TestANewVersionResetsTheLimiter(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		fails := func() {
			for i := range 3 {
				p.enter(fmt.Sprint("a/", i))
				p.release(true)
			}
		}
		wishes := func() {
			p.enter("a")
			p.Leave(time.Now(), limiter.Result{Outcome: limiter.Throttled, RetryAfter: time.Minute})
		}
		refuses := func() {
			for range 3 {
				p.enter("a")
				p.Leave(time.Now(), limiter.Result{Outcome: limiter.Unauthorized})
			}
		}
		p.Reset("0", time.Now())
		for version, before := range []func(){fails, wishes, refuses} {
			before()
			if p.enter("b") || p.enter("c") {
				t.Fatal("they need not wait")
			}
			p.Reset(fmt.Sprint(version), time.Now())
			p.wantCalled(t, "it is what it was")
			p.Reset(fmt.Sprint(version+1), time.Now())
			p.wantCalled(t, "it is another", "b", "c")
			for _, who := range []string{"b", "c", "d", "e"} {
				if !p.enter(who) {
					t.Errorf("%s did not enter", who)
				}
			}
			for range 4 {
				p.release(false)
			}
		}
	})
}

// F-S2, F-P6: whatever is edited, requests in flight count until they end, and then say nothing of what the party is now.
func TestLimiterCountsRequestsOfFormerVersions(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		entered := 0
		for version := range 50 {
			p.Reset(fmt.Sprint(version), time.Now())
			for i := range 8 {
				if p.enter(fmt.Sprint(version, "/", i)) {
					entered++
				}
			}
		}
		if entered != 4 {
			t.Errorf("%d requests are in flight after 50 edits, want 4", entered)
		}
		p.take()
		p.Leave(time.Now(), limiter.Result{Outcome: limiter.Throttled, RetryAfter: time.Minute})
		if called := p.take(); len(called) != 1 {
			t.Errorf("called %v when a request of a former version ended, want one", called)
		}
	})
}

func TestLimiterIsNotMovedByItsFirstVersion(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		for i := range 3 {
			p.enter(fmt.Sprint("a/", i))
			p.release(true)
		}
		if p.Reset("1", time.Now()); p.enter("b") {
			t.Error("it is taken for another")
		}
	})
}

func TestLimiterJudgesByWhatWasAsked(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		p.enter("a")
		p.enter("b")
		p.Leave(time.Now(), limiter.Result{Outcome: limiter.Throttled, RetryAfter: time.Minute})
		p.Leave(time.Now(), limiter.Result{}) // it was under way before
		if p.enter("c") {
			t.Error("a success from before is no reason to ask before the time")
		}
		p.Cancel("c", time.Now()) // else a slot is kept for it
		time.Sleep(time.Minute)
		for i := range 3 {
			p.enter(fmt.Sprint("a/", i))
			p.release(true)
			time.Sleep(time.Minute)
		}
		for _, r := range []limiter.Result{{Outcome: limiter.NotSent}, {Outcome: limiter.Throttled, RetryAfter: time.Second}} {
			if !p.enter("probe") {
				t.Fatal("the probe did not enter")
			}
			p.Leave(time.Now(), r)
			time.Sleep(time.Second)
			if !p.enter("one") || p.enter("another") {
				t.Errorf("%+v says nothing of whether it works", r)
			}
			p.Leave(time.Now(), limiter.Result{Outcome: limiter.NotSent})
			p.Cancel("another", time.Now())
		}
	})
}

// Where all come late to their call, as on a machine that is overloaded, all get in nevertheless.
func TestLimiterGetsDoneWithLateComers(t *testing.T) {
	for _, late := range []time.Duration{0, 1900 * time.Millisecond, 2100 * time.Millisecond, 5 * time.Second} {
		synctest.Test(t, func(t *testing.T) {
			var b limiter.Limiter
			var mu sync.Mutex
			in := map[int]bool{}
			var ask func(who int)
			ask = func(who int) {
				mu.Lock()
				defer mu.Unlock()
				call := func() { time.AfterFunc(late, func() { ask(who) }) }
				if in[who] {
					return
				}
				release, _ := b.Enter(limiter.Request{ID: who, Notify: call}, time.Now())
				if in[who] = release != nil; in[who] {
					time.AfterFunc(50*time.Millisecond, func() { release(time.Now(), limiter.Result{}) })
				} else {
					time.AfterFunc(time.Minute, func() { ask(who) })
				}
			}
			const n = 200
			for i := range n {
				ask(i)
			}
			time.Sleep(10 * time.Minute)
			mu.Lock()
			defer mu.Unlock()
			if len(in) != n || slices.Contains(slices.Collect(maps.Values(in)), false) {
				t.Errorf("who comes %s late does not get in", late)
			}
		})
	}
}

func TestAWaiterMovesToTheFlowOfItsRequest(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		p.total = limiter.Rate{Count: 4, Period: time.Hour}
		for i := range 4 {
			p.enter(fmt.Sprint(i))
		}
		var called []string
		exempt := func(who string) {
			p.Enter(limiter.Request{ID: who, Flow: "reposts", Exempt: true, Notify: func() { called = append(called, who) }}, time.Now())
		}
		exempt("x/edited")
		exempt("x/other")
		p.enter("x/edited") // what was a repost is a page now, for which the rate is used up
		p.release(false)
		if fmt.Sprint(called) != "[x/other]" {
			t.Errorf("called %v", called)
		}
	})
}

func TestLimiterIsIdleOnceItHasNothingToRemember(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		p.perLane = limiter.Rate{Count: 1, Period: time.Minute}
		if !p.Idle(time.Now()) {
			t.Error("a new one is not idle")
		}
		p.enter("a/1")
		p.release(false)
		if p.Idle(time.Now()) {
			t.Error("a minute's rate is forgotten")
		}
		time.Sleep(time.Minute)
		if !p.Idle(time.Now()) {
			t.Error("it remembers what is over")
		}
	})
}

func TestLimiterDropsAWaiterThatDoesNotReturn(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		for _, who := range []string{"a", "b", "c", "d", "x/gone", "x/late", "x/waits"} {
			p.enter(who)
		}
		p.release(false)
		p.wantCalled(t, "the first", "x/gone")
		time.Sleep(3 * time.Second)
		p.wantCalled(t, "gone did not come", "x/late")
		p.release(false)
		p.wantCalled(t, "another slot is free", "x/waits")

		for _, who := range []string{"x/gone", "x/late", "x/waits"} {
			p.Cancel(who, time.Now())
		}
		for _, who := range []string{"a", "b", "x/forgotten", "x/patient"} {
			p.enter(who)
		}
		time.Sleep(limiter.QueueTimeout + time.Second)
		p.enter("x/patient")
		p.release(false)
		p.wantCalled(t, "the first has not asked for too long", "x/patient")
	})
}

func TestLimiterNotifiesTheNextAfterACancel(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		for _, who := range []string{"a", "b", "c", "d", "x/e", "x/f", "x/g"} {
			p.enter(who)
		}
		p.Cancel("x/f", time.Now())
		p.wantCalled(t, "there is no slot yet")
		p.release(false)
		p.wantCalled(t, "a slot is free", "x/e")
		p.Cancel("x/e", time.Now())
		p.wantCalled(t, "e wants it no more, nor does f", "x/g")
		p.Cancel("nobody", time.Now())
	})
}

// F-S40: an object that was notified and cannot read its parameters yet kept a slot empty for 2 s, and with it the objects of other namespaces.
func TestAWaiterPostponesItsRequest(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		for _, who := range []string{"a", "b", "c", "d", "x/1", "x/2", "x/3", "x/4"} {
			p.enter(who)
		}
		p.Postpone("x/1", time.Now()) // it was not notified
		p.Postpone("unknown", time.Now())
		p.wantCalled(t, "there is no slot yet")
		p.release(false)
		p.wantCalled(t, "a slot is free", "x/1")
		p.Postpone("x/1", time.Now())
		p.wantCalled(t, "1 cannot use it yet", "x/2")
		p.Postpone("x/1", time.Now())
		p.wantCalled(t, "1 has no slot any more")
		if !p.enter("x/2") || p.enter("x/1") {
			t.Error("2 uses the slot")
		}
		p.release(false)
		p.wantCalled(t, "1 has kept its place", "x/1")
		p.Postpone("x/1", time.Now())
		p.wantCalled(t, "1 cannot use it yet", "x/3")
		if !p.enter("x/1") || p.enter("x/3") {
			t.Error("1 has waited before 3, and takes the slot that is free")
		}
	})
}

func TestFlowsTakeTurns(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		for _, who := range []string{"1", "2", "3", "4", "storm/1", "storm/2", "storm/3", "storm/4", "calm/1", "calm/2"} {
			p.enter(who)
		}
		for range 4 {
			p.release(false)
		}
		p.wantCalled(t, "lane by lane", "storm/1", "calm/1", "storm/2", "calm/2")
	})
}

func TestLimiterKeepsToARate(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		p.total = limiter.Rate{Count: 2, Period: time.Minute}
		for i, who := range []string{"a", "b", "x/c", "x/d", "x/e"} {
			entered, wait := p.ask(who)
			if entered != (i < 2) || (wait.Cause == limiter.RateLimited) != (i >= 2) {
				t.Errorf("%s: entered %v, %+v", who, entered, wait)
			}
			if entered {
				p.release(false)
				time.Sleep(time.Second)
			}
		}
		time.Sleep(57 * time.Second)
		p.wantCalled(t, "58 s after the first")
		time.Sleep(time.Second)
		p.wantCalled(t, "a minute after the first", "x/c")
		if entered, _ := p.ask("x/d"); entered || !p.enter("x/c") {
			t.Error("the one for whom there is room is the one who was called")
		}
		p.release(false)
		p.wantCalled(t, "there are two of the last minute")
		time.Sleep(time.Second)
		p.wantCalled(t, "a minute after the second", "x/d")

		exempt := limiter.Request{ID: "again", Flow: "again", Exempt: true}
		if entered, _ := p.Enter(exempt, time.Now()); !entered {
			t.Error("who is exempt had to wait")
		}
	})
}

func TestRatePerFlow(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		p.perLane = limiter.Rate{Count: 1, Period: time.Minute}
		for who, want := range map[string]bool{"storm/1": true, "calm/1": true} {
			if p.enter(who) != want {
				t.Errorf("%s entered: %v", who, !want)
			}
			p.release(false)
		}
		p.enter("storm/2")
		time.Sleep(30 * time.Second)
		p.enter("storm/3")
		p.wantCalled(t, "half a minute later")
		if !p.enter("third/1") {
			t.Error("another lane's storm is in the way")
		}
		p.release(false)
		time.Sleep(30 * time.Second)
		p.wantCalled(t, "a minute later", "storm/2")
	})
}

// TestLimiterBoundsRetriesThatFail: ten a second, whatever succeeds beside them.
func TestLimiterBoundsRetriesThatFail(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		ask := func(who string, retry bool, result limiter.Result) bool {
			entered, wait := p.Enter(limiter.Request{ID: who, Retry: retry, Notify: func() {}}, time.Now())
			if entered {
				p.Leave(time.Now(), result)
			} else if wait.Cause != limiter.Failing {
				t.Errorf("%s waits as it is %s", who, wait.Cause)
			}
			p.Cancel(who, time.Now())
			return entered
		}
		wrong, right := limiter.Result{Outcome: limiter.Refused}, limiter.Result{}
		for second := range 3 {
			entered := 0
			for i := range 30 {
				if !ask(fmt.Sprint("new ", i), false, wrong) || !ask(fmt.Sprint("good ", i), false, right) {
					t.Errorf("second %d: a first request waits for retries", second)
				}
				if ask(fmt.Sprint("bad ", i), true, wrong) {
					entered++
				}
			}
			if entered != 10 {
				t.Errorf("second %d: %d retries, want 10", second, entered)
			}
			time.Sleep(time.Second)
		}
		for i := range 30 {
			if !ask(fmt.Sprint("bad ", i), true, right) {
				t.Errorf("retry %d waits, although they succeed", i)
			}
		}
	})
}

// TestRetriesHaveARate: each in its turn, and first requests between them.
func TestRetriesHaveARate(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		var mu sync.Mutex
		came := map[time.Duration]int{}
		began, waiting := time.Now(), 35
		var ask func(who int)
		ask = func(who int) {
			entered, _ := p.Enter(limiter.Request{ID: who, Retry: true, Notify: func() { ask(who) }}, time.Now())
			if entered {
				mu.Lock()
				defer mu.Unlock()
				came[time.Since(began)/time.Second]++
				waiting--
				go p.Leave(time.Now(), limiter.Result{Outcome: limiter.Refused})
			}
		}
		for who := range 35 {
			ask(who)
		}
		time.Sleep(time.Minute)
		synctest.Wait()
		mu.Lock()
		defer mu.Unlock()
		if waiting != 0 {
			t.Errorf("%d wait still", waiting)
		}
		for second, n := range came {
			if n > 10+3 { // three more were under way when the tenth failed
				t.Errorf("in second %d came %d", second, n)
			}
		}
	})
}

// Whatever is asked for: never more than four at once, never more than the rates
// let in, and in the end everybody was in.
func TestLimiterHoldsItsPromises(t *testing.T) {
	for seed := range uint64(200) {
		inBubble(t, func(t *testing.T, p *testEndpoint) {
			r := rand.New(rand.NewPCG(seed, 0))
			p.total = limiter.Rate{Count: r.IntN(6), Period: 10 * time.Second}
			p.perLane = limiter.Rate{Count: r.IntN(3), Period: 5 * time.Second}
			p.retries = func(who string) bool { return strings.HasSuffix(who, "1") }
			var waiting []string
			for i := range 40 {
				waiting = append(waiting, fmt.Sprintf("%d/%d", r.IntN(3), i))
			}
			var entries []time.Time
			busy := 0
			for step := 0; len(waiting) > 0; step++ {
				if step > 100_000 {
					t.Fatalf("seed %d: %d never entered", seed, len(waiting))
				}
				called := p.take()
				if r.IntN(10) == 0 { // one that was not called comes, as it does now and then
					called = append(called, waiting[r.IntN(len(waiting))])
				}
				if step < len(waiting) {
					called = append(called, waiting[step%len(waiting)])
				}
				for _, who := range called {
					if r.IntN(10) == 0 {
						p.Postpone(who, time.Now())
						continue
					}
					if !slices.Contains(waiting, who) || !p.enter(who) {
						continue
					}
					waiting = slices.DeleteFunc(waiting, func(w string) bool { return w == who })
					entries = append(entries, time.Now())
					if busy++; busy > 4 {
						t.Fatalf("seed %d: %d at once", seed, busy)
					}
					if n := p.total.Count; n > 0 && len(entries) > n && entries[len(entries)-1].Sub(entries[len(entries)-1-n]) < p.total.Period {
						t.Fatalf("seed %d: more than %d in %s", seed, n, p.total.Period)
					}
				}
				if busy > 0 && r.IntN(2) == 0 {
					busy--
					p.Leave(time.Now(), limiter.Result{Outcome: []limiter.Outcome{limiter.Accepted, limiter.Refused, limiter.Unavailable}[r.IntN(3)]})
				}
				time.Sleep(time.Duration(r.IntN(300)) * time.Millisecond)
			}
		})
	}
}

// F-P44: a waiter that asks in the moment in which another one's time comes does not keep that one from being notified.
func TestAWaiterDoesNotStopATimerThatIsDue(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var lim limiter.Limiter
		notified := make(chan string, 10)
		enter := func(who string, at time.Time) limiter.Release {
			release, _ := lim.Enter(limiter.Request{ID: who, Flow: who, Retry: true, Misconfigured: 1, Notify: func() { notified <- who }}, at)
			return release
		}
		for _, who := range []string{"a", "b"} { // each was refused once before
			enter(who, time.Now())(time.Now(), limiter.Result{Outcome: limiter.Misconfigured})
		}
		due, _ := lim.NextProbe()
		for _, who := range []string{"a", "b"} {
			if enter(who, time.Now()) != nil {
				t.Fatalf("%s does not wait for the probe", who)
			}
		}
		time.Sleep(time.Until(due) - time.Microsecond)
		if enter("b", due.Add(time.Microsecond)) != nil { // its clock was read after the time that the timer waits for
			t.Fatal("b goes before a")
		}
		time.Sleep(time.Second)
		select {
		case who := <-notified:
			if who != "a" {
				t.Errorf("%s is notified", who)
			}
		default:
			t.Error("none is notified")
		}
	})
}
