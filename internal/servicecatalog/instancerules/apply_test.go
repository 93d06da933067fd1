// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"strings"
	"testing"
	"time"

	"k8s.io/utils/ptr"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// TestProvisionAnswers has each row of the response matrix.
func TestProvisionAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		is     []func(*fixture)
		answer Answer
		state  string // LastConditionState
		undo   v1beta1.DeprovisionStatus
		next   string // and after a day
	}{
		"201":                     {nil, answerOf(osbresult.Done, 201), "Ready", "Required", "nothing: Ready"},
		"200":                     {nil, answerOf(osbresult.Done, 200), "Ready", "Required", "nothing: Ready"},
		"202":                     {nil, answerOf(osbresult.Accepted, 202), "Provisioning", "Required", "poll id small-id"},
		"400":                     {nil, answerOf(osbresult.Rejected, 400), "Failed", "NotRequired", "nothing: Failed"},
		"400 to a repeat":         {edits(unknownOnce), answerOf(osbresult.Rejected, 400), "OrphanMitigation", "Required", "deprovision id small-id"},
		"400 after a restart":     {edits(restarted), answerOf(osbresult.Rejected, 400), "OrphanMitigation", "", "deprovision id small-id"},
		"401":                     {nil, answerOf(osbresult.Misconfigured, 401), "ProvisionCallFailed", "NotRequired", "write-ahead provision id small-id"},
		"408":                     {nil, answerOf(osbresult.Retry, 408), "ProvisionCallFailed", "NotRequired", "write-ahead provision id small-id"},
		"429":                     {nil, answerOf(osbresult.Retry, 429), "ProvisionCallFailed", "NotRequired", "write-ahead provision id small-id"},
		"refused connection":      {nil, Answer{Outcome: osbresult.Outcome{Class: osbresult.Retry}}, "ErrorCallingProvision", "NotRequired", "write-ahead provision id small-id"},
		"409":                     {edits(retrievable), answerOf(osbresult.Conflict, 409), "Conflict", "Required", "inspect id small-id"},
		"409, not retrievable":    {nil, answerOf(osbresult.Conflict, 409), "Failed", "Required", "provision id small-id"},
		"409 under a supplied id": {edits(suppliedID), answerOf(osbresult.Conflict, 409), "Conflict", "NotRequired", "write-ahead provision id small-id"},
		"ConcurrencyError":        {nil, answerOf(osbresult.Concurrency, 422), "ProvisionCallFailed", "NotRequired", "write-ahead provision id small-id"},
		// F-JS8: it is retried, as the table of retries in the documentation says.
		"MaintenanceInfoConflict": {nil, answerOf(osbresult.NeedsCatalog, 422), "ProvisionCallFailed", "NotRequired", "write-ahead provision id small-id"},
		"412":                     {nil, answerOf(osbresult.NeedsCatalog, 412), "ProvisionCallFailed", "NotRequired", "write-ahead provision id small-id"},
		"422":                     {nil, answerOf(osbresult.Rejected, 422), "Failed", "NotRequired", "nothing: Failed"},
		"500":                     {nil, answerOf(osbresult.Unknown, 500), "ProvisionCallFailed", "Required", "provision id small-id"},
		"timeout":                 {nil, Answer{Outcome: osbresult.Outcome{Class: osbresult.Unknown, Sent: true}}, "ErrorCallingProvision", "Required", "provision id small-id"},
		"200 malformed":           {nil, answerOf(osbresult.Malformed, 200), "ProvisionCallFailed", "Required", "provision id small-id"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			call := Decide(f.si, f.inputs()).Request
			f.after(call, test.answer)
			if got := f.si.Status.LastConditionState; got != test.state {
				t.Errorf("says %s, want %s", got, test.state)
			}
			if got := f.si.Status.DeprovisionStatus; test.undo != "" && got != test.undo {
				t.Errorf("deprovisioning is %s, want %s", got, test.undo)
			}
			f.in.Now = f.in.Now.Add(24 * time.Hour)
			if got := Decide(f.si, f.inputs()).describe(); got != test.next {
				t.Errorf("then: %s, want %s", got, test.next)
			}
		})
	}
}

