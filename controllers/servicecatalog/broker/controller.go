// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package broker reconciles ClusterServiceBrokers and ServiceBrokers with the same code: it reads their catalogs, and
// keeps the classes and plans that these offer.
package broker

import (
	"context"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/kube/consistency"
	"github.com/gophernetes/bellhop/internal/kube/enqueue"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokerrules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/catalogsync"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
)

// staleRetry is when a broker is reconciled again that the cache shows out of date: the update may cause no event.
const staleRetry = time.Second

// Reconciler keeps the classes and plans of the brokers of one scope in sync with their catalogs.
type Reconciler struct {
	catalogWriter

	cached        index.Index // does not wait for this process's own writes
	live          client.Reader
	barrier       *consistency.CacheBarrier
	fresh         *consistency.ObjectFreshness
	connections   *brokers.Clients
	protect       func(secret types.NamespacedName) // reconciles a Secret, which is kept as long as the broker needs it
	forgetMetrics func(brokers.Key)
	recorder      events.EventRecorder
	clock         clock.PassiveClock
	interval      time.Duration
	wake          enqueue.Enqueuer

	demands demands
}

// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=clusterservicebrokers;servicebrokers,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=clusterservicebrokers/status;servicebrokers/status,verbs=patch
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=clusterserviceclasses;serviceclasses;clusterserviceplans;serviceplans,verbs=get;list;watch;create;update;delete
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=clusterserviceclasses/status;serviceclasses/status;clusterserviceplans/status;serviceplans/status,verbs=patch
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=serviceinstances;servicebindings,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile observes a broker, decides, and reads its catalog or releases it.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if err := r.leadership.Err(); err != nil {
		return ctrl.Result{}, err
	}
	if err := r.barrier.WaitForSync(ctx); err != nil {
		return ctrl.Result{}, err
	}
	b := r.NewBroker()
	if err := r.fresh.Read(ctx, r.client, req.NamespacedName, b); err != nil {
		if apierrors.IsNotFound(err) {
			r.forget(brokers.Key{Namespace: req.Namespace, Name: req.Name})
		}
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if fresh, err := r.fresh.IsFresh(ctx, b); err != nil || !fresh {
		return patch.RequeueOnConflict(ctx, ctrl.Result{RequeueAfter: staleRetry}, err)
	}
	for _, secret := range v1beta1.AuthSecrets(b) {
		r.protect(secret)
	}
	result, err := r.reconcileBroker(ctx, b)
	return patch.RequeueOnConflict(ctx, result, err)
}

// reconcileBroker takes the step that is due for a broker.
func (r *Reconciler) reconcileBroker(ctx context.Context, b v1beta1.Broker) (ctrl.Result, error) {
	now := r.clock.Now()
	checkAt := r.demands.checkAt(brokers.KeyOf(b), now)
	isCheckDue := !checkAt.IsZero() && !checkAt.After(now)
	if !b.GetDeletionTimestamp().IsZero() {
		if isCheckDue {
			return r.checkAvailability(ctx, b)
		}
		return enqueue.Requeue(checkAt, now), r.finalize(ctx, b)
	}
	// A broker without status may have bypassed admission. A finalizer that is removed later releases the broker.
	if !controllerutil.ContainsFinalizer(b, v1beta1.Finalizer) {
		if status := b.CommonStatus(); len(status.Conditions) > 0 || status.ObservedGeneration > 0 {
			if isCheckDue {
				return r.checkAvailability(ctx, b)
			}
			r.leaveQueue(brokers.KeyOf(b))
			_, err := r.write(ctx, b, brokerrules.StatusAbandoned(b, r.clock.Now()))
			return enqueue.Requeue(checkAt, now), err
		}
		if err := patch.AddFinalizer(ctx, r.client, b, v1beta1.Finalizer); err != nil {
			engine.EmitFinalizerRefused(r.recorder, b, err)
			return ctrl.Result{}, err
		}
	}
	existing, facts, err := r.observe(ctx, b)
	if err != nil {
		return ctrl.Result{}, err
	}
	if connection, err := r.connections.For(ctx, b); err == nil { // otherwise the relist has the error
		r.connections.Limiters.Of(brokers.KeyOf(b), facts.Now).Reset(connection.EndpointVersion, facts.Now)
	}
	next := brokerrules.Decide(b, facts)
	if next.IsDue(facts.Now) {
		return r.relist(ctx, b, facts, next)
	}
	if b, err = r.recordFirstAddress(ctx, b); err != nil {
		return ctrl.Result{}, err
	}
	return r.finishWithoutRelist(ctx, b, existing, next)
}

