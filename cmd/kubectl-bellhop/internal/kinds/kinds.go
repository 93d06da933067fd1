// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package kinds knows Bellhop's kinds by the names that users give them, reads their objects, and says in which state an object is.
package kinds

import (
	"context"
	"slices"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	pagerv1beta1 "github.com/gophernetes/bellhop/api/pager/v1beta1"
	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	pagerclient "github.com/gophernetes/bellhop/client/clientset/versioned/typed/pager/v1beta1"
	servicecatalogclient "github.com/gophernetes/bellhop/client/clientset/versioned/typed/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/reasons"
)

// Kind is one of Bellhop's kinds.
type Kind struct {
	// Name is the kind, such as ServiceInstance; Resource is its plural in lower case.
	Name, Resource, Group string
	Namespaced            bool
	// Subjects are the tables of documentation that have the reasons of its conditions.
	Subjects []reasons.Subject

	// short is how users may call it beside its name: in singular.
	short string
	// shortName is the short name of its CustomResourceDefinition.
	shortName string
	get       func(ctx context.Context, c *Clients, namespace, name string) (cli.Object, error)
	list      func(ctx context.Context, c *Clients, namespace string) ([]cli.Object, error)
}

// Clients are the clients of both groups.
type Clients struct {
	Pager    pagerclient.PagerV1beta1Interface
	Services servicecatalogclient.ServicecatalogV1beta1Interface
}

// NewClients returns clients of both groups.
func NewClients(e *cli.Environment) (*Clients, error) {
	pager, err := e.Pager()
	if err != nil {
		return nil, err
	}
	services, err := e.Services()
	if err != nil {
		return nil, err
	}
	return &Clients{Pager: pager, Services: services}, nil
}

// The kinds.
var (
	Alert = newKind(Kind{Name: "Alert", Resource: "alerts", Group: cli.PagerGroup, Namespaced: true, Subjects: []reasons.Subject{reasons.Alert}},
		func(c *Clients, ns string) cli.Client[*pagerv1beta1.Alert, *pagerv1beta1.AlertList] {
			return c.Pager.Alerts(ns)
		})
	Receiver = newKind(Kind{Name: "Receiver", Resource: "receivers", Group: cli.PagerGroup, Namespaced: true, Subjects: receiverSubjects, shortName: "rcv"},
		func(c *Clients, ns string) cli.Client[*pagerv1beta1.Receiver, *pagerv1beta1.ReceiverList] {
			return c.Pager.Receivers(ns)
		})
	ClusterReceiver = newKind(Kind{Name: "ClusterReceiver", Resource: "clusterreceivers", Group: cli.PagerGroup, Subjects: receiverSubjects, shortName: "crcv"},
		func(c *Clients, _ string) cli.Client[*pagerv1beta1.ClusterReceiver, *pagerv1beta1.ClusterReceiverList] {
			return c.Pager.ClusterReceivers()
		})
	AlertSource = newKind(Kind{Name: "AlertSource", Resource: "alertsources", Group: cli.PagerGroup, Namespaced: true, Subjects: []reasons.Subject{reasons.AlertSource}, short: "source"},
		func(c *Clients, ns string) cli.Client[*pagerv1beta1.AlertSource, *pagerv1beta1.AlertSourceList] {
			return c.Pager.AlertSources(ns)
		})
	ServiceBroker = newKind(Kind{Name: "ServiceBroker", Resource: "servicebrokers", Group: cli.ServicesGroup, Namespaced: true, Subjects: []reasons.Subject{reasons.Broker}, short: "broker"},
		func(c *Clients, ns string) cli.Client[*servicecatalogv1beta1.ServiceBroker, *servicecatalogv1beta1.ServiceBrokerList] {
			return c.Services.ServiceBrokers(ns)
		})
	ClusterServiceBroker = newKind(Kind{Name: "ClusterServiceBroker", Resource: "clusterservicebrokers", Group: cli.ServicesGroup, Subjects: []reasons.Subject{reasons.Broker}, short: "broker"},
		func(c *Clients, _ string) cli.Client[*servicecatalogv1beta1.ClusterServiceBroker, *servicecatalogv1beta1.ClusterServiceBrokerList] {
			return c.Services.ClusterServiceBrokers()
		})
	ServiceClass = newKind(Kind{Name: "ServiceClass", Resource: "serviceclasses", Group: cli.ServicesGroup, Namespaced: true, short: "class"},
		func(c *Clients, ns string) cli.Client[*servicecatalogv1beta1.ServiceClass, *servicecatalogv1beta1.ServiceClassList] {
			return c.Services.ServiceClasses(ns)
		})
	ClusterServiceClass = newKind(Kind{Name: "ClusterServiceClass", Resource: "clusterserviceclasses", Group: cli.ServicesGroup, short: "class"},
		func(c *Clients, _ string) cli.Client[*servicecatalogv1beta1.ClusterServiceClass, *servicecatalogv1beta1.ClusterServiceClassList] {
			return c.Services.ClusterServiceClasses()
		})
	ServicePlan = newKind(Kind{Name: "ServicePlan", Resource: "serviceplans", Group: cli.ServicesGroup, Namespaced: true, short: "plan"},
		func(c *Clients, ns string) cli.Client[*servicecatalogv1beta1.ServicePlan, *servicecatalogv1beta1.ServicePlanList] {
			return c.Services.ServicePlans(ns)
		})
	ClusterServicePlan = newKind(Kind{Name: "ClusterServicePlan", Resource: "clusterserviceplans", Group: cli.ServicesGroup, short: "plan"},
		func(c *Clients, _ string) cli.Client[*servicecatalogv1beta1.ClusterServicePlan, *servicecatalogv1beta1.ClusterServicePlanList] {
			return c.Services.ClusterServicePlans()
		})
	ServiceInstance = newKind(Kind{Name: "ServiceInstance", Resource: "serviceinstances", Group: cli.ServicesGroup, Namespaced: true, Subjects: []reasons.Subject{reasons.Instance}, short: "instance"},
		func(c *Clients, ns string) cli.Client[*servicecatalogv1beta1.ServiceInstance, *servicecatalogv1beta1.ServiceInstanceList] {
			return c.Services.ServiceInstances(ns)
		})
	ServiceBinding = newKind(Kind{Name: "ServiceBinding", Resource: "servicebindings", Group: cli.ServicesGroup, Namespaced: true, Subjects: []reasons.Subject{reasons.Binding}, short: "binding"},
		func(c *Clients, ns string) cli.Client[*servicecatalogv1beta1.ServiceBinding, *servicecatalogv1beta1.ServiceBindingList] {
			return c.Services.ServiceBindings(ns)
		})

	receiverSubjects = []reasons.Subject{reasons.Receiver, reasons.Answer}
)

