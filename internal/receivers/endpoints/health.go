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

package endpoints

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	lifecycle "github.com/gophernetes/bellhop/internal/lifecycle/alert"
	"github.com/gophernetes/bellhop/internal/notify/result"
)

// Health is what this process has observed of receivers, in deliveries and probes.
type Health struct {
	mu       sync.Mutex
	seen     map[Key]Observation
	OnChange func(Key) // may be nil
}

// Observation is what was observed of one receiver.
type Observation struct {
	Delivered time.Time // when it last confirmed a message
	Failed    time.Time // when it last did not
	LastError string    // what it answered then
	Proof     Proof
	// Probes is the number of probes without an answer since the last change, next when the next one is due; asking: one is in flight.
	Probes    int32
	NextProbe time.Time
	Probing   bool
	Written   time.Time // when its status was
	// NextDelivery is when the next Alert is sent to a receiver that looks misconfigured; slow: the quick retries have failed.
	NextDelivery time.Time
	Slow         bool
}

// Proof is what an answer shows of a receiver. The zero value shows nothing.
type Proof struct {
	Version   string        // of the receiver, as in lifecycle.Target
	Failure   *result.Error // nil: it works
	NotProbed bool          // the provider has no harmless call
	// Delivery: it was a delivery, and the next one will show whether that has changed.
	Delivery bool
}

// Of returns what was observed of a receiver.
func (h *Health) Of(key Key) Observation {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen[key]
}

// Update changes what was observed of a receiver, and reconciles it if the change is to be shown.
func (h *Health) Update(key Key, change func(s *Observation) (isNews bool)) {
	h.mu.Lock()
	if h.seen == nil {
		h.seen = map[Key]Observation{}
	}
	s := h.seen[key]
	isNews := change(&s)
	h.seen[key] = s
	h.mu.Unlock()
	if isNews && h.OnChange != nil {
		h.OnChange(key)
	}
}

// Forget drops a receiver that was deleted.
func (h *Health) Forget(key Key) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.seen, key)
}

// ObserveDelivery records the outcome of a delivery.
func (h *Health) ObserveDelivery(key Key, o lifecycle.Outcome) {
	h.Update(key, func(s *Observation) bool {
		before := s.Proof
		if o.Failure == nil {
			s.Proof = Proof{Version: o.Version}
			if o.ResendEvery == 0 {
				s.Delivered = o.At
				return true
			}
			return before != s.Proof
		}
		failure := withoutProviderText(key, o.Failure)
		s.Failed, s.LastError = o.At, failure.Message
		if isOfReceiver(failure) {
			s.Proof = Proof{Version: o.Version, Failure: failure, Delivery: true}
		}
		return true
	})
}

// withoutProviderText removes the provider's text about an Alert from a failure that all users of a ClusterReceiver can read; the Alert has it.
func withoutProviderText(key Key, failure *result.Error) *result.Error {
	if key.Ref.Kind != v1beta1.KindClusterReceiver || !strings.HasPrefix(failure.Message, "HTTP ") {
		return failure
	}
	short := *failure
	short.Message, _, _ = strings.Cut(failure.Message, ": ")
	return &short
}

// isOfReceiver reports whether a failure is of the receiver, and not of a message or a busy receiver.
func isOfReceiver(failure *result.Error) bool {
	ofMessage := []string{result.ReasonRateLimited, result.ReasonCanceled, result.ReasonConflict}
	return failure.Class != result.Permanent && !slices.Contains(ofMessage, failure.Reason)
}

// IsFinal reports whether the receiver has answered, or cannot be probed: from then on only deliveries and changes matter.
func (v Proof) IsFinal(version string) bool {
	return v.Version == version && (v.Failure == nil || v.Delivery && v.Failure.Class == result.Configuration)
}
