// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package patch

import (
	"cmp"
	"context"
	"errors"
	"net/http"
	"strings"

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

// IsRefusal reports whether the API server has refused an object, such as by an admission policy: the same write is refused again. A webhook that
// refuses with 404 or 409 is not told from an object that has changed, whose write is repeated.
func IsRefusal(err error) bool {
	return apierrors.IsInvalid(err) || apierrors.IsForbidden(err) || apierrors.IsRequestEntityTooLargeError(err) || apierrors.IsBadRequest(err) || isDenied(err)
}

// isDenied reports whether admission refused an object with a code that other errors have as well, which only the text tells apart: a webhook may
// choose any code, and a ValidatingAdmissionPolicy 401.
func isDenied(err error) bool {
	return hasText(err, http.StatusInternalServerError, "admission webhook ") || hasText(err, http.StatusUnauthorized, "admission webhook ") ||
		hasText(err, http.StatusUnauthorized, "denied request")
}

// isWebhookAway reports whether the API server could not call a webhook. This is no refusal of the object: the webhook may be back at the next write.
func isWebhookAway(err error) bool {
	return hasText(err, http.StatusInternalServerError, "failed calling webhook")
}

// hasText reports whether the API server has answered with the code and the text.
func hasText(err error, code int32, text string) bool {
	status, ok := errors.AsType[*apierrors.StatusError](err)
	return ok && status.ErrStatus.Code == code && strings.Contains(status.ErrStatus.Message, text)
}
