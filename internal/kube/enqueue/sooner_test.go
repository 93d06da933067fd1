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
