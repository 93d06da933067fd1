// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"context"

	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
)

// Name returns the kind.
func (*Reconciler) Name() string { return "ServiceBinding" }

// New returns an empty object.
func (*Reconciler) New() v1beta1.ServiceObject { return &v1beta1.ServiceBinding{} }

// IsCreated reports whether the broker has confirmed the binding.
func (*Reconciler) IsCreated(s v1beta1.ServiceObjectStatus) bool {
	return bindingphase.IsBound(s.(*v1beta1.ServiceBindingStatus))
}

// RemovalFailed is the reason of a removal that cannot be requested.
func (*Reconciler) RemovalFailed() string { return v1beta1.ReasonErrorEjectingServiceBinding }

// UnsettledAt returns the bindings that are not settled at a broker.
func (r *Reconciler) UnsettledAt(ctx context.Context, b v1beta1.Broker) []reconcile.Request {
	return r.dependents.atBroker(ctx, b)
}
