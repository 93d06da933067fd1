// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package enqueue

import (
	"testing"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/handler"
)

// TestWhatComesSooner of a result and another time.
func TestWhatComesSooner(t *testing.T) {
	low := new(handler.LowPriority)
	for name, c := range map[string]struct {
		result   ctrl.Result
		again    time.Duration
		want     time.Duration
		priority int
	}{
		"nothing else":         {ctrl.Result{RequeueAfter: time.Minute, Priority: low}, 0, time.Minute, handler.LowPriority},
		"later":                {ctrl.Result{RequeueAfter: time.Minute, Priority: low}, time.Hour, time.Minute, handler.LowPriority},
		"sooner":               {ctrl.Result{RequeueAfter: time.Minute, Priority: low}, time.Second, time.Second, handler.LowPriority},
		"alone":                {ctrl.Result{}, time.Second, time.Second, 0},
		"the queue's own wait": {ctrl.Result{Requeue: true, Priority: low}, time.Hour, 0, handler.LowPriority}, //nolint:staticcheck // as it is in use
	} {
		got := Sooner(c.result, c.again)
		if got.RequeueAfter != c.want || got.Priority == nil || *got.Priority != c.priority {
			t.Errorf("%s: %+v, want it after %v with priority %d", name, got, c.want, c.priority)
		}
	}
}
