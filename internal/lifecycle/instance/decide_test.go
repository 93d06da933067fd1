/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package instance

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	"github.com/gophernetes/bellhop/internal/lifecycle/lifecycletest"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// The plan before an update is told only where it is known: the broker refuses a wrong one.
func TestDecideInstanceTellsThePreviousPlan(t *testing.T) {
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"other plan":                      {fs(ready, planned), "small-id"},
		"and the answer was lost":         {fs(ready, planned, unanswered), ""},
		"and the first one is asked back": {fs(ready, planned, unanswered, plannedBack), ""},
		"an update that failed":           {fs(ready, planned, accepted, operationFailed, edited2), "small-id"},
	} {
		f := newFixture(test.is...)
		f.in.Now = f.in.Now.Add(time.Hour)
		next := Decide(f.si, f.in)
		if next.Request == nil || next.Request.Operation != lifecycle.Update || next.Request.PreviousPlanID != test.want {
			t.Errorf("%s: %s %+v, want %q", name, next.say(), next.Request, test.want)
		}
	}
}

func TestDecideInstance(t *testing.T) {
	for name, test := range map[string]struct {
		why  string
		is   []func(*fixture)
		want string
	}{
		"new":                                        {"R1", nil, "journal provision id small-id"},
		"new after a restart":                        {"it is on record", fs(restarted), "provision id small-id"},
		"edited after a restart":                     {"what is on record may have been sent", fs(restarted, edited2), "journal deprovision id small-id"},
		"F-JS1 new, without a default status":        {"it was made before the schema had a default", fs(noDefault), "journal provision id small-id"},
		"F-JS1 without finalizer or default status":  {"the same", fs(noDefault, func(f *fixture) { f.si.Finalizers = nil }), "protect"},
		"without finalizer":                          {"R1", fs(func(f *fixture) { f.si.Finalizers = nil }), "protect"},
		"abandoned":                                  {"the finalizer was removed", fs(ready, func(f *fixture) { f.si.Finalizers = nil }), "nothing: Abandoned"},
		"ready":                                      {"R6", fs(ready), "nothing: Ready"},
		"other parameters":                           {"what does not change is left out", fs(ready, edited2), "journal update id small-id +parameters"},
		"other plan":                                 {"", fs(ready, planned), "journal update id large-id +plan"},
		"plan that must stay":                        {"", fs(func(f *fixture) { f.in.Offering.Class.Common().PlanUpdatable = false }, ready, planned), "nothing: UpdateInstanceCallFailed"},
		"plan that had to stay":                      {"the class may have been another in the meantime", fs(ready, planned, onceUnchangeable), "journal update id large-id +plan"},
		"touched":                                    {"as svcat touch does", fs(ready, func(f *fixture) { f.si.Generation++; f.si.Spec.UpdateRequests++ }), "journal update id small-id"},
		"only noticed":                               {"nothing that the broker cares for has changed", fs(ready, func(f *fixture) { f.si.Generation++ }), "nothing: Ready"},
		"two edits":                                  {"nothing was sent for the first", fs(ready, edited2, edited2), "journal update id small-id +parameters"},
		"two edits, one on record":                   {"the first may have been sent", fs(ready, planned, restarted, unreachable, plannedBack), "journal update id small-id +plan +parameters"},
		"two edits, both waited":                     {"nothing was sent", fs(ready, planned, unreachable, plannedBack), "nothing: Ready"},
		"an update that took too long":               {"it may yet be carried out", fs(ready, planned, accepted, tooLate, plannedBack), "journal update id small-id +plan +parameters"},
		"an update that failed":                      {"the broker says that all is as it was", fs(ready, planned, accepted, operationFailed, plannedBack), "nothing: Ready"},
		"an update that broke it":                    {"all is as it was, and unusable", fs(ready, planned, broken, plannedBack), "journal update id small-id"},
		"an operation that broke it":                 {"the same", fs(ready, planned, accepted, operationBroke, plannedBack), "journal update id small-id"},
		"a Secret's value that broke it":             {"the same", fs(ready, rotated("v2", "p5"), broken, rotated("v3", "p0")), "journal update id small-id"},
		"an edit that waited":                        {"R1", fs(ready, planned, unreachable), "journal update id large-id +plan"},
		"parameters from a Secret":                   {"they are read when they are to be sent", fs(func(f *fixture) { f.in.Parameters.Known, f.in.Parameters.Version = false, "v1" }), "read"},
		"Secret changed":                             {"", fs(ready, func(f *fixture) { f.in.Parameters.Known, f.in.Parameters.Version = false, "v2" }), "read"},
		"Secret's value changed":                     {"nothing in the generation tells of it", fs(ready, func(f *fixture) { f.in.Parameters.Version, f.in.Parameters.Checksum = "v2", "p5" }), "journal update id small-id +parameters"},
		"Secret's value the same":                    {"", fs(ready, func(f *fixture) { f.in.Parameters.Version = "v2" }), "nothing: Ready"},
		"Secret's value as it was":                   {"the broker has refused another", fs(ready, rotated("v2", "p5"), refusedOnce, rotated("v3", "p0")), "nothing: Ready"},
		"parameters that do not fit":                 {"", fs(refusedParameters), "nothing: ErrorWithParameters"},
		"touched, with parameters for a creation":    {"they are not sent", fs(ready, refusedParameters, func(f *fixture) { f.si.Generation++; f.si.Spec.UpdateRequests++ }), "journal update id small-id"},
		"other plan, with parameters for a creation": {"they are not sent", fs(ready, refusedParameters, planned), "journal update id large-id +plan"},
		"other parameters that do not fit":           {"", fs(ready, refusedParameters, edited2), "nothing: ErrorWithParameters"},
		"no answer, then edited":                     {"the body is another, and may be refused for that", fs(unknownTimes(1), edited2), "journal deprovision id small-id"},
		"id of another": {"R10", fs(brought, func(f *fixture) {
			f.in.Claimants = lifecycle.Claimants{{UID: "other", Display: "the other", Owns: true}}
		}), "nothing: ExternalIDInUse"},
		"no class": {"", fs(func(f *fixture) {
			f.in.Offering = lifecycle.Offering{Missing: lifecycle.BlockedBy(v1beta1.ReasonReferencesNonexistentServiceClass, "x")}
		}), "nothing: ReferencesNonexistentServiceClass"},
		"class gone":             {"", fs(func(f *fixture) { f.in.Offering.Class.CommonStatus().RemovedFromBrokerCatalog = true }), "nothing: ReferencesDeletedServiceClass"},
		"class gone, parameters": {"what is there can be changed", fs(ready, edited2, func(f *fixture) { f.in.Offering.Class.CommonStatus().RemovedFromBrokerCatalog = true }), "journal update id small-id +parameters"},

		"provisioning":               {"", fs(provisioning), "poll id small-id"},
		"edited while provisioning":  {"it is accepted, and applied after it", fs(provisioning, planned), "poll id small-id"},
		"deleted while provisioning": {"it is acted on", fs(provisioning, deleted), "prove"},
		"proven":                     {"", fs(provisioning, deleted, lives), "deprovision id small-id"},
		"overdue":                    {"R11: the broker is asked first", fs(provisioning, later(8*24*time.Hour)), "poll id small-id"},

		"deleted at once":         {"nothing was ever sent", fs(deleted, lives), "release DeprovisionedSuccessfully"},
		"deleted after a restart": {"what is on record may have been sent", fs(restarted, deleted, lives), "deprovision id small-id"},
		"deleted":                 {"", fs(ready, deleted, lives), "deprovision id small-id"},
		"deleted with plan edit":  {"the plan that the broker has", fs(ready, planned, deleted, lives), "deprovision id small-id"},
		"deleted with bindings":   {"", fs(ready, deleted, lives, boundTo, later(bindingsDeletionDelay)), "nothing: DeprovisionBlockedByExistingCredentials"},
		"retained": {"R8", fs(ready, deleted, func(f *fixture) {
			f.si.Annotations[v1beta1.DeletionPolicyAnnotation] = v1beta1.DeletionPolicyRetain
		}), "release Retained"},
		"brought and there": {"R10: a 200 proves only that it was there", fs(brought, used, deleted, lives), "release Retained"},
		"brought, with policy": {"R10", fs(brought, used, deleted, lives, func(f *fixture) {
			f.si.Annotations = map[string]string{v1beta1.DeletionPolicyAnnotation: v1beta1.DeletionPolicyDelete}
		}), "deprovision id small-id"},
		"brought, with policy, failed":                 {"R10: nobody has deleted it", fs(broughtToDelete, unknownTimes(4)), "provision id small-id"},
		"brought, with policy, in conflict":            {"R10", fs(broughtToDelete, conflicting), "wait"},
		"brought, with policy, failed in its own time": {"R10", fs(broughtToDelete, provisioning, operationFailed), "wait"},
		"brought and created":                          {"R10", fs(brought, created, deleted, lives), "deprovision id small-id"},
		"claimed by another": {"the last one deletes", fs(ready, deleted, lives, func(f *fixture) {
			f.in.Claimants = lifecycle.Claimants{{UID: "other", Display: "the other", Owns: true}}
		}), "release Retained"},
		"CRD deleted": {"R10", fs(ready, deleted, func(f *fixture) { f.in.Definition = lifecycle.DefinitionTerminating }), "wait"},
		"restored":    {"R10: the record of its id is older than the object", fs(used, func(f *fixture) { f.si.CreationTimestamp.Time = lifecycletest.T0.Add(time.Hour) }, deleted, lives), "release Retained"},
		"broker gone": {"R8", fs(ready, deleted, lives, later(time.Hour), func(f *fixture) { f.in.Offering.Broker = nil }), "nothing: ReferencesNonexistentBroker"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			if got := Decide(f.si, f.in).say(); got != test.want {
				t.Errorf("%s, want %s (%s)", got, test.want, test.why)
			}
		})
	}
}

