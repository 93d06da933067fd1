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

package binding

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	"github.com/gophernetes/bellhop/internal/lifecycle/lifecycletest"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// What runs is asked for with the plan that it began with, whichever the instance has by now.
func TestDecideBindingPollsWithThePlanOfTheBeginning(t *testing.T) {
	newPlan := func(f *fixture) {
		target := *f.in.BoundInstance.Target
		target.PlanID = "another"
		f.in.BoundInstance.Target = &target
	}
	unbinding := func(f *fixture) { f.after(saidOf(osbresult.Accepted, 202)) }
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"being made":                       {bfs(binding1, newPlan), "small-id"},
		"being removed":                    {bfs(bound1, deleted1, lives1, ejected, unbinding, newPlan), "small-id"},
		"being removed, with the new plan": {bfs(bound1, newPlan, deleted1, lives1, ejected, unbinding), "another"},
		"to be removed":                    {bfs(bound1, newPlan, deleted1, lives1, ejected), "another"},
	} {
		f := newFixture(test.is...)
		next := f.step()
		if next.Request == nil || next.Request.Target.PlanID != test.want {
			t.Errorf("%s: %s %+v, want plan %s", name, next.say(), next.Request, test.want)
		}
	}
}

// What is removed has the plan of its instance; where that is not known, another is tried.
func TestDecideBindingUnbindsWithAnotherPlan(t *testing.T) {
	f := newFixture(bound1, deleted1, lives1, ejected)
	f.in.BoundInstance.Plans = []string{"small-id", "large-id"}
	var named []string
	for range 3 {
		next := f.step()
		if next.Request == nil || next.Request.Operation != lifecycle.Unbind {
			t.Fatal(next.say())
		}
		named = append(named, next.Request.Target.PlanID)
		f.after(saidOf(osbresult.Rejected, 400))
		f.in.Now = f.in.Now.Add(time.Hour)
	}
	if got := strings.Join(named, " "); got != "small-id large-id small-id" {
		t.Error(got)
	}
}

