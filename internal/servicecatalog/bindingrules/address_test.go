// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"testing"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

func atFirst(f *fixture) { f.in.Address = rulestest.Addresses(false) }
func moved(f *fixture)   { f.in.Address = rulestest.Addresses(true) }

// F-JS9: a 410 of another address than the recorded one ends no removal, until the move is confirmed.
func TestF_JS9_GoneAtAnotherAddress(t *testing.T) {
	for name, is := range map[string][]func(*fixture){
		"recorded":         edits(atFirst, bound, deleted, definitionExists, secretDeleted, moved),
		"without a record": edits(bound, deleted, definitionExists, secretDeleted, moved),
		"a predecessor":    edits(atFirst, bound, rebound, func(f *fixture) { f.after(answerWithCredentials(201)) }, moved, later(48*3600e9)),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(is...)
			f.after(answerOf(osbresult.Gone, 410))
			f.succeed()
			next := f.step()
			if next.Request != nil || next.Release != nil || next.CheckAvailability {
				t.Fatal(next.describe())
			}
			if stalled := rules.FindCondition(next.Status.Conditions, v1beta1.ConditionStalled); f.b.DeletionTimestamp != nil && stalled.Reason != v1beta1.ReasonBrokerMoved {
				t.Errorf("%+v", stalled)
			}
			f.in.Address.Confirmed = []string{rulestest.FirstAddress}
			if got := f.step().describe(); got != "unbind id" {
				t.Errorf("once the move is confirmed: %s", got)
			}
		})
	}
}

// F-JS9: the address is recorded with the next write, and never for its own sake. That of a successor stays that of its predecessor.
func TestF_JS9_RecordOfTheAddress(t *testing.T) {
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
		says string
	}{
		"a new binding":           {edits(moved), rulestest.OtherAddress, "write-ahead bind id"},
		"at rest":                 {edits(bound, atFirst), "", "nothing: Ready"},
		"a successor":             {edits(atFirst, bound, moved, rebound), rulestest.FirstAddress, "write-ahead bind " + next1},
		"a deletion":              {edits(bound, atFirst, deleted, definitionExists, secretDeleted), rulestest.FirstAddress, "unbind id"},
		"a deletion after a move": {edits(bound, moved, deleted, definitionExists, secretDeleted), rulestest.FirstAddress, "write-ahead unbind id"},
	} {
		t.Run(name, func(t *testing.T) {
			next := newFixture(test.is...).step()
			if got := next.Status.BrokerAddress; got != test.want || next.describe() != test.says {
				t.Errorf("%s, at %q; want %s, at %q", next.describe(), got, test.says, test.want)
			}
		})
	}
}
