// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
		{Name: "broker", Prepare: startDefaultBroker, Steps: func(e *Environment) { e.createBroker() }},
		{Name: "broker-secret-late", Prepare: startDefaultBroker, Steps: func(e *Environment) {
			e.create(e.newBroker())
			proxy.Sleep(e.Ctx, pause)
			e.createSecret("login", map[string]string{"username": "bellhop", "password": canary.Value})
			e.waitBrokerReady()
		}},
		{Name: "broker-relisted", Prepare: RegisterBroker, Steps: (*Environment).relist},
		{Name: "broker-changed", Prepare: RegisterBroker, Steps: func(e *Environment) {
			e.changeCatalog()
			e.relist()
		}},
		{Name: "broker-changed-in-use", Prepare: func(e *Environment) {
			RegisterBroker(e)
			si := e.NewInstance("db", SyncClass, SyncOther)
			e.create(si)
			e.waitReady(si)
		}, Steps: func(e *Environment) {
			e.changeCatalog()
			e.relist()
			si := &v1beta1.ServiceInstance{ObjectMeta: e.objectMeta("db")}
			edit(e, si, setPlan(SyncPlan))
			e.waitReady(si)
			e.relist()
		}},
		{Name: "broker-moved", Prepare: func(e *Environment) {
			RegisterBroker(e)
			e.provision(SyncClass, SyncPlan)
		}, Steps: func(e *Environment) {
			e.moveBroker()
			si := &v1beta1.ServiceInstance{ObjectMeta: e.objectMeta("db")}
			edit(e, si, func(si *v1beta1.ServiceInstance) { si.Spec.Parameters = RawParameters(`{"size":2}`) })
			e.waitReady(si)
		}},
		{Name: "broker-removed", Prepare: RegisterBroker, Steps: func(e *Environment) {
			b := e.waitBrokerReady()
			e.remove(b)
			e.waitGone(b)
		}},
		{Name: "broker-anew", Prepare: RegisterBroker, Steps: func(e *Environment) {
			b := e.waitBrokerReady()
			e.remove(b)
			e.waitGone(b)
			e.create(e.newBroker())
			e.waitBrokerReady()
		}},
		{Name: "broker-removed-in-use", Prepare: RegisterBroker, Steps: func(e *Environment) {
			si, b := e.provision(AsyncClass, AsyncPlan), e.waitBrokerReady()
			e.remove(b, &corev1.Secret{ObjectMeta: e.objectMeta("login")})
			proxy.Sleep(e.Ctx, pause)
			e.remove(si)
			e.waitGone(si, b)
		}},
		{Name: "broker-namespace-deleted", separateNamespace: true, Unordered: true, Prepare: RegisterBroker, Steps: deleteNamespace},
		{Name: "namespace-deleted", separateNamespace: true, Unordered: true, Prepare: func(e *Environment) {
			RegisterBroker(e)
			e.createIdempotent("hook", giveUpSoon)
		}, Steps: func(e *Environment) {
			e.Receivers["hook"].down.Store(true)
			a := e.NewAlert("disk", "hook")
			e.create(a)
			e.waitRetrying(a)
			deleteNamespace(e)
		}},
	}
}

// deleteNamespace deletes a namespace with all its objects while the broker still works.
func deleteNamespace(e *Environment) {
	e.bind(SyncClass, SyncPlan)
	e.create(e.NewInstance("late", AsyncClass, AsyncPlan))
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: e.Namespace}}
	e.remove(ns)
	e.waitGone(ns)
}