// TestUpdateAnswers has each row of the response matrix.
func TestUpdateAnswers(t *testing.T) {
	unrepeatable := answerOf(osbresult.Rejected, 422)
	unrepeatable.UpdateNotRepeatable, unrepeatable.InstanceUnusable = true, true
	breaks := func(class osbresult.Class, status int) Answer {
		a := answerOf(class, status)
		a.InstanceUnusable = true
		return a
	}
	for name, test := range map[string]struct {
		answer Answer
		state  string
		plan   string // that the broker is known to have
		next   string // after a day
	}{
		"200":              {answerOf(osbresult.Done, 200), "Ready", "large-id", "nothing: Ready"},
		"202":              {answerOf(osbresult.Accepted, 202), "UpdatingInstance", "small-id", "poll id small-id"},
		"400":              {answerOf(osbresult.Rejected, 400), "Failed", "small-id", "nothing: Failed"},
		"not repeatable":   {unrepeatable, "Failed", "small-id", "nothing: Failed"},
		"404":              {answerOf(osbresult.Misconfigured, 404), "UpdateInstanceCallFailed", "small-id", "write-ahead update id large-id +plan"},
		"410":              {answerOf(osbresult.Gone, 410), "Failed", "small-id", "nothing: Failed"},
		"429":              {answerOf(osbresult.Retry, 429), "UpdateInstanceCallFailed", "small-id", "write-ahead update id large-id +plan"},
		"ConcurrencyError": {answerOf(osbresult.Concurrency, 422), "UpdateInstanceCallFailed", "small-id", "write-ahead update id large-id +plan"},
		"500":              {answerOf(osbresult.Retry, 500), "UpdateInstanceCallFailed", "small-id", "update id large-id +plan +parameters"},
		"500, unusable":    {breaks(osbresult.Retry, 500), "UpdateInstanceCallFailed", "small-id", "update id large-id +plan +parameters"},
		"502":              {answerOf(osbresult.Unknown, 502), "UpdateInstanceCallFailed", "small-id", "update id large-id +plan +parameters"},
		"502, unusable":    {breaks(osbresult.Unknown, 502), "UpdateInstanceCallFailed", "small-id", "update id large-id +plan +parameters"},
		"timeout":          {Answer{Outcome: osbresult.Outcome{Class: osbresult.Unknown, Sent: true}}, "ErrorCallingUpdateInstance", "small-id", "update id large-id +plan +parameters"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(ready, otherPlan)
			f.after(Decide(f.si, f.inputs()).Request, test.answer)
			if got := f.si.Status.LastConditionState; got != test.state {
				t.Errorf("says %s, want %s", got, test.state)
			}
			if got := rules.PlanID(f.si.Status.ExternalProperties); got != test.plan {
				t.Errorf("the broker has %s, want %s", got, test.plan)
			}
			f.in.Now = f.in.Now.Add(24 * time.Hour)
			if test.answer.Class == osbresult.Accepted {
				f.in.Now = f.in.Now.Add(-23 * time.Hour)
			}
			if got := Decide(f.si, f.inputs()).describe(); got != test.next {
				t.Errorf("then: %s, want %s", got, test.next)
			}
			if test.answer.InstanceUnusable && !f.si.Status.Unusable {
				t.Error("it is not marked as unusable")
			}
		})
	}
}

