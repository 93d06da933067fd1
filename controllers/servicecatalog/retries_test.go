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
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/limiter"
	"github.com/gophernetes/bellhop/internal/osb"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

const quota = "instance limit for this service has been reached"

// attemptsOf are those of an instance, never nil.
func attemptsOf(si *v1beta1.ServiceInstance) v1beta1.Attempts {
	if si.Status.Attempts == nil {
		return v1beta1.Attempts{}
	}
	return *si.Status.Attempts
}

// saying is an answer with the broker's words.
func saying(class osbresult.Class, status int, words string) answer {
	a := said(class, status)
	a.Description = words
	return a
}

// conditionsOf are the conditions that kstatus and svcat read, such as "Reconciling" or "Stalled Failed".
func conditionsOf(conditions []v1beta1.Condition) string {
	var is []string
	for _, kind := range []string{v1beta1.ConditionReady, v1beta1.ConditionReconciling, v1beta1.ConditionStalled, v1beta1.ConditionFailed} {
		if isTrue(conditionOf(conditions, kind)) {
			is = append(is, kind)
		}
	}
	return strings.Join(is, " ")
}

func wantState(t *testing.T, when string, conditions []v1beta1.Condition, want string) {
	t.Helper()
	if got := conditionsOf(conditions); got != want {
		t.Errorf("%s: %q, want %q: %+v", when, got, want, conditions)
	}
}

// answered has an instance's next request answered.
func (f *fixture) answered(t *testing.T, a answer) {
	t.Helper()
	next := decideInstance(f.si, f.w)
	if next.call == nil {
		t.Fatalf("no request is made: %s", next.say())
	}
	f.after(next.call, a)
}

// due is when the next attempt is made.
func (f *fixture) due() time.Duration { return attemptsOf(f.si).NextTime.Sub(f.w.now) }

// TestConditionsOfWaiting has the phases in which no request is made.
func TestConditionsOfWaiting(t *testing.T) {
	noClass := func(f *fixture) {
		f.w.offer = offer{missing: missingFor(f.si, v1beta1.ReasonReferencesNonexistentServiceClass, "x")}
	}
	problem := func(b *blocker) func(*fixture) { return func(f *fixture) { f.w.problem = b } }
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"F-JS2 no class, young":             {fs(noClass), "Reconciling"},
		"F-JS2 no class, old":               {fs(noClass, later(missingReferenceDelay)), "Stalled"},
		"F-JS2 the broker is in progress":   {fs(problem(inProgress("x", "y"))), "Reconciling"},
		"F-JS2 the broker is stalled":       {fs(problem(blockedBy("x", "y"))), "Stalled"},
		"F-JS2 a class that is not offered": {fs(func(f *fixture) { f.w.offer.class.CommonStatus().RemovedFromBrokerCatalog = true }), "Stalled"},
		"F-JS2 bindings have to go":         {fs(ready, deleted, lives, boundTo), "Stalled"},
		"F-JS2 bindings go":                 {fs(ready, deleted, lives, boundTo, func(f *fixture) { f.w.unbinding = true }), "Reconciling"},
		"F-JS2 abandoned":                   {fs(ready, func(f *fixture) { f.si.Finalizers = nil }), "Stalled"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			next := decideInstance(f.si, f.w)
			wantState(t, "it says", next.status.Conditions, test.want)
			if name == "F-JS2 no class, young" && !next.wake.Equal(f.si.CreationTimestamp.Add(missingReferenceDelay)) {
				t.Errorf("it is looked at again at %s", next.wake)
			}
		})
	}
}

