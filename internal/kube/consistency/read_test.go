// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package consistency

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// stale is a cache that shows our own last write after a time, and an API server.
type stale struct {
	client.Reader
	after time.Duration
	gone  bool
	asked int
	began time.Time
}

func (s *stale) Get(ctx context.Context, _ client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Until(s.began.Add(s.after))):
		return nil
	}
}

func (s *stale) List(ctx context.Context, _ client.ObjectList, _ ...client.ListOption) error {
	return s.Get(ctx, client.ObjectKey{}, nil)
}

type apiServer struct{ *stale }

func (s apiServer) Get(_ context.Context, key client.ObjectKey, _ client.Object, _ ...client.GetOption) error {
	s.asked++
	if s.gone {
		return apierrors.NewNotFound(schema.GroupResource{Resource: "things"}, key.Name)
	}
	return nil
}

func TestWhatHasGoneIsNotWaitedFor(t *testing.T) {
	for why, c := range map[string]struct {
		after time.Duration
		gone  bool
		asked int
	}{
		"the cache is up to date":     {0, false, 0},
		"it lags":                     {5 * time.Second, false, 1},
		"it will never show it again": {time.Hour, true, 1},
	} {
		synctest.Test(t, func(t *testing.T) {
			l := &stale{after: c.after, gone: c.gone, began: time.Now()}
			f := newTestFreshness(l, apiServer{l})
			err := f.Read(t.Context(), l, client.ObjectKey{Name: "a"}, object("a", "1"))
			if apierrors.IsNotFound(err) != c.gone || !c.gone && err != nil || l.asked != c.asked {
				t.Errorf("%s: %v, asked %d times", why, err, l.asked)
			}
		})
	}
}

func TestOurWritesAreNotWaitedForForEver(t *testing.T) {
	for after, took := range map[time.Duration]time.Duration{0: 0, time.Second: time.Second, time.Hour: firstProbe} {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			r := ReadYourWrites(&stale{after: after, began: began}, &stale{began: began})
			if err := r.List(t.Context(), nil); err != nil || time.Since(began) != took {
				t.Errorf("shown after %s: a list took %s, want %s: %v", after, time.Since(began), took, err)
			}
			again := time.Now()
			if err := r.Get(t.Context(), client.ObjectKey{}, nil); err != nil || time.Since(again) > firstProbe {
				t.Errorf("shown after %s: a get took %s: %v", after, time.Since(again), err)
			}
		})
	}
}

func TestAnEndIsNotWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 3*time.Second)
		defer cancel()
		l := &stale{after: time.Hour, began: time.Now()}
		if err := newTestFreshness(l, apiServer{l}).Read(ctx, l, client.ObjectKey{}, object("a", "1")); err == nil {
			t.Error("it was read")
		}
	})
}
