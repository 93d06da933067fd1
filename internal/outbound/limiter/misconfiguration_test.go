// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limiter_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound/limiter"
)

// object is one whose requests a test makes.
type object struct {
	name         string
	flow         string
	tried        bool
	failingSince time.Time
	answers      int // in a row that look like a misconfiguration
	ownFault     bool
}

// enter asks for a slot for the object.
func (te *testEndpoint) enterObject(o *object) bool {
	entered, _ := te.askFor(o)
	return entered
}

func (te *testEndpoint) askFor(o *object) (bool, limiter.Wait) {
	return te.Enter(limiter.Request{ID: o.name, Flow: o.flow, First: !o.tried, FailingSince: o.failingSince, Misconfigured: o.answers, OwnFault: o.ownFault, Notify: func() {
		te.mu.Lock()
		defer te.mu.Unlock()
		te.called = append(te.called, o.name)
	}}, time.Now())
}

// refuse answers the object's request, which is the oldest in flight, like an endpoint that is misconfigured.
func (te *testEndpoint) refuse(o *object, unauthorized bool) limiter.Attribution {
	te.mu.Lock()
	release := te.under[0]
	te.under = te.under[1:]
	te.mu.Unlock()
	outcome := limiter.Misconfigured
	if unauthorized {
		outcome = limiter.Unauthorized
	}
	v := release(time.Now(), limiter.Result{Outcome: outcome})
	if o.answers == 0 {
		o.failingSince = time.Now()
	}
	o.answers++
	o.tried = true
	return v
}

// awaitCall waits until objects are called, and returns them.
func (te *testEndpoint) awaitCall() (called []string) {
	for range 2 * 3600 {
		if called = te.take(); len(called) > 0 {
			break
		}
		time.Sleep(time.Second)
	}
	return called
}

func TestMisconfigurationDelay(t *testing.T) {
	for answers, want := range map[int]time.Duration{
		0: 5 * time.Second, 1: 5 * time.Second, 2: 15 * time.Second, 3: 45 * time.Second,
		4: 5 * time.Minute, 5: 10 * time.Minute, 6: 20 * time.Minute, 7: 30 * time.Minute, 1000: 30 * time.Minute,
	} {
		if got := limiter.MisconfigurationDelay(answers); got != want {
			t.Errorf("after %d answers: %s, want %s", answers, got, want)
		}
	}
}

// F-P1: many objects that wait for an endpoint that looks misconfigured make one request at a time, the probe, and all go on when
// it succeeds. The probe is the request of the object that has waited longest.
func TestF_P1_OneProbeForAllThatWait(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		began := time.Now()
		objects := map[string]*object{}
		for i := range 1000 {
			o := &object{name: fmt.Sprintf("%04d", i), tried: true, answers: min(i/3, 1), failingSince: began}
			objects[o.name] = o
			if p.enterObject(o) {
				p.refuse(o, false)
			}
			time.Sleep(time.Millisecond)
		}
		for i := range 3 {
			p.askFor(objects[fmt.Sprintf("%04d", i)])
		}
		p.take()
		for i, wantDelay := range []time.Duration{5 * time.Second, 15 * time.Second, 45 * time.Second,
			5 * time.Minute, 10 * time.Minute, 20 * time.Minute, 30 * time.Minute, 30 * time.Minute} {
			last := time.Now()
			called := p.awaitCall()
			if got := time.Since(last); got > wantDelay || got < wantDelay-2*time.Second {
				t.Errorf("probe %d came after %s, want %s", i, got, wantDelay)
			}
			if want := fmt.Sprintf("[%04d]", i+3); fmt.Sprint(called) != want {
				t.Fatalf("probe %d: called %v, want %s", i, called, want)
			}
			o := objects[called[0]]
			if !p.enterObject(o) {
				t.Fatal("the probe did not enter")
			}
			if v := p.refuse(o, false); v.OwnFault || v.Slow != (time.Since(began) > time.Minute) || v.FailedProbe != (time.Since(began) > 2*time.Minute) {
				t.Errorf("after %s the verdict is %+v", time.Since(began), v)
			}
			_, wait := p.askFor(o)
			if want := map[bool]limiter.Cause{true: limiter.LooksMisconfigured, false: limiter.Down}[time.Since(began) > time.Minute]; wait.Cause != want {
				t.Errorf("after %s it waits because it is %s, want %s", time.Since(began), wait.Cause, want)
			}
		}
		called := p.awaitCall()
		for name, o := range objects {
			if name != called[0] && p.enterObject(o) {
				t.Fatal("an object was let in beside the probe")
			}
		}
		p.enterObject(objects[called[0]])
		p.release(false)
		if called := p.take(); len(called) != 4 {
			t.Errorf("called %v when the probe had succeeded, want four", called)
		}
	})
}

// F-P1: credentials that were refused three times in a row are used by the probe only, and not for quick retries.
func TestF_P1_RefusedCredentialsAreSpared(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		for i := range 3 {
			o := &object{name: fmt.Sprint(i)}
			p.enterObject(o)
			p.refuse(o, true)
		}
		o := &object{name: "next"}
		for range 45 {
			if p.enterObject(o) {
				t.Fatal("a request was made within 45 s")
			}
			time.Sleep(time.Second)
		}
		p.wantCalled(t, "45 s later", "next")
		p.enterObject(o)
		p.refuse(o, true)
		p.enterObject(o)
		time.Sleep(5*time.Minute - time.Second)
		p.wantCalled(t, "almost five minutes later")
		time.Sleep(time.Second)
		p.wantCalled(t, "five minutes later", "next")
	})
}