// TestConditionsOfABindingThatWaits: Stalled would have Helm end with a failure.
func TestConditionsOfABindingThatWaits(t *testing.T) {
	instance := func(edit func(*v1beta1.ServiceInstance)) func(*bindingFixture) {
		return func(f *bindingFixture) {
			f.w.ground.instance = f.w.ground.instance.DeepCopy()
			edit(f.w.ground.instance)
		}
	}
	notProvisioned := instance(func(si *v1beta1.ServiceInstance) { si.Status.ProvisionStatus = "" })
	stalled := instance(func(si *v1beta1.ServiceInstance) {
		si.Status.Conditions = []v1beta1.Condition{{Type: v1beta1.ConditionStalled, Status: v1beta1.ConditionTrue}}
	})
	none := func(f *bindingFixture) { f.w.ground = ground{} }
	for name, test := range map[string]struct {
		is   []func(*bindingFixture)
		want string
	}{
		"F-JS2 the instance is provisioned": {bfs(notProvisioned, in(time.Minute)), "Reconciling"},
		"F-JS2 that takes long":             {bfs(notProvisioned, in(time.Hour)), "Reconciling"},
		"F-JS2 the instance is stalled":     {bfs(notProvisioned, stalled), "Stalled"},
		"F-JS2 the instance is busy":        {bfs(instance(func(si *v1beta1.ServiceInstance) { si.Status.AsyncOpInProgress = true }), in(time.Minute)), "Reconciling"},
		"F-JS2 no instance, young":          {bfs(none, in(time.Minute)), "Reconciling"},
		"F-JS2 no instance, old":            {bfs(none, in(missingReferenceDelay)), "Stalled"},
		"F-JS2 not bindable":                {bfs(func(f *bindingFixture) { f.w.ground.plan.Common().Bindable = new(bool) }), "Stalled Failed"},
	} {
		t.Run(name, func(t *testing.T) {
			wantState(t, "it says", newBindingFixture(test.is...).step().status.Conditions, test.want)
		})
	}
}

// TestMisconfiguration has F-R12: what is no refusal of the content is never final, and a person
// is told once the quick repeats have failed.
func TestMisconfiguration(t *testing.T) {
	f := newFixture()
	for i, seconds := range []time.Duration{5, 15, 45, 300, 600, 1200, 1800, 1800} {
		f.answered(t, saying(osbresult.Misconfigured, 403, "forbidden by the gateway"))
		want := "Reconciling"
		if i > 2 {
			want = "Stalled Failed"
		}
		wantState(t, ordinal(int32(i+1)), f.si.Status.Conditions, want)
		if wait := f.due(); wait < seconds*time.Second*7/10 || wait > seconds*time.Second*13/10 {
			t.Errorf("after %s it waits %s, not about %d s", ordinal(int32(i+1)), wait, seconds)
		}
		f.w.now = f.w.now.Add(f.due())
	}
	if failed := conditionOf(f.si.Status.Conditions, v1beta1.ConditionFailed); !strings.Contains(failed.Message, "forbidden by the gateway") {
		t.Errorf("it says %s", failed.Message)
	}
	if before := decideInstance(f.si, f.w); before.call != nil {
		wantState(t, "before the request", before.status.Conditions, "Stalled Failed")
	}
	f.answered(t, said(osbresult.Done, 201))
	wantState(t, "mended", f.si.Status.Conditions, "Ready")
}

// TestAnEditEndsAMisconfiguration has F-R12: the changed object has quick repeats of its own.
func TestAnEditEndsAMisconfiguration(t *testing.T) {
	f := newFixture()
	for range 5 {
		f.answered(t, said(osbresult.Misconfigured, 404))
		f.w.now = f.w.now.Add(f.due())
	}
	f.answered(t, said(osbresult.Misconfigured, 404))
	edited2(f)
	f.answered(t, said(osbresult.Misconfigured, 404))
	wantState(t, "edited", f.si.Status.Conditions, "Reconciling")
}

// TestOneProbeForABroker has F-R12: what waits for the probe of its broker writes its status once.
func TestOneProbeForABroker(t *testing.T) {
	f := newFixture()
	refusal := saying(osbresult.Misconfigured, 403, "no")
	refusal.probed = `ClusterServiceBroker "broker"`
	f.answered(t, refusal)
	wantState(t, "the broker is blocked", f.si.Status.Conditions, "Stalled Failed")
	if message := conditionOf(f.si.Status.Conditions, v1beta1.ConditionStalled).Message; !strings.Contains(message, `retried with ClusterServiceBroker "broker", see its status`) {
		t.Errorf("it says %s", message)
	}
	before := f.si.Status.DeepCopy()
	f.w.now = f.w.now.Add(5 * time.Minute)
	f.answered(t, refusal)
	if !equality.Semantic.DeepEqual(*before, f.si.Status) {
		t.Errorf("the probe changed the status from\n%+v to\n%+v", *before, f.si.Status)
	}
	own := saying(osbresult.Misconfigured, 403, "no")
	own.ownFault = true
	f.answered(t, own)
	if a := attemptsOf(f.si); !a.OwnFault || a.NextTime == nil || f.due() < 4*time.Minute {
		t.Errorf("with a fault of its own it has %+v", a)
	}
}

