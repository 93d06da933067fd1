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

package servicecatalog

import (
	"fmt"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/osb"
)

// fixture is an instance and what surrounds it.
type fixture struct {
	si    *v1beta1.ServiceInstance
	w     instanceWorld
	plans map[string]*v1beta1.ClusterServicePlan
}

func newFixture(edits ...func(*fixture)) *fixture {
	walk := newInstanceWalk(nil, 0)
	f := &fixture{si: walk.si, w: walk.world(), plans: walk.plans}
	f.w.definition = definitionUnknown
	for _, edit := range edits {
		edit(f)
	}
	return f
}

// look looks up the plans that the status names.
func (f *fixture) look() {
	f.w.present, f.w.working = planIn(f.plans, f.si.Status.ExternalProperties), planIn(f.plans, workingProperties(&f.si.Status))
}

// after takes an answer into the status, as the shell does.
func (f *fixture) after(call *instanceCall, a answer) {
	f.si.Status = foldInstance(f.si, decideInstance(f.si, f.w).status, *call, a, f.w.now)
	f.w.firstSight = false
	f.w.polled = time.Time{}
	if call.verb == poll {
		f.w.polled = f.w.now
	}
	f.look()
}

func ready(f *fixture) {
	f.after(decideInstance(f.si, f.w).call, said(osb.Done, 201))
}

func provisioning(f *fixture) {
	f.after(decideInstance(f.si, f.w).call, said(osb.Accepted, 202))
}

func edited2(f *fixture) {
	f.si.Generation++
	f.w.parameters.Checksum = "p9"
}

func planned(f *fixture) {
	f.si.Generation++
	f.w.offer.plan = f.plans["large"]
}

func deleted(f *fixture) {
	at := metav1.NewTime(t0)
	f.si.DeletionTimestamp = &at
	f.si.Generation++
}

func brought(f *fixture) { f.si.Annotations = nil }

func later(d time.Duration) func(*fixture) {
	return func(f *fixture) { f.w.now = f.w.now.Add(d) }
}

func restarted(f *fixture) { f.w.firstSight, f.w.since = false, f.si.Generation }

// plannedBack has the plan be the first one again.
func plannedBack(f *fixture) {
	f.si.Generation++
	f.w.offer.plan = f.plans["small"]
}

// say describes a step in words.
func (s instanceStep) say() string {
	var parts []string
	switch {
	case s.protect:
		parts = append(parts, "protect")
	case s.prove:
		parts = append(parts, "prove")
	case s.read:
		parts = append(parts, "read")
	case s.release != nil:
		parts = append(parts, "release "+s.release.reason)
	}
	if s.journal {
		parts = append(parts, "journal")
	}
	if c := s.call; c != nil {
		parts = append(parts, string(c.verb), c.id, c.planID)
		if c.newPlan {
			parts = append(parts, "+plan")
		}
		if c.newParameters {
			parts = append(parts, "+parameters")
		}
		if c.removal {
			parts = append(parts, "(removal)")
		}
	}
	if !s.wake.IsZero() {
		parts = append(parts, "wait")
	}
	if len(parts) == 0 {
		return "nothing: " + s.status.LastConditionState
	}
	return strings.Join(parts, " ")
}

