// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package ingest

import (
	"time"

	"k8s.io/utils/clock"
)

// ServerClock is the API server's clock.
type ServerClock interface {
	// Now returns its time, zero if that is not known.
	Now() time.Time
	// Last returns the time that was known last, which goes on, or an earlier one that is possible; zero if it was never known.
	Last() time.Time
	// KnownFor returns for how long the time has been known without a break; 0: it is not known.
	KnownFor() time.Duration
}

// Times are the clocks that decide about posts, and about changes that are due with time: the API server's, since the clock of this machine may be
// wrong (R11). Another replica measures by the same clock.
type Times struct {
	// Server is the API server's clock.
	Server ServerClock
	// Clock is the clock of this process, which measures durations.
	Clock clock.PassiveClock
	// Began is when the listener of this process began to serve, by Clock; zero: it is off.
	Began time.Time
}

// IsOff reports whether this process has no listener.
func (t Times) IsOff() bool { return t.Began.IsZero() }

// Now returns the API server's time, and since when the listener serves by it. Both are zero before it is known. While it is unknown, the last known
// time plus the time since then counts, so that posts are stored, and the listener serves since now: nothing ends (R11).
func (t Times) Now() (now, servedSince time.Time) {
	now = t.Server.Last()
	if now.IsZero() {
		return now, now
	}
	return now, now.Add(-min(t.Clock.Since(t.Began), t.Server.KnownFor()))
}

// areUnknown reports whether the time is unknown, after it was known.
func (t Times) areUnknown() bool { return t.Server.Now().IsZero() && !t.Server.Last().IsZero() }