// observe observes the classes, plans and Secrets of a broker.
func (r *Reconciler) observe(ctx context.Context, b v1beta1.Broker) (existing catalogsync.Existing, in brokerrules.Inputs, err error) {
	if existing, err = r.readExisting(ctx, b); err != nil {
		return existing, in, err
	}
	in = brokerrules.Inputs{Now: r.clock.Now(), Interval: r.interval, Digest: r.digest(existing)}
	credentials, isKnown, err := r.connections.CredentialsVersion(ctx, b)
	in.Credentials, in.CredentialsUnknown = credentials, !isKnown
	in.RelistRequested, in.Health = r.demands.of(brokers.KeyOf(b))
	in.CheckAt = r.demands.checkAt(brokers.KeyOf(b), in.Now)
	return existing, in, err
}

// digest returns the digest of the classes and plans that come from the catalog.
func (r *Reconciler) digest(existing catalogsync.Existing) string {
	var classes []v1beta1.Class
	for _, class := range existing.Classes {
		if r.IsOurs(class) {
			classes = append(classes, class)
		}
	}
	var plans []v1beta1.Plan
	for _, plan := range existing.Plans {
		if r.IsOurs(plan) {
			plans = append(plans, plan)
		}
	}
	return catalogsync.Digest(classes, plans)
}

// finishWithoutRelist deletes removed classes and plans without users, and waits.
func (r *Reconciler) finishWithoutRelist(ctx context.Context, b v1beta1.Broker, existing catalogsync.Existing, next brokerrules.Decision) (ctrl.Result, error) {
	result := enqueue.Requeue(next.RelistAt, r.clock.Now())
	// An empty catalog may be a temporary loss: removed classes and plans are kept, with labels and annotations that people have added.
	if b.CommonStatus().ServiceClasses == 0 {
		return result, nil
	}
	_, err := r.deleteUnused(ctx, existing)
	return result, err
}

// forget drops the state of a broker that was deleted.
func (r *Reconciler) forget(key brokers.Key) {
	r.demands.forget(key)
	r.leaveQueue(key)
	r.connections.Forget(key)
	r.forgetMetrics(key)
}

// present counts the objects that exist.
func present[T client.Object](list []T) (n int) {
	for _, o := range list {
		if o.GetUID() != "" {
			n++
		}
	}
	return n
}

// write writes a status, if it differs from the one on record, and emits an event about the change. It returns the broker as it is on
// record then.
func (r *Reconciler) write(ctx context.Context, b v1beta1.Broker, status v1beta1.ServiceBrokerStatus) (v1beta1.Broker, error) {
	if equality.Semantic.DeepEqual(status, *b.CommonStatus()) {
		return b, nil
	}
	after := b.DeepCopyObject().(v1beta1.Broker)
	if err := patch.Status(ctx, r.client, after, status); err != nil {
		return nil, err
	}
	emitEvents(r.recorder, b, status)
	logTransition(ctx, b, status)
	return after, nil
}

// continueWith returns when to reconcile a broker again that was just recorded.
func (r *Reconciler) continueWith(ctx context.Context, b v1beta1.Broker) (ctrl.Result, error) {
	existing, facts, err := r.observe(ctx, b)
	if err != nil {
		return ctrl.Result{}, err
	}
	return r.finishWithoutRelist(ctx, b, existing, brokerrules.Decide(b, facts))
}
