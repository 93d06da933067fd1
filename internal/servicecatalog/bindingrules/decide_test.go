// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// What runs is asked for with the plan that it began with, whichever the instance has by now.
func TestDecideBindingPollsWithThePlanOfTheBeginning(t *testing.T) {
	newPlan := func(f *fixture) {
		target := *f.in.BoundInstance.Target
		target.PlanID = "another"
		f.in.BoundInstance.Target = &target
	}
	unbinding := func(f *fixture) { f.after(answerOf(osbresult.Accepted, 202)) }
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"being made":                       {edits(bindAccepted, newPlan), "small-id"},
		"being removed":                    {edits(bound, deleted, definitionExists, secretDeleted, unbinding, newPlan), "small-id"},
		"being removed, with the new plan": {edits(bound, newPlan, deleted, definitionExists, secretDeleted, unbinding), "another"},
		"to be removed":                    {edits(bound, newPlan, deleted, definitionExists, secretDeleted), "another"},
	} {
		f := newFixture(test.is...)
		next := f.step()
		if next.Request == nil || next.Request.Target.PlanID != test.want {
			t.Errorf("%s: %s %+v, want plan %s", name, next.describe(), next.Request, test.want)
		}
	}
}

// What is removed has the plan of its instance; where that is not known, another is tried.
func TestDecideBindingUnbindsWithAnotherPlan(t *testing.T) {
	f := newFixture(bound, deleted, definitionExists, secretDeleted)
	f.in.BoundInstance.Plans = []string{"small-id", "large-id"}
	var named []string
	for range 3 {
		next := f.step()
		if next.Request == nil || next.Request.Operation != rules.Unbind {
			t.Fatal(next.describe())
		}
		named = append(named, next.Request.Target.PlanID)
		f.after(answerOf(osbresult.Rejected, 400))
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
		"new":                     {"R1", nil, "write-ahead bind id"},
		"new after a restart":     {"it is on record", edits(restarted), "bind id"},
		"without finalizer":       {"R1", edits(func(f *fixture) { f.b.Finalizers = nil }), "add finalizer"},
		"abandoned":               {"the finalizer was removed", edits(bound, func(f *fixture) { f.b.Finalizers = nil }), "nothing: Abandoned"},
		"ready":                   {"R6", edits(bound), "nothing: Ready"},
		"without an id":           {"the spec cannot be changed", edits(func(f *fixture) { f.b.Spec.ExternalID, f.b.Annotations = "", nil }), "write-ahead bind " + tail(catalog.NextID("uid-b", "", 1))},
		"parameters from Secrets": {"they are read when they are to be sent", edits(func(f *fixture) { f.in.Parameters.Known = false }), "read parameters"},
		"bad parameters": {"", edits(func(f *fixture) {
			f.in.Parameters.Blocker = rules.BlockedBy(v1beta1.ReasonErrorWithParameters, "x")
		}), "nothing: ErrorWithParameters"},

		"no instance, young":  {"it was made together with it", edits(func(f *fixture) { f.in.BoundInstance = BoundInstance{} }), "wait"},
		"no instance":         {"", edits(later(time.Hour), func(f *fixture) { f.in.BoundInstance = BoundInstance{} }), "nothing: ReferencesNonexistentInstance"},
		"instance new, young": {"it is being made", edits(func(f *fixture) { f.in.BoundInstance.Instance = &v1beta1.ServiceInstance{} }), "wait"},
		"instance stalled, young": {"it does not come soon", edits(func(f *fixture) {
			f.in.BoundInstance.Instance = &v1beta1.ServiceInstance{Status: v1beta1.ServiceInstanceStatus{OperationStatus: v1beta1.OperationStatus{Conditions: []v1beta1.Condition{
				{Type: v1beta1.ConditionStalled, Status: v1beta1.ConditionTrue, Reason: "x"}}}}}
		}), "nothing: ErrorInstanceNotReady"},
		"instance not provisioned": {"", edits(instance(func(si *v1beta1.ServiceInstance) { si.Status.ProvisionStatus = "" })), "nothing: ErrorInstanceNotReady"},
		"instance unusable":        {"B17", edits(instance(func(si *v1beta1.ServiceInstance) { si.Status.Unusable = true })), "nothing: InstanceUnusable"},
		"instance busy":            {"", edits(instance(func(si *v1beta1.ServiceInstance) { si.Status.AsyncOpInProgress = true })), "nothing: ErrorAsyncOperationInProgress"},
		"instance deleted":         {"", edits(instance(func(si *v1beta1.ServiceInstance) { si.DeletionTimestamp = new(metav1.NewTime(rulestest.T0)) })), "nothing: ErrorInstanceNotReady"},
		"refs unresolved": {"", edits(later(time.Hour), func(f *fixture) {
			f.in.BoundInstance.Missing = rules.BlockedBy(v1beta1.ReasonErrorInstanceRefsUnresolved, "x")
		}), "nothing: ErrorInstanceRefsUnresolved"},
		"not bindable": {"B01", edits(func(f *fixture) { f.in.BoundInstance.Plan.Common().Bindable = new(bool) }), "nothing: Failed"},
		"a volume": {"B10", edits(func(f *fixture) {
			f.in.BoundInstance.Class.Common().Requires = []string{"syslog_drain", "volume_mount"}
		}), "nothing: Failed"},
		"a log drain":            {"F-B24: the credentials are of use without it", edits(func(f *fixture) { f.in.BoundInstance.Class.Common().Requires = []string{"syslog_drain"} }), "write-ahead bind id"},
		"somebody else's Secret": {"before the broker is asked", edits(func(f *fixture) { f.in.Secret = SecretNotOwned }), "nothing: ErrorInjectingBindResult"},
		"an id of another": {"R10", edits(suppliedID, func(f *fixture) {
			f.in.Claimants = rules.Claimants{{UID: "other", Display: "the other", Owns: true}}
		}), "nothing: ExternalIDInUse"},
		"no broker": {"", edits(later(time.Hour), func(f *fixture) { f.in.Broker = nil }), "nothing: ReferencesNonexistentBroker"},
		"no credentials for it": {"", edits(func(f *fixture) {
			f.in.BrokerBlocker = rules.BlockedBy(v1beta1.ReasonErrorGettingAuthCredentials, "x")
		}), "nothing: ErrorGettingAuthCredentials"},

		"being made":               {"", edits(bindAccepted), "poll id"},
		"made":                     {"L17: the credentials are fetched", edits(bindAccepted, func(f *fixture) { f.after(pollAnswer(osbresult.Succeeded)) }), "fetch id again"},
		"made, and not returned":   {"a 200 for what has only begun", edits(retrievable, func(f *fixture) { f.after(answerWithoutCredentials(osbresult.Done, 200)) }), "fetch id again"},
		"polled a moment ago":      {"", edits(bindAccepted, func(f *fixture) { f.after(pollAnswer(osbresult.InProgress)) }), "wait"},
		"overdue":                  {"R11: the broker is asked first", edits(bindAccepted, later(8*24*time.Hour)), "poll id"},
		"deleted while being made": {"it is acted on", edits(bindAccepted, deleted, definitionExists), "unbind id"},
		"supplied id, accepted":    {"R10: only if it succeeds it was ours", edits(suppliedID, bindAccepted, deleted, definitionExists), "poll id"},

		"Secret gone":                           {"", edits(bound, secretGone), "bind id again"},
		"Secret gone, retrievable":              {"", edits(retrievable, bound, secretGone), "fetch id again"},
		"Secret not seen":                       {"the cache may lag", edits(bound, func(f *fixture) { f.in.Secret = SecretUnknown }), "read Secret"},
		"Secret gone, credentials not returned": {"beside the old one", edits(bound, secretGone, func(f *fixture) { f.after(answerWithoutCredentials(osbresult.Done, 200)) }), "write-ahead bind " + next1},
		"Secret gone, rotatable":                {"", edits(rotatable, bound, secretGone, func(f *fixture) { f.after(answerWithoutCredentials(osbresult.Done, 200)) }), "write-ahead bind " + next1 + " for id"},
		"Secret edited":                         {"", edits(bound, secretEdited), "bind id again"},
		"Secret edited, not returned again":     {"nobody asked to end them", edits(bound, secretEdited, func(f *fixture) { f.after(answerWithoutCredentials(osbresult.Done, 200)) }), "nothing: SecretEdited"},
		"Secret edited, 409":                    {"the parameters have changed since", edits(bound, secretEdited, func(f *fixture) { f.after(answerOf(osbresult.Conflict, 409)) }, later(time.Hour)), "nothing: SecretEdited"},
		"Secret replaced":                       {"never another's", edits(bound, func(f *fixture) { f.in.Secret = SecretNotOwned }), "nothing: ErrorInjectingBindResult"},
		"fetched without credentials":           {"F07", edits(retrievable, bound, secretEdited, func(f *fixture) { f.after(answerWithoutCredentials(osbresult.Done, 200)) }), "bind id again"},
		"fetch not answered":                    {"F03", edits(retrievable, bound, secretGone, func(f *fixture) { f.after(answerOf(osbresult.Retry, 500)) }, later(time.Hour)), "fetch id again"},
		"supplied id, not returned":             {"it is not ours to remove", edits(suppliedID, func(f *fixture) { f.after(answerWithoutCredentials(osbresult.Done, 200)) }), "nothing: ErrorInjectingBindResult"},

		"rebind":                           {"R01", edits(bound, rebound), "write-ahead bind " + next1},
		"rebind, rotatable":                {"R02 R03", edits(rotatable, bound, rebound), "write-ahead bind " + next1 + " for id"},
		"rebind of a supplied id":          {"another is made beside it", edits(suppliedID, func(f *fixture) { f.after(answerWithCredentials(200)) }, rebound), "write-ahead bind " + next1},
		"and then":                         {"it is left", edits(suppliedID, func(f *fixture) { f.after(answerWithCredentials(200)) }, rebound, bound), "wait"},
		"rotated":                          {"applications change over", edits(rotatable, bound, rebound, bound), "wait"},
		"rotated, and changed over":        {"R04", edits(rotatable, bound, rebound, bound, later(overlap)), "unbind id"},
		"rotated, and the old one gone":    {"", edits(rotatable, bound, rebound, bound, later(overlap), func(f *fixture) { f.after(answerOf(osbresult.Done, 200)) }), "nothing: Ready"},
		"rotation refused":                 {"the predecessor may be what is refused", edits(rotatable, bound, rebound, func(f *fixture) { f.after(answerOf(osbresult.Rejected, 400)) }), "write-ahead bind " + next1},
		"replacement refused":              {"R06: the old one stays", edits(bound, rebound, func(f *fixture) { f.after(answerOf(osbresult.Rejected, 400)) }), "nothing: Ready"},
		"rotation failed":                  {"R06: the new id only is cleaned up", edits(rotatable, bound, rebound, repeated(4, answerOf(osbresult.Unknown, 500))), "write-ahead unbind " + next1},
		"deleted while being rotated":      {"both go", edits(rotatable, bound, rebound, func(f *fixture) { f.after(answerOf(osbresult.Unknown, 500)) }, deleted, definitionExists, secretDeleted), "unbind id"},
		"and after that":                   {"", edits(rotatable, bound, rebound, func(f *fixture) { f.after(answerOf(osbresult.Unknown, 500)) }, deleted, definitionExists, secretDeleted, func(f *fixture) { f.after(answerOf(osbresult.Done, 200)) }), "unbind " + next1},
		"to be renewed":                    {"R05", edits(rotatable, expiring, later(45*time.Minute)), "write-ahead bind " + next1 + " for id"},
		"not yet to be renewed":            {"R05", edits(rotatable, expiring, later(44*time.Minute)), "wait"},
		"to be renewed, but not rotatable": {"R01", edits(expiring, later(45*time.Minute)), "write-ahead bind " + next1},
		"ended":                            {"R07: F-S26", edits(rotatable, expiring, later(time.Hour)), "write-ahead bind " + next1},
		"rotated, then not to be removed":  {"", edits(rotatable, bound, rebound, bound, later(overlap), repeated(2, answerOf(osbresult.Unknown, 500))), "unbind id"},
		"ended while being rotated":        {"R02: a binding that has ended cannot be rotated", edits(rotatable, expiring, later(45*time.Minute), func(f *fixture) { f.after(answerOf(osbresult.Unknown, 500)) }, later(time.Hour)), "write-ahead unbind " + next1},
		"ended, and the rotation not sent": {"F-S26: no request under the id has had an effect, so that nothing is removed", edits(rotatable, expiring, later(45*time.Minute), func(f *fixture) { f.after(answerOf(osbresult.Retry, 429)) }, later(time.Hour)), "write-ahead bind " + next1},
		"and after that one is gone":       {"R07", edits(rotatable, expiring, later(45*time.Minute), func(f *fixture) { f.after(answerOf(osbresult.Unknown, 500)) }, later(time.Hour), func(f *fixture) { f.after(answerOf(osbresult.Done, 200)) }, later(time.Hour)), "write-ahead bind " + tail(catalog.NextID("uid-b", "id", 2))},
		"lost, and then refused":           {"F-S24: what the first request may have made is fetched, and not removed", edits(retrievable, bound, rebound, func(f *fixture) { f.after(answerOf(osbresult.Unknown, 500)) }, later(time.Hour), func(f *fixture) { f.after(answerOf(osbresult.Rejected, 400)) }, later(time.Hour)), "fetch " + next1 + " again"},
		"rotated into no Secret":           {"R06: the new id only is cleaned up", edits(rotatable, bound, rebound, credentialsDoNotFit), "write-ahead unbind " + next1},
		"renewal refused":                  {"F-S34: it is looked at when they end", edits(expiring, later(45*time.Minute), func(f *fixture) { f.after(answerOf(osbresult.Rejected, 400)) }), "wait"},
		"renewal refused, and ended":       {"F-S34: a refusal is final", edits(expiring, later(45*time.Minute), func(f *fixture) { f.after(answerOf(osbresult.Rejected, 400)) }, later(time.Hour)), "nothing: Failed"},
		"renewal refused, and asked again": {"", edits(expiring, later(45*time.Minute), func(f *fixture) { f.after(answerOf(osbresult.Rejected, 400)) }, rebound), "write-ahead bind " + next2},

		"deleted at once":                       {"nothing was ever sent", edits(deleted, definitionExists), "release UnboundSuccessfully"},
		"deleted after a restart":               {"G67: what is on record may have been sent", edits(restarted, deleted, definitionExists), "unbind id"},
		"deleted":                               {"", edits(bound, deleted), "read CRD"},
		"deleted, CRD exists":                   {"the Secret first", edits(bound, deleted, definitionExists), "eject"},
		"deleted, Secret gone":                  {"", edits(bound, deleted, definitionExists, secretDeleted), "unbind id"},
		"deleted, all else gone":                {"the ids are on record", edits(bound, deleted, definitionExists, secretDeleted, func(f *fixture) { f.in.BoundInstance = BoundInstance{} }), "unbind id"},
		"deleted, broker gone":                  {"R8", edits(bound, deleted, definitionExists, secretDeleted, later(time.Hour), func(f *fixture) { f.in.Broker = nil }), "nothing: ReferencesNonexistentBroker"},
		"retained":                              {"R8", edits(bound, deleted, policy(v1beta1.DeletionPolicyRetain)), "release Retained"},
		"CRD deleted":                           {"R10", edits(bound, deleted, func(f *fixture) { f.in.Definition = rules.DefinitionTerminating }), "wait"},
		"supplied id, 200":                      {"R10", edits(suppliedID, func(f *fixture) { f.after(answerWithCredentials(200)) }, deleted, definitionExists), "release Retained"},
		"supplied id, policy Delete":            {"R10", edits(suppliedID, func(f *fixture) { f.after(answerWithCredentials(200)) }, deleted, definitionExists, secretDeleted, policy(v1beta1.DeletionPolicyDelete)), "unbind id"},
		"supplied id, not yet deleted":          {"R10: the policy is for the deletion", edits(suppliedID, policy(v1beta1.DeletionPolicyDelete), repeated(rules.MaxRepeats+1, answerOf(osbresult.Unknown, 500))), "bind id"},
		"to be kept, whatever it is":            {"R8: somebody looks after it", edits(policy(v1beta1.DeletionPolicyRetain), repeated(rules.MaxRepeats+1, answerOf(osbresult.Unknown, 500))), "bind id"},
		"to be kept, while it is being removed": {"R8", edits(repeated(rules.MaxRepeats+1, answerOf(osbresult.Unknown, 500)), func(f *fixture) { f.after(answerOf(osbresult.Unknown, 500)) }, later(time.Hour), policy(v1beta1.DeletionPolicyRetain)), "nothing: Failed"},
		"to be kept, and rotated in vain":       {"what a rotation made is nobody's", edits(rotatable, bound, policy(v1beta1.DeletionPolicyRetain), rebound, repeated(4, answerOf(osbresult.Unknown, 500))), "write-ahead unbind " + next1},
		"supplied id, 201":                      {"R10", edits(suppliedID, bound, deleted, definitionExists, secretDeleted), "unbind id"},
		"restored": {"R10: the record of its id is older than the object", edits(func(f *fixture) {
			f.b.CreationTimestamp.Time = rulestest.T0.Add(-time.Hour)
			f.in.Now = rulestest.T0.Add(time.Minute)
		}, func(f *fixture) { f.after(answerWithCredentials(200)) }, deleted, definitionExists), "release Retained"},
		"claimed by another": {"the last one removes it", edits(bound, deleted, definitionExists, func(f *fixture) {
			f.in.Claimants = rules.Claimants{{UID: "other", Display: "the other", Owns: true}}
		}), "release Retained"},
		"given up before":           {"by the former service-catalog", edits(bound, deleted, definitionExists, func(f *fixture) { f.b.Status.UnbindStatus = v1beta1.UnbindFailed }), "nothing: UnbindCallFailed"},
		"F-S65 given up, rebound":   {"that asks for credentials", edits(bound, deleted, definitionExists, rebound, func(f *fixture) { f.b.Status.UnbindStatus = v1beta1.UnbindFailed }), "nothing: UnbindCallFailed"},
		"F-S65 given up, retained":  {"", edits(bound, deleted, definitionExists, policy(v1beta1.DeletionPolicyRetain), func(f *fixture) { f.b.Status.UnbindStatus = v1beta1.UnbindFailed }), "release Retained"},
		"given up, and asked again": {"", edits(bound, deleted, definitionExists, secretDeleted, removalRequested, func(f *fixture) { f.b.Status.UnbindStatus = v1beta1.UnbindFailed }), "unbind id"},

		"deleted after waiting, and a restart": {"nothing was sent", edits(unbindable, restarted, deleted, definitionExists), "release UnboundSuccessfully"},
		"bindable at last":                     {"which is on record first", edits(unbindable, func(f *fixture) { f.in.BoundInstance.Plan.Common().Bindable = nil }), "write-ahead bind id"},

		"of the former service-catalog": {"it is left as it is", edits(legacy), "nothing: Ready"},
		"failed under it":               {"it is left as it is", edits(legacyFailed), "nothing: Failed"},
		"and asked for again":           {"", edits(legacyFailed, rebound), "write-ahead bind id"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			if got := f.step().describe(); got != test.want {
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
		if a := f.b.Status.Attempts; a != nil && a.Removals == rules.MaxRemovals {
			break
		}
		if i > 200 {
			t.Fatal("it is never cleaned up")
		}
		if next.Request != nil {
			calls = append(calls, string(next.Request.Operation))
			a := answerOf(osbresult.Unknown, 500)
			if next.Request.Operation == rules.Unbind {
				a = answerOf(osbresult.Done, 200)
			}
			f.after(a)
		}
		f.in.Now = f.in.Now.Add(time.Hour)
	}
	once := " bind bind bind bind unbind"
	if got, want := " "+strings.Join(calls, " "), strings.Repeat(once, rules.MaxRemovals); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	s := &f.b.Status
	if s.LastConditionState != v1beta1.ConditionFailed || s.UnbindStatus != v1beta1.UnbindSucceeded || s.ExternalID != catalog.NextID("uid-b", "id", rules.MaxRemovals) {
		t.Errorf("it ends as %+v", s)
	}
	rebound(f)
	if got := f.step().describe(); got != "write-ahead bind "+tail(s.ExternalID) {
		t.Errorf("asked again: %s", got)
	}
}

// TestABindingIsNotMadeAnewForEver: by a broker that has bindings, and never returns what
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
			a := answerOf(osbresult.Done, 200)
			switch next.Request.Operation {
			case rules.Bind:
				a = answerWithoutCredentials(osbresult.Accepted, 202)
				if next.Request.Repeat {
					a = answerWithoutCredentials(osbresult.Done, 200)
				}
			case rules.Poll:
				a = pollAnswer(osbresult.Succeeded)
			case rules.Fetch:
				a = answerOf(osbresult.Gone, 404)
			case rules.Unbind:
				unbinds, at = append(unbinds, next.Request.ID), append(at, f.in.Now.String())
			default:
				t.Fatalf("it asks for %s", next.describe())
			}
			f.after(a)
		}
		if next = f.step(); !next.RequeueAt.IsZero() {
			f.in.Now = next.RequeueAt
		}
	}
	if len(unbinds) != rules.MaxRemovals || len(slices.Compact(at)) != rules.MaxRemovals {
		t.Errorf("removed as %s at %s", unbinds, at)
	}
	if s := &f.b.Status; f.step().Status.LastConditionState != v1beta1.ConditionFailed {
		t.Errorf("it ends as %+v", s)
	}
	rebound(f)
	if got := f.step().describe(); !strings.HasPrefix(got, "write-ahead bind ") {
		t.Errorf("asked again: %s", got)
	}
}

