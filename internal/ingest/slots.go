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
	"sync"

	"k8s.io/apimachinery/pkg/types"
)

// slots bound what happens at the same time. Nothing waits: a sender that is refused posts again.
type slots chan struct{}

func newSlots(n int) slots { return make(slots, n) }

func (s slots) take() bool {
	select {
	case s <- struct{}{}:
		return true
	default:
		return false
	}
}

func (s slots) release() { <-s }

// slotsOf bounds what happens at the same time for each AlertSource.
type slotsOf struct {
	limit int
	mu    *sync.Mutex
	taken map[types.NamespacedName]int
}

func newSlotsOf(limit int) slotsOf {
	return slotsOf{limit: limit, mu: &sync.Mutex{}, taken: map[types.NamespacedName]int{}}
}

func (s slotsOf) take(name types.NamespacedName) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[name] >= s.limit {
		return false
	}
	s.taken[name]++
	return true
}

func (s slotsOf) release(name types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.taken[name]--; s.taken[name] == 0 {
		delete(s.taken, name)
	}
}
