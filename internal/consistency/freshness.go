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

// lookInterval is how often a cache is looked at that lags.
const lookInterval = 20 * time.Millisecond

// Freshness keeps a new leader from acting on a cache that lags behind what the
// leader before it wrote. When first asked it lists the metadata of all objects
// of a kind from a quorum; an object is fresh once the cache shows it no older
// than that. Our own later writes are the business of the client
// (EnableReadYourWritesConsistency).
type Freshness struct {
	cache, live client.Reader
	gvk         schema.GroupVersionKind
	seen        client.Object // what the cache's objects are read into

	mu      sync.Mutex
	listed  string               // resourceVersion of the list; empty before it
	known   map[types.UID]string // their resourceVersions in the list
	lagging []laggard
}

// laggard is an object that the cache did not show yet as the list did.
type laggard struct {
	name    types.NamespacedName
	version string
}

// Overview is what there is of several kinds. Whoever does something because of what there is
// not, or no more, has to have it: what a cache that lags does not show may be what a binding is
// for, or where an Alert was sent.
type Overview struct {
	// Cache has the objects, and does not wait for our own writes; Live is no cache.
	Cache, Live client.Reader
	kinds       []*Freshness
	caughtUp    atomic.Bool
}

// Of takes a kind in, whose objects are of o's type, unless it is in.
func (w *Overview) Of(gvk schema.GroupVersionKind, o client.Object) *Freshness {
	for _, f := range w.kinds {
		if f.gvk == gvk {
			return f
		}
	}
	f := &Freshness{cache: w.Cache, live: w.Live, gvk: gvk, seen: o}
	w.kinds = append(w.kinds, f)
	return f
}

// CatchUp waits until the cache shows all that there was when this process began to lead, as it was
// then or later, but for what has gone since.
func (w *Overview) CatchUp(ctx context.Context) error {
	if w.caughtUp.Load() {
		return nil
	}
	for _, f := range w.kinds {
		if err := f.catchUp(ctx); err != nil {
			return err
		}
	}
	w.caughtUp.Store(true)
	return nil
}

// IsFresh says whether obj, from the cache, may be acted on. If not, an event
// with a newer version or its deletion is on its way.
func (f *Freshness) IsFresh(ctx context.Context, obj client.Object) (bool, error) {
	listed, atLeast, err := f.floor(ctx, obj.GetUID())
	if err != nil {
		return false, err
	}
	if atLeast == "" { // not in the list: created since, or deleted before
		atLeast = listed
	}
	order, err := resourceversion.CompareResourceVersion(obj.GetResourceVersion(), atLeast)
	if err != nil {
		return false, fmt.Errorf("comparing resource versions: %w", err)
	}
	return order >= 0, nil
}

func (f *Freshness) catchUp(ctx context.Context) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.begin(ctx); err != nil {
		return err
	}
	for ; len(f.lagging) > 0; f.lagging = f.lagging[1:] {
		if err := f.await(ctx, f.lagging[0]); err != nil {
			return fmt.Errorf("waiting for the cache to have %s %s: %w", f.gvk.Kind, f.lagging[0].name, err)
		}
	}
	f.lagging = nil
	return nil
}

// await waits until the cache shows an object, or it has gone: then it may never be shown.
func (f *Freshness) await(ctx context.Context, o laggard) error {
	shows := func(ctx context.Context) (bool, error) { return f.shows(ctx, o) }
	if shown, err := f.shows(ctx, o); shown || err != nil {
		return err
	}
	for doubt := firstDoubt; ; doubt = min(2*doubt, lastDoubt) {
		if err := f.probe(ctx, o.name); err != nil {
			return client.IgnoreNotFound(err)
		}
		if err := wait.PollUntilContextTimeout(ctx, lookInterval, doubt, true, shows); !wait.Interrupted(err) || ctx.Err() != nil {
			return err
		}
		log.FromContext(ctx).Info("Waiting for the cache to show an object", "kind", f.gvk.Kind, "object", o.name)
	}
}

// probe asks the API server whether an object is there: NotFound, or another error, says that it may not be.
func (f *Freshness) probe(ctx context.Context, name types.NamespacedName) error {
	there := &metav1.PartialObjectMetadata{}
	there.SetGroupVersionKind(f.gvk)
	return f.live.Get(ctx, name, there)
}

// shows says whether the cache has an object of the name that is no older.
func (f *Freshness) shows(ctx context.Context, o laggard) (bool, error) {
	err := f.cache.Get(ctx, o.name, f.seen, client.UnsafeDisableDeepCopy)
	if apierrors.IsNotFound(err) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	order, err := resourceversion.CompareResourceVersion(f.seen.GetResourceVersion(), o.version)
	return order >= 0, err
}

func (f *Freshness) floor(ctx context.Context, uid types.UID) (listed, known string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	err = f.begin(ctx)
	return f.listed, f.known[uid], err
}

// begin makes the list, unless it is made.
func (f *Freshness) begin(ctx context.Context) error {
	if f.listed != "" {
		return nil
	}
	if err := f.list(ctx); err != nil {
		return fmt.Errorf("listing %s to learn how far the cache must be: %w", f.gvk.Kind, err)
	}
	return nil
}

func (f *Freshness) list(ctx context.Context) error {
	known, lagging := map[types.UID]string{}, []laggard(nil)
	listed, err := ListMetadata(ctx, f.live, f.gvk, func(meta *metav1.PartialObjectMetadata) error {
		known[meta.UID] = meta.ResourceVersion
		o := laggard{client.ObjectKeyFromObject(meta), meta.ResourceVersion}
		shown, err := f.shows(ctx, o)
		if !shown {
			lagging = append(lagging, o)
		}
		return err
	})
	if err == nil {
		f.listed, f.known, f.lagging = listed, known, lagging
	}
	return err
}
