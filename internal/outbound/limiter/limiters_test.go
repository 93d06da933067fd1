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
