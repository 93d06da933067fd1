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

package broker

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/brokers"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/catalog/index"
	"github.com/gophernetes/bellhop/internal/consistency"
	"github.com/gophernetes/bellhop/internal/enqueue"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	brokerrules "github.com/gophernetes/bellhop/internal/lifecycle/broker"
	"github.com/gophernetes/bellhop/internal/lifecycle/catalogsync"
	"github.com/gophernetes/bellhop/internal/limiter"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
	"github.com/gophernetes/bellhop/internal/patch"
)

// lookAgain is when a broker is reconciled again that the cache shows out of date: the update may cause no event.
const lookAgain = time.Second

// AuthSecrets protects the Secrets of brokers from deletion.
type AuthSecrets interface {
	// VersionOf returns the versions of a broker's Secrets, and whether they differ from the recorded ones by the finalizer only.
	VersionOf(ctx context.Context, b v1beta1.Broker) (version string, isOurWrite bool, err error)
	// Enqueue reconciles a Secret.
	Enqueue(name types.NamespacedName)
}

// Reconciler keeps the classes and plans of the brokers of one scope in sync with their catalogs.
type Reconciler struct {
	catalogWriter

	cached        index.Index // does not wait for this process's own writes
	live          client.Reader
	barrier       *consistency.CacheBarrier
	fresh         *consistency.ObjectFreshness
	connections   *brokers.Clients
	secrets       AuthSecrets
	forgetMetrics func(brokers.Key)
	recorder      events.EventRecorder
	clock         clock.PassiveClock
	interval      time.Duration
	wake          enqueue.Enqueuer

	mu        sync.Mutex
	requested map[brokers.Key]time.Time // when an answer said that the catalog has changed
}

// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=clusterservicebrokers;servicebrokers,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=clusterservicebrokers/status;servicebrokers/status,verbs=patch
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=clusterserviceclasses;serviceclasses;clusterserviceplans;serviceplans,verbs=get;list;watch;create;update;delete
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=clusterserviceclasses/status;serviceclasses/status;clusterserviceplans/status;serviceplans/status,verbs=patch
// +kubebuilder:rbac:groups=servicecatalog.k8s.io,resources=serviceinstances;servicebindings,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets,verbs=get;list;watch;patch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch;update

// Reconcile observes a broker, decides, and reads its catalog or releases it.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if err := r.barrier.WaitForSync(ctx); err != nil {
		return ctrl.Result{}, err
	}
	b := r.NewBroker()
	if err := r.fresh.Read(ctx, r.client, req.NamespacedName, b); err != nil {
		r.forget(brokers.Key{Namespace: req.Namespace, Name: req.Name})
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if fresh, err := r.fresh.IsFresh(ctx, b); err != nil || !fresh {
		return patch.RequeueOnConflict(ctx, ctrl.Result{RequeueAfter: lookAgain}, err)
	}
	for _, secret := range v1beta1.AuthSecrets(b) {
		r.secrets.Enqueue(secret)
	}
	result, err := r.reconcileBroker(ctx, b)
	return patch.RequeueOnConflict(ctx, result, err)
}

// reconcileBroker does what is due for a broker.
func (r *Reconciler) reconcileBroker(ctx context.Context, b v1beta1.Broker) (ctrl.Result, error) {
	if !b.GetDeletionTimestamp().IsZero() {
		return ctrl.Result{}, r.finalize(ctx, b)
	}
	// A broker without status may have bypassed admission. A finalizer that is removed later releases the broker.
	if !controllerutil.ContainsFinalizer(b, v1beta1.Finalizer) {
		if status := b.CommonStatus(); len(status.Conditions) > 0 || status.ObservedGeneration > 0 {
			r.leaveQueue(brokers.KeyOf(b))
			_, err := r.write(ctx, b, brokerrules.StatusAbandoned(b, r.clock.Now()), "")
			return ctrl.Result{}, err
		}
		if err := patch.AddFinalizer(ctx, r.client, b, v1beta1.Finalizer); err != nil {
			return ctrl.Result{}, err
		}
	}
	held, facts, err := r.observe(ctx, b)
	if err != nil {
		return ctrl.Result{}, err
	}
	if facts.FinalizerChanged {
		return r.recordCredentialsVersion(ctx, b, facts.Credentials)
	}
	if connection, err := r.connections.For(ctx, b); err == nil { // otherwise the relist has the error
		r.connections.Limiters.Of(brokers.KeyOf(b), facts.Now).Reset(connection.EndpointVersion, facts.Now)
	}
	next := brokerrules.Decide(b, facts)
	if next.IsDue(facts.Now) {
		return r.relist(ctx, b, facts, next)
	}
	return r.finishWithoutRelist(ctx, b, held, next)
}

