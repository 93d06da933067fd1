// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instance

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
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/kube/enqueue"
	"github.com/gophernetes/bellhop/internal/kube/guard"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/internal/servicecatalog/instancerules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Setup registers the controller of ServiceInstances.
func Setup(mgr ctrl.Manager, config *engine.Config, workers int) error {
	r := newReconciler(mgr.GetClient(), mgr.GetAPIReader(), config)
	return ctrl.NewControllerManagedBy(mgr).
		Named("serviceinstance").
		For(&v1beta1.ServiceInstance{}).
		// A deletion may unblock another object with the same id, and an owner is named in the conditions of the others.
		Watches(&v1beta1.ServiceInstance{}, handler.EnqueueRequestsFromMapFunc(r.dependents.withSameID), builder.WithPredicates(engine.OwnershipChanged)).
		Watches(&v1beta1.ServiceBinding{}, handler.EnqueueRequestsFromMapFunc(r.dependents.boundTo), builder.WithPredicates(bindingRemoval)).
		Watches(&v1beta1.ClusterServiceClass{}, handler.EnqueueRequestsFromMapFunc(r.dependents.ofClass), engine.ResourceVersionChanged).
		Watches(&v1beta1.ServiceClass{}, handler.EnqueueRequestsFromMapFunc(r.dependents.ofClass), engine.ResourceVersionChanged).
		Watches(&v1beta1.ClusterServicePlan{}, handler.EnqueueRequestsFromMapFunc(r.dependents.ofPlan), engine.ResourceVersionChanged).
		Watches(&v1beta1.ServicePlan{}, handler.EnqueueRequestsFromMapFunc(r.dependents.ofPlan), engine.ResourceVersionChanged).
		Watches(&v1beta1.ClusterServiceBroker{}, handler.EnqueueRequestsFromMapFunc(r.dependents.atBroker), engine.BrokerChanged).
		Watches(&v1beta1.ServiceBroker{}, handler.EnqueueRequestsFromMapFunc(r.dependents.atBroker), engine.BrokerChanged).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.dependents.readingSecret)).
		WatchesRawSource(source.TypedFunc[reconcile.Request](r.Wake.Start)).
		WithOptions(enqueue.ControllerOptions(workers)).
		Complete(guard.Reconciler(r, guard.InStatus(mgr.GetClient(), func() client.Object { return &v1beta1.ServiceInstance{} }, rules.ShowFailure)))
}

func newReconciler(c client.Client, live client.Reader, config *engine.Config) *Reconciler {
	r := &Reconciler{dependents: dependents{config.Index}}
	r.Reconciler = engine.NewReconciler(config, engine.Kind{
		Name: "ServiceInstance", New: func() v1beta1.ServiceObject { return &v1beta1.ServiceInstance{} },
		IsCreated: func(s v1beta1.ServiceObjectStatus) bool {
			return instancerules.IsProvisioned(s.(*v1beta1.ServiceInstanceStatus))
		},
		RemovalFailed: v1beta1.ReasonDeprovisionCallFailed, UnsettledAt: r.dependents.atBroker, Reconcile: r.reconcile,
	}, c, live)
	return r
}

// bindingRemoval passes the changes of a binding that matter to an instance that is being deleted.
var bindingRemoval = predicate.Funcs{
	CreateFunc: func(event.CreateEvent) bool { return false },
	UpdateFunc: func(e event.UpdateEvent) bool {
		return enqueue.IsReplaced(e) || isUnbinding(e.ObjectOld.(*v1beta1.ServiceBinding)) != isUnbinding(e.ObjectNew.(*v1beta1.ServiceBinding))
	},
	GenericFunc: func(event.GenericEvent) bool { return false },
}

// dependents finds the instances that a change of another object may unblock. Its reads fail only while the cache stops.
type dependents struct{ index.Index }

func (d dependents) withSameID(ctx context.Context, o client.Object) []reconcile.Request {
	si := o.(*v1beta1.ServiceInstance)
	var instances []*v1beta1.ServiceInstance
	for _, id := range rules.Distinct(catalog.ExternalIDs(si)...) {
		some, _ := d.InstancesWithID(ctx, id)
		instances = append(instances, some...)
	}
	return unsettled(slices.DeleteFunc(instances, func(other *v1beta1.ServiceInstance) bool { return other.UID == si.UID }))
}

// boundTo returns the instance of a binding, if it is being deleted.
func (d dependents) boundTo(ctx context.Context, o client.Object) []reconcile.Request {
	name, si := client.ObjectKey{Namespace: o.GetNamespace(), Name: o.(*v1beta1.ServiceBinding).Spec.InstanceRef.Name}, &v1beta1.ServiceInstance{}
	if err := d.Cache.Get(ctx, name, si, client.UnsafeDisableDeepCopy); err != nil || si.DeletionTimestamp.IsZero() {
		return nil
	}
	return []reconcile.Request{{NamespacedName: name}}
}

func (d dependents) ofClass(ctx context.Context, o client.Object) []reconcile.Request {
	waiting, _ := d.InstancesWaitingFor(ctx, o.(v1beta1.Class))
	instances, _ := d.InstancesOfClass(ctx, o.(v1beta1.Class))
	return unsettled(append(waiting, instances...))
}

func (d dependents) ofPlan(ctx context.Context, o client.Object) []reconcile.Request {
	plan := o.(v1beta1.Plan)
	instances, _ := d.InstancesOfPlan(ctx, plan)
	if class, err := d.ClassNamed(ctx, catalog.ScopeOf(plan), plan.GetNamespace(), plan.ClassName()); err == nil {
		waiting, _ := d.InstancesWaitingFor(ctx, class)
		same, _ := d.InstancesOfClass(ctx, class)
		instances = append(append(instances, waiting...), same...)
	}
	return unsettled(instances)
}

func (d dependents) atBroker(ctx context.Context, o client.Object) []reconcile.Request {
	instances, _ := d.InstancesOfBroker(ctx, o.(v1beta1.Broker))
	return unsettled(instances)
}

func (d dependents) readingSecret(ctx context.Context, o client.Object) []reconcile.Request {
	instances, _ := d.InstancesReading(ctx, client.ObjectKeyFromObject(o))
	var requests []reconcile.Request
	for _, si := range instances { // Ready ones are updated
		requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(si)})
	}
	brokers, _ := d.BrokersWith(ctx, client.ObjectKeyFromObject(o))
	for _, b := range brokers {
		requests = append(requests, d.atBroker(ctx, b)...)
	}
	return requests
}

// unsettled returns the instances that may have to be reconciled.
func unsettled(instances []*v1beta1.ServiceInstance) (requests []reconcile.Request) {
	for _, si := range instances {
		if !isSettled(si) {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(si)})
		}
	}
	return requests
}

// isSettled reports whether the broker has confirmed the state that the spec requests. With parameters in Secrets that is not known: they may have
// changed while no request could be sent.
func isSettled(si *v1beta1.ServiceInstance) bool {
	s := &si.Status
	isConfirmed := instancerules.PhaseOf(s) == instancerules.Provisioned && s.Attempts == nil && len(s.LeftBehind) == 0 && s.ReconciledGeneration == si.Generation
	return isConfirmed && len(si.Spec.ParametersFrom) == 0 && si.DeletionTimestamp.IsZero()
}
