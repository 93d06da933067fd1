// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
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
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusTooManyRequests) }))
	defer server.Close()
	alert, receiver := controllertest.NewAlertAndReceiver(server.URL)
	now := time.Now().Truncate(time.Second)
	alert.CreationTimestamp, alert.Status.ObservedGeneration = metav1.NewTime(now.Add(-time.Hour)), -1
	r := newReconciler(t, controllertest.NewCluster(t, interceptor.Funcs{}, alert, receiver))
	r.serverTime = func() times.Server { return times.Server{Steady: now} }
	r.lead()
	for range 2 {
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.client.Get(t.Context(), nameOf(alert), alert); err != nil {
		t.Fatal(err)
	}
	if row := alert.Status.Deliveries[0]; row.Attempts != 1 || !row.OutcomeUnknown {
		t.Errorf("%d attempts, outcome unknown %t: the former leader may have sent it, so that a refusal proves nothing", row.Attempts, row.OutcomeUnknown)
	}
}