// recordCredentialsVersion records the new version of Secrets that differ from the recorded ones by this operator's finalizer only: a later
// process could not tell.
func (r *Reconciler) recordCredentialsVersion(ctx context.Context, b v1beta1.Broker, version string) (ctrl.Result, error) {
	status := *b.CommonStatus().DeepCopy()
	status.CredentialsVersion = version
	recorded, err := r.write(ctx, b, status, "")
	if err != nil {
		return ctrl.Result{}, err
	}
	return r.continueWith(ctx, recorded)
}

// observe observes the classes, plans and Secrets of a broker.
func (r *Reconciler) observe(ctx context.Context, b v1beta1.Broker) (h catalogsync.Existing, f brokerrules.Inputs, err error) {
	if h, err = r.hold(ctx, b); err != nil {
		return h, f, err
	}
	f = brokerrules.Inputs{Now: r.clock.Now(), Interval: r.interval, Digest: r.digest(h)}
	f.Credentials, f.FinalizerChanged, err = r.secrets.VersionOf(ctx, b)
	r.mu.Lock()
	defer r.mu.Unlock()
	f.RelistRequested = !r.requested[brokers.KeyOf(b)].IsZero()
	return h, f, err
}

// digest returns the digest of the classes and plans that come from the catalog.
func (r *Reconciler) digest(h catalogsync.Existing) string {
	var classes []v1beta1.Class
	for _, class := range h.Classes {
		if r.IsOurs(class) {
			classes = append(classes, class)
		}
	}
	var plans []v1beta1.Plan
	for _, plan := range h.Plans {
		if r.IsOurs(plan) {
			plans = append(plans, plan)
		}
	}
	return catalogsync.Digest(classes, plans)
}

// finishWithoutRelist deletes removed classes and plans without users, and waits.
func (r *Reconciler) finishWithoutRelist(ctx context.Context, b v1beta1.Broker, h catalogsync.Existing, next brokerrules.Decision) (ctrl.Result, error) {
	result := enqueue.Requeue(next.RelistAt, r.clock.Now())
	// An empty catalog may be a temporary loss: removed classes and plans are kept, with what people have added to them.
	if b.CommonStatus().ServiceClasses == 0 {
		return result, nil
	}
	_, err := r.sweep(ctx, h)
	return result, err
}

// RequestRelist requests a relist, since an answer said that the catalog has changed.
func (r *Reconciler) RequestRelist(key brokers.Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requested[key] = r.clock.Now()
	r.wake.Add(types.NamespacedName{Namespace: key.Namespace, Name: key.Name})
}

// forget drops what is kept for a broker that was deleted.
func (r *Reconciler) forget(key brokers.Key) {
	r.mu.Lock()
	delete(r.requested, key)
	r.mu.Unlock()
	r.leaveQueue(key)
	r.connections.Forget(key)
	r.forgetMetrics(key)
}

// leaveQueue removes the relist of a broker from its queue.
func (r *Reconciler) leaveQueue(key brokers.Key) {
	r.connections.Limiters.Cancel(key, r.queueKey(key), r.clock.Now())
}

func (r *Reconciler) queueKey(key brokers.Key) brokers.QueueKey {
	return brokers.QueueKey{Kind: r.BrokerKind(), Name: types.NamespacedName{Namespace: key.Namespace, Name: key.Name}}
}