// TestDeprovisionAnswers has each row of the response matrix.
func TestDeprovisionAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		answer Answer
		state  string
		next   string // after an hour
	}{
		"200":              {answerOf(osbresult.Done, 200), "DeprovisionedSuccessfully", "release DeprovisionedSuccessfully"},
		"410":              {answerOf(osbresult.Gone, 410), "Ready", "wait"}, // F-JS14
		"202":              {answerOf(osbresult.Accepted, 202), "Deprovisioning", "poll id small-id (removal)"},
		"400":              {answerOf(osbresult.Rejected, 400), "DeprovisionCallFailed", "deprovision id small-id"},
		"404":              {answerOf(osbresult.Misconfigured, 404), "DeprovisionCallFailed", "deprovision id small-id"},
		"409":              {answerOf(osbresult.Conflict, 409), "DeprovisionCallFailed", "deprovision id small-id"},
		"ConcurrencyError": {answerOf(osbresult.Concurrency, 422), "DeprovisionCallFailed", "deprovision id small-id"},
		"AsyncRequired":    {answerOf(osbresult.NeedsAsync, 422), "DeprovisionCallFailed", "deprovision id small-id"},
		"500":              {answerOf(osbresult.Unknown, 500), "DeprovisionCallFailed", "deprovision id small-id"},
		"timeout":          {Answer{Outcome: osbresult.Outcome{Class: osbresult.Unknown, Sent: true}}, "DeprovisionCallFailed", "deprovision id small-id"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(ready, deleted, definitionExists)
			f.after(Decide(f.si, f.inputs()).Request, test.answer)
			if got := f.si.Status.LastConditionState; got != test.state {
				t.Errorf("says %s, want %s", got, test.state)
			}
			f.in.Now = f.in.Now.Add(time.Hour)
			if got := Decide(f.si, f.inputs()).describe(); got != test.next {
				t.Errorf("then: %s, want %s", got, test.next)
			}
		})
	}
}

// TestADeprovisioningThatWaitsForAnotherOperation is not taken for one that has failed.
func TestADeprovisioningThatWaitsForAnotherOperation(t *testing.T) {
	for class, want := range map[osbresult.Class]v1beta1.ConditionStatus{osbresult.Concurrency: v1beta1.ConditionFalse, osbresult.NeedsAsync: v1beta1.ConditionUnknown} {
		f := newFixture(ready, deleted, definitionExists)
		f.after(Decide(f.si, f.inputs()).Request, answerOf(class, 422))
		if got := rules.FindCondition(f.si.Status.Conditions, v1beta1.ConditionReady).Status; got != want {
			t.Errorf("after %s Ready is %s, want %s", class, got, want)
		}
		if next := Decide(f.si, f.inputs()); next.Request != nil || next.RequeueAt.IsZero() {
			t.Errorf("after %s the request is repeated at once: %s", class, next.describe())
		}
	}
}

