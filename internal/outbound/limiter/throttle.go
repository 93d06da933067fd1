// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limiter

import "time"

// throttle records the answers that are Throttled: the endpoint has a limit of its own. Then one request at a time is sent, in the order of the
// queue, until several in a row were not throttled: so the endpoint gets the most severe first. The zero value has recorded none.
type throttle struct {
	refusals int       // in a row
	until    time.Time // when the next request may be sent after them
	trials   int       // how many requests in a row have to succeed
}

func (t *throttle) isActive() bool { return t.trials > 0 }

// refuse records such an answer, and returns for how long the endpoint takes no requests: a time that grows with the refusals in a row, and
// Retry-After, if that is longer. Answers to requests that were in flight with another one count once.
func (t *throttle) refuse(retryAfter time.Duration, now time.Time) time.Duration {
	t.trials = slots
	if now.Before(t.until) {
		return max(retryAfter, t.until.Sub(now))
	}
	wait := max(retryAfter, min(firstOpen<<min(t.refusals, 10), lastOpen))
	t.refusals++
	t.until = now.Add(wait)
	return wait
}

// accept records an answer that is not Throttled.
func (t *throttle) accept() {
	t.refusals, t.trials = 0, max(t.trials-1, 0)
}
