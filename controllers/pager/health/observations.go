// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

// observations is the process's memory of objects with the label.
type observations struct {
	mu       sync.Mutex
	byObject map[types.UID]observation
}

type observation struct {
	answer       string
	began        time.Time         // of this answer
	hasRecovered bool              // an answer was a recovery since the Alert fired
	warnings     map[string]string // by reason: the messages of which there was an event last
}

// since returns since when the answer is as it is, and whether there was a recovery before it.
func (s *observations) since(uid types.UID, answer string, now time.Time) (began time.Time, hasRecovered bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.byObject[uid]
	if seen.began.IsZero() || seen.answer != answer {
		seen.answer, seen.began = answer, now
	}
	seen.hasRecovered = seen.hasRecovered || healthrules.IsRecovery(answer)
	s.set(uid, seen)
	return seen.began, seen.hasRecovered
}

// fired records that the Alert has fired.
func (s *observations) fired(uid types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.byObject[uid]
	seen.hasRecovered = false
	s.set(uid, seen)
}

// isNewWarning reports whether there was no event with this message since the last other one of its reason.
func (s *observations) isNewWarning(uid types.UID, reason, message string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.byObject[uid]
	if seen.warnings == nil {
		seen.warnings = map[string]string{}
	}
	isNew := seen.warnings[reason] != message
	seen.warnings[reason] = message
	s.set(uid, seen)
	return isNew
}

// clearWarnings lets the next warning of some reasons be new: their cause has ended.
func (s *observations) clearWarnings(uid types.UID, reasons ...string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, reason := range reasons {
		delete(s.byObject[uid].warnings, reason)
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
