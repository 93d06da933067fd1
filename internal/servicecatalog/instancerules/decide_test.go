// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// An update names the previous plan only if it is known: the broker refuses a wrong one.
func TestUpdateNamesThePreviousPlanOnlyIfKnown(t *testing.T) {
	for name, test := range map[string]struct {
		given []func(*fixture)
		want  string
	}{
		"known after one edit":                            {edits(ready, otherPlan), "small-id"},
		"known after two edits":                           {edits(ready, otherPlan, otherPlan), "small-id"},
		"known after an update that failed":               {edits(ready, otherPlan, accepted, operationFailed, otherParameters), "small-id"},
		"unknown after a restart with an update recorded": {edits(ready, otherPlan, restarted), ""},
		"unknown after an update without an answer":       {edits(ready, otherPlan, unanswered), ""},
		"unknown although the first plan is back":         {edits(ready, otherPlan, unanswered, firstPlanAgain), ""},
	} {
		f := newFixture(test.given...)
		f.in.Now = f.in.Now.Add(time.Hour)
		next := Decide(f.si, f.inputs())
		if next.Request == nil || next.Request.Operation != rules.Update || next.Request.PreviousPlanID != test.want {
			t.Errorf("%s: %s %+v, want %q", name, next.describe(), next.Request, test.want)
		}
	}
}

