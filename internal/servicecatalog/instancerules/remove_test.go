// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// TestAnUnknownOutcomeIsRepeatedThenRemoved is the ladder of orphan mitigation.
func TestAnUnknownOutcomeIsRepeatedThenRemoved(t *testing.T) {
	f := newFixture()
	var calls []string
	for range 12 {
		next := Decide(f.si, f.inputs())
		if next.Request == nil {
			f.in.Now = f.in.Now.Add(time.Hour)
			continue
		}
		calls = append(calls, string(next.Request.Operation))
		a := answerOf(osbresult.Unknown, 500)
		if next.Request.Operation == rules.Deprovision {
			a = answerOf(osbresult.Done, 200)
		}
		f.after(next.Request, a)
		f.in.Now = f.in.Now.Add(time.Hour)
	}
	want := "provision provision provision provision deprovision"
	if got := strings.Join(calls[:5], " "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if got, want := f.si.Status.ExternalID, catalog.NextID("uid", "id", 2); got != want {
		t.Errorf("the id became %s, want %s: a new one after each removal", got, want)
	}
}

// TestARemovalIsTriedAsIfNothingHadFailedBefore: it is another request.
func TestARemovalIsTriedAsIfNothingHadFailedBefore(t *testing.T) {
	refused := func(times int) func(*fixture) {
		return func(f *fixture) {
			for range times {
				f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Concurrency, 422))
				f.in.Now = f.in.Now.Add(time.Hour)
			}
		}
	}
	for name, is := range map[string][]func(*fixture){
		"deletion":              edits(restarted, refused(15), unknownTimes(1), deleted, definitionExists),
		"deletion of an update": edits(ready, otherPlan, refused(15), deleted, definitionExists),
		"cleanup":               edits(refused(15), unknownTimes(4)),
		"cleanup of a failure":  edits(restarted, refused(15), refusedOnce),
		"deletion in a cleanup": edits(unknownTimes(5), deleted, definitionExists),
	} {
		for _, class := range []osbresult.Class{osbresult.Unknown, osbresult.Concurrency} {
			t.Run(fmt.Sprint(name, " ", class), func(t *testing.T) {
				f := newFixture(is...)
				next := Decide(f.si, f.inputs())
				if next.Request == nil || next.Request.Operation != rules.Deprovision {
					t.Fatal(next.describe())
				}
				f.after(next.Request, answerOf(class, 500))
				if wait := f.si.Status.Attempts.NextTime.Sub(f.in.Now); wait > 2*time.Second {
					t.Errorf("it waits %s", wait)
				}
			})
		}
	}
}

// TestACleanupSaysThatItIsOne: to people who have deleted nothing.
func TestACleanupSaysThatItIsOne(t *testing.T) {
	const what = "What may have been left at the broker is being removed"
	busy := func(f *fixture) { f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Concurrency, 422)) }
	inProgress := func(f *fixture) {
		a := answerOf(osbresult.Done, 200)
		a.State = osbresult.InProgress
		f.after(Decide(f.si, f.inputs()).Request, a)
	}
	unsaid := func(f *fixture) { f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Malformed, 500)) }
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string // how Ready's message begins
	}{
		"failed":             {edits(unanswered), what + ": Deprovision call failed"},
		"busy":               {edits(busy), what + ": Deprovision call failed"},
		"accepted":           {edits(accepted), what + ": The instance is being deprovisioned"},
		"in progress":        {edits(accepted, inProgress), what + ": The instance is being deprovisioned"},
		"failed in progress": {edits(accepted, operationFailed), what + ": Deprovision call failed"},
		"not said":           {edits(accepted, unsaid), what + ": Polling the operation failed"},
		"unreachable":        {edits(unanswered, unreachable), "X"},
		"deleted":            {edits(deleted, definitionExists, unanswered), "Deprovision call failed"},
	} {
		for how, before := range map[string][]func(*fixture){"no answers": edits(unknownTimes(4)), "a failure": edits(provisioning, operationFailed)} {
			t.Run(name+" after "+how, func(t *testing.T) {
				f := newFixture(append(before, test.is...)...)
				if got := rules.FindCondition(f.si.Status.Conditions, v1beta1.ConditionReady).Message; !strings.HasPrefix(got, test.want) || strings.Count(got, what) > 1 {
					t.Errorf("Ready says: %s", got)
				}
				if is := rules.FindCondition(f.si.Status.Conditions, v1beta1.ConditionOrphanMitigation) != nil; is != f.si.DeletionTimestamp.IsZero() {
					t.Errorf("%v conditions", f.si.Status.Conditions)
				}
			})
		}
	}
}

