// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package enqueue

import (
	"context"
	"time"

	"k8s.io/client-go/util/workqueue"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// Later returns a handler that adds the requests that of returns for a changed object, before and after the change, after a delay: many changes cause
// one reconcile.
func Later(delay time.Duration, of func(client.Object) []reconcile.Request) handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	later := func(q queue, objects ...client.Object) {
		for _, o := range objects {
			for _, request := range of(o) {
				q.AddAfter(request, delay)
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { later(q, e.Object) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) { later(q, e.ObjectOld, e.ObjectNew) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { later(q, e.Object) },
	}
}
