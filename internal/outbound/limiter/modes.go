// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limiter

import "time"

// mode is how requests get slots.
type mode int

const (
	// normalMode is for all requests to an endpoint that works: flows take turns.
	normalMode mode = iota
	// firstMode is for first attempts at an endpoint that fails: one every FirstInterval.
	firstMode
	// probeMode is for the other requests to such an endpoint: one at a time, the probe, with growing intervals.
	probeMode
	modes
)

// mode returns the mode of a flow.
func (lim *Limiter) mode(f *flow) mode { return lim.breaker.mode(f.class) }

// free returns the number of slots in a mode for own, beside those that are kept for others.
func (lim *Limiter) free(mode mode, own *waiter) int {
	kept := func(counts func(*waiter) bool) int {
		if own != nil && own.late { // it has waited before
			return 0
		}
		return lim.kept(func(w *waiter) bool { return w != own && counts(w) })
	}
	inMode := kept(func(w *waiter) bool { return lim.mode(w.flow) == mode })
	all := lim.breaker.slots() - lim.busy - kept(func(*waiter) bool { return true })
	switch mode {
	case firstMode: // one slot is the probe's
		return min(all, slots-1-lim.firsts, 1-inMode)
	case probeMode:
		return min(all, 1-(lim.busy-lim.firsts)-inMode)
	case normalMode, modes:
	}
	return all
}

// isNext reports whether own is next in a mode of an endpoint that fails.
func (lim *Limiter) isNext(mode mode, own *waiter, now time.Time) bool {
	if own != nil && (!own.notified.IsZero() || own.late) {
		return true
	}
	next := lim.nextIn(mode, now)
	return next == nil || next == own
}

// nextIn returns the waiter that is next in a mode of an endpoint that fails: the first one of the flow that has waited longest for its
// turn. So a flow with many objects, all of which are refused, does not delay the others.
func (lim *Limiter) nextIn(mode mode, now time.Time) (next *waiter) {
	for _, f := range lim.active {
		if lim.mode(f) != mode || f.retry && lim.retries.room(retryRate, now) <= 0 {
			continue
		}
		if w := lim.front(f, mode, now); w != nil && (next == nil || w.hasPrecedence(next, mode)) {
			next = w
		}
	}
	return next
}

// hasPrecedence reports whether w is before another waiter in a mode.
func (w *waiter) hasPrecedence(over *waiter, mode mode) bool {
	if a, b := w.rank(mode), over.rank(mode); a != b {
		return a < b
	}
	if w.flow.turn != over.flow.turn {
		return w.flow.turn < over.flow.turn
	}
	return w.since.Before(over.since)
}

// rank returns the rank of the waiter's class in a mode: first attempts come first in firstMode, and the objects that are at fault
// themselves are the last to be probes.
func (w *waiter) rank(mode mode) class {
	if mode == firstMode || w.flow.class == atFault {
		return w.flow.class
	}
	return untried
}
