// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package apiserver

import (
	"net/http"
	"sync"
	"time"

	"github.com/gophernetes/bellhop/internal/kube/times"
)

const (
	// maxStep is how much the Date of two responses may differ from the time between them, as it has whole seconds.
	maxStep = 2 * time.Second
	// maxJump is how much the Date of a response may differ from the known time, which it corrects. If it differs by more, one of them is wrong.
	maxJump = time.Minute
	// silence is for how long no response may arrive while the time is known without a break. A process that hears nothing for longer may have been
	// stopped, such as by SIGSTOP or the freezer of its cgroup, and has received no posts either. One that runs renews its lease and watches more often.
	silence = 5 * time.Minute
)

// Clock is the API server's clock, as the Date header of its responses shows it. Between responses it goes on with this machine's
// monotonic clock, which no change of the time of day affects. After a jump the time is unknown until all responses have agreed for a time (R11).
type Clock struct {
	mu sync.Mutex
	// known is the time that was known last, and since is when it was known first; zero: never.
	known dated
	since time.Time
	// heard is when the last response arrived that has a Date.
	heard time.Time
	// other is the Date of the responses since a jump, and agreed is since when they agree with each other; zero: they agree with the known time.
	other  dated
	agreed time.Time
	// earliest is the earliest time that a response has said since the time is unknown.
	earliest dated
}

// dated is a Date, and when it arrived, which has a monotonic reading.
type dated struct{ date, at time.Time }

// now returns the time that a Date shows later; zero: there is no Date.
func (d dated) now(local time.Time) time.Time {
	if d.date.IsZero() {
		return time.Time{}
	}
	return d.date.Add(local.Sub(d.at))
}

// Now returns the API server's time, which may be up to two seconds late; zero before the first response, and while the time is unknown.
func (c *Clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now(time.Now())
}

func (c *Clock) now(local time.Time) time.Time {
	if !c.agreed.IsZero() {
		return time.Time{}
	}
	return c.known.now(local)
}

// Reading returns the time for a decision.
func (c *Clock) Reading() times.Server {
	c.mu.Lock()
	defer c.mu.Unlock()
	local := time.Now()
	return times.Server{Known: c.now(local), Steady: c.known.now(local)}
}

// Last returns the time that was known last, plus the time since then; zero before the first response. While the time is unknown, it is the earliest
// time of a response, if that is earlier: by a clock that is ahead, alerts that fire would have ended. Callers must not end anything by it.
func (c *Clock) Last() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last(time.Now())
}

func (c *Clock) last(local time.Time) time.Time {
	known := c.known.now(local)
	if early := c.earliest.now(local); !early.IsZero() && early.Before(known) {
		return early
	}
	return known
}

// KnownFor returns for how long the time has been known without a break; 0: it is not known.
func (c *Clock) KnownFor() time.Duration {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.knownFor(time.Now())
}

func (c *Clock) knownFor(local time.Time) time.Duration {
	if c.now(local).IsZero() || local.Sub(c.heard) > silence {
		return 0
	}
	return local.Sub(c.since)
}

// Observe returns a transport that reads the Date of each response to next.
func (c *Clock) Observe(next http.RoundTripper) http.RoundTripper {
	return roundTripper(func(request *http.Request) (*http.Response, error) {
		response, err := next.RoundTrip(request)
		if err == nil {
			if date, malformed := http.ParseTime(response.Header.Get("Date")); malformed == nil {
				c.set(date, time.Now())
			}
		}
		return response, err
	})
}

// set takes over the date of a response.
func (c *Clock) set(date, local time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	said := dated{date, local}
	if local.Sub(c.heard) > silence {
		c.since = local
		if !c.agreed.IsZero() { // no response has agreed meanwhile
			c.agreed = local
		}
	}
	c.heard = local
	switch {
	case c.known.date.IsZero():
		c.known, c.since = said, local
		return
	case c.agreed.IsZero() && !isJump(c.known, said):
		c.known = latest(c.known, said)
		return
	case c.agreed.IsZero() || isJump(c.other, said):
		c.other, c.agreed = said, local
	case local.Sub(c.agreed) < times.Agreement:
		c.other = latest(c.other, said)
	default:
		c.known, c.since = latest(c.other, said), local
		c.other, c.agreed, c.earliest = dated{}, time.Time{}, dated{}
		return
	}
	if early := c.earliest.now(local); early.IsZero() || said.date.Before(early) {
		c.earliest = said
	}
}

// isJump reports whether a later response shows another time.
func isJump(before, said dated) bool {
	return before.now(said.at).Sub(said.date).Abs() > maxJump
}

// latest returns the later one of two that agree. One that is late by less than maxStep would only set the clock back.
func latest(before, said dated) dated {
	if behind := before.now(said.at).Sub(said.date); behind >= 0 && behind <= maxStep {
		return before
	}
	return said
}

type roundTripper func(*http.Request) (*http.Response, error)

func (r roundTripper) RoundTrip(request *http.Request) (*http.Response, error) { return r(request) }
