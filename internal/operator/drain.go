// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"time"

	ctrl "sigs.k8s.io/controller-runtime"
)

// Drain returns a context that ends a delay after stopping: until then API servers learn that the webhooks are served elsewhere.
func Drain(stopping context.Context, delay time.Duration) context.Context {
	if delay == 0 {
		return stopping
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(stopping))
	context.AfterFunc(stopping, func() {
		ctrl.Log.Info("Stopping, webhooks are served until then", "delay", delay.String())
		time.AfterFunc(delay, stop)
	})
	return ctx
}
