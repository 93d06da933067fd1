// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// answersEach returns the same answers always: to binds, fetches, and polls, which succeed. It removes what it is told to.
func answersEach(bind, fetch Answer) func(*Request) Answer {
	return func(call *Request) Answer {
		switch call.Operation {
		case rules.Bind:
			return bind
		case rules.Fetch:
			return fetch
		case rules.Poll:
			return pollAnswer(osbresult.Succeeded)
		default:
			return answerOf(osbresult.Done, 200)
		}
	}
}

// hasRequest reports whether one of the requests has a text.
func hasRequest(requests []string, text string) bool {
	return slices.ContainsFunc(requests, func(is string) bool { return strings.Contains(is, text) })
}

func (f *fixture) condition(name string) *v1beta1.Condition {
	return rules.FindCondition(f.b.Status.Conditions, name)
}

// A broker that always answers the same gets requests with a backoff, whatever the answers are (R6, R12).
func TestABrokerThatAnswersTheSameGetsFewRequests(t *testing.T) {
	const withheld = "the credentials are withheld"
	none, accepted := answerWithoutCredentials(osbresult.Done, 200), answerWithoutCredentials(osbresult.Accepted, 202)
	starts := map[string][]func(*fixture){
		"first": edits(retrievable), "successor": edits(retrievable, bound, rebound), "expired": edits(retrievable, expiring, rebound), "lost": edits(retrievable, bound, secretGone),
	}
	binds := map[string]Answer{withheld: none, "202": accepted, "400": answerOf(osbresult.Rejected, 400), "409": answerOf(osbresult.Conflict, 409), "500": answerOf(osbresult.Unknown, 500)}
	fetches := map[string]Answer{
		withheld: none, "400": answerOf(osbresult.Rejected, 400), "403": answerOf(osbresult.Misconfigured, 403), "404": answerOf(osbresult.Gone, 404), "503": answerOf(osbresult.Retry, 503),
	}
	for start, is := range starts {
		for bind, toBind := range binds {
			for fetch, toFetch := range fetches {
				f := newFixture(is...)
				if log := f.runFor(12*time.Hour, answersEach(toBind, toFetch)); len(log) > 300 {
					t.Errorf("%s, bind %s, fetch %s: %d requests in 12 hours, such as %q", start, bind, fetch, len(log), log[:9])
				}
			}
		}
	}
}

// A person who requests other credentials gets them once the broker creates bindings again, whatever has become of the successor before.
func TestAPersonIsNotIgnored(t *testing.T) {
	conflictOnFirst := func(call *Request) Answer {
		if tail(call.ID) == next1 {
			return answerOf(osbresult.Conflict, 409)
		}
		return answerWithCredentials(201)
	}
	fromSecrets := func(f *fixture) { f.readsParameters = true }
	for name, test := range map[string]struct {
		start  []func(*fixture)
		answer func(*fixture) func(*Request) Answer
	}{
		"the gateway forbids fetches":          {edits(retrievable, bound, rebound, restarted), func(f *fixture) func(*Request) Answer { return gatewayForbids(f, conflictOnFirst) }},
		"the same, with parameters of Secrets": {edits(retrievable, bound, rebound, restarted, fromSecrets), func(f *fixture) func(*Request) Answer { return gatewayForbids(f, conflictOnFirst) }},
		"the broker creates asynchronously, once more": {edits(retrievable, bound, rebound), func(*fixture) func(*Request) Answer {
			return answersEach(answerWithoutCredentials(osbresult.Accepted, 202), answerOf(osbresult.Misconfigured, 403))
		}},
		"the outcomes are unknown, and a fetch is forbidden": {edits(retrievable, bound, rebound), func(f *fixture) func(*Request) Answer {
			binds := 0
			return gatewayForbids(f, func(*Request) Answer {
				if binds++; binds <= 4 {
					return answerOf(osbresult.Unknown, 500)
				}
				return answerWithCredentials(201)
			})
		}},
	} {
		f := newFixture(test.start...)
		answer := test.answer(f)
		log := f.runFor(12*time.Hour, answer)
		requestRebind("again")(f)
		log = append(log, f.runFor(48*time.Hour, answer)...)
		if !hasRequest(log, "bind "+next2) {
			t.Errorf("%s: the request of a person is ignored for 48 hours: %q", name, log[max(0, len(log)-5):])
		}
	}
}

