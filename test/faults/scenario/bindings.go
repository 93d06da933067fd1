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

package scenario

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/osb"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

func bindingScenarios() []Scenario {
	return append(plainBindingScenarios(), append(secretScenarios(), replacementScenarios()...)...)
}

func plainBindingScenarios() []Scenario {
	return []Scenario{
		{Name: "binding", Prepare: RegisterBroker, Steps: func(w *Environment) {
			si, b := w.bind(SyncClass, SyncPlan)
			w.remove(b, si)
			w.waitGone(b, si)
		}},
		{Name: "binding-mitigated-ready", Prepare: loseAnswers(osb.Bind, lossesUntilMitigation), Steps: func(w *Environment) { w.bind(SyncClass, SyncPlan) }},
		{Name: "binding-kept", Prepare: RegisterBroker, Steps: func(w *Environment) { w.bind(AsyncClass, AsyncPlan) }},
		{Name: "binding-async", Prepare: RegisterBroker, Steps: func(w *Environment) {
			si, b := w.bind(AsyncClass, AsyncPlan)
			w.remove(b)
			w.waitGone(b)
			w.remove(si)
			w.waitGone(si)
		}},
		{Name: "binding-parameters", Prepare: func(w *Environment) {
			RegisterBroker(w)
			w.createSecret("parameters", map[string]string{"all": `{"role":"` + strings.ReplaceAll(canary.Value, `"`, `\"`) + `"}`})
			w.provision(SyncClass, SyncPlan)
		}, Steps: func(w *Environment) {
			b := w.NewBinding("app", "db")
			b.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "parameters", Key: "all"}}}
			w.create(b)
			w.waitReady(b)
			w.remove(b)
			w.waitGone(b)
		}},
		{Name: "binding-first", Prepare: RegisterBroker, Steps: func(w *Environment) {
			b, si := w.NewBinding("app", "db"), w.NewInstance("db", SyncClass, SyncPlan)
			w.create(b)
			proxy.Sleep(w.Ctx, pause)
			w.create(si)
			w.waitReady(si, b)
		}},
		{Name: "binding-plan", Prepare: registerBrokerWith(notBindable), Steps: func(w *Environment) {
			b, si := w.NewBinding("app", "db"), w.NewInstance("db", SyncClass, SyncPlan)
			w.create(b)
			w.create(si)
			w.waitReadyReason(b, v1beta1.ReasonErrorNonbindableServiceClass)
			edit(w, si, setPlan(SyncOther))
			w.waitReady(si)
			proxy.Sleep(w.Ctx, pause) // it is to be noticed, without anybody who asks again
			w.waitReady(b)
		}},
		{Name: "binding-holds", Prepare: RegisterBroker, Steps: func(w *Environment) {
			si, b := w.bind(SyncClass, SyncPlan)
			w.remove(si)
			proxy.Sleep(w.Ctx, pause)
			w.remove(b)
			w.waitGone(b, si)
		}},
		{Name: "binding-retained", Prepare: RegisterBroker, Steps: func(w *Environment) {
			si, b := w.bind(SyncClass, SyncPlan)
			w.retain(b, si)
		}},
		{Name: "binding-brought", Prepare: RegisterBroker, Steps: func(w *Environment) {
			_, b := w.bind(SyncClass, SyncPlan)
			b = w.importBinding(b)
			w.remove(b)
			w.waitGone(b)
		}},
	}
}

func secretScenarios() []Scenario {
	lost := func(w *Environment) {
		_, b := w.bind(SyncClass, SyncPlan)
		w.loseSecret(b)
	}
	edited := func(w *Environment) {
		_, b := w.bind(SyncClass, SyncPlan)
		w.editSecret(b)
	}
	return []Scenario{
		{Name: "binding-secret-lost", Prepare: RegisterBroker, Steps: lost},
		{Name: "binding-secret-lost-rotated", Prepare: registerBrokerWith(revealOnce), Steps: lost},
		{Name: "binding-secret-lost-anew", Prepare: registerBrokerWith(revealOnce, notRotatable), Steps: lost},
		{Name: "binding-secret-edited", Prepare: RegisterBroker, Steps: edited},
		{Name: "binding-secret-edited-rotated", Prepare: registerBrokerWith(revealOnce), Steps: edited},
		{Name: "binding-secret-occupied", Prepare: func(w *Environment) {
			RegisterBroker(w)
			w.provision(SyncClass, SyncPlan)
		}, Steps: (*Environment).occupySecretName},
		{Name: "binding-namespace", Prepare: RegisterBroker, Steps: func(w *Environment) {
			si, b := w.bind(SyncClass, SyncPlan)
			var secrets corev1.SecretList
			w.must(w.Client.List(w.Ctx, &secrets, client.InNamespace(w.Namespace)))
			for i := range secrets.Items {
				w.remove(&secrets.Items[i])
			}
			broker := w.newBroker()
			w.remove(broker, b, si)
			w.waitGone(b, si, broker)
		}},
	}
}

func replacementScenarios() []Scenario {
	rebound := func(class, plan string) func(*Environment) {
		return func(w *Environment) {
			_, b := w.bind(class, plan)
			w.rebind(b)
		}
	}
	renewed := func(after time.Duration) func(*Environment) {
		return func(w *Environment) {
			_, b := w.bind(SyncClass, SyncPlan)
			w.renew(b, after)
		}
	}
	return []Scenario{
		{Name: "binding-rebind", Prepare: RegisterBroker, Steps: rebound(SyncClass, SyncPlan)},
		{Name: "binding-rebind-anew", Prepare: registerBrokerWith(notRotatable), Steps: rebound(SyncClass, SyncPlan)},
		{Name: "binding-rebind-async", Prepare: registerBrokerWith(allRotatable), Steps: rebound(AsyncClass, AsyncPlan)},
		{Name: "binding-rebind-deleted", Prepare: RegisterBroker, Steps: func(w *Environment) {
			si, b := w.bind(SyncClass, SyncPlan)
			w.must(w.Client.Patch(w.Ctx, b, annotationPatch(v1beta1.RebindAnnotation, "now")))
			w.remove(b, si)
			w.waitGone(b, si)
		}},
		{Name: "binding-renewed", Prepare: registerBrokerWith(expiring), Steps: renewed(credentialLifetime * 5 / 6)},
		{Name: "binding-ended", Prepare: registerBrokerWith(expiring, notRotatable), Steps: renewed(2 * credentialLifetime)},
	}
}