// relist reads the catalog, syncs classes and plans, and records the result.
func (r *Reconciler) relist(ctx context.Context, b v1beta1.Broker, f brokerrules.Inputs, next brokerrules.Decision) (ctrl.Result, error) {
	key := brokers.KeyOf(b)
	name := client.ObjectKeyFromObject(b)
	endpoint := r.connections.Limiters.Of(key, f.Now)
	leave, wait := endpoint.Enter(limiter.Request{ID: r.queueKey(key), Flow: "catalog", Misconfigured: int(b.CommonStatus().Misconfigured), Notify: func() { r.wake.AddFirst(name) }}, f.Now)
	if leave == nil {
		return enqueue.Requeue(f.Now.Add(brokers.QueueHeartbeat), f.Now), r.queued(ctx, b, wait, f.Now)
	}
	v := brokerrules.RelistResult{Generation: b.GetGeneration(), Credentials: f.Credentials}
	found, err := r.fetch(ctx, b, leave, next.ETag, &v)
	if err != nil {
		return ctrl.Result{}, err
	}
	if found != nil {
		if err := r.syncCatalog(ctx, b, found, &v); err != nil {
			return ctrl.Result{}, err
		}
	}
	v.NextProbe, _ = endpoint.NextProbe()
	recorded, err := r.record(ctx, b, v)
	if err != nil {
		return ctrl.Result{}, err
	}
	r.forgetRequest(key, f.Now)
	return r.continueWith(ctx, recorded)
}

// forgetRequest drops requests for a relist from before a time.
func (r *Reconciler) forgetRequest(key brokers.Key, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.requested[key].After(since) {
		delete(r.requested, key)
	}
}

// fetch reads the catalog, and returns the slot; nil: it could not be read, or is unchanged. After an error there is no result.
func (r *Reconciler) fetch(ctx context.Context, b v1beta1.Broker, leave limiter.Release, etag string, v *brokerrules.RelistResult) (*osbresult.Catalog, error) {
	result := limiter.Result{NotSent: true}
	defer func() { leave(r.clock.Now(), result) }()
	connection, err := r.connections.For(ctx, b)
	if err != nil {
		bad, ok := errors.AsType[*brokers.CredentialsError](err)
		if !ok {
			return nil, err
		}
		v.Error = &brokerrules.RelistError{Reason: v1beta1.ReasonErrorFetchingCatalog, Event: v1beta1.ReasonErrorGettingAuthCredentials, Message: bad.Message, Stalled: !bad.Temporary}
		if bad.Missing {
			v.Error.StalledFrom = b.GetCreationTimestamp().Add(lifecycle.MissingReferenceDelay)
		}
		return nil, nil
	}
	found, out := connection.Catalog(ctx, etag)
	switch {
	case ctx.Err() != nil: // the process stops
		return nil, ctx.Err()
	case out.Class != osbresult.Done:
		v.Error = brokerrules.ErrorOf(b, out)
	default:
		v.Version, v.Unchanged = connection.Version(), found == nil
	}
	result = brokers.ResultOf(out)
	return found, nil
}