// TestPollAnswers has what brokers say of operations.
func TestPollAnswers(t *testing.T) {
	in := func(state osbresult.State) Answer {
		a := answerOf(osbresult.Done, 200)
		a.State = state
		return a
	}
	updating := func(f *fixture) {
		ready(f)
		otherPlan(f)
		f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Accepted, 202))
	}
	deprovisioning := func(f *fixture) {
		ready(f)
		deleted(f)
		definitionExists(f)
		f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Accepted, 202))
	}
	for name, test := range map[string]struct {
		is     func(*fixture)
		answer Answer
		state  string
		next   string // after an hour
	}{
		"provisioned":           {provisioning, in(osbresult.Succeeded), "Ready", "nothing: Ready"},
		"provisioning":          {provisioning, in(osbresult.InProgress), "Provisioning", "poll id small-id"},
		"provisioning failed":   {provisioning, in(osbresult.Failed), "OrphanMitigation", "deprovision id small-id"},
		"provisioning, 410":     {provisioning, answerOf(osbresult.Malformed, 410), "ErrorPollingLastOperation", "poll id small-id"},
		"provisioning, 500":     {provisioning, answerOf(osbresult.Retry, 500), "ErrorPollingLastOperation", "poll id small-id"},
		"provisioning, timeout": {provisioning, Answer{Outcome: osbresult.Outcome{Class: osbresult.Retry, Sent: true}}, "ErrorPollingLastOperation", "poll id small-id"},
		"updated":               {updating, in(osbresult.Succeeded), "Ready", "nothing: Ready"},
		"updating failed":       {updating, in(osbresult.Failed), "Failed", "write-ahead update id large-id +plan"},
		"deprovisioned":         {deprovisioning, in(osbresult.Succeeded), "DeprovisionedSuccessfully", "release DeprovisionedSuccessfully"},
		"deprovisioned, 410":    {deprovisioning, answerOf(osbresult.Gone, 410), "Deprovisioning", "wait"}, // F-JS14
		"deprovisioning, 404":   {deprovisioning, answerOf(osbresult.Malformed, 404), "DeprovisionCallFailed", "deprovision id small-id"},
		"deprovisioning failed": {deprovisioning, in(osbresult.Failed), "DeprovisionCallFailed", "deprovision id small-id"},
		"deprovisioning":        {deprovisioning, in(osbresult.InProgress), "Deprovisioning", "poll id small-id (removal)"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is)
			call := Decide(f.si, f.inputs()).Request
			if call == nil || call.Operation != rules.Poll {
				t.Fatalf("it is not polled: %s", Decide(f.si, f.inputs()).describe())
			}
			f.after(call, test.answer)
			if got := f.si.Status.LastConditionState; got != test.state {
				t.Errorf("says %s, want %s", got, test.state)
			}
			f.in.Now = f.in.Now.Add(time.Hour)
			if got := Decide(f.si, f.inputs()).describe(); got != test.next {
				t.Errorf("then: %s, want %s", got, test.next)
			}
		})
	}
}

// TestAnOperationBeginsWhenItIsAccepted: however long the broker refused to begin.
func TestAnOperationBeginsWhenItIsAccepted(t *testing.T) {
	f := newFixture()
	for range 9 {
		f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Retry, 429))
		f.in.Now = f.in.Now.Add(24 * time.Hour)
	}
	f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Accepted, 202))
	f.in.Now = f.in.Now.Add(time.Minute)
	if next := Decide(f.si, f.inputs()); next.Request == nil || next.Request.Operation != rules.Poll {
		t.Errorf("after a minute: %s", next.describe())
	}
}

// TestWhatHadNoEffectDoesNotUseUpTheAttempts: however long the broker could not be had.
func TestWhatHadNoEffectDoesNotUseUpTheAttempts(t *testing.T) {
	f := newFixture()
	wait := time.Hour
	asked := func(verb rules.Operation, class osbresult.Class, status, times int) {
		t.Helper()
		for i := range times {
			next := Decide(f.si, f.inputs())
			if next.Request == nil || next.Request.Operation != verb {
				t.Fatalf("the %s is not made that is to end in %s: %s", rules.AttemptNumber(int32(i+1)), class, next.describe())
			}
			f.after(next.Request, answerOf(class, status))
			f.in.Now = f.in.Now.Add(wait)
		}
	}
	asked(rules.Provision, osbresult.Retry, 429, 25)
	asked(rules.Provision, osbresult.Unknown, 500, 4)
	wait = 12 * time.Minute // after an hour, the id is left behind
	asked(rules.Deprovision, osbresult.Unknown, 500, 4)
	wait = time.Hour
	asked(rules.Deprovision, osbresult.Done, 200, 1)
	asked(rules.Provision, osbresult.Malformed, 200, 20)
	asked(rules.Provision, osbresult.Unknown, 500, 4)
	asked(rules.Deprovision, osbresult.Done, 200, 1)
	asked(rules.Provision, osbresult.Done, 201, 1)
}