func TestDecideInstance(t *testing.T) {
	for name, test := range map[string]struct {
		why   string
		given []func(*fixture)
		want  string
	}{
		"new":                                 {"a request is on record before it is sent (R1)", nil, "write-ahead provision id small-id"},
		"new, restarted":                      {"the request is on record already", edits(restarted), "provision id small-id"},
		"new, restarted, edited":              {"the recorded request may have been sent", edits(restarted, otherParameters), "write-ahead deprovision id small-id"},
		"F-JS1 new, without a default status": {"it was created before the schema had a default", edits(noDefault), "write-ahead provision id small-id"},
		"F-JS1 new, without finalizer or default status":   {"it was created before the schema had a default", edits(noDefault, func(f *fixture) { f.si.Finalizers = nil }), "add finalizer"},
		"new, without finalizer":                           {"the finalizer is added before the first request", edits(func(f *fixture) { f.si.Finalizers = nil }), "add finalizer"},
		"ready, without finalizer":                         {"a user removed the finalizer", edits(ready, func(f *fixture) { f.si.Finalizers = nil }), "nothing: Abandoned"},
		"F-S56 new, the namespace is being deleted":        {"the instance is deleted next", edits(inTerminatingNamespace), "nothing: NamespaceTerminating"},
		"F-S56 other plan, the namespace is being deleted": {"the instance is deleted next", edits(ready, otherPlan, inTerminatingNamespace), "nothing: NamespaceTerminating"},
		"F-S56 ready, the namespace is being deleted":      {"nothing has changed", edits(ready, inTerminatingNamespace), "nothing: Ready"},
		"ready":                                                    {"nothing has changed", edits(ready), "nothing: Ready"},
		"other parameters":                                         {"an update leaves out what does not change", edits(ready, otherParameters), "write-ahead update id small-id +parameters"},
		"other plan":                                               {"an update leaves out what does not change", edits(ready, otherPlan), "write-ahead update id large-id +plan"},
		"other plan, not updatable":                                {"the class does not allow another plan", edits(func(f *fixture) { f.in.Offering.Class.Common().PlanUpdatable = false }, ready, otherPlan), "nothing: UpdateInstanceCallFailed"},
		"other plan, updatable again":                              {"the class allows another plan by now", edits(ready, otherPlan, onceUnchangeable), "write-ahead update id large-id +plan"},
		"updateRequests incremented":                               {"svcat touch does it to request an update", edits(ready, func(f *fixture) { f.si.Generation++; f.si.Spec.UpdateRequests++ }), "write-ahead update id small-id"},
		"other generation only":                                    {"nothing that the broker is sent has changed", edits(ready, func(f *fixture) { f.si.Generation++ }), "nothing: Ready"},
		"edited twice":                                             {"no request was sent for the first edit", edits(ready, otherParameters, otherParameters), "write-ahead update id small-id +parameters"},
		"edited twice, the first on record":                        {"the first request may have been sent", edits(ready, otherPlan, restarted, unreachable, firstPlanAgain), "write-ahead update id small-id +plan +parameters"},
		"edited twice, the second is the first plan":               {"no request was sent", edits(ready, otherPlan, unreachable, firstPlanAgain), "nothing: Ready"},
		"update timed out, first plan again":                       {"the broker may still finish the update", edits(ready, otherPlan, accepted, tooLate, firstPlanAgain), "write-ahead update id small-id +plan +parameters"},
		"update failed, first plan again":                          {"the broker reports that nothing has changed", edits(ready, otherPlan, accepted, operationFailed, firstPlanAgain), "nothing: Ready"},
		"update refused and instance unusable, first plan again":   {"the plan is the same, but the instance is unusable", edits(ready, otherPlan, broken, firstPlanAgain), "write-ahead update id small-id"},
		"operation failed and instance unusable, first plan again": {"the plan is the same, but the instance is unusable", edits(ready, otherPlan, accepted, operationBroke, firstPlanAgain), "write-ahead update id small-id"},
		"Secret's value refused and instance unusable, first value again": {"the value is the same, but the instance is unusable", edits(ready, rotated("v2", "p5"), broken, rotated("v3", "p0")), "write-ahead update id small-id"},
		"other plan, broker was unavailable":                              {"the request is sent once the broker is available", edits(ready, otherPlan, unreachable), "write-ahead update id large-id +plan"},
		"parameters in a Secret":                                          {"they are read only when they are sent", edits(func(f *fixture) { f.in.Parameters.Known, f.in.Parameters.Version = false, "v1" }), "read parameters"},
		"Secret changed":                                                  {"only a read shows whether the value has changed", edits(ready, func(f *fixture) { f.in.Parameters.Known, f.in.Parameters.Version = false, "v2" }), "read parameters"},
		"Secret's value changed":                                          {"the generation does not show it", edits(ready, func(f *fixture) { f.in.Parameters.Version, f.in.Parameters.Checksum = "v2", "p5" }), "write-ahead update id small-id +parameters"},
		"Secret changed, same value":                                      {"nothing that the broker is sent has changed", edits(ready, func(f *fixture) { f.in.Parameters.Version = "v2" }), "nothing: Ready"},
		"Secret's value refused, first value again":                       {"the broker has the first value", edits(ready, rotated("v2", "p5"), refusedOnce, rotated("v3", "p0")), "nothing: Ready"},
		"new, invalid parameters":                                         {"the class's schema refuses them", edits(refusedParameters), "nothing: ErrorWithParameters"},
		"updateRequests incremented, invalid parameters":                  {"the parameters have not changed, so that they are not sent", edits(ready, refusedParameters, func(f *fixture) { f.si.Generation++; f.si.Spec.UpdateRequests++ }), "write-ahead update id small-id"},
		"other plan, invalid parameters":                                  {"the parameters have not changed, so that they are not sent", edits(ready, refusedParameters, otherPlan), "write-ahead update id large-id +plan"},
		"other parameters, invalid":                                       {"the class's schema refuses them", edits(ready, refusedParameters, otherParameters), "nothing: ErrorWithParameters"},
		"provision without an answer, then edited":                        {"the broker may refuse to repeat a provision with another body", edits(unknownTimes(1), otherParameters), "write-ahead deprovision id small-id"},
		"supplied id that another object owns": {"another object's resource is not changed (R10)", edits(suppliedID, func(f *fixture) {
			f.in.Claimants = rules.Claimants{{UID: "other", Display: "the other", Owns: true}}
		}), "nothing: ExternalIDInUse"},
		"class not found": {"", edits(func(f *fixture) {
			f.in.Offering = rules.Offering{Missing: rules.BlockedBy(v1beta1.ReasonReferencesNonexistentServiceClass, "x")}
		}), "nothing: ReferencesNonexistentServiceClass"},
		"new, without references":                          {"an admission policy decides on them before the first request", edits(unresolved), "write references"},
		"new, references refused":                          {"the API server has not accepted the plan", edits(unresolved, refusedRefs), "nothing: ErrorWritingReferences"},
		"other plan, references refused":                   {"the API server has not accepted the plan", edits(ready, otherPlan, unresolved, refusedRefs), "nothing: ErrorWritingReferences"},
		"ready, references refused":                        {"the broker has the plan", edits(ready, unresolved, refusedRefs), "nothing: Ready"},
		"new, references refused, deleted":                 {"no request was ever sent", edits(unresolved, refusedRefs, deleted, definitionExists), "release DeprovisionedSuccessfully"},
		"new, class removed from the catalog":              {"", edits(func(f *fixture) { f.in.Offering.Class.CommonStatus().RemovedFromBrokerCatalog = true }), "nothing: ReferencesDeletedServiceClass"},
		"other parameters, class removed from the catalog": {"the existing instance can be updated", edits(ready, otherParameters, func(f *fixture) { f.in.Offering.Class.CommonStatus().RemovedFromBrokerCatalog = true }), "write-ahead update id small-id +parameters"},

		"provisioning":                      {"", edits(provisioning), "poll id small-id"},
		"provisioning, edited":              {"the edit is applied after the operation", edits(provisioning, otherPlan), "poll id small-id"},
		"provisioning, deleted":             {"the CRD is read before anything is deleted at the broker (R10)", edits(provisioning, deleted), "read CRD"},
		"provisioning, deleted, CRD exists": {"the operation need not end first", edits(provisioning, deleted, definitionExists), "deprovision id small-id"},
		"provisioning, timed out":           {"the broker is polled once more, since the operation may have ended in time (R11)", edits(provisioning, later(8*24*time.Hour)), "poll id small-id"},

		"new, deleted":                  {"no request was ever sent", edits(deleted, definitionExists), "release DeprovisionedSuccessfully"},
		"new, restarted, deleted":       {"the recorded request may have been sent", edits(restarted, deleted, definitionExists), "deprovision id small-id"},
		"ready, deleted":                {"", edits(ready, deleted, definitionExists), "deprovision id small-id"},
		"ready, other plan, deleted":    {"the request names the plan that the broker has", edits(ready, otherPlan, deleted, definitionExists), "deprovision id small-id"},
		"ready, deleted, with bindings": {"", edits(ready, deleted, definitionExists, boundTo, later(bindingsDeletionDelay)), "nothing: DeprovisionBlockedByExistingCredentials"},
		"ready, deleted, policy Retain": {"the policy is Retain", edits(ready, deleted, func(f *fixture) {
			f.si.Annotations[v1beta1.DeletionPolicyAnnotation] = v1beta1.DeletionPolicyRetain
		}), "release Retained"},
		"supplied id, 200, deleted": {"a 200 proves that another created the instance (R10)", edits(suppliedID, used, deleted, definitionExists), "release Retained"},
		"supplied id, 200, deleted, policy Delete": {"the user allowed the deletion", edits(suppliedID, used, deleted, definitionExists, func(f *fixture) {
			f.si.Annotations = map[string]string{v1beta1.DeletionPolicyAnnotation: v1beta1.DeletionPolicyDelete}
		}), "deprovision id small-id"},
		"supplied id, policy Delete, provision failed": {"the policy is for the deletion of the object only (R10)", edits(suppliedIDToDelete, unknownTimes(4)), "provision id small-id"},
		"supplied id, policy Delete, conflict":         {"the policy is for the deletion of the object only (R10)", edits(suppliedIDToDelete, conflicting), "wait"},
		"supplied id, policy Delete, operation failed": {"the policy is for the deletion of the object only (R10)", edits(suppliedIDToDelete, provisioning, operationFailed), "wait"},
		"supplied id, 201, deleted":                    {"a 201 proves that this object created the instance (R10)", edits(suppliedID, created, deleted, definitionExists), "deprovision id small-id"},
		"ready, deleted, another owner": {"the other owner deletes the instance", edits(ready, deleted, definitionExists, func(f *fixture) {
			f.in.Claimants = rules.Claimants{{UID: "other", Display: "the other", Owns: true}}
		}), "release Retained"},
		"ready, deleted with the CRD":           {"the deletion of the CRD must not delete anything at the broker (R10)", edits(ready, deleted, func(f *fixture) { f.in.Definition = rules.DefinitionTerminating }), "wait"},
		"status older than the object, deleted": {"a status from a backup does not prove ownership (R10)", edits(used, func(f *fixture) { f.si.CreationTimestamp.Time = rulestest.T0.Add(time.Hour) }, deleted, definitionExists), "release Retained"},
		"ready, deleted, broker not found":      {"the object stays until the broker exists or a user releases it (R8)", edits(ready, deleted, definitionExists, later(time.Hour), func(f *fixture) { f.in.Offering.Broker = nil }), "nothing: ReferencesNonexistentBroker"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.given...)
			if got := Decide(f.si, f.inputs()).describe(); got != test.want {
				t.Errorf("%s, want %s (%s)", got, test.want, test.why)
			}
		})
	}
}

