// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limiter_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound/limiter"
)

// fleet has objects of several namespaces that make requests to one endpoint, and retry them as controllers do.
type fleet struct {
	all     limiter.Limiters[string]
	objects map[string]*object
	answer  func(*object) limiter.Result

	mu   sync.Mutex
	due  map[string]time.Time
	made []attempt
}

type attempt struct {
	of    string
	at    time.Time
	first bool
}

// withFleet runs a test with an endpoint that answers as given.
func withFleet(t *testing.T, answer func(*object) limiter.Result, test func(*testing.T, *fleet)) {
	synctest.Test(t, func(t *testing.T) {
		f := &fleet{objects: map[string]*object{}, due: map[string]time.Time{}, answer: answer}
		f.all.OnRecovery = func(string) {
			f.mu.Lock()
			defer f.mu.Unlock()
			for name := range f.objects {
				if !f.objects[name].ownFault {
					f.due[name] = time.Now()
				}
			}
		}
		test(t, f)
	})
}

// create makes objects of a namespace.
func (f *fleet) create(namespace string, names ...string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, name := range names {
		o := &object{name: namespace + "/" + name, flow: namespace}
		f.objects[o.name] = o
		f.due[o.name] = time.Now()
	}
}

// pass lets time pass, in which the objects make their requests.
func (f *fleet) pass(d time.Duration) {
	for end := time.Now().Add(d); ; time.Sleep(time.Second) {
		synctest.Wait()
		f.mu.Lock()
		var due []*object
		for name, at := range f.due {
			if o := f.objects[name]; o != nil && !at.After(time.Now()) {
				due = append(due, o)
				delete(f.due, name)
			}
		}
		f.mu.Unlock()
		slices.SortFunc(due, func(a, b *object) int { return strings.Compare(a.name, b.name) })
		for _, o := range due {
			f.ask(o)
		}
		if !time.Now().Before(end) {
			return
		}
	}
}

// ask lets an object ask for a slot, and send its request.
func (f *fleet) ask(o *object) {
	now := time.Now()
	wake := func(at time.Time) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if known, ok := f.due[o.name]; !ok || at.Before(known) {
			f.due[o.name] = at
		}
	}
	release, _ := f.all.Of("endpoint", now).Enter(limiter.Request{ID: o.name, Flow: o.flow, First: !o.tried, FailingSince: o.failingSince,
		Misconfigured: o.answers, OwnFault: o.ownFault, Notify: func() { wake(time.Now()) }}, now)
	if release == nil {
		wake(now.Add(limiter.QueueTimeout * 2 / 3))
		return
	}
	f.mu.Lock()
	f.made = append(f.made, attempt{of: o.name, at: now, first: !o.tried})
	f.mu.Unlock()
	r := f.answer(o)
	v := release(now, r)
	o.tried = true
	if r == (limiter.Result{}) {
		f.mu.Lock()
		defer f.mu.Unlock()
		delete(f.objects, o.name)
		delete(f.due, o.name)
		return
	}
	if o.failingSince.IsZero() {
		o.failingSince = now
	}
	if v.FailedProbe { // no status is written
		wake(now)
		return
	}
	if o.ownFault, o.answers = v.OwnFault, o.answers+1; !r.LooksMisconfigured() {
		o.answers = 0
		wake(now.Add(10 * time.Minute)) // the last backoff
		return
	}
	if o.answers <= limiter.QuickRetries || o.ownFault {
		wake(now.Add(limiter.MisconfigurationDelay(o.answers)))
		return
	}
	wake(now)
}

// attempts returns the times of an object's requests.
func (f *fleet) attempts(name string) (all []time.Time) {
	for _, a := range f.made {
		if a.of == name {
			all = append(all, a.at)
		}
	}
	return all
}

// wantSoon wants an object's first attempt within 10 s of its creation.
func (f *fleet) wantSoon(t *testing.T, name string, created time.Time) {
	t.Helper()
	if all := f.attempts(name); len(all) == 0 || all[0].Sub(created) > 10*time.Second {
		t.Errorf("%s was attempted at %v, created at %s", name, all, created)
	}
}

func numbered(prefix string, n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("%s%05d", prefix, i))
	}
	return names
}

// refusePoison refuses objects whose names begin with "poison", and accepts the others.
func refusePoison(o *object) limiter.Result {
	if strings.Contains(o.name, "/poison") {
		return limiter.Result{Outcome: limiter.Misconfigured}
	}
	return limiter.Result{}
}

// F-P31: one object that the endpoint refuses, without other traffic, delays no new object, and learns that the fault is its own.
func TestF_P31_APoisonousObjectDelaysNoNewOne(t *testing.T) {
	withFleet(t, refusePoison, func(t *testing.T, f *fleet) {
		f.create("a", "poison")
		for i, age := range []time.Duration{0, time.Second, 10 * time.Second, time.Minute, 2 * time.Minute, time.Hour, 24 * time.Hour} {
			f.pass(age)
			name, created := fmt.Sprint("healthy", i), time.Now()
			f.create([]string{"a", "b"}[i%2], name)
			f.pass(10 * time.Second)
			f.wantSoon(t, []string{"a", "b"}[i%2]+"/"+name, created)
		}
		if !f.objects["a/poison"].ownFault {
			t.Error("the poisonous object is not at fault")
		}
	})
}

