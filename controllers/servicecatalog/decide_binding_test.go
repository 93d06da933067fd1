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
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/osb"
)

// bindingFixture is a binding and what surrounds it.
type bindingFixture struct {
	b *v1beta1.ServiceBinding
	w bindingWorld
}

func newBindingFixture(edits ...func(*bindingFixture)) *bindingFixture {
	walk := newBindingWalk(nil, 0)
	f := &bindingFixture{b: walk.b, w: walk.world(walk.b)}
	f.w.definition = definitionUnknown
	for _, edit := range edits {
		edit(f)
	}
	return f
}

// step is what happens next; what it wants to know of the Secret first is as it was.
func (f *bindingFixture) step() bindingStep { return decideBinding(f.b, f.w) }

// after takes an answer into the status, as the shell does, and puts credentials into the
// Secret if there are any.
func (f *bindingFixture) after(a bindingAnswer) {
	next := f.step()
	f.w.known = f.w.known.learn(f.b, *next.call, a)
	f.b.Status = foldBinding(f.b, next.status, *next.call, a, f.w.now)
	f.w.firstSight = false
	f.w.polled = time.Time{}
	if next.call.verb == poll {
		f.w.polled = f.w.now
	}
	if next = f.step(); next.deed == injectKeys {
		f.inject(next)
	}
}

func (f *bindingFixture) inject(next bindingStep) {
	t := f.w.known.told
	f.b.Status = foldInjected(f.b, next.status, t.binding, "7", f.w.now)
	f.w.known = bindingMemory{}
	f.w.secret, f.w.secretOf, f.w.secretVersion = secretGood, t.id, "7"
}

func bfs(edits ...func(*bindingFixture)) []func(*bindingFixture) { return edits }

// with is an answer with credentials.
func with(status int) bindingAnswer {
	a := saidOf(osb.Done, status)
	a.binding = &osb.Binding{Created: status == 201, Credentials: json.RawMessage(`{"password":"x"}`)}
	return a
}

// without is one that has none.
func without(class osb.Class, status int) bindingAnswer {
	a := saidOf(class, status)
	a.binding = &osb.Binding{Created: status == 201}
	return a
}

func pollOf(state osb.State) bindingAnswer {
	a := saidOf(osb.Done, 200)
	a.state, a.words = state, "words"
	return a
}

func bound1(f *bindingFixture)      { f.after(with(201)) }
func binding1(f *bindingFixture)    { retrievable(f); f.after(without(osb.Accepted, 202)) }
func retrievable(f *bindingFixture) { f.w.ground.class.Common().BindingRetrievable = true }
func rotatable(f *bindingFixture)   { f.w.ground.plan.Common().BindingRotatable = true }
func restarted1(f *bindingFixture)  { f.w.firstSight, f.w.known = false, bindingMemory{} }
func brought1(f *bindingFixture)    { f.b.Annotations = nil }
func lives1(f *bindingFixture)      { f.w.definition = definitionLives }
func secretGone(f *bindingFixture)  { f.w.secret, f.w.secretOf = secretAbsent, "" }
func secretOurs(f *bindingFixture)  { f.w.secret = secretEdited }
func rebound(f *bindingFixture) {
	metav1.SetMetaDataAnnotation(&f.b.ObjectMeta, v1beta1.RebindAnnotation, "now")
}

func deleted1(f *bindingFixture) {
	at := metav1.NewTime(t0)
	f.b.DeletionTimestamp = &at
	f.b.Generation++
}

func ejected(f *bindingFixture) {
	f.w.secret, f.w.secretOf = secretAbsent, ""
	f.b.Status.SecretVersion = ""
}

func in(d time.Duration) func(*bindingFixture) {
	return func(f *bindingFixture) { f.w.now = f.w.now.Add(d) }
}

func policy(value string) func(*bindingFixture) {
	return func(f *bindingFixture) {
		metav1.SetMetaDataAnnotation(&f.b.ObjectMeta, v1beta1.DeletionPolicyAnnotation, value)
	}
}

// repeated answers the same so often, an hour apart.
func repeated(n int, a bindingAnswer) func(*bindingFixture) {
	return func(f *bindingFixture) {
		for range n {
			f.after(a)
			f.w.now = f.w.now.Add(time.Hour)
		}
	}
}