// TestARemovalThatTakesTooLongIsAskedForAnew: and then it has as long again.
func TestARemovalThatTakesTooLongIsAskedForAnew(t *testing.T) {
	f := newFixture(ready, deleted, definitionExists)
	for range 3 {
		next := Decide(f.si, f.inputs())
		if next.Request == nil || next.Request.Operation != rules.Deprovision {
			t.Fatalf("it is not asked for: %s", next.describe())
		}
		f.after(next.Request, answerOf(osbresult.Accepted, 202))
		if got := Decide(f.si, f.inputs()).describe(); got != "poll id small-id (removal)" {
			t.Fatalf("after that: %s", got)
		}
		f.in.Now = f.in.Now.Add(catalog.MaximumPollingDuration)
	}
}

// TestWhatKeepsTheBrokerFromARemovalIsPolled: how it ends decides which plan there is to
// be removed.
func TestWhatKeepsTheBrokerFromARemovalIsPolled(t *testing.T) {
	f := newFixture(ready, otherPlan)
	large := f.in.Offering.Plan
	f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Accepted, 202))
	deleted(f)
	definitionExists(f)
	next := Decide(f.si, f.inputs())
	if got := next.describe(); got != "deprovision id small-id" {
		t.Fatal(got)
	}
	busy := answerOf(osbresult.Concurrency, 422)
	busy.RetryAfter = time.Minute
	f.after(next.Request, busy)
	next = Decide(f.si, f.inputs())
	if got := next.describe(); got != "poll id small-id" {
		t.Fatal("while it is refused:", got)
	}
	f.after(next.Request, Answer{Outcome: osbresult.Outcome{Class: osbresult.Done, Status: 200}, State: osbresult.InProgress})
	if got := Decide(f.si, f.inputs()).describe(); got != "wait" {
		t.Fatal("between two polls:", got)
	}
	later(time.Second)(f)
	f.after(Decide(f.si, f.inputs()).Request, Answer{Outcome: osbresult.Outcome{Class: osbresult.Done, Status: 200}, State: osbresult.Succeeded})
	if got := Decide(f.si, f.inputs()).describe(); got != "deprovision id "+large.Common().ExternalID {
		t.Error("at its end:", got)
	}
}

// TestWhatIsToBeKeptIsNotCleanedUp: neither after a failure, nor after answers that say
// nothing.
func TestWhatIsToBeKeptIsNotCleanedUp(t *testing.T) {
	f := newFixture(toBeKept, provisioning)
	f.after(Decide(f.si, f.inputs()).Request, Answer{Outcome: osbresult.Outcome{Class: osbresult.Done, Status: 200}, State: osbresult.Failed})
	if got := Decide(f.si, f.inputs()).describe(); got != "wait" || f.si.Status.DeprovisionStatus != v1beta1.DeprovisionRequired {
		t.Errorf("%s, and deprovisioning is %s", got, f.si.Status.DeprovisionStatus)
	}
	f = newFixture(toBeKept)
	for range 25 {
		next := Decide(f.si, f.inputs())
		if next.Request == nil || next.Request.Operation != rules.Provision {
			t.Fatal(next.describe())
		}
		f.after(next.Request, answerOf(osbresult.Unknown, 500))
		f.in.Now = f.in.Now.Add(time.Hour)
	}
	f = newFixture(provisioning)
	f.after(Decide(f.si, f.inputs()).Request, Answer{Outcome: osbresult.Outcome{Class: osbresult.Done, Status: 200}, State: osbresult.Failed})
	toBeKept(f)
	if got := Decide(f.si, f.inputs()); got.Request != nil || got.Status.OrphanMitigationInProgress {
		t.Error("once it has begun:", got.describe())
	}
}

// TestAPollNamesAnotherPlanWhereItIsNotKnownWhichThereWas: as often as there are some to try,
// since each time costs a write.
func TestAPollNamesAnotherPlanWhereItIsNotKnownWhichThereWas(t *testing.T) {
	refused := answerOf(osbresult.Rejected, 400)
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"a change":                               {edits(ready, otherPlan, accepted), "small large small small"},
		"after one that got no answer":           {edits(ready, otherPlan, unanswered, later(time.Hour), accepted), "small large small small"},
		"of something else, with no plan before": {edits(ready, otherParameters, accepted), "small small small small"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			var named []string
			for range 4 {
				f.in.Now = f.in.Now.Add(time.Minute)
				next := Decide(f.si, f.inputs())
				if next.Request == nil || next.Request.Operation != rules.Poll {
					t.Fatal(next.describe())
				}
				named = append(named, strings.TrimSuffix(next.Request.PlanID, "-id"))
				f.after(next.Request, refused)
			}
			if got := strings.Join(named, " "); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			if got := f.si.Status.Attempts; refusals(got) > 2 {
				t.Error("it is still counted:", got.Refusals)
			}
		})
	}
}