// TestALostRotationIsMadeAgain: an answer with credentials that nobody has seen does not
// keep a Secret from being put right, unless that happens again and again.
func TestALostRotationIsMadeAgain(t *testing.T) {
	f := newFixture(rotatable, bound, secretEdited)
	var did []string
	for next := f.step(); next.Request != nil && len(did) < 20; next = f.step() {
		did = append(did, next.describe())
		a := answerWithoutCredentials(osbresult.Done, 200) // it does not return them again
		if next.WriteAhead && next.Request.Operation == rules.Bind {
			a = answerOf(osbresult.Unknown, 0)
		}
		f.after(a)
		f.in.Now = f.in.Now.Add(time.Hour)
	}
	one, two := next1, tail(catalog.NextID("uid-b", "id", 2))
	want := []string{
		"bind id again", "write-ahead bind " + one + " for id", "bind " + one + " for id", "write-ahead unbind " + one,
		"bind id again", "write-ahead bind " + two + " for id", "bind " + two + " for id", "write-ahead unbind " + two,
		"bind id again",
	}
	if got := f.step().describe(); !slices.Equal(did, want) || got != "nothing: SecretEdited" {
		t.Errorf("%q, and then %s, want %q", did, got, want)
	}
}

// TestARebindWaitsForItsTurn: what somebody asks for begins a new budget, once.
func TestARebindWaitsForItsTurn(t *testing.T) {
	f := newFixture(retrievable, repeated(1, answerOf(osbresult.Conflict, 409)), rebound)
	f.after(answerOf(osbresult.Retry, 500))
	if got := f.step().describe(); got != "wait" {
		t.Errorf("then: %s, want wait", got)
	}
}