// mitigated takes an instance through a provisioning that fails, and its clean-up.
func (f *fixture) mitigated(t *testing.T, fail func()) {
	t.Helper()
	for removals := attemptsOf(f.si).Removals; attemptsOf(f.si).Removals == removals; {
		switch next := decideInstance(f.si, f.w); {
		case next.call == nil:
			f.si.Status = next.status
			f.w.now = next.wake
		case next.call.verb == deprovision:
			f.after(next.call, said(osbresult.Done, 200))
		default:
			fail()
		}
	}
}

// TestMitigationsAreSpread has F-JS3 and F-JS4: for answers 500 and for operations that fail.
func TestMitigationsAreSpread(t *testing.T) {
	for name, fail := range map[string]func(t *testing.T, f *fixture){
		"F-JS4 500": func(t *testing.T, f *fixture) { f.answered(t, saying(osbresult.Unknown, 500, quota)) },
		"F-JS3 an operation fails": func(t *testing.T, f *fixture) {
			a := said(osbresult.Accepted, 202)
			if f.si.Status.AsyncOpInProgress {
				a = said(osbresult.Done, 200)
				a.state, a.words = osbresult.Failed, quota
			}
			f.answered(t, a)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			for i, wait := range []time.Duration{0, 0, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 16 * time.Hour, 24 * time.Hour, 24 * time.Hour} {
				f.mitigated(t, func() { fail(t, f) })
				if wait == 0 {
					wantState(t, "it is cleaned up", f.si.Status.Conditions, "Reconciling")
					f.w.now = f.w.now.Add(f.due())
					continue
				}
				wantState(t, "it is cleaned up often", f.si.Status.Conditions, "Stalled Failed")
				for _, kind := range []string{v1beta1.ConditionFailed, v1beta1.ConditionStalled} {
					if c := conditionOf(f.si.Status.Conditions, kind); !strings.Contains(c.Message, quota) {
						t.Errorf("%s says %s", kind, c.Message)
					}
				}
				if due := f.due(); due < wait*7/10 || due > wait*13/10 {
					t.Errorf("after clean-up %d it waits %s, not about %s", i+1, due, wait)
				}
				f.w.now = f.w.now.Add(f.due())
			}
		})
	}
}

// TestARecoveryEndsTheWait has F-JS4: once, as what fails again while others succeed has a fault of
// its own.
func TestARecoveryEndsTheWait(t *testing.T) {
	f := newFixture()
	fail := func() { f.answered(t, saying(osbresult.Unknown, 500, quota)) }
	for range maxRemovals {
		f.mitigated(t, fail)
	}
	f.w.recovered = t0.Add(-time.Hour)
	if got := decideInstance(f.si, f.w).say(); got != "wait" {
		t.Errorf("before the broker recovers: %s", got)
	}
	f.w.now = f.w.now.Add(time.Minute)
	f.w.recovered = f.w.now
	f.mitigated(t, fail)
	f.w.now = f.w.now.Add(time.Minute)
	f.w.recovered = f.w.now
	if got := decideInstance(f.si, f.w).say(); got != "wait" {
		t.Errorf("after it failed again: %s", got)
	}
	f.si.Generation++
	f.si.Spec.UpdateRequests++
	f.answered(t, said(osbresult.Done, 201))
	wantState(t, "asked for again", f.si.Status.Conditions, "Ready")
}

// TestRecoveries has F-JS4: the first success after a failure is told, and only that.
func TestRecoveries(t *testing.T) {
	var r recoveries
	key := brokerKey{name: "broker"}
	at := func(s int) time.Time { return t0.Add(time.Duration(s) * time.Second) }
	if !r.succeeded(key, at(1)) || r.succeeded(key, at(2)) || !r.since(key).Equal(at(1)) {
		t.Errorf("of a broker of which nothing is known: %s", r.since(key))
	}
	r.failed(key)
	if !r.succeeded(key, at(3)) || !r.since(key).Equal(at(3)) {
		t.Errorf("after it failed: %s", r.since(key))
	}
}

