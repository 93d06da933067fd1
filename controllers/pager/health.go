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

package pager

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	lifecycle "github.com/gophernetes/bellhop/internal/lifecycle/alert"
	"github.com/gophernetes/bellhop/internal/notify/result"
)

// health is what this process has observed of receivers, in deliveries and probes.
type health struct {
	mu      sync.Mutex
	seen    map[senderKey]sighting
	changed func(senderKey) // may be nil
}

// sighting is what was observed of one receiver.
type sighting struct {
	delivered time.Time // when it last confirmed a message
	failed    time.Time // when it last did not
	lastError string    // what it answered then
	verdict   verdict
	// asked is the number of probes without an answer since the last change, next when the next one is due; asking: one is in flight.
	asked   int32
	next    time.Time
	asking  bool
	written time.Time // when its status was
	// probeAt is when the next Alert is sent to a receiver that looks misconfigured; slow: the quick retries have failed.
	probeAt time.Time
	slow    bool
}

// verdict is what an answer shows of a receiver. The zero value shows nothing.
type verdict struct {
	version string        // of the receiver, as in lifecycle.Target
	failure *result.Error // nil: it works
	untried bool          // the provider has no harmless call
	// delivery: it was a delivery, and the next one will show whether that has changed.
	delivery bool
}

// of returns what was observed of a receiver.
func (h *health) of(key senderKey) sighting {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen[key]
}

// update changes what was observed of a receiver, and reconciles it if the change is to be shown.
func (h *health) update(key senderKey, change func(s *sighting) (isNews bool)) {
	h.mu.Lock()
	if h.seen == nil {
		h.seen = map[senderKey]sighting{}
	}
	s := h.seen[key]
	isNews := change(&s)
	h.seen[key] = s
	h.mu.Unlock()
	if isNews && h.changed != nil {
		h.changed(key)
	}
}

// forget drops a receiver that was deleted.
func (h *health) forget(key senderKey) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.seen, key)
}

// note records the outcome of a delivery.
func (h *health) note(key senderKey, o lifecycle.Outcome) {
	h.update(key, func(s *sighting) bool {
		before := s.verdict
		if o.Failure == nil {
			s.verdict = verdict{version: o.Version}
			if o.ResendEvery == 0 {
				s.delivered = o.At
				return true
			}
			return before != s.verdict
		}
		failure := forAllToSee(key, o.Failure)
		s.failed, s.lastError = o.At, failure.Message
		if saysSomethingOf(failure) {
			s.verdict = verdict{version: o.Version, failure: failure, delivery: true}
		}
		return true
	})
}

// forAllToSee removes the provider's text about an Alert from a failure that all users of a ClusterReceiver can read; the Alert has it.
func forAllToSee(key senderKey, failure *result.Error) *result.Error {
	if key.ref.Kind != v1beta1.KindClusterReceiver || !strings.HasPrefix(failure.Message, "HTTP ") {
		return failure
	}
	short := *failure
	short.Message, _, _ = strings.Cut(failure.Message, ": ")
	return &short
}

// saysSomethingOf reports whether a failure is of the receiver, and not of a message or a busy receiver.
func saysSomethingOf(failure *result.Error) bool {
	ofMessage := []string{result.ReasonRateLimited, result.ReasonCanceled, result.ReasonConflict}
	return failure.Class != result.Permanent && !slices.Contains(ofMessage, failure.Reason)
}

// settled reports whether the receiver has answered, or cannot be probed: from then on only deliveries and changes matter.
func (v verdict) settled(version string) bool {
	return v.version == version && (v.failure == nil || v.delivery && v.failure.Class == result.Configuration)
}