// F-S26: new credentials are made before the old ones are taken away, and the old ones stay valid for the overlap.
func TestABindingIsReplacedBesideItself(t *testing.T) {
	f := newFixture(bound, rebound)
	var did []string
	for range 4 {
		next := f.step()
		if did = append(did, next.describe()); next.Request == nil {
			f.b.Status = next.Status
			f.in.Now = f.in.Now.Add(overlap)
			continue
		}
		a := answerOf(osbresult.Done, 200)
		if next.Request.Operation == rules.Bind {
			a = answerWithCredentials(201)
		}
		f.after(a)
		rulestest.WantState(t, next.describe(), f.b.Status.Conditions, "Ready")
	}
	if got, want := strings.Join(did, ", "), "write-ahead bind "+next1+", wait, unbind id, nothing: Ready"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	if s := &f.b.Status; s.Rebind != "now" || s.ExternalID == "" || s.PredecessorID != "" || len(s.Predecessors) > 0 {
		t.Errorf("it ends as %+v", s)
	}
}

// F-S26: several replacements within one overlap keep each predecessor for its own time, and deletion removes all of them.
func TestEachPredecessorHasItsTime(t *testing.T) {
	again := func(value string) func(*fixture) {
		return func(f *fixture) {
			requestRebind(value)(f)
			f.after(answerWithCredentials(201))
			f.in.Now = f.in.Now.Add(overlap / 4)
		}
	}
	f := newFixture(bound, again("1"), again("2"), again("3"))
	if s := &f.b.Status; len(s.Predecessors) != 3 || s.ExternalID != catalog.NextID("uid-b", "id", 3) {
		t.Fatalf("it says %+v", s)
	}
	var removed []string
	for range 8 {
		next := f.step()
		if next.Request != nil {
			removed = append(removed, tail(next.Request.ID))
			f.after(answerOf(osbresult.Done, 200))
			continue
		}
		f.b.Status = next.Status
		if next.RequeueAt.IsZero() {
			break
		}
		f.in.Now = next.RequeueAt
	}
	want := []string{"id", next1, tail(catalog.NextID("uid-b", "id", 2))}
	if !slices.Equal(removed, want) {
		t.Errorf("removed are %s, want %s", removed, want)
	}
	f = newFixture(bound, again("1"), again("2"), deleted, definitionExists, secretDeleted)
	removed = nil
	for next := f.step(); next.Release == nil && len(removed) < 9; next = f.step() {
		removed = append(removed, tail(next.Request.ID))
		f.after(answerOf(osbresult.Done, 200))
	}
	if !slices.Equal(removed, want) {
		t.Errorf("with the object %s are removed, want %s", removed, want)
	}
}