// TestADeletionHasNotFailed has F-JS6.
func TestADeletionHasNotFailed(t *testing.T) {
	f := newFixture(ready, edited2, refusedOnce)
	wantState(t, "refused", f.si.Status.Conditions, "Stalled Failed")
	deleted(f)
	lives(f)
	f.answered(t, said(osbresult.Accepted, 202))
	wantState(t, "being deleted", f.si.Status.Conditions, "Reconciling")

	f = newFixture(ready, edited2, refusedOnce, deleted, lives, boundTo)
	wantState(t, "waiting for bindings", decideInstance(f.si, f.w).status.Conditions, "Stalled")
}

// TestTheWordsOfARefusalStay has F-JS3: through the clean-up that follows it.
func TestTheWordsOfARefusalStay(t *testing.T) {
	f := newFixture(unknownOnce)
	f.answered(t, saying(osbresult.Rejected, 400, quota))
	wantState(t, "being cleaned up", f.si.Status.Conditions, "Reconciling")
	f.answered(t, said(osbresult.Done, 200))
	wantState(t, "cleaned up", f.si.Status.Conditions, "Stalled Failed")
	for _, kind := range []string{v1beta1.ConditionFailed, v1beta1.ConditionStalled} {
		if c := conditionOf(f.si.Status.Conditions, kind); !strings.Contains(c.Message, quota) {
			t.Errorf("%s says %s", kind, c.Message)
		}
	}
}

// TestABindingIsNotGivenUp has F-S8: requests that had no effect do not use up its attempts.
func TestABindingIsNotGivenUp(t *testing.T) {
	f := newBindingFixture()
	for range 30 {
		f.after(bindingAnswer{Outcome: osbresult.Outcome{Class: osbresult.Retry}})
		f.w.now = f.w.now.Add(time.Hour)
	}
	f.after(saidOf(osbresult.Malformed, 200))
	wantState(t, "after a body that cannot be read", f.b.Status.Conditions, "Reconciling")
	f.w.now = f.w.now.Add(time.Hour)
	if got := f.step().say(); got != "bind id" {
		t.Errorf("then: %s", got)
	}
}

// TestABrokersMisconfiguration has F-R12 for the catalog.
func TestABrokersMisconfiguration(t *testing.T) {
	b := newBrokerAt(scopes[0], "https://broker.example.com")
	now := t0
	for i, want := range []string{"Reconciling", "Reconciling", "Reconciling", "Stalled Failed", "Stalled Failed"} {
		v := visit{generation: 1, fault: faultOf(b, osbresult.Outcome{Class: osbresult.Misconfigured, Status: 401, Description: "who are you?"})}
		*b.CommonStatus() = statusAfter(b, v, now)
		wantState(t, ordinal(int32(i+1)), b.CommonStatus().Conditions, want)
		now = b.CommonStatus().NextAttemptTime.Time
	}
	if waited := now.Sub(t0); waited < 10*time.Minute || waited > 25*time.Minute {
		t.Errorf("five attempts take %s", waited)
	}
}

// TestABrokersMissingSecret has F-JS2: it may be applied after the broker.
func TestABrokersMissingSecret(t *testing.T) {
	b := newBrokerAt(scopes[0], "https://broker.example.com")
	b.SetCreationTimestamp(metav1.NewTime(t0))
	v := visit{generation: 1, fault: &fault{reason: v1beta1.ReasonErrorFetchingCatalog, message: "x", stalled: true, stalledFrom: t0.Add(missingReferenceDelay)}}
	*b.CommonStatus() = statusAfter(b, v, t0.Add(time.Minute))
	wantState(t, "young", b.CommonStatus().Conditions, "Reconciling")
	if at := b.CommonStatus().NextAttemptTime; at == nil || !at.Time.Equal(t0.Add(missingReferenceDelay)) {
		t.Errorf("it is looked at again at %s", at)
	}
	*b.CommonStatus() = statusAfter(b, v, t0.Add(missingReferenceDelay))
	wantState(t, "old", b.CommonStatus().Conditions, "Stalled Failed")
}