func TestDecideBinding(t *testing.T) {
	instance := func(edit func(*v1beta1.ServiceInstance)) func(*fixture) {
		return func(f *fixture) {
			f.in.Now = f.in.Now.Add(time.Hour) // it is not young
			f.in.BoundInstance.Instance = f.in.BoundInstance.Instance.DeepCopy()
			edit(f.in.BoundInstance.Instance)
		}
	}
	for name, test := range map[string]struct {
		why  string
		is   []func(*fixture)
		want string
	}{
		"new":                     {"R1", nil, "journal bind id"},
		"new after a restart":     {"it is on record", bfs(restarted1), "bind id"},
		"without finalizer":       {"R1", bfs(func(f *fixture) { f.b.Finalizers = nil }), "protect"},
		"abandoned":               {"the finalizer was removed", bfs(bound1, func(f *fixture) { f.b.Finalizers = nil }), "nothing: Abandoned"},
		"ready":                   {"R6", bfs(bound1), "nothing: Ready"},
		"without an id":           {"the spec cannot be changed", bfs(func(f *fixture) { f.b.Spec.ExternalID, f.b.Annotations = "", nil }), "journal bind " + tail(catalog.NextID("uid-b", "", 1))},
		"parameters from Secrets": {"they are read when they are to be sent", bfs(func(f *fixture) { f.in.Parameters.Known = false }), "read"},
		"bad parameters": {"", bfs(func(f *fixture) {
			f.in.Parameters.Blocker = lifecycle.BlockedBy(v1beta1.ReasonErrorWithParameters, "x")
		}), "nothing: ErrorWithParameters"},

		"no instance, young":  {"it was made together with it", bfs(func(f *fixture) { f.in.BoundInstance = BoundInstance{} }), "wait"},
		"no instance":         {"", bfs(in(time.Hour), func(f *fixture) { f.in.BoundInstance = BoundInstance{} }), "nothing: ReferencesNonexistentInstance"},
		"instance new, young": {"it is being made", bfs(func(f *fixture) { f.in.BoundInstance.Instance = &v1beta1.ServiceInstance{} }), "wait"},
		"instance stalled, young": {"it does not come soon", bfs(func(f *fixture) {
			f.in.BoundInstance.Instance = &v1beta1.ServiceInstance{Status: v1beta1.ServiceInstanceStatus{Conditions: []v1beta1.Condition{
				{Type: v1beta1.ConditionStalled, Status: v1beta1.ConditionTrue, Reason: "x"}}}}
		}), "nothing: ErrorInstanceNotReady"},
		"instance not provisioned": {"", bfs(instance(func(si *v1beta1.ServiceInstance) { si.Status.ProvisionStatus = "" })), "nothing: ErrorInstanceNotReady"},
		"instance unusable":        {"B17", bfs(instance(func(si *v1beta1.ServiceInstance) { si.Status.Unusable = true })), "nothing: InstanceUnusable"},
		"instance busy":            {"", bfs(instance(func(si *v1beta1.ServiceInstance) { si.Status.AsyncOpInProgress = true })), "nothing: ErrorAsyncOperationInProgress"},
		"instance deleted":         {"", bfs(instance(func(si *v1beta1.ServiceInstance) { si.DeletionTimestamp = new(metav1.NewTime(lifecycletest.T0)) })), "nothing: ErrorInstanceNotReady"},
		"refs unresolved": {"", bfs(in(time.Hour), func(f *fixture) {
			f.in.BoundInstance.Missing = lifecycle.BlockedBy(v1beta1.ReasonErrorInstanceRefsUnresolved, "x")
		}), "nothing: ErrorInstanceRefsUnresolved"},
		"not bindable":           {"B01", bfs(func(f *fixture) { f.in.BoundInstance.Plan.Common().Bindable = new(bool) }), "nothing: Failed"},
		"a log drain":            {"B10", bfs(func(f *fixture) { f.in.BoundInstance.Class.Common().Requires = []string{"syslog_drain"} }), "nothing: Failed"},
		"somebody else's Secret": {"before the broker is asked", bfs(func(f *fixture) { f.in.Secret = SecretNotOwned }), "nothing: ErrorInjectingBindResult"},
		"an id of another": {"R10", bfs(brought1, func(f *fixture) {
			f.in.Claimants = lifecycle.Claimants{{UID: "other", Display: "the other", Owns: true}}
		}), "nothing: ExternalIDInUse"},
		"no broker": {"", bfs(in(time.Hour), func(f *fixture) { f.in.Broker = nil }), "nothing: ReferencesNonexistentBroker"},
		"no credentials for it": {"", bfs(func(f *fixture) {
			f.in.BrokerBlocker = lifecycle.BlockedBy(v1beta1.ReasonErrorGettingAuthCredentials, "x")
		}), "nothing: ErrorGettingAuthCredentials"},

		"being made":               {"", bfs(binding1), "poll id"},
		"made":                     {"L17: the credentials are fetched", bfs(binding1, func(f *fixture) { f.after(pollOf(osbresult.Succeeded)) }), "fetch id again"},
		"made, and not told":       {"a 200 for what has only begun", bfs(retrievable, func(f *fixture) { f.after(without(osbresult.Done, 200)) }), "fetch id again"},
		"polled a moment ago":      {"", bfs(binding1, func(f *fixture) { f.after(pollOf(osbresult.InProgress)) }), "wait"},
		"overdue":                  {"R11: the broker is asked first", bfs(binding1, in(8*24*time.Hour)), "poll id"},
		"deleted while being made": {"it is acted on", bfs(binding1, deleted1, lives1), "unbind id"},
		"brought and being made":   {"R10: only if it succeeds it was ours", bfs(brought1, binding1, deleted1, lives1), "poll id"},

		"Secret gone":                       {"", bfs(bound1, secretGone), "bind id again"},
		"Secret gone, retrievable":          {"", bfs(retrievable, bound1, secretGone), "fetch id again"},
		"Secret not seen":                   {"the cache may lag", bfs(bound1, func(f *fixture) { f.in.Secret = SecretUnknown }), "look"},
		"Secret gone, credentials not told": {"confirmed, and under a new id", bfs(bound1, secretGone, func(f *fixture) { f.after(without(osbresult.Done, 200)) }), "journal unbind id"},
		"Secret gone, rotatable":            {"", bfs(rotatable, bound1, secretGone, func(f *fixture) { f.after(without(osbresult.Done, 200)) }), "journal bind " + next1 + " for id"},
		"Secret edited":                     {"", bfs(bound1, secretOurs), "bind id again"},
		"Secret edited, not told again":     {"nobody asked to end them", bfs(bound1, secretOurs, func(f *fixture) { f.after(without(osbresult.Done, 200)) }), "nothing: SecretEdited"},
		"Secret edited, 409":                {"the parameters have changed since", bfs(bound1, secretOurs, func(f *fixture) { f.after(saidOf(osbresult.Conflict, 409)) }, in(time.Hour)), "nothing: SecretEdited"},
		"Secret replaced":                   {"never another's", bfs(bound1, func(f *fixture) { f.in.Secret = SecretNotOwned }), "nothing: ErrorInjectingBindResult"},
		"fetched without credentials":       {"F07", bfs(retrievable, bound1, secretOurs, func(f *fixture) { f.after(without(osbresult.Done, 200)) }), "bind id again"},
		"fetch not answered":                {"F03", bfs(retrievable, bound1, secretGone, func(f *fixture) { f.after(saidOf(osbresult.Retry, 500)) }, in(time.Hour)), "fetch id again"},
		"brought and not told":              {"it is not ours to remove", bfs(brought1, func(f *fixture) { f.after(without(osbresult.Done, 200)) }), "nothing: ErrorInjectingBindResult"},

		"rebind":                           {"the Secret first", bfs(bound1, rebound), "journal withdraw"},
		"rebind, rotatable":                {"R02 R03", bfs(rotatable, bound1, rebound), "journal bind " + next1 + " for id"},
		"rebind, not rotatable":            {"R01", bfs(bound1, rebound, withdrawn), "unbind id"},
		"rebind of what was brought":       {"it is left, and another made", bfs(brought1, func(f *fixture) { f.after(with(200)) }, rebound, withdrawn), "wait"},
		"rotated":                          {"R04: only once it is delivered", bfs(rotatable, bound1, rebound, bound1), "unbind id"},
		"rotated, and the old one gone":    {"", bfs(rotatable, bound1, rebound, bound1, func(f *fixture) { f.after(saidOf(osbresult.Done, 200)) }), "nothing: Ready"},
		"rotation refused":                 {"R06: the old one stays", bfs(rotatable, bound1, rebound, func(f *fixture) { f.after(saidOf(osbresult.Rejected, 400)) }), "nothing: Ready"},
		"rotation failed":                  {"R06: the new id only is cleaned up", bfs(rotatable, bound1, rebound, repeated(4, saidOf(osbresult.Unknown, 500))), "journal unbind " + next1},
		"deleted while being rotated":      {"both go", bfs(rotatable, bound1, rebound, func(f *fixture) { f.after(saidOf(osbresult.Unknown, 500)) }, deleted1, lives1, ejected), "unbind id"},
		"and after that":                   {"", bfs(rotatable, bound1, rebound, func(f *fixture) { f.after(saidOf(osbresult.Unknown, 500)) }, deleted1, lives1, ejected, func(f *fixture) { f.after(saidOf(osbresult.Done, 200)) }), "unbind " + next1},
		"to be renewed":                    {"R05", bfs(rotatable, expiring, in(45*time.Minute)), "journal bind " + next1 + " for id"},
		"not yet to be renewed":            {"R05", bfs(rotatable, expiring, in(44*time.Minute)), "wait"},
		"to be renewed, but not rotatable": {"R01", bfs(expiring, in(45*time.Minute)), "wait"},
		"ended":                            {"R07", bfs(rotatable, expiring, in(time.Hour)), "journal withdraw"},
		"rotated, then not to be removed":  {"", bfs(rotatable, bound1, rebound, bound1, repeated(2, saidOf(osbresult.Unknown, 500))), "unbind id"},
		"ended while being rotated":        {"R02: who has ended can be replaced by none", bfs(rotatable, expiring, in(45*time.Minute), func(f *fixture) { f.after(saidOf(osbresult.Retry, 429)) }, in(time.Hour)), "journal unbind " + next1},
		"and then":                         {"R07", bfs(rotatable, expiring, in(45*time.Minute), func(f *fixture) { f.after(saidOf(osbresult.Retry, 429)) }, in(time.Hour), func(f *fixture) { f.after(saidOf(osbresult.Done, 200)) }, in(time.Hour)), "journal withdraw"},
		"rotated into no Secret":           {"R06: the new id only is cleaned up", bfs(rotatable, bound1, rebound, unfit), "journal unbind " + next1},
		"renewal has failed":               {"not at once again", bfs(rotatable, expiring, in(45*time.Minute), func(f *fixture) { f.after(saidOf(osbresult.Rejected, 400)) }), "wait"},
		"renewal may be tried again":       {"before they end", bfs(rotatable, expiring, in(45*time.Minute), func(f *fixture) { f.after(saidOf(osbresult.Rejected, 400)) }, in(2*lifecycle.FirstRetry)), "journal bind " + next1 + " for id"},
		"renewal has failed, then ended":   {"no later than it may be tried again", bfs(rotatable, expiring, in(time.Hour-lifecycle.FirstRetry), func(f *fixture) { f.after(saidOf(osbresult.Rejected, 400)) }, in(2*lifecycle.FirstRetry)), "journal withdraw"},

		"deleted at once":                       {"nothing was ever sent", bfs(deleted1, lives1), "release UnboundSuccessfully"},
		"deleted after a restart":               {"G67: what is on record may have been sent", bfs(restarted1, deleted1, lives1), "unbind id"},
		"deleted":                               {"", bfs(bound1, deleted1), "prove"},
		"deleted, proven":                       {"the Secret first", bfs(bound1, deleted1, lives1), "eject"},
		"deleted, Secret gone":                  {"", bfs(bound1, deleted1, lives1, ejected), "unbind id"},
		"deleted, all else gone":                {"the ids are on record", bfs(bound1, deleted1, lives1, ejected, func(f *fixture) { f.in.BoundInstance = BoundInstance{} }), "unbind id"},
		"deleted, broker gone":                  {"R8", bfs(bound1, deleted1, lives1, ejected, in(time.Hour), func(f *fixture) { f.in.Broker = nil }), "nothing: ReferencesNonexistentBroker"},
		"retained":                              {"R8", bfs(bound1, deleted1, policy(v1beta1.DeletionPolicyRetain)), "release Retained"},
		"CRD deleted":                           {"R10", bfs(bound1, deleted1, func(f *fixture) { f.in.Definition = lifecycle.DefinitionTerminating }), "wait"},
		"brought and there":                     {"R10", bfs(brought1, func(f *fixture) { f.after(with(200)) }, deleted1, lives1), "release Retained"},
		"brought, with policy":                  {"R10", bfs(brought1, func(f *fixture) { f.after(with(200)) }, deleted1, lives1, ejected, policy(v1beta1.DeletionPolicyDelete)), "unbind id"},
		"brought, and not yet deleted":          {"R10: the policy is for the deletion", bfs(brought1, policy(v1beta1.DeletionPolicyDelete), repeated(lifecycle.MaxRepeats+1, saidOf(osbresult.Unknown, 500))), "bind id"},
		"to be kept, whatever it is":            {"R8: somebody looks after it", bfs(policy(v1beta1.DeletionPolicyRetain), repeated(lifecycle.MaxRepeats+1, saidOf(osbresult.Unknown, 500))), "bind id"},
		"to be kept, while it is being removed": {"R8", bfs(repeated(lifecycle.MaxRepeats+1, saidOf(osbresult.Unknown, 500)), func(f *fixture) { f.after(saidOf(osbresult.Unknown, 500)) }, in(time.Hour), policy(v1beta1.DeletionPolicyRetain)), "nothing: Failed"},
		"to be kept, and rotated in vain":       {"what a rotation made is nobody's", bfs(rotatable, bound1, policy(v1beta1.DeletionPolicyRetain), rebound, repeated(4, saidOf(osbresult.Unknown, 500))), "journal unbind " + next1},
		"brought and created":                   {"R10", bfs(brought1, bound1, deleted1, lives1, ejected), "unbind id"},
		"restored": {"R10: the record of its id is older than the object", bfs(func(f *fixture) {
			f.b.CreationTimestamp.Time = lifecycletest.T0.Add(-time.Hour)
			f.in.Now = lifecycletest.T0.Add(time.Minute)
		}, func(f *fixture) { f.after(with(200)) }, deleted1, lives1), "release Retained"},
		"claimed by another": {"the last one removes it", bfs(bound1, deleted1, lives1, func(f *fixture) {
			f.in.Claimants = lifecycle.Claimants{{UID: "other", Display: "the other", Owns: true}}
		}), "release Retained"},
		"given up before":           {"by the former service-catalog", bfs(bound1, deleted1, lives1, func(f *fixture) { f.b.Status.UnbindStatus = v1beta1.UnbindFailed }), "nothing: UnbindCallFailed"},
		"given up, and asked again": {"", bfs(bound1, deleted1, lives1, ejected, rebound, func(f *fixture) { f.b.Status.UnbindStatus = v1beta1.UnbindFailed }), "unbind id"},

		"deleted after waiting, and a restart": {"nothing was sent", bfs(unbindable, restarted1, deleted1, lives1), "release UnboundSuccessfully"},
		"bindable at last":                     {"which is on record first", bfs(unbindable, func(f *fixture) { f.in.BoundInstance.Plan.Common().Bindable = nil }), "journal bind id"},

		"of the former service-catalog": {"it is left as it is", bfs(legacy), "nothing: Ready"},
		"failed under it":               {"it is left as it is", bfs(legacyFailed), "nothing: Failed"},
		"and asked for again":           {"", bfs(legacyFailed, rebound), "journal bind id"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			if got := f.step().say(); got != test.want {
				t.Errorf("%s, want %s (%s)", got, test.want, test.why)
			}
		})
	}
}

