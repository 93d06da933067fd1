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

package pager

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// patience is how long an Alert waits for a slot at a receiver before its
// status says so, which costs a write; and how often it then asks again, should
// it not be woken.
const patience = 10 * time.Second

// waiting is s where some turns have to wait for a slot at their receiver.
func (s step) waiting(queued map[v1beta1.ReceiverRef]time.Time, now time.Time) step {
	s.turns = slices.Clone(s.turns)
	for i := range s.turns {
		t := &s.turns[i]
		since, ok := queued[refOf(t.row)]
		if !ok || t.send == nil {
			continue
		}
		t.send = nil
		t.row.Reason, t.row.Message = v1beta1.ReasonQueued, "other requests to this receiver come first"
		s.wake = earliest(s.wake, now.Add(patience))
		if wait := since.Add(patience); wait.After(now) {
			s.wake = earliest(s.wake, wait)
		}
	}
	return s
}

// isPatient says whether none has waited so long that its status has to say so.
func isPatient(queued map[v1beta1.ReceiverRef]time.Time, now time.Time) bool {
	for _, since := range queued {
		if now.Sub(since) >= patience {
			return false
		}
	}
	return len(queued) > 0
}

// wakeups puts Alerts into the controller's queue.
type wakeups struct {
	mu    sync.Mutex
	queue workqueue.TypedRateLimitingInterface[reconcile.Request]
}

// start is the controller's source of wake-ups.
func (w *wakeups) start(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = queue
	return nil
}

func (w *wakeups) add(name types.NamespacedName) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queue != nil {
		w.queue.Add(reconcile.Request{NamespacedName: name})
	}
}
