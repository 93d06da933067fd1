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

func brokerScenarios() []scenario {
	return []scenario{
		{name: "broker", prepare: offered, steps: func(w *world) { w.register() }},
		{name: "broker-secret-late", prepare: offered, steps: func(w *world) {
			w.create(w.serviceBroker())
			wait(w.ctx, pause)
			w.secret("login", map[string]string{"username": "bellhop", "password": canary.Value})
			w.brokerIsReady()
		}},
		{name: "broker-relisted", prepare: registered, steps: (*world).relisted},
		{name: "broker-changed", prepare: registered, steps: func(w *world) {
			w.otherCatalog()
			w.relisted()
		}},
		{name: "broker-changed-in-use", prepare: func(w *world) {
			registered(w)
			si := w.instance("db", syncClass, syncOther)
			w.create(si)
			w.ready(si)
		}, steps: func(w *world) {
			w.otherCatalog()
			w.relisted()
			si := &v1beta1.ServiceInstance{ObjectMeta: w.meta("db")}
			edit(w, si, planned(syncPlan))
			w.ready(si)
			w.relisted()
		}},
		{name: "broker-moved", prepare: func(w *world) {
			registered(w)
			w.provisioned(syncClass, syncPlan)
		}, steps: func(w *world) {
			w.brokerMoves()
			si := &v1beta1.ServiceInstance{ObjectMeta: w.meta("db")}
			edit(w, si, func(si *v1beta1.ServiceInstance) { si.Spec.Parameters = parameters(`{"size":2}`) })
			w.ready(si)
		}},
		{name: "broker-removed", prepare: registered, steps: func(w *world) {
			b := w.brokerIsReady()
			w.remove(b)
			w.gone(b)
		}},
		{name: "broker-anew", prepare: registered, steps: func(w *world) {
			b := w.brokerIsReady()
			w.remove(b)
			w.gone(b)
			w.create(w.serviceBroker())
			w.brokerIsReady()
		}},
		{name: "broker-removed-in-use", prepare: registered, steps: func(w *world) {
			si, b := w.provisioned(asyncClass, asyncPlan), w.brokerIsReady()
			w.remove(b, &corev1.Secret{ObjectMeta: w.meta("login")})
			wait(w.ctx, pause)
			w.remove(si)
			w.gone(si, b)
		}},
		{name: "broker-namespace-deleted", apart: true, unordered: true, prepare: registered, steps: namespaceDeleted},
		{name: "namespace-deleted", apart: true, unordered: true, prepare: func(w *world) {
			registered(w)
			w.webhook("hook")
		}, steps: func(w *world) {
			w.addressees["hook"].down.Store(true)
			a := w.alert("disk", "hook")
			w.create(a)
			w.tried(a)
			namespaceDeleted(w)
		}},
	}
}

// namespaceDeleted deletes all that a namespace has, with what its broker has to do for that.
func namespaceDeleted(w *world) {
	w.bound(syncClass, syncPlan)
	w.create(w.instance("late", asyncClass, asyncPlan))
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: w.namespace}}
	w.remove(ns)
	w.gone(ns)
}