// say describes a step in words.
func (s bindingStep) say() string {
	var parts []string
	switch {
	case s.protect:
		parts = append(parts, "protect")
	case s.prove:
		parts = append(parts, "prove")
	case s.read:
		parts = append(parts, "read")
	case s.look:
		parts = append(parts, "look")
	case s.release != nil:
		parts = append(parts, "release", s.release.reason)
	}
	if s.journal {
		parts = append(parts, "journal")
	}
	if s.deed != "" {
		parts = append(parts, string(s.deed))
	}
	if c := s.call; c != nil {
		parts = append(parts, string(c.verb), tail(c.id))
		if c.predecessor != "" {
			parts = append(parts, "for", tail(c.predecessor))
		}
		if c.removal {
			parts = append(parts, "(removal)")
		}
		if c.again {
			parts = append(parts, "again")
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

func TestDecideBinding(t *testing.T) {
	instance := func(edit func(*v1beta1.ServiceInstance)) func(*bindingFixture) {
		return func(f *bindingFixture) {
			f.w.now = f.w.now.Add(time.Hour) // it is not young
			f.w.ground.instance = f.w.ground.instance.DeepCopy()
			edit(f.w.ground.instance)
		}
	}
	for name, test := range map[string]struct {
		why  string
		is   []func(*bindingFixture)
		want string
	}{
		"new":                     {"the object itself is the journal", nil, "bind id"},
		"new after a restart":     {"any process may have sent the same", bfs(restarted1), "bind id"},
		"without finalizer":       {"R1", bfs(func(f *bindingFixture) { f.b.Finalizers = nil }), "protect"},
		"abandoned":               {"the finalizer was removed", bfs(bound1, func(f *bindingFixture) { f.b.Finalizers = nil }), "nothing: Abandoned"},
		"ready":                   {"R6", bfs(bound1), "nothing: Ready"},
		"without an id":           {"the spec cannot be changed", bfs(func(f *bindingFixture) { f.b.Spec.ExternalID, f.b.Annotations = "", nil }), "journal bind " + tail(catalog.NextID("uid-b", "", 1))},
		"parameters from Secrets": {"they are read when they are to be sent", bfs(func(f *bindingFixture) { f.w.parameters.known = false }), "read"},
		"bad parameters":          {"", bfs(func(f *bindingFixture) { f.w.parameters.problem = &word{v1beta1.ReasonErrorWithParameters, "x"} }), "nothing: ErrorWithParameters"},

		"no instance, young":       {"it was made together with it", bfs(func(f *bindingFixture) { f.w.ground = ground{} }), "wait"},
		"no instance":              {"", bfs(in(time.Hour), func(f *bindingFixture) { f.w.ground = ground{} }), "nothing: ReferencesNonexistentInstance"},
		"instance not provisioned": {"", bfs(instance(func(si *v1beta1.ServiceInstance) { si.Status.ProvisionStatus = "" })), "nothing: ErrorInstanceNotReady"},
		"instance unusable":        {"B17", bfs(instance(func(si *v1beta1.ServiceInstance) { si.Status.Unusable = true })), "nothing: InstanceUnusable"},
		"instance busy":            {"", bfs(instance(func(si *v1beta1.ServiceInstance) { si.Status.AsyncOpInProgress = true })), "nothing: ErrorAsyncOperationInProgress"},
		"instance deleted":         {"", bfs(instance(func(si *v1beta1.ServiceInstance) { si.DeletionTimestamp = new(metav1.NewTime(t0)) })), "nothing: ErrorInstanceNotReady"},
		"refs unresolved":          {"", bfs(in(time.Hour), func(f *bindingFixture) { f.w.ground.missing = &word{v1beta1.ReasonErrorInstanceRefsUnresolved, "x"} }), "nothing: ErrorInstanceRefsUnresolved"},
		"not bindable":             {"B01", bfs(func(f *bindingFixture) { f.w.ground.plan.Common().Bindable = new(bool) }), "nothing: Failed"},
		"a log drain":              {"B10", bfs(func(f *bindingFixture) { f.w.ground.class.Common().Requires = []string{"syslog_drain"} }), "nothing: Failed"},
		"somebody else's Secret":   {"before the broker is asked", bfs(func(f *bindingFixture) { f.w.secret = secretOthers }), "nothing: ErrorInjectingBindResult"},
		"an id of another":         {"R10", bfs(brought1, func(f *bindingFixture) { f.w.claimed = true }), "nothing: ExternalIDInUse"},
		"no broker":                {"", bfs(func(f *bindingFixture) { f.w.broker = nil }), "nothing: ReferencesNonexistentBroker"},
		"no credentials for it":    {"", bfs(func(f *bindingFixture) { f.w.problem = &word{v1beta1.ReasonErrorGettingAuthCredentials, "x"} }), "nothing: ErrorGettingAuthCredentials"},

		"being made":               {"", bfs(binding1), "poll id"},
		"made":                     {"L17: the credentials are fetched", bfs(binding1, func(f *bindingFixture) { f.after(pollOf(osb.Succeeded)) }), "fetch id again"},
		"polled a moment ago":      {"", bfs(binding1, func(f *bindingFixture) { f.after(pollOf(osb.InProgress)) }), "wait"},
		"overdue":                  {"", bfs(binding1, in(8*24*time.Hour)), "wait"},
		"deleted while being made": {"it is acted on", bfs(binding1, deleted1, lives1), "unbind id"},
		"brought and being made":   {"R10: only if it succeeds it was ours", bfs(brought1, binding1, deleted1, lives1), "poll id"},

		"Secret gone":                       {"", bfs(bound1, secretGone), "bind id again"},
		"Secret gone, retrievable":          {"", bfs(retrievable, bound1, secretGone), "fetch id again"},
		"Secret not seen":                   {"the cache may lag", bfs(bound1, func(f *bindingFixture) { f.w.secret = secretUnseen }), "look"},
		"Secret gone, credentials not told": {"confirmed, and under a new id", bfs(bound1, secretGone, func(f *bindingFixture) { f.after(without(osb.Done, 200)) }), "journal unbind id"},
		"Secret gone, rotatable":            {"", bfs(rotatable, bound1, secretGone, func(f *bindingFixture) { f.after(without(osb.Done, 200)) }), "journal bind " + next1 + " for id"},
		"Secret edited":                     {"", bfs(bound1, secretOurs), "bind id again"},
		"Secret edited, not told again":     {"nobody asked to end them", bfs(bound1, secretOurs, func(f *bindingFixture) { f.after(without(osb.Done, 200)) }), "nothing: SecretEdited"},
		"Secret edited, 409":                {"the parameters have changed since", bfs(bound1, secretOurs, func(f *bindingFixture) { f.after(saidOf(osb.Conflict, 409)) }, in(time.Hour)), "nothing: SecretEdited"},
		"Secret replaced":                   {"never another's", bfs(bound1, func(f *bindingFixture) { f.w.secret = secretOthers }), "nothing: ErrorInjectingBindResult"},
		"fetched without credentials":       {"F07", bfs(retrievable, bound1, secretOurs, func(f *bindingFixture) { f.after(without(osb.Done, 200)) }), "bind id again"},
		"fetch not answered":                {"F03", bfs(retrievable, bound1, secretGone, func(f *bindingFixture) { f.after(saidOf(osb.Retry, 500)) }, in(time.Hour)), "fetch id again"},
		"brought and not told":              {"it is not ours to remove", bfs(brought1, func(f *bindingFixture) { f.after(without(osb.Done, 200)) }), "nothing: ErrorInjectingBindResult"},

		"rebind":                           {"the Secret first", bfs(bound1, rebound), "journal withdraw"},
		"rebind, rotatable":                {"R02 R03", bfs(rotatable, bound1, rebound), "journal bind " + next1 + " for id"},
		"rebind, not rotatable":            {"R01", bfs(bound1, rebound, withdrawn), "unbind id"},
		"rebind of what was brought":       {"it is left, and another made", bfs(brought1, func(f *bindingFixture) { f.after(with(200)) }, rebound, withdrawn), "wait"},
		"rotated":                          {"R04: only once it is delivered", bfs(rotatable, bound1, rebound, bound1), "unbind id"},
		"rotated, and the old one gone":    {"", bfs(rotatable, bound1, rebound, bound1, func(f *bindingFixture) { f.after(saidOf(osb.Done, 200)) }), "nothing: Ready"},
		"rotation refused":                 {"R06: the old one stays", bfs(rotatable, bound1, rebound, func(f *bindingFixture) { f.after(saidOf(osb.Rejected, 400)) }), "nothing: Ready"},
		"rotation failed":                  {"R06: the new id only is cleaned up", bfs(rotatable, bound1, rebound, repeated(4, saidOf(osb.Unknown, 500))), "unbind " + next1},
		"deleted while being rotated":      {"both go", bfs(rotatable, bound1, rebound, func(f *bindingFixture) { f.after(saidOf(osb.Unknown, 500)) }, deleted1, lives1, ejected), "unbind id"},
		"and after that":                   {"", bfs(rotatable, bound1, rebound, func(f *bindingFixture) { f.after(saidOf(osb.Unknown, 500)) }, deleted1, lives1, ejected, func(f *bindingFixture) { f.after(saidOf(osb.Done, 200)) }), "unbind " + next1},
		"to be renewed":                    {"R05", bfs(rotatable, expiring, in(45*time.Minute)), "journal bind " + next1 + " for id"},
		"not yet to be renewed":            {"R05", bfs(rotatable, expiring, in(44*time.Minute)), "wait"},
		"to be renewed, but not rotatable": {"R01", bfs(expiring, in(45*time.Minute)), "wait"},
		"ended":                            {"R07", bfs(rotatable, expiring, in(time.Hour)), "journal withdraw"},
		"rotated, then not to be removed":  {"", bfs(rotatable, bound1, rebound, bound1, repeated(2, saidOf(osb.Unknown, 500))), "unbind id"},
		"ended while being rotated":        {"R02: who has ended can be replaced by none", bfs(rotatable, expiring, in(45*time.Minute), func(f *bindingFixture) { f.after(saidOf(osb.Retry, 429)) }, in(time.Hour)), "unbind " + next1},
		"and then":                         {"R07", bfs(rotatable, expiring, in(45*time.Minute), func(f *bindingFixture) { f.after(saidOf(osb.Retry, 429)) }, in(time.Hour), func(f *bindingFixture) { f.after(saidOf(osb.Done, 200)) }, in(time.Hour)), "journal withdraw"},
		"rotated into no Secret":           {"R06: the new id only is cleaned up", bfs(rotatable, bound1, rebound, unfit), "unbind " + next1},
		"renewal has failed":               {"not at once again", bfs(rotatable, expiring, in(45*time.Minute), func(f *bindingFixture) { f.after(saidOf(osb.Rejected, 400)) }), "wait"},

		"deleted at once":                       {"nothing was ever sent", bfs(deleted1, lives1), "release UnboundSuccessfully"},
		"deleted after a restart":               {"G67: something may have been sent", bfs(restarted1, deleted1, lives1), "unbind id"},
		"deleted, never an instance":            {"G67: there is nowhere that it could have been sent to", bfs(restarted1, deleted1, lives1, func(f *bindingFixture) { f.w.ground = ground{} }), "release UnboundSuccessfully"},
		"deleted":                               {"", bfs(bound1, deleted1), "prove"},
		"deleted, proven":                       {"the Secret first", bfs(bound1, deleted1, lives1), "eject"},
		"deleted, Secret gone":                  {"", bfs(bound1, deleted1, lives1, ejected), "unbind id"},
		"deleted, all else gone":                {"the ids are on record", bfs(bound1, deleted1, lives1, ejected, func(f *bindingFixture) { f.w.ground = ground{} }), "unbind id"},
		"deleted, broker gone":                  {"R8", bfs(bound1, deleted1, lives1, ejected, func(f *bindingFixture) { f.w.broker = nil }), "nothing: ReferencesNonexistentBroker"},
		"retained":                              {"R8", bfs(bound1, deleted1, policy(v1beta1.DeletionPolicyRetain)), "release Retained"},
		"CRD deleted":                           {"R10", bfs(bound1, deleted1, func(f *bindingFixture) { f.w.definition = definitionTerminating }), "nothing: DefinitionTerminating"},
		"brought and there":                     {"R10", bfs(brought1, func(f *bindingFixture) { f.after(with(200)) }, deleted1, lives1), "release Retained"},
		"brought, with policy":                  {"R10", bfs(brought1, func(f *bindingFixture) { f.after(with(200)) }, deleted1, lives1, ejected, policy(v1beta1.DeletionPolicyDelete)), "unbind id"},
		"brought, and not yet deleted":          {"R10: the policy is for the deletion", bfs(brought1, policy(v1beta1.DeletionPolicyDelete), repeated(maxRepeats+1, saidOf(osb.Unknown, 500))), "bind id"},
		"to be kept, whatever it is":            {"R8: somebody looks after it", bfs(policy(v1beta1.DeletionPolicyRetain), repeated(maxRepeats+1, saidOf(osb.Unknown, 500))), "bind id"},
		"to be kept, while it is being removed": {"R8", bfs(repeated(maxRepeats+1, saidOf(osb.Unknown, 500)), func(f *bindingFixture) { f.after(saidOf(osb.Unknown, 500)) }, in(time.Hour), policy(v1beta1.DeletionPolicyRetain)), "nothing: Failed"},
		"to be kept, and rotated in vain":       {"what a rotation made is nobody's", bfs(rotatable, bound1, policy(v1beta1.DeletionPolicyRetain), rebound, repeated(4, saidOf(osb.Unknown, 500))), "unbind " + next1},
		"brought and created":                   {"R10", bfs(brought1, bound1, deleted1, lives1, ejected), "unbind id"},
		"restored": {"R10: the record of its id is older than the object", bfs(func(f *bindingFixture) {
			f.b.CreationTimestamp.Time = t0.Add(-time.Hour)
			f.w.now = t0.Add(time.Minute)
		}, func(f *bindingFixture) { f.after(with(200)) }, deleted1, lives1), "release Retained"},
		"claimed by another":        {"the last one removes it", bfs(bound1, deleted1, lives1, func(f *bindingFixture) { f.w.claimed = true }), "release Retained"},
		"given up before":           {"by the former service-catalog", bfs(bound1, deleted1, lives1, func(f *bindingFixture) { f.b.Status.UnbindStatus = v1beta1.UnbindFailed }), "nothing: UnbindCallFailed"},
		"given up, and asked again": {"", bfs(bound1, deleted1, lives1, ejected, rebound, func(f *bindingFixture) { f.b.Status.UnbindStatus = v1beta1.UnbindFailed }), "unbind id"},

		"deleted after waiting, and a restart": {"nothing was sent, and that is on record", bfs(unbindable, restarted1, deleted1, lives1), "release UnboundSuccessfully"},
		"bindable at last":                     {"which is on record first", bfs(unbindable, func(f *bindingFixture) { f.w.ground.plan.Common().Bindable = nil }), "journal bind id"},

		"of the former service-catalog": {"it is left as it is", bfs(legacy), "nothing: Ready"},
		"failed under it":               {"it is left as it is", bfs(legacyFailed), "nothing: Failed"},
		"and asked for again":           {"", bfs(legacyFailed, rebound), "journal bind id"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newBindingFixture(test.is...)
			if got := f.step().say(); got != test.want {
				t.Errorf("%s, want %s (%s)", got, test.want, test.why)
			}
		})
	}
}

// next1 is the binding's second id.
var next1 = tail(catalog.NextID("uid-b", "id", 1))

func withdrawn(f *bindingFixture) {
	next := f.step()
	f.b.Status = foldWithdrawn(next.status, "8")
	f.w.secretOf = ""
}

// unbindable is one that waits since its plan has no bindings.
func unbindable(f *bindingFixture) {
	f.w.ground.plan.Common().Bindable = new(bool)
	f.b.Status = f.step().status
}

// expiring is a binding that ends in an hour.
func expiring(f *bindingFixture) {
	a := with(201)
	a.binding.ExpiresAt, a.binding.RenewBefore = f.w.now.Add(time.Hour), f.w.now.Add(45*time.Minute)
	f.after(a)
}

// unfit is a binding whose credentials were told, and fit into no Secret.
func unfit(f *bindingFixture) {
	next, a := f.step(), with(201)
	f.w.known = f.w.known.learn(f.b, *next.call, a)
	f.b.Status = foldBinding(f.b, next.status, *next.call, a, f.w.now)
	f.b.Status = foldUninjected(f.b, f.b.Status, "x", false, f.w.now)
	f.w.known.told = &told{id: next.call.id, unfit: true}
}

// legacy is what the former service-catalog left of a binding that is Ready (G63).
func legacy(f *bindingFixture) {
	f.b.Annotations = nil
	f.w.firstSight, f.w.secret = false, secretGood
	f.b.Status = v1beta1.ServiceBindingStatus{ReconciledGeneration: 1, UnbindStatus: v1beta1.UnbindRequired, LastConditionState: "Ready",
		ExternalProperties: &v1beta1.ServiceBindingPropertiesState{},
		Conditions:         []v1beta1.Condition{{Type: v1beta1.ConditionReady, Status: v1beta1.ConditionTrue, Reason: v1beta1.ReasonInjectedBindResult}}}
}

// legacyFailed is what it left of one that the broker refused (G64).
func legacyFailed(f *bindingFixture) {
	f.w.firstSight = false
	f.b.Status = v1beta1.ServiceBindingStatus{ReconciledGeneration: 1, UnbindStatus: v1beta1.UnbindRequired, LastConditionState: "Failed",
		Conditions: []v1beta1.Condition{{Type: v1beta1.ConditionReady, Status: v1beta1.ConditionFalse, Reason: v1beta1.ReasonBindCallFailed},
			{Type: v1beta1.ConditionFailed, Status: v1beta1.ConditionTrue, Reason: v1beta1.ReasonServiceBindingReturnedFailure}}}
}

// TestBindAnswers has each row of the response matrix.
// conformance: B12 O08 O09
func TestBindAnswers(t *testing.T) {
	drain := with(201)
	drain.binding.SyslogDrainURL = "syslog://x"
	timeout := bindingAnswer{Outcome: osb.Outcome{Class: osb.Unknown, Sent: true}}
	for name, test := range map[string]struct {
		is     []func(*bindingFixture)
		answer bindingAnswer
		state  string // LastConditionState
		undo   v1beta1.UnbindStatus
		next   string // after a day
	}{
		"201":                       {nil, with(201), "Ready", "Required", "nothing: Ready"},
		"201 without credentials":   {nil, without(osb.Done, 201), "Ready", "Required", "nothing: Ready"},
		"200":                       {nil, with(200), "Ready", "Required", "nothing: Ready"},
		"200 without credentials":   {nil, without(osb.Done, 200), "Ready", "Required", "nothing: Ready"},
		"and after a lost answer":   {bfs(repeated(1, saidOf(osb.Unknown, 500))), without(osb.Done, 200), "Binding", "Required", "journal unbind id"},
		"and under a brought id":    {bfs(brought1), without(osb.Done, 200), "Binding", "Required", "nothing: ErrorInjectingBindResult"},
		"201 with a log drain":      {nil, drain, "Failed", "Required", "unbind id"},
		"202":                       {bfs(retrievable), without(osb.Accepted, 202), "Binding", "Required", "poll id"},
		"200 malformed":             {nil, saidOf(osb.Malformed, 200), "BindCallFailed", "Required", "bind id"},
		"400":                       {nil, saidOf(osb.Rejected, 400), "Failed", "NotRequired", "nothing: Failed"},
		"400 to a repeat":           {bfs(repeated(1, saidOf(osb.Unknown, 500))), saidOf(osb.Rejected, 400), "Failed", "Required", "unbind id"},
		"400 after a restart":       {bfs(restarted1), saidOf(osb.Rejected, 400), "Failed", "Required", "unbind id"},
		"400 under a brought id":    {bfs(brought1, restarted1), saidOf(osb.Rejected, 400), "Failed", "Required", "nothing: Failed"},
		"401":                       {nil, saidOf(osb.Retry, 401), "BindCallFailed", "NotRequired", "journal bind id"},
		"404":                       {nil, saidOf(osb.Rejected, 404), "Failed", "NotRequired", "nothing: Failed"},
		"408":                       {nil, saidOf(osb.Retry, 408), "BindCallFailed", "NotRequired", "journal bind id"},
		"409":                       {nil, saidOf(osb.Conflict, 409), "BindCallFailed", "Required", "unbind id"},
		"409, retrievable":          {bfs(retrievable), saidOf(osb.Conflict, 409), "BindCallFailed", "Required", "fetch id"},
		"409 under a brought id":    {bfs(brought1), saidOf(osb.Conflict, 409), "Failed", "NotRequired", "nothing: Failed"},
		"410":                       {nil, saidOf(osb.Rejected, 410), "Failed", "NotRequired", "nothing: Failed"},
		"412":                       {nil, saidOf(osb.NeedsCatalog, 412), "BindCallFailed", "NotRequired", "journal bind id"},
		"AsyncRequired":             {nil, saidOf(osb.NeedsAsync, 422), "Failed", "NotRequired", "nothing: Failed"},
		"RequiresApp":               {nil, saidOf(osb.NeedsApp, 422), "", "Required", "bind id"},
		"ConcurrencyError":          {nil, saidOf(osb.Concurrency, 422), "BindCallFailed", "NotRequired", "journal bind id"},
		"ConcurrencyErrors":         {bfs(repeated(9, saidOf(osb.Concurrency, 422))), saidOf(osb.Concurrency, 422), "BindCallFailed", "NotRequired", "journal bind id"},
		"422":                       {nil, saidOf(osb.Rejected, 422), "Failed", "NotRequired", "nothing: Failed"},
		"429":                       {nil, saidOf(osb.Retry, 429), "BindCallFailed", "NotRequired", "journal bind id"},
		"refused connection":        {nil, bindingAnswer{Outcome: osb.Outcome{Class: osb.Retry}}, "BindCallFailed", "NotRequired", "journal bind id"},
		"refused after a restart":   {bfs(restarted1), bindingAnswer{Outcome: osb.Outcome{Class: osb.Retry}}, "BindCallFailed", "Required", "bind id"},
		"500":                       {nil, saidOf(osb.Unknown, 500), "BindCallFailed", "Required", "bind id"},
		"201 malformed":             {nil, saidOf(osb.Unknown, 201), "BindCallFailed", "Required", "bind id"},
		"204":                       {nil, saidOf(osb.Unknown, 204), "BindCallFailed", "Required", "bind id"},
		"timeout":                   {nil, timeout, "BindCallFailed", "Required", "bind id"},
		"timeouts":                  {bfs(repeated(maxRepeats, timeout)), timeout, "BindCallFailed", "Required", "unbind id"},
		"500s under a brought id":   {bfs(brought1, repeated(maxRepeats, timeout)), timeout, "BindCallFailed", "Required", "bind id"},
		"timeouts and then a Retry": {bfs(repeated(1, timeout)), saidOf(osb.Retry, 429), "BindCallFailed", "Required", "bind id"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newBindingFixture(test.is...)
			f.after(test.answer)
			if got := f.b.Status.LastConditionState; got != test.state {
				t.Errorf("says %s, want %s", got, test.state)
			}
			if got := f.b.Status.UnbindStatus; got != test.undo {
				t.Errorf("unbinding is %s, want %s", got, test.undo)
			}
			f.w.now = f.w.now.Add(24 * time.Hour)
			if got := f.step().say(); got != test.next {
				t.Errorf("then: %s, want %s", got, test.next)
			}
		})
	}
}

// TestUnbindAnswers has each row of the response matrix.
// conformance: N02 N03 N04
func TestUnbindAnswers(t *testing.T) {
	for name, test := range map[string]struct {
		answer bindingAnswer
		state  string
		next   string // after an hour
	}{
		"200":              {saidOf(osb.Done, 200), "UnboundSuccessfully", "release UnboundSuccessfully"},
		"410":              {saidOf(osb.Gone, 410), "UnboundSuccessfully", "release UnboundSuccessfully"},
		"202":              {saidOf(osb.Accepted, 202), "Unbinding", "poll id (removal)"},
		"202 malformed":    {saidOf(osb.Unknown, 202), "UnbindCallFailed", "unbind id"},
		"204":              {saidOf(osb.Unknown, 204), "UnbindCallFailed", "unbind id"},
		"400":              {saidOf(osb.Rejected, 400), "UnbindCallFailed", "unbind id"},
		"404":              {saidOf(osb.Rejected, 404), "UnbindCallFailed", "unbind id"},
		"409":              {saidOf(osb.Conflict, 409), "UnbindCallFailed", "unbind id"},
		"AsyncRequired":    {saidOf(osb.NeedsAsync, 422), "Ready", "unbind id"},
		"ConcurrencyError": {saidOf(osb.Concurrency, 422), "UnbindCallFailed", "unbind id"},
		"500":              {saidOf(osb.Unknown, 500), "UnbindCallFailed", "unbind id"},
		"timeout":          {bindingAnswer{Outcome: osb.Outcome{Class: osb.Unknown, Sent: true}}, "UnbindCallFailed", "unbind id"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newBindingFixture(bound1, deleted1, lives1, ejected)
			f.after(test.answer)
			if got := f.b.Status.LastConditionState; got != test.state {
				t.Errorf("says %s, want %s", got, test.state)
			}
			ready := conditionOf(f.b.Status.Conditions, v1beta1.ConditionReady)
			if test.state == v1beta1.ReasonUnbindCallFailed && (ready.Status != v1beta1.ConditionUnknown || !strings.Contains(ready.Message, "the next is at") ||
				!strings.Contains(ready.Message, "Deleted since") || !strings.Contains(ready.Message, v1beta1.DeletionPolicyRetain)) {
				t.Errorf("Ready is %s: %s", ready.Status, ready.Message)
			}
			if removing := test.next != "release UnboundSuccessfully" && test.state != v1beta1.ConditionReady; removing && !strings.Contains(ready.Message, howToLetGo(f.b)) {
				t.Errorf("it does not say how to let go: %s", ready.Message)
			}
			f.w.now = f.w.now.Add(time.Hour)
			if got := f.step().say(); got != test.next {
				t.Errorf("then: %s, want %s", got, test.next)
			}
		})
	}
}

