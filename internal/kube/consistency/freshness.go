// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package consistency says whether a cache shows the writes of the leader before this process, and of this process.
package consistency

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"k8s.io/apimachinery/pkg/util/wait"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// pollInterval is how often a cache that lags is read.
const pollInterval = 20 * time.Millisecond

// ObjectFreshness reports whether the cache shows the objects of a kind as the leader before this process left them. On first
// use it lists the metadata of all of them from a quorum; an object is fresh once the cache shows it no older than that list.
// This process's own writes are shown by the client (EnableReadYourWritesConsistency).
type ObjectFreshness struct {
	cache, live client.Reader
	gvk         schema.GroupVersionKind
	into        client.Object // that the cache's objects are read into

	mu     sync.Mutex
	listed string               // resourceVersion of the list; empty before it
	known  map[types.UID]string // their resource versions in the list
	stale  []staleObject
}

// staleObject is an object that the cache showed older than the list when that was made, or not at all.
type staleObject struct {
	name    types.NamespacedName
	version string
}

// CacheBarrier waits until the cache shows all objects of several kinds as they were when this process began to lead. It comes
// before every decision that follows from the absence of an object: a cache that lags may not show the instance of a binding,
// or the receiver that an Alert was sent to.
type CacheBarrier struct {
	// Cache does not wait for this process's own writes; Live reads from the API server.
	Cache, Live client.Reader
	kinds       []*ObjectFreshness
	synced      atomic.Bool
}

// Of adds a kind, whose objects have o's type, unless it was added before.
func (c *CacheBarrier) Of(gvk schema.GroupVersionKind, o client.Object) *ObjectFreshness {
	for _, f := range c.kinds {
		if f.gvk == gvk {
			return f
		}
	}
	f := &ObjectFreshness{cache: c.Cache, live: c.Live, gvk: gvk, into: o}
	c.kinds = append(c.kinds, f)
	return f
}

// Start lists every kind when this process begins to lead. A list with the first object that is reconciled would be too late: it would have objects
// that the cache shows later, and each of them would be read. The barrier is a manager.Runnable. A list that fails is made when it is needed.
func (c *CacheBarrier) Start(ctx context.Context) error {
	for _, f := range c.kinds {
		if _, _, err := f.floor(ctx, ""); err != nil {
			log.FromContext(ctx).V(1).Info("Could not list objects yet", "kind", f.gvk.Kind, "error", err.Error())
		}
	}
	return nil
}

// WaitForSync blocks until the cache shows every object that existed when this process began to lead, as it was then or newer,
// except for those that were deleted since. It returns an error if a list or a read fails, or ctx ends.
func (c *CacheBarrier) WaitForSync(ctx context.Context) error {
	if c.synced.Load() {
		return nil
	}
	for _, f := range c.kinds {
		if err := f.waitForSync(ctx); err != nil {
			return err
		}
	}
	c.synced.Store(true)
	return nil
}

// IsFresh reports whether obj, read from the cache, may be acted on. If not, the cache will receive a newer version or the
// deletion, which causes another reconcile.
func (f *ObjectFreshness) IsFresh(ctx context.Context, obj client.Object) (bool, error) {
	listed, atLeast, err := f.floor(ctx, obj.GetUID())
	if err != nil {
		return false, err
	}
	if atLeast == "" { // not in the list: created after it, or deleted before
		atLeast = listed
	}
	order, err := resourceversion.CompareResourceVersion(obj.GetResourceVersion(), atLeast)
	if err != nil {
		return false, fmt.Errorf("comparing resource versions: %w", err)
	}
	return order >= 0, nil
}

func (f *ObjectFreshness) waitForSync(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.begin(ctx); err != nil {
		return err
	}
	for ; len(f.stale) > 0; f.stale = f.stale[1:] {
		if err := f.await(ctx, f.stale[0]); err != nil {
			return fmt.Errorf("waiting for the cache to have %s %s: %w", f.gvk.Kind, f.stale[0].name, err)
		}
	}
	f.stale = nil
	return nil
}

// await blocks until the cache shows an object, or the API server says that it does not exist: the cache may never show it.
func (f *ObjectFreshness) await(ctx context.Context, o staleObject) error {
	shows := func(ctx context.Context) (bool, error) { return f.shows(ctx, o) }
	if shown, err := f.shows(ctx, o); shown || err != nil {
		return err
	}
	for interval := firstProbe; ; interval = min(2*interval, lastProbe) {
		if err := f.probe(ctx, o.name); err != nil {
			return client.IgnoreNotFound(err)
		}
		if err := wait.PollUntilContextTimeout(ctx, pollInterval, interval, true, shows); !wait.Interrupted(err) || ctx.Err() != nil {
			return err
		}
		log.FromContext(ctx).Info("Waiting for the cache to show an object", "kind", f.gvk.Kind, "object", o.name)
	}
}

// probe reads an object's metadata from the API server; it returns NotFound if the object does not exist.
func (f *ObjectFreshness) probe(ctx context.Context, name types.NamespacedName) error {
	there := &metav1.PartialObjectMetadata{}
	there.SetGroupVersionKind(f.gvk)
	return f.live.Get(ctx, name, there)
}

// shows reports whether the cache has an object of the name that is no older than the listed version.
func (f *ObjectFreshness) shows(ctx context.Context, o staleObject) (bool, error) {
	err := f.cache.Get(ctx, o.name, f.into, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	order, err := resourceversion.CompareResourceVersion(f.into.GetResourceVersion(), o.version)
	return order >= 0, err
}

func (f *ObjectFreshness) floor(ctx context.Context, uid types.UID) (listed, known string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err = f.begin(ctx)
	return f.listed, f.known[uid], err
}

// begin makes the list, once.
func (f *ObjectFreshness) begin(ctx context.Context) error {
	if f.listed != "" {
		return nil
	}
	if err := f.list(ctx); err != nil {
		return fmt.Errorf("listing %s to learn how far the cache must be: %w", f.gvk.Kind, err)
	}
	return nil
}

func (f *ObjectFreshness) list(ctx context.Context) error {
	known, stale := map[types.UID]string{}, []staleObject(nil)
	listed, err := ListMetadata(ctx, f.live, f.gvk, func(meta *metav1.PartialObjectMetadata) error {
		known[meta.UID] = meta.ResourceVersion
		o := staleObject{client.ObjectKeyFromObject(meta), meta.ResourceVersion}
		shown, err := f.shows(ctx, o)
		if !shown {
			stale = append(stale, o)
		}
		return err
	})
	if err == nil {
		f.listed, f.known, f.stale = listed, known, stale
	}
	return err
}