// F-B6: after an update of its instance a binding is fetched once; where it cannot be, the conditions say that.
func TestABindingAfterAnUpdateOfItsInstance(t *testing.T) {
	updated := func(f *fixture) {
		f.in.BoundInstance.Instance = f.in.BoundInstance.Instance.DeepCopy()
		f.in.BoundInstance.Instance.Status.ExternalProperties.ParameterChecksum = "other"
	}
	for name, test := range map[string]struct {
		is         []func(*fixture)
		want, says string
	}{
		"retrievable":              {edits(retrievable, bound, updated), "fetch id again", "The credentials are in Secret"},
		"and fetched":              {edits(retrievable, bound, updated, func(f *fixture) { f.after(answerWithCredentials(200)) }), "nothing: Ready", "The credentials are in Secret"},
		"and not answered":         {edits(retrievable, bound, updated, func(f *fixture) { f.after(answerOf(osbresult.Retry, 503)) }), "wait", "The credentials are in the Secret; fetch call failed"},
		"not returned":             {edits(retrievable, bound, updated, func(f *fixture) { f.after(answerWithoutCredentials(osbresult.Done, 200)) }), "nothing: Ready", `The credentials are in the Secret; ServiceInstance "db" was updated after they were issued`},
		"not retrievable":          {edits(bound, updated), "nothing: Ready", `The credentials are in the Secret; ServiceInstance "db" was updated after they were issued`},
		"not retrievable, decided": {edits(bound, updated, decided), "nothing: Ready", `The credentials are in the Secret; ServiceInstance "db" was updated after they were issued`},
		"of an earlier version":    {edits(retrievable, bound, updated, func(f *fixture) { f.b.Status.InstanceFingerprint = "" }), "nothing: Ready", "The credentials are in Secret"},
	} {
		t.Run(name, func(t *testing.T) {
			next := newFixture(test.is...).step()
			ready := rules.FindCondition(next.Status.Conditions, v1beta1.ConditionReady)
			if next.describe() != test.want || ready.Status != v1beta1.ConditionTrue || !strings.HasPrefix(ready.Message, test.says) {
				t.Errorf("%s, want %s; Ready is %s: %s", next.describe(), test.want, ready.Status, ready.Message)
			}
		})
	}
}

// F-S19, F-S56: in a namespace that is being deleted nothing is bound, fetched or replaced. Its controller deletes the Secret first, and the
// cache may not show the deletion of the namespace by then.
func TestABindingInATerminatingNamespace(t *testing.T) {
	terminating := func(f *fixture) { f.in.Namespace = rules.NamespaceTerminating }
	unconfirmed := func(f *fixture) { f.in.Namespace = rules.NamespaceUnconfirmed }
	rotated := edits(rotatable, bound, rebound, func(f *fixture) { f.after(answerOf(osbresult.Unknown, 500)) }, later(time.Hour))
	for name, is := range map[string][]func(*fixture){
		"new": edits(later(time.Minute)), "its Secret is gone": edits(bound, secretGone), "and retrievable": edits(retrievable, bound, secretGone),
		"during a rotation": rotated, "and its Secret is gone": slices.Concat(rotated, edits(secretGone)),
	} {
		next := newFixture(slices.Concat(is, edits(terminating))...).step()
		if ready := rules.FindCondition(next.Status.Conditions, v1beta1.ConditionReady); next.Request != nil || !strings.Contains(ready.Message, "is being deleted") {
			t.Errorf("%s: %s: %s", name, next.describe(), ready.Message)
		}
		want := map[string]string{"new": "write-ahead bind id", "during a rotation": "bind " + next1 + " for id"}[name]
		if want == "" {
			want = "read Namespace"
		}
		if got := newFixture(slices.Concat(is, edits(unconfirmed))...).step().describe(); got != want {
			t.Errorf("%s, as far as the cache shows: %s, want %s", name, got, want)
		}
	}
	for name, is := range map[string][]func(*fixture){"a rotation is due": edits(rotatable, bound, rebound), "and its credentials end": edits(expiring, later(365*24*time.Hour))} {
		next := newFixture(slices.Concat(is, edits(terminating))...).step()
		if next.Request != nil || next.SecretAction != "" {
			t.Errorf("%s: %s", name, next.describe())
		}
	}
}

