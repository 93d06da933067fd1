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
func (b *Limiter) release(e entry, now time.Time, r Result) (v Attribution) {
	b.mu.Lock()
	b.busy--
	if e.epoch != b.epoch {
		b.unlockAndNotify(now)
		return v
	}
	v.OwnFault = !e.FailingSince.IsZero() && b.succeeded.After(e.FailingSince)
	wasSlow := b.misconfigured.isSlow()
	recovered := b.assess(now, r, e, v.OwnFault)
	v.Slow = b.misconfigured.isSlow()
	v.FailedProbe = wasSlow && v.Slow && r.Misconfigured
	if recovered && b.onRecovery != nil {
		b.unlockAndNotify(now, b.onRecovery)
	} else {
		b.unlockAndNotify(now)
	}
	return v
}

// assess decides when the next request may be sent, and reports whether this is the first success after a failure of the endpoint.
func (b *Limiter) assess(now time.Time, r Result, e entry, ownFault bool) (recovered bool) {
	if end := now.Add(min(r.RetryAfter, maxRetryAfter)); end.After(b.retryAfter) {
		b.retryAfter = end // whatever the outcomes of requests in flight are
	}
	switch {
	case r.NotSent:
	case r.RetryAfter > 0:
		b.recovers = b.recovers || r.RetryAfter > lastOpen // shorter waits end by themselves
	case r.Misconfigured:
		b.assessMisconfiguration(now, r, e, ownFault)
	case r.Failed:
		b.assessFailure(now)
	default:
		b.failures, b.openCount, b.until, b.misconfigured = 0, 0, time.Time{}, misconfiguration{}
		if r.Error {
			b.countRefailed(now, e.Request)
			return false
		}
		recovered, b.recovers, b.succeeded = b.recovers, false, now
	}
	return recovered
}

func (b *Limiter) countRefailed(now time.Time, t Request) {
	if t.Retry {
		b.retries.use(retryRate, now)
	}
}

// assessMisconfiguration records an answer that looks like a misconfiguration. One that the object causes does not block the endpoint,
// unless it is blocked already: then the request was the probe.
func (b *Limiter) assessMisconfiguration(now time.Time, r Result, e entry, ownFault bool) {
	blocking := b.misconfigured.isBlocking()
	switch {
	case blocking && !e.probe: // it was in flight before the endpoint was blocked
		return
	case !blocking && (ownFault || e.OwnFault):
		b.countRefailed(now, e.Request)
		return
	}
	b.misconfigured.add(e.Misconfigured+1, r.Unauthorized, now)
	b.recovers = b.recovers || b.misconfigured.isBlocking()
}

// assessFailure records a request without an answer. After several in a row the circuit breaker opens, for growing intervals.
func (b *Limiter) assessFailure(now time.Time) {
	b.misconfigured.probeAt = time.Time{} // another kind of failure, with delays of its own
	if b.tripped() && b.busy > 0 {        // it was in flight when the endpoint failed
		return
	}
	if b.failures++; !b.tripped() {
		return
	}
	b.recovers = true
	rest := min(firstOpen<<min(b.openCount, 10), lastOpen)
	b.openCount++
	if at := now.Add(rest); at.After(b.until) {
		b.until = at
	}
}

func (b *Limiter) tripped() bool { return b.failures >= failuresToTrip }

func (b *Limiter) isDown(now time.Time) bool {
	return now.Before(b.until) || now.Before(b.retryAfter) || now.Before(b.misconfigured.probeAt)
}

// NextProbe returns when the next probe of an endpoint that looks misconfigured is due, and whether its quick retries have failed;
// zero: the endpoint does not look misconfigured.
func (b *Limiter) NextProbe() (at time.Time, slow bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.misconfigured.probeAt, b.misconfigured.isSlow()
}

// mayProbe reports whether own may be the probe.
func (b *Limiter) mayProbe(own *waiter, now time.Time) bool {
	if b.isDown(now) || b.busy > 0 {
		return false
	}
	if own != nil && (!own.notified.IsZero() || own.late) {
		return true
	}
	next := b.nextProbe(now)
	return next == nil || next == own
}

// nextProbe returns the waiter that is to be the probe: the one that has waited longest, preferably among those without such an
// answer of their own. The answer to another object's request distinguishes the fault of an object from that of the endpoint.
func (b *Limiter) nextProbe(now time.Time) (next *waiter) {
	if !b.misconfigured.isBlocking() || len(b.notified) > 0 {
		return nil
	}
	for _, p := range b.waiters {
		switch {
		case !p.notified.IsZero() || p.late, !p.Exempt && b.room(p.flow, nil, now) <= 0:
		case next == nil, p.hasPrecedence(next):
			next = p
		}
	}
	return next
}

func (p *waiter) hasPrecedence(over *waiter) bool {
	if untried := p.Misconfigured == 0; untried != (over.Misconfigured == 0) {
		return untried
	}
	return p.since.Before(over.since)
}
