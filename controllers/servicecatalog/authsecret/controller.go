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

// Package authsecret keeps a finalizer on the Secrets with which brokers are reached, as long as something is left at
// these brokers.
package authsecret

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/keymutex"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/apiserver"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/catalog/index"
	"github.com/gophernetes/bellhop/internal/consistency"
	"github.com/gophernetes/bellhop/internal/enqueue"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	"github.com/gophernetes/bellhop/internal/patch"
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

	// locks are by the name of a Secret: while the finalizer is changed, the version must not be read, as the change would look like
	// another's.
	locks keymutex.KeyMutex

	mu        sync.Mutex
	written   map[types.UID]writtenVersions
	uses      map[types.UID]int  // how often it was kept for a new instance
	announced map[types.UID]bool // Secrets with an event that they are kept
}

// writtenVersions is what this process has done to a Secret.
type writtenVersions struct {
	// versions differ by the finalizer only: this process has made each from the one before.
	versions []string
	isKept   bool // in the last one
}

// NewReconciler returns the reconciler of the Secrets of brokers.
func NewReconciler(cache client.Reader, c client.Client, x index.Index, recorder events.EventRecorder, barrier *consistency.CacheBarrier) *Reconciler {
	return &Reconciler{cache: cache, client: c, index: x, recorder: recorder, barrier: barrier, locks: keymutex.NewHashed(secretLocks), written: map[types.UID]writtenVersions{}, uses: map[types.UID]int{}, announced: map[types.UID]bool{}}
}

// maxTouched bounds the versions that are kept of a Secret; a broker needs the last few.
const maxTouched = 16

// writeTimeout bounds a write of the finalizer.
const writeTimeout = 10 * time.Second

// secretLocks is the number of locks.
const secretLocks = 64

// Enqueue reconciles a Secret.
func (k *Reconciler) Enqueue(name types.NamespacedName) { k.wake.Add(name) }

// Reconcile adds the finalizer to a Secret, or removes it.
func (k *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if err := k.barrier.WaitForSync(ctx); err != nil {
		return ctrl.Result{}, err
	}
	secret := apiserver.Metadata("Secret")
	if err := k.cache.Get(ctx, req.NamespacedName, secret); err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	uses := k.usesOf(secret.UID)
	broker, left, err := k.neededFor(ctx, req.NamespacedName)
	if err != nil {
		return ctrl.Result{}, err
	}
	isKept, isDeleted := controllerutil.ContainsFinalizer(secret, v1beta1.AuthSecretFinalizer), !secret.DeletionTimestamp.IsZero()
	switch {
	case broker == nil && isKept:
		err = k.release(ctx, secret, uses)
	case broker != nil && !isKept && !isDeleted:
		err = k.protect(ctx, secret)
	case broker != nil && isKept && isDeleted && k.firstAnnouncement(secret.UID):
		k.recorder.Eventf(secret, nil, corev1.EventTypeWarning, v1beta1.ReasonCredentialsInUse, "Keep",
			"Deleted, and kept until nothing is left at %s %s, which is reached with it: %s", catalog.ScopeOf(broker).BrokerKind(), broker.GetName(), left)
	}
	return patch.RequeueOnConflict(ctx, ctrl.Result{}, err)
}

// neededFor returns a broker that uses a Secret and has instances or bindings, and their number; nil: there is none.
func (k *Reconciler) neededFor(ctx context.Context, secret types.NamespacedName) (v1beta1.Broker, string, error) {
	brokers, err := k.index.BrokersWith(ctx, secret)
	if err != nil {
		return nil, "", fmt.Errorf("looking up brokers with the Secret: %w", err)
	}
	for _, broker := range brokers {
		instances, err := k.index.InstancesOfBroker(ctx, broker)
		if err != nil {
			return nil, "", fmt.Errorf("looking up instances of broker %s: %w", broker.GetName(), err)
		}
		bindings, err := k.index.BindingsOfBroker(ctx, broker)
		if err != nil {
			return nil, "", fmt.Errorf("looking up bindings of broker %s: %w", broker.GetName(), err)
		}
		if len(instances)+len(bindings) > 0 {
			return broker, lifecycle.Count(len(instances), "ServiceInstance", "ServiceInstances") + " and " + lifecycle.Count(len(bindings), "ServiceBinding", "ServiceBindings"), nil
		}
	}
	return nil, "", nil
}

// Protect adds the finalizer to the Secrets of a broker, before a request creates something that could not be removed without them.
func (k *Reconciler) Protect(ctx context.Context, b v1beta1.Broker) error {
	for _, name := range v1beta1.AuthSecrets(b) {
		secret := apiserver.Metadata("Secret")
		err := k.cache.Get(ctx, name, secret)
		if err == nil {
			err = k.protect(ctx, secret)
		}
		switch {
		case errors.Is(err, patch.ErrStale):
			return err
		case err != nil:
			return engine.WithReason(v1beta1.ReasonErrorGettingAuthCredentials, fmt.Errorf("%s %q: Secret %q cannot be kept from being deleted: %w", catalog.ScopeOf(b).BrokerKind(), b.GetName(), name.Name, err))
		}
	}
	return nil
}