// TestWhatIsFoundIsOfTheVersionThatIsTold: and not of the one that the catalog has by now.
// conformance: F06
func TestWhatIsFoundIsOfTheVersionThatIsTold(t *testing.T) {
	f := newFixture(retrievable)
	f.in.Offering.Plan.Common().MaintenanceInfo = &v1beta1.MaintenanceInfo{Version: "2.0.0"}
	f.after(Decide(f.si, f.in).Request, said(osbresult.Conflict, 409))
	f.in.Now = f.in.Now.Add(time.Hour)
	found := said(osbresult.Done, 200)
	found.Instance = &osbresult.Instance{PlanID: "small-id", MaintenanceVersion: "1.0.0"}
	f.after(Decide(f.si, f.in).Request, found)
	if got := f.si.Status.ExternalProperties.MaintenanceVersion; got != "1.0.0" {
		t.Errorf("it is of version %q", got)
	}
	call := Decide(f.si, f.in).Request
	if call.PreviousMaintenanceVersion != "1.0.0" || call.Properties.MaintenanceVersion != "2.0.0" {
		t.Errorf("it is updated from %q to %q", call.PreviousMaintenanceVersion, call.Properties.MaintenanceVersion)
	}
}

// TestWhatIsNotFoundIsNotForgotten: brokers say 404 also of what they are still making.
// conformance: F04
func TestWhatIsNotFoundIsNotForgotten(t *testing.T) {
	f := newFixture(retrievable)
	f.after(Decide(f.si, f.in).Request, said(osbresult.Conflict, 409))
	f.in.Now = f.in.Now.Add(time.Hour)
	if got := Decide(f.si, f.in).say(); got != "inspect id small-id" {
		t.Fatal(got)
	}
	f.after(Decide(f.si, f.in).Request, said(osbresult.Gone, 404))
	if got := Decide(f.si, f.in).say(); got != "provision id small-id" {
		t.Errorf("then: %s, and not under another id", got)
	}
	deleted(f)
	lives(f)
	if got := Decide(f.si, f.in).say(); got != "deprovision id small-id" {
		t.Errorf("deleted: %s", got)
	}
}

