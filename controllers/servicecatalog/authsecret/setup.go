// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package authsecret

import (
	"context"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/kube/enqueue"
	"github.com/gophernetes/bellhop/internal/kube/guard"
)

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Setup registers the controller of the Secrets of brokers.
func Setup(mgr ctrl.Manager, r *Reconciler) error {
	named := func(q queue, objects ...client.Object) {
		for _, o := range objects {
			for _, secret := range v1beta1.AuthSecrets(o.(v1beta1.Broker)) {
				q.Add(reconcile.Request{NamespacedName: secret})
			}
		}
	}
	brokers := handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { named(q, e.Object) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) { named(q, e.ObjectOld, e.ObjectNew) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { named(q, e.Object) },
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("brokersecret").
		WatchesMetadata(&corev1.Secret{}, handler.Funcs{
			CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { r.seen(q, e.Object) },
			UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
				if enqueue.IsReplaced(e) {
					r.forget(e.ObjectOld.GetUID())
				}
				r.seen(q, e.ObjectNew)
			},
			DeleteFunc: func(_ context.Context, e event.DeleteEvent, _ queue) { r.forget(e.Object.GetUID()) },
		}).
		Watches(&v1beta1.ClusterServiceBroker{}, brokers, engine.SpecChanged).
		Watches(&v1beta1.ServiceBroker{}, brokers, engine.SpecChanged).
		WatchesRawSource(source.TypedFunc[reconcile.Request](r.wake.Start)).
		WithOptions(enqueue.ControllerOptions(1)).
		Complete(guard.Reconciler(r, nil)) // the status of a broker names the missing keys of its Secret
}

// seen reconciles Secrets with the finalizer; events of brokers cover the others.
func (r *Reconciler) seen(q queue, secret client.Object) {
	for _, finalizer := range secret.GetFinalizers() {
		if finalizer == v1beta1.AuthSecretFinalizer {
			q.Add(reconcile.Request{NamespacedName: client.ObjectKeyFromObject(secret)})
		}
	}
}
