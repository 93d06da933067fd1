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

// machine is a Machine of which only the scope is used.
type machine struct {
	Machine

	scope *Scope
}

func (m machine) Common() *Scope { return m.scope }

func newStub(c client.Client, config *Config) *stub {
	s := &stub{}
	s.Reconciler = NewReconciler(config, Kind{
		Name: "ServiceInstance", New: func() v1beta1.ServiceObject { return &v1beta1.ServiceInstance{} },
		IsCreated:     func(v1beta1.ServiceObjectStatus) bool { return false },
		RemovalFailed: v1beta1.ReasonDeprovisionCallFailed,
		UnsettledAt:   func(context.Context, client.Object) []reconcile.Request { return nil },
		Reconcile:     func(ctx context.Context, scope *Scope) (ctrl.Result, error) { return s.reconcile(ctx, scope) },
	}, c, c)
	return s
}
