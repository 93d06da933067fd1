// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"errors"

	corev1 "k8s.io/api/core/v1"
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
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/kube/consistency"
	"github.com/gophernetes/bellhop/internal/kube/enqueue"
	"github.com/gophernetes/bellhop/internal/kube/guard"
	"github.com/gophernetes/bellhop/internal/kube/leadership"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/receivers"
	"github.com/gophernetes/bellhop/internal/pager/receivers/endpoints"
)

// Options are the options of the controller of Alerts.
type Options struct {
	// Workers is the number of concurrent reconciles.
	Workers   int
	Resolver  receivers.Resolver
	Secrets   secrets.Metadata
	Endpoints *endpoints.Cache
	Health    *endpoints.Health
	Recorder  events.EventRecorder
	Metrics   Metrics
	// ServerTime returns the API server's time.
	ServerTime func() times.Server
	// Leadership is until when no other process leads.
	Leadership *leadership.Lease
}

// Setup registers the controller of Alerts.
func Setup(ctx context.Context, mgr ctrl.Manager, o Options) error {
	barrier := newCacheBarrier(mgr.GetCache(), mgr.GetAPIReader())
	r := &Reconciler{
		client:        mgr.GetClient(),
		live:          mgr.GetAPIReader(),
		barrier:       barrier,
		fresh:         barrier.Of(v1beta1.GroupVersion.WithKind("Alert"), &v1beta1.Alert{}),
		resolver:      o.Resolver,
		endpoints:     o.Endpoints,
		recorder:      o.Recorder,
		metrics:       o.Metrics,
		clock:         clock.RealClock{},
		serverTime:    o.ServerTime,
		leadership:    o.Leadership,
		pending:       newPending(),
		health:        o.Health,
		answerTimeout: answerTimeout,
	}
	r.reposts = r.newReposts()
	o.Endpoints.Limiters.OnRecovery = func(key endpoints.Key) { r.wakeWaiting(ctx, key) }
	lead := func(context.Context) error { r.lead(); return nil }
	return errors.Join(r.watch(mgr, o), mgr.Add(barrier), mgr.Add(r.reposts), mgr.Add(manager.RunnableFunc(lead)), mgr.Add(manager.RunnableFunc(r.drain)))
}

func (r *Reconciler) watch(mgr ctrl.Manager, o Options) error {
	list := receivers.Dependents{Resolver: r.resolver}
	// The changes of a receiver that matter to waiting Alerts; changes of its status do not.
	edited := builder.WithPredicates(predicate.Or(enqueue.SpecChanged, predicate.AnnotationChangedPredicate{}))
	return ctrl.NewControllerManagedBy(mgr).
		Named("alert").
		For(&v1beta1.Alert{}).
		Watches(&v1beta1.Receiver{}, handler.EnqueueRequestsFromMapFunc(list.OfReceiver), edited).
		Watches(&v1beta1.ClusterReceiver{}, handler.EnqueueRequestsFromMapFunc(list.OfReceiver), edited).
		WatchesRawSource(o.Secrets.Changes(list.OfSecret)).
		WatchesMetadata(&corev1.Namespace{}, handler.EnqueueRequestsFromMapFunc(list.OfNamespace), builder.WithPredicates(predicate.Or(predicate.LabelChangedPredicate{}, enqueue.DeletionBegan))).
		WatchesRawSource(source.TypedFunc[reconcile.Request](r.wake.Start)).
		WithOptions(enqueue.ControllerOptions(o.Workers)).
		Complete(guard.Reconciler(r, guard.InStatus(mgr.GetClient(), func() client.Object { return &v1beta1.Alert{} }, alertrules.ShowFailure)))
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

// wakeWaiting reconciles the Alerts that wait for a receiver that has recovered.
func (r *Reconciler) wakeWaiting(ctx context.Context, key endpoints.Key) {
	r.endpoints.Recoveries.Set(key, r.clock.Now())
	r.reposts.Recover(key)
	alerts, err := receivers.AlertsFor(ctx, r.resolver.Cache, key.Namespace, key.Ref)
	if err != nil {
		return // only while the cache stops
	}
	for i := range alerts {
		r.wake.Add(nameOf(&alerts[i])) // for any status: the last attempt may not be recorded yet
	}
}
