// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package index looks up objects in the manager's cache, for webhooks and controllers: classes and plans by reference, and the
// objects that refer to others. Returned objects belong to the cache, and must not be modified.
package index

import (
	"context"
	"errors"
	"maps"
	"slices"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/sets"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// Names of indexes of the cache. An index costs a few hundred bytes an object. Objects that a few lookups by other indexes find have no index of
// their own.
const (
	byClass        = "class"        // instances: the class that the references name, or that spec names until there are references; plans: the class
	byPlan         = "plan"         // instances
	byBroker       = "broker"       // classes and plans; instances and bindings: the broker in the status
	byExternalName = "externalName" // classes
	byExternalID   = "externalID"   // classes; instances and bindings: the ids in spec and status
	byInstance     = "instance"     // bindings
	bySecret       = "secret"       // bindings: where credentials go, unless that has their name
	bySource       = "source"       // brokers, instances and bindings: Secrets that are read
)

// AddIndexes adds the indexes that an Index needs.
func AddIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	var errs []error
	add := func(name string, values client.IndexerFunc, objects ...client.Object) {
		for _, obj := range objects {
			errs = append(errs, indexer.IndexField(ctx, obj, name, values))
		}
	}
	add(bySource, brokerSources, &v1beta1.ClusterServiceBroker{}, &v1beta1.ServiceBroker{})
	add(byBroker, of(v1beta1.Class.BrokerName), &v1beta1.ClusterServiceClass{}, &v1beta1.ServiceClass{})
	add(byExternalName, of(classExternalName), &v1beta1.ClusterServiceClass{}, &v1beta1.ServiceClass{})
	add(byExternalID, of(classExternalID), &v1beta1.ClusterServiceClass{}, &v1beta1.ServiceClass{})
	add(byBroker, of(v1beta1.Plan.BrokerName), &v1beta1.ClusterServicePlan{}, &v1beta1.ServicePlan{})
	add(byClass, of(v1beta1.Plan.ClassName), &v1beta1.ClusterServicePlan{}, &v1beta1.ServicePlan{})
	add(byClass, of(instanceClass), &v1beta1.ServiceInstance{})
	add(byPlan, of(instancePlan), &v1beta1.ServiceInstance{})
	add(byBroker, of(instanceBroker), &v1beta1.ServiceInstance{})
	add(byExternalID, externalIDs, &v1beta1.ServiceInstance{})
	add(bySource, instanceSources, &v1beta1.ServiceInstance{})
	add(byInstance, of(bindingInstance), &v1beta1.ServiceBinding{})
	add(byBroker, bindingBrokers, &v1beta1.ServiceBinding{})
	add(byExternalID, externalIDs, &v1beta1.ServiceBinding{})
	add(bySecret, of(secretOfOtherName), &v1beta1.ServiceBinding{})
	add(bySource, bindingSources, &v1beta1.ServiceBinding{})
	return errors.Join(errs...)
}

// of indexes objects by one value; objects with an empty value are not indexed.
func of[T any](value func(T) string) client.IndexerFunc {
	return func(obj client.Object) []string { return set(value(obj.(T))) }
}

// Index looks up objects.
type Index struct {
	// Cache has the indexes of AddIndexes.
	Cache client.Reader
}

// named lists objects by an index; in one namespace, or in all for an empty one.
func named(namespace, index, value string) []client.ListOption {
	return []client.ListOption{client.InNamespace(namespace), client.MatchingFields{index: value}}
}

// list lists objects, as pointers of type I.
func list[T any, I any](ctx context.Context, cache client.Reader, into client.ObjectList, items *[]T, as func(*T) I, options ...client.ListOption) ([]I, error) {
	if err := cache.List(ctx, into, append(options, client.UnsafeDisableDeepCopy)...); err != nil {
		return nil, err
	}
	found := make([]I, len(*items))
	for i := range *items {
		found[i] = as(&(*items)[i])
	}
	return found, nil
}

