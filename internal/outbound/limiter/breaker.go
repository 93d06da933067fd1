// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limiter

import (
	"slices"
	"time"
)

// breaker is the circuit breaker of an endpoint. It decides from the answers so far which requests may be sent, and when. It opens after failures of
// several objects in a row, or after as many answers that look like a misconfiguration. The zero value is closed.
type breaker struct {
	standing standing
	failures int   // in a row
	failing  []any // the objects of these failures, at most failuresToTrip
	// openCount is how often the endpoint has failed since the breaker has opened, and until when the next probe may be sent after that.
	openCount     int
	until         time.Time
	misconfigured misconfiguration
	throttle      throttle
	retryAfter    time.Time // end of Retry-After
	firstAt       time.Time // when the next request in firstMode may be sent
	succeeded     time.Time // when a request last succeeded
	recovers      bool      // the next success is a recovery: objects wait because of a failure of the endpoint
}

// standing is the state of an endpoint by the last answer, or its absence.
type standing int

const (
	unasked standing = iota // no request to this version has ended
	works                   // it answers
	fails                   // the last request had no answer, or one that looks like a misconfiguration
)

// tripped reports whether failures have opened the breaker.
func (b *breaker) tripped() bool { return len(b.failing) >= failuresToTrip }

// isOpen reports whether only first attempts and probes are sent.
func (b *breaker) isOpen() bool { return b.tripped() || b.misconfigured.isBlocking() }

// slots returns how many requests may be in flight.
func (b *breaker) slots() int {
	if b.throttle.isActive() && !b.isOpen() {
		return 1
	}
	return slots
}

// mode returns how requests of a class get slots. While an endpoint looks misconfigured objects that had no such answer use firstMode after
// the first attempts: the misconfiguration may be the fault of one object.
func (b *breaker) mode(c class) mode {
	switch {
	case !b.isOpen():
		return normalMode
	case b.misconfigured.sparesCredentials():
		return probeMode
	case c == untried, c == unrefused && !b.tripped():
		return firstMode
	}
	return probeMode
}

// opensAt returns when the next request in a mode may be sent.
func (b *breaker) opensAt(mode mode) time.Time {
	switch mode {
	case firstMode:
		return latest(b.retryAfter, b.firstAt)
	case probeMode:
		return latest(latest(b.until, b.retryAfter), b.misconfigured.probeAt)
	case normalMode, modes:
	}
	return b.retryAfter
}

// isIdle reports whether the breaker has no state on which the next request depends. Trials begin again with the next answer that is Throttled.
func (b *breaker) isIdle(now time.Time) bool {
	return b.failures == 0 && b.misconfigured == misconfiguration{} && !now.Before(latest(b.retryAfter, b.firstAt))
}

// reset closes the breaker for another version of the endpoint.
func (b *breaker) reset() { *b = breaker{succeeded: b.succeeded} }

// record records the outcome of a request, and reports whether it is the first success after a failure of the endpoint. alone: no other
// request is in flight but first attempts.
func (b *breaker) record(now time.Time, r Result, e entry, ownFault, alone bool) (recovered bool) {
	switch r.Outcome {
	case NotSent:
	case Throttled:
		wait := b.throttle.refuse(r.RetryAfter, now)
		b.retryAfter = latest(b.retryAfter, now.Add(min(wait, maxRetryAfter))) // for all outcomes of requests in flight
		b.recovers = b.recovers || r.RetryAfter > lastOpen                     // shorter waits end by themselves
	case Misconfigured, Unauthorized:
		b.recordMisconfiguration(now, r.Outcome == Unauthorized, e, ownFault)
	case Unavailable:
		b.recordFailure(now, e, alone)
	case Refused:
		b.close()
		b.throttle.accept()
	case Accepted:
		b.close()
		b.throttle.accept()
		recovered, b.recovers, b.succeeded = b.recovers, false, now
	}
	return recovered
}

// close forgets the failures.
func (b *breaker) close() {
	b.standing, b.failures, b.failing, b.openCount, b.until, b.misconfigured = works, 0, nil, 0, time.Time{}, misconfiguration{}
}

// blames reports whether an answer that looks like a misconfiguration is taken for the object's fault: it does not open the breaker.
func (b *breaker) blames(e entry, ownFault bool) bool {
	return !b.misconfigured.isBlocking() && (ownFault || e.OwnFault)
}

// recordMisconfiguration records an answer that looks like a misconfiguration. Where the breaker is open for that already, only the probe's answer
// counts, but not the answer to a first attempt, of which there are more than probes, or to a request that was in flight before.
func (b *breaker) recordMisconfiguration(now time.Time, unauthorized bool, e entry, ownFault bool) {
	ignored := b.misconfigured.isBlocking() && e.mode != probeMode || b.blames(e, ownFault)
	b.misconfigured.countUnauthorized(unauthorized)
	if ignored {
		return
	}
	b.standing = fails
	b.misconfigured.add(e.Misconfigured+1, unauthorized, now)
	b.recovers = b.recovers || b.misconfigured.isBlocking()
}

// recordFailure records a request without an answer. After failures of several objects in a row the breaker opens, for growing intervals;
// one object, whose message may be the cause, does not open it. Where it is open first attempts do not count.
func (b *breaker) recordFailure(now time.Time, e entry, alone bool) {
	if e.mode == firstMode && b.isOpen() {
		return
	}
	b.misconfigured.probeAt = time.Time{} // another kind of failure, with delays of its own
	if b.tripped() && !alone {            // it was in flight when the endpoint failed
		return
	}
	b.standing = fails
	if b.failures++; b.failures >= failuresToTrip {
		b.recovers = true
	}
	if !b.tripped() && !slices.Contains(b.failing, e.ID) {
		b.failing = append(b.failing, e.ID)
	}
	if !b.tripped() {
		return
	}
	rest := min(firstOpen<<min(b.openCount, 10), lastOpen)
	b.openCount++
	if at := now.Add(rest); at.After(b.until) {
		b.until = at
	}
}
