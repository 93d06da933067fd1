// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// TestConditionsOfABindingThatWaits: Stalled would have Helm end with a failure.
func TestConditionsOfABindingThatWaits(t *testing.T) {
	instance := func(edit func(*v1beta1.ServiceInstance)) func(*fixture) {
		return func(f *fixture) {
			f.in.BoundInstance.Instance = f.in.BoundInstance.Instance.DeepCopy()
			edit(f.in.BoundInstance.Instance)
		}
	}
	notProvisioned := instance(func(si *v1beta1.ServiceInstance) { si.Status.ProvisionStatus = "" })
	stalled := instance(func(si *v1beta1.ServiceInstance) {
		si.Status.Conditions = []v1beta1.Condition{{Type: v1beta1.ConditionStalled, Status: v1beta1.ConditionTrue}}
	})
	none := func(f *fixture) { f.in.BoundInstance = BoundInstance{} }
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"F-JS2 the instance is provisioned": {edits(notProvisioned, later(time.Minute)), "Reconciling"},
		"F-JS2 that takes long":             {edits(notProvisioned, later(time.Hour)), "Reconciling"},
		"F-JS2 the instance is stalled":     {edits(notProvisioned, stalled), "Stalled"},
		"F-JS2 the instance is busy":        {edits(instance(func(si *v1beta1.ServiceInstance) { si.Status.AsyncOpInProgress = true }), later(time.Minute)), "Reconciling"},
		"F-JS2 no instance, young":          {edits(none, later(time.Minute)), "Reconciling"},
		"F-JS2 no instance, old":            {edits(none, later(rules.MissingReferenceDelay)), "Stalled"},
		"F-JS2 not bindable":                {edits(func(f *fixture) { f.in.BoundInstance.Plan.Common().Bindable = new(bool) }), "Stalled Failed"},
	} {
		t.Run(name, func(t *testing.T) {
			rulestest.WantState(t, "it says", newFixture(test.is...).step().Status.Conditions, test.want)
		})
	}
}

// TestABindingIsNotGivenUp has F-S8: requests that had no effect do not use up its attempts.
func TestABindingIsNotGivenUp(t *testing.T) {
	f := newFixture()
	for range 30 {
		f.after(Answer{Outcome: osbresult.Outcome{Class: osbresult.Retry}})
		f.in.Now = f.in.Now.Add(time.Hour)
	}
	f.after(answerOf(osbresult.Malformed, 200))
	rulestest.WantState(t, "after a body that cannot be read", f.b.Status.Conditions, "Reconciling")
	f.in.Now = f.in.Now.Add(time.Hour)
	if got := f.step().describe(); got != "bind id" {
		t.Errorf("then: %s", got)
	}
}

// TestABindingsClockThatIsPutRight: times from when it was ahead put nothing off (R11).
func TestABindingsClockThatIsPutRight(t *testing.T) {
	failed := func(f *fixture) { f.after(answerOf(osbresult.Retry, 503)) }
	unknown, removed := repeated(4, answerOf(osbresult.Unknown, 500)), func(f *fixture) { f.after(answerOf(osbresult.Done, 200)) }
	const month = 30 * 24 * time.Hour
	for name, test := range map[string]struct {
		is    []func(*fixture)
		waits bool
	}{
		"F-S17 a binding":            {edits(later(month), failed, later(-month)), false},
		"F-S17 a binding, in time":   {edits(later(month), failed), true},
		"F-S48 an orphan mitigation": {edits(unknown, later(month), removed, later(-month)), false},
		"F-S48 an hour ahead":        {edits(unknown, later(time.Hour), removed, later(-time.Hour)), false},
	} {
		if got := newFixture(test.is...).step().describe(); (got == "wait") != test.waits {
			t.Errorf("%s: %s", name, got)
		}
	}
}

// TestARetryOfABindingIsDueOnRequest: a new value of the annotation makes one request due at once: the one that is next, also of a removal.
func TestARetryOfABindingIsDueOnRequest(t *testing.T) {
	fail := func(f *fixture) { f.after(answerOf(osbresult.Retry, 503)) }
	unknown := repeated(4, answerOf(osbresult.Unknown, 500))
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"a bind":               {edits(fail), "write-ahead bind"},
		"an orphan mitigation": {edits(unknown, fail), "unbind"},
		"a deletion":           {edits(bound, deleted, secretDeleted, definitionExists, fail), "unbind"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			if got := f.step().describe(); got != "wait" {
				t.Errorf("before the request: %s", got)
			}
			rebound(f)
			if got := f.step(); !strings.HasPrefix(got.describe(), test.want) || !got.Requested {
				t.Errorf("after the request: %s, %v, want %s", got.describe(), got.Requested, test.want)
			}
			fail(f)
			if got := f.step(); got.describe() != "wait" || got.Requested {
				t.Errorf("after it has failed again: %s, %v", got.describe(), got.Requested)
			}
		})
	}
}

