// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limiter_test

import (
	"testing"
	"testing/synctest"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound/limiter"
)

// bucket answers 429 beyond a burst of messages, and one more each interval.
func bucket(burst int, interval time.Duration, retryAfter time.Duration) func(message) limiter.Result {
	began, taken := time.Now(), 0
	return func(message) limiter.Result {
		if taken >= burst+int(time.Since(began)/interval) {
			return limiter.Result{Outcome: limiter.Throttled, RetryAfter: retryAfter}
		}
		taken++
		return limiter.Result{}
	}
}

// F-P72: at an endpoint with a limit of its own one message at a time is tried, by severity, whether it says when or not.
func TestF_P72_TrialsGoBySeverity(t *testing.T) {
	for _, retryAfter := range []time.Duration{0, 5 * time.Second} {
		t.Run(retryAfter.String(), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				s := service{takes: 100 * time.Millisecond, answer: bucket(8, 5*time.Second, retryAfter)}
				var messages []message
				for i := range 80 {
					severity := 0
					if i%8 == 7 { // the last one is the last of all
						severity = 2
					}
					messages = append(messages, queued("ns", severity, 1, i)...)
				}
				began := time.Now()
				s.send(messages...)
				if len(s.accepted) != 80 {
					t.Fatalf("%d messages are accepted", len(s.accepted))
				}
				last := 0
				for i, m := range s.accepted {
					if m.severity == 2 {
						last = i
					}
				}
				if last > 20 {
					t.Errorf("the last Critical is message %d", last+1)
				}
				if refused := len(s.sent) - 80; refused > 5*80 {
					t.Errorf("%d requests were refused", refused)
				}
				if took := time.Since(began); took > 10*time.Minute { // the endpoint's own limit is 6 minutes
					t.Errorf("it takes %s", took)
				}
			})
		})
	}
}

// F-P72: after the trials requests are concurrent again.
func TestF_P72_TrialsEnd(t *testing.T) {
	now := time.Now()
	var l limiter.Limiter
	enter := func(id int) limiter.Release {
		release, _ := l.Enter(limiter.Request{ID: id, Flow: "ns", Notify: func() {}}, now)
		return release
	}
	if release := enter(0); !release(now, limiter.Result{Outcome: limiter.Throttled}).Throttled {
		t.Error("the object waits for a time of its own")
	}
	if enter(1) != nil {
		t.Fatal("a request is sent at once after the refusal")
	}
	now = now.Add(time.Second)
	for i := range 4 {
		release := enter(1 + i)
		if release == nil || enter(2+i) != nil {
			t.Fatalf("trial %d is not alone", i+1)
		}
		release(now, limiter.Result{})
	}
	for i := range 4 {
		if enter(5+i) == nil {
			t.Errorf("after the trials %d requests are sent at a time", i)
		}
	}
}

// F-P72: an endpoint that refuses all is asked less and less often, whatever its Retry-After is.
func TestF_P72_RefusalsInARow(t *testing.T) {
	for _, retryAfter := range []time.Duration{0, time.Second, time.Minute} {
		now, sent := time.Now(), 0
		var l limiter.Limiter
		for end := now.Add(time.Hour); now.Before(end); now = now.Add(100 * time.Millisecond) {
			if release, _ := l.Enter(limiter.Request{ID: sent, Flow: "ns", Notify: func() {}}, now); release != nil {
				sent++
				release(now, limiter.Result{Outcome: limiter.Throttled, RetryAfter: retryAfter})
			}
		}
		if sent < 50 || sent > 130 {
			t.Errorf("with Retry-After %s there are %d requests an hour", retryAfter, sent)
		}
	}
}

// A request that may have been carried out is not repeated before its own backoff, as a proxy's 503 with Retry-After 1 has it.
func TestWhatMayHaveArrivedHasItsOwnBackoff(t *testing.T) {
	for _, mayHaveArrived := range []bool{false, true} {
		var l limiter.Limiter
		now := time.Now()
		release, _ := l.Enter(limiter.Request{ID: 1, Flow: "ns"}, now)
		if got := release(now, limiter.Result{Outcome: limiter.Throttled, RetryAfter: time.Second, MayHaveArrived: mayHaveArrived}); got.Throttled == mayHaveArrived {
			t.Errorf("may have arrived: %t; due at once: %t", mayHaveArrived, got.Throttled)
		}
	}
}
