// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package tree

import (
	"context"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"

	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
)

// lists has classes, plans, instances and bindings by the object that they belong to. Objects of the cluster have no namespace.
type lists struct {
	classes   map[types.NamespacedName][]servicecatalogv1beta1.Class            // by broker
	plans     map[types.NamespacedName][]servicecatalogv1beta1.Plan             // by class
	instances map[types.NamespacedName][]*servicecatalogv1beta1.ServiceInstance // by plan and namespace
	bindings  map[types.NamespacedName][]*servicecatalogv1beta1.ServiceBinding  // by instance
	// placed are the instances and bindings that belong to something in the tree.
	placed map[types.UID]bool
}

// load lists all that can belong to brokers.
func (b *builder) load(ctx context.Context) (*lists, error) {
	l := &lists{
		classes: map[types.NamespacedName][]servicecatalogv1beta1.Class{}, plans: map[types.NamespacedName][]servicecatalogv1beta1.Plan{},
		instances: map[types.NamespacedName][]*servicecatalogv1beta1.ServiceInstance{},
		bindings:  map[types.NamespacedName][]*servicecatalogv1beta1.ServiceBinding{}, placed: map[types.UID]bool{},
	}
	objects, err := b.listAll(ctx, kinds.ClusterServiceClass, kinds.ServiceClass, kinds.ClusterServicePlan, kinds.ServicePlan,
		kinds.ServiceInstance, kinds.ServiceBinding)
	for _, object := range objects {
		key := types.NamespacedName{Namespace: object.GetNamespace()}
		switch o := object.(type) {
		case servicecatalogv1beta1.Class:
			key.Name = o.BrokerName()
			l.classes[key] = append(l.classes[key], o)
		case servicecatalogv1beta1.Plan:
			key.Name = o.ClassName()
			l.plans[key] = append(l.plans[key], o)
		case *servicecatalogv1beta1.ServiceInstance:
			key = planOf(o)
			l.instances[key] = append(l.instances[key], o)
		case *servicecatalogv1beta1.ServiceBinding:
			key.Name = o.Spec.InstanceRef.Name
			l.bindings[key] = append(l.bindings[key], o)
		}
	}
	return l, err
}

// planOf is the object name of an instance's plan; it has no name where the spec names a plan that does not exist.
func planOf(instance *servicecatalogv1beta1.ServiceInstance) types.NamespacedName {
	switch {
	case instance.Spec.ClusterServicePlanRef != nil:
		return types.NamespacedName{Name: instance.Spec.ClusterServicePlanRef.Name}
	case instance.Spec.ServicePlanRef != nil:
		return types.NamespacedName{Namespace: instance.Namespace, Name: instance.Spec.ServicePlanRef.Name}
	default:
		return types.NamespacedName{}
	}
}

func nameOf(object cli.Object) types.NamespacedName {
	return types.NamespacedName{Namespace: object.GetNamespace(), Name: object.GetName()}
}

// catalogNode is a class or a plan, by its name in the catalog.
func catalogNode(object cli.Object, externalName string, removed bool) *Node {
	n := &Node{Kind: object.GetObjectKind().GroupVersionKind().Kind, Name: externalName, Namespace: object.GetNamespace(), State: "Offered"}
	if removed {
		n.State, n.Message = "Removed", "the broker does not offer it any more"
	}
	return n
}

func classNode(class servicecatalogv1beta1.Class) *Node {
	return catalogNode(class, class.Common().ExternalName, class.CommonStatus().RemovedFromBrokerCatalog)
}

func planNode(plan servicecatalogv1beta1.Plan) *Node {
	return catalogNode(plan, plan.Common().ExternalName, plan.CommonStatus().RemovedFromBrokerCatalog)
}

func (b *builder) brokerNode(ctx context.Context, l *lists, broker cli.Object) (*Node, error) {
	n := newNode(broker)
	for _, class := range l.classes[nameOf(broker)] {
		c := classNode(class)
		for _, plan := range l.plans[nameOf(class)] {
			p := planNode(plan)
			for _, instance := range l.instances[nameOf(plan)] {
				child, err := b.instanceNode(ctx, l, instance)
				if err != nil {
					return nil, err
				}
				p.Children = append(p.Children, child)
			}
			c.Children = append(c.Children, p)
		}
		sortNodes(c.Children)
		n.Children = append(n.Children, c)
	}
	sortNodes(n.Children)
	return n, nil
}

func (b *builder) instanceNode(ctx context.Context, l *lists, instance *servicecatalogv1beta1.ServiceInstance) (*Node, error) {
	l.placed[instance.UID] = true
	n := newNode(instance)
	for _, binding := range l.bindings[nameOf(instance)] {
		l.placed[binding.UID] = true
		child, err := b.bindingNode(ctx, binding)
		if err != nil {
			return nil, err
		}
		n.Children = append(n.Children, child)
	}
	return n, nil
}