// F-P32: an endpoint that was misconfigured, or down, for long and works again gets a new object at once, and all that wait with it.
func TestF_P32_ANewObjectShowsThatTheEndpointWorksAgain(t *testing.T) {
	for why, failure := range map[string]limiter.Result{"misconfigured": {Outcome: limiter.Misconfigured}, "down": {Outcome: limiter.Unavailable}} {
		t.Run(why, func(t *testing.T) {
			broken := true
			answer := func(*object) limiter.Result {
				if broken {
					return failure
				}
				return limiter.Result{}
			}
			withFleet(t, answer, func(t *testing.T, f *fleet) {
				f.create("a", numbered("old", 20)...)
				f.pass(3 * time.Hour)
				broken = false
				f.create("a", "new")
				f.pass(20 * time.Second)
				if len(f.objects) > 0 {
					t.Errorf("%d objects wait still", len(f.objects))
				}
			})
		})
	}
}

// F-P31: an object waits neither for another one's probe that hangs, nor for its own turn as a probe after an error that passes.
func TestF_P31_AHangingProbeDelaysNoFirstAttempt(t *testing.T) {
	withFleet(t, refusePoison, func(t *testing.T, f *fleet) {
		f.create("a", "poison")
		f.pass(time.Hour)
		endpoint := f.all.Of("endpoint", time.Now())
		at, _ := endpoint.NextProbe()
		time.Sleep(time.Until(at))
		release, _ := endpoint.Enter(limiter.Request{ID: "a/poison", Flow: "a", FailingSince: time.Now(), Misconfigured: 9}, time.Now())
		if release == nil {
			t.Fatal("the probe did not enter")
		}
		f.answer = func(*object) limiter.Result { return limiter.Result{Outcome: limiter.Unavailable} }
		f.create("b", "new")
		f.pass(10 * time.Second)
		f.answer = refusePoison
		f.pass(11 * time.Minute)
		if all := f.attempts("b/new"); len(all) != 2 {
			t.Errorf("the attempts were at %v, want two", all)
		}
		release(time.Now(), limiter.Result{Outcome: limiter.NotSent})
	})
}

// F-P34: with many refused objects of one namespace another namespace's object waits for seconds, and where it was tried before, for
// two probes at most. First attempts that fail do not lengthen the interval between probes.
func TestF_P34_NamespacesTakeTurns(t *testing.T) {
	mended := false
	answer := func(o *object) limiter.Result {
		if !mended {
			return limiter.Result{Outcome: limiter.Misconfigured}
		}
		return refusePoison(o)
	}
	withFleet(t, answer, func(t *testing.T, f *fleet) {
		f.create("b", "old")
		f.pass(5 * time.Minute)
		f.create("a", numbered("poison", 100)...)
		f.pass(time.Minute)
		mended = true
		created := time.Now()
		f.create("b", "new")
		f.pass(10 * time.Second)
		f.wantSoon(t, "b/new", created)
		f.pass(10 * time.Second)
		if f.objects["b/old"] != nil {
			t.Error("the object of the other namespace waits still")
		}
	})
	mended = false
	withFleet(t, answer, func(t *testing.T, f *fleet) {
		f.create("b", "old")
		f.create("a", numbered("poison", 100)...)
		f.pass(6 * time.Hour)
		mended = true
		f.pass(time.Hour)
		if f.objects["b/old"] != nil {
			t.Error("the object of the other namespace waits for more than two probes")
		}
	})
}

// F-P31, F-P34: 10,000 objects that wait make one probe a period, and at most 12 first attempts a minute; first attempts do not
// lengthen the period.
func TestF_P34_TenThousandThatWait(t *testing.T) {
	withFleet(t, func(*object) limiter.Result { return limiter.Result{Outcome: limiter.Misconfigured} }, func(t *testing.T, f *fleet) {
		for namespace := range 10 {
			f.create(fmt.Sprint(namespace), numbered("o", 1000)...)
		}
		began := time.Now()
		f.pass(40 * time.Minute)
		var probes []time.Duration
		firsts := map[time.Duration]int{}
		for _, a := range f.made[3:] { // which showed that the endpoint is misconfigured
			since := a.at.Sub(began)
			if a.first {
				firsts[since/time.Minute]++
			} else {
				probes = append(probes, since.Truncate(time.Minute))
			}
		}
		for minute, n := range firsts {
			if n > 12 {
				t.Errorf("%d first attempts in minute %d", n, minute)
			}
		}
		if want := []time.Duration{0, 0, time.Minute, 6 * time.Minute, 16 * time.Minute, 36 * time.Minute}; !slices.Equal(probes, want) {
			t.Errorf("probes at %v, want %v", probes, want)
		}
		created := time.Now()
		f.create("other", "new")
		f.pass(10 * time.Second)
		f.wantSoon(t, "other/new", created)
	})
}

// F-P31: after three refusals of the credentials in a row only the probe uses them, first attempts included.
func TestF_P31_RefusedCredentialsAreUsedByTheProbeOnly(t *testing.T) {
	refuse := func(*object) limiter.Result { return limiter.Result{Outcome: limiter.Unauthorized} }
	withFleet(t, refuse, func(t *testing.T, f *fleet) {
		f.create("a", numbered("o", 100)...)
		f.pass(time.Hour)
		if n := len(f.made); n != 3+4 { // after 45 s, 5, 10 and 20 minutes
			t.Errorf("%d requests in an hour: %v", n, f.made)
		}
	})
}

// F-P20: an object that makes the endpoint fail each time does not open the circuit breaker for others.
func TestF_P20_OneObjectOpensNoCircuitBreaker(t *testing.T) {
	inBubble(t, func(t *testing.T, p *testEndpoint) {
		for range 20 {
			p.enter("a/poison")
			p.release(true)
			if cause := p.Blocked("b", time.Now()); cause != "" {
				t.Fatalf("another namespace is blocked: %s", cause)
			}
			time.Sleep(time.Second)
		}
		for _, who := range []string{"a/1", "b/2"} {
			p.enter(who)
			p.release(true)
		}
		if cause := p.Blocked("b", time.Now()); cause != limiter.Down {
			t.Errorf("three objects failed, but it is %q", cause)
		}
	})
}