// F-S30: a predecessor that is no longer this object's to remove is left at the broker, and the present credentials stay.
func TestAPredecessorOfAnother(t *testing.T) {
	f := newFixture(rotatable, bound, rebound, bound, later(overlap), func(f *fixture) { f.after(answerOf(osbresult.Unknown, 500)) }, later(time.Hour))
	f.in.FormerClaimants = map[string]rules.Claimants{"id": {rulestest.Owner}}
	next := f.step()
	if next.Request != nil || next.SecretAction != "" || next.Retained == nil || next.RetainedID != "id" || len(next.Status.Predecessors) > 0 || bindingphase.Of(&next.Status).HasOperation() {
		t.Errorf("%s: %+v", next.describe(), next.Retained)
	}
	rulestest.WantState(t, "it says", next.Status.Conditions, "Ready")
}

func timeUnknown(f *fixture) { f.isTimeUnknown = true }
func timeKnown(f *fixture)   { f.isTimeUnknown = false }

func withoutOverlap(f *fixture) { f.b.Annotations[v1beta1.RotationOverlapAnnotation] = "0" }

// newProcess is the start of another process.
func newProcess(f *fixture) {
	f.in.Memory, f.in.Overlaps, f.in.Operation, f.in.Issued, f.in.Unremoved = RequestMemory{}, nil, nil, nil, nil
}

// issuedAYearAhead has received credentials of an hour while its machine was a year ahead, which is right by now.
func issuedAYearAhead(f *fixture) {
	end := f.in.Now.Add(time.Hour)
	for _, edit := range edits(machineMoves(365*24*time.Hour), expiringAt(end), machineMoves(-365*24*time.Hour)) {
		edit(f)
	}
}

// F-S26: no clock takes credentials away: they are replaced, and where the broker refuses that, they stay in the Secret.
func TestNoClockTakesCredentials(t *testing.T) {
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"a year ahead":                           {edits(expiring, later(365*24*time.Hour)), "write-ahead bind " + next1},
		"a year ahead, rotatable":                {edits(rotatable, expiring, later(365*24*time.Hour)), "write-ahead bind " + next1},
		"a year ahead, and refused":              {edits(expiring, later(365*24*time.Hour), func(f *fixture) { f.after(answerOf(osbresult.Rejected, 400)) }), "nothing: Failed"},
		"a year ahead, and not answered":         {edits(expiring, later(365*24*time.Hour), func(f *fixture) { f.after(answerOf(osbresult.Retry, 503)) }), "wait"},
		"a year ahead, and no broker":            {edits(expiring, later(365*24*time.Hour), func(f *fixture) { f.in.Broker = nil }), "wait"},
		"a year ahead when a predecessor waits":  {edits(expiring, rebound, bound, later(365*24*time.Hour)), "unbind id"},
		"a year ahead when one was recorded":     {edits(later(365*24*time.Hour), bound, rebound, bound, later(-365*24*time.Hour)), "wait"},
		"F-S33 and that was long ago":            {edits(later(365*24*time.Hour), bound, rebound, bound, later(-365*24*time.Hour), decided, later(overlap)), "unbind id"},
		"this clock alone is ahead":              {edits(bound, rebound, bound, clockMoves(365*24*time.Hour)), "wait"},
		"this clock alone is behind":             {edits(bound, rebound, bound, clockMoves(-time.Hour), later(overlap-time.Minute)), "wait"},
		"and the overlap is over":                {edits(bound, rebound, bound, decided, clockMoves(-time.Hour), later(overlap)), "unbind id"},
		"it was behind at the replacement":       {edits(bound, rebound, clockMoves(-time.Hour), bound, clockMoves(time.Hour)), "wait"},
		"it was behind since":                    {edits(bound, rebound, bound, clockMoves(-time.Hour), decided, clockMoves(time.Hour)), "wait"},
		"both: at the replacement":               {edits(bound, rebound, clockMoves(-time.Hour), timeUnknown, bound, clockMoves(time.Hour), timeKnown, later(2*time.Minute)), "wait"},
		"both: since":                            {edits(bound, rebound, bound, clockMoves(-time.Hour), timeUnknown, decided, clockMoves(time.Hour), timeKnown, later(2*time.Minute)), "wait"},
		"ahead, and no overlap":                  {edits(bound, rebound, withoutOverlap, clockMoves(24*time.Hour), bound), "unbind id"},
		"the API server's time is not known":     {edits(bound, rebound, timeUnknown, bound, later(overlap-time.Minute)), "wait"},
		"and the overlap is over by then":        {edits(bound, rebound, timeUnknown, bound, later(overlap)), "unbind id"},
		"ahead after a restart":                  {edits(bound, rebound, bound, clockMoves(365*24*time.Hour), newProcess, later(overlap-time.Minute)), "wait"},
		"behind after a restart":                 {edits(bound, rebound, bound, clockMoves(-time.Hour), newProcess, decided, later(overlap)), "unbind id"},
		"F-S33 ahead when they were issued":      {edits(issuedAYearAhead, later(45*time.Minute)), "write-ahead bind " + next1},
		"F-S33 the same, and a restart":          {edits(issuedAYearAhead, newProcess), "write-ahead bind " + next1},
		"F-S13 of five minutes, renewed at four": {edits(expiringWithin(5*time.Minute), later(4*time.Minute)), "write-ahead bind " + next1},
		"F-S13 of five minutes, without more":    {edits(expiringWithin(5*time.Minute), later(3*time.Minute)), "wait"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(test.is...)
			next := f.step()
			if next.describe() != test.want {
				t.Errorf("%s, want %s", next.describe(), test.want)
			}
			if s := &next.Status; s.ReconciledGeneration == 0 || next.SecretAction != "" {
				t.Errorf("the credentials do not stay: %+v", s)
			}
		})
	}
}

// TestOldCredentialsStayWhileARotationFails: whatever becomes of it, Ready stays True.
// conformance: R01 R02 R03 R04 R06
func TestOldCredentialsStayWhileARotationFails(t *testing.T) {
	f := newFixture(rotatable, bound, rebound)
	for i, a := range []Answer{answerOf(osbresult.Retry, 429), answerOf(osbresult.Unknown, 500), answerOf(osbresult.Concurrency, 422), answerOf(osbresult.Unknown, 500), answerOf(osbresult.Unknown, 0), answerOf(osbresult.Unknown, 500), answerOf(osbresult.Unknown, 500), answerOf(osbresult.Done, 200)} {
		next := f.step()
		if next.Request == nil || next.Request.ID == "id" || (next.Request.Operation == rules.Unbind) != (i >= 6) {
			t.Fatalf("request %d is %s", i, next.describe())
		}
		if next.Request.Operation == rules.Bind && next.Request.PredecessorID != "id" {
			t.Errorf("request %d replaces %q", i, next.Request.PredecessorID)
		}
		f.after(a)
		if ready := rules.FindCondition(f.b.Status.Conditions, v1beta1.ConditionReady); ready.Status != v1beta1.ConditionTrue {
			t.Errorf("after request %d, Ready is %s: %s", i, ready.Status, ready.Message)
		}
		f.in.Now = f.in.Now.Add(time.Hour)
	}
	if s := &f.b.Status; s.ExternalID != "" || s.PredecessorID != "" || s.SecretVersion != "7" {
		t.Errorf("it ends as %+v", s)
	}
	if got := f.step().describe(); got != "write-ahead bind "+next2+" for id" {
		t.Errorf("then: %s", got)
	}
	f.after(answerWithCredentials(201))
	if s := &f.b.Status; s.Rebind != "now" || s.AttemptedRebind != "" || s.ExternalID == "" {
		t.Errorf("after the new credentials it is %+v", s)
	}
}