// TestABudgetIsResetByAChange: and only by that.
func TestABudgetIsResetByAChange(t *testing.T) {
	f := newFixture()
	for i := 0; ; i++ {
		next := Decide(f.si, f.in)
		if removals := attemptsOf(f.si).Removals; removals == lifecycle.MaxRemovals {
			break
		}
		if i > 200 {
			t.Fatal("it is never cleaned up")
		}
		if next.Request != nil {
			class := osbresult.Unknown
			if next.Request.Operation == lifecycle.Deprovision {
				class = osbresult.Gone
			}
			f.after(next.Request, said(class, 500))
		}
		f.in.Now = f.in.Now.Add(time.Hour)
	}
	if got := f.si.Status.LastConditionState; got != v1beta1.ConditionFailed {
		t.Errorf("it says %s", got)
	}
	edited2(f)
	if got := Decide(f.si, f.in).say(); got != "journal provision "+lifecycle.InstanceID(f.si)+" small-id" {
		t.Error("after an edit:", got)
	}
}

// TestWhatIsTriedAgainIsNotStalled: and a deletion says how to end it.
func TestWhatIsTriedAgainIsNotStalled(t *testing.T) {
	f := newFixture(fs(provisioning, deleted)...)
	for _, isDeleted := range []bool{true, false} {
		if !isDeleted {
			f = newFixture()
		}
		status := StatusForBlocker(f.si, lifecycle.InProgress(v1beta1.ReasonErrorGettingClusterID, "no answer"), lifecycletest.T0)
		ready, stalled := lifecycle.FindCondition(status.Conditions, v1beta1.ConditionReady), lifecycle.FindCondition(status.Conditions, v1beta1.ConditionStalled)
		if stalled.Status != v1beta1.ConditionFalse || !strings.HasPrefix(ready.Message, "no answer") || strings.Contains(ready.Message, "to release the object") != isDeleted {
			t.Errorf("deleted %v: %+v", isDeleted, status.Conditions)
		}
	}
}