// TestARemovalNamesAnotherPlanWhereItIsNotKnownWhichThereIs: and only there.
func TestARemovalNamesAnotherPlanWhereItIsNotKnownWhichThereIs(t *testing.T) {
	refused := answerOf(osbresult.Rejected, 400)
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"ready":                       {edits(ready), "small small small"},
		"a change that got no answer": {edits(ready, otherPlan, unanswered), "small large small"},
		"a change that was refused":   {edits(ready, otherPlan, refusedOnce), "small small small"},
		"a change on record":          {edits(ready, otherPlan, restarted), "small large small"},
		"and waited for bindings":     {edits(ready, otherPlan, restarted, deleted, boundTo, decided), "small large small"},
		"a change that took too long": {edits(ready, otherPlan, accepted, tooLate, firstPlanAgain, unreachable), "small large small"},
		"and took too long":           {edits(ready, otherPlan, accepted, tooLate), "small large small"},
		"a change that failed":        {edits(ready, otherPlan, accepted, operationFailed), "small small small"},
		"and was taken back":          {edits(ready, otherPlan, restarted, firstPlanAgain), "small large small"},
		"never ready":                 {edits(restarted, otherPlan), "small small small"},
		"two changes on record":       {edits(ready, otherPlan, restarted, planNamed("medium"), restarted), "small medium large"},
		"and the second was refused":  {edits(ready, otherPlan, unanswered, later(time.Hour), planNamed("medium"), refusedOnce), "small large medium"},
		"failed, and edited":          {edits(suppliedIDToDelete, provisioning, operationFailed, later(time.Hour), otherPlan, refusedOnce), "large small large"},
		"and edited again":            {edits(suppliedIDToDelete, provisioning, operationFailed, later(time.Hour), otherPlan, refusedOnce, otherParameters, refusedOnce), "large small large"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			if f.si.DeletionTimestamp.IsZero() {
				deleted(f)
			}
			definitionExists(f)
			f.in.Bindings = nil
			var named []string
			for range 3 {
				next := Decide(f.si, f.inputs())
				if next.Request == nil || next.Request.Operation != rules.Deprovision {
					t.Fatal(next.describe())
				}
				named = append(named, strings.TrimSuffix(next.Request.PlanID, "-id"))
				f.after(next.Request, refused)
				f.in.Now = f.in.Now.Add(time.Hour)
			}
			if got := strings.Join(named, " "); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// TestARemovalNamesAnotherPlanOnlyToWhoDoesNotTakeTheOne: other refusals are of the removal.
func TestARemovalNamesAnotherPlanOnlyToWhoDoesNotTakeTheOne(t *testing.T) {
	for status, want := range map[int]string{400: "large-id", 404: "small-id", 409: "small-id", 422: "small-id"} {
		f := newFixture(ready, otherPlan, restarted, deleted, definitionExists)
		f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Rejected, status))
		f.in.Now = f.in.Now.Add(time.Hour)
		if got := Decide(f.si, f.inputs()).Request.PlanID; got != want {
			t.Errorf("after %d: %s, want %s", status, got, want)
		}
	}
}

// F-JS11: an instance that is on record as Ready says that its removal is in flight, if that takes its time. Whatever else is on record is true
// meanwhile.
func TestARemovalInFlight(t *testing.T) {
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want bool
	}{
		"ready, deleted":          {edits(ready, deleted, definitionExists), true},
		"the first DELETE failed": {edits(ready, deleted, definitionExists, func(f *fixture) { f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Unknown, 500)) }, func(f *fixture) { f.in.Now = f.in.Now.Add(time.Hour) }), false},
		"ready":                   {edits(ready), false},
		"an update":               {edits(ready, otherPlan), false},
	} {
		next := Decide(newFixture(test.is...).si, newFixture(test.is...).in)
		if got := next.InFlight; (got != nil) != test.want {
			t.Errorf("%s: %s, %+v", name, next.describe(), got)
		} else if got != nil {
			c := rules.FindCondition(got.Conditions, v1beta1.ConditionReady)
			if c.Status != v1beta1.ConditionFalse || c.Reason != v1beta1.ReasonDeprovisioning || !strings.Contains(c.Message, v1beta1.DeletionPolicyRetain) || next.WriteAhead || got.CurrentOperation != next.Status.CurrentOperation {
				t.Errorf("%s: %+v, write-ahead %t", name, got, next.WriteAhead)
			}
		}
	}
}