// F-S65: what the original service-catalog said stays in the conditions until a person asks for a retry. The retry is handled with the broker's
// answer: from then on the deletion is like any other.
func TestABindingWhoseRemovalWasGivenUp(t *testing.T) {
	for name, test := range map[string]struct {
		answer Answer
		want   v1beta1.UnbindStatus
		next   string
	}{
		"it fails":    {answerOf(osbresult.Unknown, 500), v1beta1.UnbindRequired, "wait"},
		"it is begun": {answerOf(osbresult.Accepted, 202), v1beta1.UnbindRequired, "poll id (removal)"},
		"it succeeds": {answerOf(osbresult.Done, 200), v1beta1.UnbindSucceeded, "release UnboundSuccessfully"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(bound, deleted, definitionExists, secretDeleted, func(f *fixture) {
				f.b.Status.UnbindStatus = v1beta1.UnbindFailed
				f.b.Status.Conditions = []v1beta1.Condition{{Type: v1beta1.ConditionReady, Status: v1beta1.ConditionUnknown, Message: "Status: 500; out of disk"}}
			})
			for range 2 {
				next := f.step()
				c := rules.FindCondition(next.Status.Conditions, v1beta1.ConditionStalled)
				if next.Request != nil || !rules.IsTrue(c) || !strings.Contains(c.Message, "out of disk") || !strings.Contains(c.Message, v1beta1.RetryDeletionAnnotation+"=1") {
					t.Errorf("%s: %+v", next.describe(), c)
				}
				f.b.Status = next.Status
			}
			removalRequested(f)
			f.after(test.answer)
			delete(f.b.Annotations, v1beta1.RetryDeletionAnnotation)
			if got := f.step().describe(); got != test.next || f.b.Status.UnbindStatus != test.want {
				t.Errorf("%s, and unbindStatus is %s", got, f.b.Status.UnbindStatus)
			}
		})
	}
}

// removalRequested has a person ask for a removal that was given up.
func removalRequested(f *fixture) {
	metav1.SetMetaDataAnnotation(&f.b.ObjectMeta, v1beta1.RetryDeletionAnnotation, "1")
}

// TestARetryOfAnOrphanMitigationBeginsANewBudget: the request that follows the clean-up does not wait for hours, nor for another change.
func TestARetryOfAnOrphanMitigationBeginsANewBudget(t *testing.T) {
	f := newFixture(repeated(4, answerOf(osbresult.Unknown, 500)))
	f.after(answerOf(osbresult.Retry, 503))
	f.b.Status.Attempts.Removals, f.b.Status.Attempts.Stopped = rules.MaxRemovals, true
	rebound(f)
	f.after(answerOf(osbresult.Done, 200))
	f.in.Now = f.in.Now.Add(2 * time.Second)
	if got := f.step().describe(); !strings.HasPrefix(got, "write-ahead bind") {
		t.Errorf("after the clean-up: %s", got)
	}
}

// F-JS11: a binding that is on record as Ready, with a Secret, says that its removal is in flight, if that takes its time. The Secret is deleted
// first.
func TestARemovalInFlight(t *testing.T) {
	fail := func(f *fixture) { f.after(answerOf(osbresult.Retry, 503)) }
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want bool
	}{
		"its Secret is there":     {edits(bound, deleted, definitionExists), false},
		"its Secret is gone":      {edits(bound, deleted, definitionExists, secretDeleted), true},
		"the first DELETE failed": {edits(bound, deleted, definitionExists, secretDeleted, fail, later(time.Hour)), false},
		"a predecessor":           {edits(rotatable, bound, rebound, bound, later(overlap)), false},
	} {
		next := newFixture(test.is...).step()
		if got := next.InFlight; (got != nil) != test.want {
			t.Errorf("%s: %s, %+v", name, next.describe(), got)
		} else if got != nil {
			c := rules.FindCondition(got.Conditions, v1beta1.ConditionReady)
			if c.Status != v1beta1.ConditionFalse || c.Reason != v1beta1.ReasonUnbinding || got.Binding != nil || next.WriteAhead {
				t.Errorf("%s: %+v, write-ahead %t", name, got, next.WriteAhead)
			}
		}
	}
}

// A successor on record, restored from a backup, is fetched before it is removed, also where the outcomes of all bind requests are unknown.
func TestASuccessorWithUnknownOutcomes(t *testing.T) {
	unknown := edits(retrievable, bound, rebound, restarted, repeated(4, answerOf(osbresult.Unknown, 500)))
	for name, test := range map[string]struct {
		is   []func(*fixture)
		then string
	}{
		"not fetched":           {nil, "fetch " + next1 + " again"},
		"not returned":          {edits(repeated(1, answerOf(osbresult.Gone, 404))), "write-ahead bind " + next2},
		"a person has rebound":  {edits(requestRebind("again")), "fetch " + next1 + " again"},
		"the broker is failing": {edits(repeated(20, answerOf(osbresult.Retry, 503))), "fetch " + next1 + " again"},
	} {
		if got := newFixture(append(unknown, test.is...)...).step().describe(); got != test.then {
			t.Errorf("%s: %s, want %s", name, got, test.then)
		}
	}
}

