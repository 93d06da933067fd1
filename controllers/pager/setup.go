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
	"errors"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	clienteventsv1 "k8s.io/client-go/kubernetes/typed/events/v1"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/apiserver"
	"github.com/gophernetes/bellhop/internal/consistency"
	"github.com/gophernetes/bellhop/internal/enqueue"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/providers"
	"github.com/gophernetes/bellhop/internal/receivers"
)

// receiverWorkers is the number of concurrent reconciles of receivers of a kind.
const receiverWorkers = 4

// Options of the controllers of the group.
type Options struct {
	// Workers is the number of concurrent reconciles of Alerts.
	Workers int
	// OperatorNamespace has the Secrets of ClusterReceivers.
	OperatorNamespace string
	// Instance is the name of this process in Events.
	Instance string
	// Guard refuses addresses.
	Guard *outbound.Guard
	// Recorder emits events about Alerts.
	Recorder events.EventRecorder
	// Metrics registers metrics.
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
	clients, err := clienteventsv1.NewForConfigAndClient(mgr.GetConfig(), mgr.GetHTTPClient())
	if err != nil {
		return err
	}
	s := newSenders(mgr.GetAPIReader(), providers.Factory{Guard: o.Guard, Events: &eventCreator{events: clients, instance: o.Instance}})
	book := receivers.Resolver{Cache: mgr.GetCache(), OperatorNamespace: o.OperatorNamespace}
	barrier := newCacheBarrier(mgr.GetCache(), mgr.GetAPIReader())
	h := &health{}
	alerts := &AlertReconciler{
		client:   mgr.GetClient(),
		live:     mgr.GetAPIReader(),
		barrier:  barrier,
		fresh:    barrier.Of(v1beta1.GroupVersion.WithKind("Alert"), &v1beta1.Alert{}),
		book:     book,
		senders:  s,
		recorder: o.Recorder,
		metrics:  m,
		clock:    clock.RealClock{},
		ledger:   newLedger(),
		health:   h,

		attention: attention,
	}
	s.limiters.OnRecovery = func(key senderKey) { alerts.wakeWaiting(ctx, key) }
	if err := errors.Join(setupAlerts(mgr, alerts, o), mgr.Add(barrier), mgr.Add(manager.RunnableFunc(alerts.drain))); err != nil {
		return err
	}
	byKind := map[v1beta1.ReceiverKind]*ReceiverReconciler{}
	h.changed = func(key senderKey) {
		byKind[key.ref.Kind].wake.Add(types.NamespacedName{Namespace: key.namespace, Name: key.ref.Name})
	}
	for _, kind := range []v1beta1.ReceiverKind{v1beta1.KindReceiver, v1beta1.KindClusterReceiver} {
		byKind[kind] = &ReceiverReconciler{
			client: mgr.GetClient(), kind: kind, book: book, senders: s, health: h,
			asked: make(chan struct{}, maxAsked), clock: clock.RealClock{},
		}
		if err := setupReceivers(mgr, byKind[kind]); err != nil {
			return err
		}
	}
	return nil
}

// newCacheBarrier returns the barrier for receivers, as a resolve is not sent to one that the cache does not show, and for namespaces,
// whose labels select the ClusterReceivers that they may use.
func newCacheBarrier(cache, live client.Reader) *consistency.CacheBarrier {
	barrier := &consistency.CacheBarrier{Cache: cache, Live: live}
	barrier.Of(v1beta1.GroupVersion.WithKind(string(v1beta1.KindReceiver)), &v1beta1.Receiver{})
	barrier.Of(v1beta1.GroupVersion.WithKind(string(v1beta1.KindClusterReceiver)), &v1beta1.ClusterReceiver{})
	barrier.Of(corev1.SchemeGroupVersion.WithKind("Namespace"), apiserver.Metadata("Namespace"))
	return barrier
}

