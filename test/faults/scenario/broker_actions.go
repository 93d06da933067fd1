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
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

// RegisterBroker prepares a world with a broker that the operator and the webhooks know.
func RegisterBroker(w *Environment) { registerBrokerWith()(w) }

// registerBrokerWith does it with a broker whose services are edited.
func registerBrokerWith(edits ...func(*osbtest.Service)) func(*Environment) {
	services := osbtest.DefaultServices()
	services[1].Behavior.Polls, services[1].Behavior.Delay = 0, 400*time.Millisecond // it goes on also while nobody asks
	for i := range services {
		services[i].Behavior.Credentials = uniqueCredentials
		for _, edit := range edits {
			edit(&services[i])
		}
	}
	return func(w *Environment) { w.registerWithOptions(osbtest.Options{Services: services}) }
}

// registerWithOptions prepares a world with a broker of some options.
func (w *Environment) registerWithOptions(o osbtest.Options) {
	w.startBroker(o)
	w.createBroker()
	w.await("the webhooks know the catalog", func() error {
		try := w.NewInstance("try", SyncClass, SyncPlan)
		if err := w.Client.Create(w.Ctx, try, client.DryRunAll); err != nil {
			return err
		}
		if try.Spec.ServicePlanRef == nil && try.Spec.ClusterServicePlanRef == nil {
			return errors.New("the plan is not known")
		}
		return nil
	})
}

// startBroker starts a broker, which wants to be told who asks.
func (w *Environment) startBroker(o osbtest.Options) {
	o.Services = w.sharedServices(o.Services)
	o.Username, o.Password = "bellhop", canary.Value
	o.Patient = w.Fault.MayLoseAnswer() // so that the operator may have lost what it was told
	w.Broker = osbtest.New(o)
	w.Broker.URL = w.serve(w.Broker, requestName, w.GuardBroker)
}

// sharedServices are services under ids and names that no other broker has, if all namespaces see them.
func (w *Environment) sharedServices(services []osbtest.Service) []osbtest.Service {
	services = slices.Clone(services)
	for i := range services {
		s := &services[i]
		s.ID, s.Name, s.Plans = w.SharedName(s.ID), w.SharedName(s.Name), slices.Clone(s.Plans)
		for j := range s.Plans {
			s.Plans[j].ID = w.SharedName(s.Plans[j].ID)
		}
	}
	return services
}

// brokerObject is the object of the run's broker, with no more than its name.
func (w *Environment) brokerObject() v1beta1.Broker {
	if w.ClusterWide {
		return &v1beta1.ClusterServiceBroker{ObjectMeta: w.sharedMeta("broker")}
	}
	return &v1beta1.ServiceBroker{ObjectMeta: w.sharedMeta("broker")}
}

// newBroker is that object as a user creates it.
func (w *Environment) newBroker() v1beta1.Broker {
	b, login := w.brokerObject(), &v1beta1.ObjectReference{Name: "login"}
	if w.ClusterWide {
		login.Namespace = w.Namespace
	}
	b.Common().URL = w.Broker.URL
	b.Common().AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: login}}
	return b
}

// createBroker creates the broker's object and waits until it is Ready.
func (w *Environment) createBroker() {
	w.createSecret("login", map[string]string{"username": "bellhop", "password": canary.Value})
	b := w.newBroker()
	w.create(b)
	w.await("the broker is Ready", w.checkBrokerReady(b))
}

func (w *Environment) checkBrokerReady(b v1beta1.Broker) func() error {
	return func() error {
		if err := w.get(b); err != nil {
			return err
		}
		return CheckReady(b.CommonStatus().Conditions, b.CommonStatus().ObservedGeneration, b)
	}
}

// startDefaultBroker prepares a broker of which nobody knows yet.
func startDefaultBroker(w *Environment) {
	w.startBroker(osbtest.Options{Services: osbtest.DefaultServices()})
}

// waitBrokerReady waits until the broker's object is, and returns it.
func (w *Environment) waitBrokerReady() v1beta1.Broker {
	b := w.brokerObject()
	w.await("the broker is Ready", w.checkBrokerReady(b))
	return b
}

// relist has the catalog read again.
func (w *Environment) relist() {
	edit(w, w.brokerObject(), func(b v1beta1.Broker) { b.Common().RelistRequests++ })
	w.waitBrokerReady()
}

// changeCatalog has the broker offer a plan less, and another service.
func (w *Environment) changeCatalog() {
	w.Broker.Change(func(o *osbtest.Options) {
		all := osbtest.DefaultServices()
		all[0].Plans = all[0].Plans[:1]
		more := all[1]
		more.ID, more.Name = "5e12ce00-0000-4000-8000-000000000003", "queue"
		more.Plans = []osbtest.Plan{{ID: "91a40000-0000-4000-8000-000000000005", Name: "one", Description: "One node"}}
		o.Services = w.sharedServices(append(all, more))
	})
}

// moveBroker gives the broker another address and other credentials, and tells of both.
func (w *Environment) moveBroker() {
	const password = canary.Value + "2"
	w.Broker.Change(func(o *osbtest.Options) { o.Password = password })
	url := w.serve(w.Broker, requestName, w.GuardBroker)
	edit(w, w.brokerObject(), func(b v1beta1.Broker) { b.Common().URL = url })
	edit(w, &corev1.Secret{ObjectMeta: w.objectMeta("login")}, func(s *corev1.Secret) { s.Data["password"] = []byte(password) })
	w.waitBrokerReady()
}
