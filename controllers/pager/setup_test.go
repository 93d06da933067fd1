// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pager

import (
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/kube/times"
)

// serverClock is the clock of an API server.
type serverClock struct{ last time.Time }

func (c serverClock) Now() time.Time        { return time.Time{} }
func (c serverClock) Last() time.Time       { return c.last }
func (serverClock) KnownFor() time.Duration { return 0 }
func (c serverClock) Reading() times.Server { return times.Server{Steady: c.last} }

// Objects say by the API server's clock since when they fail: where this machine's is a day ahead, a Job that has just failed would be an old one.
func TestNow(t *testing.T) {
	yesterday := time.Now().Add(-24 * time.Hour)
	if got := (Options{ServerClock: serverClock{yesterday}}).now(); !got.Equal(yesterday) {
		t.Errorf("%v, want the API server's time %v", got, yesterday)
	}
	if got := (Options{ServerClock: serverClock{}}).now(); time.Since(got).Abs() > time.Minute {
		t.Errorf("%v before the API server's time is known", got)
	}
}
