// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingrules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingsecret"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// answer has the broker answer the next request, and drops the credentials of the answer, as the end of a reconcile does.
func answer(status int, with *osbresult.Binding) func(*bindingSample) {
	return func(f *bindingSample) {
		class := map[int]osbresult.Class{200: osbresult.Done, 201: osbresult.Done, 202: osbresult.Accepted, 409: osbresult.Conflict, 400: osbresult.Rejected, 500: osbresult.Unknown}[status]
		f.in.Now = f.in.Now.Add(time.Hour)
		next := bindingrules.Decide(f.b, f.in)
		a := bindingrules.Answer{Outcome: osbresult.Outcome{Class: class, Status: status, Sent: true}, Binding: with}
		f.in.Memory = f.in.Memory.ObserveAnswer(f.b, *next.Request, a)
		f.b.Status = bindingrules.Apply(f.b, next.Status, *next.Request, a, f.in.Now)
		f.in.Memory.DropCredentials()
	}
}

// polled has the broker end an operation.
func polled(f *bindingSample) {
	next := bindingrules.Decide(f.b, f.in)
	a := bindingrules.Answer{Outcome: osbresult.Outcome{Class: osbresult.Done, Status: 200, Sent: true}, State: osbresult.Succeeded}
	f.in.Memory = f.in.Memory.ObserveAnswer(f.b, *next.Request, a)
	f.b.Status = bindingrules.Apply(f.b, next.Status, *next.Request, a, f.in.Now)
}

// F-S41: what the broker says later about credentials that were dropped is not shown, since they cannot be redacted any more.
func TestWhatIsSaidAboutDroppedCredentialsIsWithheld(t *testing.T) {
	rebound := func(f *bindingSample) { f.b.Annotations[v1beta1.RebindAnnotation] = "now" }
	retrievable := func(f *bindingSample) { f.in.BoundInstance.Class.Common().BindingRetrievable = true }
	rotatable := func(f *bindingSample) { f.in.BoundInstance.Plan.Common().BindingRotatable = true }
	restarted := func(f *bindingSample) { f.in.Memory = bindingrules.RequestMemory{} }
	deleted := func(f *bindingSample) { f.in.Secret = bindingrules.SecretAbsent }
	told := answer(201, newCredentials("hunter3"))
	unsupported := newCredentials("hunter3")
	unsupported.RouteServiceURL = "https://logs.example"
	found := *unsupported
	found.Created = false
	foreign := newCredentials("hunter3")
	foreign.Parameters = json.RawMessage(`{"of":"another"}`)
	secondID := func(f *bindingSample) {
		for range 4 {
			answer(500, nil)(f)
		}
		answer(200, nil)(f) // to the removal
		if f.b.Status.ExternalID == "" {
			t.Fatalf("there is no other id: %+v", f.b.Status)
		}
	}
	for name, test := range map[string]struct {
		is   []func(*bindingSample)
		next rules.Operation
		want string
	}{
		"a successor, nothing was told":   {ss(bound, rebound), rules.Bind, "[hunter2] true"},
		"a successor":                     {ss(bound, rebound, told), rules.Bind, "[hunter2] false"},
		"a successor, after a restart":    {ss(bound, rebound, told, restarted), rules.Bind, "[hunter2] false"},
		"a rotation, nothing was told":    {ss(rotatable, bound, rebound), rules.Bind, "[hunter2] true"},
		"a rotation":                      {ss(rotatable, bound, rebound, told), rules.Bind, "[hunter2] false"},
		"a rotation, after a restart":     {ss(rotatable, bound, rebound, told, restarted), rules.Bind, "[hunter2] false"},
		"a fetch":                         {ss(retrievable, bound, rebound, answer(202, nil), polled, told, answer(200, &osbresult.Binding{})), rules.Fetch, "[hunter2] false"},
		"a poll, after a restart":         {ss(retrievable, bound, rebound, told, restarted, answer(202, nil)), rules.Poll, "[hunter2] false"},
		"a mitigation":                    {ss(bound, rebound, told, answer(400, nil)), rules.Unbind, "[hunter2] false"},
		"a mitigation, after a restart":   {ss(bound, rebound, told, answer(400, nil), restarted), rules.Unbind, "[hunter2] false"},
		"a removal":                       {ss(bound, rebound, told, beingDeleted, hasDefinition, deleted), rules.Unbind, "[] false"},
		"unsupported":                     {ss(answer(201, unsupported)), rules.Unbind, "[] false"},
		"unsupported, after a restart":    {ss(answer(201, unsupported), restarted), rules.Unbind, "[] false"},
		"unsupported, a second id":        {ss(secondID, answer(201, unsupported)), rules.Unbind, "[] false"},
		"the same, after a restart":       {ss(secondID, answer(201, unsupported), restarted), rules.Unbind, "[] false"},
		"the same, removed":               {ss(secondID, answer(201, unsupported), restarted, beingDeleted, hasDefinition, deleted), rules.Unbind, "[] false"},
		"the same, polled":                {ss(secondID, answer(201, unsupported), restarted, beingDeleted, hasDefinition, deleted, answer(202, nil)), rules.Poll, "[] false"},
		"found, after a restart":          {ss(answer(500, nil), answer(200, &found), restarted), rules.Unbind, "[] false"},
		"held, after a restart":           {ss(retrievable, answer(409, nil), answer(200, foreign), restarted), rules.Fetch, "[] false"},
		"a second id, nothing was told":   {ss(secondID, answer(500, nil)), rules.Bind, "none"},
		"another's, which was fetched":    {ss(retrievable, answer(409, nil), told), rules.Fetch, "[] false"},
		"unknown outcomes, and mitigated": {ss(answer(500, nil), answer(500, nil), answer(500, nil), answer(500, nil)), rules.Unbind, "[] false"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newBindingSample(test.is...)
			c := controllertest.NewCluster(t, interceptor.Funcs{})
			r := newReconciler(c, c, c, &engine.Config{ServerTime: serverTime, Clients: &brokers.Clients{}, Clock: clocktesting.NewFakePassiveClock(rulestest.T0)})
			if f.in.Secret == bindingrules.SecretInSync {
				if _, err := r.secrets.Put(t.Context(), f.b, "id", bindingsecret.Content{Data: map[string][]byte{"password": []byte("hunter2")}}); err != nil {
					t.Fatal(err)
				}
			}
			f.in.Now, f.in.MayWrite = f.in.Now.Add(time.Hour), true
			s, got := viewOf(r, f.b, f.in), "none"
			s.memory.RequestMemory = f.in.Memory
			s.Decide(t.Context())
			if call := s.next.Request; call == nil || call.Operation != test.next {
				t.Fatalf("the next request is %+v, want %s", call, test.next)
			}
			if secrets := r.secretsOf(t.Context(), s); secrets != nil {
				values, all := secrets()
				got = fmt.Sprint(slices.Compact(values), all)
			}
			if got != test.want {
				t.Errorf("%s, want %s", got, test.want)
			}
		})
	}
}