// TestABlockedBroker has F-R12: its status says what is wrong, when the next request is made, and
// ends with the next catalog that is read, though that has not changed.
func TestABlockedBroker(t *testing.T) {
	b := newBrokerAt(scopes[0], "https://broker.example.com")
	b.SetGeneration(1)
	*b.CommonStatus() = statusAfter(b, visit{generation: 1, etag: "e", digest: "d", classes: 1}, t0)
	if got := heldETag(b, brokerFacts{digest: "d"}); got != "e" {
		t.Errorf("a broker that works is asked with %q", got)
	}
	r := &BrokerReconciler{connections: &connections{}}
	key := keyOf(b)
	r.connections.noteFault(key, provision, osbresult.Outcome{Class: osbresult.Misconfigured, Status: 403, Description: "words of one object's broker"})
	bulkhead := r.connections.bulkheads.Of(key, t0)
	for range 4 {
		leave, _ := bulkhead.Enter(limiter.Ticket{Who: "db", Misconfigured: 3}, t0)
		if leave == nil {
			break
		}
		leave(t0, limiter.Result{Misconfigured: true})
	}
	v := r.misconfigured(key, t0)
	b.CommonStatus().Conditions = v.conditions(b.CommonStatus().Conditions, t0)
	wantState(t, "blocked", b.CommonStatus().Conditions, "Stalled Failed")
	if message := conditionOf(b.CommonStatus().Conditions, v1beta1.ConditionFailed).Message; !strings.Contains(message, "provision: HTTP 403") || !strings.Contains(message, "one of them is repeated at 2026-11-20T12:") || strings.Contains(message, "words of one") {
		t.Errorf("it says %s", message)
	}
	if got := heldETag(b, brokerFacts{digest: "d"}); got != "" {
		t.Errorf("a blocked broker is asked with %q", got)
	}
}

// TestAnEndpointIsItsAddressAndCredentials has F-P7: a request to read the catalog does not reset
// what is known of the broker.
func TestAnEndpointIsItsAddressAndCredentials(t *testing.T) {
	b := newBrokerAt(scopes[0], "https://broker.example.com")
	before := endpointVersion(b, osb.Auth{Password: "c1"})
	b.Common().RelistRequests++
	b.SetGeneration(b.GetGeneration() + 1)
	if endpointVersion(b, osb.Auth{Password: "c1"}) != before {
		t.Error("a relist makes another endpoint")
	}
	if endpointVersion(b, osb.Auth{Password: "c2"}) == before {
		t.Error("other credentials make none")
	}
	if b.Common().URL += "/v2"; endpointVersion(b, osb.Auth{Password: "c1"}) == before {
		t.Error("another address makes none")
	}
}

// TestWhoseFaultItIs has F-R12: an object waits for the broker's probe unless the fault is its own,
// and then the broker's catalog is read, so that its status says what is wrong.
func TestWhoseFaultItIs(t *testing.T) {
	b := newBrokerAt(clusterWide, "https://broker.example.com")
	for name, test := range map[string]struct {
		result   limiter.Result
		verdict  limiter.Verdict
		want     blame
		relisted bool
	}{
		"the broker's":   {limiter.Result{Misconfigured: true}, limiter.Verdict{Slow: true}, blame{probed: `ClusterServiceBroker "osba"`}, true},
		"its own":        {limiter.Result{Misconfigured: true}, limiter.Verdict{OwnFault: true}, blame{ownFault: true}, false},
		"not known yet":  {limiter.Result{Misconfigured: true}, limiter.Verdict{}, blame{}, false},
		"another answer": {limiter.Result{Error: true}, limiter.Verdict{Slow: true, OwnFault: true}, blame{}, false},
	} {
		relisted := false
		r := &InstanceReconciler{&reconciler[*v1beta1.ServiceInstance, v1beta1.ServiceInstanceStatus, struct{}]{kit: &kit{relist: func(brokerKey) { relisted = true }}}}
		if got := r.blame(b, test.result, test.verdict); got != test.want || relisted != test.relisted {
			t.Errorf("%s: %+v, its catalog is read: %v", name, got, relisted)
		}
	}
}

// TestWhatWaitsForAProbeIsStalled has F-R12: what was never sent to a broker that is blocked.
func TestWhatWaitsForAProbeIsStalled(t *testing.T) {
	f := newFixture()
	for cause, want := range map[limiter.Cause]string{
		limiter.Misconfigured: "Stalled Failed", limiter.Down: "Reconciling", limiter.Busy: "Reconciling", limiter.Throttled: "Reconciling", limiter.Failing: "Reconciling",
	} {
		why := whyQueued(cause, brokerKey{name: "osba"})
		wantState(t, string(cause), troubledInstance(f.si, why, t0).Conditions, want)
		if names := strings.Contains(why.message, `retried with ClusterServiceBroker "osba", see its status`); names != (cause == limiter.Misconfigured) {
			t.Errorf("%s: %s", cause, why.message)
		}
	}
}