// TestBindingPollAnswers has what brokers say of operations.
func TestBindingPollAnswers(t *testing.T) {
	unbinding := bfs(bound1, deleted1, lives1, ejected, func(f *bindingFixture) { f.after(saidOf(osb.Accepted, 202)) })
	making := bfs(binding1)
	for name, test := range map[string]struct {
		is     []func(*bindingFixture)
		answer bindingAnswer
		state  string
		next   string // after an hour
	}{
		"in progress":           {making, pollOf(osb.InProgress), "Binding", "poll id"},
		"succeeded":             {making, pollOf(osb.Succeeded), "Binding", "fetch id again"},
		"failed":                {making, pollOf(osb.Failed), "Failed", "unbind id"},
		"failed, brought":       {bfs(brought1, binding1), pollOf(osb.Failed), "Failed", "nothing: Failed"},
		"500":                   {making, saidOf(osb.Retry, 500), "ErrorPollingLastOperation", "poll id"},
		"404":                   {making, saidOf(osb.Malformed, 404), "ErrorPollingLastOperation", "poll id"},
		"410":                   {making, saidOf(osb.Malformed, 410), "ErrorPollingLastOperation", "poll id"},
		"unbind, in progress":   {unbinding, pollOf(osb.InProgress), "Unbinding", "poll id (removal)"},
		"unbind, succeeded":     {unbinding, pollOf(osb.Succeeded), "UnboundSuccessfully", "release UnboundSuccessfully"},
		"unbind, failed":        {unbinding, pollOf(osb.Failed), "UnbindCallFailed", "unbind id"},
		"unbind, 410":           {unbinding, saidOf(osb.Gone, 410), "UnboundSuccessfully", "release UnboundSuccessfully"},
		"unbind, 404":           {unbinding, saidOf(osb.Malformed, 404), "UnbindCallFailed", "unbind id"},
		"unbind, 500":           {unbinding, saidOf(osb.Retry, 500), "ErrorPollingLastOperation", "poll id (removal)"},
		"unbind takes too long": {append(unbinding, in(8*24*time.Hour)), saidOf(osb.Accepted, 202), "Unbinding", "poll id (removal)"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newBindingFixture(test.is...)
			f.after(test.answer)
			if got := f.b.Status.LastConditionState; got != test.state {
				t.Errorf("says %s, want %s", got, test.state)
			}
			ready := conditionOf(f.b.Status.Conditions, v1beta1.ConditionReady)
			if waits := f.b.DeletionTimestamp != nil && !strings.HasPrefix(test.next, "release"); waits && strings.Count(ready.Message, howToLetGo(f.b)) != 1 {
				t.Errorf("it does not say how to let go: %s", ready.Message)
			}
			f.w.now = f.w.now.Add(time.Hour)
			if got := f.step().say(); got != test.next {
				t.Errorf("then: %s, want %s", got, test.next)
			}
		})
	}
}

