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

package limiter

import "time"

// release counts a request as ended. Its outcome does not count if the version of the endpoint has changed meanwhile.
func (lim *Limiter) release(e entry, now time.Time, r Result) (v Attribution) {
	lim.mu.Lock()
	lim.busy--
	if e.epoch != lim.epoch {
		lim.unlockAndNotify(now)
		return v
	}
	v.OwnFault = !e.FailingSince.IsZero() && lim.succeeded.After(e.FailingSince)
	wasSlow := lim.misconfigured.isSlow()
	recovered := lim.assess(now, r, e, v.OwnFault)
	v.Slow = lim.misconfigured.isSlow()
	v.FailedProbe = wasSlow && v.Slow && r.Misconfigured
	if recovered && lim.onRecovery != nil {
		lim.unlockAndNotify(now, lim.onRecovery)
	} else {
		lim.unlockAndNotify(now)
	}
	return v
}

// assess decides when the next request may be sent, and reports whether this is the first success after a failure of the endpoint.
func (lim *Limiter) assess(now time.Time, r Result, e entry, ownFault bool) (recovered bool) {
	if end := now.Add(min(r.RetryAfter, maxRetryAfter)); end.After(lim.retryAfter) {
		lim.retryAfter = end // whatever the outcomes of requests in flight are
	}
	switch {
	case r.NotSent:
	case r.RetryAfter > 0:
		lim.recovers = lim.recovers || r.RetryAfter > lastOpen // shorter waits end by themselves
	case r.Misconfigured:
		lim.assessMisconfiguration(now, r, e, ownFault)
	case r.Failed:
		lim.assessFailure(now)
	default:
		lim.failures, lim.openCount, lim.until, lim.misconfigured = 0, 0, time.Time{}, misconfiguration{}
		if r.Error {
			lim.countRefailed(now, e.Request)
			return false
		}
		recovered, lim.recovers, lim.succeeded = lim.recovers, false, now
	}
	return recovered
}

func (lim *Limiter) countRefailed(now time.Time, t Request) {
	if t.Retry {
		lim.retries.use(retryRate, now)
	}
}

// assessMisconfiguration records an answer that looks like a misconfiguration. One that the object causes does not block the endpoint,
// unless it is blocked already: then the request was the probe.
func (lim *Limiter) assessMisconfiguration(now time.Time, r Result, e entry, ownFault bool) {
	blocking := lim.misconfigured.isBlocking()
	switch {
	case blocking && !e.probe: // it was in flight before the endpoint was blocked
		return
	case !blocking && (ownFault || e.OwnFault):
		lim.countRefailed(now, e.Request)
		return
	}
	lim.misconfigured.add(e.Misconfigured+1, r.Unauthorized, now)
	lim.recovers = lim.recovers || lim.misconfigured.isBlocking()
}

// assessFailure records a request without an answer. After several in a row the circuit breaker opens, for growing intervals.
func (lim *Limiter) assessFailure(now time.Time) {
	lim.misconfigured.probeAt = time.Time{} // another kind of failure, with delays of its own
	if lim.tripped() && lim.busy > 0 {      // it was in flight when the endpoint failed
		return
	}
	if lim.failures++; !lim.tripped() {
		return
	}
	lim.recovers = true
	rest := min(firstOpen<<min(lim.openCount, 10), lastOpen)
	lim.openCount++
	if at := now.Add(rest); at.After(lim.until) {
		lim.until = at
	}
}

func (lim *Limiter) tripped() bool { return lim.failures >= failuresToTrip }

func (lim *Limiter) isDown(now time.Time) bool {
	return now.Before(lim.until) || now.Before(lim.retryAfter) || now.Before(lim.misconfigured.probeAt)
}

// NextProbe returns when the next probe of an endpoint that looks misconfigured is due, and whether its quick retries have failed;
// zero: the endpoint does not look misconfigured.
func (lim *Limiter) NextProbe() (at time.Time, slow bool) {
	lim.mu.Lock()
	defer lim.mu.Unlock()
	return lim.misconfigured.probeAt, lim.misconfigured.isSlow()
}

// mayProbe reports whether own may be the probe.
func (lim *Limiter) mayProbe(own *waiter, now time.Time) bool {
	if lim.isDown(now) || lim.busy > 0 {
		return false
	}
	if own != nil && (!own.notified.IsZero() || own.late) {
		return true
	}
	next := lim.nextProbe(now)
	return next == nil || next == own
}

// nextProbe returns the waiter that is to be the probe: the one that has waited longest, preferably among those without such an
// answer of their own. The answer to another object's request distinguishes the fault of an object from that of the endpoint.
func (lim *Limiter) nextProbe(now time.Time) (next *waiter) {
	if !lim.misconfigured.isBlocking() || len(lim.notified) > 0 {
		return nil
	}
	for _, p := range lim.waiters {
		switch {
		case !p.notified.IsZero() || p.late, !p.Exempt && lim.room(p.flow, nil, now) <= 0:
		case next == nil, p.hasPrecedence(next):
			next = p
		}
	}
	return next
}

func (w *waiter) hasPrecedence(over *waiter) bool {
	if untried := w.Misconfigured == 0; untried != (over.Misconfigured == 0) {
		return untried
	}
	return w.since.Before(over.since)
}