// refusedOnce is a binding whose credentials the API server did not store.
func refusedOnce(t *testing.T, r *Reconciler, f *bindingSample) *scope {
	t.Helper()
	next := bindingrules.Decide(f.b, f.in)
	a := bindingrules.Answer{Outcome: osbresult.Outcome{Class: osbresult.Done, Status: 201, Sent: true}, Binding: newCredentials("hunter2")}
	f.in.Memory = f.in.Memory.ObserveAnswer(f.b, *next.Request, a)
	f.b.Status = bindingrules.Apply(f.b, next.Status, *next.Request, a, f.in.Now)
	s := viewOf(r, f.b, f.in)
	s.memory.RequestMemory = f.in.Memory
	step := s.Decide(t.Context())
	if step.Act == nil {
		t.Fatal("nothing is written")
	}
	_ = step.Act(t.Context())
	s.remember()
	return s
}

// F-S41: an admission policy that judges the credentials refuses the placeholders of a dry run, though it would accept the credentials. A
// binding whose write has failed for another reason was never written.
func TestADryRunIsNotTheLastWord(t *testing.T) {
	secrets := corev1.Resource("secrets")
	policy := apierrors.NewForbidden(secrets, "b", errors.New("a password needs a digit"))
	for name, test := range map[string]struct {
		first, then error
		trials      [2]int // at least, at most
	}{
		"away, then a policy":     {apierrors.NewServiceUnavailable("away"), policy, [2]int{1, 1}},
		"no answer, then invalid": {context.DeadlineExceeded, apierrors.NewInvalid(corev1.SchemeGroupVersion.WithKind("Secret").GroupKind(), "b", nil), [2]int{1, 1}},
		"a policy, then another":  {apierrors.NewForbidden(secrets, "b", errors.New("no")), policy, [2]int{8, 8}},
		"away for long":           {apierrors.NewServiceUnavailable("away"), apierrors.NewServiceUnavailable("away"), [2]int{8, 8}},
		"away, then a quota":      {apierrors.NewServiceUnavailable("away"), apierrors.NewForbidden(secrets, "b", errors.New("exceeded quota: q")), [2]int{100, 100}},
	} {
		t.Run(name, func(t *testing.T) {
			refusal := test.first
			c := controllertest.NewCluster(t, interceptor.Funcs{Create: func(_ context.Context, _ client.WithWatch, _ client.Object, _ ...client.CreateOption) error {
				return refusal
			}})
			clock := clocktesting.NewFakePassiveClock(rulestest.T0)
			r := newReconciler(c, c, c, &engine.Config{ServerTime: serverTime, Clients: &brokers.Clients{}, Clock: clock})
			f := newBindingSample()
			before := refusedOnce(t, r, f)
			refusal = test.then
			trials, record := 0, before.Memory
			for ; trials < 100; trials++ {
				clock.SetTime(clock.Now().Add(time.Hour))
				again := viewOf(r, before.binding, f.in)
				again.Memory = record
				again.recall()
				again.inputs.Now = clock.Now()
				if again.Decide(t.Context()).Need != rules.NeedPermission {
					break
				}
				if err := again.Supply(t.Context(), rules.NeedPermission); err == nil {
					trials++
					if step := again.Decide(t.Context()); step.Request == nil {
						t.Errorf("nothing is requested: need %q", step.Need)
					}
					break
				}
				again.remember()
			}
			if trials < test.trials[0] || trials > test.trials[1] {
				t.Errorf("%d dry runs", trials)
			}
		})
	}
}