// TestFoundInstanceHasTheReportedMaintenanceVersion: the catalog may have a newer version by now.
// conformance: F06
func TestFoundInstanceHasTheReportedMaintenanceVersion(t *testing.T) {
	f := newFixture(retrievable)
	f.in.Offering.Plan.Common().MaintenanceInfo = &v1beta1.MaintenanceInfo{Version: "2.0.0"}
	f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Conflict, 409))
	f.in.Now = f.in.Now.Add(time.Hour)
	found := answerOf(osbresult.Done, 200)
	found.Instance = &osbresult.Instance{PlanID: "small-id", MaintenanceVersion: "1.0.0"}
	f.after(Decide(f.si, f.inputs()).Request, found)
	if got := f.si.Status.ExternalProperties.MaintenanceVersion; got != "1.0.0" {
		t.Errorf("the recorded version is %q", got)
	}
	call := Decide(f.si, f.inputs()).Request
	if call.PreviousMaintenanceVersion != "1.0.0" || call.Properties.MaintenanceVersion != "2.0.0" {
		t.Errorf("the update is from version %q to %q", call.PreviousMaintenanceVersion, call.Properties.MaintenanceVersion)
	}
}

// TestInstanceThatIsNotFoundKeepsItsID: brokers answer 404 also for an instance that they are still creating.
// conformance: F04
func TestInstanceThatIsNotFoundKeepsItsID(t *testing.T) {
	f := newFixture(retrievable)
	f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Conflict, 409))
	f.in.Now = f.in.Now.Add(time.Hour)
	if got := Decide(f.si, f.inputs()).describe(); got != "inspect id small-id" {
		t.Fatal(got)
	}
	f.after(Decide(f.si, f.inputs()).Request, answerOf(osbresult.Gone, 404))
	if got := Decide(f.si, f.inputs()).describe(); got != "provision id small-id" {
		t.Errorf("after the 404: %s, want a provision under the same id", got)
	}
	deleted(f)
	definitionExists(f)
	if got := Decide(f.si, f.inputs()).describe(); got != "deprovision id small-id" {
		t.Errorf("after the deletion: %s", got)
	}
}

