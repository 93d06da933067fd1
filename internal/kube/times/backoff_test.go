// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package times

import (
	"testing"
	"time"
)

func TestBackoff(t *testing.T) {
	quick := Backoff{First: time.Second, Last: 10 * time.Minute, Jitter: 25, Steps: 1024}
	slow := Backoff{First: time.Hour, Last: 24 * time.Hour, Jitter: 20, Steps: 400}
	for name, test := range map[string]struct {
		got, want time.Duration
	}{
		"the first delay":        {quick.Delay("seed", 1), 1144042968},
		"doubled":                {quick.Delay("seed", 2), 1681640625},
		"doubled often":          {quick.Delay("seed", 10), 461250 * time.Millisecond},
		"the last delay":         {quick.Delay("seed", 11), 722460937500},
		"after many failures":    {quick.Delay("seed", 50), 595605468750},
		"another delay":          {quick.Spread(5*time.Minute, "seed", 3), 311279296875},
		"hours":                  {slow.Delay("seed/", 1), time.Hour},
		"hours, doubled":         {slow.Delay("seed/", 3), 4*time.Hour + 9*time.Minute + 7200*time.Millisecond},
		"a day":                  {slow.Delay("seed/", 9), 20*time.Hour + 21*time.Minute + 7200*time.Millisecond},
		"another delay of hours": {slow.Spread(5*time.Minute, "seed/", 3), 311400 * time.Millisecond},
	} {
		if test.got != test.want {
			t.Errorf("%s: %s, want %s", name, test.got, test.want)
		}
	}
}