// All are all kinds. A namespaced kind stands before the cluster-scoped one with the same short name.
var All = []*Kind{
	Alert, Receiver, ClusterReceiver, AlertSource, ServiceBroker, ClusterServiceBroker, ServiceClass, ClusterServiceClass, ServicePlan,
	ClusterServicePlan, ServiceInstance, ServiceBinding,
}

// WithConditions are the kinds whose objects have conditions.
var WithConditions = slices.DeleteFunc(slices.Clone(All), func(k *Kind) bool { return k.Subjects == nil })

func newKind[T cli.Object, L runtime.Object](k Kind, client func(*Clients, string) cli.Client[T, L]) *Kind {
	k.get = func(ctx context.Context, c *Clients, namespace, name string) (cli.Object, error) {
		object, err := cli.Get(ctx, client(c, namespace), name)
		if err != nil {
			return nil, err
		}
		return object, nil
	}
	k.list = func(ctx context.Context, c *Clients, namespace string) ([]cli.Object, error) {
		objects, err := cli.List(ctx, client(c, namespace), metav1.ListOptions{})
		all := make([]cli.Object, 0, len(objects))
		for _, o := range objects {
			all = append(all, o)
		}
		return all, err
	}
	return &k
}

// Get reads an object; the namespace of a cluster-scoped one is ignored. Where it does not exist, the error names similar ones.
func (k *Kind) Get(ctx context.Context, c *Clients, namespace, name string) (cli.Object, error) {
	return k.get(ctx, c, namespace, name)
}

// List reads the objects of a namespace, of all namespaces if it is empty, or all cluster-scoped ones.
func (k *Kind) List(ctx context.Context, c *Clients, namespace string) ([]cli.Object, error) {
	return k.list(ctx, c, namespace)
}

// Of returns the kind of an object; nil: it is not one of Bellhop's kinds.
func Of(object cli.Object) *Kind {
	name := object.GetObjectKind().GroupVersionKind().Kind
	for _, k := range All {
		if k.Name == name {
			return k
		}
	}
	return nil
}

// singular is the kind in lower case.
func (k *Kind) singular() string { return strings.ToLower(k.Name) }

// isCalled reports whether a user means this kind by a name: singular or plural, of the kind or of its short name, with or without the
// group or the beginning of it.
func (k *Kind) isCalled(name string) bool {
	name, group, _ := strings.Cut(strings.ToLower(name), ".")
	if group != "" && group != k.Group && group != "v1beta1."+k.Group {
		return false
	}
	names := []string{k.singular(), k.Resource}
	if k.short != "" {
		names = append(names, k.short, strings.TrimPrefix(strings.TrimPrefix(strings.TrimPrefix(k.Resource, "cluster"), "service"), "alert"))
	}
	return slices.Contains(names, name) || name != "" && name == k.shortName
}

// called returns the kinds among some that a user means by a name.
func called(name string, among []*Kind) []*Kind {
	var found []*Kind
	for _, k := range among {
		if k.isCalled(name) {
			found = append(found, k)
		}
	}
	return found
}

// shortNames are the shortest names of kinds, each once.
func shortNames(among []*Kind) []string {
	var names []string
	for _, k := range among {
		name := k.short
		if name == "" {
			name = k.singular()
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}
