// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package endpoints

import (
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Only an answer that certainly refuses an attempt has the next one wait in the queue alone: after a 503 the message may be shown already.
func TestWhatAnAnswerWithRetryAfterMeans(t *testing.T) {
	for class, mayHaveArrived := range map[result.Class]bool{result.Temporary: false, result.Unknown: true} {
		got := LimiterResult(&result.Error{Class: class, Reason: result.ReasonServerError, RetryAfter: time.Second})
		if want := (limiter.Result{Outcome: limiter.Throttled, RetryAfter: time.Second, MayHaveArrived: mayHaveArrived}); got != want {
			t.Errorf("%s: %+v, want %+v", class, got, want)
		}
	}
}