// TestABindingIsRepeatedThenRemoved is the ladder of orphan mitigation, until it goes on
// slowly; a person can have it go on at once.
func TestABindingIsRepeatedThenRemoved(t *testing.T) {
	f := newFixture()
	var calls []string
	for i := 0; ; i++ {
		next := f.step()
		if a := f.b.Status.Attempts; a != nil && a.Removals == lifecycle.MaxRemovals {
			break
		}
		if i > 200 {
			t.Fatal("it is never cleaned up")
		}
		if next.Request != nil {
			calls = append(calls, string(next.Request.Operation))
			a := saidOf(osbresult.Unknown, 500)
			if next.Request.Operation == lifecycle.Unbind {
				a = saidOf(osbresult.Done, 200)
			}
			f.after(a)
		}
		f.in.Now = f.in.Now.Add(time.Hour)
	}
	once := " bind bind bind bind unbind"
	if got, want := " "+strings.Join(calls, " "), strings.Repeat(once, lifecycle.MaxRemovals); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	s := &f.b.Status
	if s.LastConditionState != v1beta1.ConditionFailed || s.UnbindStatus != v1beta1.UnbindSucceeded || s.ExternalID != catalog.NextID("uid-b", "id", lifecycle.MaxRemovals) {
		t.Errorf("it ends as %+v", s)
	}
	rebound(f)
	if got := f.step().say(); got != "journal bind "+tail(s.ExternalID) {
		t.Errorf("asked again: %s", got)
	}
}

