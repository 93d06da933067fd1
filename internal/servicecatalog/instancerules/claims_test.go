// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

func claimedBy(all ...rules.Claimant) func(*fixture) {
	return func(f *fixture) { f.in.Claimants = all }
}

// TestClaimsOnAnInstance: a later claim neither keeps the owner from its removal nor inherits (R10).
func TestClaimsOnAnInstance(t *testing.T) {
	const madeNothing, left = "the broker has created nothing for this object", "is retained for it"
	for name, test := range map[string]struct {
		is         []func(*fixture)
		want, says string
	}{
		"F-S4 an owner is deleted, claimed later":              {edits(ready, claimedBy(rulestest.LaterOne), deleted, definitionExists), "deprovision id small-id", ""},
		"F-S4 the same of a supplied id":                       {edits(suppliedID, created, claimedBy(rulestest.LaterOne), deleted, definitionExists), "deprovision id small-id", ""},
		"F-S4 claimed before it existed":                       {edits(suppliedID, created, claimedBy(rulestest.EarlierOne), deleted, definitionExists), "release Retained", left},
		"F-S4 claimed before by one that is being deleted":     {edits(suppliedID, created, claimedBy(rulestest.LeavingOne), deleted, definitionExists), "deprovision id small-id", ""},
		"F-S4 another owner":                                   {edits(suppliedID, created, claimedBy(rulestest.Owner), deleted, definitionExists), "release Retained", left},
		"F-S4 an owner goes on, claimed later":                 {edits(claimedBy(rulestest.LaterOne)), "write-ahead provision id small-id", ""},
		"F-S4 an owner is mitigated, claimed later":            {edits(unknownTimes(4), claimedBy(rulestest.LaterOne)), "write-ahead deprovision id small-id", ""},
		"F-S4 a later claimant":                                {edits(suppliedID, claimedBy(rulestest.Owner)), "nothing: ExternalIDInUse", `"other" owns it`},
		"F-S4 a claimant whose owner is being deleted":         {edits(suppliedID, claimedBy(rulestest.LeavingOwner)), "nothing: ExternalIDInUse", `"other" owns it`},
		"F-S4 the same, once that is gone":                     {edits(suppliedID, claimedBy(rulestest.Owner), decided, claimedBy()), "write-ahead provision id small-id", ""},
		"F-S4 and the broker creates one":                      {edits(suppliedID, claimedBy(rulestest.Owner), decided, claimedBy(), created), "nothing: Ready", ""},
		"F-S4 and it was left there":                           {edits(suppliedID, claimedBy(rulestest.Owner), decided, claimedBy(), used), "nothing: Failed", "a resource of another object"},
		"F-S4 and this object is deleted then":                 {edits(suppliedID, claimedBy(rulestest.Owner), decided, claimedBy(), used, deleted, definitionExists), "release Retained", madeNothing},
		"F-JS5 a claimant of something older":                  {edits(suppliedID, claimedBy(rulestest.EarlierOne)), "nothing: ExternalIDInUse", "has claimed the id before"},
		"F-JS5 a claimant of the same age that came first":     {edits(suppliedID, claimedBy(rulestest.FirstOne)), "nothing: ExternalIDInUse", "has claimed the id before"},
		"F-JS5 a claimant of the same age that came second":    {edits(suppliedID, claimedBy(rulestest.LaterOne)), "write-ahead provision id small-id", ""},
		"F-JS5 a refused claimant is deleted":                  {edits(suppliedID, claimedBy(rulestest.Owner), decided, deleted, definitionExists), "release Retained", madeNothing},
		"F-JS5 the same after the owner":                       {edits(suppliedID, claimedBy(rulestest.Owner), decided, restarted, claimedBy(), deleted, definitionExists), "release Retained", madeNothing},
		"F-JS5 one that nothing was sent for is deleted":       {edits(deleted, definitionExists), "release DeprovisionedSuccessfully", madeNothing},
		"F-JS5 one of the same age, and the other was created": {edits(suppliedID, created, claimedBy(rulestest.LaterOne), deleted, definitionExists), "deprovision id small-id", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			next := Decide(f.si, f.inputs())
			if got := next.describe(); got != test.want {
				t.Fatalf("%s, want %s", got, test.want)
			}
			text := fmt.Sprint(next.Status.Conditions, next.Release)
			if !strings.Contains(text, test.says) {
				t.Errorf("it says %s, want %q", text, test.says)
			}
		})
	}
	f := newFixture(suppliedID, claimedBy(rulestest.LeavingOwner), decided)
	if rules.IsTrue(rules.FindCondition(f.si.Status.Conditions, v1beta1.ConditionStalled)) {
		t.Error("F-S4: it is Stalled, and goes on by itself")
	}
}

