// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"
	"slices"

	corev1 "k8s.io/api/core/v1"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/credentials"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/kube/enqueue"
	"github.com/gophernetes/bellhop/internal/kube/guard"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingrules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Setup registers the controller of ServiceBindings.
func Setup(mgr ctrl.Manager, config *engine.Config, workers int) error {
	r := newReconciler(mgr.GetClient(), mgr.GetCache(), mgr.GetAPIReader(), config)
	return ctrl.NewControllerManagedBy(mgr).
		Named("servicebinding").
		For(&v1beta1.ServiceBinding{}).
		// A deletion may unblock another object with the same id.
		Watches(&v1beta1.ServiceBinding{}, handler.EnqueueRequestsFromMapFunc(r.dependents.withSameID), builder.WithPredicates(engine.OwnershipChanged)).
		Watches(&v1beta1.ServiceInstance{}, handler.EnqueueRequestsFromMapFunc(r.dependents.toInstance), builder.WithPredicates(instanceChanged)).
		Watches(&v1beta1.ClusterServiceClass{}, handler.EnqueueRequestsFromMapFunc(r.dependents.ofClass), engine.SpecChanged).
		Watches(&v1beta1.ServiceClass{}, handler.EnqueueRequestsFromMapFunc(r.dependents.ofClass), engine.SpecChanged).
		Watches(&v1beta1.ClusterServicePlan{}, handler.EnqueueRequestsFromMapFunc(r.dependents.ofPlan), engine.PlanChanged).
		Watches(&v1beta1.ServicePlan{}, handler.EnqueueRequestsFromMapFunc(r.dependents.ofPlan), engine.PlanChanged).
		Watches(&v1beta1.ClusterServiceBroker{}, handler.EnqueueRequestsFromMapFunc(r.dependents.atBroker), engine.BrokerChanged).
		Watches(&v1beta1.ServiceBroker{}, handler.EnqueueRequestsFromMapFunc(r.dependents.atBroker), engine.BrokerChanged).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.dependents.ofSecret)).
		WatchesRawSource(source.TypedFunc[reconcile.Request](r.Wake.Start)).
		WithOptions(enqueue.ControllerOptions(workers)).
		Complete(guard.Reconciler(r, guard.InStatus(mgr.GetClient(), func() client.Object { return &v1beta1.ServiceBinding{} }, rules.ShowFailure)))
}

func newReconciler(c client.Client, cache, live client.Reader, config *engine.Config) *Reconciler {
	r := &Reconciler{
		dependents: dependents{config.Index},
		instances:  config.Freshness("ServiceInstance", &v1beta1.ServiceInstance{}),
		secrets:    &credentials.Store{Cache: cache, Live: live, Writer: c, Recorder: config.Recorder},
	}
	r.Reconciler = engine.NewReconciler(config, engine.Kind{
		Name: "ServiceBinding", New: func() v1beta1.ServiceObject { return &v1beta1.ServiceBinding{} },
		IsCreated: func(s v1beta1.ServiceObjectStatus) bool {
			return bindingphase.IsBound(s.(*v1beta1.ServiceBindingStatus))
		},
		RemovalFailed: v1beta1.ReasonErrorEjectingServiceBinding, UnsettledAt: r.dependents.atBroker, Reconcile: r.reconcile,
		QuietWhileReady: true, // Ready says that the credentials can be used
	}, c, live)
	return r
}

// instanceChanged passes the changes of an instance that matter to its bindings.
var instanceChanged = predicate.Funcs{
	UpdateFunc: func(e event.UpdateEvent) bool {
		before, after := e.ObjectOld.(*v1beta1.ServiceInstance), e.ObjectNew.(*v1beta1.ServiceInstance)
		was, is := &before.Status, &after.Status
		return enqueue.IsReplaced(e) || was.ProvisionStatus != is.ProvisionStatus || was.Unusable != is.Unusable || was.AsyncOpInProgress != is.AsyncOpInProgress ||
			(was.ExternalProperties == nil) != (is.ExternalProperties == nil) || rules.Fingerprint(rules.NonNil(was.ExternalProperties)) != rules.Fingerprint(rules.NonNil(is.ExternalProperties)) || was.CurrentOperation != is.CurrentOperation ||
			before.DeletionTimestamp.IsZero() != after.DeletionTimestamp.IsZero() || before.Generation != after.Generation || bindingrules.IsInstanceStalled(before) != bindingrules.IsInstanceStalled(after)
	},
}