// gatewayForbids returns the answers of a broker behind a gateway that forbids to read bindings, by the request.
func gatewayForbids(f *fixture, bind func(*Request) Answer) func(*Request) Answer {
	return func(call *Request) Answer {
		if call.Operation == rules.Fetch {
			return answerOf(osbresult.Misconfigured, 403)
		}
		if call.Operation != rules.Bind {
			return answerOf(osbresult.Done, 200)
		}
		a := bind(call)
		if a.Binding != nil {
			a.Binding.ExpiresAt, a.Binding.RenewBefore = f.in.Now.Add(time.Hour), f.in.Now.Add(45*time.Minute)
		}
		return a
	}
}

// No gateway prevents new credentials for ever: a person, or the end of the former credentials, has another binding requested. The successor that
// cannot be fetched is removed as a predecessor is.
func TestASuccessorThatCannotBeFetchedIsReplaced(t *testing.T) {
	conflicting := func(call *Request) Answer {
		if tail(call.ID) == next1 {
			return answerOf(osbresult.Conflict, 409)
		}
		return answerWithCredentials(201)
	}
	f := newFixture(retrievable, bound, rebound, restarted)
	if log := f.runFor(12*time.Hour, gatewayForbids(f, conflicting)); slices.ContainsFunc(log, func(is string) bool { return strings.Contains(is, "unbind") || strings.Contains(is, next2) }) {
		t.Errorf("no person has requested another binding, and the credentials are valid: %q", log)
	}
	requestRebind("again")(f)
	log := f.runFor(10*time.Minute, gatewayForbids(f, conflicting))
	if len(log) != 1 || !strings.HasSuffix(log[0], "write-ahead bind "+next2) {
		t.Errorf("requested by a person: %q", log)
	}
	if s := f.b.Status; s.Rebind != "again" || len(s.Predecessors) != 2 || !bindingphase.IsDelivered(&s) {
		t.Errorf("rebind %q, predecessors %v", s.Rebind, s.Predecessors)
	}
	if log := f.runFor(2*time.Hour, gatewayForbids(f, conflicting)); !slices.ContainsFunc(log, func(is string) bool { return strings.HasSuffix(is, "unbind "+next1) }) {
		t.Errorf("the successor is left at the broker: %q", log)
	}

	f = newFixture(retrievable, expiring, rebound, restarted)
	f.runFor(12*time.Hour, gatewayForbids(f, conflicting))
	if !rules.IsTrue(rules.FindCondition(f.b.Status.Conditions, v1beta1.ConditionReady)) {
		t.Errorf("after the end of the credentials: %v", f.b.Status.Conditions)
	}
}

// A fetch that fails after an update of the instance has its own times: credentials are renewed, and predecessors removed, as if there was none.
func TestAFailedRecheckDelaysNothing(t *testing.T) {
	binds := func(*Request) Answer { return answerWithCredentials(201) }
	f := newFixture(retrievable, rotatable, expiring)
	later(10 * time.Minute)(f)
	updated(f)
	if log := f.runFor(49*time.Minute, gatewayForbids(f, binds)); !slices.ContainsFunc(log, func(is string) bool { return strings.Contains(is, "bind "+next1) }) {
		t.Errorf("the renewal waits: %q", log)
	}
	f = newFixture(retrievable, bound, rebound)
	f.after(answerWithCredentials(201))
	updated(f)
	if log := f.runFor(overlap+time.Minute, gatewayForbids(f, binds)); !slices.ContainsFunc(log, func(is string) bool { return strings.Contains(is, "unbind id") }) {
		t.Errorf("the removal of the predecessor waits: %q", log)
	}
}

// An update of the instance that is taken back leaves no attempt behind, and no message about one. Until then the message says what a person can do.
func TestARecheckAfterAnUpdateThatIsTakenBack(t *testing.T) {
	f := newFixture(retrievable, bound, updated)
	answer := gatewayForbids(f, nil)
	f.runFor(2*time.Hour, answer)
	if ready := rules.FindCondition(f.b.Status.Conditions, v1beta1.ConditionReady); !rules.IsTrue(ready) || !strings.Contains(ready.Message, v1beta1.RebindAnnotation) {
		t.Errorf("while it fails: %v", ready)
	}
	f.in.BoundInstance.Instance.Status.ExternalProperties.ParameterChecksum = ""
	if log := f.runFor(2*time.Hour, answer); len(log) != 0 {
		t.Errorf("taken back: %q", log)
	}
	if ready := rules.FindCondition(f.b.Status.Conditions, v1beta1.ConditionReady); f.b.Status.Attempts != nil || strings.Contains(ready.Message, "403") {
		t.Errorf("taken back: %+v, %v", f.b.Status.Attempts, ready)
	}
}