// TestABindingIsNotMadeAnewForEver: by a broker that has bindings, and never tells what
// their credentials are.
func TestABindingIsNotMadeAnewForEver(t *testing.T) {
	f := newFixture(retrievable)
	var unbinds, at []string
	for i := 0; ; i++ {
		next := f.step()
		if next.Request == nil && next.RequeueAt.IsZero() {
			break
		}
		if i > 200 {
			t.Fatal("it is made for ever")
		}
		if next.Request != nil {
			a := saidOf(osbresult.Done, 200)
			switch next.Request.Operation {
			case lifecycle.Bind:
				a = without(osbresult.Accepted, 202)
				if next.Request.Repeat {
					a = without(osbresult.Done, 200)
				}
			case lifecycle.Poll:
				a = pollOf(osbresult.Succeeded)
			case lifecycle.Fetch:
				a = saidOf(osbresult.Gone, 404)
			case lifecycle.Unbind:
				unbinds, at = append(unbinds, next.Request.BindingID), append(at, f.in.Now.String())
			default:
				t.Fatalf("it asks for %s", next.say())
			}
			f.after(a)
		}
		if next = f.step(); !next.RequeueAt.IsZero() {
			f.in.Now = next.RequeueAt
		}
	}
	if len(unbinds) != lifecycle.MaxRemovals || len(slices.Compact(at)) != lifecycle.MaxRemovals {
		t.Errorf("removed as %s at %s", unbinds, at)
	}
	if s := &f.b.Status; f.step().Status.LastConditionState != v1beta1.ConditionFailed {
		t.Errorf("it ends as %+v", s)
	}
	rebound(f)
	if got := f.step().say(); !strings.HasPrefix(got, "journal unbind ") {
		t.Errorf("asked again: %s", got)
	}
}

