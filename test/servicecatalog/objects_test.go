// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog_test

import (
	"context"
	"slices"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/rand"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
)

// startBroker starts a broker on a port of its own. Unless the options set services or a catalog, its services are DefaultServices
// with ids and names that no other spec uses.
func startBroker(o osbtest.Options) *osbtest.Broker {
	GinkgoHelper()
	if o.Services == nil && o.Catalog == nil {
		o.Services = uniqueServices()
	}
	return osbtest.Start(GinkgoT(), o)
}

// uniqueSuffix returns a text for names that no other spec uses. Without z, class names do not have to escape it.
func uniqueSuffix() string { return strings.ReplaceAll(rand.String(8), "z", "y") }

// uniqueServices returns DefaultServices with ids and names that no other spec uses.
func uniqueServices() []osbtest.Service {
	suffix := "-" + uniqueSuffix()
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

// newService returns a service with these plans, with ids that no other spec uses.
func newService(name string, plans ...string) osbtest.Service {
	suffix := "-" + uniqueSuffix()
	s := osbtest.Service{ID: name + suffix, Name: name + suffix, Description: "Offers " + name, Bindable: true, PlanUpdateable: true}
	for _, plan := range plans {
		s.Plans = append(s.Plans, osbtest.Plan{ID: plan + suffix, Name: plan, Description: "Is " + plan})
	}
	return s
}

// kindSet are the kinds of one scope. Most specs run for both scopes.
type kindSet struct {
	broker, class, plan string
	newBrokerObject     func() v1beta1.Broker
	newClassObject      func() v1beta1.Class
	newPlanObject       func() v1beta1.Plan
}

var (
	clusterWide = kindSet{"ClusterServiceBroker", "ClusterServiceClass", "ClusterServicePlan",
		func() v1beta1.Broker { return &v1beta1.ClusterServiceBroker{} },
		func() v1beta1.Class { return &v1beta1.ClusterServiceClass{} },
		func() v1beta1.Plan { return &v1beta1.ClusterServicePlan{} }}
	namespaced = kindSet{"ServiceBroker", "ServiceClass", "ServicePlan",
		func() v1beta1.Broker { return &v1beta1.ServiceBroker{} },
		func() v1beta1.Class { return &v1beta1.ServiceClass{} },
		func() v1beta1.Plan { return &v1beta1.ServicePlan{} }}
)

func (k kindSet) isNamespaced() bool { return k.broker == namespaced.broker }

// namespaceFor returns the namespace of objects of these kinds: none for cluster-scoped ones.
func (k kindSet) namespaceFor(namespace string) string {
	if k.isNamespaced() {
		return namespace
	}
	return ""
}

// createBroker creates a broker object with a unique name for a server. A cluster-scoped object is deleted when the spec ends.
func (k kindSet) createBroker(ctx context.Context, namespace string, server *osbtest.Broker, edits ...func(v1beta1.Broker)) v1beta1.Broker {
	GinkgoHelper()
	b := k.newBrokerObject()
	b.SetName("broker-" + uniqueSuffix())
	b.SetNamespace(k.namespaceFor(namespace))
	b.Common().URL = server.URL
	for _, edit := range edits {
		edit(b)
	}
	Expect(k8s.Create(ctx, b)).To(Succeed())
	if !k.isNamespaced() {
		DeferCleanup(deleteIgnoringNotFound, b)
	}
	return b
}

func deleteIgnoringNotFound(ctx SpecContext, o client.Object) error {
	return client.IgnoreNotFound(k8s.Delete(ctx, o))
}

// createReadyBroker calls createBroker, and waits until the broker is Ready.
func createReadyBroker(ctx context.Context, k kindSet, namespace string, server *osbtest.Broker, edits ...func(v1beta1.Broker)) v1beta1.Broker {
	GinkgoHelper()
	b := k.createBroker(ctx, namespace, server, edits...)
	Eventually(brokerStatus(ctx, b)).Should(beReady(b))
	return b
}

// classes reads the classes of a broker, by their external names.
func (k kindSet) classes(ctx context.Context, b v1beta1.Broker) func() (map[string]v1beta1.Class, error) {
	return func() (map[string]v1beta1.Class, error) {
		newInstanceObject := map[string]v1beta1.Class{}
		add := func(c v1beta1.Class) {
			if c.BrokerName() == b.GetName() {
				newInstanceObject[c.Common().ExternalName] = c
			}
		}
		if k.isNamespaced() {
			var list v1beta1.ServiceClassList
			err := k8s.List(ctx, &list, client.InNamespace(b.GetNamespace()))
			for i := range list.Items {
				add(&list.Items[i])
			}
			return newInstanceObject, err
		}
		var list v1beta1.ClusterServiceClassList
		err := k8s.List(ctx, &list)
		for i := range list.Items {
			add(&list.Items[i])
		}
		return newInstanceObject, err
	}
}

// plans reads the plans of a broker, by their external ids.
func (k kindSet) plans(ctx context.Context, b v1beta1.Broker) func() (map[string]v1beta1.Plan, error) {
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

// createInstance creates an instance of a class and a plan, by their external names.
func (k kindSet) createInstance(ctx context.Context, namespace, name, class, plan string, edits ...func(*v1beta1.ServiceInstance)) *v1beta1.ServiceInstance {
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
