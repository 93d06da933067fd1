// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoints

import (
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Health is the state of receivers as this process's deliveries and probes have shown it.
type Health struct {
	mu       sync.Mutex
	seen     map[Key]Observation
	OnChange func(Key) // reconciles the receiver; may be nil
}

// Observation is the state of one receiver, as deliveries and probes have shown it.
type Observation struct {
	Delivered time.Time // when the receiver last confirmed a message
	Failed    time.Time // when a delivery or a probe last failed
	LastError string    // the message of that failure
	Proof     Proof
	// Probes is the number of probes of the version of Proof.
	Probes    int32
	NextProbe time.Time // when the next probe is due
	Probing   bool      // a probe is in flight
	Written   time.Time // when the status of the receiver was last written
	// NextDelivery is when the next Alert is sent to a receiver that looks misconfigured. Slow: the quick retries have failed.
	NextDelivery time.Time
	Slow         bool
}

// Proof is the result of the last delivery or probe of a receiver. The zero value shows nothing.
type Proof struct {
	Version   string        // of the receiver, as in alertrules.Target
	Failure   *result.Error // nil: it works
	NotProbed bool          // the provider has no request that checks a receiver without sending a message
	// Refused is why some of the receiver's recipients do not get messages; "": all do.
	Refused string
	// Delivery: Failure is a delivery's, not a probe's. No probe follows; the next delivery shows whether the receiver works again.
	Delivery bool
}

// Of returns the observation of a receiver.
func (h *Health) Of(key Key) Observation {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.seen[key]
}

// Update changes the observation of a receiver, and reconciles the receiver if its status shows the change.
func (h *Health) Update(key Key, change func(seen *Observation) (isShown bool)) {
	if h.update(key, change) && h.OnChange != nil {
		h.OnChange(key)
	}
}

func (h *Health) update(key Key, change func(seen *Observation) (isShown bool)) (isShown bool) {
	h.mu.Lock()
	defer h.mu.Unlock() // also after a panic of change
	if h.seen == nil {
		h.seen = map[Key]Observation{}
	}
	seen := h.seen[key]
	isShown = change(&seen)
	h.seen[key] = seen
	return isShown
}

// Forget drops a receiver that was deleted.
func (h *Health) Forget(key Key) {
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.seen, key)
}

// ObserveDelivery records the outcome of a delivery.
func (h *Health) ObserveDelivery(key Key, o alertrules.Outcome) {
	h.Update(key, func(seen *Observation) bool {
		if o.Failure != nil {
			seen.fail(key, o.Version, o.Failure, o.At)
			return true
		}
		seen.Proof, seen.Delivered = Proof{Version: o.Version, Refused: o.Receipt.Refused}, o.At
		return true
	})
}

// ObserveRepost records the outcome of a repost to a version of a receiver. A repost is no new message: a success is shown only if the
// receiver has failed before.
func (h *Health) ObserveRepost(key Key, version string, failure *result.Error, at time.Time) {
	h.Update(key, func(seen *Observation) bool {
		if failure != nil {
			seen.fail(key, version, failure, at)
			return true
		}
		before := seen.Proof
		seen.Proof = Proof{Version: version}
		return before != seen.Proof
	})
}

// fail records a request that failed.
func (seen *Observation) fail(key Key, version string, failure *result.Error, at time.Time) {
	failure = withoutProviderText(key, failure)
	seen.Failed, seen.LastError = at, failure.Message
	if failure.Partial == "" && isOfReceiver(failure) {
		seen.Proof = Proof{Version: version, Failure: failure, Delivery: true}
	}
}

// withoutProviderText removes the provider's text about an Alert from a failure of a ClusterReceiver, whose status the users of other
// namespaces can read. The status of the Alert has the text.
func withoutProviderText(key Key, failure *result.Error) *result.Error {
	if key.Ref.Kind != v1beta1.KindClusterReceiver || !strings.HasPrefix(failure.Message, "HTTP ") {
		return failure
	}
	short := *failure
	short.Message, _, _ = strings.Cut(failure.Message, ": ")
	return &short
}

// isOfReceiver reports whether a failure shows that the receiver does not work. It does not if it is about the message, or if the receiver
// is busy.
func isOfReceiver(failure *result.Error) bool {
	ofMessage := []string{result.ReasonRateLimited, result.ReasonCanceled, result.ReasonConflict, result.ReasonInternalError}
	return failure.Class != result.Permanent && !slices.Contains(ofMessage, failure.Reason)
}

// IsFinal reports whether this version of the receiver needs no further probe: a delivery or a probe has succeeded, the provider has no
// probe, or a delivery was answered in a way that looks like a misconfiguration.
func (p Proof) IsFinal(version string) bool {
	isRefusedDelivery := p.Delivery && p.Failure != nil && (p.Failure.Class == result.Configuration || p.Failure.Class == result.Unconfirmed)
	return p.Version == version && (p.Failure == nil || isRefusedDelivery)
}