// TestAnInstanceHasANewIDAfterEachRemoval: a removal that is carried out late hits nothing (R2).
func TestAnInstanceHasANewIDAfterEachRemoval(t *testing.T) {
	mitigated := func(f *fixture) {
		unknownTimes(4)(f)
		f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Done, 200))
		later(time.Hour)(f)
	}
	supplied := func(f *fixture) { // and created by this object
		suppliedID(f)
		provisioning(f)
		f.si.Status.CreatedForUID = f.si.UID
		operationFailed(f)
		f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Done, 200))
		otherParameters(f)
	}
	first, second := catalog.NextID("uid", "id", 1), catalog.NextID("uid", "id", 2)
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"once":                        {edits(mitigated), "write-ahead provision " + first + " small-id"},
		"twice":                       {edits(mitigated, mitigated), "write-ahead provision " + second + " small-id"},
		"a supplied id":               {edits(supplied), "write-ahead provision " + first + " small-id"},
		"refused under the new id":    {edits(mitigated, conflicting, later(time.Hour)), "provision " + first + " small-id"},
		"deleted after the new id":    {edits(mitigated, created, deleted, definitionExists), "deprovision " + first + " small-id"},
		"deleted, supplied":           {edits(supplied, created, deleted, definitionExists), "deprovision " + first + " small-id"},
		"a restored copy":             {edits(mitigated, used, func(f *fixture) { f.si.UID = "other"; f.si.CreationTimestamp.Time = rulestest.T0.Add(time.Hour) }, deleted, definitionExists), "release Retained"},
		"what is asked for is kept":   {edits(mitigated, created), "nothing: Ready"},
		"the first one was not given": {edits(unknownTimes(3)), "provision id small-id"},
	} {
		t.Run("F-S5 "+name, func(t *testing.T) {
			f := newFixture(test.is...)
			if got := Decide(f.si, f.inputs()).describe(); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
			if f.si.Spec.ExternalID != "id" {
				t.Errorf("spec.externalID became %s", f.si.Spec.ExternalID)
			}
		})
	}
}

// TestAnIDIsNotReplacedByOneThatWasRefused: whatever was changed in between.
func TestAnIDIsNotReplacedByOneThatWasRefused(t *testing.T) {
	f := newFixture()
	had := map[string]bool{}
	for round := range 5 {
		id := rules.InstanceID(f.si)
		if had[id] {
			t.Fatalf("round %d: %s once more", round, id)
		}
		had[id] = true
		unknownTimes(4)(f)
		edited := round%2 == 0
		if edited {
			otherParameters(f)
		}
		for range 30 { // until it is asked for under another
			next := Decide(f.si, f.inputs())
			switch {
			case next.Request.Operation == rules.Deprovision:
				f.after(next.Request, answerOf(osbresult.Done, 200))
				if !edited {
					otherParameters(f)
					edited = true
				}
			case next.Request.Operation == rules.Inspect:
				f.after(next.Request, answerOf(osbresult.Gone, 404))
			case next.Request.ID == id:
				f.after(next.Request, answerOf(osbresult.Conflict, 409))
			}
			f.in.Now = f.in.Now.Add(time.Hour)
		}
		if !catalog.IsNextID(f.si.UID, f.si.Spec.ExternalID, rules.InstanceID(f.si)) {
			t.Fatalf("round %d: the id is %s", round, rules.InstanceID(f.si))
		}
	}
}

// F-S45: a record from between an orphan mitigation and the next request was restored, and the instance that lives under the next id has another
// plan since. It is held, and no other one is created.
func TestARestoredNextIDIsHeld(t *testing.T) {
	for _, isRetrievable := range []bool{false, true} {
		f := newFixture(provisioning, operationFailed, func(f *fixture) {
			f.in.Offering.Class.Common().InstanceRetrievable = isRetrievable
			f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Done, 200))
		}, later(time.Hour), restored, conflicting, later(time.Hour))
		id := rules.InstanceID(f.si)
		if isRetrievable {
			a := answerOf(osbresult.Done, 200)
			a.Instance = &osbresult.Instance{PlanID: "large-id"}
			f.after(Decide(f.si, f.inputs()).Request, a)
		}
		stalled := rules.FindCondition(f.si.Status.Conditions, v1beta1.ConditionStalled)
		if !rules.IsTrue(stalled) || stalled.Reason != v1beta1.ReasonConflict || rules.InstanceID(f.si) != id || id == f.si.Spec.ExternalID {
			t.Errorf("retrievable %t: the id is %s, was %s; Stalled is %+v", isRetrievable, rules.InstanceID(f.si), id, stalled)
		}
	}
}