// Ids that are left behind block the request of a person only for as long as they are left behind.
func TestLeftBehindDelaysARebind(t *testing.T) {
	f := newFixture(retrievable, bound, rebound, restarted)
	conflicting := gatewayForbids(f, func(*Request) Answer { return answerOf(osbresult.Conflict, 409) })
	f.runFor(12*time.Hour, conflicting)
	now := *times.Timestamp(f.in.Now)
	for i := range 4 {
		f.b.Status.LeftBehind = append(f.b.Status.LeftBehind, v1beta1.LeftBehind{ID: fmt.Sprint(i), UID: f.b.UID, Generation: f.b.Generation, Attempts: 1, Target: *f.b.Status.Target, FirstTime: now, LastTime: now})
	}
	requestRebind("again")(f)
	f.runFor(time.Hour, conflicting)
	f.b.Status.LeftBehind = nil // they are removed at the broker
	if log := f.runFor(48*time.Hour, conflicting); !hasRequest(log, "bind "+next2) {
		t.Errorf("the request is lost: attempted %q, rebind %q", f.b.Status.AttemptedRebind, f.b.Status.Rebind)
	}
}

// Credentials are renewed before they end, although a fetch of the successor was never answered.
func TestAnUnansweredFetchDelaysNoRenewal(t *testing.T) {
	f, binds := newFixture(retrievable, expiring, later(45*time.Minute)), 0
	log := f.runFor(14*time.Minute, gatewayForbids(f, func(*Request) Answer {
		if binds++; binds <= 4 {
			return answerOf(osbresult.Unknown, 500)
		}
		return answerWithCredentials(201)
	}))
	if f.in.SecretID == f.b.Spec.ExternalID {
		t.Errorf("the credentials are not renewed before their end: %q", log)
	}
}

// Where the credentials have ended, each attempt to replace them has a backoff, and due predecessors are removed.
func TestReplacementsOfEndedCredentialsHaveABackoff(t *testing.T) {
	f, ids := newFixture(retrievable, expiring, rebound), map[string]bool{}
	answers := answersEach(answerOf(osbresult.Conflict, 409), answerOf(osbresult.Misconfigured, 403))
	f.runFor(50*time.Hour, func(call *Request) Answer {
		if call.Operation == rules.Bind && call.NothingAtBroker {
			ids[call.ID] = true
			return answerWithoutCredentials(osbresult.Accepted, 202)
		}
		return answers(call)
	})
	if len(ids) > 10 {
		t.Errorf("%d bindings in 50 hours", len(ids))
	}
	for _, p := range f.b.Status.Predecessors {
		if p.RemoveAt.Time.Before(f.in.Now.Add(-24 * time.Hour)) {
			t.Errorf("%s is due since %s", p.ID, p.RemoveAt)
		}
	}
}

