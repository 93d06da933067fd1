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
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
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
	f.w.known = callMemory{}
	f.w.secret, f.w.secretOf, f.w.secretVersion = secretGood, t.id, "7"
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

func bfs(edits ...func(*bindingFixture)) []func(*bindingFixture) { return edits }

// with is an answer with credentials.
func with(status int) bindingAnswer {
	a := saidOf(osbresult.Done, status)
	a.binding = &osbresult.Binding{Created: status == 201, Credentials: json.RawMessage(`{"password":"x"}`)}
	return a
}

// without is one that has none.
func without(class osbresult.Class, status int) bindingAnswer {
	a := saidOf(class, status)
	a.binding = &osbresult.Binding{Created: status == 201}
	return a
}

func pollOf(state osbresult.State) bindingAnswer {
	a := saidOf(osbresult.Done, 200)
	a.state, a.words = state, "words"
	return a
}

func bound1(f *bindingFixture)      { f.after(with(201)) }
func binding1(f *bindingFixture)    { retrievable(f); f.after(without(osbresult.Accepted, 202)) }
func retrievable(f *bindingFixture) { f.w.ground.class.Common().BindingRetrievable = true }
func rotatable(f *bindingFixture)   { f.w.ground.plan.Common().BindingRotatable = true }
func brought1(f *bindingFixture)    { f.b.Annotations = nil }
func lives1(f *bindingFixture)      { f.w.definition = definitionLives }
func secretGone(f *bindingFixture)  { f.w.secret, f.w.secretOf = secretAbsent, "" }
func secretOurs(f *bindingFixture)  { f.w.secret = secretEdited }
func rebound(f *bindingFixture)     { rebind("now")(f) }

// restarted1 is that of instances.
func restarted1(f *bindingFixture) {
	if next := f.step(); next.journal {
		f.b.Status = next.status
	}
	f.w.known = callMemory{}
}

// rebind has a person ask for new credentials.
func rebind(value string) func(*bindingFixture) {
	return func(f *bindingFixture) {
		metav1.SetMetaDataAnnotation(&f.b.ObjectMeta, v1beta1.RebindAnnotation, value)
	}
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
	f.w.secret = secretGood
	f.b.Status = v1beta1.ServiceBindingStatus{ReconciledGeneration: 1, UnbindStatus: v1beta1.UnbindRequired, LastConditionState: "Ready",
		ExternalProperties: &v1beta1.ServiceBindingPropertiesState{},
		Conditions:         []v1beta1.Condition{{Type: v1beta1.ConditionReady, Status: v1beta1.ConditionTrue, Reason: v1beta1.ReasonInjectedBindResult}}}
}

// legacyFailed is what it left of one that the broker refused (G64).
func legacyFailed(f *bindingFixture) {
	f.b.Status = v1beta1.ServiceBindingStatus{ReconciledGeneration: 1, UnbindStatus: v1beta1.UnbindRequired, LastConditionState: "Failed",
		Conditions: []v1beta1.Condition{{Type: v1beta1.ConditionReady, Status: v1beta1.ConditionFalse, Reason: v1beta1.ReasonBindCallFailed},
			{Type: v1beta1.ConditionFailed, Status: v1beta1.ConditionTrue, Reason: v1beta1.ReasonServiceBindingReturnedFailure}}}
}