// TestABindingThatTakesTooLongIsRemoved: it has failed then, whatever the broker may still
// make of it.
// conformance: L12 L14
func TestABindingThatTakesTooLongIsRemoved(t *testing.T) {
	f := newBindingFixture(binding1, func(f *bindingFixture) { f.after(pollOf(osb.InProgress)) }, in(8*24*time.Hour))
	f.b.Status = f.step().status
	if got := f.b.Status.LastConditionState; got != v1beta1.ConditionFailed {
		t.Errorf("it says %s", got)
	}
	if got := f.step().say(); got != "unbind id" {
		t.Errorf("then: %s", got)
	}
}

// TestBindingFetchAnswers has what comes of asking for credentials again.
// conformance: F04 F08
func TestBindingFetchAnswers(t *testing.T) {
	made := func(f *bindingFixture) { binding1(f); f.after(pollOf(osb.Succeeded)) }
	ours, others := with(200), with(200)
	ours.binding.Parameters, others.binding.Parameters = parametersOf("p0"), parametersOf("p1")
	for name, test := range map[string]struct {
		is     []func(*bindingFixture)
		answer bindingAnswer
		next   string // after an hour
	}{
		"after making it":                {bfs(made), with(200), "nothing: Ready"},
		"a service without credentials":  {bfs(made), without(osb.Done, 200), "nothing: Ready"},
		"not yet":                        {bfs(made), saidOf(osb.Gone, 404), "fetch id again"},
		"for long":                       {bfs(made, repeated(manyFetches, saidOf(osb.Gone, 404))), saidOf(osb.Gone, 404), "bind id again"},
		"an answer was lost":             {bfs(made, repeated(1, saidOf(osb.Retry, 0))), without(osb.Done, 200), "bind id again"},
		"busy":                           {bfs(made), saidOf(osb.Concurrency, 422), "fetch id again"},
		"a Secret that is gone":          {bfs(retrievable, bound1, secretGone), with(200), "nothing: Ready"},
		"a binding that is gone":         {bfs(retrievable, bound1, secretGone), saidOf(osb.Gone, 404), "bind id again"},
		"a conflict, and it is ours":     {bfs(retrievable, repeated(1, saidOf(osb.Conflict, 409))), ours, "nothing: Ready"},
		"a conflict, and it was another": {bfs(retrievable, repeated(1, saidOf(osb.Conflict, 409))), others, "unbind id"},
		"a conflict, and who knows":      {bfs(retrievable, repeated(1, saidOf(osb.Conflict, 409))), with(200), "unbind id"},
		"a conflict, no longer ours":     {bfs(retrievable, repeated(1, saidOf(osb.Conflict, 409)), func(f *bindingFixture) { f.w.claimed = true }), others, "nothing: Failed"},
		"a conflict, and it is not told": {bfs(retrievable, repeated(1, saidOf(osb.Conflict, 409))), without(osb.Done, 200), "unbind id"},
		"a conflict with nothing":        {bfs(retrievable, repeated(1, saidOf(osb.Conflict, 409))), saidOf(osb.Gone, 404), "bind id"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newBindingFixture(test.is...)
			f.after(test.answer)
			f.w.now = f.w.now.Add(time.Hour)
			if got := f.step().say(); got != test.next {
				t.Errorf("then: %s, want %s", got, test.next)
			}
		})
	}
}

