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

package pager

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/receivers"
)

// Options are what the controllers of the group have to be told.
type Options struct {
	// Workers is how many Alerts are worked on at once.
	Workers int
	// OperatorNamespace is where the Secrets of ClusterReceivers are.
	OperatorNamespace string
	// Guard says which addresses may be talked to.
	Guard *outbound.Guard
	// Metrics is where metrics are registered.
	Metrics prometheus.Registerer
}

// Setup registers the controllers of the group.
func Setup(ctx context.Context, mgr ctrl.Manager, o Options) error {
	if err := mgr.GetFieldIndexer().IndexField(ctx, &v1beta1.Alert{}, waitingIndex, waitsFor); err != nil {
		return err
	}
	m, err := newMetrics(o.Metrics, mgr.GetCache())
	if err != nil {
		return err
	}
	book := receivers.Book{Cache: mgr.GetCache(), OperatorNamespace: o.OperatorNamespace}
	r := &AlertReconciler{
		client:   mgr.GetClient(),
		fresh:    kube.NewFreshness(mgr.GetAPIReader(), v1beta1.GroupVersion.WithKind("Alert")),
		book:     book,
		senders:  newSenders(mgr.GetAPIReader(), o.Guard),
		recorder: mgr.GetEventRecorder("bellhop"),
		metrics:  m,
		clock:    clock.RealClock{},
	}
	list := waitingList{book}
	// What a receiver's waiting Alerts care about; a status is not part of it.
	edited := builder.WithPredicates(predicate.Or(predicate.GenerationChangedPredicate{}, predicate.AnnotationChangedPredicate{}))
	return ctrl.NewControllerManagedBy(mgr).
		Named("alert").
		For(&v1beta1.Alert{}).
		Watches(&v1beta1.Receiver{}, handler.EnqueueRequestsFromMapFunc(list.waitingFor), edited).
		Watches(&v1beta1.ClusterReceiver{}, handler.EnqueueRequestsFromMapFunc(list.waitingFor), edited).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(list.waitingForSecret)).
		WatchesMetadata(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(list.waitingInNamespace), builder.WithPredicates(predicate.LabelChangedPredicate{})).
		WatchesRawSource(source.TypedFunc[reconcile.Request](r.wake.start)).
		WithOptions(controller.Options{
			MaxConcurrentReconciles: o.Workers,
			// Only the API server's failures come here; receivers have their own backoff.
			RateLimiter: workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](50*time.Millisecond, 30*time.Second),
		}).
		Complete(r)
}

// waitingList finds the Alerts that a change elsewhere may help.
type waitingList struct{ receivers.Book }

// waitingFor are the Alerts that a change of a receiver may help.
func (b waitingList) waitingFor(ctx context.Context, receiver client.Object) []reconcile.Request {
	ref := v1beta1.ReceiverRef{Kind: receivers.KindOf(receiver), Name: receiver.GetName()}
	requests := b.waiting(ctx, receiver.GetNamespace(), waitingKey(ref))
	if receivers.IsDefault(receiver) {
		requests = append(requests, b.waiting(ctx, receiver.GetNamespace(), defaultReceiver)...)
	}
	return requests
}

// waitingForSecret are the Alerts that a change of a Secret may help.
func (b waitingList) waitingForSecret(ctx context.Context, secret client.Object) []reconcile.Request {
	var requests []reconcile.Request
	var local v1beta1.ReceiverList
	bySecret := client.MatchingFields{receivers.SecretIndex: secret.GetName()}
	if err := b.Cache.List(ctx, &local, bySecret, client.InNamespace(secret.GetNamespace()), client.UnsafeDisableDeepCopy); err == nil {
		for i := range local.Items {
			requests = append(requests, b.waitingFor(ctx, &local.Items[i])...)
		}
	}
	if secret.GetNamespace() != b.OperatorNamespace {
		return requests
	}
	var shared v1beta1.ClusterReceiverList
	if err := b.Cache.List(ctx, &shared, bySecret, client.UnsafeDisableDeepCopy); err == nil {
		for i := range shared.Items {
			requests = append(requests, b.waitingFor(ctx, &shared.Items[i])...)
		}
	}
	return requests
}

// waitingInNamespace are the Alerts that a change of a namespace's labels may help.
func (b waitingList) waitingInNamespace(ctx context.Context, namespace client.Object) []reconcile.Request {
	return b.waiting(ctx, namespace.GetName(), anyReceiver)
}

func (b waitingList) waiting(ctx context.Context, namespace, key string) []reconcile.Request {
	var alerts v1beta1.AlertList
	if err := b.Cache.List(ctx, &alerts, client.InNamespace(namespace), client.MatchingFields{waitingIndex: key}, client.UnsafeDisableDeepCopy); err != nil {
		return nil // only when the cache is being stopped
	}
	requests := make([]reconcile.Request, len(alerts.Items))
	for i := range alerts.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&alerts.Items[i])
	}
	return requests
}
