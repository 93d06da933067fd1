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

import (
	"slices"
	"time"
)

// release counts a request as ended. Its outcome does not count if the version of the endpoint has changed meanwhile.
func (lim *Limiter) release(e entry, now time.Time, r Result) (v Attribution) {
	lim.mu.Lock()
	lim.busy--
	if e.mode == firstMode {
		lim.firsts--
	}
	if e.epoch != lim.epoch {
		lim.unlockAndNotify(now)
		return v
	}
	v.OwnFault = !e.FailingSince.IsZero() && lim.succeeded.After(e.FailingSince)
	wasSlow := lim.misconfigured.isSlow()
	recovered := lim.assess(now, r, e, v.OwnFault)
	v.Slow = lim.misconfigured.isSlow()
	v.FailedProbe = wasSlow && v.Slow && r.LooksMisconfigured() && e.mode == probeMode && !e.First
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
	switch r.Outcome {
	case NotSent:
	case Throttled:
		lim.recovers = lim.recovers || r.RetryAfter > lastOpen // shorter waits end by themselves
	case Misconfigured, Unauthorized:
		lim.assessMisconfiguration(now, r.Outcome == Unauthorized, e, ownFault)
	case Unavailable:
		lim.assessFailure(now, e)
	case Refused:
		lim.forgetFailures()
		lim.standing = works
		lim.countRefailed(now, e.Request)
	case Accepted:
		lim.forgetFailures()
		lim.standing = works
		recovered, lim.recovers, lim.succeeded = lim.recovers, false, now
	}
	return recovered
}

// forgetFailures closes the circuit breaker.
func (lim *Limiter) forgetFailures() {
	lim.failures, lim.failing, lim.openCount, lim.until, lim.misconfigured = 0, nil, 0, time.Time{}, misconfiguration{}
}

func (lim *Limiter) countRefailed(now time.Time, t Request) {
	if t.Retry {
		lim.retries.use(retryRate, now)
	}
}

// assessMisconfiguration records an answer that looks like a misconfiguration. One that the object causes does not block the endpoint.
// Where the endpoint is blocked already only the probe's answer counts: not that of a first attempt, of which there are more than probes,
// nor that of a request that was in flight before.
func (lim *Limiter) assessMisconfiguration(now time.Time, unauthorized bool, e entry, ownFault bool) {
	blocking := lim.misconfigured.isBlocking()
	lim.misconfigured.countUnauthorized(unauthorized)
	switch {
	case blocking && e.mode != probeMode:
		return
	case !blocking && (ownFault || e.OwnFault):
		lim.countRefailed(now, e.Request)
		return
	}
	lim.standing = fails
	lim.misconfigured.add(e.Misconfigured+1, unauthorized, now)
	lim.recovers = lim.recovers || lim.misconfigured.isBlocking()
}

// assessFailure records a request without an answer. After failures of several objects in a row the circuit breaker opens, for growing
// intervals; one object, whose message may be the cause, does not open it. Where it is open first attempts do not count.
func (lim *Limiter) assessFailure(now time.Time, e entry) {
	if e.mode == firstMode && lim.isFailing() {
		return
	}
	lim.misconfigured.probeAt = time.Time{}     // another kind of failure, with delays of its own
	if lim.tripped() && lim.busy > lim.firsts { // it was in flight when the endpoint failed
		return
	}
	lim.standing = fails
	if lim.failures++; lim.failures >= failuresToTrip {
		lim.recovers = true
	}
	if !lim.tripped() && !slices.Contains(lim.failing, e.ID) {
		lim.failing = append(lim.failing, e.ID)
	}
	if !lim.tripped() {
		return
	}
	rest := min(firstOpen<<min(lim.openCount, 10), lastOpen)
	lim.openCount++
	if at := now.Add(rest); at.After(lim.until) {
		lim.until = at
	}
}

// tripped reports whether the circuit breaker is open.
func (lim *Limiter) tripped() bool { return len(lim.failing) >= failuresToTrip }

// isFailing reports whether only first attempts and probes are sent.
func (lim *Limiter) isFailing() bool { return lim.tripped() || lim.misconfigured.isBlocking() }

// NextProbe returns when the next probe of an endpoint that looks misconfigured is due, and whether its quick retries have failed;
// zero: the endpoint does not look misconfigured.
func (lim *Limiter) NextProbe() (at time.Time, slow bool) {
	lim.mu.Lock()
	defer lim.mu.Unlock()
	return lim.misconfigured.probeAt, lim.misconfigured.isSlow()
}