// TestALostRotationIsMadeAgain: an answer with credentials that nobody has seen does not
// keep a Secret from being put right, unless that happens again and again.
func TestALostRotationIsMadeAgain(t *testing.T) {
	f := newFixture(rotatable, bound1, secretOurs)
	var did []string
	for next := f.step(); next.Request != nil && len(did) < 20; next = f.step() {
		did = append(did, next.say())
		a := without(osbresult.Done, 200) // it does not tell them again
		if next.WriteAhead && next.Request.Operation == lifecycle.Bind {
			a = saidOf(osbresult.Unknown, 0)
		}
		f.after(a)
		f.in.Now = f.in.Now.Add(time.Hour)
	}
	one, two := next1, tail(catalog.NextID("uid-b", "id", 2))
	want := []string{
		"bind id again", "journal bind " + one + " for id", "bind " + one + " for id", "journal unbind " + one,
		"bind id again", "journal bind " + two + " for id", "bind " + two + " for id", "journal unbind " + two,
		"bind id again",
	}
	if got := f.step().say(); !slices.Equal(did, want) || got != "nothing: SecretEdited" {
		t.Errorf("%q, and then %s, want %q", did, got, want)
	}
}

// TestARebindWaitsForItsTurn: what somebody asks for begins a new budget, once.
func TestARebindWaitsForItsTurn(t *testing.T) {
	f := newFixture(retrievable, repeated(1, saidOf(osbresult.Conflict, 409)), rebound)
	f.after(saidOf(osbresult.Retry, 500))
	if got := f.step().say(); got != "wait" {
		t.Errorf("then: %s, want wait", got)
	}
}

