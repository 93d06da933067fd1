// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

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
