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
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

// registerBroker prepares a world with a broker that the operator and the webhooks know.
func registerBroker(w *environment) { registerBrokerWith()(w) }

// registerBrokerWith does it with a broker whose services are edited.
func registerBrokerWith(edits ...func(*osbtest.Service)) func(*environment) {
	services := osbtest.DefaultServices()
	services[1].Behavior.Polls, services[1].Behavior.Delay = 0, 400*time.Millisecond // it goes on also while nobody asks
	for i := range services {
		services[i].Behavior.Credentials = uniqueCredentials
		for _, edit := range edits {
			edit(&services[i])
		}
	}
	return func(w *environment) { w.registerWithOptions(osbtest.Options{Services: services}) }
}

// registerWithOptions prepares a world with a broker of some options.
func (w *environment) registerWithOptions(o osbtest.Options) {
	w.startBroker(o)
	w.createBroker()
	w.await("the webhooks know the catalog", func() error {
		try := w.newInstance("try", syncClass, syncPlan)
		if err := w.client.Create(w.ctx, try, client.DryRunAll); err != nil {
			return err
		}
		if try.Spec.ServicePlanRef == nil && try.Spec.ClusterServicePlanRef == nil {
			return errors.New("the plan is not known")
		}
		return nil
	})
}

// startBroker starts a broker, which wants to be told who asks.
func (w *environment) startBroker(o osbtest.Options) {
	o.Services = w.sharedServices(o.Services)
	o.Username, o.Password = "bellhop", canary.Value
	o.Patient = w.fault.mayLoseAnswer() // so that the operator may have lost what it was told
	w.broker = osbtest.New(o)
	w.broker.URL = w.serve(w.broker, requestName, w.guardBroker)
}

// sharedServices are services under ids and names that no other broker has, if all namespaces see them.
func (w *environment) sharedServices(services []osbtest.Service) []osbtest.Service {
	services = slices.Clone(services)
	for i := range services {
		s := &services[i]
		s.ID, s.Name, s.Plans = w.sharedName(s.ID), w.sharedName(s.Name), slices.Clone(s.Plans)
		for j := range s.Plans {
			s.Plans[j].ID = w.sharedName(s.Plans[j].ID)
		}
	}
	return services
}

// brokerObject is the object of the run's broker, with no more than its name.
func (w *environment) brokerObject() v1beta1.Broker {
	if w.clusterWide {
		return &v1beta1.ClusterServiceBroker{ObjectMeta: w.sharedMeta("broker")}
	}
	return &v1beta1.ServiceBroker{ObjectMeta: w.sharedMeta("broker")}
}

// newBroker is that object as a user creates it.
func (w *environment) newBroker() v1beta1.Broker {
	b, login := w.brokerObject(), &v1beta1.ObjectReference{Name: "login"}
	if w.clusterWide {
		login.Namespace = w.namespace
	}
	b.Common().URL = w.broker.URL
	b.Common().AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: login}}
	return b
}

// createBroker creates the broker's object and waits until it is Ready.
func (w *environment) createBroker() {
	w.createSecret("login", map[string]string{"username": "bellhop", "password": canary.Value})
	b := w.newBroker()
	w.create(b)
	w.await("the broker is Ready", w.checkBrokerReady(b))
}

func (w *environment) checkBrokerReady(b v1beta1.Broker) func() error {
	return func() error {
		if err := w.get(b); err != nil {
			return err
		}
		return checkReady(b.CommonStatus().Conditions, b.CommonStatus().ObservedGeneration, b)
	}
}

// startDefaultBroker prepares a broker of which nobody knows yet.
func startDefaultBroker(w *environment) {
	w.startBroker(osbtest.Options{Services: osbtest.DefaultServices()})
}

// waitBrokerReady waits until the broker's object is, and returns it.
func (w *environment) waitBrokerReady() v1beta1.Broker {
	b := w.brokerObject()
	w.await("the broker is Ready", w.checkBrokerReady(b))
	return b
}

// relist has the catalog read again.
func (w *environment) relist() {
	edit(w, w.brokerObject(), func(b v1beta1.Broker) { b.Common().RelistRequests++ })
	w.waitBrokerReady()
}

// changeCatalog has the broker offer a plan less, and another service.
func (w *environment) changeCatalog() {
	w.broker.Change(func(o *osbtest.Options) {
		all := osbtest.DefaultServices()
		all[0].Plans = all[0].Plans[:1]
		more := all[1]
		more.ID, more.Name = "5e12ce00-0000-4000-8000-000000000003", "queue"
		more.Plans = []osbtest.Plan{{ID: "91a40000-0000-4000-8000-000000000005", Name: "one", Description: "One node"}}
		o.Services = w.sharedServices(append(all, more))
	})
}

// moveBroker gives the broker another address and other credentials, and tells of both.
func (w *environment) moveBroker() {
	const password = canary.Value + "2"
	w.broker.Change(func(o *osbtest.Options) { o.Password = password })
	url := w.serve(w.broker, requestName, w.guardBroker)
	edit(w, w.brokerObject(), func(b v1beta1.Broker) { b.Common().URL = url })
	edit(w, &corev1.Secret{ObjectMeta: w.objectMeta("login")}, func(s *corev1.Secret) { s.Data["password"] = []byte(password) })
	w.waitBrokerReady()
}