// An operation that fails unseen, as after any restart of the operator, is no conflict: no answer has shown anything under the id.
func TestAnUnseenFailureIsNoConflict(t *testing.T) {
	for _, class := range []osbresult.Class{osbresult.Retry, osbresult.Unknown, osbresult.Concurrency} {
		for _, removals := range []int32{0, rules.MaxRemovals} { // orphan mitigations before, after which the next attempt is slow in any case
			f := newFixture(accepted, restarted, operationFailed, later(48*time.Hour))
			f.si.Status.Attempts.Removals = removals
			f.after(Decide(f.si, f.inputs()).Request, answerOf(class, 503))
			ready, stalled := rules.FindCondition(f.si.Status.Conditions, v1beta1.ConditionReady), rules.FindCondition(f.si.Status.Conditions, v1beta1.ConditionStalled)
			if strings.Contains(ready.Message, "neither changed nor removed") || rules.IsTrue(stalled) != (removals > 0) {
				t.Errorf("then %s after %d removals: %q, Stalled=%s", class, removals, ready.Message, stalled.Status)
			}
		}
	}
}

// A conflict that an answer has shown is described also after an edit.
func TestAConflictIsDescribedAfterAnEdit(t *testing.T) {
	for _, class := range []osbresult.Class{osbresult.Retry, osbresult.Rejected} {
		f := newFixture(conflicting)
		for range 3 {
			later(time.Hour)(f)
			f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Conflict, 409))
		}
		later(time.Hour)(f)
		otherParameters(f)
		f.after(Decide(f.si, f.inputs()).Request, answerOf(class, 500))
		ready, stalled := rules.FindCondition(f.si.Status.Conditions, v1beta1.ConditionReady), rules.FindCondition(f.si.Status.Conditions, v1beta1.ConditionStalled)
		if !strings.Contains(ready.Message, "neither changed nor removed") || !rules.IsTrue(stalled) {
			t.Errorf("then %s: %q, Stalled=%s", class, ready.Message, stalled.Status)
		}
	}
}

// TestAnInstanceIsRememberedUntilTheBrokerHasNone: whatever else it answers.
// conformance: F02
func TestAnInstanceIsRememberedUntilTheBrokerHasNone(t *testing.T) {
	for _, out := range []Answer{answerOf(osbresult.Retry, 500), answerOf(osbresult.Retry, 401), answerOf(osbresult.Retry, 429), answerOf(osbresult.Concurrency, 422), answerOf(osbresult.Malformed, 200), answerOf(osbresult.Malformed, 301), answerOf(osbresult.Rejected, 400), answerOf(osbresult.Rejected, 410),
		{Outcome: osbresult.Outcome{Class: osbresult.Retry}}} {
		f := newFixture(restarted, conflicting, later(time.Hour))
		next := Decide(f.si, f.inputs())
		if next.Request == nil || next.Request.Operation != rules.Inspect {
			t.Fatal(next.describe())
		}
		f.after(next.Request, out)
		deleted(f)
		definitionExists(f)
		if got := Decide(f.si, f.inputs()).describe(); got != "deprovision id small-id" {
			t.Errorf("after HTTP %d it is deleted by: %s", out.Status, got)
		}
	}
}

// TestWhatABrokerDoesNotTellHasNotChanged: what a fetch leaves out is not missing there.
// conformance: F05
func TestWhatABrokerDoesNotTellHasNotChanged(t *testing.T) {
	f := newFixture(retrievable)
	f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Conflict, 409))
	f.in.Now = f.in.Now.Add(time.Hour)
	found := answerOf(osbresult.Done, 200)
	found.Instance = &osbresult.Instance{PlanID: "small-id"} // and no parameters
	f.after(Decide(f.si, f.inputs()).Request, found)
	if got, want := Decide(f.si, f.inputs()).describe(), "write-ahead update id small-id +plan +parameters"; got != want {
		t.Errorf("%s, want %s: it is ours, so it stays and is brought up to date", got, want)
	}
	f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Done, 200))
	if got := Decide(f.si, f.inputs()).describe(); got != "nothing: Ready" {
		t.Error("then:", got)
	}
}

