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

func claimedBy1(all ...rules.Claimant) func(*fixture) {
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
	recorded := func(f *fixture) { f.b.Status = f.step().Status }
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"F-S4 an owner is deleted, claimed later": {bfs(bound1, claimedBy1(rulestest.LaterOne), secretGone, deleted1, lives1), "unbind id"},
		"F-S4 claimed before it existed":          {bfs(brought1, bound1, claimedBy1(rulestest.EarlierOne), secretGone, deleted1, lives1), "release Retained"},
		"F-S4 a later claimant":                   {bfs(brought1, claimedBy1(rulestest.Owner)), "nothing: ExternalIDInUse"},
		"F-S4 the same, once the owner is gone":   {bfs(brought1, claimedBy1(rulestest.Owner), recorded, claimedBy1()), "journal bind id"},
		"F-S4 and the broker creates one":         {bfs(brought1, claimedBy1(rulestest.Owner), recorded, claimedBy1(), func(f *fixture) { f.after(with(201)) }), "nothing: Ready"},
		"F-S4 and it was left there":              {bfs(brought1, claimedBy1(rulestest.Owner), recorded, claimedBy1(), func(f *fixture) { f.after(with(200)) }), "nothing: Failed"},
		"a claimant during an accepted removal":   {bfs(brought1, removalAccepted, claimedBy1(rulestest.EarlierOne), recorded), "nothing: Failed"},
		"F-JS5 a refused claimant is deleted":     {bfs(brought1, claimedBy1(rulestest.Owner), recorded, deleted1, lives1), "release Retained"},
		"F-JS5 one that nothing was sent for":     {bfs(deleted1, lives1), "release UnboundSuccessfully"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			if got := f.step().say(); got != test.want {
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
	lost := func(f *fixture) { f.after(saidOf(osbresult.Unknown, 500)); f.in.Now = f.in.Now.Add(time.Hour) }
	found, made := func(f *fixture) { f.after(with(200)) }, func(f *fixture) { f.after(with(201)) }
	gone := []func(*fixture){secretGone, deleted1, lives1}
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"200":                     {bfs(brought1, found), "release Retained"},
		"201":                     {bfs(brought1, made), "unbind id"},
		"200 after a lost one":    {bfs(brought1, lost, found), held},
		"200 after a restart":     {bfs(brought1, restarted1, found), held},
		"201 after a lost one":    {bfs(brought1, lost, made), "unbind id"},
		"a lost one":              {bfs(brought1, lost), held},
		"200, and a repeated one": {bfs(brought1, found, secretGone, found), "release Retained"},
	} {
		f := newFixture(append(test.is, gone...)...)
		if got := f.step().say(); got != test.want {
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
		"found there":         {bfs(brought1, func(f *fixture) { f.after(with(200)) }), "which this object did not create"},
		"after a lost answer": {bfs(brought1, restarted1, func(f *fixture) { f.after(with(200)) }), "has not confirmed whether this object created it"},
	} {
		f := newFixture(append(test.is, rebound, func(f *fixture) { f.after(with(201)) }, deleted1, lives1, secretGone)...)
		next := f.step()
		if next.Retained == nil || next.RetainedID != "id" || !strings.Contains(next.Retained.Message, test.want) {
			t.Fatalf("%s: %s, %+v", name, next.say(), next.Retained)
		}
		f.b.Status = next.Status
		if got := f.step().say(); got != "unbind "+next1 {
			t.Errorf("%s: then %s", name, got)
		}
	}
}
