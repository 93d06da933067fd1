// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"context"
	"fmt"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/builder"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller"
	"sigs.k8s.io/controller-runtime/pkg/predicate"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// A reconciler is the loop as controller-runtime provides it.
type reconciler struct {
	client client.Client
	pager  *pager
}

func setUpReconciler(mgr ctrl.Manager, o options) error {
	p, err := newPager(o)
	if err != nil {
		return err
	}
	return ctrl.NewControllerManagedBy(mgr).
		Named("alert").
		For(&v1beta1.Alert{}, builder.WithPredicates(predicate.GenerationChangedPredicate{})). // its own status patches do not trigger it
		WithOptions(controller.Options{MaxConcurrentReconciles: o.workers}).
		Complete(&reconciler{mgr.GetClient(), p})
}

// Reconcile sends an Alert that is not sent yet.
func (r *reconciler) Reconcile(ctx context.Context, request ctrl.Request) (ctrl.Result, error) {
	a := &v1beta1.Alert{}
	if err := r.client.Get(ctx, request.NamespacedName, a); err != nil || a.Status.Sent {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if err := r.pager.page(ctx, a); err != nil {
		return ctrl.Result{}, fmt.Errorf("paging: %w", err)
	}
	return ctrl.Result{}, r.client.Status().Patch(ctx, a, client.RawPatch(types.JSONPatchType, statusPatch(a, r.pager.status)))
}
