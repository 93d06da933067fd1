// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

const quota = "instance limit for this service has been reached"

// attemptsOf are those of an instance, never nil.
func attemptsOf(si *v1beta1.ServiceInstance) v1beta1.Attempts {
	if si.Status.Attempts == nil {
		return v1beta1.Attempts{}
	}
	return *si.Status.Attempts
}

// answerWithDescription is an answer with the broker's description.
func answerWithDescription(class osbresult.Class, status int, words string) Answer {
	a := answerOf(class, status)
	a.Description = words
	return a
}

// answered has an instance's next request answered.
func (f *fixture) answered(t *testing.T, a Answer) {
	t.Helper()
	next := Decide(f.si, f.inputs())
	if next.Request == nil {
		t.Fatalf("no request is made: %s", next.describe())
	}
	f.after(next.Request, a)
}

// due is when the next attempt is made.
func (f *fixture) due() time.Duration { return attemptsOf(f.si).NextTime.Sub(f.in.Now) }

// TestConditionsOfWaiting has the phases in which no request is made.
func TestConditionsOfWaiting(t *testing.T) {
	noClass := func(f *fixture) {
		f.in.Offering = rules.Offering{Missing: rules.MissingReference(f.si, v1beta1.ReasonReferencesNonexistentServiceClass, "x")}
	}
	problem := func(b *rules.Blocker) func(*fixture) { return func(f *fixture) { f.in.BrokerBlocker = b } }
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"F-JS2 no class, young":             {edits(noClass), "Reconciling"},
		"F-JS2 no class, old":               {edits(noClass, later(rules.MissingReferenceDelay)), "Stalled"},
		"F-JS2 the broker is in progress":   {edits(problem(rules.InProgress("x", "y"))), "Reconciling"},
		"F-JS2 the broker is stalled":       {edits(problem(rules.BlockedBy("x", "y"))), "Stalled"},
		"F-JS2 a class that is not offered": {edits(func(f *fixture) { f.in.Offering.Class.CommonStatus().RemovedFromBrokerCatalog = true }), "Stalled"},
		"F-U13 bindings may go":             {edits(ready, deleted, definitionExists, boundTo), "Reconciling"},
		"F-JS2 bindings have to go":         {edits(ready, deleted, definitionExists, boundTo, later(bindingsDeletionDelay)), "Stalled"},
		"F-JS2 bindings go":                 {edits(ready, deleted, definitionExists, boundTo, func(f *fixture) { f.in.BindingsGoing = true }), "Reconciling"},
		"F-JS2 abandoned":                   {edits(ready, func(f *fixture) { f.si.Finalizers = nil }), "Stalled"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			next := Decide(f.si, f.inputs())
			rulestest.WantState(t, "it says", next.Status.Conditions, test.want)
			if name == "F-JS2 no class, young" && !next.RequeueAt.Equal(f.si.CreationTimestamp.Add(rules.MissingReferenceDelay)) {
				t.Errorf("it is looked at again at %s", next.RequeueAt)
			}
		})
	}
}

// TestMisconfiguration has F-R12: what is no refusal of the content is never final, and a person
// is told once the quick repeats have failed.
func TestMisconfiguration(t *testing.T) {
	f := newFixture()
	for i, seconds := range []time.Duration{5, 15, 45, 300, 600, 1200, 1800, 1800} {
		f.answered(t, answerWithDescription(osbresult.Misconfigured, 403, "forbidden by the gateway"))
		want := "Reconciling"
		if i > 2 {
			want = "Stalled Failed"
		}
		rulestest.WantState(t, rules.AttemptNumber(int32(i+1)), f.si.Status.Conditions, want)
		if wait := f.due(); wait < seconds*time.Second*7/10 || wait > seconds*time.Second*13/10 {
			t.Errorf("after %s it waits %s, not about %d s", rules.AttemptNumber(int32(i+1)), wait, seconds)
		}
		f.in.Now = f.in.Now.Add(f.due())
	}
	if failed := rules.FindCondition(f.si.Status.Conditions, v1beta1.ConditionFailed); !strings.Contains(failed.Message, "forbidden by the gateway") {
		t.Errorf("it says %s", failed.Message)
	}
	if before := Decide(f.si, f.inputs()); before.Request != nil {
		rulestest.WantState(t, "before the request", before.Status.Conditions, "Stalled Failed")
	}
	f.answered(t, answerOf(osbresult.Done, 201))
	rulestest.WantState(t, "mended", f.si.Status.Conditions, "Ready")
}

// TestAnEditEndsAMisconfiguration has F-R12: the changed object has quick repeats of its own.
func TestAnEditEndsAMisconfiguration(t *testing.T) {
	f := newFixture()
	for range 5 {
		f.answered(t, answerOf(osbresult.Misconfigured, 404))
		f.in.Now = f.in.Now.Add(f.due())
	}
	f.answered(t, answerOf(osbresult.Misconfigured, 404))
	otherParameters(f)
	f.answered(t, answerOf(osbresult.Misconfigured, 404))
	rulestest.WantState(t, "edited", f.si.Status.Conditions, "Reconciling")
}

