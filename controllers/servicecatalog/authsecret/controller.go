// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package authsecret keeps a finalizer on the Secrets with which brokers are reached, as long as something is left at
// these brokers.
package authsecret

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/keymutex"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/kube/consistency"
	"github.com/gophernetes/bellhop/internal/kube/enqueue"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Reconciler keeps a finalizer on the Secrets of brokers as long as instances or bindings are at these brokers. It changes no other
// Secrets.
type Reconciler struct {
	cache    client.Reader // has the metadata of Secrets
	client   client.Client
	index    index.Index
	recorder events.EventRecorder
	barrier  *consistency.CacheBarrier
	wake     enqueue.Enqueuer

	// locks are by the name of a Secret: one that is protected is not released meanwhile.
	locks keymutex.KeyMutex

	mu        sync.Mutex
	written   map[types.UID]*metav1.PartialObjectMetadata // as this process has written it last
	uses      map[types.UID]int                           // how often it was kept for a new instance
	announced map[types.UID]time.Time                     // when an event has said that a deleted Secret is kept

	now func() time.Time
}

// NewReconciler returns the reconciler of the Secrets of brokers.
func NewReconciler(cache client.Reader, c client.Client, idx index.Index, recorder events.EventRecorder, barrier *consistency.CacheBarrier) *Reconciler {
	return &Reconciler{cache: cache, client: c, index: idx, recorder: recorder, barrier: barrier, locks: keymutex.NewHashed(secretLocks),
		written: map[types.UID]*metav1.PartialObjectMetadata{}, uses: map[types.UID]int{}, announced: map[types.UID]time.Time{}, now: time.Now}
}

// deletionGrace is how long a deleted Secret is kept at least. The objects of a manifest are deleted one after the other, and objects whose removal
// at the broker needs the Secret may not be deleted yet.
const deletionGrace = 10 * time.Second

// secretLocks is the number of locks.
const secretLocks = 64

// Enqueue reconciles a Secret.
func (r *Reconciler) Enqueue(name types.NamespacedName) { r.wake.Add(name) }

// Reconcile adds the finalizer to a Secret, or removes it.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if err := r.barrier.WaitForSync(ctx); err != nil {
		return ctrl.Result{}, err
	}
	secret, err := r.read(ctx, req.NamespacedName)
	if err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	uses := r.usesOf(secret.UID)
	use, err := r.neededFor(ctx, req.NamespacedName)
	if err != nil {
		return ctrl.Result{}, err
	}
	isKept, isDeleted := controllerutil.ContainsFinalizer(secret, v1beta1.AuthSecretFinalizer), !secret.DeletionTimestamp.IsZero()
	switch {
	case use == nil && isKept:
		err = r.release(ctx, secret, uses)
	case use != nil && !isKept && !isDeleted:
		err = r.protect(ctx, req.NamespacedName)
	case use != nil && isKept && isDeleted:
		return r.keepDeleted(ctx, secret, *use, uses)
	}
	return patch.RequeueOnConflict(ctx, ctrl.Result{}, err)
}

// keepDeleted keeps a deleted Secret as long as it is needed to remove something at the broker: the broker, or something there, is being
// deleted as well. Otherwise the Secret is released after deletionGrace, as it is deleted to be created again with other credentials;
// until then requests wait, and the conditions of the broker say that the Secret does not exist.
func (r *Reconciler) keepDeleted(ctx context.Context, secret *metav1.PartialObjectMetadata, u use, uses int) (ctrl.Result, error) {
	since, first := r.announce(secret.UID)
	if first {
		r.recorder.Eventf(secret, nil, corev1.EventTypeWarning, v1beta1.ReasonCredentialsInUse, "Keep",
			"Deletion is delayed by %s, and until no deletion at %s %s needs this Secret; there are %s. After that, requests wait until a Secret of this name exists",
			deletionGrace, catalog.ScopeOf(u.broker).BrokerKind(), u.broker.GetName(), u.left)
	}
	if wait := since.Add(deletionGrace).Sub(r.now()); wait > 0 {
		return ctrl.Result{RequeueAfter: min(wait, deletionGrace)}, nil
	}
	if !u.isRemoving {
		return patch.RequeueOnConflict(ctx, ctrl.Result{}, r.release(ctx, secret, uses))
	}
	return ctrl.Result{}, nil
}

// use is the use of a Secret by a broker that has instances or bindings.
type use struct {
	broker v1beta1.Broker
	left   string // their number
	// isRemoving: the broker, its namespace, or one of them is being deleted.
	isRemoving bool
}

