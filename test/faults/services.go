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
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
	"github.com/gophernetes/bellhop/test/internal/canary"
)

const (
	syncClass, syncPlan, syncOther    = "database", "small", "large"
	asyncClass, asyncPlan, asyncOther = "cluster", "three", "five"
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
		if err := w.lab.client.Create(w.ctx, try, client.DryRunAll); err != nil {
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

// trueFor says whether an object is Ready as it is now.
func trueFor(conditions []v1beta1.Condition, observed int64, o client.Object) error {
	for _, c := range conditions {
		if c.Type == v1beta1.ConditionReady && c.Status == "True" && observed == o.GetGeneration() {
			return nil
		}
	}
	text, _ := json.Marshal(conditions)
	return fmt.Errorf("generation %d, observed %d: %s", o.GetGeneration(), observed, text)
}

func (w *world) instance(name, class, plan string) *v1beta1.ServiceInstance {
	si := &v1beta1.ServiceInstance{ObjectMeta: w.meta(name)}
	if w.clusterWide {
		si.Spec.ClusterServiceClassExternalName, si.Spec.ClusterServicePlanExternalName = w.own(class), plan
	} else {
		si.Spec.ServiceClassExternalName, si.Spec.ServicePlanExternalName = class, plan
	}
	return si
}

// planned has an instance ask for a plan of its class.
func planned(plan string) func(*v1beta1.ServiceInstance) {
	return func(si *v1beta1.ServiceInstance) {
		if si.Spec.ClusterServiceClassExternalName != "" {
			si.Spec.ClusterServicePlanExternalName = plan
		} else {
			si.Spec.ServicePlanExternalName = plan
		}
	}
}

func (w *world) binding(name, instance string) *v1beta1.ServiceBinding {
	b := &v1beta1.ServiceBinding{ObjectMeta: w.meta(name)}
	b.Spec.InstanceRef.Name = instance
	return b
}

func parameters(text string) *runtime.RawExtension { return &runtime.RawExtension{Raw: []byte(text)} }

// ready waits until instances and bindings are.
func (w *world) ready(objects ...client.Object) {
	for _, o := range objects {
		w.await(o.GetName()+" is Ready", func() error {
			if err := w.get(o); err != nil {
				return err
			}
			w.askAgain(o)
			switch o := o.(type) {
			case *v1beta1.ServiceInstance:
				return trueFor(o.Status.Conditions, o.Status.ReconciledGeneration, o)
			case *v1beta1.ServiceBinding:
				return trueFor(o.Status.Conditions, o.Status.ReconciledGeneration, o)
			}
			return apierrors.NewBadRequest("it is never Ready")
		})
	}
}

// askAgain does what a person has to where a broker has refused something: the object says
// that it is not tried any more, and how to have it tried again.
func (w *world) askAgain(o client.Object) {
	switch o := o.(type) {
	case *v1beta1.ServiceInstance:
		if hasFailed(o.Status.Conditions) && !isRepeated(o.Status.Attempts) && o.Status.ObservedGeneration == o.Generation {
			w.insist(o)
		}
	case *v1beta1.ServiceBinding:
		if (hasFailed(o.Status.Conditions) && !isRepeated(o.Status.Attempts) || isLeftEdited(o.Status.Conditions)) && o.Status.Rebind == o.Annotations[v1beta1.RebindAnnotation] {
			w.insist(o)
		}
	}
}

// isRepeated reports whether what failed looks like a misconfiguration, which is repeated without an edit.
func isRepeated(a *v1beta1.Attempts) bool { return a != nil && a.Misconfigured > 0 }

// insist asks again. What fails is done the next time.
func (w *world) insist(o client.Object) {
	var err error
	switch o := o.(type) {
	case *v1beta1.ServiceInstance:
		o.Spec.UpdateRequests++
		err = w.lab.client.Update(w.ctx, o)
	case *v1beta1.ServiceBinding:
		err = w.lab.client.Patch(w.ctx, o, annotated(v1beta1.RebindAnnotation, "again "+itoa(w.asked)))
	}
	if err == nil {
		w.asked++
	}
}

func hasFailed(conditions []v1beta1.Condition) bool {
	return slices.ContainsFunc(conditions, func(c v1beta1.Condition) bool {
		return c.Type == v1beta1.ConditionFailed && c.Status == v1beta1.ConditionTrue
	})
}

// isLeftEdited says whether the broker does not help with what was changed in a Secret.
func isLeftEdited(conditions []v1beta1.Condition) bool {
	return slices.ContainsFunc(conditions, func(c v1beta1.Condition) bool {
		return c.Type == v1beta1.ConditionStalled && c.Status == v1beta1.ConditionTrue && c.Reason == v1beta1.ReasonSecretEdited
	})
}

// asking is in what the state of what was asked for again differs.
var asking = regexp.MustCompile(`"(updateRequests|(observedG|reconciledG|g)eneration)":\d+,?|"rebind":"[^"]*",?`)