// TestOnlyAnEditResetsTheAttempts: after MaxRemovals removals of failed attempts, nothing is tried until the spec changes.
func TestOnlyAnEditResetsTheAttempts(t *testing.T) {
	f := newFixture()
	for i := 0; ; i++ {
		next := Decide(f.si, f.inputs())
		if removals := attemptsOf(f.si).Removals; removals == rules.MaxRemovals {
			break
		}
		if i > 200 {
			t.Fatal("the attempts never end")
		}
		if next.Request != nil {
			class := osbresult.Unknown
			if next.Request.Operation == rules.Deprovision {
				class = osbresult.Done
			}
			f.after(next.Request, answerOf(class, 500))
		}
		f.in.Now = f.in.Now.Add(time.Hour)
	}
	if got := f.si.Status.LastConditionState; got != v1beta1.ConditionFailed {
		t.Errorf("the condition is %s", got)
	}
	otherParameters(f)
	if got := Decide(f.si, f.inputs()).describe(); got != "write-ahead provision "+rules.InstanceID(f.si)+" small-id" {
		t.Error("after an edit:", got)
	}
}

// TestRetriedInstanceIsNotStalled: if it is being deleted, the message also says how to release the object.
func TestRetriedInstanceIsNotStalled(t *testing.T) {
	f := newFixture(edits(provisioning, deleted)...)
	for _, isDeleted := range []bool{true, false} {
		if !isDeleted {
			f = newFixture()
		}
		status := StatusForBlocker(f.si, rules.InProgress(v1beta1.ReasonErrorGettingClusterID, "no answer"), rulestest.T0)
		ready, stalled := rules.FindCondition(status.Conditions, v1beta1.ConditionReady), rules.FindCondition(status.Conditions, v1beta1.ConditionStalled)
		saysHowToRelease := strings.Contains(ready.Message, "to release the object")
		if stalled.Status != v1beta1.ConditionFalse || !strings.HasPrefix(ready.Message, "No answer") || saysHowToRelease != isDeleted {
			t.Errorf("deleted %v: %+v", isDeleted, status.Conditions)
		}
	}
}