func (ix Index) instances(ctx context.Context, options ...client.ListOption) ([]*v1beta1.ServiceInstance, error) {
	var l v1beta1.ServiceInstanceList
	return list(ctx, ix.Cache, &l, &l.Items, func(i *v1beta1.ServiceInstance) *v1beta1.ServiceInstance { return i }, options...)
}

func (ix Index) bindings(ctx context.Context, options ...client.ListOption) ([]*v1beta1.ServiceBinding, error) {
	var l v1beta1.ServiceBindingList
	return list(ctx, ix.Cache, &l, &l.Items, func(b *v1beta1.ServiceBinding) *v1beta1.ServiceBinding { return b }, options...)
}

func (ix Index) brokers(ctx context.Context, scope catalog.Scope, options ...client.ListOption) ([]v1beta1.Broker, error) {
	if scope == catalog.Cluster {
		var l v1beta1.ClusterServiceBrokerList
		return list(ctx, ix.Cache, &l, &l.Items, func(b *v1beta1.ClusterServiceBroker) v1beta1.Broker { return b }, options...)
	}
	var l v1beta1.ServiceBrokerList
	return list(ctx, ix.Cache, &l, &l.Items, func(b *v1beta1.ServiceBroker) v1beta1.Broker { return b }, options...)
}

func (ix Index) classes(ctx context.Context, scope catalog.Scope, options ...client.ListOption) ([]v1beta1.Class, error) {
	if scope == catalog.Cluster {
		var l v1beta1.ClusterServiceClassList
		return list(ctx, ix.Cache, &l, &l.Items, func(c *v1beta1.ClusterServiceClass) v1beta1.Class { return c }, options...)
	}
	var l v1beta1.ServiceClassList
	return list(ctx, ix.Cache, &l, &l.Items, func(c *v1beta1.ServiceClass) v1beta1.Class { return c }, options...)
}

func (ix Index) plans(ctx context.Context, scope catalog.Scope, options ...client.ListOption) ([]v1beta1.Plan, error) {
	if scope == catalog.Cluster {
		var l v1beta1.ClusterServicePlanList
		return list(ctx, ix.Cache, &l, &l.Items, func(p *v1beta1.ClusterServicePlan) v1beta1.Plan { return p }, options...)
	}
	var l v1beta1.ServicePlanList
	return list(ctx, ix.Cache, &l, &l.Items, func(p *v1beta1.ServicePlan) v1beta1.Plan { return p }, options...)
}

// Brokers returns the brokers of a scope; namespaced ones of one namespace.
func (ix Index) Brokers(ctx context.Context, scope catalog.Scope, namespace string) ([]v1beta1.Broker, error) {
	return ix.brokers(ctx, scope, client.InNamespace(namespaceOf(scope, namespace)))
}

// BrokersWith returns the brokers that use a Secret.
func (ix Index) BrokersWith(ctx context.Context, secret types.NamespacedName) ([]v1beta1.Broker, error) {
	shared, err := ix.brokers(ctx, catalog.Cluster, named("", bySource, secret.String())...)
	if err != nil {
		return nil, err
	}
	own, err := ix.brokers(ctx, catalog.Namespaced, named(secret.Namespace, bySource, secret.String())...)
	return append(shared, own...), err
}

// Classes returns the classes of a broker.
func (ix Index) Classes(ctx context.Context, broker v1beta1.Broker) ([]v1beta1.Class, error) {
	return ix.classes(ctx, catalog.ScopeOf(broker), named(broker.GetNamespace(), byBroker, broker.GetName())...)
}

// Plans returns the plans of a broker.
func (ix Index) Plans(ctx context.Context, broker v1beta1.Broker) ([]v1beta1.Plan, error) {
	return ix.plans(ctx, catalog.ScopeOf(broker), named(broker.GetNamespace(), byBroker, broker.GetName())...)
}

// PlansOf returns the plans of a class.
func (ix Index) PlansOf(ctx context.Context, class v1beta1.Class) ([]v1beta1.Plan, error) {
	return ix.plans(ctx, catalog.ScopeOf(class), named(class.GetNamespace(), byClass, class.GetName())...)
}