func TestDecideInstance(t *testing.T) {
	for name, test := range map[string]struct {
		why  string
		is   []func(*fixture)
		want string
	}{
		"new":                                        {"the object itself is the journal", nil, "provision id small-id"},
		"new after a restart":                        {"the body is the same as that of a request that may have been sent", fs(restarted), "provision id small-id"},
		"edited before it was sent":                  {"another process may have sent another plan", fs(restarted, edited2), "journal provision id small-id"},
		"without finalizer":                          {"R1", fs(func(f *fixture) { f.si.Finalizers = nil }), "protect"},
		"abandoned":                                  {"the finalizer was removed", fs(ready, func(f *fixture) { f.si.Finalizers = nil }), "nothing: Abandoned"},
		"ready":                                      {"R6", fs(ready), "nothing: Ready"},
		"other parameters":                           {"what does not change is left out", fs(ready, edited2), "update id small-id +parameters"},
		"other plan":                                 {"", fs(ready, planned), "update id large-id +plan"},
		"plan that must stay":                        {"", fs(func(f *fixture) { f.w.offer.class.Common().PlanUpdatable = false }, ready, planned), "nothing: Failed"},
		"touched":                                    {"as svcat touch does", fs(ready, func(f *fixture) { f.si.Generation++; f.si.Spec.UpdateRequests++ }), "update id small-id"},
		"only noticed":                               {"nothing that the broker cares for has changed", fs(ready, func(f *fixture) { f.si.Generation++ }), "nothing: Ready"},
		"two edits, one seen":                        {"the first may have been sent", fs(ready, edited2, edited2), "update id small-id +plan +parameters"},
		"two edits, one waited":                      {"the same", fs(ready, planned, restarted, unreachable, plannedBack), "update id small-id +plan +parameters"},
		"two edits, both waited":                     {"nothing was sent", fs(ready, planned, unreachable, plannedBack), "nothing: Ready"},
		"an update that took too long":               {"it may yet be carried out", fs(ready, planned, accepted, tooLate, plannedBack), "update id small-id +plan +parameters"},
		"an update that failed":                      {"the broker says that all is as it was", fs(ready, planned, accepted, operationFailed, plannedBack), "nothing: Ready"},
		"an edit that waited":                        {"the generation does not tell any more whether it was sent", fs(ready, planned, unreachable), "journal update id large-id +plan"},
		"parameters from a Secret":                   {"they are read when they are to be sent", fs(func(f *fixture) { f.w.parameters.known, f.w.parameters.version = false, "v1" }), "read"},
		"Secret changed":                             {"", fs(ready, func(f *fixture) { f.w.parameters.known, f.w.parameters.version = false, "v2" }), "read"},
		"Secret's value changed":                     {"nothing in the generation tells of it", fs(ready, func(f *fixture) { f.w.parameters.version, f.w.parameters.Checksum = "v2", "p5" }), "journal update id small-id +parameters"},
		"Secret's value the same":                    {"", fs(ready, func(f *fixture) { f.w.parameters.version = "v2" }), "nothing: Ready"},
		"Secret's value as it was":                   {"the broker has refused another", fs(ready, rotated("v2", "p5"), refusedOnce, rotated("v3", "p0")), "nothing: Ready"},
		"parameters that do not fit":                 {"", fs(refusedParameters), "nothing: ErrorWithParameters"},
		"touched, with parameters for a creation":    {"they are not sent", fs(ready, refusedParameters, func(f *fixture) { f.si.Generation++; f.si.Spec.UpdateRequests++ }), "update id small-id"},
		"other plan, with parameters for a creation": {"they are not sent", fs(ready, refusedParameters, planned), "update id large-id +plan"},
		"other parameters that do not fit":           {"", fs(ready, refusedParameters, edited2), "nothing: ErrorWithParameters"},
		"no answer, then edited":                     {"the body is another, and may be refused for that", fs(unknownTimes(1), edited2), "deprovision id small-id"},
		"id of another":                              {"R10", fs(brought, func(f *fixture) { f.w.claimed = true }), "nothing: ExternalIDInUse"},
		"no class": {"", fs(func(f *fixture) {
			f.w.offer = offer{missing: &word{v1beta1.ReasonReferencesNonexistentServiceClass, "x"}}
		}), "nothing: ReferencesNonexistentServiceClass"},
		"class gone":             {"", fs(func(f *fixture) { f.w.offer.class.CommonStatus().RemovedFromBrokerCatalog = true }), "nothing: ReferencesDeletedServiceClass"},
		"class gone, parameters": {"what is there can be changed", fs(ready, edited2, func(f *fixture) { f.w.offer.class.CommonStatus().RemovedFromBrokerCatalog = true }), "update id small-id +parameters"},

		"provisioning":               {"", fs(provisioning), "poll id small-id"},
		"edited while provisioning":  {"it is accepted, and applied after it", fs(provisioning, planned), "poll id small-id"},
		"deleted while provisioning": {"it is acted on", fs(provisioning, deleted), "prove"},
		"proven":                     {"", fs(provisioning, deleted, lives), "deprovision id small-id"},
		"overdue":                    {"the plan's limit is in the past", fs(provisioning, later(8*24*time.Hour)), "wait"},

		"deleted at once":         {"nothing was ever sent", fs(deleted, lives), "release DeprovisionedSuccessfully"},
		"deleted after a restart": {"something may have been sent", fs(restarted, deleted, lives), "deprovision id small-id"},
		"deleted":                 {"", fs(ready, deleted, lives), "deprovision id small-id"},
		"deleted with plan edit":  {"the plan that the broker has", fs(ready, planned, deleted, lives), "deprovision id small-id"},
		"deleted with bindings":   {"", fs(ready, deleted, lives, boundTo), "nothing: DeprovisionBlockedByExistingCredentials"},
		"retained": {"R8", fs(ready, deleted, func(f *fixture) {
			f.si.Annotations[v1beta1.DeletionPolicyAnnotation] = v1beta1.DeletionPolicyRetain
		}), "release Retained"},
		"brought and there": {"R10: a 200 proves only that it was there", fs(brought, used, deleted, lives), "release Retained"},
		"brought, with policy": {"R10", fs(brought, used, deleted, lives, func(f *fixture) {
			f.si.Annotations = map[string]string{v1beta1.DeletionPolicyAnnotation: v1beta1.DeletionPolicyDelete}
		}), "deprovision id small-id"},
		"brought, with policy, failed":                 {"R10: nobody has deleted it", fs(broughtToDelete, unknownTimes(4)), "provision id small-id"},
		"brought, with policy, in conflict":            {"R10", fs(broughtToDelete, conflicting), "nothing: Failed"},
		"brought, with policy, failed in its own time": {"R10", fs(broughtToDelete, provisioning, operationFailed), "nothing: Failed"},
		"brought and created":                          {"R10", fs(brought, created, deleted, lives), "deprovision id small-id"},
		"claimed by another":                           {"the last one deletes", fs(ready, deleted, lives, func(f *fixture) { f.w.claimed = true }), "release Retained"},
		"CRD deleted":                                  {"R10", fs(ready, deleted, func(f *fixture) { f.w.definition = definitionTerminating }), "nothing: DefinitionTerminating"},
		"restored":                                     {"R10: the record of its id is older than the object", fs(used, func(f *fixture) { f.si.CreationTimestamp.Time = t0.Add(time.Hour) }, deleted, lives), "release Retained"},
		"broker gone":                                  {"R8", fs(ready, deleted, lives, func(f *fixture) { f.w.offer.broker = nil }), "nothing: ReferencesNonexistentBroker"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			if got := decideInstance(f.si, f.w).say(); got != test.want {
				t.Errorf("%s, want %s (%s)", got, test.want, test.why)
			}
		})
	}
}

func fs(edits ...func(*fixture)) []func(*fixture) { return edits }

// broughtToDelete is brought, and to be removed once the object is deleted.
func broughtToDelete(f *fixture) {
	f.si.Annotations = map[string]string{v1beta1.DeletionPolicyAnnotation: v1beta1.DeletionPolicyDelete}
}

// unknownTimes has requests end in an outcome that is not known.
func unknownTimes(times int) func(*fixture) {
	return func(f *fixture) {
		for range times {
			f.after(decideInstance(f.si, f.w).call, said(osb.Unknown, 500))
			f.w.now = f.w.now.Add(time.Hour)
		}
	}
}

func conflicting(f *fixture) { f.after(decideInstance(f.si, f.w).call, said(osb.Conflict, 409)) }

// operationFailed is what the broker says of the operation.
func operationFailed(f *fixture) {
	a := said(osb.Done, 200)
	a.state = osb.Failed
	f.after(decideInstance(f.si, f.w).call, a)
}

func refusedParameters(f *fixture) {
	f.w.parameters.unfit = &word{v1beta1.ReasonErrorWithParameters, "x"}
}

func boundTo(f *fixture) { f.w.bindings = []string{"b"} }

func lives(f *fixture) { f.w.definition = definitionLives }

// used is an instance that was at the broker before.
func used(f *fixture) { f.after(decideInstance(f.si, f.w).call, said(osb.Done, 200)) }

// created is one that this very object has created.
func created(f *fixture) {
	a := said(osb.Done, 201)
	a.created = true
	f.after(decideInstance(f.si, f.w).call, a)
}

