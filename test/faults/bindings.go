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

package main

import (
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/osb"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

func bindingScenarios() []Scenario {
	return append(plainBindingScenarios(), append(secretScenarios(), replacementScenarios()...)...)
}

func plainBindingScenarios() []Scenario {
	return []Scenario{
		{name: "binding", prepare: registerBroker, steps: func(w *environment) {
			si, b := w.bind(syncClass, syncPlan)
			w.remove(b, si)
			w.waitGone(b, si)
		}},
		{name: "binding-mitigated-ready", prepare: loseAnswers(osb.Bind, lossesUntilMitigation), steps: func(w *environment) { w.bind(syncClass, syncPlan) }},
		{name: "binding-kept", prepare: registerBroker, steps: func(w *environment) { w.bind(asyncClass, asyncPlan) }},
		{name: "binding-async", prepare: registerBroker, steps: func(w *environment) {
			si, b := w.bind(asyncClass, asyncPlan)
			w.remove(b)
			w.waitGone(b)
			w.remove(si)
			w.waitGone(si)
		}},
		{name: "binding-parameters", prepare: func(w *environment) {
			registerBroker(w)
			w.createSecret("parameters", map[string]string{"all": `{"role":"` + strings.ReplaceAll(canary.Value, `"`, `\"`) + `"}`})
			w.provision(syncClass, syncPlan)
		}, steps: func(w *environment) {
			b := w.newBinding("app", "db")
			b.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "parameters", Key: "all"}}}
			w.create(b)
			w.waitReady(b)
			w.remove(b)
			w.waitGone(b)
		}},
		{name: "binding-first", prepare: registerBroker, steps: func(w *environment) {
			b, si := w.newBinding("app", "db"), w.newInstance("db", syncClass, syncPlan)
			w.create(b)
			sleep(w.ctx, pause)
			w.create(si)
			w.waitReady(si, b)
		}},
		{name: "binding-plan", prepare: registerBrokerWith(notBindable), steps: func(w *environment) {
			b, si := w.newBinding("app", "db"), w.newInstance("db", syncClass, syncPlan)
			w.create(b)
			w.create(si)
			w.waitReadyReason(b, v1beta1.ReasonErrorNonbindableServiceClass)
			edit(w, si, setPlan(syncOther))
			w.waitReady(si)
			sleep(w.ctx, pause) // it is to be noticed, without anybody who asks again
			w.waitReady(b)
		}},
		{name: "binding-holds", prepare: registerBroker, steps: func(w *environment) {
			si, b := w.bind(syncClass, syncPlan)
			w.remove(si)
			sleep(w.ctx, pause)
			w.remove(b)
			w.waitGone(b, si)
		}},
		{name: "binding-retained", prepare: registerBroker, steps: func(w *environment) {
			si, b := w.bind(syncClass, syncPlan)
			w.retain(b, si)
		}},
		{name: "binding-brought", prepare: registerBroker, steps: func(w *environment) {
			_, b := w.bind(syncClass, syncPlan)
			b = w.importBinding(b)
			w.remove(b)
			w.waitGone(b)
		}},
	}
}

func secretScenarios() []Scenario {
	lost := func(w *environment) {
		_, b := w.bind(syncClass, syncPlan)
		w.loseSecret(b)
	}
	edited := func(w *environment) {
		_, b := w.bind(syncClass, syncPlan)
		w.editSecret(b)
	}
	return []Scenario{
		{name: "binding-secret-lost", prepare: registerBroker, steps: lost},
		{name: "binding-secret-lost-rotated", prepare: registerBrokerWith(revealOnce), steps: lost},
		{name: "binding-secret-lost-anew", prepare: registerBrokerWith(revealOnce, notRotatable), steps: lost},
		{name: "binding-secret-edited", prepare: registerBroker, steps: edited},
		{name: "binding-secret-edited-rotated", prepare: registerBrokerWith(revealOnce), steps: edited},
		{name: "binding-secret-occupied", prepare: func(w *environment) {
			registerBroker(w)
			w.provision(syncClass, syncPlan)
		}, steps: (*environment).occupySecretName},
		{name: "binding-namespace", prepare: registerBroker, steps: func(w *environment) {
			si, b := w.bind(syncClass, syncPlan)
			var secrets corev1.SecretList
			w.must(w.client.List(w.ctx, &secrets, client.InNamespace(w.namespace)))
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
	rebound := func(class, plan string) func(*environment) {
		return func(w *environment) {
			_, b := w.bind(class, plan)
			w.rebind(b)
		}
	}
	renewed := func(after time.Duration) func(*environment) {
		return func(w *environment) {
			_, b := w.bind(syncClass, syncPlan)
			w.renew(b, after)
		}
	}
	return []Scenario{
		{name: "binding-rebind", prepare: registerBroker, steps: rebound(syncClass, syncPlan)},
		{name: "binding-rebind-anew", prepare: registerBrokerWith(notRotatable), steps: rebound(syncClass, syncPlan)},
		{name: "binding-rebind-async", prepare: registerBrokerWith(allRotatable), steps: rebound(asyncClass, asyncPlan)},
		{name: "binding-rebind-deleted", prepare: registerBroker, steps: func(w *environment) {
			si, b := w.bind(syncClass, syncPlan)
			w.must(w.client.Patch(w.ctx, b, annotationPatch(v1beta1.RebindAnnotation, "now")))
			w.remove(b, si)
			w.waitGone(b, si)
		}},
		{name: "binding-renewed", prepare: registerBrokerWith(expiring), steps: renewed(credentialLifetime * 5 / 6)},
		{name: "binding-ended", prepare: registerBrokerWith(expiring, notRotatable), steps: renewed(2 * credentialLifetime)},
	}
}