// TestOwnershipAfterAnAcceptedRequest: 202 does not tell whose request has created an instance.
//
// F-S25: the deletion of an instance with a supplied id waits for its deletion policy.
// F-S27: an operation under a supplied id is polled to its end, also while the object is being deleted.
func TestOwnershipAfterAnAcceptedRequest(t *testing.T) {
	succeeded := func(f *fixture) { f.after(Decide(f.si, f.inputs()).Request, pollAnswer(osbresult.Succeeded)) }
	failed := func(f *fixture) { f.after(Decide(f.si, f.inputs()).Request, pollAnswer(osbresult.Failed)) }
	lost := func(f *fixture) { f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Unknown, 500)) }
	unpolled := func(f *fixture) { f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Retry, 500)) }
	anHourLater := later(time.Hour)
	const held = "nothing: OwnershipUnknown"
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"a supplied id, ready":                  {edits(suppliedID, provisioning, succeeded, deleted, definitionExists), held},
		"the same, to be removed":               {edits(suppliedIDToDelete, provisioning, succeeded, deleted, definitionExists), "deprovision id small-id"},
		"the same, to be kept":                  {edits(suppliedID, provisioning, succeeded, deleted, func(f *fixture) { f.si.Annotations = map[string]string{} }, toBeKept), "release Retained"},
		"deleted while it is provisioned":       {edits(suppliedID, provisioning, deleted, definitionExists), "poll id small-id"},
		"the same, and no answer":               {edits(suppliedID, provisioning, deleted, definitionExists, unpolled, anHourLater), "poll id small-id"},
		"the same, and it has succeeded":        {edits(suppliedID, provisioning, deleted, definitionExists, succeeded), held},
		"the same, and it has failed":           {edits(suppliedID, provisioning, deleted, definitionExists, failed), held},
		"deleted, and it is to be removed":      {edits(suppliedIDToDelete, provisioning, deleted, definitionExists), "deprovision id small-id"},
		"201 under a supplied id":               {edits(suppliedID, created, deleted, definitionExists), "deprovision id small-id"},
		"200 under a supplied id":               {edits(suppliedID, used, deleted, definitionExists), "release Retained"},
		"200 after an answer that was lost":     {edits(suppliedID, lost, anHourLater, used, deleted, definitionExists), held}, // F-S47
		"200 after a restart":                   {edits(suppliedID, restarted, used, deleted, definitionExists), held},
		"201 after an answer that was lost":     {edits(suppliedID, lost, anHourLater, created, deleted, definitionExists), "deprovision id small-id"},
		"deleted after an answer that was lost": {edits(suppliedID, lost, deleted, definitionExists), held},
		"the same, to be removed ":              {edits(suppliedIDToDelete, lost, deleted, definitionExists), "deprovision id small-id"},
		"an id that was made":                   {edits(provisioning, succeeded, deleted, definitionExists), "deprovision id small-id"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			next := Decide(f.si, f.inputs())
			if got := next.describe(); got != test.want {
				t.Fatalf("%s, want %s", got, test.want)
			}
			ready := rules.FindCondition(next.Status.Conditions, v1beta1.ConditionReady)
			if test.want == held && (!strings.Contains(ready.Message, "deletion-policy=Delete") || !strings.Contains(ready.Message, "deletion-policy=Retain")) {
				t.Errorf("it does not say both ways out: %s", ready.Message)
			}
		})
	}
}

