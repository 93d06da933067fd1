// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// atFirst has the broker at its first address, and moved at another one.
func atFirst(f *fixture) { f.in.Address = rulestest.Addresses(false) }
func moved(f *fixture)   { f.in.Address = rulestest.Addresses(true) }

// F-JS9: a 410 of another address than the recorded one ends nothing, whatever that address answers beside, until the move is confirmed or
// the address is set again.
func TestF_JS9_GoneAtAnotherAddress(t *testing.T) {
	confirm := func(f *fixture) { f.in.Address.Confirmed = []string{rulestest.FirstAddress} }
	for name, test := range map[string]struct {
		is    []func(*fixture)
		mends func(*fixture)
		ended string
	}{
		"a deletion, and a confirmed move":   {edits(atFirst, ready, deleted, definitionExists), confirm, "release DeprovisionedSuccessfully"},
		"a deletion, and the former address": {edits(atFirst, ready, deleted, definitionExists), atFirst, "release DeprovisionedSuccessfully"},
		"an orphan mitigation":               {edits(atFirst, unknownTimes(4)), confirm, "wait"},
		"a poll":                             {edits(atFirst, ready, deleted, definitionExists, func(f *fixture) { f.answer(answerOf(osbresult.Accepted, 202)) }), confirm, "release DeprovisionedSuccessfully"},
		"an instance without an address":     {edits(ready, deleted, definitionExists), confirm, "release DeprovisionedSuccessfully"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(append(test.is, moved)...)
			f.answer(answerOf(osbresult.Gone, 410))
			f.succeed()
			next := Decide(f.si, f.inputs())
			stalled := rules.FindCondition(next.Status.Conditions, v1beta1.ConditionStalled)
			if next.Request != nil || next.Release != nil || next.CheckAvailability || stalled.Reason != v1beta1.ReasonBrokerMoved || !strings.Contains(stalled.Message, v1beta1.MovedFromAnnotation) {
				t.Fatalf("%s, %+v", next.describe(), stalled)
			}
			test.mends(f)
			if got := Decide(f.si, f.inputs()).describe(); got != "deprovision id small-id" {
				t.Fatalf("once it is mended: %s", got)
			}
			f.answer(answerOf(osbresult.Gone, 410))
			if got := Decide(f.si, f.inputs()).describe(); got != test.ended {
				t.Errorf("at the end: %s, want %s", got, test.ended)
			}
		})
	}
}

// F-JS9: the address is recorded with the next write, and never for its own sake; before the first request to another address, it is
// written ahead.
func TestF_JS9_RecordOfTheAddress(t *testing.T) {
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string // the address
		says string
	}{
		"a new instance":                    {edits(moved), rulestest.OtherAddress, "write-ahead provision id small-id"},
		"at rest, without one":              {edits(ready, atFirst), "", "nothing: Ready"},
		"at rest, the broker has moved":     {edits(ready, moved), "", "nothing: Ready"},
		"an update, without one":            {edits(ready, atFirst, otherParameters), rulestest.FirstAddress, "write-ahead update id small-id +parameters"},
		"a deletion, without one":           {edits(ready, atFirst, deleted, definitionExists), rulestest.FirstAddress, "deprovision id small-id"},
		"a deletion, the broker has moved":  {edits(ready, moved, deleted, definitionExists), rulestest.FirstAddress, "write-ahead deprovision id small-id"},
		"a deletion, it is on record":       {edits(atFirst, ready, moved, deleted, definitionExists), rulestest.FirstAddress, "deprovision id small-id"},
		"a deletion, the move is confirmed": {edits(atFirst, ready, moved, confirmed, deleted, definitionExists), rulestest.OtherAddress, "deprovision id small-id"},
		"a deletion, the key is not known":  {edits(atFirst, ready, unknownAddress, deleted, definitionExists), rulestest.FirstAddress, "deprovision id small-id"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			next := Decide(f.si, f.inputs())
			if got := next.Status.BrokerAddress; got != test.want || next.describe() != test.says {
				t.Errorf("%s, at %q; want %s, at %q", next.describe(), got, test.says, test.want)
			}
		})
	}
}

func confirmed(f *fixture) { f.in.Address.Confirmed = []string{rulestest.FirstAddress} }

// unknownAddress has the key of the digests missing.
func unknownAddress(f *fixture) { f.in.Address = operation.AddressInputs{Unknown: true} }

// F-JS9: a broker that changes the resource at another address has it there.
func TestF_JS9_UpdateAtAnotherAddress(t *testing.T) {
	f := newFixture(atFirst, ready, moved, otherParameters)
	f.answer(answerOf(osbresult.Done, 200))
	if got := f.si.Status.BrokerAddress; got != rulestest.OtherAddress {
		t.Errorf("it is recorded at %q", got)
	}
}

// F-JS9: while the key of the digests cannot be read, a second 410 ends nothing.
func TestF_JS9_UnknownAddress(t *testing.T) {
	f := newFixture(atFirst, ready, deleted, definitionExists, unknownAddress)
	f.answer(answerOf(osbresult.Gone, 410))
	f.succeed()
	if got := Decide(f.si, f.inputs()).describe(); got != "wait" {
		t.Error(got)
	}
}

// F-JS9: another key makes other digests. Those that the broker's status has are compared by their addresses.
func TestF_JS9_AddressUnderAnotherKey(t *testing.T) {
	f := newFixture(atFirst, ready, deleted, definitionExists)
	f.in.Address = operation.AddressInputs{Current: "v1.new.other", Others: []string{rulestest.FirstAddress}}
	f.answer(answerOf(osbresult.Gone, 410))
	if got := Decide(f.si, f.inputs()).Status.LastConditionState; got != v1beta1.ReasonBrokerMoved {
		t.Error(got)
	}
}
