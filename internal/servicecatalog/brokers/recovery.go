// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"sync"
	"time"
)

// Recoveries records when brokers recovered from failures to create resources, for the objects that wait for hours until their next attempt. A
// broker that answers 500 to a request to create may answer the removal after it with success. Then Successes and the Limiter of the broker show no
// failure.
type Recoveries struct {
	mu sync.Mutex
	of map[Key]recovery
}

// recovery has the health of one broker. The zero value means an unknown broker, which another process may have seen fail.
type recovery struct {
	healthy bool
	since   time.Time
}

// Since returns when a broker first succeeded after a failure; zero: not yet.
func (r *Recoveries) Since(key Key) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of[key].since
}

// RecordFailure records a failure after which an object waits.
func (r *Recoveries) RecordFailure(key Key) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.of[key]
	known.healthy = false
	r.set(key, known)
}

// RecordSuccess records a success. first: it is the first one after a failure.
func (r *Recoveries) RecordSuccess(key Key, now time.Time) (first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of[key].healthy {
		return false
	}
	r.set(key, recovery{healthy: true, since: now})
	return true
}

func (r *Recoveries) set(key Key, is recovery) {
	if r.of == nil {
		r.of = map[Key]recovery{}
	}
	r.of[key] = is
}