func (b *builder) bindingNode(ctx context.Context, binding *servicecatalogv1beta1.ServiceBinding) (*Node, error) {
	n := newNode(binding)
	secret, err := b.secretNode(ctx, binding)
	if err != nil {
		return nil, err
	}
	pods, err := b.podNodes(ctx, binding)
	n.Children = append([]*Node{secret}, pods...)
	return n, err
}

// unplaced returns instances whose plan, and bindings whose instance, is not in the tree.
func (b *builder) unplaced(ctx context.Context, l *lists) ([]*Node, error) {
	var rest []*Node
	for _, instances := range l.instances {
		for _, instance := range instances {
			if l.placed[instance.UID] {
				continue
			}
			n, err := b.instanceNode(ctx, l, instance)
			if err != nil {
				return nil, err
			}
			rest = append(rest, n)
		}
	}
	for _, bindings := range l.bindings {
		for _, binding := range bindings {
			if l.placed[binding.UID] {
				continue
			}
			n, err := b.bindingNode(ctx, binding)
			if err != nil {
				return nil, err
			}
			rest = append(rest, n)
		}
	}
	sortNodes(rest)
	return rest, nil
}

// instance returns the branch above an instance, and the objects that belong to it.
func (b *builder) instance(ctx context.Context, instance *servicecatalogv1beta1.ServiceInstance) ([]*Node, error) {
	n := newNode(instance)
	bindings, err := kinds.ServiceBinding.List(ctx, b.clients, instance.Namespace)
	if err := b.unreadable.Skip(err, kinds.ServiceBinding.Resource); err != nil {
		return nil, err
	}
	for _, o := range bindings {
		binding := o.(*servicecatalogv1beta1.ServiceBinding)
		if binding.Spec.InstanceRef.Name != instance.Name {
			continue
		}
		child, err := b.bindingNode(ctx, binding)
		if err != nil {
			return nil, err
		}
		n.Children = append(n.Children, child)
	}
	return b.below(ctx, instance, n)
}

// binding returns the branch above a binding, its Secret, and the Pods that use that.
func (b *builder) binding(ctx context.Context, binding *servicecatalogv1beta1.ServiceBinding) ([]*Node, error) {
	n, err := b.bindingNode(ctx, binding)
	if err != nil {
		return nil, err
	}
	object, err := b.getKnown(ctx, kinds.ServiceInstance, binding.Namespace, binding.Spec.InstanceRef.Name)
	if object == nil || err != nil {
		return []*Node{n}, err
	}
	above := newNode(object)
	above.Children = []*Node{n}
	return b.below(ctx, object.(*servicecatalogv1beta1.ServiceInstance), above)
}

// below puts the node of an instance below broker, class and plan, as far as they exist and may be read.
func (b *builder) below(ctx context.Context, instance *servicecatalogv1beta1.ServiceInstance, n *Node) ([]*Node, error) {
	planKind, classKind, brokerKind := kinds.ClusterServicePlan, kinds.ClusterServiceClass, kinds.ClusterServiceBroker
	if instance.Spec.ServicePlanRef != nil {
		planKind, classKind, brokerKind = kinds.ServicePlan, kinds.ServiceClass, kinds.ServiceBroker
	}
	name := planOf(instance)
	object, err := b.getKnown(ctx, planKind, name.Namespace, name.Name)
	if object == nil || err != nil {
		return []*Node{n}, err
	}
	plan := object.(servicecatalogv1beta1.Plan)
	branch := []*Node{planNode(plan)}
	if object, err = b.getKnown(ctx, classKind, name.Namespace, plan.ClassName()); err != nil {
		return nil, err
	} else if object != nil {
		branch = append([]*Node{classNode(object.(servicecatalogv1beta1.Class))}, branch...)
	}
	if object, err = b.getKnown(ctx, brokerKind, name.Namespace, plan.BrokerName()); err != nil {
		return nil, err
	} else if object != nil {
		branch = append([]*Node{newNode(object)}, branch...)
	}
	for i, above := range branch {
		if i+1 < len(branch) {
			above.joined, above.Children = true, []*Node{branch[i+1]}
		} else {
			above.Children = []*Node{n}
		}
	}
	return branch[:1], nil
}

// getKnown reads an object; nil: it does not exist, or may not be read.
func (b *builder) getKnown(ctx context.Context, k *kinds.Kind, namespace, name string) (cli.Object, error) {
	if name == "" {
		return nil, nil
	}
	object, err := k.Get(ctx, b.clients, namespace, name)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, b.unreadable.Skip(err, k.Resource)
	}
	return object, nil
}