// TestConflictIsNotRemoved: the broker has another instance under an id that was made.
//
// F-S24: it is removed only as what a request on record, whose outcome is unknown, has left; all else is held.
func TestConflictIsNotRemoved(t *testing.T) {
	finds := func(plan string) func(*fixture) {
		return func(f *fixture) {
			found := answerOf(osbresult.Done, 200)
			found.Instance = &osbresult.Instance{PlanID: plan}
			f.after(Decide(f.si, f.inputs()).Request, found)
		}
	}
	polled := func(state osbresult.State) func(*fixture) {
		return func(f *fixture) { f.after(Decide(f.si, f.inputs()).Request, pollAnswer(state)) }
	}
	conflict := func(f *fixture) { conflicting(f); later(time.Hour)(f) }
	const looksAgain, held = "inspect id small-id", "nothing: Conflict"
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string // an hour later
	}{
		"blank, another plan":                  {edits(retrievable, conflict, finds("large-id")), looksAgain},
		"the same, and that plan is asked for": {edits(retrievable, conflict, finds("large-id"), otherPlan), "inspect id large-id"},
		"the same, and it is found":            {edits(retrievable, conflict, finds("large-id"), otherPlan, finds("large-id")), "write-ahead update id large-id +plan +parameters"},
		"the same, deleted":                    {edits(retrievable, conflict, finds("large-id"), deleted, definitionExists), held},
		"the same, to be removed":              {edits(retrievable, conflict, finds("large-id"), deleted, definitionExists, toBeDeleted), "deprovision id large-id"},
		"blank, not retrievable":               {edits(conflict), "provision id small-id"},
		"the same, refused later":              {edits(conflict, refusedOnce), "nothing: Failed"},
		"the same, edited":                     {edits(conflict, otherPlan), "write-ahead provision id large-id"},
		"the same, again and again":            {edits(conflict, conflict, unknownTimes(9), conflict), "provision id small-id"},
		"on record, another plan":              {edits(retrievable, restarted, conflict, finds("large-id")), looksAgain},
		"on record, not retrievable":           {edits(restarted, conflict, polled(osbresult.Succeeded)), "provision id small-id"},
		"on record, and it has failed":         {edits(restarted, conflict, polled(osbresult.Failed)), "deprovision id small-id"},
		"an update has failed, restored":       {edits(provisioning, restored, polled(osbresult.Failed)), "provision id small-id"},
		"the same, retrievable":                {edits(retrievable, provisioning, restored, polled(osbresult.Failed)), looksAgain},
		"the provisioning has failed":          {edits(provisioning, polled(osbresult.Failed)), "deprovision id small-id"},
		"edited while a request has no answer": {edits(retrievable, restarted, otherPlan), "write-ahead deprovision id small-id"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			later(time.Hour)(f)
			next := Decide(f.si, f.inputs())
			if got := next.describe(); got != test.want {
				t.Fatalf("%s, want %s", got, test.want)
			}
			if ready := rules.FindCondition(f.si.Status.Conditions, v1beta1.ConditionReady); test.want == "nothing: Failed" && !strings.Contains(ready.Message, "deletion-policy=Retain") {
				t.Errorf("it does not say that something is held: %s", ready.Message)
			}
			if message := rules.FindCondition(f.si.Status.Conditions, v1beta1.ConditionReady).Message; test.want == held && !strings.Contains(message, "large-id") {
				t.Errorf("it does not say what the broker has: %s", message)
			}
		})
	}
	f := newFixture(retrievable, conflict, finds("large-id"))
	rulestest.WantState(t, "held", f.si.Status.Conditions, "Stalled Failed")
}

// TestALostAnswerDoesNotInherit: the record of the owner survives the lost answer.
//
// F-S32: 200 after a lost answer is not this object's where another one owned the id when the request was made.
func TestALostAnswerDoesNotInherit(t *testing.T) {
	f := newFixture(suppliedID, claimedBy(rulestest.Owner), decided, claimedBy(), unanswered, later(time.Hour))
	f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Done, 200))
	if got := Decide(f.si, f.inputs()).describe(); got != "nothing: Failed" || f.si.Status.CreatedForUID != rulestest.Owner.UID {
		t.Errorf("F-S32: then %s, and it was created for %s", got, f.si.Status.CreatedForUID)
	}
	deleted(f)
	definitionExists(f)
	if got := Decide(f.si, f.inputs()).describe(); got != "release Retained" {
		t.Errorf("F-S32: deleted: %s", got)
	}
}