// TestARefusedUpdateOfAnAdoptedInstanceSaysHowToReplaceIt: it may be what a failed provisioning has left, where a broker shows that.
func TestARefusedUpdateOfAnAdoptedInstanceSaysHowToReplaceIt(t *testing.T) {
	f := newFixture(retrievable, provisioning)
	f.in.SeenRunning = false // another process has sent the request
	f.after(&Request{Request: operation.Request{ID: "id", Operation: rules.Poll, Owned: true, Retrievable: true}}, Answer{Outcome: osbresult.Outcome{Class: osbresult.Done, Status: 200}, State: osbresult.Failed})
	found := answerOf(osbresult.Done, 200)
	found.Instance = &osbresult.Instance{PlanID: "small-id"}
	for _, answer := range []Answer{found, answerOf(osbresult.Rejected, 422)} {
		f.in.Now = f.in.Now.Add(time.Hour)
		f.after(Decide(f.si, f.inputs()).Request, answer)
	}
	ready := rules.FindCondition(f.si.Status.Conditions, v1beta1.ConditionReady)
	if ready.Reason != v1beta1.ReasonUpdateInstanceCallFailed || !strings.Contains(ready.Message, "delete this object, which removes it, and create it again") {
		t.Errorf("%+v", ready)
	}
}