// TestABindingIsRepeatedThenRemoved is the ladder of orphan mitigation, until its budget
// is used up; a person can renew it.
func TestABindingIsRepeatedThenRemoved(t *testing.T) {
	f := newBindingFixture()
	var calls []string
	for i := 0; ; i++ {
		next := f.step()
		if next.call == nil && next.wake.IsZero() {
			break
		}
		if i > 200 {
			t.Fatal("it is tried for ever")
		}
		if next.call != nil {
			calls = append(calls, string(next.call.verb))
			a := saidOf(osb.Unknown, 500)
			if next.call.verb == unbind {
				a = saidOf(osb.Done, 200)
			}
			f.after(a)
		}
		f.w.now = f.w.now.Add(time.Hour)
	}
	once := " bind bind bind bind unbind"
	if got, want := " "+strings.Join(calls, " "), strings.Repeat(once, maxRemovals); got != want {
		t.Errorf("%s, want %s", got, want)
	}
	s := &f.b.Status
	if s.LastConditionState != v1beta1.ConditionFailed || s.UnbindStatus != v1beta1.UnbindSucceeded || s.ExternalID != "" {
		t.Errorf("it ends as %+v", s)
	}
	rebound(f)
	if got := f.step().say(); got != "journal bind id" {
		t.Errorf("asked again: %s", got)
	}
}

