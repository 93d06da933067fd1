// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limiter

import "time"

// Rate is at most Count requests in any Period. The zero value is no limit.
type Rate struct {
	Count  int
	Period time.Duration
}

// window has the times of the requests that a rate needs.
type window struct {
	uses []time.Time // oldest first
}

// room returns how many requests are allowed now.
func (w *window) room(r Rate, now time.Time) int {
	if r.Count <= 0 {
		w.uses = nil
		return int(^uint(0) >> 1)
	}
	old := 0
	for old < len(w.uses) && now.Sub(w.uses[old]) >= r.Period {
		old++
	}
	w.uses = w.uses[old:]
	return r.Count - len(w.uses)
}

// opens returns when a full window has room again.
func (w *window) opens(r Rate) time.Time {
	return w.uses[len(w.uses)-r.Count].Add(r.Period)
}

func (w *window) use(r Rate, now time.Time) {
	if r.Count > 0 {
		w.uses = append(w.uses, now)
	}
}