// InstancesWithID returns the instances, in all namespaces, with an external id in spec or status.
func (ix Index) InstancesWithID(ctx context.Context, id string) ([]*v1beta1.ServiceInstance, error) {
	return ix.instances(ctx, named("", byExternalID, id)...)
}

// InstancesOfClass returns the instances whose references name a class.
func (ix Index) InstancesOfClass(ctx context.Context, class v1beta1.Class) ([]*v1beta1.ServiceInstance, error) {
	return ix.instances(ctx, ofClass(class)...)
}

// InstancesOfPlan returns the instances whose references name a plan.
func (ix Index) InstancesOfPlan(ctx context.Context, plan v1beta1.Plan) ([]*v1beta1.ServiceInstance, error) {
	return ix.instances(ctx, ofPlan(plan)...)
}

// ClassInUse reports whether the references of an instance name a class.
func (ix Index) ClassInUse(ctx context.Context, class v1beta1.Class) (bool, error) {
	found, err := ix.instances(ctx, append(ofClass(class), client.Limit(1))...)
	return len(found) > 0, err
}

// PlanInUse reports whether the references of an instance name a plan, or an instance has the plan at its broker, or was requested
// with it, and may return to it.
func (ix Index) PlanInUse(ctx context.Context, plan v1beta1.Plan) (bool, error) {
	found, err := ix.instances(ctx, append(ofPlan(plan), client.Limit(1))...)
	if err != nil || len(found) > 0 {
		return len(found) > 0, err
	}
	found, err = ix.instances(ctx, named(plan.GetNamespace(), byClass, objectKey(catalog.ScopeOf(plan), plan.ClassName()))...)
	return slices.ContainsFunc(found, func(i *v1beta1.ServiceInstance) bool {
		return isWith(i.Status.ExternalProperties, plan) || isWith(i.Status.InProgressProperties, plan)
	}), err
}

func isWith(props *v1beta1.ServiceInstancePropertiesState, plan v1beta1.Plan) bool {
	return props != nil && (props.ClusterServicePlanExternalID == plan.Common().ExternalID || props.ServicePlanExternalID == plan.Common().ExternalID)
}

func ofClass(class v1beta1.Class) []client.ListOption {
	return named(class.GetNamespace(), byClass, objectKey(catalog.ScopeOf(class), class.GetName()))
}

func ofPlan(plan v1beta1.Plan) []client.ListOption {
	return named(plan.GetNamespace(), byPlan, objectKey(catalog.ScopeOf(plan), plan.GetName()))
}

// InstancesOfBroker returns the instances that are, or may be, at a broker according to their status, and the instances of its classes.
func (ix Index) InstancesOfBroker(ctx context.Context, broker v1beta1.Broker) ([]*v1beta1.ServiceInstance, error) {
	unsent, err := ix.instancesNotSent(ctx, broker)
	if err != nil {
		return nil, err
	}
	// After the others: an instance that is sent meanwhile is found twice rather than missed.
	sent, err := ix.instances(ctx, atBroker(broker)...)
	found := sets.KeySet(unsent)
	sent = slices.DeleteFunc(sent, func(i *v1beta1.ServiceInstance) bool { return found.Has(client.ObjectKeyFromObject(i)) })
	return slices.AppendSeq(sent, maps.Values(unsent)), err
}

// instancesNotSent returns the instances of a broker's classes whose status has no broker yet.
func (ix Index) instancesNotSent(ctx context.Context, broker v1beta1.Broker) (map[client.ObjectKey]*v1beta1.ServiceInstance, error) {
	classes, err := ix.Classes(ctx, broker)
	if err != nil {
		return nil, err
	}
	found := map[client.ObjectKey]*v1beta1.ServiceInstance{}
	for _, class := range classes {
		instances, err := ix.InstancesOfClass(ctx, class)
		if err != nil {
			return nil, err
		}
		for _, instance := range instances {
			if instance.Status.Broker == nil {
				found[client.ObjectKeyFromObject(instance)] = instance
			}
		}
	}
	return found, nil
}

// BindingsOfBroker returns the bindings that are, or may be, at a broker according to their status, or have left something behind there.
func (ix Index) BindingsOfBroker(ctx context.Context, broker v1beta1.Broker) ([]*v1beta1.ServiceBinding, error) {
	return ix.bindings(ctx, atBroker(broker)...)
}