// TestAFailureIsOfWhatWasAskedFor: what was asked for since is asked for once the rest of
// the failure is removed, and nothing else is.
func TestAFailureIsOfWhatWasAskedFor(t *testing.T) {
	fromSecret := func(f *fixture) { f.in.Parameters.Version = "v1" }
	removed := func(f *fixture) {
		f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Done, 200))
		f.in.Now = f.in.Now.Add(time.Hour)
	}
	notRemoved := func(f *fixture) {
		f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Unknown, 500))
		f.in.Now = f.in.Now.Add(time.Hour)
	}
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"not edited":                   {edits(provisioning, operationFailed, removed), "write-ahead provision " + catalog.NextID("uid", "id", 1) + " small-id"},
		"with a Secret":                {edits(fromSecret, provisioning, operationFailed, removed), "write-ahead provision " + catalog.NextID("uid", "id", 1) + " small-id"},
		"with a Secret, supplied id":   {edits(fromSecret, suppliedID, provisioning, operationFailed), "wait"},
		"Secret changed meanwhile":     {edits(fromSecret, provisioning, func(f *fixture) { f.in.Parameters.Version = "v2" }, operationFailed, removed), "write-ahead provision " + catalog.NextID("uid", "id", 1) + " small-id"},
		"edited meanwhile":             {edits(provisioning, otherPlan, operationFailed, removed), "write-ahead provision " + catalog.NextID("uid", "id", 1) + " large-id"},
		"edited during the removal":    {edits(provisioning, operationFailed, otherPlan, removed), "write-ahead provision " + catalog.NextID("uid", "id", 1) + " large-id"},
		"edited between two removals":  {edits(provisioning, operationFailed, notRemoved, otherPlan, removed), "write-ahead provision " + catalog.NextID("uid", "id", 1) + " large-id"},
		"edited while nobody is asked": {edits(provisioning, operationFailed, otherPlan, unreachable, removed), "write-ahead provision " + catalog.NextID("uid", "id", 1) + " large-id"},
		"edited, then to be kept":      {edits(provisioning, operationFailed, otherPlan, toBeKept, decided), "write-ahead provision id large-id"},
		"edited during the last removal": {edits(unknownTimes(4), removed, unknownTimes(4), removed, unknownTimes(4), notRemoved, otherPlan, removed),
			"write-ahead provision " + catalog.NextID("uid", "id", 3) + " large-id"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			if got := Decide(f.si, f.inputs()).describe(); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// TestAnOperationOfBindingsIsAProgrammingError: it is not taken for another one.
func TestAnOperationOfBindingsIsAProgrammingError(t *testing.T) {
	defer func() {
		if recover() == nil {
			t.Error("it was applied")
		}
	}()
	Apply(&v1beta1.ServiceInstance{}, v1beta1.ServiceInstanceStatus{}, Request{Request: operation.Request{Operation: rules.Unbind}}, Answer{}, rulestest.T0)
}

// F-B23: the instance is fetched once after an asynchronous provisioning or update, if no URL of its dashboard is known.
func TestDashboardIsFetchedAfterAsynchronousOperations(t *testing.T) {
	succeeded := func(dashboard string) Answer {
		a := answerOf(osbresult.Done, 200)
		a.State, a.DashboardURL = osbresult.Succeeded, dashboard
		return a
	}
	updating := func(f *fixture) { f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Accepted, 202)) }
	known := func(f *fixture) {
		a := answerOf(osbresult.Accepted, 202)
		a.DashboardURL = "https://early.example.com"
		f.after(Decide(f.si, f.inputs()).Request, a)
	}
	for name, test := range map[string]struct {
		is     []func(*fixture)
		answer Answer
		fetch  bool
		want   string
	}{
		"a provisioning":           {edits(retrievable, provisioning), succeeded("https://late.example.com"), true, "https://late.example.com"},
		"without an answer":        {edits(retrievable, provisioning), succeeded(""), true, ""},
		"an update":                {edits(retrievable, ready, otherPlan, updating), succeeded("https://late.example.com"), true, "https://late.example.com"},
		"known since the response": {edits(retrievable, known), succeeded(""), false, "https://early.example.com"},
		"not retrievable":          {edits(provisioning), succeeded(""), false, ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			call := Decide(f.si, f.inputs()).Request
			if call.Operation != rules.Poll || call.FetchDashboard != test.fetch {
				t.Fatalf("%+v", call)
			}
			f.after(call, test.answer)
			if got := ptr.Deref(f.si.Status.DashboardURL, ""); got != test.want || f.si.Status.LastConditionState != "Ready" {
				t.Errorf("%s with %q, want %q", f.si.Status.LastConditionState, got, test.want)
			}
		})
	}
}

// F-B23: an instance that is adopted after a conflict shows the dashboard that was fetched with it.
func TestAdoptedInstanceHasDashboard(t *testing.T) {
	f := newFixture(retrievable, conflicting, later(time.Hour))
	answer := answerOf(osbresult.Done, 200)
	answer.Instance = &osbresult.Instance{PlanID: "small-id", DashboardURL: "https://dashboard.example.com"}
	f.after(Decide(f.si, f.inputs()).Request, answer)
	if got := ptr.Deref(f.si.Status.DashboardURL, ""); got != "https://dashboard.example.com" {
		t.Errorf("%q", got)
	}
}

// F-U37: a poll that is not answered with a state says what follows. An answer that looks like a misconfiguration has a time.
func TestUnansweredPollSaysWhatFollows(t *testing.T) {
	for name, test := range map[string]struct {
		answer Answer
		want   string
	}{
		"404": {answerOf(osbresult.Malformed, 404), "Polling the operation failed: HTTP 404; the next poll is within a minute, or once the broker answers other requests"},
		"403": {answerOf(osbresult.Misconfigured, 403), "Polling the operation failed: HTTP 403 (attempt 1 failed, the next is at "},
	} {
		f := newFixture(provisioning)
		f.after(Decide(f.si, f.inputs()).Request, test.answer)
		if got := rules.FindCondition(f.si.Status.Conditions, v1beta1.ConditionReady).Message; !strings.HasPrefix(got, test.want) {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}
