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

// registered prepares a world with a broker that the operator and the webhooks know.
func registered(w *world) { registeredWith()(w) }

// registeredWith does it with a broker whose services are edited.
func registeredWith(edits ...func(*osbtest.Service)) func(*world) {
	services := osbtest.DefaultServices()
	services[1].Behavior.Polls, services[1].Behavior.Delay = 0, 400*time.Millisecond // it goes on also while nobody asks
	for i := range services {
		services[i].Behavior.Credentials = credentials
		for _, edit := range edits {
			edit(&services[i])
		}
	}
	return func(w *world) { w.registerAt(osbtest.Options{Services: services}) }
}

// registerAt prepares a world with a broker of some options.
func (w *world) registerAt(o osbtest.Options) {
	w.offer(o)
	w.register()
	w.await("the webhooks know the catalog", func() error {
		try := w.instance("try", syncClass, syncPlan)
		if err := w.client.Create(w.ctx, try, client.DryRunAll); err != nil {
			return err
		}
		if try.Spec.ServicePlanRef == nil && try.Spec.ClusterServicePlanRef == nil {
			return errors.New("the plan is not known")
		}
		return nil
	})
}

// offer starts a broker, which wants to be told who asks.
func (w *world) offer(o osbtest.Options) {
	o.Services = w.owned(o.Services)
	o.Username, o.Password = "bellhop", canary.Value
	o.Patient = w.fault.mayLoseAnswer() // so that the operator may have lost what it was told
	w.broker = osbtest.New(o)
	w.broker.URL = w.serve(w.broker, operationOf, w.guard)
}

// owned are services under ids and names that no other broker has, if all namespaces see them.
func (w *world) owned(services []osbtest.Service) []osbtest.Service {
	services = slices.Clone(services)
	for i := range services {
		s := &services[i]
		s.ID, s.Name, s.Plans = w.own(s.ID), w.own(s.Name), slices.Clone(s.Plans)
		for j := range s.Plans {
			s.Plans[j].ID = w.own(s.Plans[j].ID)
		}
	}
	return services
}

// theBroker is the object of the run's broker, with no more than its name.
func (w *world) theBroker() v1beta1.Broker {
	if w.clusterWide {
		return &v1beta1.ClusterServiceBroker{ObjectMeta: w.shared("broker")}
	}
	return &v1beta1.ServiceBroker{ObjectMeta: w.shared("broker")}
}

// serviceBroker is that object as a user creates it.
func (w *world) serviceBroker() v1beta1.Broker {
	b, login := w.theBroker(), &v1beta1.ObjectReference{Name: "login"}
	if w.clusterWide {
		login.Namespace = w.namespace
	}
	b.Common().URL = w.broker.URL
	b.Common().AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: login}}
	return b
}

// register creates the broker's object and waits until it is Ready.
func (w *world) register() {
	w.secret("login", map[string]string{"username": "bellhop", "password": canary.Value})
	b := w.serviceBroker()
	w.create(b)
	w.await("the broker is Ready", w.brokerReady(b))
}

func (w *world) brokerReady(b v1beta1.Broker) func() error {
	return func() error {
		if err := w.get(b); err != nil {
			return err
		}
		return trueFor(b.CommonStatus().Conditions, b.CommonStatus().ObservedGeneration, b)
	}
}

// offered prepares a broker of which nobody knows yet.
func offered(w *world) { w.offer(osbtest.Options{Services: osbtest.DefaultServices()}) }

// brokerIsReady waits until the broker's object is, and returns it.
func (w *world) brokerIsReady() v1beta1.Broker {
	b := w.theBroker()
	w.await("the broker is Ready", w.brokerReady(b))
	return b
}

// relisted has the catalog read again.
func (w *world) relisted() {
	edit(w, w.theBroker(), func(b v1beta1.Broker) { b.Common().RelistRequests++ })
	w.brokerIsReady()
}

// otherCatalog has the broker offer a plan less, and another service.
func (w *world) otherCatalog() {
	w.broker.Change(func(o *osbtest.Options) {
		all := osbtest.DefaultServices()
		all[0].Plans = all[0].Plans[:1]
		more := all[1]
		more.ID, more.Name = "5e12ce00-0000-4000-8000-000000000003", "queue"
		more.Plans = []osbtest.Plan{{ID: "91a40000-0000-4000-8000-000000000005", Name: "one", Description: "One node"}}
		o.Services = w.owned(append(all, more))
	})
}

// brokerMoves gives the broker another address and other credentials, and tells of both.
func (w *world) brokerMoves() {
	const password = canary.Value + "2"
	w.broker.Change(func(o *osbtest.Options) { o.Password = password })
	url := w.serve(w.broker, operationOf, w.guard)
	edit(w, w.theBroker(), func(b v1beta1.Broker) { b.Common().URL = url })
	edit(w, &corev1.Secret{ObjectMeta: w.meta("login")}, func(s *corev1.Secret) { s.Data["password"] = []byte(password) })
	w.brokerIsReady()
}