// TestABindingIsNotMadeAnewForEver: by a broker that has bindings, and never tells what
// their credentials are.
func TestABindingIsNotMadeAnewForEver(t *testing.T) {
	f := newBindingFixture(retrievable)
	var unbinds, at []string
	for i := 0; ; i++ {
		next := f.step()
		if next.call == nil && next.wake.IsZero() {
			break
		}
		if i > 200 {
			t.Fatal("it is made for ever")
		}
		if next.call != nil {
			a := saidOf(osb.Done, 200)
			switch next.call.verb {
			case bind:
				a = without(osb.Accepted, 202)
				if next.call.again {
					a = without(osb.Done, 200)
				}
			case poll:
				a = pollOf(osb.Succeeded)
			case fetch:
				a = saidOf(osb.Gone, 404)
			case unbind:
				unbinds, at = append(unbinds, next.call.id), append(at, f.w.now.String())
			default:
				t.Fatalf("it asks for %s", next.say())
			}
			f.after(a)
		}
		if next = f.step(); !next.wake.IsZero() {
			f.w.now = next.wake
		}
	}
	if len(unbinds) != maxRemovals || len(slices.Compact(at)) != maxRemovals {
		t.Errorf("removed as %s at %s", unbinds, at)
	}
	if s := &f.b.Status; f.step().status.LastConditionState != v1beta1.ConditionFailed {
		t.Errorf("it ends as %+v", s)
	}
	rebound(f)
	if got := f.step().say(); !strings.HasPrefix(got, "journal unbind ") {
		t.Errorf("asked again: %s", got)
	}
}

