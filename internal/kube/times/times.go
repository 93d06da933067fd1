// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package times compares, rounds and formats times as rules and statuses have them. It has no clock: callers give it the time.
package times

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// RecordTimeout bounds a write of a result. It also holds while the process stops.
const RecordTimeout = 10 * time.Second

// clockTolerance is how far the clocks of two replicas may be apart.
const clockTolerance = time.Minute

// Agreement is for how long a clock says something else until it is believed: the API server's after a jump, and that of a process that has just begun to
// lead, where a record lies ahead.
const Agreement = 15 * time.Minute

// Earliest returns the earlier one of two times, where zero is never.
func Earliest(a, b time.Time) time.Time {
	if a.IsZero() || !b.IsZero() && b.Before(a) {
		return b
	}
	return a
}

// Latest returns the later one of two times.
func Latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// Server is the API server's time, as a decision needs it (R11).
type Server struct {
	// Known is the time; zero: it is not known, and nothing ends by it.
	Known time.Time
	// Steady is the time that was known last, plus the time since then by the monotonic clock, which no change of a time of day affects; zero: no
	// time was ever known.
	Steady time.Time
}

// Begin returns from when something is counted that ends later: the later time of both clocks. By one that is behind, it would end too early.
func (s Server) Begin(now time.Time) time.Time { return Latest(now, s.Steady) }

// Present returns the time; while it is not known, Begin.
func (s Server) Present(now time.Time) time.Time {
	if s.Known.IsZero() {
		return s.Begin(now)
	}
	return s.Known
}

// Timestamp returns a time as statuses have it: in whole seconds.
func Timestamp(t time.Time) *metav1.Time {
	return &metav1.Time{Time: t.Truncate(time.Second)}
}

// NotBefore returns a due time as statuses have it. It is rounded up: rounded down it would be too early.
func NotBefore(t time.Time) *metav1.Time { return Timestamp(t.Add(time.Second - 1)) }

// Format returns a time as messages have it.
func Format(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// IsAhead reports whether a recorded time lies in the future: the clock that it was taken from has been corrected since, and an action that is due
// some time after the recorded time is due now (R11). Clocks of replicas that are a little apart make no difference.
func IsAhead(recorded, now time.Time) bool { return recorded.Sub(now) > clockTolerance }

// DueAfter returns when something that was last done at a time is done again: an interval later. Where that time lies ahead, the clock
// was ahead when it was recorded, and it is due now (R11).
func DueAfter(last time.Time, interval time.Duration, now time.Time) time.Time {
	if last.After(now) {
		return now
	}
	return last.Add(interval)
}

// DueAt returns a recorded due time that was at most longest away when it was recorded. Where it is further away, the clock was ahead
// then, and it is now (R11).
func DueAt(recorded time.Time, longest time.Duration, now time.Time) time.Time {
	if recorded.After(now.Add(longest)) {
		return now
	}
	return recorded
}