// F-S49: clean-ups of a replacement have the delays of orphan mitigations, and the message has the broker's words.
func TestAReplacementIsRemovedAFewTimesADay(t *testing.T) {
	f := newFixture(bound, rebound)
	removals, end := 0, f.in.Now.Add(24*time.Hour)
	for range 3000 {
		next := f.step()
		switch {
		case !f.in.Now.Before(end):
			if removals > 8 {
				t.Errorf("%d clean-ups within a day", removals)
			}
			ready := rules.FindCondition(f.b.Status.Conditions, v1beta1.ConditionReady)
			if ready.Status != v1beta1.ConditionTrue || !strings.Contains(ready.Message, "500") {
				t.Errorf("Ready is %s: %s", ready.Status, ready.Message)
			}
			return
		case next.Request == nil:
			f.b.Status, f.in.Now = next.Status, times.Latest(next.RequeueAt, f.in.Now.Add(time.Second))
		case next.Request.Operation == rules.Unbind:
			removals++
			f.after(answerOf(osbresult.Done, 200))
		default:
			f.after(answerOf(osbresult.Unknown, 500))
		}
	}
	t.Errorf("the day does not end: %s", f.step().describe())
}

// F-S44: a record that was restored from a backup does not show that the successor was used since. It is fetched where it can be, and removed
// only after a request on record whose outcome is unknown.
func TestAConflictOfASuccessor(t *testing.T) {
	for _, test := range []struct {
		name string
		in   *fixture
		then string
	}{
		{"restored", newFixture(bound, rebound, restarted), "wait"},
		{"restored, and the broker returns it", newFixture(retrievable, bound, rebound, restarted), "fetch " + next1 + " again"},
		{"restored, of a rotation", newFixture(retrievable, rotatable, bound, rebound, restarted), "fetch " + next1 + " again"},
		{"after an unknown outcome", newFixture(bound, rebound, repeated(1, answerOf(osbresult.Unknown, 500))), "unbind " + next1},
		{"after an unknown outcome, and the broker returns it", newFixture(retrievable, bound, rebound, repeated(1, answerOf(osbresult.Unknown, 500))), "fetch " + next1 + " again"},
	} {
		f := test.in
		f.in.Now = f.in.Now.Add(time.Minute)
		f.step()
		f.after(answerOf(osbresult.Conflict, 409))
		if test.then != "wait" {
			f.in.Now = f.in.Now.Add(time.Hour)
		}
		if got := f.step().describe(); got != test.then {
			t.Errorf("%s: %s, want %s", test.name, got, test.then)
		}
		if ready := rules.FindCondition(f.b.Status.Conditions, v1beta1.ConditionReady); ready.Status != v1beta1.ConditionTrue {
			t.Errorf("%s: Ready is %s: %s", test.name, ready.Status, ready.Message)
		}
	}
}

// F-S24: an operation that has failed may be a later one than that of a status from a backup, such as a removal. What the broker has is used.
func TestAFailedPollOfASuccessor(t *testing.T) {
	successor := edits(retrievable, bound, rebound, func(f *fixture) { f.after(answerWithoutCredentials(osbresult.Accepted, 202)) })
	failed := func(f *fixture) { f.after(pollAnswer(osbresult.Failed)); f.in.Now = f.in.Now.Add(time.Hour) }
	fetched := func(a Answer) func(*fixture) {
		return func(f *fixture) { f.after(a); f.in.Now = f.in.Now.Add(time.Hour) }
	}
	for _, test := range []struct {
		name string
		is   []func(*fixture)
		then string
	}{
		{"seen to be accepted", edits(failed), "unbind " + next1},
		{"restored", edits(restarted, failed), "fetch " + next1 + " again"},
		{"restored, and restarted", edits(restarted, failed, restarted), "bind " + next1},
		{"restored, and the broker returns it", edits(restarted, failed, fetched(answerWithCredentials(200))), "unbind id"},
		{"restored, and the broker does not know it yet", edits(restarted, failed, fetched(answerOf(osbresult.Gone, 404))), "fetch " + next1 + " again"},
		{"restored, and the broker has none", edits(restarted, failed, repeated(3, answerOf(osbresult.Gone, 404))), "bind " + next1},
		{"restored, and the broker has none, and fails to create it", edits(restarted, failed, repeated(3, answerOf(osbresult.Gone, 404)), repeated(4, answerOf(osbresult.Unknown, 500))), "write-ahead bind " + next2},
		{"restored, and the broker has one after all", edits(restarted, failed, repeated(3, answerOf(osbresult.Gone, 404)), repeated(1, answerWithoutCredentials(osbresult.Done, 200))), "fetch " + next1 + " again"},
		{"restored, and there is a conflict after all", edits(restarted, failed, repeated(3, answerOf(osbresult.Gone, 404)), repeated(1, answerOf(osbresult.Conflict, 409))), "fetch " + next1 + " again"},
		{"restored, and the answers contradict each other", edits(restarted, failed, repeated(3, answerOf(osbresult.Gone, 404)), repeated(1, answerOf(osbresult.Conflict, 409)), repeated(1, answerOf(osbresult.Gone, 404))), "write-ahead bind " + next2},
		{"restored, and a gateway answers the fetch only", edits(restarted, failed, fetched(answerOf(osbresult.Misconfigured, 403))), "bind " + next1},
		{"restored, a gateway answers each fetch, and there is a conflict", edits(restarted, failed, fetched(answerOf(osbresult.Misconfigured, 403)), fetched(answerOf(osbresult.Conflict, 409)), repeated(20, answerOf(osbresult.Misconfigured, 403))), "fetch " + next1 + " again"},
		{"restored, a gateway answers each fetch, and the bind is refused", edits(restarted, failed, fetched(answerOf(osbresult.Misconfigured, 403)), fetched(answerOf(osbresult.Rejected, 400)), repeated(20, answerOf(osbresult.Misconfigured, 403))), "fetch " + next1 + " again"},
		{"restored, a gateway answers each fetch, and no credentials are returned", edits(restarted, failed, fetched(answerOf(osbresult.Misconfigured, 403)), fetched(answerWithoutCredentials(osbresult.Done, 200)), repeated(20, answerOf(osbresult.Misconfigured, 403))), "fetch " + next1 + " again"},
		{"restored, and not retrievable", edits(restarted, notRetrievable, failed), "bind " + next1},
		{"restored, not retrievable, and it cannot be created", edits(restarted, notRetrievable, failed, repeated(4, answerOf(osbresult.Unknown, 500))), "write-ahead bind " + next2},
		{"restored, and a gateway answers", edits(restarted, failed, repeated(20, answerOf(osbresult.Misconfigured, 403))), "bind " + next1},
		{"restored, and it is returned without credentials", edits(restarted, failed, fetched(answerWithoutCredentials(osbresult.Done, 200))), "bind " + next1 + " again"},
	} {
		if got := newFixture(append(successor, test.is...)...).step().describe(); got != test.then {
			t.Errorf("%s: %s, want %s", test.name, got, test.then)
		}
	}
}

