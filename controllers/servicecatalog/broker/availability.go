// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/enqueue"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokerrules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
)

// checkAvailability requests the catalog of a broker that is not relisted any more, since it is being deleted or was abandoned: deletions
// of its instances and bindings wait until it answers with success. Classes, plans and the status stay as they are.
func (r *Reconciler) checkAvailability(ctx context.Context, b v1beta1.Broker) (ctrl.Result, error) {
	key, name, now := brokers.KeyOf(b), client.ObjectKeyFromObject(b), r.clock.Now()
	release, _ := r.connections.Limiters.Of(key, now).Enter(limiter.Request{ID: r.queueKey(key), Flow: "catalog", Probe: true, Notify: func() { r.wake.AddFirst(name) }}, now)
	if release == nil {
		return enqueue.Requeue(now.Add(brokers.QueueHeartbeat), now), nil
	}
	ignored := brokerrules.RelistResult{}
	if _, err := r.fetch(ctx, b, release, b.CommonStatus().CatalogETag, &ignored); err != nil {
		return ctrl.Result{}, err
	}
	r.demands.relisted(key, now, ignored.Error == nil)
	return enqueue.Requeue(now, now), nil // for other steps that are due
}
