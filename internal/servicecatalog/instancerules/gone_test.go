// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// answer has the broker answer the next request.
func (f *fixture) answer(a Answer) { f.after(Decide(f.si, f.inputs()).Request, a) }

// restart is another process, which has the status only.
func (f *fixture) restart() {
	f.gone = rulestest.Gone{}
	f.in.Gone = f.gone.Inputs(f.si.Status.Common())
}

// succeed has the broker answer another request with success.
func (f *fixture) succeed() {
	f.gone.Succeed()
	f.in.Gone = f.gone.Inputs(f.si.Status.Common())
}

// F-JS14: a gateway that is out of service answers 410 to everything. A deletion and a clean-up end with a second 410, to a request that was
// sent after the broker had answered another one with success.
func TestF_JS14_GoneIsConfirmed(t *testing.T) {
	gone := answerOf(osbresult.Gone, 410)
	accepted := answerOf(osbresult.Accepted, 202)
	for name, test := range map[string]struct {
		is    []func(*fixture)
		sent  string // after the success
		ended string
	}{
		"a deletion":                       {edits(ready, deleted, definitionExists), "deprovision id small-id", "release DeprovisionedSuccessfully"},
		"an orphan mitigation":             {edits(unknownTimes(4)), "deprovision id small-id", "wait"},
		"the poll of a deletion":           {edits(ready, deleted, definitionExists, func(f *fixture) { f.answer(accepted) }), "deprovision id small-id", "release DeprovisionedSuccessfully"},
		"the poll of an orphan mitigation": {edits(unknownTimes(4), func(f *fixture) { f.answer(accepted) }), "deprovision id small-id", "wait"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			expect := func(step, want string) {
				t.Helper()
				if got := Decide(f.si, f.inputs()).describe(); got != want {
					t.Fatalf("%s: %s, want %s", step, got, want)
				}
			}
			f.succeed()
			f.answer(gone)
			expect("after the first 410", "wait")
			next := Decide(f.si, f.inputs())
			ready := rules.FindCondition(next.Status.Conditions, v1beta1.ConditionReady)
			if !next.CheckAvailability || ready.Reason != v1beta1.ReasonGoneUnconfirmed || !strings.Contains(ready.Message, `ClusterServiceBroker "broker"`) {
				t.Fatalf("the catalog is requested: %t; %+v", next.CheckAvailability, ready)
			}
			rulestest.WantState(t, "at first", next.Status.Conditions, "Reconciling")
			f.in.Now = f.in.Now.Add(10 * time.Minute)
			rulestest.WantState(t, "later", Decide(f.si, f.inputs()).Status.Conditions, "Stalled")

			f.restart()
			expect("after a restart", "wait")
			f.succeed()
			expect("after a success", test.sent)
			f.restart()
			expect("after a success that another process has seen", "wait")
			f.succeed()
			f.answer(answerOf(osbresult.Unknown, 500))
			f.in.Now = f.in.Now.Add(time.Hour)
			expect("after an error", test.sent)
			f.answer(gone)
			expect("after the second 410", test.ended)
			if f.si.Status.Gone != nil {
				t.Errorf("the status still has %+v", f.si.Status.Gone)
			}
		})
	}
}

// F-JS14: where the broker accepts the request that follows the first 410, it has answered with success, and a 410 to the poll ends the deletion.
func TestF_JS14_GoneAfterAnAcceptedRemoval(t *testing.T) {
	f := newFixture(ready, deleted, definitionExists)
	f.answer(answerOf(osbresult.Gone, 410))
	f.succeed()
	f.answer(answerOf(osbresult.Accepted, 202))
	f.in.Now = f.in.Now.Add(time.Minute)
	f.answer(answerOf(osbresult.Gone, 410))
	if got := Decide(f.si, f.inputs()).describe(); got != "release DeprovisionedSuccessfully" {
		t.Error(got)
	}
}

// F-JS14: a first 410 about an id is dropped when the id is used again.
func TestF_JS14_GoneIsForgottenWithTheNextUse(t *testing.T) {
	f := newFixture(ready)
	f.si.Status.Gone = []v1beta1.GoneResource{{ID: "id", Time: *times.Timestamp(f.in.Now)}, {ID: "other", Time: *times.Timestamp(f.in.Now)}}
	otherParameters(f)
	f.answer(answerOf(osbresult.Done, 200))
	if got := f.si.Status.Gone; len(got) != 1 || got[0].ID != "other" {
		t.Errorf("the status has %+v", got)
	}
}
