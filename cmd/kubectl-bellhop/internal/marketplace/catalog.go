// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package marketplace reads brokers' catalogs, and has the commands that show them: marketplace, plans and schema.
package marketplace

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	servicecatalogclient "github.com/gophernetes/bellhop/client/clientset/versioned/typed/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// Catalog has the classes and plans of ClusterServiceBrokers, and of the ServiceBrokers of a namespace.
type Catalog struct {
	Namespace string
	Classes   []v1beta1.Class
	Plans     []v1beta1.Plan
}

// Read reads the catalog that a namespace can use; for the namespace "" all. Objects that the user may not read are left out, unless these are all.
func Read(ctx context.Context, e *cli.Environment, namespace string) (*Catalog, error) {
	services, err := e.Services()
	if err != nil {
		return nil, err
	}
	c := &Catalog{Namespace: namespace}
	clusterErr := c.readCluster(ctx, services)
	namespaceErr := c.readNamespace(ctx, services)
	switch {
	case clusterErr == nil && namespaceErr == nil, isForbidden(clusterErr) && namespaceErr == nil, isForbidden(namespaceErr) && clusterErr == nil:
		c.sort()
		return c, nil
	case clusterErr != nil:
		return nil, clusterErr
	default:
		return nil, namespaceErr
	}
}

func isForbidden(err error) bool { return err != nil && apierrors.IsForbidden(err) }

func (c *Catalog) readCluster(ctx context.Context, services servicecatalogclient.ServicecatalogV1beta1Interface) error {
	classes, err := cli.List[*v1beta1.ClusterServiceClass, *v1beta1.ClusterServiceClassList](ctx, services.ClusterServiceClasses(), metav1.ListOptions{})
	if err != nil {
		return err
	}
	plans, err := cli.List[*v1beta1.ClusterServicePlan, *v1beta1.ClusterServicePlanList](ctx, services.ClusterServicePlans(), metav1.ListOptions{})
	if err != nil {
		return err
	}
	add(c, classes, plans)
	return nil
}

func (c *Catalog) readNamespace(ctx context.Context, services servicecatalogclient.ServicecatalogV1beta1Interface) error {
	classes, err := cli.List[*v1beta1.ServiceClass, *v1beta1.ServiceClassList](ctx, services.ServiceClasses(c.Namespace), metav1.ListOptions{})
	if err != nil {
		return err
	}
	plans, err := cli.List[*v1beta1.ServicePlan, *v1beta1.ServicePlanList](ctx, services.ServicePlans(c.Namespace), metav1.ListOptions{})
	if err != nil {
		return err
	}
	add(c, classes, plans)
	return nil
}

func add[C v1beta1.Class, P v1beta1.Plan](c *Catalog, classes []C, plans []P) {
	for _, class := range classes {
		c.Classes = append(c.Classes, class)
	}
	for _, plan := range plans {
		c.Plans = append(c.Plans, plan)
	}
}

func (c *Catalog) sort() {
	slices.SortFunc(c.Classes, func(a, b v1beta1.Class) int {
		return cmp.Or(cmp.Compare(a.GetNamespace(), b.GetNamespace()), cmp.Compare(a.BrokerName(), b.BrokerName()),
			cmp.Compare(a.Common().ExternalName, b.Common().ExternalName), cmp.Compare(a.GetName(), b.GetName()))
	})
	slices.SortFunc(c.Plans, func(a, b v1beta1.Plan) int {
		return cmp.Or(cmp.Compare(a.Common().ExternalName, b.Common().ExternalName), cmp.Compare(a.GetName(), b.GetName()))
	})
}

// PlansOf returns the plans of a class, by name.
func (c *Catalog) PlansOf(class v1beta1.Class) []v1beta1.Plan {
	var plans []v1beta1.Plan
	for _, p := range c.Plans {
		if p.ClassName() == class.GetName() && p.GetNamespace() == class.GetNamespace() {
			plans = append(plans, p)
		}
	}
	return plans
}

// ClassOf returns the class of a plan, nil if it was not read.
func (c *Catalog) ClassOf(plan v1beta1.Plan) v1beta1.Class {
	for _, class := range c.Classes {
		if plan.ClassName() == class.GetName() && plan.GetNamespace() == class.GetNamespace() {
			return class
		}
	}
	return nil
}

