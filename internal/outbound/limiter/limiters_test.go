// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limiter_test

import (
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound/limiter"
)

// F-P25: an endpoint has one Limiter, also while idle ones are dropped between Of and Enter of another request.
func TestALimiterInUseIsKept(t *testing.T) {
	var all limiter.Limiters[int]
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	idle, used := all.Of(-2, now), all.Of(-1, now)
	now = now.Add(time.Hour)
	if all.Of(-1, now) != used { // its request enters later
		t.Fatal("an endpoint that is used again has another Limiter")
	}
	for i := range 5000 {
		all.Of(i, now)
	}
	if all.Known(-1) != used || all.Of(-1, now) != used {
		t.Error("the Limiter was dropped between Of and Enter")
	}
	if all.Known(-2) == idle {
		t.Error("an idle Limiter is kept for ever")
	}
}