// The last of the requests that were under way when the endpoint was blocked is no probe.
func TestF_P1_RequestsUnderWayAreNoProbes(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		objects := []*object{{name: "1"}, {name: "2"}, {name: "3"}, {name: "4"}}
		for _, o := range objects {
			p.enterObject(o)
		}
		for _, o := range objects {
			p.refuse(o, true)
		}
		if at, slow := p.NextProbe(); slow || time.Until(at) != 45*time.Second {
			t.Errorf("the next probe is in %s, after slow ones: %v; want 45 s, and quick", time.Until(at), slow)
		}
	})
}

// An object that is refused while others succeed blocks nobody.
func TestAnObjectsOwnFaultBlocksNobody(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		poison, healthy := &object{name: "poison"}, &object{name: "healthy"}
		for range 20 {
			if !p.enterObject(poison) {
				t.Fatalf("an object of its own fault waits for an endpoint that works, after %d answers", poison.answers)
			}
			v := p.refuse(poison, false)
			if v.OwnFault != (poison.answers > 1) {
				t.Errorf("after %d answers the verdict is %+v", poison.answers, v)
			}
			poison.ownFault = v.OwnFault
			time.Sleep(time.Minute)
			if !p.enterObject(healthy) {
				t.Fatal("another object is blocked")
			}
			p.release(false)
			time.Sleep(time.Minute)
		}
		for range 20 { // nobody else asks for anything
			p.enterObject(poison)
			p.refuse(poison, false)
			time.Sleep(30 * time.Minute)
		}
		if !p.enterObject(healthy) {
			t.Error("another object is blocked by one whose own fault it is")
		}
	})
}

// What a restart forgets is not tried again and again: an object that has used up its quick retries blocks the endpoint at once.
func TestAnObjectBlocksAtOnceThatWasRefusedBeforeARestart(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		o := &object{name: "refused", tried: true, answers: 4, failingSince: time.Now().Add(-time.Hour)}
		p.enterObject(o)
		if v := p.refuse(o, false); v.OwnFault || !v.Slow {
			t.Errorf("the verdict is %+v", v)
		}
		if _, wait := p.askFor(&object{name: "other", tried: true, answers: 1}); wait.Cause != limiter.LooksMisconfigured {
			t.Errorf("another one waits because it is %s", wait.Cause)
		}
		if at, is := p.NextProbe(); !is || time.Until(at) != 10*time.Minute {
			t.Errorf("the next probe is due in %s", time.Until(at))
		}
	})
}

// An endpoint that fails in another way is retried as one that is down, and one that refuses a request for what it is, is none that
// is misconfigured.
func TestAProbeThatGetsAnotherAnswer(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		o := &object{name: "o"}
		for range 4 {
			p.enterObject(o)
			p.refuse(o, false)
			time.Sleep(5 * time.Minute)
		}
		for _, name := range []string{"o", "p", "q"} {
			p.enterObject(&object{name: name, tried: true, answers: 1})
			p.release(true)
		}
		if _, wait := p.askFor(o); wait.Cause != limiter.LooksMisconfigured {
			t.Errorf("it waits because it is %s", wait.Cause)
		}
		time.Sleep(time.Second)
		p.wantCalled(t, "a second later", "o")
		p.enterObject(o)
		p.Leave(time.Now(), limiter.Result{Outcome: limiter.Refused})
		if at, _ := p.NextProbe(); !at.IsZero() || !p.enter("a") || !p.enter("b") {
			t.Error("it still looks misconfigured")
		}
	})
}

// F-P22: whoever waits longer than the breaker does is woken by the first success, once.
func TestF_P22_TheFirstSuccessIsAnnounced(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		recovered := 0
		all := limiter.Limiters[string]{OnRecovery: func(string) { recovered++ }}
		send := func(r limiter.Result) {
			time.Sleep(time.Hour)
			release, _ := all.Of("receiver", time.Now()).Enter(limiter.Request{ID: "o"}, time.Now())
			release(time.Now(), r)
		}
		for name, r := range map[string]limiter.Result{"down": {Outcome: limiter.Unavailable}, "misconfigured": {Outcome: limiter.Misconfigured}, "Retry-After": {Outcome: limiter.Throttled, RetryAfter: time.Hour}} {
			before := recovered
			for range 3 {
				send(r)
			}
			for range 3 {
				send(limiter.Result{})
			}
			if recovered != before+1 {
				t.Errorf("%s: announced %d times", name, recovered-before)
			}
		}
		before := recovered
		for _, r := range []limiter.Result{{Outcome: limiter.Unavailable}, {}, {Outcome: limiter.Misconfigured}, {}, {Outcome: limiter.Throttled, RetryAfter: time.Second}, {}} {
			send(r)
		}
		if recovered != before {
			t.Error("announced although nothing waits for it")
		}
	})
}
