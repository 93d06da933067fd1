// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package limitertest has the functions that tests of users of package limiter share.
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