// TestOnlyAnEditUpdatesTheMaintenanceVersion: a change of a Secret must not begin a maintenance that no user requested.
func TestOnlyAnEditUpdatesTheMaintenanceVersion(t *testing.T) {
	version := func(v string) func(*fixture) {
		return func(f *fixture) {
			for _, p := range f.plans {
				p.Spec.MaintenanceInfo = &v1beta1.MaintenanceInfo{Version: v}
			}
		}
	}
	touched := func(f *fixture) { f.si.Generation++; f.si.Spec.UpdateRequests++ }
	for name, test := range map[string]struct {
		given []func(*fixture)
		want  string
	}{
		"1.0 if a Secret changed":                            {edits(rotated("v2", "p5")), "1.0 write-ahead update id small-id +parameters"},
		"1.0 if a Secret changed and the outcome is unknown": {edits(rotated("v2", "p5"), unanswered), "1.0 update id small-id +parameters"},
		"2.0 if updateRequests changed":                      {edits(touched), "2.0 write-ahead update id small-id"},
		"2.0 if the parameters changed":                      {edits(otherParameters), "2.0 write-ahead update id small-id +parameters"},
		"2.0 if the plan changed":                            {edits(otherPlan), "2.0 write-ahead update id large-id +plan"},
		"2.0 if updateRequests and a Secret changed":         {edits(touched, rotated("v2", "p5")), "2.0 write-ahead update id small-id +parameters"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(append(edits(version("1.0"), ready, version("2.0")), append(test.given, later(time.Hour))...)...)
			next := Decide(f.si, f.inputs())
			if got := next.Request.Properties.MaintenanceVersion + " " + next.describe(); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
	f := newFixture(retrievable, version("2.0"), conflicting, later(time.Hour))
	found := answerOf(osbresult.Done, 200)
	found.Instance = &osbresult.Instance{PlanID: "small-id", MaintenanceVersion: "1.0"}
	f.after(Decide(f.si, f.inputs()).Request, found)
	if got := Decide(f.si, f.inputs()).Request.PreviousMaintenanceVersion; got != "1.0" {
		t.Errorf("the update of the found instance is from version %q, want 1.0", got)
	}
}

// TestPollsAreAtMostAMinuteApart: also if the broker asks for an hour.
func TestPollsAreAtMostAMinuteApart(t *testing.T) {
	f := newFixture(provisioning)
	for _, running := range []time.Duration{0, time.Second, time.Minute, time.Hour, 24 * time.Hour} {
		f.in.Now = rulestest.T0.Add(running)
		f.in.LastPoll, f.in.PollAfter = f.in.Now, time.Hour
		if wait := Decide(f.si, f.inputs()).RequeueAt.Sub(f.in.Now); wait <= 0 || wait > time.Minute {
			t.Errorf("after %s the next poll is in %s", running, wait)
		}
	}
}

// TestOperationHasTheTimeoutOfItsOwnPlan: the spec may name another plan by now.
func TestOperationHasTheTimeoutOfItsOwnPlan(t *testing.T) {
	withTimeout := func(f *fixture) { f.in.Offering.Plan.Common().MaximumPollingDurationSeconds = new(int64(600)) }
	for name, test := range map[string]struct {
		given []func(*fixture)
		want  string // after an hour
		then  string // once the broker has said that it is still in progress
	}{
		"10 minutes: provisioning":                                      {edits(withTimeout, provisioning), "poll id small-id", "deprovision id small-id"},
		"a week: provisioning, then a plan with 10 minutes":             {edits(provisioning, otherPlan, withTimeout), "poll id small-id", "wait"},
		"10 minutes: provisioning, then a plan with a week":             {edits(withTimeout, provisioning, otherPlan), "poll id small-id", "deprovision id small-id"},
		"10 minutes: updating to a plan with 10 minutes":                {edits(ready, otherPlan, withTimeout, accepted), "poll id small-id", "wait"},
		"a week: updating, then a plan with 10 minutes":                 {edits(ready, otherParameters, accepted, otherPlan, withTimeout), "poll id small-id", "wait"},
		"10 minutes: deprovisioning":                                    {edits(withTimeout, ready, deleted, definitionExists, accepted), "deprovision id small-id", ""},
		"a week: deprovisioning, the spec names a plan with 10 minutes": {edits(ready, otherPlan, withTimeout, deleted, definitionExists, accepted), "poll id small-id (removal)", "wait"},
		"a week: plan not found":                                        {edits(withTimeout, provisioning, func(f *fixture) { f.in.OperationPlan = nil }), "poll id small-id", "wait"},
		"10 minutes: orphan mitigation":                                 {edits(withTimeout, unknownTimes(4), accepted), "deprovision id small-id", ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(append(test.given, later(time.Hour))...)
			next := Decide(f.si, f.inputs())
			if got := next.describe(); got != test.want {
				t.Fatalf("%s, want %s", got, test.want)
			}
			if next.Request.Operation != rules.Poll {
				return
			}
			f.after(next.Request, pollAnswer(osbresult.InProgress))
			if got := Decide(f.si, f.inputs()).describe(); got != test.then {
				t.Errorf("then: %s, want %s", got, test.then)
			}
		})
	}
}

// TestOperationFailsAfterItsTimeout: the timeout is the plan's maximum polling duration, by default and at most a week.
// conformance: L12
func TestOperationFailsAfterItsTimeout(t *testing.T) {
	const week = 7 * 24 * time.Hour
	for planSeconds, limit := range map[int64]time.Duration{600: 10 * time.Minute, 0: week, 2 * 7 * 24 * 3600: week} {
		inProgress := func(f *fixture) { f.after(Decide(f.si, f.inputs()).Request, pollAnswer(osbresult.InProgress)) }
		f := newFixture(func(f *fixture) { f.in.Offering.Plan.Common().MaximumPollingDurationSeconds = &planSeconds }, provisioning, later(limit-time.Second), inProgress)
		if !f.si.Status.AsyncOpInProgress {
			t.Errorf("%d s: just before %s: %+v", planSeconds, limit, f.si.Status.Conditions)
		}
		later(time.Minute)(f)
		inProgress(f)
		failed := rules.FindCondition(f.si.Status.Conditions, v1beta1.ConditionOrphanMitigation)
		if failed == nil || !strings.Contains(failed.Message, "timed out after "+duration.ShortHumanDuration(limit)) || f.si.Status.AsyncOpInProgress {
			t.Errorf("%d s: after %s: %+v", planSeconds, limit, f.si.Status.Conditions)
		}
	}
}

func BenchmarkDecideInstance(b *testing.B) {
	for name, is := range map[string][]func(*fixture){
		"new": nil, "ready": edits(ready), "changed": edits(ready, otherParameters), "deleted": edits(ready, deleted),
	} {
		b.Run(name, func(b *testing.B) {
			f := newFixture(is...)
			b.ReportAllocs()
			for b.Loop() {
				Decide(f.si, f.inputs())
			}
		})
	}
}

// onceUnchangeable is an instance that was blocked because its class did not allow another plan, which it does by now.
func onceUnchangeable(f *fixture) {
	class := f.in.Offering.Class.Common()
	class.PlanUpdatable = false
	f.si.Status = Decide(f.si, f.inputs()).Status
	class.PlanUpdatable = true
}