// TestABindingIsMadeAnewUnderANewID: after the old one is confirmed to be gone, and never
// with what is in the Secret.
func TestABindingIsMadeAnewUnderANewID(t *testing.T) {
	f := newFixture(bound1, rebound, withdrawn)
	var did []string
	for range 4 {
		next := f.step()
		did = append(did, next.say())
		if next.Request == nil {
			break
		}
		a := saidOf(osbresult.Done, 200)
		if next.Request.Operation == lifecycle.Bind {
			a = with(201)
		}
		f.after(a)
		f.in.Now = f.in.Now.Add(time.Hour)
	}
	if got, want := strings.Join(did, ", "), "unbind id, journal bind "+next1+", nothing: Ready"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if s := &f.b.Status; s.Rebind != "now" || s.ExternalID == "" {
		t.Errorf("it ends as %+v", s)
	}
}

// TestOldCredentialsStayWhileARotationFails: whatever becomes of it, Ready stays True.
// conformance: R01 R02 R03 R04 R06
func TestOldCredentialsStayWhileARotationFails(t *testing.T) {
	f := newFixture(rotatable, bound1, rebound)
	for i, a := range []Answer{saidOf(osbresult.Retry, 429), saidOf(osbresult.Unknown, 500), saidOf(osbresult.Concurrency, 422), saidOf(osbresult.Unknown, 500), saidOf(osbresult.Unknown, 0), saidOf(osbresult.Unknown, 500), saidOf(osbresult.Unknown, 500), saidOf(osbresult.Done, 200)} {
		next := f.step()
		if next.Request == nil || next.Request.BindingID == "id" || (next.Request.Operation == lifecycle.Unbind) != (i >= 6) {
			t.Fatalf("request %d is %s", i, next.say())
		}
		if next.Request.Operation == lifecycle.Bind && next.Request.PredecessorID != "id" {
			t.Errorf("request %d replaces %q", i, next.Request.PredecessorID)
		}
		f.after(a)
		if ready := lifecycle.FindCondition(f.b.Status.Conditions, v1beta1.ConditionReady); ready.Status != v1beta1.ConditionTrue {
			t.Errorf("after request %d, Ready is %s: %s", i, ready.Status, ready.Message)
		}
		f.in.Now = f.in.Now.Add(time.Hour)
	}
	if s := &f.b.Status; s.ExternalID != "" || s.PredecessorID != "" || s.SecretVersion != "7" {
		t.Errorf("it ends as %+v", s)
	}
	if got := f.step().say(); got != "nothing: Ready" {
		t.Errorf("then: %s", got)
	}
}