// TestOneProbeForABroker has F-R12: what waits for the probe of its broker writes its status once.
func TestOneProbeForABroker(t *testing.T) {
	f := newFixture()
	refusal := answerWithDescription(osbresult.Misconfigured, 403, "no")
	refusal.Probed = `ClusterServiceBroker "broker"`
	f.answered(t, refusal)
	rulestest.WantState(t, "the broker is blocked", f.si.Status.Conditions, "Stalled Failed")
	if message := rules.FindCondition(f.si.Status.Conditions, v1beta1.ConditionStalled).Message; !strings.Contains(message, `retried with ClusterServiceBroker "broker", see its status`) {
		t.Errorf("it says %s", message)
	}
	before := f.si.Status.DeepCopy()
	f.in.Now = f.in.Now.Add(5 * time.Minute)
	f.answered(t, refusal)
	if !equality.Semantic.DeepEqual(*before, f.si.Status) {
		t.Errorf("the probe changed the status from\n%+v to\n%+v", *before, f.si.Status)
	}
	own := answerWithDescription(osbresult.Misconfigured, 403, "no")
	own.OwnFault = true
	f.answered(t, own)
	if a := attemptsOf(f.si); !a.OwnFault || a.NextTime == nil || f.due() < 4*time.Minute {
		t.Errorf("with a fault of its own it has %+v", a)
	}
}

// mitigated takes an instance through a provisioning that fails, and its clean-up.
func (f *fixture) mitigated(t *testing.T, fail func()) {
	t.Helper()
	for removals := attemptsOf(f.si).Removals; attemptsOf(f.si).Removals == removals; {
		switch next := Decide(f.si, f.inputs()); {
		case next.Request == nil:
			f.si.Status = next.Status
			f.in.Now = next.RequeueAt
		case next.Request.Operation == rules.Deprovision:
			f.after(next.Request, answerOf(osbresult.Done, 200))
		default:
			fail()
		}
	}
}

// TestMitigationsAreSpread has F-JS3 and F-JS4: for answers 500 and for operations that fail.
func TestMitigationsAreSpread(t *testing.T) {
	for name, fail := range map[string]func(t *testing.T, f *fixture){
		"F-JS4 500": func(t *testing.T, f *fixture) { f.answered(t, answerWithDescription(osbresult.Unknown, 500, quota)) },
		"F-JS3 an operation fails": func(t *testing.T, f *fixture) {
			a := answerOf(osbresult.Accepted, 202)
			if f.si.Status.AsyncOpInProgress {
				a = answerOf(osbresult.Done, 200)
				a.State, a.OperationDescription = osbresult.Failed, quota
			}
			f.answered(t, a)
		},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture()
			for i, wait := range []time.Duration{0, 0, time.Hour, 2 * time.Hour, 4 * time.Hour, 8 * time.Hour, 16 * time.Hour, 24 * time.Hour, 24 * time.Hour} {
				f.mitigated(t, func() { fail(t, f) })
				if wait == 0 {
					rulestest.WantState(t, "it is cleaned up", f.si.Status.Conditions, "Reconciling")
					f.in.Now = f.in.Now.Add(f.due())
					continue
				}
				rulestest.WantState(t, "it is cleaned up often", f.si.Status.Conditions, "Stalled Failed")
				for _, kind := range []string{v1beta1.ConditionFailed, v1beta1.ConditionStalled} {
					if c := rules.FindCondition(f.si.Status.Conditions, kind); !strings.Contains(c.Message, quota) {
						t.Errorf("%s says %s", kind, c.Message)
					}
				}
				if due := f.due(); due < wait*7/10 || due > wait*13/10 {
					t.Errorf("after clean-up %d it waits %s, not about %s", i+1, due, wait)
				}
				f.in.Now = f.in.Now.Add(f.due())
			}
		})
	}
}

// TestARecoveryEndsTheWait has F-JS4: once, as what fails again while others succeed has a fault of
// its own.
func TestARecoveryEndsTheWait(t *testing.T) {
	f := newFixture()
	fail := func() { f.answered(t, answerWithDescription(osbresult.Unknown, 500, quota)) }
	for range rules.MaxRemovals {
		f.mitigated(t, fail)
	}
	f.in.Recovered = rulestest.T0.Add(-time.Hour)
	if got := Decide(f.si, f.inputs()).describe(); got != "wait" {
		t.Errorf("before the broker recovers: %s", got)
	}
	f.in.Now = f.in.Now.Add(time.Minute)
	f.in.Recovered = f.in.Now
	f.mitigated(t, fail)
	f.in.Now = f.in.Now.Add(time.Minute)
	f.in.Recovered = f.in.Now
	if got := Decide(f.si, f.inputs()).describe(); got != "wait" {
		t.Errorf("after it failed again: %s", got)
	}
	f.si.Generation++
	f.si.Spec.UpdateRequests++
	f.answered(t, answerOf(osbresult.Done, 201))
	rulestest.WantState(t, "asked for again", f.si.Status.Conditions, "Ready")
}

