// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/predicate"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
	"sigs.k8s.io/controller-runtime/pkg/source"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/kube/consistency"
	"github.com/gophernetes/bellhop/internal/kube/enqueue"
	"github.com/gophernetes/bellhop/internal/kube/guard"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/catalogsync"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// settleTime is the delay between a change of a broker's objects and its reconcile, which covers many changes.
const settleTime = 500 * time.Millisecond

type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]

// Options are the options of the controllers of brokers.
type Options struct {
	// Workers is the number of concurrent reconciles of brokers of each scope.
	Workers int
	// RelistInterval between two relists of a catalog, where the broker's spec has none.
	RelistInterval time.Duration
	// Protect reconciles a Secret with which brokers are reached.
	Protect func(secret types.NamespacedName)
	// ForgetMetrics drops the series of a broker that was deleted.
	ForgetMetrics func(brokers.Key)
}

// Setup registers the controllers of brokers of both scopes.
func Setup(mgr ctrl.Manager, config *engine.Config, o Options) error {
	current := index.Index{Cache: consistency.ReadYourWrites(mgr.GetClient(), mgr.GetCache())}
	byScope := map[catalog.Scope]*Reconciler{}
	for _, s := range catalogsync.AllKinds {
		r := &Reconciler{
			catalogWriter: catalogWriter{Kinds: s, client: mgr.GetClient(), index: current, leadership: config.Leadership},
			cached:        config.Index, live: mgr.GetAPIReader(), barrier: &config.Barrier, fresh: config.Barrier.Of(v1beta1.GroupVersion.WithKind(s.BrokerKind()), s.NewBroker()),
			connections: config.Clients, protect: o.Protect, forgetMetrics: o.ForgetMetrics, recorder: config.Recorder, clock: config.Clock,
			interval: o.RelistInterval,
		}
		byScope[s.Scope] = r
		config.Barrier.Of(v1beta1.GroupVersion.WithKind(s.ClassKind()), s.NewClass())
		config.Barrier.Of(v1beta1.GroupVersion.WithKind(s.PlanKind()), s.NewPlan())
		if err := setupScope(mgr, r, o.Workers); err != nil {
			return err
		}
	}
	config.RequestRelist = func(key brokers.Key) { byScope[brokers.ScopeOf(key)].RequestRelist(key) }
	config.CheckAvailability = func(key brokers.Key) { byScope[brokers.ScopeOf(key)].CheckAvailability(key) }
	config.ObserveRequest = func(key brokers.Key, r limiter.Result) { byScope[brokers.ScopeOf(key)].ObserveRequest(key, r) }
	return nil
}

func setupScope(mgr ctrl.Manager, r *Reconciler, workers int) error {
	return ctrl.NewControllerManagedBy(mgr).
		Named(strings.ToLower(r.BrokerKind())).
		For(r.NewBroker(), builder.WithPredicates(predicate.Or(enqueue.SpecChanged, holdChanged))).
		Watches(r.NewClass(), r.offered()).
		Watches(r.NewPlan(), r.offered()).
		Watches(&v1beta1.ServiceInstance{}, handler.Funcs{
			DeleteFunc: func(ctx context.Context, e event.DeleteEvent, q queue) { r.later(q, r.brokersOf(ctx, e.Object)...) },
			CreateFunc: func(ctx context.Context, e event.CreateEvent, q queue) { r.placed(ctx, q, r.brokersOf(ctx, e.Object)) },
			UpdateFunc: func(ctx context.Context, e event.UpdateEvent, q queue) {
				if whereIs(e.ObjectOld) != whereIs(e.ObjectNew) {
					r.later(q, r.brokersOf(ctx, e.ObjectOld)...)
					r.placed(ctx, q, r.brokersOf(ctx, e.ObjectNew))
				}
			},
		}).
		Watches(&v1beta1.ServiceBinding{}, r.detached()).
		WatchesMetadata(&corev1.Secret{}, handler.EnqueueRequestsFromMapFunc(r.reachedWith)).
		WatchesRawSource(source.TypedFunc[reconcile.Request](r.wake.Start)).
		WithOptions(enqueue.ControllerOptions(workers)).
		Complete(guard.Reconciler(r, guard.InStatus(mgr.GetClient(), func() client.Object { return r.NewBroker() }, rules.ShowFailure)))
}

// holdChanged passes updates that add or remove the finalizer.
var holdChanged = predicate.Funcs{
	CreateFunc: func(event.CreateEvent) bool { return false },
	DeleteFunc: func(event.DeleteEvent) bool { return false },
	UpdateFunc: func(e event.UpdateEvent) bool {
		return controllerutil.ContainsFinalizer(e.ObjectOld, v1beta1.Finalizer) != controllerutil.ContainsFinalizer(e.ObjectNew, v1beta1.Finalizer)
	},
	GenericFunc: func(event.GenericEvent) bool { return false },
}