func (k *Reconciler) lock(name types.NamespacedName) (unlock func()) {
	k.locks.LockKey(name.String())
	return func() { _ = k.locks.UnlockKey(name.String()) } // it never fails
}

func (k *Reconciler) use(uid types.UID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.uses[uid]++
}

func (k *Reconciler) usesOf(uid types.UID) int {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.uses[uid]
}

// protect adds the finalizer to a Secret, unless it has it.
func (k *Reconciler) protect(ctx context.Context, secret client.Object) error {
	defer k.lock(client.ObjectKeyFromObject(secret))()
	k.use(secret.GetUID())
	if k.isKept(secret) {
		return nil
	}
	return k.setFinalizer(ctx, secret, true)
}

// release removes the finalizer, unless the Secret was kept for a new instance since it had that number of uses.
func (k *Reconciler) release(ctx context.Context, secret client.Object, uses int) error {
	defer k.lock(client.ObjectKeyFromObject(secret))()
	if k.usesOf(secret.GetUID()) != uses {
		return patch.ErrStale
	}
	return k.setFinalizer(ctx, secret, false)
}

// isKept reports whether a Secret has the finalizer, also where the cache does not show this process's last write yet.
func (k *Reconciler) isKept(secret client.Object) bool {
	if since := k.pendingWrites(secret); since != nil {
		return since.isKept
	}
	return controllerutil.ContainsFinalizer(secret, v1beta1.AuthSecretFinalizer)
}

// pendingWrites returns this process's writes of a Secret that the cache does not show yet; nil: there are none.
func (k *Reconciler) pendingWrites(secret client.Object) *writtenVersions {
	known := k.known(secret.GetUID())
	if i := slices.Index(known.versions, secret.GetResourceVersion()); i < 0 || i == len(known.versions)-1 {
		return nil
	}
	return &known
}

func (k *Reconciler) known(uid types.UID) writtenVersions {
	k.mu.Lock()
	defer k.mu.Unlock()
	return k.written[uid]
}

// setFinalizer adds the finalizer to a Secret, or removes it, and changes nothing else. The caller holds the lock.
func (k *Reconciler) setFinalizer(ctx context.Context, secret client.Object, keep bool) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	uid, before := secret.GetUID(), secret.GetResourceVersion()
	switch since := k.pendingWrites(secret); {
	case since == nil:
	case since.isKept == keep:
		return nil
	default:
		return patch.ErrStale
	}
	set := patch.RemoveFinalizer
	if keep {
		set = patch.AddFinalizer
	}
	if err := set(ctx, k.client, secret, v1beta1.AuthSecretFinalizer); err != nil {
		return err
	}
	run := append(k.run(uid, before), secret.GetResourceVersion())
	k.mu.Lock()
	defer k.mu.Unlock()
	k.written[uid] = writtenVersions{run[max(0, len(run)-maxTouched):], keep}
	return nil
}

// run returns the versions of a Secret that differ from the given one by the finalizer only; that one is the last.
func (k *Reconciler) run(uid types.UID, version string) []string {
	if run := k.known(uid).versions; len(run) > 0 && run[len(run)-1] == version {
		return run
	}
	return []string{version}
}

// VersionOf returns the versions of a broker's Secrets, and whether they differ from the recorded ones by the finalizer only.
func (k *Reconciler) VersionOf(ctx context.Context, b v1beta1.Broker) (version string, touched bool, err error) {
	recorded := b.CommonStatus().CredentialsVersion
	var now, before []string
	secrets := v1beta1.AuthSecrets(b)
	for _, field := range slices.Sorted(maps.Keys(secrets)) {
		same, err := k.same(ctx, field, secrets[field])
		if err != nil {
			return "", false, err
		}
		is := same[len(same)-1]
		was := is
		if i := slices.IndexFunc(same, func(s string) bool { return slices.Contains(strings.Fields(recorded), s) }); i >= 0 {
			was = same[i]
		}
		now, before = append(now, is), append(before, was)
	}
	version = strings.Join(now, " ")
	return version, version != recorded && strings.Join(before, " ") == recorded, nil
}

// same returns the versions of the Secret of a field that are the same to the broker; the present one is the last.
func (k *Reconciler) same(ctx context.Context, field string, name types.NamespacedName) ([]string, error) {
	defer k.lock(name)()
	secret := apiserver.Metadata("Secret")
	err := k.cache.Get(ctx, name, secret)
	switch {
	case apierrors.IsNotFound(err):
		return []string{field + "=none"}, nil
	case err != nil:
		return nil, fmt.Errorf("looking up Secret %s: %w", name, err)
	}
	var same []string
	for _, version := range k.run(secret.UID, secret.ResourceVersion) {
		same = append(same, fmt.Sprintf("%s=%s/%s", field, secret.UID, version))
	}
	return same, nil
}

// forget drops what is known of a Secret that was deleted.
func (k *Reconciler) forget(uid types.UID) {
	k.mu.Lock()
	defer k.mu.Unlock()
	delete(k.written, uid)
	delete(k.uses, uid)
	delete(k.announced, uid)
}

func (k *Reconciler) firstAnnouncement(uid types.UID) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	was := k.announced[uid]
	k.announced[uid] = true
	return !was
}