// TestProvisionAnswers has each row of the response matrix.
func TestProvisionAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		is     []func(*fixture)
		answer answer
		state  string // LastConditionState
		undo   v1beta1.DeprovisionStatus
		next   string // and after a day
	}{
		"201":                     {nil, said(osb.Done, 201), "Ready", "Required", "nothing: Ready"},
		"200":                     {nil, said(osb.Done, 200), "Ready", "Required", "nothing: Ready"},
		"202":                     {nil, said(osb.Accepted, 202), "Provisioning", "Required", "poll id small-id"},
		"400":                     {nil, said(osb.Rejected, 400), "Failed", "NotRequired", "nothing: Failed"},
		"400 to a repeat":         {fs(unknownOnce), said(osb.Rejected, 400), "OrphanMitigation", "Required", "deprovision id small-id"},
		"400 after a restart":     {fs(restarted), said(osb.Rejected, 400), "OrphanMitigation", "", "deprovision id small-id"},
		"401":                     {nil, said(osb.Retry, 401), "ProvisionCallFailed", "NotRequired", "journal provision id small-id"},
		"408":                     {nil, said(osb.Retry, 408), "ProvisionCallFailed", "NotRequired", "journal provision id small-id"},
		"429":                     {nil, said(osb.Retry, 429), "ProvisionCallFailed", "NotRequired", "journal provision id small-id"},
		"refused connection":      {nil, answer{Outcome: osb.Outcome{Class: osb.Retry}}, "ErrorCallingProvision", "NotRequired", "journal provision id small-id"},
		"409":                     {nil, said(osb.Conflict, 409), "ProvisionCallFailed", "Required", "inspect id small-id"},
		"409 under a brought id":  {fs(brought), said(osb.Conflict, 409), "Failed", "NotRequired", "nothing: Failed"},
		"ConcurrencyError":        {nil, said(osb.Concurrency, 422), "ProvisionCallFailed", "NotRequired", "journal provision id small-id"},
		"MaintenanceInfoConflict": {nil, said(osb.NeedsCatalog, 422), "ProvisionCallFailed", "NotRequired", "journal provision id small-id"},
		"412":                     {nil, said(osb.NeedsCatalog, 412), "ProvisionCallFailed", "NotRequired", "journal provision id small-id"},
		"422":                     {nil, said(osb.Rejected, 422), "Failed", "NotRequired", "nothing: Failed"},
		"500":                     {nil, said(osb.Unknown, 500), "ProvisionCallFailed", "Required", "provision id small-id"},
		"timeout":                 {nil, answer{Outcome: osb.Outcome{Class: osb.Unknown, Sent: true}}, "ErrorCallingProvision", "Required", "provision id small-id"},
		"200 malformed":           {nil, said(osb.Malformed, 200), "ProvisionCallFailed", "Required", "provision id small-id"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			call := decideInstance(f.si, f.w).call
			f.after(call, test.answer)
			if got := f.si.Status.LastConditionState; got != test.state {
				t.Errorf("says %s, want %s", got, test.state)
			}
			if got := f.si.Status.DeprovisionStatus; test.undo != "" && got != test.undo {
				t.Errorf("deprovisioning is %s, want %s", got, test.undo)
			}
			f.w.now = f.w.now.Add(24 * time.Hour)
			if got := decideInstance(f.si, f.w).say(); got != test.next {
				t.Errorf("then: %s, want %s", got, test.next)
			}
		})
	}
}

func unknownOnce(f *fixture) {
	f.after(decideInstance(f.si, f.w).call, said(osb.Unknown, 500))
	f.w.now = f.w.now.Add(time.Hour)
}

