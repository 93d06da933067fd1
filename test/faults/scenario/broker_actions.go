// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"errors"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

// RegisterBroker prepares a broker that the operator and the webhooks know.
func RegisterBroker(e *Environment) { registerBrokerWith()(e) }

// registerBrokerWith does so after edits of the services of the broker.
func registerBrokerWith(edits ...func(*osbtest.Service)) func(*Environment) {
	services := osbtest.DefaultServices()
	services[1].Behavior.Polls, services[1].Behavior.Delay = 0, 400*time.Millisecond // operations proceed without polls
	for i := range services {
		services[i].Behavior.Credentials = uniqueCredentials
		for _, edit := range edits {
			edit(&services[i])
		}
	}
	return func(e *Environment) { e.registerWithOptions(osbtest.Options{Services: services}) }
}

// registerWithOptions starts a broker with options, and waits until the webhooks know its plans.
func (e *Environment) registerWithOptions(o osbtest.Options) {
	e.startBroker(o)
	e.createBroker()
	e.await("the webhooks know the catalog", func() error {
		try := e.NewInstance("try", SyncClass, SyncPlan)
		if err := e.Client.Create(e.Ctx, try, client.DryRunAll); err != nil {
			return err
		}
		if try.Spec.ServicePlanRef == nil && try.Spec.ClusterServicePlanRef == nil {
			return errors.New("the plan is not known")
		}
		return nil
	})
}

// startBroker starts a broker that requires credentials.
func (e *Environment) startBroker(o osbtest.Options) {
	o.Services = e.sharedServices(o.Services)
	o.Username, o.Password = "bellhop", canary.Value
	o.Patient = e.Fault.MayLoseAnswer() // the operator may have lost an answer
	e.Broker = osbtest.New(o)
	e.Broker.URL = e.serve(e.Broker, requestName, e.GuardBroker)
}

// sharedServices returns services with ids and names that are unique in the cluster, if brokers belong to it.
func (e *Environment) sharedServices(services []osbtest.Service) []osbtest.Service {
	services = slices.Clone(services)
	for i := range services {
		s := &services[i]
		s.ID, s.Name, s.Plans = e.SharedName(s.ID), e.SharedName(s.Name), slices.Clone(s.Plans)
		for j := range s.Plans {
			s.Plans[j].ID = e.SharedName(s.Plans[j].ID)
		}
	}
	return services
}

// brokerObject returns the object of the broker with its name only.
func (e *Environment) brokerObject() v1beta1.Broker {
	if e.ClusterWide {
		return &v1beta1.ClusterServiceBroker{ObjectMeta: e.sharedMeta("broker")}
	}
	return &v1beta1.ServiceBroker{ObjectMeta: e.sharedMeta("broker")}
}

// newBroker returns the object of the broker as a user creates it.
func (e *Environment) newBroker() v1beta1.Broker {
	b, login := e.brokerObject(), &v1beta1.ObjectReference{Name: "login"}
	if e.ClusterWide {
		login.Namespace = e.Namespace
	}
	b.Common().URL = e.Broker.URL
	b.Common().AuthInfo = &v1beta1.AuthInfo{Basic: &v1beta1.SecretAuth{SecretRef: login}}
	return b
}

// createBroker creates the object of the broker and waits until it is Ready.
func (e *Environment) createBroker() {
	e.createSecret("login", map[string]string{"username": "bellhop", "password": canary.Value})
	b := e.newBroker()
	e.create(b)
	e.await("the broker is Ready", e.checkBrokerReady(b))
}

// checkBrokerReady returns a check for await.
func (e *Environment) checkBrokerReady(b v1beta1.Broker) func() error {
	return func() error {
		if err := e.get(b); err != nil {
			return err
		}
		return CheckReady(b.CommonStatus().Conditions, b.CommonStatus().ObservedGeneration, b)
	}
}

// startDefaultBroker prepares a broker that has no object yet.
func startDefaultBroker(e *Environment) {
	e.startBroker(osbtest.Options{Services: osbtest.DefaultServices()})
}

// waitBrokerReady waits until the object of the broker is Ready, and returns it.
func (e *Environment) waitBrokerReady() v1beta1.Broker {
	b := e.brokerObject()
	e.await("the broker is Ready", e.checkBrokerReady(b))
	return b
}

// relist requests that the catalog is read again, and waits for it.
func (e *Environment) relist() {
	edit(e, e.brokerObject(), func(b v1beta1.Broker) { b.Common().RelistRequests++ })
	e.waitBrokerReady()
}

// changeCatalog removes a plan and adds a service.
func (e *Environment) changeCatalog() {
	e.Broker.Change(func(o *osbtest.Options) {
		all := osbtest.DefaultServices()
		all[0].Plans = all[0].Plans[:1]
		more := all[1]
		more.ID, more.Name = "5e12ce00-0000-4000-8000-000000000003", "queue"
		more.Plans = []osbtest.Plan{{ID: "91a40000-0000-4000-8000-000000000005", Name: "one", Description: "One node"}}
		o.Services = e.sharedServices(append(all, more))
	})
}

// moveBroker changes the address and the credentials of the broker, and then its object and Secret.
func (e *Environment) moveBroker() {
	const password = canary.Value + "2"
	e.Broker.Change(func(o *osbtest.Options) { o.Password = password })
	url := e.serve(e.Broker, requestName, e.GuardBroker)
	edit(e, e.brokerObject(), func(b v1beta1.Broker) { b.Common().URL = url })
	edit(e, &corev1.Secret{ObjectMeta: e.objectMeta("login")}, func(s *corev1.Secret) { s.Data["password"] = []byte(password) })
	e.waitBrokerReady()
}
