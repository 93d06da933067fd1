// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package limiter bounds the requests to an endpoint, by requests in flight, rates, a circuit breaker that probes, and queues that are fair between
// namespaces. It knows no network, broker or receiver; callers give it the time.
package limiter

import (
	"sync"
	"time"
)

const (
	// slots bounds the requests in flight to an endpoint.
	slots = 4
	// failuresToTrip is the number of failures in a row that opens the circuit breaker.
	failuresToTrip = 3
	// firstOpen and lastOpen bound the time between two requests while the circuit breaker is open.
	firstOpen, lastOpen = time.Second, 30 * time.Second
	// maxRetryAfter bounds the Retry-After that is applied to all requests of an endpoint.
	maxRetryAfter = 5 * time.Minute
	// notifyTimeout is how long a slot is kept for a waiter that was notified.
	notifyTimeout = 2 * time.Second
	// QueueTimeout is the time within which a waiter has to ask again; later its place is dropped.
	QueueTimeout = 15 * time.Minute
	// FirstInterval is the interval between two first attempts at an endpoint that fails.
	FirstInterval = 5 * time.Second
)

// retryRate bounds the retries that fail: enough to notice a recovery soon.
var retryRate = Rate{Count: 10, Period: time.Second}

// Request is a request for a slot.
type Request struct {
	// ID identifies the caller, also when it asks again.
	ID any
	// Flow is the flow of the request. Flows take turns: a long queue in one does not delay another.
	Flow string
	// Total and PerFlow are the rate limits of all requests and of each flow; the last request sets them.
	Total, PerFlow Rate
	// Severity orders the requests of a flow: the highest first, requests of one severity by age. It is less than Severities.
	Severity int
	// Notifies: it is a first message, of which people are notified. A share of Total bounds these, the rest is for other requests.
	Notifies bool
	// Due is since when the message is due, which is its age; zero: since the request is queued.
	Due time.Time
	// First: it is the first attempt of an object or of a content. It is made at an endpoint that fails as well, one every
	// FirstInterval: it must not wait behind the fault of another object, and its answer shows whether there is one.
	First bool
	// Retry: the request is a retry. Retries have flows of their own, so that they do not delay first requests.
	Retry bool
	// FailingSince is when the first of the object's failures in a row occurred; zero: the last request succeeded.
	FailingSince time.Time
	// Misconfigured is the number of answers in a row to the object's requests that look like a misconfiguration.
	Misconfigured int
	// OwnFault: the object causes such answers, so that another one does not block the endpoint, and others are probes before it.
	OwnFault bool
	// Exempt: the rate limits do not apply. Such requests have a flow of their own.
	Exempt bool
	// Probe: the request only asks whether the endpoint works. Its tenant has slots for such requests beside those for others. The limits of
	// the endpoint apply, other than to the functions of a Pool.
	Probe bool
	// Notify is called, from another goroutine, when a slot may be free. It is not guaranteed.
	Notify func()
}

// Cause is why a request waits. The set is closed.
type Cause string

const (
	Busy        Cause = "Busy"        // all slots are taken
	RateLimited Cause = "RateLimited" // a rate limit is reached
	Down        Cause = "Down"        // the circuit breaker is open, or Retry-After has not passed
	Failing     Cause = "Failing"     // it is a retry, and other retries have just failed
	// LooksMisconfigured: the endpoint's answers look like a misconfiguration, and only first attempts and the probe are sent.
	LooksMisconfigured Cause = "LooksMisconfigured"
	// TenantBusy: the endpoints of the same tenant have taken all of its slots.
	TenantBusy Cause = "TenantBusy"
)

// Wait is why and since when a request waits.
type Wait struct {
	Since time.Time
	Cause Cause
}

// Outcome is how a request ended, as far as it matters to other requests. The set is closed.
type Outcome int

const (
	// Accepted: the endpoint carried out the request.
	Accepted Outcome = iota
	// Refused: the endpoint answered with an error, which may concern this request only.
	Refused
	// Throttled: the endpoint answered that it takes no requests for some time.
	Throttled
	// Misconfigured: the answer, or the failure to get one, looks like a misconfiguration of the endpoint or of a proxy, which a
	// person has to correct.
	Misconfigured
	// Unauthorized: it looks like a misconfiguration, of the credentials.
	Unauthorized
	// Unavailable: the endpoint did not answer, or answered that it is unavailable.
	Unavailable
	// NotSent: no request was sent.
	NotSent
)

