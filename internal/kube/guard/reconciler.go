// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package guard ends a panic of a reconcile with an error of its object, and shows it in the status of the object.
package guard

import (
	"context"
	"errors"

	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/panics"
)

// Show shows in the status of an object that its reconcile panicked; a nil *panics.Error: it did not, and the status shows no panic any more.
type Show func(context.Context, reconcile.Request, *panics.Error) error

// Reconciler returns a reconciler for which a panic of r is an error, so that the object is reconciled again with the queue's backoff. show may
// be nil.
func Reconciler(r reconcile.Reconciler, show Show) reconcile.Reconciler {
	if show == nil {
		show = func(context.Context, reconcile.Request, *panics.Error) error { return nil }
	}
	return reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		result, err := guarded(ctx, r, req)
		failed, ok := errors.AsType[*panics.Error](err)
		switch {
		case ok:
			if shown := show.guarded(ctx, req, failed); shown != nil {
				log.FromContext(ctx).Info("Could not show a panic in the status of the object", "error", shown.Error())
			}
			return reconcile.Result{Priority: result.Priority}, err
		case err != nil:
			return result, err
		}
		if err := show.guarded(ctx, req, nil); err != nil {
			return patch.RequeueOnConflict(ctx, result, err)
		}
		return result, nil
	})
}

func guarded(ctx context.Context, r reconcile.Reconciler, req reconcile.Request) (result reconcile.Result, err error) {
	defer panics.Recover(ctx, panics.Reconciler, "reconciling the object", &err)
	return r.Reconcile(ctx, req)
}

func (s Show) guarded(ctx context.Context, req reconcile.Request, failed *panics.Error) (err error) {
	defer panics.Recover(ctx, panics.Reconciler, "writing the status of the object", &err)
	return s(ctx, req, failed)
}