func setupAlerts(mgr ctrl.Manager, r *AlertReconciler, o Options) error {
	list := waitingList{r.book}
	// The changes of a receiver that matter to waiting Alerts; those of its status do not.
	edited := builder.WithPredicates(predicate.Or(enqueue.SpecChanged, predicate.AnnotationChangedPredicate{}))
	return ctrl.NewControllerManagedBy(mgr).
		Named("alert").
		For(&v1beta1.Alert{}).
		Watches(&v1beta1.Receiver{}, handler.EnqueueRequestsFromMapFunc(list.waitingFor), edited).
		Watches(&v1beta1.ClusterReceiver{}, handler.EnqueueRequestsFromMapFunc(list.waitingFor), edited).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(list.waitingForSecret)).
		WatchesMetadata(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(list.waitingInNamespace), builder.WithPredicates(predicate.LabelChangedPredicate{})).
		WatchesRawSource(source.TypedFunc[reconcile.Request](r.wake.Start)).
		WithOptions(enqueue.ControllerOptions(o.Workers)).
		Complete(r)
}

func setupReceivers(mgr ctrl.Manager, r *ReceiverReconciler) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named(strings.ToLower(string(r.kind))).
		For(receivers.NewOf(r.kind)). // also changes of the status: a former leader's write may come late
		Watches(&v1beta1.Alert{}, r.countLater()).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.withSecret)).
		WatchesRawSource(source.TypedFunc[reconcile.Request](r.wake.Start)).
		WithOptions(enqueue.ControllerOptions(receiverWorkers)).
		Complete(r)
}

// wakeWaiting reconciles the Alerts that wait for a receiver that has recovered.
func (r *AlertReconciler) wakeWaiting(ctx context.Context, key senderKey) {
	r.senders.recovered.set(key, r.clock.Now())
	var alerts v1beta1.AlertList
	err := r.book.Cache.List(ctx, &alerts, client.InNamespace(key.namespace), client.MatchingFields{waitingIndex: waitingKey(key.ref)}, client.UnsafeDisableDeepCopy)
	if err != nil {
		return // only while the cache stops
	}
	for i := range alerts.Items {
		r.wake.Add(nameOf(&alerts.Items[i])) // whatever the status says: the last attempt may not be recorded yet
	}
}

// waitingList finds the Alerts that a change of another object may unblock.
type waitingList struct{ receivers.Resolver }

// waitingFor returns the Alerts that a change of a receiver may unblock.
func (b waitingList) waitingFor(ctx context.Context, receiver client.Object) []reconcile.Request {
	ref := v1beta1.ReceiverRef{Kind: receivers.KindOf(receiver), Name: receiver.GetName()}
	requests := b.waiting(ctx, receiver.GetNamespace(), waitingKey(ref))
	if receivers.IsDefault(receiver) {
		requests = append(requests, b.waiting(ctx, receiver.GetNamespace(), defaultReceiver)...)
	}
	return requests
}

// waitingForSecret returns the Alerts that a change of a Secret may unblock.
func (b waitingList) waitingForSecret(ctx context.Context, secret client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, receiver := range b.WithSecret(ctx, secret) {
		requests = append(requests, b.waitingFor(ctx, receiver)...)
	}
	return requests
}

// waitingInNamespace returns the Alerts that a change of a namespace's labels may unblock.
func (b waitingList) waitingInNamespace(ctx context.Context, namespace client.Object) []reconcile.Request {
	return b.waiting(ctx, namespace.GetName(), anyReceiver)
}

func (b waitingList) waiting(ctx context.Context, namespace, key string) []reconcile.Request {
	var alerts v1beta1.AlertList
	if err := b.Cache.List(ctx, &alerts, client.InNamespace(namespace), client.MatchingFields{waitingIndex: key}, client.UnsafeDisableDeepCopy); err != nil {
		return nil // only while the cache stops
	}
	requests := make([]reconcile.Request, len(alerts.Items))
	for i := range alerts.Items {
		requests[i].NamespacedName = client.ObjectKeyFromObject(&alerts.Items[i])
	}
	return requests
}
