// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package times

import (
	"testing"
	"time"
)

// F-S33: a clock that was ahead, and is put right, puts nothing off.
func TestDueTimesOfAClockThatWasAhead(t *testing.T) {
	const interval, year = 10 * time.Minute, 365 * 24 * time.Hour
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for name, test := range map[string]struct {
		got, want time.Time
	}{
		"done just now":           {DueAfter(now, interval, now), now.Add(interval)},
		"done long ago":           {DueAfter(now.Add(-year), interval, now), now.Add(interval - year)},
		"done in a year":          {DueAfter(now.Add(year), interval, now), now},
		"due within the interval": {DueAt(now.Add(interval), interval, now), now.Add(interval)},
		"due before":              {DueAt(now.Add(-year), interval, now), now.Add(-year)},
		"due in a year":           {DueAt(now.Add(year), interval, now), now},
	} {
		if !test.got.Equal(test.want) {
			t.Errorf("%s: due at %s, want %s", name, test.got, test.want)
		}
	}
}

func TestIsAhead(t *testing.T) {
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	for ahead, want := range map[time.Duration]bool{-time.Hour: false, 0: false, clockTolerance: false, clockTolerance + 1: true} {
		if got := IsAhead(now.Add(ahead), now); got != want {
			t.Errorf("%s ahead: %t, want %t", ahead, got, want)
		}
	}
}

func TestEarliestAndLatest(t *testing.T) {
	var never time.Time
	now := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	later := now.Add(1)
	for name, test := range map[string]struct {
		got, want time.Time
	}{
		"earlier first":             {Earliest(now, later), now},
		"later first":               {Earliest(later, now), now},
		"the first is never":        {Earliest(never, now), now},
		"the second is never":       {Earliest(now, never), now},
		"both are never":            {Earliest(never, never), never},
		"the latest, earlier first": {Latest(now, later), later},
		"the latest, later first":   {Latest(later, now), later},
		"rounded down":              {Timestamp(later).Time, now},
		"rounded up":                {NotBefore(later).Time, now.Add(time.Second)},
		"in whole seconds before":   {NotBefore(now).Time, now},
	} {
		if !test.got.Equal(test.want) {
			t.Errorf("%s: %s, want %s", name, test.got, test.want)
		}
	}
}

// One clock that is wrong begins nothing too early.
func TestServer(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	known, unknown := Server{Known: at, Steady: at}, Server{Steady: at}
	for name, test := range map[string]struct{ got, want any }{
		"begins by a clock that is ahead":       {known.Begin(at.Add(time.Hour)), at.Add(time.Hour)},
		"begins by the other if it is behind":   {known.Begin(at.Add(-time.Hour)), at},
		"begins at an unknown time":             {unknown.Begin(at.Add(-time.Hour)), at},
		"begins before there is any":            {Server{}.Begin(at), at},
		"is the known time, whatever the other": {known.Present(at.Add(time.Hour)), at},
		"is begun while it is not known":        {unknown.Present(at.Add(time.Hour)), at.Add(time.Hour)},
	} {
		if test.got != test.want {
			t.Errorf("%s: %v, want %v", name, test.got, test.want)
		}
	}
}