// LooksMisconfigured reports whether a person has to correct something.
func (o Outcome) LooksMisconfigured() bool { return o == Misconfigured || o == Unauthorized }

// Result is the outcome of a request.
type Result struct {
	Outcome
	// RetryAfter is the Retry-After of an answer that is Throttled; 0: no such header.
	RetryAfter time.Duration
	// MayHaveArrived: the request may have been carried out, so that it is not repeated before its own backoff.
	MayHaveArrived bool
}

// Attribution is the meaning of a Result for the object of the request.
type Attribution struct {
	// OwnFault: requests of other objects have succeeded since this object's began to fail.
	OwnFault bool
	// Slow: the endpoint looks misconfigured, and one request at a time, the probe, is sent every few minutes. The object waits for
	// it like the others.
	Slow bool
	// Throttled: the object's next request is due at once. It waits for its turn in the queue, where the most severe is the first.
	Throttled bool
	// FailedProbe: the request was such a probe, and no first attempt. Only the status of the endpoint needs its outcome.
	FailedProbe bool
}

// Limiter limits the requests to an endpoint: requests in flight, rates, and a circuit breaker, which opens after failures of several
// objects in a row; one request at a time then tries the endpoint, with growing intervals, until it succeeds. Retries that the endpoint
// answers with errors are bounded, however many objects retry; successful ones are not, so that all objects continue once the
// endpoint has recovered. The zero value is ready to use.
type Limiter struct {
	tenant         *tenant // nil: none
	mu             sync.Mutex
	version        string // of the endpoint; "": not known yet
	epoch          int    // number of changes of the version
	busy           int    // requests in flight, of all epochs
	firsts         int    // of busy, the requests in firstMode
	turns          uint64 // of flows in firstMode and probeMode
	breaker        breaker
	onRecovery     func() // may be nil
	total, perFlow Rate
	used, retries  window
	lesser         window // of the share of first messages with a lower severity
	flows          map[flowKey]*flow
	sweepAt        int     // number of flows
	active         []*flow // flows with a queue, the next one first
	waiters        map[any]*waiter
	queued         uint64 // number of the last waiter
	notified       []*waiter
	timer          *time.Timer
	timerAt        time.Time // when it fires
}

// Release returns a slot, with the outcome of the request.
type Release func(now time.Time, r Result) Attribution

// Enter takes a slot, or queues the request: then release is nil.
func (lim *Limiter) Enter(request Request, now time.Time) (release Release, wait Wait) {
	lim.mu.Lock()
	defer lim.mu.Unlock()
	if !request.Exempt {
		lim.total, lim.perFlow = request.Total, request.PerFlow
	}
	lim.dropLate(now)
	f := lim.flow(flowKey{request.Flow, classOf(request), request.Retry}, now)
	own := lim.waiters[request.ID]
	if own != nil && own.flow != f { // it asks for another flow
		since := own.since
		lim.remove(own)
		own = lim.queue(f, request, since)
	}
	cause, probe := lim.cause(f, own, request, now), lim.isProbe(request)
	switch {
	case cause != "":
		lim.tenant.leave(lim)
	case !lim.tenant.enter(lim, probe):
		cause = TenantBusy
	}
	if cause == "" {
		lim.remove(own)
		e, began := lim.admit(f, request, now), now
		return func(now time.Time, r Result) Attribution {
			lim.tenant.exit(probe, now.Sub(began), r.Outcome)
			return lim.release(e, now, r)
		}, Wait{}
	}
	if own == nil {
		own = lim.queue(f, request, now)
	} else {
		lim.requeue(own, request, now)
	}
	lim.arm(now)
	return nil, Wait{Since: own.since, Cause: cause}
}

// admit counts a request that gets a slot.
func (lim *Limiter) admit(f *flow, request Request, now time.Time) entry {
	mode := lim.mode(f)
	lim.busy++
	if !request.Exempt {
		lim.used.use(lim.total, now)
		f.group.used.use(lim.perFlow, now)
		lim.useShare(f.group, request, now)
	}
	if mode != normalMode {
		lim.turns++
		f.turn = lim.turns
	}
	if mode == firstMode {
		lim.firsts++
		lim.breaker.firstAt = now.Add(FirstInterval)
	}
	return entry{Request: request, epoch: lim.epoch, mode: mode}
}

