// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

func claimedBy(all ...rules.Claimant) func(*fixture) {
	return func(f *fixture) { f.in.Claimants = all }
}

// removalAccepted: what a failed request may have left is being removed, and the broker works on that.
func removalAccepted(f *fixture) {
	s := &f.b.Status
	s.CurrentOperation, s.UnbindStatus, s.CreatedForUID = v1beta1.OperationBind, v1beta1.UnbindRequired, f.b.UID
	bindingphase.Phase{Task: bindingphase.Mitigating, Accepted: true}.Encode(s)
}

// TestClaimsOnABinding: the same for bindings.
func TestClaimsOnABinding(t *testing.T) {
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"F-S4 an owner is deleted, claimed later": {edits(bound, claimedBy(rulestest.LaterOne), secretGone, deleted, definitionExists), "unbind id"},
		"F-S4 claimed before it existed":          {edits(suppliedID, bound, claimedBy(rulestest.EarlierOne), secretGone, deleted, definitionExists), "release Retained"},
		"F-S4 a later claimant":                   {edits(suppliedID, claimedBy(rulestest.Owner)), "nothing: ExternalIDInUse"},
		"F-S4 the same, once the owner is gone":   {edits(suppliedID, claimedBy(rulestest.Owner), decided, claimedBy()), "write-ahead bind id"},
		"F-S4 and the broker creates one":         {edits(suppliedID, claimedBy(rulestest.Owner), decided, claimedBy(), func(f *fixture) { f.after(answerWithCredentials(201)) }), "nothing: Ready"},
		"F-S4 and it was left there":              {edits(suppliedID, claimedBy(rulestest.Owner), decided, claimedBy(), func(f *fixture) { f.after(answerWithCredentials(200)) }), "nothing: Failed"},
		"a claimant during an accepted removal":   {edits(suppliedID, removalAccepted, claimedBy(rulestest.EarlierOne), decided), "nothing: Failed"},
		"F-JS5 a refused claimant is deleted":     {edits(suppliedID, claimedBy(rulestest.Owner), decided, deleted, definitionExists), "release Retained"},
		"F-JS5 one that nothing was sent for":     {edits(deleted, definitionExists), "release UnboundSuccessfully"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			if got := f.step().describe(); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			if f.in.Secret == SecretInSync && test.want == "nothing: Failed" {
				t.Error("the credentials of another object are in its Secret")
			}
		})
	}
}

// F-S47: 200 does not say whose request has created a binding where an earlier one has no answer on record.
func TestOwnershipAfterALostAnswer(t *testing.T) {
	const held = "nothing: OwnershipUnknown"
	lost := func(f *fixture) { f.after(answerOf(osbresult.Unknown, 500)); f.in.Now = f.in.Now.Add(time.Hour) }
	found, made := func(f *fixture) { f.after(answerWithCredentials(200)) }, func(f *fixture) { f.after(answerWithCredentials(201)) }
	gone := []func(*fixture){secretGone, deleted, definitionExists}
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"200":                     {edits(suppliedID, found), "release Retained"},
		"201":                     {edits(suppliedID, made), "unbind id"},
		"200 after a lost one":    {edits(suppliedID, lost, found), held},
		"200 after a restart":     {edits(suppliedID, restarted, found), held},
		"201 after a lost one":    {edits(suppliedID, lost, made), "unbind id"},
		"a lost one":              {edits(suppliedID, lost), held},
		"200, and a repeated one": {edits(suppliedID, found, secretGone, found), "release Retained"},
	} {
		f := newFixture(append(test.is, gone...)...)
		if got := f.step().describe(); got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

// F-S50: what stays at the broker is said when the object is deleted, and why.
func TestForeignPredecessorsAreSaidToStay(t *testing.T) {
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"found there":         {edits(suppliedID, func(f *fixture) { f.after(answerWithCredentials(200)) }), "which this object did not create"},
		"after a lost answer": {edits(suppliedID, restarted, func(f *fixture) { f.after(answerWithCredentials(200)) }), "has not confirmed whether this object created it"},
	} {
		f := newFixture(append(test.is, rebound, func(f *fixture) { f.after(answerWithCredentials(201)) }, deleted, definitionExists, secretGone)...)
		next := f.step()
		if next.Retained == nil || next.RetainedID != "id" || !strings.Contains(next.Retained.Message, test.want) {
			t.Fatalf("%s: %s, %+v", name, next.describe(), next.Retained)
		}
		f.b.Status = next.Status
		if got := f.step().describe(); got != "unbind "+next1 {
			t.Errorf("%s: then %s", name, got)
		}
	}
}
