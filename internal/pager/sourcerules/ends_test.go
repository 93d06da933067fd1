// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sourcerules

import (
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/pager/ingest/alertmanager"
)

// F-P47: an alert of a sender whose clock is behind fires, while each post gives it a later end.
func TestF_P47_EndsInThePast(t *testing.T) {
	type posted struct{ at, end time.Duration } // after t0
	for why, c := range map[string]struct {
		posts []posted
		fires bool
		lapse time.Duration
	}{
		"one post says nothing":                         {posts: []posted{{0, -5 * time.Minute}}},
		"it ended":                                      {posts: []posted{{0, -2 * time.Minute}, {time.Minute, -2 * time.Minute}, {2 * time.Minute, -2 * time.Minute}}},
		"a pair of senders has two ends":                {posts: []posted{{2 * time.Minute, 0}, {150 * time.Second, 30 * time.Second}, {3 * time.Minute, 0}, {210 * time.Second, 30 * time.Second}}},
		"the end moves with each post":                  {posts: []posted{{0, -5 * time.Minute}, {time.Minute, -4 * time.Minute}, {2 * time.Minute, -3 * time.Minute}}, fires: true, lapse: 5 * time.Minute},
		"it moves by 10 minutes":                        {posts: []posted{{0, -25 * time.Minute}, {10 * time.Minute, -15 * time.Minute}, {20 * time.Minute, -5 * time.Minute}}, fires: true, lapse: 40 * time.Minute},
		"a pair posts each end twice":                   {posts: []posted{{0, -5 * time.Minute}, {30 * time.Second, -5 * time.Minute}, {time.Minute, -4 * time.Minute}, {90 * time.Second, -4 * time.Minute}, {2 * time.Minute, -3 * time.Minute}, {150 * time.Second, -3 * time.Minute}}, fires: true, lapse: 5 * time.Minute},
		"its end does not move any more":                {posts: []posted{{0, -5 * time.Minute}, {time.Minute, -4 * time.Minute}, {2 * time.Minute, -3 * time.Minute}, {4 * time.Minute, -3 * time.Minute}, {7 * time.Minute, -3 * time.Minute}}},
		"it fired, and its end is earlier than its due": {posts: []posted{{0, -5 * time.Minute}, {time.Minute, -4 * time.Minute}, {2 * time.Minute, -3 * time.Minute}, {3 * time.Minute, -6 * time.Minute}}},
	} {
		var ends Ends
		var now time.Time
		for _, p := range c.posts {
			now = t0.Add(p.at)
			a := alertmanager.Alert{StartsAt: t0.Add(-time.Hour), EndsAt: t0.Add(p.end)}
			if !IsLate(a, now) {
				t.Errorf("%s: it is not late", why)
			}
			ends = ends.With(a, now)
		}
		lapses, fires := ends.Fires(now)
		if fires != c.fires || fires && lapses.Sub(now) != c.lapse {
			t.Errorf("%s: it fires: %t, and lapses after %s", why, fires, lapses.Sub(now))
		}
	}
	now := t0.Add(time.Hour)
	again := Ends{}.With(alertmanager.Alert{StartsAt: t0, EndsAt: t0.Add(time.Minute)}, now).With(alertmanager.Alert{StartsAt: t0, EndsAt: t0.Add(2 * time.Minute)}, now)
	if _, fires := again.With(alertmanager.Alert{StartsAt: t0.Add(3 * time.Minute), EndsAt: t0.Add(4 * time.Minute)}, now).Fires(now); fires {
		t.Error("the next time that it fires is taken for the same")
	}
	for why, a := range map[string]alertmanager.Alert{
		"it ends now":          {StartsAt: t0.Add(-time.Hour), EndsAt: t0.Add(-time.Minute)},
		"it has no end":        {StartsAt: t0.Add(-time.Hour)},
		"its start is unknown": {EndsAt: t0.Add(-time.Hour)},
	} {
		if IsLate(a, t0) {
			t.Errorf("%s: it is late", why)
		}
	}
}