// After a restore applications may use the successor. It is removed after the overlap, which begins when other credentials are in the Secret.
func TestARestoredSuccessorStaysUntilItIsReplaced(t *testing.T) {
	start := edits(retrievable, bound, rebound, restarted, repeated(4, answerOf(osbresult.Unknown, 500)))
	withheld := answerOf(osbresult.Rejected, 400)
	f := newFixture(start...)
	if log := f.runFor(48*time.Hour, answersEach(answerOf(osbresult.Rejected, 400), withheld)); hasRequest(log, "unbind") {
		t.Errorf("the broker refuses another one: %q", log)
	}
	requestRebind("again")(f)
	replaced := f.in.Now
	log := f.runFor(overlap/2, answersEach(answerWithCredentials(201), withheld))
	if f.in.SecretID == f.b.Spec.ExternalID || hasRequest(log, "unbind") {
		t.Errorf("the Secret has the credentials of %s; half an overlap after %s: %q", f.in.SecretID, replaced, log)
	}
	if log = f.runFor(overlap, answersEach(withheld, withheld)); !hasRequest(log, "unbind "+next1) {
		t.Errorf("it is left at the broker: %q, %+v", log, f.b.Status.Predecessors)
	}

	f = newFixture(append(start, repeated(1, withheld))...)
	f.in.Parameters.Blocker = rules.BlockedBy(v1beta1.ReasonErrorWithParameters, "no Secret")
	if log := f.runFor(48*time.Hour, answersEach(withheld, withheld)); hasRequest(log, "unbind") {
		t.Errorf("nothing can be requested: %q", log)
	}
}

// A conflict that an answer has shown is described also after an edit.
func TestAConflictIsDescribedAfterAnEdit(t *testing.T) {
	for _, a := range []Answer{answerOf(osbresult.Retry, 503), answerOf(osbresult.Rejected, 400)} {
		f := newFixture(notRetrievable, func(f *fixture) { f.after(answerOf(osbresult.Conflict, 409)) }, later(time.Hour), requestRebind("again"))
		f.after(a)
		ready, stalled := f.condition(v1beta1.ConditionReady), f.condition(v1beta1.ConditionStalled)
		if !strings.Contains(ready.Message, "neither changed nor removed") || !rules.IsTrue(stalled) {
			t.Errorf("then %d: %q, Stalled=%s", a.Status, ready.Message, stalled.Status)
		}
	}
}

// An update of the instance that is taken back ends the fetches for it. It ends no refusal.
func TestAnUpdateThatIsTakenBackKeepsARefusal(t *testing.T) {
	f := newFixture(retrievable, bound, rebound)
	f.after(answerOf(osbresult.Rejected, 400))
	updated(f)
	f.runFor(2*time.Hour, gatewayForbids(f, nil))
	f.in.BoundInstance.Instance.Status.ExternalProperties.ParameterChecksum = ""
	f.runFor(2*time.Hour, gatewayForbids(f, nil))
	if a := f.b.Status.Attempts; a == nil || !a.Stopped {
		t.Errorf("the refusal is forgotten: %+v, %s", a, f.condition(v1beta1.ConditionReady).Message)
	}
}

// While the instance is being updated, it is not known whether its last update is taken back: the slow retries stay slow.
func TestFetchesStaySlowDuringAnUpdate(t *testing.T) {
	f := newFixture(retrievable, bound, updated)
	f.runFor(6*time.Hour, gatewayForbids(f, nil))
	instance := &f.in.BoundInstance.Instance.Status
	instance.CurrentOperation = v1beta1.OperationUpdate
	f.b.Status = f.step().Status
	instance.CurrentOperation = ""
	if log := f.runFor(30*time.Minute, gatewayForbids(f, nil)); len(log) > 3 {
		t.Errorf("quick retries begin again: %q", log)
	}
}

// A renewal is due at a fraction of a second, and attempts are recorded with whole seconds.
func TestOneRenewalWithinASecond(t *testing.T) {
	f := newFixture(retrievable)
	a := answerWithCredentials(201)
	a.Binding.ExpiresAt = f.in.Now.Add(100 * time.Second)
	f.after(a)
	in := f.inputs()
	f.in.Now = in.renewal(&f.b.Status)
	requests := 0
	for next := f.step(); next.Request != nil && requests < 10; next = f.step() {
		requests++
		f.after(answerWithoutCredentials(osbresult.Done, 200)) // it had a binding under that id already
		f.in.Now = f.in.Now.Add(5 * time.Millisecond)
	}
	if requests > 3 {
		t.Errorf("%d requests within %d ms", requests, requests*5)
	}
}
