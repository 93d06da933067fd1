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
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

func brokerScenarios() []Scenario {
	return []Scenario{
		{Name: "broker", Prepare: startDefaultBroker, Steps: func(w *Environment) { w.createBroker() }},
		{Name: "broker-secret-late", Prepare: startDefaultBroker, Steps: func(w *Environment) {
			w.create(w.newBroker())
			proxy.Sleep(w.Ctx, pause)
			w.createSecret("login", map[string]string{"username": "bellhop", "password": canary.Value})
			w.waitBrokerReady()
		}},
		{Name: "broker-relisted", Prepare: RegisterBroker, Steps: (*Environment).relist},
		{Name: "broker-changed", Prepare: RegisterBroker, Steps: func(w *Environment) {
			w.changeCatalog()
			w.relist()
		}},
		{Name: "broker-changed-in-use", Prepare: func(w *Environment) {
			RegisterBroker(w)
			si := w.NewInstance("db", SyncClass, SyncOther)
			w.create(si)
			w.waitReady(si)
		}, Steps: func(w *Environment) {
			w.changeCatalog()
			w.relist()
			si := &v1beta1.ServiceInstance{ObjectMeta: w.objectMeta("db")}
			edit(w, si, setPlan(SyncPlan))
			w.waitReady(si)
			w.relist()
		}},
		{Name: "broker-moved", Prepare: func(w *Environment) {
			RegisterBroker(w)
			w.provision(SyncClass, SyncPlan)
		}, Steps: func(w *Environment) {
			w.moveBroker()
			si := &v1beta1.ServiceInstance{ObjectMeta: w.objectMeta("db")}
			edit(w, si, func(si *v1beta1.ServiceInstance) { si.Spec.Parameters = RawParameters(`{"size":2}`) })
			w.waitReady(si)
		}},
		{Name: "broker-removed", Prepare: RegisterBroker, Steps: func(w *Environment) {
			b := w.waitBrokerReady()
			w.remove(b)
			w.waitGone(b)
		}},
		{Name: "broker-anew", Prepare: RegisterBroker, Steps: func(w *Environment) {
			b := w.waitBrokerReady()
			w.remove(b)
			w.waitGone(b)
			w.create(w.newBroker())
			w.waitBrokerReady()
		}},
		{Name: "broker-removed-in-use", Prepare: RegisterBroker, Steps: func(w *Environment) {
			si, b := w.provision(AsyncClass, AsyncPlan), w.waitBrokerReady()
			w.remove(b, &corev1.Secret{ObjectMeta: w.objectMeta("login")})
			proxy.Sleep(w.Ctx, pause)
			w.remove(si)
			w.waitGone(si, b)
		}},
		{Name: "broker-namespace-deleted", separateNamespace: true, Unordered: true, Prepare: RegisterBroker, Steps: deleteNamespace},
		{Name: "namespace-deleted", separateNamespace: true, Unordered: true, Prepare: func(w *Environment) {
			RegisterBroker(w)
			w.createWebhook("hook")
		}, Steps: func(w *Environment) {
			w.Receivers["hook"].down.Store(true)
			a := w.NewAlert("disk", "hook")
			w.create(a)
			w.waitRetrying(a)
			deleteNamespace(w)
		}},
	}
}

// deleteNamespace deletes all that a namespace has, with what its broker has to do for that.
func deleteNamespace(w *Environment) {
	w.bind(SyncClass, SyncPlan)
	w.create(w.NewInstance("late", AsyncClass, AsyncPlan))
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.Namespace}}
	w.remove(ns)
	w.waitGone(ns)
}