// syncCatalog syncs classes and plans with a catalog.
func (r *Reconciler) syncCatalog(ctx context.Context, b v1beta1.Broker, found *osbresult.Catalog, v *brokerrules.RelistResult) error {
	restrictions, errs := catalog.ParseRestrictions(b.Common().CatalogRestrictions, r.Scope)
	if len(errs) > 0 {
		v.Error = &brokerrules.RelistError{Reason: v1beta1.ReasonErrorSyncingCatalog, Message: errs.ToAggregate().Error(), Stalled: true}
		return nil
	}
	h, err := r.hold(ctx, b) // they may have changed during the request
	if err != nil {
		return err
	}
	chosen := catalogsync.Desire(catalogsync.Builder{Kinds: r.Kinds, Broker: b, Restrictions: restrictions, Existing: h, Owner: r.ownerOf(ctx, b.GetNamespace())}, found)
	failed, err := r.sync(ctx, b, chosen, h)
	if err != nil {
		return err
	}
	classes, plans := append(chosen.Classes, chosen.KeptClasses...), append(chosen.Plans, chosen.KeptPlans...)
	v.ETag, v.Digest = found.ETag, catalogsync.Digest(classes, plans)
	v.Classes, v.Plans = present(classes), present(plans)
	v.Missing, v.Retry = append(chosen.Missing, failed...), chosen.Collides || len(failed) > 0
	if len(found.Services) == 0 && len(found.Problems) == 0 {
		v.RetainedClasses = len(h.Classes)
	}
	v.Remarks, err = r.duplicateNames(ctx, b, chosen.Classes)
	return err
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

// ownerOf returns a function that looks up the broker of a class or plan.
func (r *Reconciler) ownerOf(ctx context.Context, namespace string) func(kind, name string) string {
	return func(kind, name string) string {
		if kind == r.ClassKind() {
			if class, err := r.index.ClassNamed(ctx, r.Scope, namespace, name); err == nil {
				return class.BrokerName()
			}
			return ""
		}
		if plan, err := r.index.PlanNamed(ctx, r.Scope, namespace, name); err == nil {
			return plan.BrokerName()
		}
		return "" // where the cache does not show it, the creation fails
	}
}

// duplicateNames returns a remark about services that another broker offers under the same name, which makes the name ambiguous.
func (r *Reconciler) duplicateNames(ctx context.Context, b v1beta1.Broker, classes []v1beta1.Class) ([]string, error) {
	var names []string
	for _, class := range classes {
		_, err := r.index.Class(ctx, b.GetNamespace(), catalog.Reference{Scope: r.Scope, NamedBy: catalog.ByExternalName, Class: class.Common().ExternalName})
		switch {
		case index.IsAmbiguous(err):
			names = append(names, fmt.Sprintf("%q", lifecycle.DisplayName(class.Common().ExternalName)))
		case err != nil && !index.IsNotFound(err):
			return nil, err
		}
	}
	if len(names) == 0 {
		return nil, nil
	}
	return []string{fmt.Sprintf("Another %s offers services of the same name, so refer to them by %s or id: %s", r.BrokerKind(), r.ClassKind(), lifecycle.Enumerate(names))}, nil
}

// record writes the result of a relist, also onto a broker that was changed meanwhile. A status that was changed meanwhile is newer:
// another leader has written it.
func (r *Reconciler) record(ctx context.Context, b v1beta1.Broker, v brokerrules.RelistResult) (v1beta1.Broker, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), engine.RecordTimeout)
	defer cancel()
	recorded, err := r.write(ctx, b, brokerrules.Apply(b, v, r.clock.Now()), v.Event())
	if !errors.Is(err, patch.ErrStale) {
		return recorded, err
	}
	now := r.NewBroker()
	if err := r.live.Get(ctx, client.ObjectKeyFromObject(b), now); err != nil {
		return nil, err
	}
	if now.GetUID() != b.GetUID() || !now.GetDeletionTimestamp().IsZero() || !equality.Semantic.DeepEqual(now.CommonStatus(), b.CommonStatus()) {
		return nil, patch.ErrStale
	}
	return r.write(ctx, now, brokerrules.Apply(now, v, r.clock.Now()), v.Event())
}

// write writes a status, if it differs from the one on record, and emits an event about the change, with the given reason or else that
// of Ready. It returns the broker as it is on record then.
func (r *Reconciler) write(ctx context.Context, b v1beta1.Broker, status v1beta1.ServiceBrokerStatus, reason string) (v1beta1.Broker, error) {
	if equality.Semantic.DeepEqual(status, *b.CommonStatus()) {
		return b, nil
	}
	after := b.DeepCopyObject().(v1beta1.Broker)
	if err := patch.Status(ctx, r.client, after, status); err != nil {
		return nil, err
	}
	emitEvents(r.recorder, b, status, reason)
	logTransition(ctx, b, status)
	return after, nil
}

// continueWith returns when to reconcile a broker again that was just recorded.
func (r *Reconciler) continueWith(ctx context.Context, b v1beta1.Broker) (ctrl.Result, error) {
	held, facts, err := r.observe(ctx, b)
	if err != nil {
		return ctrl.Result{}, err
	}
	return r.finishWithoutRelist(ctx, b, held, brokerrules.Decide(b, facts))
}

// queued sets the conditions of a broker whose first relist waits for a slot, or whose requests wait for a probe of a misconfiguration.
func (r *Reconciler) queued(ctx context.Context, b v1beta1.Broker, wait limiter.Wait, now time.Time) error {
	status := *b.CommonStatus().DeepCopy()
	var v lifecycle.ConditionSet
	switch isKnown := status.LastCatalogRetrievalTime != nil || status.Attempts > 0; {
	case wait.Cause == limiter.Misconfigured:
		v = r.misconfiguredConditions(brokers.KeyOf(b), now)
	case isKnown, now.Sub(wait.Since) < engine.QueuedConditionDelay:
		return nil
	default:
		why := engine.BlockerForQueue(wait.Cause, brokers.KeyOf(b))
		v = lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: why.Reason, Message: why.Message}
	}
	status.Conditions = v.Conditions(status.Conditions, now)
	status.LastConditionState = lifecycle.LastConditionState(status.Conditions)
	_, err := r.write(ctx, b, status, "")
	return err
}

