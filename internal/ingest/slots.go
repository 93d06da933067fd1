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

package ingest

import (
	"context"
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// slotsOf bounds what happens at the same time for each AlertSource, or each namespace. Nothing waits: a sender that is refused posts again.
type slotsOf[K comparable] struct {
	limit int
	mu    *sync.Mutex
	taken map[K]int
}

func newSlotsOf[K comparable](limit int) slotsOf[K] {
	return slotsOf[K]{limit: limit, mu: &sync.Mutex{}, taken: map[K]int{}}
}

func (s slotsOf[K]) take(name K) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[name] >= s.limit {
		return false
	}
	s.taken[name]++
	return true
}

func (s slotsOf[K]) release(name K) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[name]--; s.taken[name] == 0 {
		delete(s.taken, name)
	}
}

// locks are held by one goroutine at a time for each AlertSource. Nothing is kept of an AlertSource whose lock is free.
type locks struct {
	mu sync.Mutex
	of map[types.NamespacedName]*lock
}

type lock struct {
	held  chan struct{}
	users int // that hold it or wait for it
}

// acquire waits for the lock of an AlertSource, and returns a function that releases it.
func (l *locks) acquire(ctx context.Context, name types.NamespacedName) (release func(), err error) {
	l.mu.Lock()
	if l.of == nil {
		l.of = map[types.NamespacedName]*lock{}
	}
	own := l.of[name]
	if own == nil {
		own = &lock{held: make(chan struct{}, 1)}
		l.of[name] = own
	}
	own.users++
	l.mu.Unlock()
	select {
	case own.held <- struct{}{}:
		return func() {
			<-own.held
			l.leave(name, own)
		}, nil
	case <-ctx.Done():
		l.leave(name, own)
		return nil, ctx.Err()
	}
}

func (l *locks) leave(name types.NamespacedName, own *lock) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if own.users--; own.users == 0 {
		delete(l.of, name)
	}
}