// A successor that may be in use is fetched where its predecessor has ended meanwhile, so that the rotation cannot be requested again.
func TestASuccessorWhosePredecessorHasEnded(t *testing.T) {
	rotating := edits(retrievable, rotatable, expiring, later(46*time.Minute))
	accepted, succeeded := repeated(1, answerWithoutCredentials(osbresult.Accepted, 202)), repeated(1, pollAnswer(osbresult.Succeeded))
	unavailable := repeated(1, answerOf(osbresult.Retry, 503))
	for _, test := range []struct {
		name string
		is   []func(*fixture)
		then string
	}{
		{"requested", edits(restarted, later(time.Hour)), "fetch " + next1 + " again"},
		{"the request may have been carried out", edits(repeated(1, answerOf(osbresult.Unknown, 500)), restarted), "fetch " + next1 + " again"},
		{"created", edits(accepted, restarted, succeeded, restarted), "fetch " + next1 + " again"},
		{"created, and the fetch fails", edits(accepted, succeeded, unavailable), "fetch " + next1 + " again"},
		{"created, and a gateway answers once", edits(accepted, succeeded, repeated(1, answerOf(osbresult.Misconfigured, 403))), "fetch " + next1 + " again"},
		{"created, and a gateway answers each fetch", edits(accepted, succeeded, repeated(20, answerOf(osbresult.Misconfigured, 403))), "write-ahead bind " + next2},
		{"created, and each fetch fails", edits(accepted, succeeded, repeated(20, answerOf(osbresult.Retry, 503))), "write-ahead bind " + next2},
		{"failed for another process", edits(accepted, restarted, repeated(1, pollAnswer(osbresult.Failed)), unavailable), "fetch " + next1 + " again"},
		{"the broker has none", edits(restarted, later(time.Hour), repeated(1, answerOf(osbresult.Gone, 404))), "write-ahead bind " + next2},
		{"not retrievable", edits(notRetrievable, restarted, later(time.Hour)), "write-ahead bind " + next2},
	} {
		if got := newFixture(append(rotating, test.is...)...).step().describe(); got != test.then {
			t.Errorf("%s: %s, want %s", test.name, got, test.then)
		}
	}
}

// A conflict that is held stays in the conditions while the broker fails other requests.
func TestAHeldConflictIsShownDuringOtherFailures(t *testing.T) {
	others := answerWithCredentials(200)
	others.Binding.Parameters = parametersOf("p1")
	conflict := repeated(1, answerOf(osbresult.Conflict, 409))
	for name, held := range map[string][]func(*fixture){"retrievable": edits(retrievable, conflict, repeated(1, others)), "not retrievable": edits(conflict)} {
		for _, a := range []Answer{answerOf(osbresult.Retry, 503), answerOf(osbresult.Misconfigured, 403), answerOf(osbresult.Concurrency, 422), answerOf(osbresult.Unknown, 500)} {
			f := newFixture(append(held, repeated(1, a))...)
			ready, stalled := rules.FindCondition(f.b.Status.Conditions, v1beta1.ConditionReady), rules.FindCondition(f.b.Status.Conditions, v1beta1.ConditionStalled)
			if !strings.Contains(ready.Message, "neither changed nor removed") || !strings.Contains(ready.Message, rules.DescribeOutcome(a.Outcome)) || !rules.IsTrue(stalled) {
				t.Errorf("%s, then %d: %q, Stalled=%s", name, a.Status, ready.Message, stalled.Status)
			}
		}
	}
	removal := newFixture(conflict, policy(v1beta1.DeletionPolicyDelete), definitionExists, deleted, repeated(1, answerOf(osbresult.Retry, 503)))
	if stalled := rules.FindCondition(removal.b.Status.Conditions, v1beta1.ConditionStalled); rules.IsTrue(stalled) {
		t.Errorf("a removal that a person has decided on, and that failed once: %s", stalled.Message)
	}
}

// An operation that fails unseen, as after any restart of the operator, is no conflict: no answer has shown anything under the id.
func TestAnUnseenFailureIsNoConflict(t *testing.T) {
	for _, a := range []Answer{answerOf(osbresult.Retry, 503), answerOf(osbresult.Concurrency, 422), answerOf(osbresult.Unknown, 500)} {
		f := newFixture(bindAccepted, restarted, repeated(1, pollAnswer(osbresult.Failed)), repeated(1, a))
		ready, stalled := rules.FindCondition(f.b.Status.Conditions, v1beta1.ConditionReady), rules.FindCondition(f.b.Status.Conditions, v1beta1.ConditionStalled)
		if strings.Contains(ready.Message, "neither changed nor removed") || rules.IsTrue(stalled) {
			t.Errorf("then %d: %q, Stalled=%s", a.Status, ready.Message, stalled.Status)
		}
	}
}

// F-S26: a successor that this process has not requested may be the binding that was Ready before the status was restored. Where the broker has refused
// to return its credentials in each way that there is, another one is requested, and it is removed as a predecessor is.
func TestASuccessorWhoseCredentialsAreRefused(t *testing.T) {
	successor := edits(retrievable, bound, rebound, func(f *fixture) { f.after(answerWithoutCredentials(osbresult.Accepted, 202)) }, restarted)
	answered := func(a Answer) func(*fixture) {
		return func(f *fixture) { f.after(a); f.in.Now = f.in.Now.Add(time.Hour) }
	}
	created, refused := answered(pollAnswer(osbresult.Succeeded)), answered(answerOf(osbresult.Rejected, 400))
	otherParameters := func(f *fixture) { f.in.Parameters.Checksum = "other" }
	for _, test := range []struct {
		name string
		is   []func(*fixture)
		then string
	}{
		{"by no request", edits(created), "fetch " + next1 + " again"},
		{"by no request, with other parameters", edits(created, otherParameters), "fetch " + next1 + " again"},
		{"by a fetch", edits(created, refused), "bind " + next1 + " again"},
		{"by a fetch, before a restart", edits(created, refused, restarted, otherParameters), "fetch " + next1 + " again"},
		{"by a fetch, and a bind would be for other parameters", edits(created, refused, otherParameters), "write-ahead bind " + next2},
		{"by a fetch and a bind", edits(created, refused, refused), "write-ahead bind " + next2},
	} {
		if got := newFixture(append(successor, test.is...)...).step().describe(); got != test.then {
			t.Errorf("%s: %s, want %s", test.name, got, test.then)
		}
	}
}

