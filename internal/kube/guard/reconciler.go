// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package guard ends a panic of a reconcile with an error of its object, and shows in the status of the object that it panicked, or that the API
// server refused its finalizer.
package guard

import (
	"context"
	"errors"

	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/internal/kube/leadership"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/panics"
)

// Failure is what ended a reconcile; the zero value: nothing that its status shows.
type Failure struct {
	// Message is what the status says; "": nothing has failed.
	Message string
	// IsRefusal: the API server refuses to change the finalizers; otherwise the reconcile panicked.
	IsRefusal bool
}

// failureOf returns what a status shows of an error.
func failureOf(err error) Failure {
	if failed, ok := errors.AsType[*panics.Error](err); ok {
		return Failure{Message: failed.Error()}
	}
	if refused, ok := errors.AsType[*patch.RefusedError](err); ok {
		return Failure{refused.Error(), true}
	}
	return Failure{}
}

// Show shows in the status of an object what ended its reconcile; without a message it shows no such failure any more.
type Show func(context.Context, reconcile.Request, Failure) error

// Reconciler returns a reconciler for which a panic of r is an error, so that the object is reconciled again with the queue's backoff. It is also
// reconciled again after leadership.ErrEnded, of which the status says nothing. show may be nil.
func Reconciler(r reconcile.Reconciler, show Show) reconcile.Reconciler {
	if show == nil {
		show = func(context.Context, reconcile.Request, Failure) error { return nil }
	}
	return reconcile.Func(func(ctx context.Context, req reconcile.Request) (reconcile.Result, error) {
		result, err := guarded(ctx, r, req)
		if errors.Is(err, leadership.ErrEnded) {
			log.FromContext(ctx).Info("Waiting until the lease is renewed", "error", err.Error())
			return reconcile.Result{RequeueAfter: leadership.Retry, Priority: result.Priority}, nil
		}
		failure := failureOf(err)
		switch {
		case failure.Message != "":
			if shown := show.guarded(ctx, req, failure); shown != nil {
				log.FromContext(ctx).Info("Could not show a failure in the status of the object", "error", shown.Error())
			}
			return reconcile.Result{Priority: result.Priority}, err
		case err != nil:
			return result, err
		}
		if result.Requeue || ctx.Err() != nil { //nolint:staticcheck // it has ended early, after a conflict or as the process stops: nothing is known of the failure
			return result, err
		}
		if err := show.guarded(ctx, req, Failure{}); err != nil {
			return patch.RequeueOnConflict(ctx, result, err)
		}
		return result, nil
	})
}

func guarded(ctx context.Context, r reconcile.Reconciler, req reconcile.Request) (result reconcile.Result, err error) {
	defer panics.Recover(ctx, panics.Reconciler, "reconciling the object", &err)
	return r.Reconcile(ctx, req)
}

func (s Show) guarded(ctx context.Context, req reconcile.Request, failure Failure) (err error) {
	defer panics.Recover(ctx, panics.Reconciler, "writing the status of the object", &err)
	return s(ctx, req, failure)
}