// TestAnUnknownOutcomeIsRepeatedThenRemoved is the ladder of orphan mitigation.
func TestAnUnknownOutcomeIsRepeatedThenRemoved(t *testing.T) {
	f := newFixture()
	var calls []string
	for range 12 {
		next := decideInstance(f.si, f.w)
		if next.call == nil {
			f.w.now = f.w.now.Add(time.Hour)
			continue
		}
		calls = append(calls, string(next.call.verb))
		a := said(osb.Unknown, 500)
		if next.call.verb == deprovision {
			a = said(osb.Done, 200)
		}
		f.after(next.call, a)
		f.w.now = f.w.now.Add(time.Hour)
	}
	want := "provision provision provision provision deprovision"
	if got := strings.Join(calls[:5], " "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if f.si.Status.ExternalID != "" {
		t.Errorf("the id became %s, and the broker did not refuse the old one", f.si.Status.ExternalID)
	}
}

// TestWhatHadNoEffectDoesNotUseUpTheAttempts: however long the broker could not be had.
func TestWhatHadNoEffectDoesNotUseUpTheAttempts(t *testing.T) {
	f := newFixture()
	asked := func(verb verb, class osb.Class, status, times int) {
		t.Helper()
		for i := range times {
			next := decideInstance(f.si, f.w)
			if next.call == nil || next.call.verb != verb {
				t.Fatalf("the %s is not made that is to end in %s: %s", ordinal(int32(i+1)), class, next.say())
			}
			f.after(next.call, said(class, status))
			f.w.now = f.w.now.Add(time.Hour)
		}
	}
	asked(provision, osb.Retry, 429, 25)
	asked(provision, osb.Unknown, 500, 4)
	asked(deprovision, osb.Unknown, 500, 25)
	asked(deprovision, osb.Done, 200, 1)
	asked(provision, osb.Malformed, 200, maxAttempts-5)
	asked(provision, osb.Unknown, 500, 4)
	asked(deprovision, osb.Done, 200, 1)
	asked(provision, osb.Done, 201, 1)
}

// TestARemovalIsTriedAsIfNothingHadFailedBefore: it is another request.
func TestARemovalIsTriedAsIfNothingHadFailedBefore(t *testing.T) {
	refused := func(times int) func(*fixture) {
		return func(f *fixture) {
			for range times {
				f.after(decideInstance(f.si, f.w).call, said(osb.Concurrency, 422))
				f.w.now = f.w.now.Add(time.Hour)
			}
		}
	}
	for name, is := range map[string][]func(*fixture){
		"deletion":              fs(restarted, refused(15), unknownTimes(1), deleted, lives),
		"deletion of an update": fs(ready, planned, refused(15), deleted, lives),
		"cleanup":               fs(refused(15), unknownTimes(4)),
		"cleanup of a failure":  fs(restarted, refused(15), refusedOnce),
		"deletion in a cleanup": fs(unknownTimes(4), unknownTimes(15), deleted, lives),
	} {
		for _, class := range []osb.Class{osb.Unknown, osb.Concurrency} {
			t.Run(fmt.Sprint(name, " ", class), func(t *testing.T) {
				f := newFixture(is...)
				next := decideInstance(f.si, f.w)
				if next.call == nil || next.call.verb != deprovision {
					t.Fatal(next.say())
				}
				f.after(next.call, said(class, 500))
				if wait := f.si.Status.Attempts.NextTime.Sub(f.w.now); wait > 2*time.Second {
					t.Errorf("it waits %s", wait)
				}
			})
		}
	}
}

// TestAnIDIsReplacedOnceTheBrokerRefusesIt: not before.
func TestAnIDIsReplacedOnceTheBrokerRefusesIt(t *testing.T) {
	f := newFixture()
	for range 4 {
		f.after(decideInstance(f.si, f.w).call, said(osb.Unknown, 500))
		f.w.now = f.w.now.Add(time.Hour)
	}
	f.after(decideInstance(f.si, f.w).call, said(osb.Done, 200)) // removed
	f.w.now = f.w.now.Add(time.Hour)
	f.after(decideInstance(f.si, f.w).call, said(osb.Conflict, 409))
	f.w.now = f.w.now.Add(time.Hour)
	next := decideInstance(f.si, f.w)
	if id := f.si.Status.ExternalID; id == "" || id != catalog.NextID("uid", "id", 1) || next.call == nil || next.call.id != id || next.call.verb != provision {
		t.Errorf("the id is %q, and next is %s", id, next.say())
	}
}

// TestAnIDIsNotReplacedByOneThatWasRefused: whatever was changed in between.
func TestAnIDIsNotReplacedByOneThatWasRefused(t *testing.T) {
	f := newFixture()
	had := map[string]bool{}
	for round := range 5 {
		id := idOf(f.si)
		if had[id] {
			t.Fatalf("round %d: %s once more", round, id)
		}
		had[id] = true
		unknownTimes(4)(f)
		edited := round%2 == 0
		if edited {
			edited2(f)
		}
		for range 30 { // until it is asked for under another
			next := decideInstance(f.si, f.w)
			switch {
			case next.call.verb == deprovision:
				f.after(next.call, said(osb.Done, 200))
				if !edited {
					edited2(f)
					edited = true
				}
			case next.call.verb == inspect:
				f.after(next.call, said(osb.Gone, 404))
			case next.call.id == id:
				f.after(next.call, said(osb.Conflict, 409))
			}
			f.w.now = f.w.now.Add(time.Hour)
		}
		if !catalog.IsNextID(f.si.UID, f.si.Spec.ExternalID, idOf(f.si)) {
			t.Fatalf("round %d: the id is %s", round, idOf(f.si))
		}
	}
}

// TestAnInstanceIsRememberedUntilTheBrokerHasNone: whatever else it answers.
// conformance: F02
func TestAnInstanceIsRememberedUntilTheBrokerHasNone(t *testing.T) {
	for _, out := range []answer{said(osb.Retry, 500), said(osb.Retry, 401), said(osb.Retry, 429), said(osb.Concurrency, 422), said(osb.Malformed, 200), said(osb.Malformed, 301), said(osb.Rejected, 400), said(osb.Rejected, 410),
		{Outcome: osb.Outcome{Class: osb.Retry}}} {
		f := newFixture(conflicting, later(time.Hour))
		next := decideInstance(f.si, f.w)
		if next.call == nil || next.call.verb != inspect {
			t.Fatal(next.say())
		}
		f.after(next.call, out)
		deleted(f)
		lives(f)
		if got := decideInstance(f.si, f.w).say(); got != "deprovision id small-id" {
			t.Errorf("after HTTP %d it is deleted by: %s", out.Status, got)
		}
	}
}

// TestWhatABrokerDoesNotTellHasNotChanged: what a fetch leaves out is not missing there.
// conformance: F05
func TestWhatABrokerDoesNotTellHasNotChanged(t *testing.T) {
	f := newFixture()
	f.after(decideInstance(f.si, f.w).call, said(osb.Conflict, 409))
	f.w.now = f.w.now.Add(time.Hour)
	found := said(osb.Done, 200)
	found.instance = &osb.Instance{PlanID: "small-id"} // and no parameters
	f.after(decideInstance(f.si, f.w).call, found)
	if got, want := decideInstance(f.si, f.w).say(), "update id small-id +plan +parameters"; got != want {
		t.Errorf("%s, want %s: it is ours, so it stays and is brought up to date", got, want)
	}
	f.after(decideInstance(f.si, f.w).call, said(osb.Done, 200))
	if got := decideInstance(f.si, f.w).say(); got != "nothing: Ready" {
		t.Error("then:", got)
	}
}

// TestWhatIsFoundIsOfTheVersionThatIsTold: and not of the one that the catalog has by now.
// conformance: F06
func TestWhatIsFoundIsOfTheVersionThatIsTold(t *testing.T) {
	f := newFixture()
	f.w.offer.plan.Common().MaintenanceInfo = &v1beta1.MaintenanceInfo{Version: "2.0.0"}
	f.after(decideInstance(f.si, f.w).call, said(osb.Conflict, 409))
	f.w.now = f.w.now.Add(time.Hour)
	found := said(osb.Done, 200)
	found.instance = &osb.Instance{PlanID: "small-id", MaintenanceVersion: "1.0.0"}
	f.after(decideInstance(f.si, f.w).call, found)
	if got := f.si.Status.ExternalProperties.MaintenanceVersion; got != "1.0.0" {
		t.Errorf("it is of version %q", got)
	}
	call := decideInstance(f.si, f.w).call
	if call.previousMaintenance != "1.0.0" || call.props.MaintenanceVersion != "2.0.0" {
		t.Errorf("it is updated from %q to %q", call.previousMaintenance, call.props.MaintenanceVersion)
	}
}

// TestWhatIsNotFoundIsNotForgotten: brokers say 404 also of what they are still making.
// conformance: F04
func TestWhatIsNotFoundIsNotForgotten(t *testing.T) {
	f := newFixture()
	f.after(decideInstance(f.si, f.w).call, said(osb.Conflict, 409))
	f.w.now = f.w.now.Add(time.Hour)
	if got := decideInstance(f.si, f.w).say(); got != "inspect id small-id" {
		t.Fatal(got)
	}
	f.after(decideInstance(f.si, f.w).call, said(osb.Gone, 404))
	if got := decideInstance(f.si, f.w).say(); got != "provision id small-id" {
		t.Errorf("then: %s, and not under another id", got)
	}
	deleted(f)
	lives(f)
	if got := decideInstance(f.si, f.w).say(); got != "deprovision id small-id" {
		t.Errorf("deleted: %s", got)
	}
}

// TestABudgetIsResetByAChange: and only by that.
func TestABudgetIsResetByAChange(t *testing.T) {
	f := newFixture()
	for i := 0; ; i++ {
		next := decideInstance(f.si, f.w)
		if next.call == nil && next.wake.IsZero() {
			break
		}
		if i > 200 {
			t.Fatal("it is tried for ever")
		}
		if next.call != nil {
			class := osb.Unknown
			if next.call.verb == deprovision {
				class = osb.Gone
			}
			f.after(next.call, said(class, 500))
		}
		f.w.now = f.w.now.Add(time.Hour)
	}
	if got := f.si.Status.LastConditionState; got != v1beta1.ConditionFailed {
		t.Errorf("it says %s", got)
	}
	edited2(f)
	if got := decideInstance(f.si, f.w).say(); got != "journal provision id small-id" {
		t.Error("after an edit:", got)
	}
}

// TestUpdateAnswers has each row of the response matrix.
func TestUpdateAnswers(t *testing.T) {
	unrepeatable := said(osb.Rejected, 422)
	unrepeatable.UpdateNotRepeatable, unrepeatable.InstanceUnusable = true, true
	for name, test := range map[string]struct {
		answer answer
		state  string
		plan   string // that the broker is known to have
		next   string // after a day
	}{
		"200":              {said(osb.Done, 200), "Ready", "large-id", "nothing: Ready"},
		"202":              {said(osb.Accepted, 202), "UpdatingInstance", "small-id", "poll id small-id"},
		"400":              {said(osb.Rejected, 400), "Failed", "small-id", "nothing: Failed"},
		"not repeatable":   {unrepeatable, "Failed", "small-id", "nothing: Failed"},
		"404":              {said(osb.Rejected, 404), "Failed", "small-id", "nothing: Failed"},
		"410":              {said(osb.Gone, 410), "Failed", "small-id", "nothing: Failed"},
		"429":              {said(osb.Retry, 429), "UpdateInstanceCallFailed", "small-id", "journal update id large-id +plan"},
		"ConcurrencyError": {said(osb.Concurrency, 422), "UpdateInstanceCallFailed", "small-id", "journal update id large-id +plan"},
		"500":              {said(osb.Retry, 500), "UpdateInstanceCallFailed", "small-id", "update id large-id +plan +parameters"},
		"502":              {said(osb.Unknown, 502), "UpdateInstanceCallFailed", "small-id", "update id large-id +plan +parameters"},
		"timeout":          {answer{Outcome: osb.Outcome{Class: osb.Unknown, Sent: true}}, "ErrorCallingUpdateInstance", "small-id", "update id large-id +plan +parameters"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(ready, planned)
			f.after(decideInstance(f.si, f.w).call, test.answer)
			if got := f.si.Status.LastConditionState; got != test.state {
				t.Errorf("says %s, want %s", got, test.state)
			}
			if got := planIDOf(f.si.Status.ExternalProperties); got != test.plan {
				t.Errorf("the broker has %s, want %s", got, test.plan)
			}
			f.w.now = f.w.now.Add(24 * time.Hour)
			if test.answer.Class == osb.Accepted {
				f.w.now = f.w.now.Add(-23 * time.Hour)
			}
			if got := decideInstance(f.si, f.w).say(); got != test.next {
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
		answer answer
		state  string
		next   string // after an hour
	}{
		"200":              {said(osb.Done, 200), "DeprovisionedSuccessfully", "release DeprovisionedSuccessfully"},
		"410":              {said(osb.Gone, 410), "DeprovisionedSuccessfully", "release DeprovisionedSuccessfully"},
		"202":              {said(osb.Accepted, 202), "Deprovisioning", "poll id small-id (removal)"},
		"400":              {said(osb.Rejected, 400), "DeprovisionCallFailed", "deprovision id small-id"},
		"404":              {said(osb.Rejected, 404), "DeprovisionCallFailed", "deprovision id small-id"},
		"409":              {said(osb.Conflict, 409), "DeprovisionCallFailed", "deprovision id small-id"},
		"ConcurrencyError": {said(osb.Concurrency, 422), "DeprovisionCallFailed", "deprovision id small-id"},
		"500":              {said(osb.Unknown, 500), "DeprovisionCallFailed", "deprovision id small-id"},
		"timeout":          {answer{Outcome: osb.Outcome{Class: osb.Unknown, Sent: true}}, "DeprovisionCallFailed", "deprovision id small-id"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(ready, deleted, lives)
			f.after(decideInstance(f.si, f.w).call, test.answer)
			if got := f.si.Status.LastConditionState; got != test.state {
				t.Errorf("says %s, want %s", got, test.state)
			}
			f.w.now = f.w.now.Add(time.Hour)
			if got := decideInstance(f.si, f.w).say(); got != test.next {
				t.Errorf("then: %s, want %s", got, test.next)
			}
		})
	}
}

// TestPollAnswers has what brokers say of operations.
func TestPollAnswers(t *testing.T) {
	in := func(state osb.State) answer {
		a := said(osb.Done, 200)
		a.state = state
		return a
	}
	updating := func(f *fixture) {
		ready(f)
		planned(f)
		f.after(decideInstance(f.si, f.w).call, said(osb.Accepted, 202))
	}
	deprovisioning := func(f *fixture) {
		ready(f)
		deleted(f)
		lives(f)
		f.after(decideInstance(f.si, f.w).call, said(osb.Accepted, 202))
	}
	for name, test := range map[string]struct {
		is     func(*fixture)
		answer answer
		state  string
		next   string // after an hour
	}{
		"provisioned":           {provisioning, in(osb.Succeeded), "Ready", "nothing: Ready"},
		"provisioning":          {provisioning, in(osb.InProgress), "Provisioning", "poll id small-id"},
		"provisioning failed":   {provisioning, in(osb.Failed), "OrphanMitigation", "deprovision id small-id"},
		"provisioning, 410":     {provisioning, said(osb.Malformed, 410), "ErrorPollingLastOperation", "poll id small-id"},
		"provisioning, 500":     {provisioning, said(osb.Retry, 500), "ErrorPollingLastOperation", "poll id small-id"},
		"provisioning, timeout": {provisioning, answer{Outcome: osb.Outcome{Class: osb.Retry, Sent: true}}, "ErrorPollingLastOperation", "poll id small-id"},
		"updated":               {updating, in(osb.Succeeded), "Ready", "nothing: Ready"},
		"updating failed":       {updating, in(osb.Failed), "Failed", "nothing: Failed"},
		"deprovisioned":         {deprovisioning, in(osb.Succeeded), "DeprovisionedSuccessfully", "release DeprovisionedSuccessfully"},
		"deprovisioned, 410":    {deprovisioning, said(osb.Gone, 410), "DeprovisionedSuccessfully", "release DeprovisionedSuccessfully"},
		"deprovisioning, 404":   {deprovisioning, said(osb.Malformed, 404), "DeprovisionCallFailed", "deprovision id small-id"},
		"deprovisioning failed": {deprovisioning, in(osb.Failed), "DeprovisionCallFailed", "deprovision id small-id"},
		"deprovisioning":        {deprovisioning, in(osb.InProgress), "Deprovisioning", "poll id small-id (removal)"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is)
			call := decideInstance(f.si, f.w).call
			if call == nil || call.verb != poll {
				t.Fatalf("it is not polled: %s", decideInstance(f.si, f.w).say())
			}
			f.after(call, test.answer)
			if got := f.si.Status.LastConditionState; got != test.state {
				t.Errorf("says %s, want %s", got, test.state)
			}
			f.w.now = f.w.now.Add(time.Hour)
			if got := decideInstance(f.si, f.w).say(); got != test.next {
				t.Errorf("then: %s, want %s", got, test.next)
			}
		})
	}
}

