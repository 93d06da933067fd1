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

package health

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// observations is what the process remembers of objects with the label.
type observations struct {
	mu       sync.Mutex
	byObject map[types.UID]observation
}

type observation struct {
	answer     string
	began      time.Time // of this answer
	hasChanged bool      // there was another answer before
	warning    string    // of which there was an event
}

// since returns since when the answer is as it is, and whether there was another one before.
func (s *observations) since(uid types.UID, answer string, now time.Time) (began time.Time, hasChanged bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.byObject[uid]
	if seen.began.IsZero() || seen.answer != answer {
		seen.answer, seen.began, seen.hasChanged = answer, now, !seen.began.IsZero()
	}
	s.set(uid, seen)
	return seen.began, seen.hasChanged
}

// isNewWarning reports whether there was no event with this message since the last other one.
func (s *observations) isNewWarning(uid types.UID, message string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.byObject[uid]
	isNew := seen.warning != message
	seen.warning = message
	s.set(uid, seen)
	return isNew
}

func (s *observations) clearWarning(uid types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seen := s.byObject[uid]; seen.warning != "" {
		seen.warning = ""
		s.set(uid, seen)
	}
}

func (s *observations) forget(uid types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byObject, uid)
}

func (s *observations) set(uid types.UID, seen observation) {
	if s.byObject == nil {
		s.byObject = map[types.UID]observation{}
	}
	s.byObject[uid] = seen
}
