// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package guard

import (
	"context"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/kube/times"
)

// Stall returns the status of an object with another condition Stalled, and whether it differs from the object's, which belongs to the cache.
// message and isRefusal are those of a Failure.
type Stall func(o metav1.Object, message string, isRefusal bool, now time.Time) (status any, changed bool)

// InStatus shows failures in the condition Stalled of the objects of a kind. The other conditions and observedGeneration stay: an earlier reconcile has
// confirmed them, and decisions follow from them. c reads the cache, and shows this process's own writes.
func InStatus(c client.Client, newObject func() client.Object, stall Stall) Show {
	return func(ctx context.Context, req reconcile.Request, failure Failure) error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), times.RecordTimeout)
		defer cancel()
		o := newObject()
		if err := c.Get(ctx, req.NamespacedName, o, client.UnsafeDisableDeepCopy); err != nil { // after each reconcile
			return client.IgnoreNotFound(err)
		}
		status, changed := stall(o, failure.Message, failure.IsRefusal, time.Now())
		if !changed {
			return nil
		}
		return patch.Status(ctx, c, o.DeepCopyObject().(client.Object), status)
	}
}
