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
	"time"

	"k8s.io/utils/clock"
)

// Times are those by which posts are judged, and what time changes: the API server's, since the clock of this machine may be wrong (R11). Another
// replica measures by the same clock.
type Times struct {
	// ServerTime returns the API server's time; zero: it is not known yet.
	ServerTime func() time.Time
	// Clock is that of this process, which measures durations.
	Clock clock.PassiveClock
	// Began is when the listener of this process began to serve, by Clock; zero: it is off.
	Began time.Time
}

// IsOff reports whether this process has no listener.
func (t Times) IsOff() bool { return t.Began.IsZero() }

// Now returns the API server's time, and since when the listener serves by it. Both are zero if it is not known yet.
func (t Times) Now() (now, servedSince time.Time) {
	now = t.ServerTime()
	if now.IsZero() {
		return now, now
	}
	return now, now.Add(-t.Clock.Since(t.Began))
}