// dependents finds the bindings that a change of another object may unblock. Its reads fail only while the cache stops.
type dependents struct{ index.Index }

func (d dependents) withSameID(ctx context.Context, o client.Object) []reconcile.Request {
	b := o.(*v1beta1.ServiceBinding)
	var bindings []*v1beta1.ServiceBinding
	for _, id := range rules.Distinct(catalog.ExternalIDs(b)...) {
		some, _ := d.BindingsWithID(ctx, id)
		bindings = append(bindings, some...)
	}
	return d.unsettled(ctx, slices.DeleteFunc(bindings, func(other *v1beta1.ServiceBinding) bool { return other.UID == b.UID }))
}

func (d dependents) toInstance(ctx context.Context, o client.Object) []reconcile.Request {
	bindings, _ := d.Bindings(ctx, client.ObjectKeyFromObject(o))
	return d.unsettled(ctx, bindings)
}

func (d dependents) toInstances(ctx context.Context, instances []*v1beta1.ServiceInstance) (requests []reconcile.Request) {
	for _, si := range instances {
		requests = append(requests, d.toInstance(ctx, si)...)
	}
	return requests
}

func (d dependents) ofClass(ctx context.Context, o client.Object) []reconcile.Request {
	instances, _ := d.InstancesOfClass(ctx, o.(v1beta1.Class))
	return d.toInstances(ctx, instances)
}

func (d dependents) ofPlan(ctx context.Context, o client.Object) []reconcile.Request {
	plan := o.(v1beta1.Plan)
	class, err := d.ClassNamed(ctx, catalog.ScopeOf(plan), plan.GetNamespace(), plan.ClassName())
	if err != nil {
		return nil
	}
	return d.ofClass(ctx, class) // an instance may have another plan than its spec says
}

func (d dependents) atBroker(ctx context.Context, o client.Object) []reconcile.Request {
	instances, _ := d.InstancesOfBroker(ctx, o.(v1beta1.Broker))
	bindings, _ := d.BindingsOfBroker(ctx, o.(v1beta1.Broker)) // their instances may be gone, or elsewhere
	return append(d.toInstances(ctx, instances), d.unsettled(ctx, bindings)...)
}

func (d dependents) ofSecret(ctx context.Context, o client.Object) (requests []reconcile.Request) {
	name := client.ObjectKeyFromObject(o)
	into, _ := d.BindingsInto(ctx, name)
	for _, b := range into { // also Ready ones; a binding that is being deleted reads its Secret anyway
		if b.DeletionTimestamp.IsZero() {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(b)})
		}
	}
	reading, _ := d.BindingsReading(ctx, name)
	requests = append(requests, d.unsettled(ctx, reading)...)
	brokers, _ := d.BrokersWith(ctx, name)
	for _, b := range brokers {
		requests = append(requests, d.atBroker(ctx, b)...)
	}
	return requests
}

// unsettled returns the bindings that have to be reconciled.
func (d dependents) unsettled(ctx context.Context, bindings []*v1beta1.ServiceBinding) (requests []reconcile.Request) {
	for _, b := range bindings {
		var instance v1beta1.ServiceInstance // blank if it does not exist
		_ = d.Cache.Get(ctx, client.ObjectKey{Namespace: b.Namespace, Name: b.Spec.InstanceRef.Name}, &instance, client.UnsafeDisableDeepCopy)
		if !bindingrules.IsSettled(b, &instance) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(b)})
		}
	}
	return requests
}
