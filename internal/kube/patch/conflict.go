// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package patch

import (
	"cmp"
	"context"
	"errors"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"
)

// RequeueOnConflict turns a conflict, ErrStale and NotFound into a requeue without an error: the object has changed since it was
// read. The watch event of that change may have come already, so the object is requeued in any case, with the queue's backoff.
func RequeueOnConflict(ctx context.Context, result reconcile.Result, err error) (reconcile.Result, error) {
	if err == nil {
		return result, nil
	}
	again := reconcile.Result{Priority: cmp.Or(result.Priority, new(0))} // without one it would keep the priority of this reconcile
	if errors.Is(err, ErrStale) || apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		log.FromContext(ctx).V(1).Info("Object has changed since it was read")
		again.Requeue = true //nolint:staticcheck // the queue's backoff, without an error in the log
		return again, nil
	}
	return again, err
}

// IsRefusal reports whether the API server has refused an object, such as by an admission policy: the same write is refused again.
func IsRefusal(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsRequestEntityTooLargeError(err) || apierrors.IsBadRequest(err)
}