// TestABindingIsRenewedShortlyBeforeItIsDue: and not at the last moment.
// conformance: R05
func TestABindingIsRenewedShortlyBeforeItIsDue(t *testing.T) {
	renewal := "journal bind " + next1 + " for id"
	for before, want := range map[time.Duration]string{time.Minute: "wait", 5 * time.Second: renewal, 0: renewal} {
		if got := newFixture(rotatable, expiring, in(45*time.Minute-before)).step().say(); got != want {
			t.Errorf("%s before: %s, want %s", before, got, want)
		}
	}
}

// TestABindingSaysUntilWhenItHolds: whatever the broker says, not for a moment only.
// conformance: B16
func TestABindingSaysUntilWhenItHolds(t *testing.T) {
	f := newFixture(rotatable, expiring)
	if s := &f.b.Status; s.ExpiresAt == nil || !s.ExpiresAt.Equal(new(metav1.NewTime(lifecycletest.T0.Add(time.Hour)))) || s.RenewBefore == nil {
		t.Fatalf("it says %+v", s)
	}
	brief := newFixture(rotatable)
	a := with(201)
	a.Binding.ExpiresAt = brief.in.Now.Add(time.Second)
	brief.after(a)
	brief.in.Now = brief.in.Now.Add(time.Minute)
	next := brief.step()
	if next.Request != nil || next.RequeueAt.IsZero() || lifecycle.FindCondition(next.Status.Conditions, v1beta1.ConditionReady).Status != v1beta1.ConditionFalse {
		t.Errorf("of one that has ended at once: %s", next.say())
	}
	brief.in.Now = brief.in.Now.Add(minRenewal)
	if got := brief.step().say(); got != "journal withdraw" {
		t.Errorf("then: %s", got)
	}
}

// TestABindingIsNeverReadyOnceItsCredentialsHaveEnded: whatever else goes on, and it is
// looked at when they do.
func TestABindingIsNeverReadyOnceItsCredentialsHaveEnded(t *testing.T) {
	failed := func(f *fixture) {
		later := saidOf(osbresult.Retry, 429)
		later.RetryAfter = time.Hour
		f.after(later)
	}
	polled := func(f *fixture) { f.after(pollOf(osbresult.InProgress)) }
	busy := func(f *fixture) {
		f.in.BoundInstance.Instance = f.in.BoundInstance.Instance.DeepCopy()
		f.in.BoundInstance.Instance.Status.AsyncOpInProgress = true
	}
	for name, is := range map[string][]func(*fixture){
		"at rest":           bfs(expiring),
		"not to be renewed": bfs(rotatable, expiring, in(45*time.Minute), busy),
		"being rotated":     bfs(rotatable, retrievable, expiring, in(45*time.Minute), func(f *fixture) { f.after(without(osbresult.Accepted, 202)) }, polled),
		"rotated in vain":   bfs(rotatable, expiring, in(59*time.Minute+59*time.Second), failed),
		"rotated":           bfs(rotatable, expiring, in(45*time.Minute), expiring, in(59*time.Minute+59*time.Second), failed),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(is...)
			end := f.b.Status.ExpiresAt.Time
			next := f.step()
			if ready := lifecycle.FindCondition(next.Status.Conditions, v1beta1.ConditionReady); ready.Status != v1beta1.ConditionTrue {
				t.Fatalf("before: Ready is %s: %s", ready.Status, ready.Message)
			}
			if next.RequeueAt.After(end) || !next.RequeueAt.After(f.in.Now) {
				t.Errorf("it is looked at again at %s, and ends at %s", next.RequeueAt, end)
			}
			f.b.Status, f.in.Now, f.in.LastPoll = next.Status, end, end
			if ready := lifecycle.FindCondition(f.step().Status.Conditions, v1beta1.ConditionReady); ready.Status != v1beta1.ConditionFalse {
				t.Errorf("Ready is %s: %s", ready.Status, ready.Message)
			}
		})
	}
}

