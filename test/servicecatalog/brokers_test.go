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

package servicecatalog_test

import (
	"context"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/osb/osbtest"
)

// newBroker is a broker on a port of its own. Its services are DefaultServices under ids
// and names that no other spec has, unless the options say otherwise.
func newBroker(o osbtest.Options) *osbtest.Broker {
	GinkgoHelper()
	if o.Services == nil && o.Catalog == nil {
		o.Services = uniqueServices()
	}
	return osbtest.Start(GinkgoT(), o)
}

// unique is a text that no other spec has and that a name can have as it is.
func unique() string { return strings.ReplaceAll(rand.String(8), "z", "y") }

// uniqueServices are DefaultServices under ids and names of their own.
func uniqueServices() []osbtest.Service {
	suffix := "-" + unique()
	services := osbtest.DefaultServices()
	for i := range services {
		services[i].ID += suffix
		services[i].Name += suffix
		services[i].Plans = slices.Clone(services[i].Plans)
		for j := range services[i].Plans {
			services[i].Plans[j].ID += suffix
		}
	}
	return services
}

// offering is a service with some plans, under ids of its own.
func offering(name string, plans ...string) osbtest.Service {
	suffix := "-" + unique()
	s := osbtest.Service{ID: name + suffix, Name: name + suffix, Description: "Offers " + name, Bindable: true, PlanUpdateable: true}
	for _, plan := range plans {
		s.Plans = append(s.Plans, osbtest.Plan{ID: plan + suffix, Name: plan, Description: "Is " + plan})
	}
	return s
}

// kinds are those of one scope: what is said of one holds for the other.
type kinds struct {
	broker, class, plan string
	newBroker           func() v1beta1.Broker
	newClass            func() v1beta1.Class
	newPlan             func() v1beta1.Plan
}

var (
	clusterWide = kinds{"ClusterServiceBroker", "ClusterServiceClass", "ClusterServicePlan",
		func() v1beta1.Broker { return &v1beta1.ClusterServiceBroker{} },
		func() v1beta1.Class { return &v1beta1.ClusterServiceClass{} },
		func() v1beta1.Plan { return &v1beta1.ClusterServicePlan{} }}
	namespaced = kinds{"ServiceBroker", "ServiceClass", "ServicePlan",
		func() v1beta1.Broker { return &v1beta1.ServiceBroker{} },
		func() v1beta1.Class { return &v1beta1.ServiceClass{} },
		func() v1beta1.Plan { return &v1beta1.ServicePlan{} }}
)

func (k kinds) isNamespaced() bool { return k.broker == namespaced.broker }

// within is the namespace of objects of these kinds.
func (k kinds) within(namespace string) string {
	if k.isNamespaced() {
		return namespace
	}
	return ""
}

// register makes a broker object for a server, of a name that no other spec has. What is of
// the cluster goes when the spec ends.
func (k kinds) register(ctx context.Context, namespace string, server *osbtest.Broker, edits ...func(v1beta1.Broker)) v1beta1.Broker {
	GinkgoHelper()
	b := k.newBroker()
	b.SetName("broker-" + unique())
	b.SetNamespace(k.within(namespace))
	b.Common().URL = server.URL
	for _, edit := range edits {
		edit(b)
	}
	Expect(k8s.Create(ctx, b)).To(Succeed())
	if !k.isNamespaced() {
		DeferCleanup(deleteIfThere, b)
	}
	return b
}

func deleteIfThere(ctx SpecContext, o client.Object) error {
	return client.IgnoreNotFound(k8s.Delete(ctx, o))
}

// registerBroker is register, and waits until the broker is Ready.
func registerBroker(ctx context.Context, k kinds, namespace string, server *osbtest.Broker, edits ...func(v1beta1.Broker)) v1beta1.Broker {
	GinkgoHelper()
	b := k.register(ctx, namespace, server, edits...)
	Eventually(brokerStatus(ctx, b)).Should(beReady(b))
	return b
}

// classes are those of a broker, by external name.
func (k kinds) classes(ctx context.Context, b v1beta1.Broker) func() (map[string]v1beta1.Class, error) {
	return func() (map[string]v1beta1.Class, error) {
		named := map[string]v1beta1.Class{}
		add := func(c v1beta1.Class) {
			if c.BrokerName() == b.GetName() {
				named[c.Common().ExternalName] = c
			}
		}
		if k.isNamespaced() {
			var list v1beta1.ServiceClassList
			err := k8s.List(ctx, &list, client.InNamespace(b.GetNamespace()))
			for i := range list.Items {
				add(&list.Items[i])
			}
			return named, err
		}
		var list v1beta1.ClusterServiceClassList
		err := k8s.List(ctx, &list)
		for i := range list.Items {
			add(&list.Items[i])
		}
		return named, err
	}
}

// plans are those of a broker, by external id.
func (k kinds) plans(ctx context.Context, b v1beta1.Broker) func() (map[string]v1beta1.Plan, error) {
	return func() (map[string]v1beta1.Plan, error) {
		known := map[string]v1beta1.Plan{}
		add := func(p v1beta1.Plan) {
			if p.BrokerName() == b.GetName() {
				known[p.Common().ExternalID] = p
			}
		}
		if k.isNamespaced() {
			var list v1beta1.ServicePlanList
			err := k8s.List(ctx, &list, client.InNamespace(b.GetNamespace()))
			for i := range list.Items {
				add(&list.Items[i])
			}
			return known, err
		}
		var list v1beta1.ClusterServicePlanList
		err := k8s.List(ctx, &list)
		for i := range list.Items {
			add(&list.Items[i])
		}
		return known, err
	}
}

// newInstance makes an instance of a service's plan, by their names in the catalog.
func (k kinds) newInstance(ctx context.Context, namespace, name, class, plan string, edits ...func(*v1beta1.ServiceInstance)) *v1beta1.ServiceInstance {
	GinkgoHelper()
	si := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}}
	if k.isNamespaced() {
		si.Spec.ServiceClassExternalName, si.Spec.ServicePlanExternalName = class, plan
	} else {
		si.Spec.ClusterServiceClassExternalName, si.Spec.ClusterServicePlanExternalName = class, plan
	}
	for _, edit := range edits {
		edit(si)
	}
	Expect(k8s.Create(ctx, si)).To(Succeed())
	return si
}

// newSecret makes a Secret.
func newSecret(ctx context.Context, namespace, name string, pairs ...string) *corev1.Secret {
	GinkgoHelper()
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: name}, StringData: map[string]string{}}
	for i := 0; i < len(pairs); i += 2 {
		secret.StringData[pairs[i]] = pairs[i+1]
	}
	Expect(k8s.Create(ctx, secret)).To(Succeed())
	return secret
}
