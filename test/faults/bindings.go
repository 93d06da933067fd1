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

func bindingScenarios() []scenario {
	return append(plainBindings(), append(secretScenarios(), replacedBindings()...)...)
}

func plainBindings() []scenario {
	return []scenario{
		{name: "binding", prepare: registered, steps: func(w *world) {
			si, b := w.bound(syncClass, syncPlan)
			w.remove(b, si)
			w.gone(b, si)
		}},
		{name: "binding-mitigated-ready", prepare: silentAbout(osb.Bind, untilMitigated), steps: func(w *world) { w.bound(syncClass, syncPlan) }},
		{name: "binding-kept", prepare: registered, steps: func(w *world) { w.bound(asyncClass, asyncPlan) }},
		{name: "binding-async", prepare: registered, steps: func(w *world) {
			si, b := w.bound(asyncClass, asyncPlan)
			w.remove(b)
			w.gone(b)
			w.remove(si)
			w.gone(si)
		}},
		{name: "binding-parameters", prepare: func(w *world) {
			registered(w)
			w.secret("parameters", map[string]string{"all": `{"role":"` + strings.ReplaceAll(canary.Value, `"`, `\"`) + `"}`})
			w.provisioned(syncClass, syncPlan)
		}, steps: func(w *world) {
			b := w.binding("app", "db")
			b.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "parameters", Key: "all"}}}
			w.create(b)
			w.ready(b)
			w.remove(b)
			w.gone(b)
		}},
		{name: "binding-first", prepare: registered, steps: func(w *world) {
			b, si := w.binding("app", "db"), w.instance("db", syncClass, syncPlan)
			w.create(b)
			wait(w.ctx, pause)
			w.create(si)
			w.ready(si, b)
		}},
		{name: "binding-plan", prepare: registeredWith(unbindable), steps: func(w *world) {
			b, si := w.binding("app", "db"), w.instance("db", syncClass, syncPlan)
			w.create(b)
			w.create(si)
			w.waitsFor(b, v1beta1.ReasonErrorNonbindableServiceClass)
			edit(w, si, planned(syncOther))
			w.ready(si)
			wait(w.ctx, pause) // it is to be noticed, without anybody who asks again
			w.ready(b)
		}},
		{name: "binding-holds", prepare: registered, steps: func(w *world) {
			si, b := w.bound(syncClass, syncPlan)
			w.remove(si)
			wait(w.ctx, pause)
			w.remove(b)
			w.gone(b, si)
		}},
		{name: "binding-retained", prepare: registered, steps: func(w *world) {
			si, b := w.bound(syncClass, syncPlan)
			w.retained(b, si)
		}},
		{name: "binding-brought", prepare: registered, steps: func(w *world) {
			_, b := w.bound(syncClass, syncPlan)
			b = w.brought(b)
			w.remove(b)
			w.gone(b)
		}},
	}
}

func secretScenarios() []scenario {
	lost := func(w *world) {
		_, b := w.bound(syncClass, syncPlan)
		w.secretLost(b)
	}
	edited := func(w *world) {
		_, b := w.bound(syncClass, syncPlan)
		w.secretEdited(b)
	}
	return []scenario{
		{name: "binding-secret-lost", prepare: registered, steps: lost},
		{name: "binding-secret-lost-rotated", prepare: registeredWith(once), steps: lost},
		{name: "binding-secret-lost-anew", prepare: registeredWith(once, rigid), steps: lost},
		{name: "binding-secret-edited", prepare: registered, steps: edited},
		{name: "binding-secret-edited-rotated", prepare: registeredWith(once), steps: edited},
		{name: "binding-secret-occupied", prepare: func(w *world) {
			registered(w)
			w.provisioned(syncClass, syncPlan)
		}, steps: (*world).occupied},
		{name: "binding-namespace", prepare: registered, steps: func(w *world) {
			si, b := w.bound(syncClass, syncPlan)
			var secrets corev1.SecretList
			w.must(w.client.List(w.ctx, &secrets, client.InNamespace(w.namespace)))
			for i := range secrets.Items {
				w.remove(&secrets.Items[i])
			}
			broker := w.serviceBroker()
			w.remove(broker, b, si)
			w.gone(b, si, broker)
		}},
	}
}

func replacedBindings() []scenario {
	rebound := func(class, plan string) func(*world) {
		return func(w *world) {
			_, b := w.bound(class, plan)
			w.rebound(b)
		}
	}
	renewed := func(after time.Duration) func(*world) {
		return func(w *world) {
			_, b := w.bound(syncClass, syncPlan)
			w.renewed(b, after)
		}
	}
	return []scenario{
		{name: "binding-rebind", prepare: registered, steps: rebound(syncClass, syncPlan)},
		{name: "binding-rebind-anew", prepare: registeredWith(rigid), steps: rebound(syncClass, syncPlan)},
		{name: "binding-rebind-async", prepare: registeredWith(rotatable), steps: rebound(asyncClass, asyncPlan)},
		{name: "binding-rebind-deleted", prepare: registered, steps: func(w *world) {
			si, b := w.bound(syncClass, syncPlan)
			w.must(w.client.Patch(w.ctx, b, annotated(v1beta1.RebindAnnotation, "now")))
			w.remove(b, si)
			w.gone(b, si)
		}},
		{name: "binding-renewed", prepare: registeredWith(passing), steps: renewed(lifetime * 5 / 6)},
		{name: "binding-ended", prepare: registeredWith(passing, rigid), steps: renewed(2 * lifetime)},
	}
}
