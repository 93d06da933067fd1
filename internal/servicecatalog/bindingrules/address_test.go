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
		"recorded":         bfs(atFirst, bound1, deleted1, lives1, ejected, moved),
		"without a record": bfs(bound1, deleted1, lives1, ejected, moved),
		"a predecessor":    bfs(atFirst, bound1, rebound, func(f *fixture) { f.after(with(201)) }, moved, in(48*3600e9)),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(is...)
			f.after(saidOf(osbresult.Gone, 410))
			f.succeed()
			next := f.step()
			if next.Request != nil || next.Release != nil || next.CheckAvailability {
				t.Fatal(next.say())
			}
			if stalled := rules.FindCondition(next.Status.Conditions, v1beta1.ConditionStalled); f.b.DeletionTimestamp != nil && stalled.Reason != v1beta1.ReasonBrokerMoved {
				t.Errorf("%+v", stalled)
			}
			f.in.Address.Confirmed = []string{rulestest.FirstAddress}
			if got := f.step().say(); got != "unbind id" {
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
		"a new binding":           {bfs(moved), rulestest.OtherAddress, "journal bind id"},
		"at rest":                 {bfs(bound1, atFirst), "", "nothing: Ready"},
		"a successor":             {bfs(atFirst, bound1, moved, rebound), rulestest.FirstAddress, "journal bind " + next1},
		"a deletion":              {bfs(bound1, atFirst, deleted1, lives1, ejected), rulestest.FirstAddress, "unbind id"},
		"a deletion after a move": {bfs(bound1, moved, deleted1, lives1, ejected), rulestest.FirstAddress, "journal unbind id"},
	} {
		t.Run(name, func(t *testing.T) {
			next := newFixture(test.is...).step()
			if got := next.Status.BrokerAddress; got != test.want || next.say() != test.says {
				t.Errorf("%s, at %q; want %s, at %q", next.say(), got, test.says, test.want)
			}
		})
	}
}
