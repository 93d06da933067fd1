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
