// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package enqueue decides when objects are reconciled: queues, predicates and requeues of controllers.
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

// ControllerOptions returns the options of a controller with that many workers. Its rate limiter delays only after failures of the
// API server: brokers and receivers have backoffs of their own, in status.
func ControllerOptions(workers int) controller.Options {
	return controller.Options{
		MaxConcurrentReconciles: workers,
		RateLimiter:             workqueue.NewTypedItemExponentialFailureRateLimiter[reconcile.Request](50*time.Millisecond, 30*time.Second),
	}
}

// Enqueuer adds objects to a controller's queue. The zero value is ready to use.
type Enqueuer struct {
	mu    sync.Mutex
	queue priorityqueue.PriorityQueue[reconcile.Request]
}

// Start is a source.TypedFunc: it receives the controller's queue.
func (e *Enqueuer) Start(_ context.Context, queue workqueue.TypedRateLimitingInterface[reconcile.Request]) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.queue = queue.(priorityqueue.PriorityQueue[reconcile.Request]) // as each of controller-runtime's is
	return nil
}

// Add adds an object to the queue, if the controller runs.
func (e *Enqueuer) Add(name types.NamespacedName) { e.add(name, 0) }

// AddFirst adds an object with a higher priority than watch events have: a slot is reserved for it that others wait for.
func (e *Enqueuer) AddFirst(name types.NamespacedName) { e.add(name, 1) }

func (e *Enqueuer) add(name types.NamespacedName, priority int) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.queue != nil {
		e.queue.AddWithOpts(priorityqueue.AddOpts{Priority: &priority}, reconcile.Request{NamespacedName: name})
	}
}

// Requeue returns a result that requeues an object at t with the normal priority; a zero t requeues it only on events.
func Requeue(t, now time.Time) reconcile.Result {
	if t.IsZero() {
		return reconcile.Result{}
	}
	return reconcile.Result{RequeueAfter: max(t.Sub(now), time.Millisecond), Priority: new(0)}
}
