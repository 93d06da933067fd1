// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"testing"
	"time"
)

// TestPollsComeApart: what began together is not asked for together for ever, nor less
// often than a user would want.
func TestPollsComeApart(t *testing.T) {
	t0 := time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)
	next := func(polled time.Time, asked time.Duration) time.Duration {
		return Schedule{Running: polled.Sub(t0), LastPoll: polled, PollAfter: asked, Now: polled}.NextPoll().Sub(polled)
	}
	first, second := next(t0.Add(20*time.Second), 0), next(t0.Add(20*time.Second+900), 0)
	if first != 5*time.Second || second <= first || second > 5*time.Second*5/4 {
		t.Errorf("they are asked for again in %s and %s", first, second)
	}
	if got := next(t0.Add(time.Second+999), 30*time.Second); got < 30*time.Second {
		t.Errorf("the broker wanted 30 s, and is asked again in %s", got)
	}
	if got := next(t0.Add(time.Hour+999), 0); got != lastPoll {
		t.Errorf("a user waits %s", got)
	}
}

// The delays of an object are the same in each version.
func TestDelays(t *testing.T) {
	for name, test := range map[string]struct{ got, want time.Duration }{
		"backoff":                  {Backoff("uid", 2, 0), 2072 * time.Millisecond},
		"Retry-After":              {Backoff("uid", 2, time.Hour), time.Hour},
		"misconfigured":            {MisconfiguredBackoff("uid", 4, 0), 299400 * time.Millisecond},
		"after orphan mitigations": {SlowDelay("uid", 2), 7459200 * time.Millisecond},
	} {
		if test.got != test.want {
			t.Errorf("%s: %s, want %s", name, test.got, test.want)
		}
	}
}
