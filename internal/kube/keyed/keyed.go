// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package keyed bounds the concurrent work for each key, such as a namespace or an object.
package keyed

import (
	"context"
	"sync"

	"golang.org/x/sync/semaphore"
)

// Semaphores has a semaphore for each key, and keeps nothing of a key that has no holder and no waiter. All calls pass the same limit. The
// zero value is ready to use.
type Semaphores[K comparable] struct {
	mu sync.Mutex
	of map[K]*shared
}

// shared is the semaphore of a key, and how many callers hold it or wait for it.
type shared struct {
	*semaphore.Weighted

	users int
}

// Acquire waits until n of the limit of a key are free, and takes them until release. It returns the error of a context that ends before.
func (s *Semaphores[K]) Acquire(ctx context.Context, key K, n, limit int64) (release func(), err error) {
	own := s.use(key, limit)
	if err := own.Acquire(ctx, n); err != nil {
		s.leave(key, own)
		return nil, err
	}
	return func() {
		own.Release(n)
		s.leave(key, own)
	}, nil
}

// TryAcquire takes n of the limit of a key until release. It returns nil if they are not free.
func (s *Semaphores[K]) TryAcquire(key K, n, limit int64) (release func()) {
	own := s.use(key, limit)
	if !own.TryAcquire(n) {
		s.leave(key, own)
		return nil
	}
	return func() {
		own.Release(n)
		s.leave(key, own)
	}
}

// Len returns how many keys have a holder or a waiter.
func (s *Semaphores[K]) Len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.of)
}

func (s *Semaphores[K]) use(key K, limit int64) *shared {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.of == nil {
		s.of = map[K]*shared{}
	}
	own := s.of[key]
	if own == nil {
		own = &shared{Weighted: semaphore.NewWeighted(limit)}
		s.of[key] = own
	}
	own.users++
	return own
}

func (s *Semaphores[K]) leave(key K, own *shared) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if own.users--; own.users == 0 {
		delete(s.of, key)
	}
}
