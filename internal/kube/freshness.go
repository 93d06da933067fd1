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

package kube

import (
	"context"
	"fmt"
	"sync"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/resourceversion"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
)

// Freshness keeps a new leader from acting on a cache that lags behind what the
// leader before it wrote. When first asked it lists the metadata of all objects
// of a kind from a quorum; an object is fresh once the cache shows it no older
// than that. Our own later writes are the business of the client
// (EnableReadYourWritesConsistency).
type Freshness struct {
	live client.Reader
	gvk  schema.GroupVersionKind

	mu     sync.Mutex
	listed string // resourceVersion of the list; empty before it
	known  map[types.UID]listedObject
}

// listedObject is an object as it was when the list was made.
type listedObject struct {
	version    string
	generation int64
}

// NewFreshness asks live, which must not be a cache, about objects of gvk.
func NewFreshness(live client.Reader, gvk schema.GroupVersionKind) *Freshness {
	return &Freshness{live: live, gvk: gvk}
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

// Begin makes the list now and not when it is first needed, so that what is created from now
// on is known to be new. If that fails it is made when it is needed.
func (f *Freshness) Begin(ctx context.Context) error {
	_, _, err := f.floor(ctx, "")
	if err != nil {
		log.FromContext(ctx).V(1).Info("Could not list objects yet", "kind", f.gvk.Kind, "error", err.Error())
	}
	return nil
}

// Since says which generation obj had when the first list was made: what is asked for by
// later ones, no process that led before can have acted on. It is 0 if obj did not exist.
// IsFresh has to have been asked before.
func (f *Freshness) Since(obj client.Object) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.known[obj.GetUID()].generation
}

func (f *Freshness) floor(ctx context.Context, uid types.UID) (listed, known string, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.listed == "" {
		if err := f.list(ctx); err != nil {
			return "", "", fmt.Errorf("listing %s to learn how far the cache must be: %w", f.gvk.Kind, err)
		}
	}
	return f.listed, f.known[uid].version, nil
}

func (f *Freshness) list(ctx context.Context) error {
	const page = 500
	known := map[types.UID]listedObject{}
	list := &metav1.PartialObjectMetadataList{}
	list.SetGroupVersionKind(f.gvk.GroupVersion().WithKind(f.gvk.Kind + "List"))
	for next := ""; ; next = list.Continue {
		if err := f.live.List(ctx, list, client.Limit(page), client.Continue(next)); err != nil {
			return err
		}
		for i := range list.Items {
			known[list.Items[i].UID] = listedObject{list.Items[i].ResourceVersion, list.Items[i].Generation}
		}
		if list.Continue == "" {
			f.listed, f.known = list.ResourceVersion, known
			return nil
		}
	}
}
