// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package consistency

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// quorum is an API server that lists in pages of one.
type quorum struct {
	client.Reader
	items []metav1.PartialObjectMetadata
	lists int
	gone  bool // since the list
	asked int
	fail  error
}

func (q *quorum) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	q.asked++
	if q.gone {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "things"}, key.Name)
	}
	return nil
}

func (q *quorum) List(_ context.Context, list client.ObjectList, opts ...client.ListOption) error {
	if q.fail != nil {
		return q.fail
	}
	q.lists++
	o := (&client.ListOptions{}).ApplyOptions(opts)
	at := len(o.Continue)
	l := list.(*metav1.PartialObjectMetadataList)
	l.Items, l.ResourceVersion, l.Continue = q.items[at:at+1], "100", ""
	if at+1 < len(q.items) {
		l.Continue = o.Continue + "x"
	}
	return nil
}

// shown is a cache that has objects of each version from a time on.
type shown struct {
	client.Reader
	since map[string]time.Time
}

func (s shown) Get(_ context.Context, key client.ObjectKey, o client.Object, _ ...client.GetOption) error {
	o.SetResourceVersion("")
	for version, since := range s.since {
		if version > o.GetResourceVersion() && !time.Now().Before(since) {
			o.SetResourceVersion(version)
		}
	}
	if o.GetResourceVersion() == "" {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "things"}, key.Name)
	}
	return nil
}

// newTestFreshness is of a cache and an API server.
func newTestFreshness(cache, live client.Reader) *ObjectFreshness {
	_, f := newTestBarrier(cache, live)
	return f
}

func newTestBarrier(cache, live client.Reader) (*CacheBarrier, *ObjectFreshness) {
	w := &CacheBarrier{Cache: cache, Live: live}
	return w, w.Of(schema.GroupVersionKind{Kind: "Thing"}, &metav1.PartialObjectMetadata{})
}

func object(uid, version string) *metav1.PartialObjectMetadata {
	return &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{UID: types.UID(uid), ResourceVersion: version}}
}

func TestAnObjectIsFreshOnceTheCacheShowsWhatTheQuorumDid(t *testing.T) {
	q := &quorum{items: []metav1.PartialObjectMetadata{*object("a", "50"), *object("b", "60")}}
	f := newTestFreshness(shown{}, q)
	for name, c := range map[string]struct {
		object *metav1.PartialObjectMetadata
		want   bool
	}{
		"as it was listed":           {object("a", "50"), true},
		"from before the last write": {object("a", "49"), false},
		"from before, longer number": {object("b", "7"), false},
		"written since":              {object("b", "101"), true},
		"created since":              {object("c", "101"), true},
		"deleted before":             {object("d", "99"), false},
	} {
		got, err := f.IsFresh(t.Context(), c.object)
		if err != nil || got != c.want {
			t.Errorf("%s: fresh is %v, %v, want %v", name, got, err, c.want)
		}
	}
	if q.lists != 2 {
		t.Errorf("listed %d pages, want each of the two once", q.lists)
	}
}

func TestWithoutAListNothingIsFresh(t *testing.T) {
	q := &quorum{items: []metav1.PartialObjectMetadata{*object("a", "50")}, fail: errors.New("away")}
	f := newTestFreshness(shown{}, q)
	if fresh, err := f.IsFresh(t.Context(), object("a", "50")); err == nil || fresh {
		t.Errorf("fresh is %v, %v, want an error", fresh, err)
	}
	q.fail = nil
	if fresh, err := f.IsFresh(t.Context(), object("a", "50")); err != nil || !fresh {
		t.Errorf("fresh is %v, %v once the API server is back", fresh, err)
	}
}

// TestTheCacheCatchesUp: what it does not show may be what something else is needed for.
func TestTheCacheCatchesUp(t *testing.T) {
	for name, c := range map[string]struct {
		since map[string]time.Duration
		gone  bool
		took  time.Duration
		asked int
	}{
		"it shows all":                {map[string]time.Duration{"50": 0}, false, 0, 0},
		"what was written since":      {map[string]time.Duration{"51": 0}, false, 0, 0},
		"it lags":                     {map[string]time.Duration{"50": time.Second}, false, time.Second, 1},
		"it shows an older one first": {map[string]time.Duration{"49": 0, "50": 3 * time.Second}, false, 3 * time.Second, 2},
		"what has gone since":         {nil, true, 0, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			began, since := time.Now(), map[string]time.Time{}
			for version, after := range c.since {
				since[version] = began.Add(after)
			}
			q := &quorum{items: []metav1.PartialObjectMetadata{*object("a", "50"), *object("b", "50")}, gone: c.gone}
			w, _ := newTestBarrier(shown{since: since}, q)
			for range 2 {
				if err := w.WaitForSync(t.Context()); err != nil {
					t.Errorf("%s: %v", name, err)
				}
			}
			if took := time.Since(began); took != c.took || q.asked != c.asked || q.lists != len(q.items) {
				t.Errorf("%s: took %s, asked %d times, %d lists", name, took, q.asked, q.lists)
			}
		})
	}
}

// TestAKindIsTakenInOnce: each is listed from a quorum.
func TestAKindIsTakenInOnce(t *testing.T) {
	w, f := newTestBarrier(shown{}, &quorum{})
	if w.Of(f.gvk, &metav1.PartialObjectMetadata{}) != f || len(w.kinds) != 1 {
		t.Errorf("%d kinds", len(w.kinds))
	}
}

func TestWhoStopsDoesNotCatchUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
		defer cancel()
		w, _ := newTestBarrier(shown{}, &quorum{items: []metav1.PartialObjectMetadata{*object("a", "50")}})
		if err := w.WaitForSync(ctx); err == nil || !strings.Contains(err.Error(), "Thing") {
			t.Errorf("it has caught up: %v", err)
		}
	})
}
