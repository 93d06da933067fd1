// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/controllertest"
)

// A request begins at the API server's time; while that is not known, at the later one of the two clocks.
func TestBeginning(t *testing.T) {
	t0 := controllertest.T0
	for name, c := range map[string]struct {
		now    time.Time
		server times.Server
		want   time.Time
	}{
		"known, the process is ahead":    {t0.Add(time.Hour), times.Server{Known: t0, Steady: t0}, t0},
		"unknown, the process is behind": {t0.Add(-24 * time.Hour), times.Server{Steady: t0}, t0},
		"unknown, the process is ahead":  {t0.Add(time.Hour), times.Server{Steady: t0}, t0.Add(time.Hour)},
		"never known":                    {t0, times.Server{}, t0},
	} {
		r := newReconciler(t, controllertest.NewCluster(t, interceptor.Funcs{}))
		r.clock, r.serverTime = clocktesting.NewFakePassiveClock(c.now), func() times.Server { return c.server }
		if got := r.beginning(); !got.Equal(c.want) {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// The time since when a process leads does not lie ahead, and does not move once it is right.
func TestLeaderSinceAClockThatWasAhead(t *testing.T) {
	t0 := controllertest.T0
	r := newReconciler(t, controllertest.NewCluster(t, interceptor.Funcs{}))
	server := times.Server{Known: t0.Add(365 * 24 * time.Hour)}
	r.serverTime = func() times.Server { return server }
	now := clocktesting.NewFakePassiveClock(t0)
	r.clock = now
	r.lead()
	for _, after := range []time.Duration{0, time.Minute, time.Hour} {
		now.SetTime(t0.Add(after))
		if got := r.leaderSince(times.Server{Known: t0.Add(after)}); !got.Equal(t0) {
			t.Errorf("after %s: %s, want %s", after, got, t0)
		}
	}
}

// A process begins to lead while the time is unknown: an Alert from before may have been sent by a former leader.
func TestLeadsAtAnUnknownTime(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	row := firstAttempt(t, now.Add(-time.Hour), func(r *Reconciler) {
		r.serverTime = func() times.Server { return times.Server{Steady: now} }
		r.lead()
	})
	if row.Attempts != 1 || !row.OutcomeUnknown {
		t.Errorf("%d attempts, outcome unknown %t: the former leader may have sent it, so that a refusal proves nothing", row.Attempts, row.OutcomeUnknown)
	}
}
