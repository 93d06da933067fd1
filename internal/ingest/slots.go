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

// turns lets what happens for an AlertSource happen one at a time. Nothing is kept of one for which nothing waits.
type turns struct {
	mu sync.Mutex
	of map[types.NamespacedName]*turn
}

type turn struct {
	taken chan struct{}
	users int // that have it or wait for it
}

// take waits for the turn of an AlertSource, and returns a function that ends it.
func (t *turns) take(ctx context.Context, name types.NamespacedName) (end func(), err error) {
	t.mu.Lock()
	if t.of == nil {
		t.of = map[types.NamespacedName]*turn{}
	}
	own := t.of[name]
	if own == nil {
		own = &turn{taken: make(chan struct{}, 1)}
		t.of[name] = own
	}
	own.users++
	t.mu.Unlock()
	select {
	case own.taken <- struct{}{}:
		return func() {
			<-own.taken
			t.leave(name, own)
		}, nil
	case <-ctx.Done():
		t.leave(name, own)
		return nil, ctx.Err()
	}
}

func (t *turns) leave(name types.NamespacedName, own *turn) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if own.users--; own.users == 0 {
		delete(t.of, name)
	}
}
