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

// Package limitertest has what tests of users of package limiter share.
package limitertest

import (
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound/limiter"
)

// FillSlots takes all slots of an endpoint. release returns them, and reports whether no request waits any more.
func FillSlots(t *testing.T, lim *limiter.Limiter, now time.Time) (release func() bool) {
	t.Helper()
	var releases []limiter.Release
	for n := 0; ; n++ {
		release, _ := lim.Enter(limiter.Request{ID: n, Notify: func() {}}, now)
		if release == nil {
			lim.Cancel(n, now)
			break
		}
		releases = append(releases, release)
	}
	return func() bool {
		for _, release := range releases {
			release(now, limiter.Result{})
		}
		return lim.Idle(now)
	}
}