// later reconciles brokers after settleTime.
func (r *Reconciler) later(q queue, names ...types.NamespacedName) {
	for _, name := range names {
		q.AddAfter(reconcile.Request{NamespacedName: name}, settleTime)
	}
}

// placed reconciles the brokers of an instance later, and their Secrets at once: without them it could not be deprovisioned.
func (r *Reconciler) placed(ctx context.Context, q queue, names []types.NamespacedName) {
	r.later(q, names...)
	for _, name := range names {
		b, err := r.cached.BrokerNamed(ctx, r.Scope, name.Namespace, name.Name)
		if err != nil {
			continue
		}
		for _, secret := range v1beta1.AuthSecrets(b) {
			meta := apiserver.Metadata("Secret")
			if r.cached.Cache.Get(ctx, secret, meta, client.UnsafeDisableDeepCopy) == nil && !controllerutil.ContainsFinalizer(meta, v1beta1.AuthSecretFinalizer) {
				r.protect(secret)
			}
		}
	}
}

// offered reconciles the broker of a class or plan that was edited or deleted by others. This operator's own writes do not count.
func (r *Reconciler) offered() handler.EventHandler {
	brokerOf := func(o client.Object) types.NamespacedName {
		return types.NamespacedName{Namespace: o.GetNamespace(), Name: o.(interface{ BrokerName() string }).BrokerName()}
	}
	return handler.Funcs{
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { r.later(q, brokerOf(e.Object)) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			if enqueue.SpecChanged.Update(e) {
				r.later(q, slices.Compact([]types.NamespacedName{brokerOf(e.ObjectOld), brokerOf(e.ObjectNew)})...)
			}
		},
	}
}

// detached reconciles the brokers of a binding that was deleted, or is at others now.
func (r *Reconciler) detached() handler.EventHandler {
	return handler.Funcs{
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { r.later(q, r.placesOf(e.Object)...) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) {
			if was := r.placesOf(e.ObjectOld); !slices.Equal(was, r.placesOf(e.ObjectNew)) {
				r.later(q, was...)
			}
		},
	}
}

// place is the part of an instance that matters to brokers.
type place struct {
	broker       v1beta1.BrokerReference
	refs         [2]catalog.Refs // by scope
	heldPlan     string
	inFlightPlan string
}

func whereIs(o client.Object) (p place) {
	instance := o.(*v1beta1.ServiceInstance)
	if ref := instance.Status.Broker; ref != nil {
		p.broker = *ref
	}
	for i, scope := range catalog.Scopes {
		p.refs[i] = catalog.RefsOf(&instance.Spec, scope)
	}
	p.heldPlan = rules.PlanID(rules.NonNil(instance.Status.ExternalProperties))
	p.inFlightPlan = rules.PlanID(rules.NonNil(instance.Status.InProgressProperties))
	return p
}

// brokersOf returns the brokers of the scope that an instance is, or may be, at.
func (r *Reconciler) brokersOf(ctx context.Context, o client.Object) (names []types.NamespacedName) {
	instance := o.(*v1beta1.ServiceInstance)
	if ref := instance.Status.Broker; ref != nil && ref.Kind == r.BrokerKind() {
		names = append(names, r.named(instance.Namespace, ref.Name))
	}
	if class, err := r.cached.ClassOf(ctx, instance); err == nil && class != nil && catalog.ScopeOf(class) == r.Scope {
		names = append(names, r.named(instance.Namespace, class.BrokerName()))
	}
	return names
}

// placesOf returns the brokers of the scope that a binding is at, or has left something behind at.
func (r *Reconciler) placesOf(o client.Object) (names []types.NamespacedName) {
	for _, ref := range catalog.BrokersOfBinding(o.(*v1beta1.ServiceBinding)) {
		if ref.Kind == r.BrokerKind() {
			names = append(names, r.named(o.GetNamespace(), ref.Name))
		}
	}
	return names
}

// named returns the name of a broker that is referred to in a namespace.
func (r *Reconciler) named(namespace, name string) types.NamespacedName {
	if r.Scope == catalog.Cluster {
		namespace = ""
	}
	return types.NamespacedName{Namespace: namespace, Name: name}
}

// reachedWith returns the brokers of the scope that use a Secret.
func (r *Reconciler) reachedWith(ctx context.Context, secret client.Object) (requests []reconcile.Request) {
	brokers, err := r.cached.BrokersWith(ctx, client.ObjectKeyFromObject(secret))
	if err != nil {
		return nil // only while the cache stops
	}
	for _, broker := range brokers {
		if catalog.ScopeOf(broker) == r.Scope {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(broker)})
		}
	}
	return requests
}