// TestAnUpdateSaysWhatWasBeforeOnlyIfThatIsKnown: brokers refuse what is not so.
func TestAnUpdateSaysWhatWasBeforeOnlyIfThatIsKnown(t *testing.T) {
	for name, c := range map[string]struct {
		edits []func(*fixture)
		want  string
	}{
		"one edit":                 {fs(ready, planned), "small-id"},
		"two edits":                {fs(ready, planned, planned), "small-id"},
		"one, by whom led before":  {fs(ready, planned, restarted), ""},
		"an update with no answer": {fs(ready, planned, unanswered, later(time.Hour)), ""},
	} {
		f := newFixture(c.edits...)
		if call := Decide(f.si, f.in).Request; call == nil || call.PreviousPlanID != c.want {
			t.Errorf("%s: %+v, want %q before", name, call, c.want)
		}
	}
}

// TestMaintenanceIsForWhoAsks: not for who changes a Secret.
func TestMaintenanceIsForWhoAsks(t *testing.T) {
	version := func(v string) func(*fixture) {
		return func(f *fixture) {
			for _, p := range f.plans {
				p.Spec.MaintenanceInfo = &v1beta1.MaintenanceInfo{Version: v}
			}
		}
	}
	touched := func(f *fixture) { f.si.Generation++; f.si.Spec.UpdateRequests++ }
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"a Secret":             {fs(rotated("v2", "p5")), "1.0 journal update id small-id +parameters"},
		"a Secret, unknown":    {fs(rotated("v2", "p5"), unanswered), "1.0 update id small-id +parameters"},
		"touched":              {fs(touched), "2.0 journal update id small-id"},
		"edited":               {fs(edited2), "2.0 journal update id small-id +parameters"},
		"planned":              {fs(planned), "2.0 journal update id large-id +plan"},
		"touched and a Secret": {fs(touched, rotated("v2", "p5")), "2.0 journal update id small-id +parameters"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(append(fs(version("1.0"), ready, version("2.0")), append(test.is, later(time.Hour))...)...)
			next := Decide(f.si, f.in)
			if got := next.Request.Properties.MaintenanceVersion + " " + next.say(); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
	f := newFixture(retrievable, version("2.0"), conflicting, later(time.Hour))
	found := said(osbresult.Done, 200)
	found.Instance = &osbresult.Instance{PlanID: "small-id", MaintenanceVersion: "1.0"}
	f.after(Decide(f.si, f.in).Request, found)
	if got := Decide(f.si, f.in).Request.PreviousMaintenanceVersion; got != "1.0" {
		t.Errorf("what was found has %q, not what is asked for", got)
	}
}

// TestPollsAreAtMostAMinuteApart: a user waits.
func TestPollsAreAtMostAMinuteApart(t *testing.T) {
	f := newFixture(provisioning)
	for _, running := range []time.Duration{0, time.Second, time.Minute, time.Hour, 24 * time.Hour} {
		f.in.Now = lifecycletest.T0.Add(running)
		f.in.LastPoll, f.in.PollAfter = f.in.Now, time.Hour
		if wait := Decide(f.si, f.in).RequeueAt.Sub(f.in.Now); wait <= 0 || wait > time.Minute {
			t.Errorf("after %s it waits %s", running, wait)
		}
	}
}

// TestAnOperationMayTakeAsLongAsItsPlanSays: not the one that the spec names by now.
func TestAnOperationMayTakeAsLongAsItsPlanSays(t *testing.T) {
	limited := func(f *fixture) { f.in.Offering.Plan.Common().MaximumPollingDurationSeconds = new(int64(600)) }
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string // after an hour
		then string // once the broker has said that it is still in progress
	}{
		"provisioning":                    {fs(limited, provisioning), "poll id small-id", "deprovision id small-id"},
		"provisioning, then a short plan": {fs(provisioning, planned, limited), "poll id small-id", "wait"},
		"provisioning, then a long plan":  {fs(limited, provisioning, planned), "poll id small-id", "deprovision id small-id"},
		"updating to a short plan":        {fs(ready, planned, limited, accepted), "poll id small-id", "wait"},
		"updating, then a short plan":     {fs(ready, edited2, accepted, planned, limited), "poll id small-id", "wait"},
		"removing":                        {fs(limited, ready, deleted, lives, accepted), "deprovision id small-id", ""},
		"removing, a short plan named":    {fs(ready, planned, limited, deleted, lives, accepted), "poll id small-id (removal)", "wait"},
		"plan gone from the catalog":      {fs(limited, provisioning, func(f *fixture) { f.in.OperationPlan = nil }), "poll id small-id", "wait"},
		"cleaning up":                     {fs(limited, unknownTimes(4), accepted), "deprovision id small-id", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(append(test.is, later(time.Hour))...)
			next := Decide(f.si, f.in)
			if got := next.say(); got != test.want {
				t.Fatalf("%s, want %s", got, test.want)
			}
			if next.Request.Operation != lifecycle.Poll {
				return
			}
			f.after(next.Request, stateOf(osbresult.InProgress))
			if got := Decide(f.si, f.in).say(); got != test.then {
				t.Errorf("then: %s, want %s", got, test.then)
			}
		})
	}
}

