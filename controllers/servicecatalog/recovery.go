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

package servicecatalog

import (
	"sync"
	"time"
)

// recoveries records when brokers recovered from failures, for the objects that wait for hours until their next attempt.
type recoveries struct {
	mu sync.Mutex
	of map[brokerKey]recovery
}

// recovery is what is known of one broker. The zero value is that of an unknown broker, which another process may have seen fail.
type recovery struct {
	healthy bool
	since   time.Time
}

// since returns when a broker first succeeded after a failure; zero: not yet.
func (r *recoveries) since(key brokerKey) time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.of[key].since
}

// failed records a failure after which an object waits.
func (r *recoveries) failed(key brokerKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	known := r.of[key]
	known.healthy = false
	r.set(key, known)
}

// succeeded records a success. first: it is the first one after a failure.
func (r *recoveries) succeeded(key brokerKey, now time.Time) (first bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.of[key].healthy {
		return false
	}
	r.set(key, recovery{healthy: true, since: now})
	return true
}

func (r *recoveries) set(key brokerKey, is recovery) {
	if r.of == nil {
		r.of = map[brokerKey]recovery{}
	}
	r.of[key] = is
}