// TestPollsAreAtMostAMinuteApart: a user waits.
func TestPollsAreAtMostAMinuteApart(t *testing.T) {
	f := newFixture(provisioning)
	for _, running := range []time.Duration{0, time.Second, time.Minute, time.Hour, 24 * time.Hour} {
		f.w.now = t0.Add(running)
		f.w.polled, f.w.asked = f.w.now, time.Hour
		if wait := decideInstance(f.si, f.w).wake.Sub(f.w.now); wait <= 0 || wait > time.Minute {
			t.Errorf("after %s it waits %s", running, wait)
		}
	}
}

// TestAnOperationBeginsWhenItIsAccepted: however long the broker refused to begin.
func TestAnOperationBeginsWhenItIsAccepted(t *testing.T) {
	f := newFixture()
	for range 9 {
		f.after(decideInstance(f.si, f.w).call, said(osb.Retry, 429))
		f.w.now = f.w.now.Add(24 * time.Hour)
	}
	f.after(decideInstance(f.si, f.w).call, said(osb.Accepted, 202))
	f.w.now = f.w.now.Add(time.Minute)
	if next := decideInstance(f.si, f.w); next.call == nil || next.call.verb != poll {
		t.Errorf("after a minute: %s", next.say())
	}
}

func TestConditionsStandInOrder(t *testing.T) {
	f := newFixture(provisioning)
	a := said(osb.Done, 200)
	a.state = osb.Failed
	f.after(decideInstance(f.si, f.w).call, a)
	var order []string
	for _, c := range f.si.Status.Conditions {
		order = append(order, fmt.Sprintf("%s=%s", c.Type, c.Status))
	}
	want := "Reconciling=True Stalled=False Ready=False Failed=True OrphanMitigation=True"
	if got := strings.Join(order, " "); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// TestAFailureIsOfWhatWasAskedFor: what was asked for since is asked for once the rest of
// the failure is removed, and nothing else is.
func TestAFailureIsOfWhatWasAskedFor(t *testing.T) {
	fromSecret := func(f *fixture) { f.w.parameters.version = "v1" }
	removed := func(f *fixture) {
		f.after(decideInstance(f.si, f.w).call, said(osb.Done, 200))
		f.w.now = f.w.now.Add(time.Hour)
	}
	notRemoved := func(f *fixture) {
		f.after(decideInstance(f.si, f.w).call, said(osb.Unknown, 500))
		f.w.now = f.w.now.Add(time.Hour)
	}
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"not edited":                   {fs(provisioning, operationFailed, removed), "nothing: Failed"},
		"with a Secret":                {fs(fromSecret, provisioning, operationFailed, removed), "nothing: Failed"},
		"with a Secret, brought":       {fs(fromSecret, brought, provisioning, operationFailed), "nothing: Failed"},
		"Secret changed meanwhile":     {fs(fromSecret, provisioning, func(f *fixture) { f.w.parameters.version = "v2" }, operationFailed, removed), "journal provision id small-id"},
		"edited meanwhile":             {fs(provisioning, planned, operationFailed, removed), "journal provision id large-id"},
		"edited during the removal":    {fs(provisioning, operationFailed, planned, removed), "journal provision id large-id"},
		"edited between two removals":  {fs(provisioning, operationFailed, notRemoved, planned, removed), "journal provision id large-id"},
		"edited while nobody is asked": {fs(provisioning, operationFailed, planned, unreachable, removed), "journal provision id large-id"},
		"edited, then to be kept":      {fs(provisioning, operationFailed, planned, toBeKept, decided), "journal provision id large-id"},
		"edited during the last removal": {fs(unknownTimes(4), removed, unknownTimes(4), removed, unknownTimes(4), notRemoved, planned, removed),
			"journal provision id large-id"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			if got := decideInstance(f.si, f.w).say(); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// rotated is another version of the Secret that the parameters are from.
func rotated(version, checksum string) func(*fixture) {
	return func(f *fixture) { f.w.parameters.version, f.w.parameters.Checksum = version, checksum }
}

// tooLate is when an operation has taken longer than it may.
func tooLate(f *fixture) {
	later(8 * 24 * time.Hour)(f)
	decided(f)
	f.look()
}

// unreachable is when the broker's credentials were missing for a while.
func unreachable(f *fixture) {
	f.w.problem = &word{v1beta1.ReasonErrorGettingAuthCredentials, "x"}
	decided(f)
	f.w.problem = nil
}

// decided records a step without a call.
func decided(f *fixture) { f.si.Status = decideInstance(f.si, f.w).status }

func toBeKept(f *fixture) {
	f.si.Annotations[v1beta1.DeletionPolicyAnnotation] = v1beta1.DeletionPolicyRetain
}

// TestAnOperationMayTakeAsLongAsItsPlanSays: not the one that the spec names by now.
func TestAnOperationMayTakeAsLongAsItsPlanSays(t *testing.T) {
	limited := func(f *fixture) { f.w.offer.plan.Common().MaximumPollingDurationSeconds = new(int64(600)) }
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string // after an hour
	}{
		"provisioning":                    {fs(limited, provisioning), "wait"},
		"provisioning, then a short plan": {fs(provisioning, planned, limited), "poll id small-id"},
		"provisioning, then a long plan":  {fs(limited, provisioning, planned), "wait"},
		"updating to a short plan":        {fs(ready, planned, limited, accepted), "wait"},
		"updating, then a short plan":     {fs(ready, edited2, accepted, planned, limited), "poll id small-id"},
		"removing":                        {fs(limited, ready, deleted, lives, accepted), "deprovision id small-id"},
		"removing, a short plan named":    {fs(ready, planned, limited, deleted, lives, accepted), "poll id small-id (removal)"},
		"plan gone from the catalog":      {fs(limited, provisioning, func(f *fixture) { f.w.working = nil }), "poll id small-id"},
		"cleaning up":                     {fs(limited, unknownTimes(4), accepted), "deprovision id small-id"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(append(test.is, later(time.Hour))...)
			if got := decideInstance(f.si, f.w).say(); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// TestEitherLimitEndsInFailure: the plan's, and ours where it says none, or more.
// conformance: L12
func TestEitherLimitEndsInFailure(t *testing.T) {
	const week = 7 * 24 * time.Hour
	for said, limit := range map[int64]time.Duration{600: 10 * time.Minute, 0: week, 2 * 7 * 24 * 3600: week} {
		f := newFixture(func(f *fixture) { f.w.offer.plan.Common().MaximumPollingDurationSeconds = &said }, provisioning, later(limit-time.Second))
		if got := decideInstance(f.si, f.w).say(); got != "poll id small-id" {
			t.Errorf("%d s: just before %s: %s", said, limit, got)
		}
		later(time.Second)(f)
		decided(f)
		failed := conditionOf(f.si.Status.Conditions, v1beta1.ConditionFailed)
		if failed == nil || !strings.Contains(failed.Message, "it was not finished within "+limit.String()) || f.si.Status.AsyncOpInProgress {
			t.Errorf("%d s: after %s: %+v", said, limit, f.si.Status.Conditions)
		}
	}
}

// accepted has the broker begin.
func accepted(f *fixture) { f.after(decideInstance(f.si, f.w).call, said(osb.Accepted, 202)) }

// TestACleanupSaysThatItIsOne: to people who have deleted nothing.
func TestACleanupSaysThatItIsOne(t *testing.T) {
	const what = "What may have been left at the broker is being removed"
	busy := func(f *fixture) { f.after(decideInstance(f.si, f.w).call, said(osb.Concurrency, 422)) }
	inProgress := func(f *fixture) {
		a := said(osb.Done, 200)
		a.state = osb.InProgress
		f.after(decideInstance(f.si, f.w).call, a)
	}
	unsaid := func(f *fixture) { f.after(decideInstance(f.si, f.w).call, said(osb.Malformed, 500)) }
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string // how Ready's message begins
	}{
		"failed":             {fs(unanswered), what + ": Deprovision call failed"},
		"busy":               {fs(busy), what + ": Deprovision call failed"},
		"accepted":           {fs(accepted), what + ": The instance is being deprovisioned"},
		"in progress":        {fs(accepted, inProgress), what + ": The instance is being deprovisioned"},
		"failed in progress": {fs(accepted, operationFailed), what + ": Deprovision call failed"},
		"not said":           {fs(accepted, unsaid), what + ": The broker was asked"},
		"unreachable":        {fs(unanswered, unreachable), "x"},
		"deleted":            {fs(deleted, lives, unanswered), "Deprovision call failed"},
	} {
		for how, before := range map[string][]func(*fixture){"no answers": fs(unknownTimes(4)), "a failure": fs(provisioning, operationFailed)} {
			t.Run(name+" after "+how, func(t *testing.T) {
				f := newFixture(append(before, test.is...)...)
				if got := conditionOf(f.si.Status.Conditions, v1beta1.ConditionReady).Message; !strings.HasPrefix(got, test.want) || strings.Count(got, what) > 1 {
					t.Errorf("Ready says: %s", got)
				}
				if is := conditionOf(f.si.Status.Conditions, v1beta1.ConditionOrphanMitigation) != nil; is != f.si.DeletionTimestamp.IsZero() {
					t.Errorf("%v conditions", f.si.Status.Conditions)
				}
			})
		}
	}
}

// TestWhatIsTriedAgainIsNotStalled: and a deletion says how to end it.
func TestWhatIsTriedAgainIsNotStalled(t *testing.T) {
	f := newFixture(fs(provisioning, deleted)...)
	for _, isDeleted := range []bool{true, false} {
		if !isDeleted {
			f = newFixture()
		}
		status := troubledInstance(f.si, word{v1beta1.ReasonErrorGettingClusterID, "no answer"}, t0)
		ready, stalled := conditionOf(status.Conditions, v1beta1.ConditionReady), conditionOf(status.Conditions, v1beta1.ConditionStalled)
		if stalled.Status != v1beta1.ConditionFalse || !strings.HasPrefix(ready.Message, "no answer") || strings.Contains(ready.Message, "to let go") != isDeleted {
			t.Errorf("deleted %v: %+v", isDeleted, status.Conditions)
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
		"touched":              {fs(touched), "2.0 update id small-id"},
		"edited":               {fs(edited2), "2.0 update id small-id +parameters"},
		"planned":              {fs(planned), "2.0 update id large-id +plan"},
		"touched and a Secret": {fs(touched, rotated("v2", "p5")), "2.0 update id small-id +parameters"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(append(fs(version("1.0"), ready, version("2.0")), append(test.is, later(time.Hour))...)...)
			next := decideInstance(f.si, f.w)
			if got := next.call.props.MaintenanceVersion + " " + next.say(); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
	f := newFixture(version("2.0"), conflicting, later(time.Hour))
	found := said(osb.Done, 200)
	found.instance = &osb.Instance{PlanID: "small-id", MaintenanceVersion: "1.0"}
	f.after(decideInstance(f.si, f.w).call, found)
	if got := decideInstance(f.si, f.w).call.previousMaintenance; got != "1.0" {
		t.Errorf("what was found has %q, not what is asked for", got)
	}
}

func TestAnOutcomeIsSaidOnce(t *testing.T) {
	for want, out := range map[string]osb.Outcome{
		"HTTP 502 Bad Gateway":            {Status: 502, Description: "HTTP 502 Bad Gateway"},
		"HTTP 422 ConcurrencyError":       {Status: 422, Code: "ConcurrencyError", Description: "HTTP 422 Unprocessable Entity"},
		"HTTP 422 ConcurrencyError: busy": {Status: 422, Code: "ConcurrencyError", Description: "busy"},
		"HTTP 400: no":                    {Status: 400, Description: "no"},
		"no connection":                   {Description: "no connection"},
	} {
		if got := sayOutcome(out); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

// TestARemovalThatTakesTooLongIsAskedForAnew: and then it has as long again.
func TestARemovalThatTakesTooLongIsAskedForAnew(t *testing.T) {
	f := newFixture(ready, deleted, lives)
	for range 3 {
		next := decideInstance(f.si, f.w)
		if next.call == nil || next.call.verb != deprovision {
			t.Fatalf("it is not asked for: %s", next.say())
		}
		f.after(next.call, said(osb.Accepted, 202))
		if got := decideInstance(f.si, f.w).say(); got != "poll id small-id (removal)" {
			t.Fatalf("after that: %s", got)
		}
		f.w.now = f.w.now.Add(catalog.MaximumPollingDuration)
	}
}

// TestWhatKeepsTheBrokerFromARemovalIsPolled: how it ends decides which plan there is to
// be removed.
func TestWhatKeepsTheBrokerFromARemovalIsPolled(t *testing.T) {
	f := newFixture(ready, planned)
	large := f.w.offer.plan
	f.after(decideInstance(f.si, f.w).call, said(osb.Accepted, 202))
	deleted(f)
	lives(f)
	next := decideInstance(f.si, f.w)
	if got := next.say(); got != "deprovision id small-id" {
		t.Fatal(got)
	}
	busy := said(osb.Concurrency, 422)
	busy.RetryAfter = time.Minute
	f.after(next.call, busy)
	next = decideInstance(f.si, f.w)
	if got := next.say(); got != "poll id small-id" {
		t.Fatal("while it is refused:", got)
	}
	f.after(next.call, answer{Outcome: osb.Outcome{Class: osb.Done, Status: 200}, state: osb.InProgress})
	if got := decideInstance(f.si, f.w).say(); got != "wait" {
		t.Fatal("between two polls:", got)
	}
	later(time.Second)(f)
	f.after(decideInstance(f.si, f.w).call, answer{Outcome: osb.Outcome{Class: osb.Done, Status: 200}, state: osb.Succeeded})
	if got := decideInstance(f.si, f.w).say(); got != "deprovision id "+large.Common().ExternalID {
		t.Error("at its end:", got)
	}
}

// TestWhatIsToBeKeptIsNotCleanedUp: neither after a failure, nor after answers that say
// nothing.
func TestWhatIsToBeKeptIsNotCleanedUp(t *testing.T) {
	f := newFixture(toBeKept, provisioning)
	f.after(decideInstance(f.si, f.w).call, answer{Outcome: osb.Outcome{Class: osb.Done, Status: 200}, state: osb.Failed})
	if got := decideInstance(f.si, f.w).say(); got != "nothing: Failed" || f.si.Status.DeprovisionStatus != v1beta1.DeprovisionRequired {
		t.Errorf("%s, and deprovisioning is %s", got, f.si.Status.DeprovisionStatus)
	}
	f = newFixture(toBeKept)
	for range maxAttempts {
		next := decideInstance(f.si, f.w)
		if next.call == nil || next.call.verb != provision {
			t.Fatal(next.say())
		}
		f.after(next.call, said(osb.Unknown, 500))
		f.w.now = f.w.now.Add(time.Hour)
	}
	if got := decideInstance(f.si, f.w).say(); got != "nothing: Failed" {
		t.Error(got)
	}
	f = newFixture(provisioning)
	f.after(decideInstance(f.si, f.w).call, answer{Outcome: osb.Outcome{Class: osb.Done, Status: 200}, state: osb.Failed})
	toBeKept(f)
	if got := decideInstance(f.si, f.w); got.call != nil || got.status.OrphanMitigationInProgress {
		t.Error("once it has begun:", got.say())
	}
}

// TestARemovalNamesAnotherPlanWhereItIsNotKnownWhichThereIs: and only there.
func TestARemovalNamesAnotherPlanWhereItIsNotKnownWhichThereIs(t *testing.T) {
	large := func(f *fixture) { f.w.plans = []string{"large-id", "small-id"} }
	refused := said(osb.Rejected, 400)
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"ready":                         {fs(ready), "small small small"},
		"a change that got no answer":   {fs(ready, planned, unanswered), "small large small"},
		"a change that was refused":     {fs(ready, planned, refusedOnce), "small small small"},
		"a change that nobody has seen": {fs(ready, restarted, planned), "small large small"},
		"and waited for bindings":       {fs(ready, restarted, planned, deleted, boundTo, decided), "small large small"},
		"a change that took too long":   {fs(ready, planned, accepted, tooLate, plannedBack, unreachable), "small large small"},
		"and took too long":             {fs(ready, planned, accepted, tooLate), "small large small"},
		"a change that failed":          {fs(ready, planned, accepted, operationFailed), "small small small"},
		"and was taken back":            {fs(ready, restarted, planned, plannedBack), "small large small"},
		"never ready":                   {fs(restarted, planned), "large small large"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			if f.si.DeletionTimestamp.IsZero() {
				deleted(f)
			}
			lives(f)
			large(f)
			f.w.bindings = nil
			var named []string
			for range 3 {
				next := decideInstance(f.si, f.w)
				if next.call == nil || next.call.verb != deprovision {
					t.Fatal(next.say())
				}
				named = append(named, strings.TrimSuffix(next.call.planID, "-id"))
				f.after(next.call, refused)
				f.w.now = f.w.now.Add(time.Hour)
			}
			if got := strings.Join(named, " "); got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

func unanswered(f *fixture) {
	f.after(decideInstance(f.si, f.w).call, answer{Outcome: osb.Outcome{Class: osb.Unknown, Sent: true}})
}

func refusedOnce(f *fixture) { f.after(decideInstance(f.si, f.w).call, said(osb.Rejected, 400)) }
