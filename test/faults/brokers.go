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
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

func brokerScenarios() []Scenario {
	return []Scenario{
		{name: "broker", prepare: startDefaultBroker, steps: func(w *environment) { w.createBroker() }},
		{name: "broker-secret-late", prepare: startDefaultBroker, steps: func(w *environment) {
			w.create(w.newBroker())
			sleep(w.ctx, pause)
			w.createSecret("login", map[string]string{"username": "bellhop", "password": canary.Value})
			w.waitBrokerReady()
		}},
		{name: "broker-relisted", prepare: registerBroker, steps: (*environment).relist},
		{name: "broker-changed", prepare: registerBroker, steps: func(w *environment) {
			w.changeCatalog()
			w.relist()
		}},
		{name: "broker-changed-in-use", prepare: func(w *environment) {
			registerBroker(w)
			si := w.newInstance("db", syncClass, syncOther)
			w.create(si)
			w.waitReady(si)
		}, steps: func(w *environment) {
			w.changeCatalog()
			w.relist()
			si := &v1beta1.ServiceInstance{ObjectMeta: w.objectMeta("db")}
			edit(w, si, setPlan(syncPlan))
			w.waitReady(si)
			w.relist()
		}},
		{name: "broker-moved", prepare: func(w *environment) {
			registerBroker(w)
			w.provision(syncClass, syncPlan)
		}, steps: func(w *environment) {
			w.moveBroker()
			si := &v1beta1.ServiceInstance{ObjectMeta: w.objectMeta("db")}
			edit(w, si, func(si *v1beta1.ServiceInstance) { si.Spec.Parameters = rawParameters(`{"size":2}`) })
			w.waitReady(si)
		}},
		{name: "broker-removed", prepare: registerBroker, steps: func(w *environment) {
			b := w.waitBrokerReady()
			w.remove(b)
			w.waitGone(b)
		}},
		{name: "broker-anew", prepare: registerBroker, steps: func(w *environment) {
			b := w.waitBrokerReady()
			w.remove(b)
			w.waitGone(b)
			w.create(w.newBroker())
			w.waitBrokerReady()
		}},
		{name: "broker-removed-in-use", prepare: registerBroker, steps: func(w *environment) {
			si, b := w.provision(asyncClass, asyncPlan), w.waitBrokerReady()
			w.remove(b, &corev1.Secret{ObjectMeta: w.objectMeta("login")})
			sleep(w.ctx, pause)
			w.remove(si)
			w.waitGone(si, b)
		}},
		{name: "broker-namespace-deleted", separateNamespace: true, unordered: true, prepare: registerBroker, steps: deleteNamespace},
		{name: "namespace-deleted", separateNamespace: true, unordered: true, prepare: func(w *environment) {
			registerBroker(w)
			w.createWebhook("hook")
		}, steps: func(w *environment) {
			w.receivers["hook"].down.Store(true)
			a := w.newAlert("disk", "hook")
			w.create(a)
			w.waitRetrying(a)
			deleteNamespace(w)
		}},
	}
}

// deleteNamespace deletes all that a namespace has, with what its broker has to do for that.
func deleteNamespace(w *environment) {
	w.bind(syncClass, syncPlan)
	w.create(w.newInstance("late", asyncClass, asyncPlan))
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
	w.remove(ns)
	w.waitGone(ns)
}