func atBroker(broker v1beta1.Broker) []client.ListOption {
	return named(broker.GetNamespace(), byBroker, objectKey(catalog.ScopeOf(broker), broker.GetName()))
}

// InstancesWaitingFor returns the instances without references that name a class.
func (ix Index) InstancesWaitingFor(ctx context.Context, class v1beta1.Class) ([]*v1beta1.ServiceInstance, error) {
	var found []*v1beta1.ServiceInstance
	for _, ref := range catalog.ReferencesTo(class) {
		more, err := ix.instances(ctx, named(class.GetNamespace(), byClass, referenceKey(ref))...)
		if err != nil {
			return nil, err
		}
		found = append(found, more...)
	}
	return found, nil
}

// InstancesWaitingForBroker returns the instances that were sent to no broker yet, and may be sent to this one: their class does not exist, or
// is ambiguous, or is one of the broker's.
func (ix Index) InstancesWaitingForBroker(ctx context.Context, broker v1beta1.Broker) ([]*v1beta1.ServiceInstance, error) {
	scope := catalog.ScopeOf(broker)
	instances, err := ix.instances(ctx, client.InNamespace(broker.GetNamespace()))
	var found []*v1beta1.ServiceInstance
	for _, instance := range instances {
		ref, errs := catalog.ReferenceOf(instance.Spec.PlanReference)
		if instance.Status.Broker != nil || !instance.DeletionTimestamp.IsZero() || len(errs) > 0 || ref.Scope != scope {
			continue
		}
		class, err := ix.ClassOf(ctx, instance)
		if err == nil && class == nil {
			class, err = ix.Class(ctx, instance.Namespace, ref)
		}
		switch {
		case IsNotFound(err), IsAmbiguous(err), err == nil && class.BrokerName() == broker.GetName():
			found = append(found, instance)
		case err != nil:
			return nil, err
		}
	}
	return found, err
}

// InstancesReading returns the instances with parameters from a Secret.
func (ix Index) InstancesReading(ctx context.Context, secret types.NamespacedName) ([]*v1beta1.ServiceInstance, error) {
	return ix.instances(ctx, named(secret.Namespace, bySource, secret.Name)...)
}

// Bindings returns the bindings of an instance.
func (ix Index) Bindings(ctx context.Context, instance types.NamespacedName) ([]*v1beta1.ServiceBinding, error) {
	return ix.bindings(ctx, named(instance.Namespace, byInstance, instance.Name)...)
}

// BindingsWithID returns the bindings, in all namespaces, with an external id in spec or status, also as the id of a predecessor.
func (ix Index) BindingsWithID(ctx context.Context, id string) ([]*v1beta1.ServiceBinding, error) {
	return ix.bindings(ctx, named("", byExternalID, id)...)
}

// BindingsInto returns the bindings whose credentials are in a Secret.
func (ix Index) BindingsInto(ctx context.Context, secret types.NamespacedName) ([]*v1beta1.ServiceBinding, error) {
	into, err := ix.bindings(ctx, named(secret.Namespace, bySecret, secret.Name)...)
	if err != nil {
		return nil, err
	}
	other := &v1beta1.ServiceBinding{}
	err = ix.Cache.Get(ctx, secret, other, client.UnsafeDisableDeepCopy)
	if err == nil && catalog.SecretName(other) == secret.Name {
		into = append(into, other)
	}
	return into, client.IgnoreNotFound(err)
}

// BindingsReading returns the bindings with parameters or keys from a Secret.
func (ix Index) BindingsReading(ctx context.Context, secret types.NamespacedName) ([]*v1beta1.ServiceBinding, error) {
	return ix.bindings(ctx, named(secret.Namespace, bySource, secret.Name)...)
}

// namespaceOf returns the namespace of objects of a scope, which is empty for the cluster's.
func namespaceOf(scope catalog.Scope, namespace string) string {
	if scope == catalog.Cluster {
		return ""
	}
	return namespace
}