// neededFor returns the use of a Secret by a broker. Of several uses it returns one that removes something. nil: there is no use.
func (r *Reconciler) neededFor(ctx context.Context, secret types.NamespacedName) (found *use, err error) {
	brokers, err := r.index.BrokersWith(ctx, secret)
	if err != nil {
		return nil, fmt.Errorf("looking up brokers with the Secret: %w", err)
	}
	for _, broker := range brokers {
		instances, err := r.index.InstancesOfBroker(ctx, broker)
		if err != nil {
			return nil, fmt.Errorf("looking up instances of broker %s: %w", broker.GetName(), err)
		}
		bindings, err := r.index.BindingsOfBroker(ctx, broker)
		if err != nil {
			return nil, fmt.Errorf("looking up bindings of broker %s: %w", broker.GetName(), err)
		}
		if len(instances)+len(bindings) == 0 || found != nil && found.isRemoving {
			continue
		}
		found = &use{broker: broker, left: rules.Count(len(instances), "ServiceInstance", "ServiceInstances") + " and " + rules.Count(len(bindings), "ServiceBinding", "ServiceBindings")}
		found.isRemoving = isDeleted(broker) || slices.ContainsFunc(instances, isDeleted) || slices.ContainsFunc(bindings, isDeleted) || apiserver.IsTerminating(ctx, r.cache, broker.GetNamespace())
	}
	return found, nil
}

func isDeleted[O client.Object](o O) bool { return !o.GetDeletionTimestamp().IsZero() }

// Protect adds the finalizer to the Secrets of a broker, before a request creates something that could not be removed without them.
func (r *Reconciler) Protect(ctx context.Context, b v1beta1.Broker) error {
	for _, name := range v1beta1.AuthSecrets(b) {
		err := r.protect(ctx, name)
		switch {
		case errors.Is(err, patch.ErrStale):
			return err
		case err != nil:
			return engine.WithReason(v1beta1.ReasonErrorGettingAuthCredentials, fmt.Errorf("%s %q: Secret %q cannot be kept from being deleted: %w", catalog.ScopeOf(b).BrokerKind(), b.GetName(), name.Name, err))
		}
	}
	return nil
}

func (r *Reconciler) lock(name types.NamespacedName) (unlock func()) {
	r.locks.LockKey(name.String())
	return func() { _ = r.locks.UnlockKey(name.String()) } // it never fails
}

func (r *Reconciler) use(uid types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.uses[uid]++
}

func (r *Reconciler) usesOf(uid types.UID) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.uses[uid]
}

// protect adds the finalizer to a Secret, unless it has it.
func (r *Reconciler) protect(ctx context.Context, name types.NamespacedName) error {
	defer r.lock(name)()
	secret, err := r.read(ctx, name)
	if err != nil {
		return err
	}
	r.use(secret.UID)
	if controllerutil.ContainsFinalizer(secret, v1beta1.AuthSecretFinalizer) {
		return nil
	}
	return r.write(ctx, secret, patch.AddFinalizer)
}

// release removes the finalizer, unless the Secret was kept for a new instance since it had that number of uses.
func (r *Reconciler) release(ctx context.Context, secret *metav1.PartialObjectMetadata, uses int) error {
	defer r.lock(client.ObjectKeyFromObject(secret))()
	if r.usesOf(secret.UID) != uses {
		return patch.ErrStale
	}
	return r.write(ctx, secret, patch.RemoveFinalizer)
}

// read reads the metadata of a Secret from the cache. Where that does not show this process's last write yet, it is as written: a write that
// follows from it fails if the Secret was changed since.
func (r *Reconciler) read(ctx context.Context, name types.NamespacedName) (*metav1.PartialObjectMetadata, error) {
	secret := apiserver.Metadata("Secret")
	if err := r.cache.Get(ctx, name, secret); err != nil {
		return nil, err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if written := r.written[secret.UID]; written != nil && rules.NotAfter(secret.ResourceVersion, written.ResourceVersion) {
		return written.DeepCopy(), nil
	}
	return secret, nil
}

// write changes the finalizers of a Secret, whose lock the caller holds.
func (r *Reconciler) write(ctx context.Context, secret *metav1.PartialObjectMetadata, change func(context.Context, client.Client, client.Object, string) error) error {
	ctx, cancel := context.WithTimeout(ctx, times.RecordTimeout)
	defer cancel()
	err := change(ctx, r.client, secret, v1beta1.AuthSecretFinalizer)
	if refused, ok := errors.AsType[*patch.RefusedError](err); ok {
		log.FromContext(ctx).Error(refused, "The API server refuses to change the finalizers of a Secret", "secret", client.ObjectKeyFromObject(secret))
		err = &patch.RefusedError{Err: errUnquoted}
		engine.EmitFinalizerRefused(r.recorder, secret, err)
	}
	if err == nil {
		r.mu.Lock()
		defer r.mu.Unlock()
		r.written[secret.UID] = secret.DeepCopy()
	}
	return err
}

// errUnquoted stands for the API server's message in events and conditions: a webhook may quote values of the Secret, which this process has not
// read and cannot redact, and users with the right to read events, or conditions, may not have that to read Secrets.
var errUnquoted = errors.New("the log of the operator has the reason")

// forget drops the memory of a Secret that was deleted.
func (r *Reconciler) forget(uid types.UID) {
	r.mu.Lock()
	defer r.mu.Unlock()
	delete(r.written, uid)
	delete(r.uses, uid)
	delete(r.announced, uid)
}

// announce returns since when this process has known that a Secret is deleted, and whether that is now.
func (r *Reconciler) announce(uid types.UID) (since time.Time, first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	since, known := r.announced[uid]
	if !known {
		since = r.now()
		r.announced[uid] = since
	}
	return since, !known
}