// TestEitherLimitEndsInFailure: the plan's, and ours where it says none, or more.
// conformance: L12
func TestEitherLimitEndsInFailure(t *testing.T) {
	const week = 7 * 24 * time.Hour
	for said, limit := range map[int64]time.Duration{600: 10 * time.Minute, 0: week, 2 * 7 * 24 * 3600: week} {
		inProgress := func(f *fixture) { f.after(Decide(f.si, f.in).Request, stateOf(osbresult.InProgress)) }
		f := newFixture(func(f *fixture) { f.in.Offering.Plan.Common().MaximumPollingDurationSeconds = &said }, provisioning, later(limit-time.Second), inProgress)
		if !f.si.Status.AsyncOpInProgress {
			t.Errorf("%d s: just before %s: %+v", said, limit, f.si.Status.Conditions)
		}
		later(time.Minute)(f)
		inProgress(f)
		failed := lifecycle.FindCondition(f.si.Status.Conditions, v1beta1.ConditionOrphanMitigation)
		if failed == nil || !strings.Contains(failed.Message, "timed out after "+duration.ShortHumanDuration(limit)) || f.si.Status.AsyncOpInProgress {
			t.Errorf("%d s: after %s: %+v", said, limit, f.si.Status.Conditions)
		}
	}
}

func BenchmarkDecideInstance(b *testing.B) {
	for name, edits := range map[string][]func(*fixture){
		"new": nil, "ready": fs(ready), "changed": fs(ready, edited2), "deleted": fs(ready, deleted),
	} {
		b.Run(name, func(b *testing.B) {
			f := newFixture(edits...)
			b.ReportAllocs()
			for b.Loop() {
				Decide(f.si, f.in)
			}
		})
	}
}

// onceUnchangeable is an instance that waited, as its class did not let it have another plan.
func onceUnchangeable(f *fixture) {
	class := f.in.Offering.Class.Common()
	class.PlanUpdatable = false
	f.si.Status = Decide(f.si, f.in).Status
	class.PlanUpdatable = true
}