// F-S42: a script that waits for status.rebind learns whether the former credentials are still in use.
func TestARotationIsHandledOnceItHasAResult(t *testing.T) {
	for _, test := range []struct {
		name    string
		answers []Answer
		rebind  string // of the status
		then    string
	}{
		{"the broker fails", []Answer{answerOf(osbresult.Unknown, 500)}, "", "bind " + next1},
		{"the broker fails, and has nothing", []Answer{answerOf(osbresult.Retry, 429)}, "", "write-ahead bind " + next1},
		{"after the clean-up of a failure", []Answer{answerOf(osbresult.Unknown, 500), answerOf(osbresult.Unknown, 500), answerOf(osbresult.Unknown, 500), answerOf(osbresult.Unknown, 500), answerOf(osbresult.Done, 410)}, "", "write-ahead bind " + next2},
		{"the broker has another binding of this id", []Answer{answerWithoutCredentials(osbresult.Done, 200)}, "", "write-ahead bind " + next2},
		{"the broker refuses", []Answer{answerOf(osbresult.Rejected, 400)}, "now", "nothing: Ready"},
		{"a conflict", []Answer{answerOf(osbresult.Conflict, 409)}, "now", "nothing: Ready"},
		{"new credentials", []Answer{answerWithCredentials(201)}, "now", "wait"},
	} {
		f := newFixture(bound, rebound)
		for _, a := range test.answers {
			f.step()
			f.after(a)
			f.in.Now = f.in.Now.Add(time.Hour / 2)
		}
		if s := &f.b.Status; s.Rebind != test.rebind {
			t.Errorf("%s: it has handled %q, want %q", test.name, s.Rebind, test.rebind)
		}
		if got := f.step().describe(); got != test.then {
			t.Errorf("%s: then %s, want %s", test.name, got, test.then)
		}
	}
}

// TestABindingIsRenewedShortlyBeforeItIsDue: and not at the last moment.
// conformance: R05
func TestABindingIsRenewedShortlyBeforeItIsDue(t *testing.T) {
	renewal := "write-ahead bind " + next1 + " for id"
	for before, want := range map[time.Duration]string{time.Minute: "wait", 5 * time.Second: renewal, 0: renewal} {
		if got := newFixture(rotatable, expiring, later(45*time.Minute-before)).step().describe(); got != want {
			t.Errorf("%s before: %s, want %s", before, got, want)
		}
	}
}

// TestABindingSaysUntilWhenItHolds: whatever the broker says, not for a moment only.
// conformance: B16
func TestABindingSaysUntilWhenItHolds(t *testing.T) {
	f := newFixture(rotatable, expiring)
	if s := &f.b.Status; s.ExpiresAt == nil || !s.ExpiresAt.Equal(new(metav1.NewTime(rulestest.T0.Add(time.Hour)))) || s.RenewBefore == nil {
		t.Fatalf("it says %+v", s)
	}
	brief := newFixture(rotatable)
	a := answerWithCredentials(201)
	a.Binding.ExpiresAt = brief.in.Now.Add(time.Second)
	brief.after(a)
	brief.in.Now = brief.in.Now.Add(minInterval / 2)
	next := brief.step()
	if next.Request != nil || next.RequeueAt.IsZero() || rules.FindCondition(next.Status.Conditions, v1beta1.ConditionReady).Status != v1beta1.ConditionFalse {
		t.Errorf("of one that has ended at once: %s", next.describe())
	}
	brief.in.Now = brief.in.Now.Add(minInterval / 2)
	if got := brief.step().describe(); got != "write-ahead bind "+next1 {
		t.Errorf("then: %s", got)
	}
}

// TestABindingIsNeverReadyOnceItsCredentialsHaveEnded: whatever else goes on, and it is
// looked at when they do.
func TestABindingIsNeverReadyOnceItsCredentialsHaveEnded(t *testing.T) {
	failed := func(f *fixture) {
		limited := answerOf(osbresult.Retry, 429)
		limited.RetryAfter = time.Hour
		f.after(limited)
	}
	polled := func(f *fixture) { f.after(pollAnswer(osbresult.InProgress)) }
	busy := func(f *fixture) {
		f.in.BoundInstance.Instance = f.in.BoundInstance.Instance.DeepCopy()
		f.in.BoundInstance.Instance.Status.AsyncOpInProgress = true
	}
	for name, is := range map[string][]func(*fixture){
		"at rest":           edits(expiring),
		"not to be renewed": edits(rotatable, expiring, later(45*time.Minute), busy),
		"being rotated":     edits(rotatable, retrievable, expiring, later(45*time.Minute), func(f *fixture) { f.after(answerWithoutCredentials(osbresult.Accepted, 202)) }, polled),
		"rotated in vain":   edits(rotatable, expiring, later(59*time.Minute+59*time.Second), failed),
		"rotated":           edits(rotatable, expiring, later(45*time.Minute), expiring),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(is...)
			end := f.b.Status.ExpiresAt.Time
			next := f.step()
			if ready := rules.FindCondition(next.Status.Conditions, v1beta1.ConditionReady); ready.Status != v1beta1.ConditionTrue {
				t.Fatalf("before: Ready is %s: %s", ready.Status, ready.Message)
			}
			if next.RequeueAt.After(end) || !next.RequeueAt.After(f.in.Now) {
				t.Errorf("it is looked at again at %s, and ends at %s", next.RequeueAt, end)
			}
			f.b.Status, f.in.Now, f.in.LastPoll = next.Status, end, end
			if ready := rules.FindCondition(f.step().Status.Conditions, v1beta1.ConditionReady); ready.Status != v1beta1.ConditionFalse {
				t.Errorf("Ready is %s: %s", ready.Status, ready.Message)
			}
		})
	}
}

// TestARepairLeavesTheEndOfABinding: a broker that does not repeat when the credentials
// end has not changed that.
func TestARepairLeavesTheEndOfABinding(t *testing.T) {
	for name, is := range map[string][]func(*fixture){
		"of its own":      edits(expiring, secretGone),
		"fetched":         edits(retrievable, expiring, secretGone),
		"after a rotated": edits(rotatable, bound, rebound, expiring, secretGone),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(is...)
			f.after(answerWithCredentials(200))
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
		"at rest":                     {edits(bound), true},
		"a rebind":                    {edits(bound, rebound), false},
		"one that will end":           {edits(expiring), false},
		"one with former credentials": {edits(bound, rebound, bound), false},
		"one of an updated instance":  {edits(bound, instanceUpdated), false},
	} {
		if f := newFixture(test.is...); IsSettled(f.b, f.in.BoundInstance.Instance) != test.want {
			t.Errorf("%s: it is not %t", name, test.want)
		}
	}
}

// TestWhatHasEndedIsReplacedByAPlainBind: the broker would refuse to rotate it.
// conformance: R07
func TestWhatHasEndedIsReplacedByAPlainBind(t *testing.T) {
	f := newFixture(rotatable, expiring, later(time.Hour))
	if next := f.step(); next.Request == nil || next.Request.Operation != rules.Bind || next.Request.PredecessorID != "" || next.Request.ID == "id" {
		t.Errorf("then: %s", next.describe())
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
		"tried again":       {edits(repeated(1, answerOf(osbresult.Unknown, 500))), true},
		"cleaned up":        {edits(repeated(4, answerOf(osbresult.Unknown, 500))), false},
		"asked for anew":    {edits(bound, rebound), false},
		"rotated":           {edits(rotatable, bound, rebound), false},
		"renewed":           {edits(rotatable, expiring, later(45*time.Minute)), false},
		"deleted":           {edits(bound, deleted, definitionExists, secretDeleted), false},
		"deleted meanwhile": {edits(repeated(4, answerOf(osbresult.Unknown, 500)), deleted, definitionExists), false},
	} {
		f := newFixture(test.is...)
		f.b.Status = f.step().Status
		if got := bindingphase.IsOnBehalfOfUser(f.b); got != test.want {
			t.Errorf("%s: on behalf of the user: %t", name, got)
		}
	}
}

func BenchmarkDecideBinding(b *testing.B) {
	for name, is := range map[string][]func(*fixture){
		"new": nil, "ready": edits(bound), "deleted": edits(bound, deleted),
	} {
		b.Run(name, func(b *testing.B) {
			f := newFixture(is...)
			b.ReportAllocs()
			for b.Loop() {
				f.step()
			}
		})
	}
}
