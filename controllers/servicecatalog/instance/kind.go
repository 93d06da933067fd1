// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/instancerules"
)

// Name returns the kind.
func (*Reconciler) Name() string { return "ServiceInstance" }

// New returns an empty object.
func (*Reconciler) New() v1beta1.ServiceObject { return &v1beta1.ServiceInstance{} }

// IsCreated reports whether the broker has confirmed the instance.
func (*Reconciler) IsCreated(s v1beta1.ServiceObjectStatus) bool {
	return instancerules.IsProvisioned(s.(*v1beta1.ServiceInstanceStatus))
}

// RemovalFailed is the reason of a removal that cannot be requested.
func (*Reconciler) RemovalFailed() string { return v1beta1.ReasonDeprovisionCallFailed }

// UnsettledAt returns the instances that are not settled at a broker.
func (r *Reconciler) UnsettledAt(ctx context.Context, b v1beta1.Broker) []reconcile.Request {
	return r.dependents.atBroker(ctx, b)
}