// F-S41: a policy may quote the password that is in the Secret.
func TestARefusedDryRunShowsNothingOfTheSecret(t *testing.T) {
	armed := false
	c := controllertest.NewCluster(t, interceptor.Funcs{Patch: func(ctx context.Context, c client.WithWatch, o client.Object, p client.Patch, opts ...client.PatchOption) error {
		if _, ok := o.(*corev1.Secret); ok && armed {
			return apierrors.NewForbidden(corev1.Resource("secrets"), "b", errors.New("the policy says that hunter2 is too short"))
		}
		return c.Patch(ctx, o, p, opts...)
	}})
	f := newBindingSample(bound)
	r := newReconciler(c, c, c, &engine.Config{ServerTime: serverTime, Clients: &brokers.Clients{}, Clock: clocktesting.NewFakePassiveClock(rulestest.T0)})
	if _, err := r.secrets.Put(t.Context(), f.b, "id", bindingsecret.Content{Data: map[string][]byte{"password": []byte("hunter2")}}); err != nil {
		t.Fatal(err)
	}
	armed = true
	for name, sizes := range map[string]bindingsecret.Sizes{"nothing is known": nil, "sizes are known": {"password": 7}} {
		s := viewOf(r, f.b, f.in)
		s.memory.Unwritten = &bindingrules.Unwritten{BindingID: "id", Judged: true, Refused: sizes, Failures: 1, Time: rulestest.T0}
		if err := r.tryWrite(t.Context(), s); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "is too short") {
			t.Errorf("%s: it says %v", name, err)
		}
	}
}

// F-P66: what the credentials and a copied Secret have together is tried again once that Secret has changed.
func TestASourceThatIsMendedIsTriedAgain(t *testing.T) {
	for name, large := range map[string]map[string][]byte{
		"bytes":      {"k": make([]byte, corev1.MaxSecretSize-5)},
		"names":      longNames(),
		"expression": {"list": []byte("[" + strings.Repeat("1,", 1<<19) + "1]")},
	} {
		t.Run(name, func(t *testing.T) {
			more := &corev1.Secret{Data: large}
			more.Namespace, more.Name = "ns", "more"
			f := newBindingSample(copying)
			if name == "expression" {
				f.b.Spec.SecretTransforms = append(f.b.Spec.SecretTransforms, v1beta1.SecretTransform{AddKey: &v1beta1.AddKeyTransform{Key: "k", JSONPathExpression: new("{.nothing[0].here}")}})
			}
			f.in.Sources, f.in.SecretsVersion = bindingrules.Sources{Known: true}, "before"
			c := controllertest.NewCluster(t, interceptor.Funcs{}, more)
			r := newReconciler(c, c, c, &engine.Config{ServerTime: serverTime, Clients: &brokers.Clients{}, Clock: clocktesting.NewFakePassiveClock(rulestest.T0)})
			before := refusedOnce(t, r, f)
			if ready := rules.FindCondition(before.binding.Status.Conditions, v1beta1.ConditionReady); ready == nil || !strings.Contains(ready.Message, "cannot be put into the Secret") {
				t.Fatalf("it says %+v", ready)
			}
			for version, sends := range map[string]bool{"before": false, "after": true} {
				again := viewOf(r, before.binding, f.in)
				again.Memory = before.Memory
				again.recall()
				again.inputs.Now, again.inputs.SecretsVersion = f.in.Now.Add(time.Hour), version
				if step := again.Decide(t.Context()); (step.Request != nil) != sends {
					t.Errorf("version %s: request %+v", version, step.Request)
				}
			}
		})
	}
}

// longNames are keys whose record is too long for an annotation.
func longNames() map[string][]byte {
	data := map[string][]byte{}
	for i := range 2000 {
		data[fmt.Sprintf("%0100d", i)] = nil
	}
	return data
}