// cause returns why own cannot take a slot now; "": it can.
func (lim *Limiter) cause(f *flow, own *waiter, r Request, now time.Time) Cause {
	mode := lim.mode(f)
	free := lim.free(mode, own) > 0
	switch {
	case now.Before(lim.breaker.opensAt(mode)), mode != normalMode && !lim.isNext(mode, own, now), lim.breaker.misconfigured.isBlocking() && !free:
		if lim.breaker.misconfigured.isSlow() {
			return LooksMisconfigured
		}
		return Down
	case f.retry && lim.retries.room(retryRate, now) <= 0:
		return Failing
	case lim.room(f, r, own, now) <= 0:
		return RateLimited
	case !free:
		return Busy
	}
	return ""
}

// Blocked returns why requests of a flow wait for some time; "": they do not. Requests in flight are no reason.
func (lim *Limiter) Blocked(name string, now time.Time) Cause {
	lim.mu.Lock()
	defer lim.mu.Unlock()
	f := &flow{flowKey: flowKey{name: name, class: refused}, group: lim.groupOf(name)}
	if cause := lim.cause(f, nil, Request{}, now); cause != Busy {
		return cause
	}
	if lim.breaker.isOpen() {
		return Down
	}
	return ""
}

// release counts a request as ended. Its outcome does not count if the version of the endpoint has changed meanwhile.
func (lim *Limiter) release(e entry, now time.Time, r Result) (attribution Attribution) {
	lim.mu.Lock()
	lim.busy--
	if e.mode == firstMode {
		lim.firsts--
	}
	if e.epoch != lim.epoch {
		lim.unlockAndNotify(now)
		return attribution
	}
	b := &lim.breaker
	attribution.OwnFault = !e.FailingSince.IsZero() && b.succeeded.After(e.FailingSince)
	wasSlow := b.misconfigured.isSlow()
	if e.Retry && (r.Outcome == Refused || r.LooksMisconfigured() && b.blames(e, attribution.OwnFault)) { // it keeps failing
		lim.retries.use(retryRate, now)
	}
	recovered := b.record(now, r, e, attribution.OwnFault, lim.busy <= lim.firsts)
	attribution.Slow = b.misconfigured.isSlow()
	attribution.Throttled = r.Outcome == Throttled && r.RetryAfter <= maxRetryAfter && !r.MayHaveArrived
	attribution.FailedProbe = wasSlow && attribution.Slow && r.LooksMisconfigured() && e.mode == probeMode && !e.First
	if recovered && lim.onRecovery != nil {
		lim.unlockAndNotify(now, lim.onRecovery)
	} else {
		lim.unlockAndNotify(now)
	}
	return attribution
}

// NextProbe returns when the next probe of an endpoint that looks misconfigured is due, and whether its quick retries have failed;
// zero: the endpoint does not look misconfigured.
func (lim *Limiter) NextProbe() (at time.Time, slow bool) {
	lim.mu.Lock()
	defer lim.mu.Unlock()
	return lim.breaker.misconfigured.probeAt, lim.breaker.misconfigured.isSlow()
}

// unlockAndNotify notifies the waiters for whom there are slots, and calls further.
func (lim *Limiter) unlockAndNotify(now time.Time, further ...func()) {
	calls := append(lim.pick(now), further...)
	lim.leaveTenant()
	lim.mu.Unlock()
	for _, call := range calls {
		call()
	}
	lim.tenant.notify(now)
}

// Reset sets the version of the endpoint: its address, TLS settings and credentials. Another version resets the circuit breaker and
// Retry-After, and notifies the waiters. Requests in flight keep their slots until they end, but their outcomes do not count. The
// rates stay.
func (lim *Limiter) Reset(version string, now time.Time) {
	lim.mu.Lock()
	former := lim.version
	lim.version = version
	if former == "" || former == version {
		lim.mu.Unlock()
		return
	}
	lim.epoch++
	lim.breaker.reset()
	lim.unlockAndNotify(now)
}

// Cancel drops a place in the queue, if there is one.
func (lim *Limiter) Cancel(who any, now time.Time) {
	lim.mu.Lock()
	own := lim.waiters[who]
	if own == nil {
		lim.mu.Unlock()
		return
	}
	lim.remove(own)
	lim.unlockAndNotify(now)
}
