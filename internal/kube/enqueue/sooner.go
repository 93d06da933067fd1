// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package enqueue

import (
	"cmp"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
)

// Sooner returns the result that is due first.
func Sooner(result ctrl.Result, again time.Duration) ctrl.Result {
	if again <= 0 || result.Requeue || result.RequeueAfter > 0 && result.RequeueAfter <= again { //nolint:staticcheck // it comes by the queue's backoff
		return result
	}
	result.RequeueAfter, result.Priority = again, cmp.Or(result.Priority, new(0))
	return result
}
