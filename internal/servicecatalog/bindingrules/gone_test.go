// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// restart is another process, which has the status only.
func (f *fixture) restart() {
	f.gone = rulestest.Gone{}
	f.in.Gone = f.gone.Inputs(f.b.Status.Common())
}

// succeed has the broker answer another request with success.
func (f *fixture) succeed() {
	f.gone.Succeed()
	f.in.Gone = f.gone.Inputs(f.b.Status.Common())
}

// F-JS14: a gateway that is out of service answers 410 to everything. The removal of a binding, of what a failed request may have left, and
// of a predecessor ends with a second 410, to a request that was sent after the broker had answered another one with success.
func TestF_JS14_GoneIsConfirmed(t *testing.T) {
	gone := answerOf(osbresult.Gone, 410)
	accept := func(f *fixture) { f.after(answerOf(osbresult.Accepted, 202)) }
	failed := func(f *fixture) {
		for range 4 {
			f.after(answerOf(osbresult.Unknown, 500))
			f.in.Now = f.in.Now.Add(time.Hour)
		}
	}
	retired := edits(bound, rebound, func(f *fixture) { f.after(answerWithCredentials(201)) }, later(48*time.Hour))
	for name, test := range map[string]struct {
		is    []func(*fixture)
		ready bool // the credentials of the binding can be used meanwhile
		sent  string
		ended string
	}{
		"a deletion":                       {edits(bound, deleted, definitionExists, secretDeleted), false, "unbind id", "release UnboundSuccessfully"},
		"the poll of a deletion":           {edits(bound, deleted, definitionExists, secretDeleted, accept), false, "unbind id", "release UnboundSuccessfully"},
		"an orphan mitigation":             {edits(failed), false, "unbind id", "write-ahead bind " + next1},
		"the poll of an orphan mitigation": {edits(failed, accept), false, "unbind id", "write-ahead bind " + next1},
		"a predecessor":                    {retired, true, "unbind id", "nothing: Ready"},
		"the poll of a predecessor":        {append(retired, accept), true, "unbind id", "nothing: Ready"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			expect := func(step, want string) {
				t.Helper()
				if got := f.step().describe(); got != want {
					t.Fatalf("%s: %s, want %s", step, got, want)
				}
			}
			f.succeed()
			f.after(gone)
			expect("after the first 410", "wait")
			next := f.step()
			ready := rules.FindCondition(next.Status.Conditions, v1beta1.ConditionReady)
			if !next.CheckAvailability || rules.IsTrue(ready) != test.ready || !strings.Contains(ready.Message, "answered 410 Gone") {
				t.Fatalf("the catalog is requested: %t; %+v", next.CheckAvailability, ready)
			}
			f.in.Now = f.in.Now.Add(10 * time.Minute)
			f.restart()
			expect("after a restart", "wait")
			f.succeed()
			expect("after a success", test.sent)
			f.after(answerOf(osbresult.Unknown, 500))
			f.in.Now = f.in.Now.Add(time.Hour)
			expect("after an error", test.sent)
			f.after(gone)
			expect("after the second 410", test.ended)
			if f.b.Status.Gone != nil {
				t.Errorf("the status still has %+v", f.b.Status.Gone)
			}
		})
	}
}