// Class finds a class by its name in the catalog, its id there, or the name of its object. Broker, unless it is empty, is the name of its
// broker.
func (c *Catalog) Class(name, broker string) (v1beta1.Class, error) {
	var named, found []v1beta1.Class
	var names []string
	for _, class := range c.Classes {
		names = append(names, class.Common().ExternalName)
		if broker != "" && class.BrokerName() != broker {
			continue
		}
		if class.Common().ExternalName == name {
			named = append(named, class)
		}
		if class.Common().ExternalID == name || class.GetName() == name {
			found = append(found, class)
		}
	}
	if len(named) > 0 {
		found = named
	}
	switch {
	case len(found) == 1:
		return found[0], nil
	case len(found) > 1:
		return nil, ambiguous(name, found)
	case len(c.Classes) == 0:
		return nil, cli.WithHint(cli.UsageError("no broker offers a class in namespace %q", c.Namespace), "an administrator registers one with kubectl bellhop register")
	case broker != "":
		return nil, cli.UsageError("broker %q offers no class %q", broker, name)
	default:
		return nil, cli.WithHint(cli.UsageError("no broker offers a class %q", name), "%s", cli.Suggestion(name, names))
	}
}

func ambiguous(name string, classes []v1beta1.Class) error {
	var choices []string
	for _, class := range classes {
		choices = append(choices, fmt.Sprintf("%s of broker %s", class.GetName(), class.BrokerName()))
	}
	return cli.WithHint(cli.UsageError("more than one class is called %q: %s", name, strings.Join(choices, ", ")),
		"give --broker, or the name of the object instead")
}

// Plan finds a plan of a class by its name in the catalog, its id there, or the name of its object. Of a class with one plan the name may
// be empty.
func (c *Catalog) Plan(class v1beta1.Class, name string) (v1beta1.Plan, error) {
	plans := c.PlansOf(class)
	var names []string
	for _, p := range plans {
		names = append(names, p.Common().ExternalName)
		if p.Common().ExternalName == name || p.Common().ExternalID == name || p.GetName() == name {
			return p, nil
		}
	}
	switch {
	case name == "" && len(plans) == 1:
		return plans[0], nil
	case name == "":
		return nil, cli.WithHint(cli.UsageError("class %q has %d plans: name one with --plan", class.Common().ExternalName, len(plans)), "%s", strings.Join(names, ", "))
	default:
		return nil, cli.WithHint(cli.UsageError("class %q has no plan %q", class.Common().ExternalName, name), "%s", cli.Suggestion(name, names))
	}
}

// Find returns the class and the plan that a reference names, nil where it does not exist.
func (c *Catalog) Find(reference catalog.Reference) (v1beta1.Class, v1beta1.Plan) {
	for _, class := range c.Classes {
		named := catalog.Reference{Scope: reference.Scope, NamedBy: reference.NamedBy, Class: reference.Class}
		if !slices.Contains(catalog.ReferencesTo(class), named) {
			continue
		}
		for _, plan := range c.PlansOf(class) {
			if reference.NamedBy.OfPlan(plan) == reference.Plan {
				return class, plan
			}
		}
		return class, nil
	}
	return nil, nil
}

// NameIn makes a plan reference name a class and a plan: by their names in the catalog, or, where these are ambiguous, by the names of the objects.
func (c *Catalog) NameIn(spec *v1beta1.PlanReference, class v1beta1.Class, plan v1beta1.Plan) {
	isCluster, isUnique := class.GetNamespace() == "", c.IsUnique(class)
	className, planName := class.GetName(), plan.GetName()
	if isUnique {
		className, planName = class.Common().ExternalName, plan.Common().ExternalName
	}
	switch {
	case isCluster && isUnique:
		spec.ClusterServiceClassExternalName, spec.ClusterServicePlanExternalName = className, planName
	case isCluster:
		spec.ClusterServiceClassName, spec.ClusterServicePlanName = className, planName
	case isUnique:
		spec.ServiceClassExternalName, spec.ServicePlanExternalName = className, planName
	default:
		spec.ServiceClassName, spec.ServicePlanName = className, planName
	}
}

// IsUnique reports whether no other class of the same scope has the class's name, so that an instance can name it so.
func (c *Catalog) IsUnique(class v1beta1.Class) bool {
	same := 0
	for _, other := range c.Classes {
		if other.GetNamespace() == class.GetNamespace() && other.Common().ExternalName == class.Common().ExternalName {
			same++
		}
	}
	return same == 1
}