// TestARepairLeavesTheEndOfABinding: a broker that does not repeat when the credentials
// end has not changed that.
func TestARepairLeavesTheEndOfABinding(t *testing.T) {
	for name, is := range map[string][]func(*fixture){
		"of its own":      bfs(expiring, secretGone),
		"fetched":         bfs(retrievable, expiring, secretGone),
		"after a rotated": bfs(rotatable, bound1, rebound, expiring, secretGone),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(is...)
			f.after(with(200))
			if s := &f.b.Status; s.ExpiresAt == nil || s.RenewBefore == nil {
				t.Errorf("it says %v and %v", s.ExpiresAt, s.RenewBefore)
			}
		})
	}
}

// TestWhatWaitsIsWoken: by changes elsewhere, also where it is Ready.
func TestWhatWaitsIsWoken(t *testing.T) {
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want bool
	}{
		"at rest":           {bfs(bound1), true},
		"a rebind":          {bfs(bound1, rebound), false},
		"one that will end": {bfs(expiring), false},
	} {
		if got := IsSettled(newFixture(test.is...).b); got != test.want {
			t.Errorf("%s: %t", name, got)
		}
	}
}

// TestWhatHasEndedIsReplacedByAPlainBind: nothing is left that it could name.
// conformance: R07
func TestWhatHasEndedIsReplacedByAPlainBind(t *testing.T) {
	f := newFixture(rotatable, expiring, in(time.Hour), withdrawn, func(f *fixture) { f.after(saidOf(osbresult.Done, 200)) })
	if next := f.step(); next.Request == nil || next.Request.Operation != lifecycle.Bind || next.Request.PredecessorID != "" || next.Request.BindingID == "id" {
		t.Errorf("then: %s", next.say())
	}
}

// F-S22: a request is in the name of the user who created the binding, and of no user where another may have asked for it, as for a deletion.
// conformance: I02 I06
func TestWhoAsksForABinding(t *testing.T) {
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want bool
	}{
		"new":               {nil, true},
		"tried again":       {bfs(repeated(1, saidOf(osbresult.Unknown, 500))), true},
		"cleaned up":        {bfs(repeated(4, saidOf(osbresult.Unknown, 500))), false},
		"asked for anew":    {bfs(bound1, rebound, withdrawn), false},
		"rotated":           {bfs(rotatable, bound1, rebound), false},
		"renewed":           {bfs(rotatable, expiring, in(45*time.Minute)), false},
		"deleted":           {bfs(bound1, deleted1, lives1, ejected), false},
		"deleted meanwhile": {bfs(repeated(4, saidOf(osbresult.Unknown, 500)), deleted1, lives1), false},
	} {
		f := newFixture(test.is...)
		f.b.Status = f.step().Status
		if got := IsOnBehalfOfUser(f.b); got != test.want {
			t.Errorf("%s: on behalf of the user: %t", name, got)
		}
	}
}

func BenchmarkDecideBinding(b *testing.B) {
	for name, edits := range map[string][]func(*fixture){
		"new": nil, "ready": bfs(bound1), "deleted": bfs(bound1, deleted1),
	} {
		b.Run(name, func(b *testing.B) {
			f := newFixture(edits...)
			b.ReportAllocs()
			for b.Loop() {
				f.step()
			}
		})
	}
}
