// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"

	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// stub is a kind whose reconcile a test provides.
type stub struct {
	*Reconciler
	reconcile func(context.Context, *Scope) (ctrl.Result, error)
}

func newStub(c client.Client, config *Config) *stub {
	s := &stub{}
	s.Reconciler = NewReconciler(config, s, c, c)
	return s
}

func (*stub) Name() string                                                    { return "ServiceInstance" }
func (*stub) New() v1beta1.ServiceObject                                      { return &v1beta1.ServiceInstance{} }
func (*stub) IsCreated(v1beta1.ServiceObjectStatus) bool                      { return false }
func (*stub) RemovalFailed() string                                           { return v1beta1.ReasonDeprovisionCallFailed }
func (*stub) UnsettledAt(context.Context, v1beta1.Broker) []reconcile.Request { return nil }

func (k *stub) ReconcileObject(ctx context.Context, s *Scope) (ctrl.Result, error) {
	return k.reconcile(ctx, s)
}