// TestARebindWaitsForItsTurn: what somebody asks for begins a new budget, once.
func TestARebindWaitsForItsTurn(t *testing.T) {
	f := newBindingFixture(retrievable, repeated(1, saidOf(osb.Conflict, 409)), rebound)
	f.after(saidOf(osb.Retry, 500))
	if got := f.step().say(); got != "wait" {
		t.Errorf("then: %s, want wait", got)
	}
}

// TestABindingsIDIsReplacedOnceTheBrokerRefusesIt: not before.
func TestABindingsIDIsReplacedOnceTheBrokerRefusesIt(t *testing.T) {
	f := newBindingFixture(repeated(4, saidOf(osb.Unknown, 500)), repeated(1, saidOf(osb.Done, 200)))
	if got := f.step().say(); got != "journal bind id" {
		t.Fatalf("after the removal: %s", got)
	}
	f.after(saidOf(osb.Conflict, 409))
	f.w.now = f.w.now.Add(time.Hour)
	if next := f.step(); next.call == nil || next.call.verb != bind || next.call.id == "id" || !catalog.IsNextID("uid-b", "id", next.call.id) {
		t.Errorf("then: %s", next.say())
	}
}

// TestABindingIsMadeAnewUnderANewID: after the old one is confirmed to be gone, and never
// with what is in the Secret.
func TestABindingIsMadeAnewUnderANewID(t *testing.T) {
	f := newBindingFixture(bound1, rebound, withdrawn)
	var did []string
	for range 4 {
		next := f.step()
		did = append(did, next.say())
		if next.call == nil {
			break
		}
		a := saidOf(osb.Done, 200)
		if next.call.verb == bind {
			a = with(201)
		}
		f.after(a)
		f.w.now = f.w.now.Add(time.Hour)
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
	f := newBindingFixture(rotatable, bound1, rebound)
	for i, a := range []bindingAnswer{saidOf(osb.Retry, 429), saidOf(osb.Unknown, 500), saidOf(osb.Concurrency, 422), saidOf(osb.Unknown, 500), saidOf(osb.Unknown, 0), saidOf(osb.Unknown, 500), saidOf(osb.Unknown, 500), saidOf(osb.Done, 200)} {
		next := f.step()
		if next.call == nil || next.call.id == "id" || (next.call.verb == unbind) != (i >= 6) {
			t.Fatalf("request %d is %s", i, next.say())
		}
		if next.call.verb == bind && next.call.predecessor != "id" {
			t.Errorf("request %d replaces %q", i, next.call.predecessor)
		}
		f.after(a)
		if ready := conditionOf(f.b.Status.Conditions, v1beta1.ConditionReady); ready.Status != v1beta1.ConditionTrue {
			t.Errorf("after request %d, Ready is %s: %s", i, ready.Status, ready.Message)
		}
		f.w.now = f.w.now.Add(time.Hour)
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
		if got := newBindingFixture(rotatable, expiring, in(45*time.Minute-before)).step().say(); got != want {
			t.Errorf("%s before: %s, want %s", before, got, want)
		}
	}
}

// TestABindingSaysUntilWhenItHolds: whatever the broker says, not for a moment only.
// conformance: B16
func TestABindingSaysUntilWhenItHolds(t *testing.T) {
	f := newBindingFixture(rotatable, expiring)
	if s := &f.b.Status; s.ExpiresAt == nil || !s.ExpiresAt.Equal(new(metav1.NewTime(t0.Add(time.Hour)))) || s.RenewBefore == nil {
		t.Fatalf("it says %+v", s)
	}
	brief := newBindingFixture(rotatable)
	a := with(201)
	a.binding.ExpiresAt = brief.w.now.Add(time.Second)
	brief.after(a)
	brief.w.now = brief.w.now.Add(time.Minute)
	next := brief.step()
	if next.call != nil || next.wake.IsZero() || conditionOf(next.status.Conditions, v1beta1.ConditionReady).Status != v1beta1.ConditionFalse {
		t.Errorf("of one that has ended at once: %s", next.say())
	}
	brief.w.now = brief.w.now.Add(minRenewal)
	if got := brief.step().say(); got != "journal withdraw" {
		t.Errorf("then: %s", got)
	}
}

// TestABindingIsNeverReadyOnceItsCredentialsHaveEnded: whatever else goes on, and it is
// looked at when they do.
func TestABindingIsNeverReadyOnceItsCredentialsHaveEnded(t *testing.T) {
	failed := func(f *bindingFixture) {
		later := saidOf(osb.Retry, 429)
		later.RetryAfter = time.Hour
		f.after(later)
	}
	polled := func(f *bindingFixture) { f.after(pollOf(osb.InProgress)) }
	busy := func(f *bindingFixture) {
		f.w.ground.instance = f.w.ground.instance.DeepCopy()
		f.w.ground.instance.Status.AsyncOpInProgress = true
	}
	for name, is := range map[string][]func(*bindingFixture){
		"at rest":           bfs(expiring),
		"not to be renewed": bfs(rotatable, expiring, in(45*time.Minute), busy),
		"being rotated":     bfs(rotatable, retrievable, expiring, in(45*time.Minute), func(f *bindingFixture) { f.after(without(osb.Accepted, 202)) }, polled),
		"rotated in vain":   bfs(rotatable, expiring, in(59*time.Minute+59*time.Second), failed),
		"rotated":           bfs(rotatable, expiring, in(45*time.Minute), expiring, in(59*time.Minute+59*time.Second), failed),
	} {
		t.Run(name, func(t *testing.T) {
			f := newBindingFixture(is...)
			end := f.b.Status.ExpiresAt.Time
			next := f.step()
			if ready := conditionOf(next.status.Conditions, v1beta1.ConditionReady); ready.Status != v1beta1.ConditionTrue {
				t.Fatalf("before: Ready is %s: %s", ready.Status, ready.Message)
			}
			if next.wake.After(end) || !next.wake.After(f.w.now) {
				t.Errorf("it is looked at again at %s, and ends at %s", next.wake, end)
			}
			f.b.Status, f.w.now, f.w.polled = next.status, end, end
			if ready := conditionOf(f.step().status.Conditions, v1beta1.ConditionReady); ready.Status != v1beta1.ConditionFalse {
				t.Errorf("Ready is %s: %s", ready.Status, ready.Message)
			}
		})
	}
}

// TestARepairLeavesTheEndOfABinding: a broker that does not repeat when the credentials
// end has not changed that.
func TestARepairLeavesTheEndOfABinding(t *testing.T) {
	for name, is := range map[string][]func(*bindingFixture){
		"of its own":      bfs(expiring, secretGone),
		"fetched":         bfs(retrievable, expiring, secretGone),
		"after a rotated": bfs(rotatable, bound1, rebound, expiring, secretGone),
	} {
		t.Run(name, func(t *testing.T) {
			f := newBindingFixture(is...)
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
		is   []func(*bindingFixture)
		want int
	}{
		"at rest":           {bfs(bound1), 0},
		"a rebind":          {bfs(bound1, rebound), 1},
		"one that will end": {bfs(expiring), 1},
	} {
		f := newBindingFixture(test.is...)
		if got := unsettledBindings([]*v1beta1.ServiceBinding{f.b}); len(got) != test.want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

// TestWhatIsLeftAtTheBrokerIsSaid: where credentials stay valid that were to be replaced.
func TestWhatIsLeftAtTheBrokerIsSaid(t *testing.T) {
	adopted := func(f *bindingFixture) { brought1(f); f.after(with(200)) }
	f := newBindingFixture(adopted, rebound, withdrawn)
	next := f.step()
	if next.leave == nil || next.leave.reason != v1beta1.ReasonRetained || !strings.Contains(next.leave.message, `"id"`) {
		t.Errorf("replaced: %+v", next.leave)
	}
	if ready := conditionOf(next.status.Conditions, v1beta1.ConditionReady); !strings.Contains(ready.Message, "stay valid") {
		t.Errorf("replaced: %s", ready.Message)
	}
	f = newBindingFixture(rotatable, adopted, rebound, bound1)
	next = f.step()
	if ready := conditionOf(next.status.Conditions, v1beta1.ConditionReady); next.leave == nil || ready.Status != v1beta1.ConditionTrue || !strings.Contains(ready.Message, "stay valid") {
		t.Errorf("rotated: %+v, Ready is %s: %s", next.leave, ready.Status, ready.Message)
	}
}

// TestADeletedBindingSaysWhatItWaitsFor: also while it has still to be made.
func TestADeletedBindingSaysWhatItWaitsFor(t *testing.T) {
	f := newBindingFixture(brought1, binding1, deleted1, lives1, func(f *bindingFixture) { f.w.broker = nil })
	if ready := conditionOf(f.step().status.Conditions, v1beta1.ConditionReady); ready.Status != v1beta1.ConditionUnknown || !strings.Contains(ready.Message, howToLetGo(f.b)) {
		t.Errorf("Ready is %s: %s", ready.Status, ready.Message)
	}
}

// TestABindingSaysWhatIsBeingRemoved: before it is, and while it is.
func TestABindingSaysWhatIsBeingRemoved(t *testing.T) {
	for name, test := range map[string]struct {
		is   []func(*bindingFixture)
		says string
	}{
		"to be removed":     {bfs(repeated(4, saidOf(osb.Unknown, 500))), "What may have been left at the broker is being removed: it is not known"},
		"being removed":     {bfs(repeated(4, saidOf(osb.Unknown, 500)), func(f *bindingFixture) { f.after(saidOf(osb.Accepted, 202)) }), "What may have been left at the broker is being removed: the binding"},
		"not to be removed": {bfs(repeated(4, saidOf(osb.Unknown, 500)), func(f *bindingFixture) { f.after(saidOf(osb.Unknown, 500)) }), "What may have been left at the broker is being removed: unbind call failed: HTTP 500"},
		"being replaced":    {bfs(bound1, rebound, withdrawn, func(f *bindingFixture) { f.after(saidOf(osb.Unknown, 500)) }), "The binding is being replaced: unbind call failed: HTTP 500"},
	} {
		f := newBindingFixture(test.is...)
		if ready := conditionOf(f.step().status.Conditions, v1beta1.ConditionReady); !strings.HasPrefix(ready.Message, test.says) {
			t.Errorf("%s: %s", name, ready.Message)
		}
	}
}

// TestWhoAsksForABinding: who made it, but what others may have asked for, or nobody.
// conformance: I02 I06
func TestWhoAsksForABinding(t *testing.T) {
	for name, test := range map[string]struct {
		is   []func(*bindingFixture)
		want bool
	}{
		"new":               {nil, true},
		"tried again":       {bfs(repeated(1, saidOf(osb.Unknown, 500))), true},
		"cleaned up":        {bfs(repeated(4, saidOf(osb.Unknown, 500))), false},
		"asked for anew":    {bfs(bound1, rebound, withdrawn), false},
		"rotated":           {bfs(rotatable, bound1, rebound), false},
		"renewed":           {bfs(rotatable, expiring, in(45*time.Minute)), false},
		"deleted":           {bfs(bound1, deleted1, lives1, ejected), true},
		"deleted meanwhile": {bfs(repeated(4, saidOf(osb.Unknown, 500)), deleted1, lives1), true},
	} {
		f := newBindingFixture(test.is...)
		f.b.Spec.UserInfo = &v1beta1.UserInfo{Username: "amy"}
		f.b.Status = f.step().status
		if got := asker(f.b); (got != nil) != test.want || test.want && got.Username != "amy" {
			t.Errorf("%s: in the name of %+v", name, got)
		}
	}
}

// TestWhatHasEndedIsReplacedByAPlainBind: nothing is left that it could name.
// conformance: R07
func TestWhatHasEndedIsReplacedByAPlainBind(t *testing.T) {
	f := newBindingFixture(rotatable, expiring, in(time.Hour), withdrawn, func(f *bindingFixture) { f.after(saidOf(osb.Done, 200)) })
	if next := f.step(); next.call == nil || next.call.verb != bind || next.call.predecessor != "" || next.call.id == "id" {
		t.Errorf("then: %s", next.say())
	}
}
