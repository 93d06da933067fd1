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

import "sync"

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
