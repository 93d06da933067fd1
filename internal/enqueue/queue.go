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
	"context"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/controller/priorityqueue"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// ControllerOptions are those of a controller that works on so many objects at once. Only
// the API server's failures come to its rate limiter: who is outside has a backoff of its own.
func ControllerOptions(workers int) controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: workers,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](50*time.Millisecond, 30*time.Second),
	}
}

// Wakeups puts objects into a controller's queue. The zero value is ready to use.
type Wakeups struct {
	mu    sync.Mutex
	queue priorityqueue.PriorityQueue[reconcile.Request]
}

// Start is the controller's source of wake-ups.
func (w *Wakeups) Start(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue = queue.(priorityqueue.PriorityQueue[reconcile.Request]) // as each of controller-runtime's is
	return nil
}

// Add puts an object into the queue, once the controller runs.
func (w *Wakeups) Add(name types.NamespacedName) { w.add(name, 0) }

// AddFirst puts an object before those whose events have come, since something that others wait
// for is kept for it.
func (w *Wakeups) AddFirst(name types.NamespacedName) { w.add(name, 1) }

func (w *Wakeups) add(name types.NamespacedName, priority int) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.queue != nil {
		w.queue.AddWithOpts(priorityqueue.AddOpts{Priority: &priority}, reconcile.Request{NamespacedName: name})
	}
}

// Requeue has an object looked at again at t, or only when something changes if there is no
// t. It takes its turn like all others then, however it came to this one.
func Requeue(t, now time.Time) reconcile.Result {
	if t.IsZero() {
		return reconcile.Result{}
	}
	return reconcile.Result{RequeueAfter: max(t.Sub(now), time.Millisecond), Priority: new(0)}
}