// misconfiguredConditions is the verdict on a broker that answers all requests as one that is misconfigured.
func (r *Reconciler) misconfiguredConditions(key brokers.Key, now time.Time) lifecycle.ConditionSet {
	at, _ := r.connections.Limiters.Of(key, now).NextProbe()
	message := "Requests to the broker fail in a way that looks like a misconfiguration"
	if words := r.connections.LastMisconfiguration(key); words != "" {
		message += ": " + words
	}
	if !at.IsZero() {
		message += "; one of them is repeated at " + lifecycle.FormatTime(at)
	}
	return lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonErrorFetchingCatalog, Message: message}.WithStalled(v1beta1.ReasonErrorFetchingCatalog)
}

// finalize releases a broker once no instance and binding needs it.
func (r *Reconciler) finalize(ctx context.Context, b v1beta1.Broker) error {
	r.leaveQueue(brokers.KeyOf(b))
	if !controllerutil.ContainsFinalizer(b, v1beta1.Finalizer) {
		return nil
	}
	if used, err := r.inUse(ctx, b); used || err != nil {
		return err
	}
	if err := r.waitForConsumers(ctx, b); err != nil {
		return err
	}
	if used, err := r.inUse(ctx, b); used || err != nil { // by objects that the cache had not shown
		return err
	}
	held, err := r.hold(ctx, b)
	if err != nil {
		return err
	}
	if err := r.clear(ctx, held); err != nil {
		return fmt.Errorf("deleting what the broker offered: %w", err)
	}
	if err := patch.RemoveFinalizer(ctx, r.client, b.DeepCopyObject().(v1beta1.Broker), v1beta1.Finalizer); err != nil {
		return err
	}
	r.recorder.Eventf(b, nil, "Normal", r.Deleted, "Release", "The broker was released: no instance or binding is left at it")
	return nil
}

// inUse reports whether a broker is needed, and sets its conditions then.
func (r *Reconciler) inUse(ctx context.Context, b v1beta1.Broker) (bool, error) {
	instances, bindings, err := r.consumers(ctx, b)
	if err != nil || len(instances)+len(bindings) == 0 {
		return false, err
	}
	_, err = r.write(ctx, b, brokerrules.StatusInUse(b, instances, bindings, r.clock.Now()), "")
	return true, err
}

// consumers returns the instances and bindings that are, or may be, at a broker.
func (r *Reconciler) consumers(ctx context.Context, b v1beta1.Broker) (instances, bindings []string, err error) {
	found, err := r.index.InstancesOfBroker(ctx, b)
	if err != nil {
		return nil, nil, fmt.Errorf("looking up the broker's instances: %w", err)
	}
	for _, instance := range found {
		instances = append(instances, instance.Namespace+"/"+instance.Name)
	}
	bound, err := r.index.BindingsOfBroker(ctx, b)
	if err != nil {
		return nil, nil, fmt.Errorf("looking up the broker's bindings: %w", err)
	}
	for _, binding := range bound {
		bindings = append(bindings, binding.Namespace+"/"+binding.Name)
	}
	slices.Sort(instances)
	slices.Sort(bindings)
	return instances, bindings, nil
}

// waitForConsumers checks that the cache shows all instances and bindings as they are now: one that it does not show would lose its broker.
func (r *Reconciler) waitForConsumers(ctx context.Context, b v1beta1.Broker) error {
	for kind, cached := range map[string]client.Object{"ServiceInstance": &v1beta1.ServiceInstance{}, "ServiceBinding": &v1beta1.ServiceBinding{}} {
		see := func(now *metav1.PartialObjectMetadata) error {
			if err := r.cached.Cache.Get(ctx, client.ObjectKeyFromObject(now), cached, client.UnsafeDisableDeepCopy); err != nil || !lifecycle.NotAfter(now.ResourceVersion, cached.GetResourceVersion()) {
				return fmt.Errorf("waiting for the cache to have %s %s/%s as it is now: %w", kind, now.Namespace, now.Name, patch.ErrStale)
			}
			return nil
		}
		_, err := consistency.ListMetadata(ctx, r.live, v1beta1.GroupVersion.WithKind(kind), see, client.InNamespace(b.GetNamespace()))
		if err != nil && !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) { // otherwise their CRD does not exist either
			return fmt.Errorf("making sure that every %s is seen: %w", kind, err)
		}
	}
	return nil
}
