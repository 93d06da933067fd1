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
	"fmt"
	"slices"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/brokers"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	bindingrules "github.com/gophernetes/bellhop/internal/lifecycle/binding"
	"github.com/gophernetes/bellhop/internal/lifecycle/bindingsecret"
	"github.com/gophernetes/bellhop/internal/lifecycle/lifecycletest"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
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
	unsupported.SyslogDrainURL = "https://logs.example"
	for name, test := range map[string]struct {
		is   []func(*bindingSample)
		next lifecycle.Operation
		want string
	}{
		"a successor, nothing was told":   {ss(bound, rebound), lifecycle.Bind, "[hunter2] true"},
		"a successor":                     {ss(bound, rebound, told), lifecycle.Bind, "[hunter2] false"},
		"a successor, after a restart":    {ss(bound, rebound, told, restarted), lifecycle.Bind, "[hunter2] false"},
		"a rotation, nothing was told":    {ss(rotatable, bound, rebound), lifecycle.Bind, "[hunter2] true"},
		"a rotation":                      {ss(rotatable, bound, rebound, told), lifecycle.Bind, "[hunter2] false"},
		"a rotation, after a restart":     {ss(rotatable, bound, rebound, told, restarted), lifecycle.Bind, "[hunter2] false"},
		"a fetch":                         {ss(retrievable, bound, rebound, answer(202, nil), polled, told, answer(200, &osbresult.Binding{})), lifecycle.Fetch, "[hunter2] false"},
		"a poll, after a restart":         {ss(retrievable, bound, rebound, told, restarted, answer(202, nil)), lifecycle.Poll, "[hunter2] false"},
		"a mitigation":                    {ss(bound, rebound, told, answer(400, nil)), lifecycle.Unbind, "[hunter2] false"},
		"a mitigation, after a restart":   {ss(bound, rebound, told, answer(400, nil), restarted), lifecycle.Unbind, "[hunter2] false"},
		"a removal":                       {ss(bound, rebound, told, beingDeleted, hasDefinition, deleted), lifecycle.Unbind, "[] false"},
		"unsupported":                     {ss(answer(201, unsupported)), lifecycle.Unbind, "[] false"},
		"unsupported, after a restart":    {ss(answer(201, unsupported), restarted), lifecycle.Unbind, "[] false"},
		"another's, which was fetched":    {ss(retrievable, answer(409, nil), told), lifecycle.Fetch, "[] false"},
		"nothing was told, and mitigated": {ss(answer(500, nil), answer(500, nil), answer(500, nil), answer(500, nil)), lifecycle.Unbind, "none"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newBindingSample(test.is...)
			c := controllertest.NewCluster(t, interceptor.Funcs{})
			r := newReconciler(c, c, c, &engine.Config{Clients: &brokers.Clients{}, Clock: clocktesting.NewFakePassiveClock(lifecycletest.T0)})
			if f.in.Secret == bindingrules.SecretInSync {
				if _, err := r.secrets.Put(t.Context(), f.b, "id", bindingsecret.Content{Data: map[string][]byte{"password": []byte("hunter2")}}); err != nil {
					t.Fatal(err)
				}
			}
			f.in.Now, f.in.MayWrite = f.in.Now.Add(time.Hour), true
			s, got := viewOf(r, f.b, f.in), "none"
			s.memory.RequestMemory = f.in.Memory
			s.Decide()
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