// TestADeletionHasNotFailed has F-JS6.
func TestADeletionHasNotFailed(t *testing.T) {
	f := newFixture(ready, otherParameters, refusedOnce)
	rulestest.WantState(t, "refused", f.si.Status.Conditions, "Stalled Failed")
	deleted(f)
	definitionExists(f)
	f.answered(t, answerOf(osbresult.Accepted, 202))
	rulestest.WantState(t, "being deleted", f.si.Status.Conditions, "Reconciling")

	f = newFixture(ready, otherParameters, refusedOnce, deleted, definitionExists, boundTo, later(bindingsDeletionDelay))
	rulestest.WantState(t, "waiting for bindings", Decide(f.si, f.inputs()).Status.Conditions, "Stalled")
}

// TestTheWordsOfARefusalStay has F-JS3: through the clean-up that follows it.
func TestTheWordsOfARefusalStay(t *testing.T) {
	f := newFixture(unknownOnce)
	f.answered(t, answerWithDescription(osbresult.Rejected, 400, quota))
	rulestest.WantState(t, "being cleaned up", f.si.Status.Conditions, "Reconciling")
	f.answered(t, answerOf(osbresult.Done, 200))
	rulestest.WantState(t, "cleaned up", f.si.Status.Conditions, "Stalled Failed")
	for _, kind := range []string{v1beta1.ConditionFailed, v1beta1.ConditionStalled} {
		if c := rules.FindCondition(f.si.Status.Conditions, kind); !strings.Contains(c.Message, quota) {
			t.Errorf("%s says %s", kind, c.Message)
		}
	}
}

// TestAnotherVersionRemovesNothing: who does not say what it has in our version of the API
// is asked again.
func TestAnotherVersionRemovesNothing(t *testing.T) {
	f := newFixture(retrievable)
	for _, a := range []Answer{answerOf(osbresult.Conflict, 409), answerOf(osbresult.NeedsCatalog, 412)} {
		f.after(Decide(f.si, f.inputs()).Request, a)
		f.in.Now = f.in.Now.Add(24 * time.Hour)
	}
	if got, want := Decide(f.si, f.inputs()).describe(), "inspect id small-id"; got != want {
		t.Errorf("then: %s, want %s", got, want)
	}
}

// TestAClockThatIsPutRight: times from when it was ahead put nothing off (R11).
func TestAClockThatIsPutRight(t *testing.T) {
	failed := func(f *fixture) { f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Retry, 503)) }
	removed := func(f *fixture) { f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Done, 200)) }
	const month = 30 * 24 * time.Hour
	for name, test := range map[string]struct {
		is    []func(*fixture)
		waits bool
	}{
		"F-S17 an instance":           {edits(later(month), failed, later(-month)), false},
		"F-S17 the same in time":      {edits(later(month), failed), true},
		"F-S48 an orphan mitigation":  {edits(unknownTimes(4), later(month), removed, later(-month)), false},
		"F-S48 an hour ahead":         {edits(unknownTimes(4), later(time.Hour), removed, later(-time.Hour)), false},
		"F-S48 a mitigation, in time": {edits(unknownTimes(4), removed), true},
	} {
		f := newFixture(test.is...)
		if got := Decide(f.si, f.inputs()).describe(); (got == "wait") != test.waits {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestARetryIsDueOnRequest: a higher updateRequests makes one request due at once: the one that is next, also of a removal.
func TestARetryIsDueOnRequest(t *testing.T) {
	request := func(f *fixture) {
		f.si.Generation++
		f.si.Spec.UpdateRequests++
	}
	fail := func(f *fixture) { f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Retry, 503)) }
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"a provision":          {edits(fail), "write-ahead provision"},
		"an update":            {edits(ready, otherParameters, fail), "write-ahead update"},
		"an orphan mitigation": {edits(unknownTimes(4), fail), "deprovision"},
		"a deletion":           {edits(ready, deleted, definitionExists, fail), "deprovision"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			decision := func() string { return Decide(f.si, f.inputs()).describe() }
			if got := decision(); got != "wait" {
				t.Errorf("before the request: %s", got)
			}
			request(f)
			if got := decision(); !strings.HasPrefix(got, test.want) {
				t.Errorf("after the request: %s, want %s", got, test.want)
			}
			fail(f)
			if got := decision(); got != "wait" {
				t.Errorf("after it has failed again: %s", got)
			}
		})
	}
}
