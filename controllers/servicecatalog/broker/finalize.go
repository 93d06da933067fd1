// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/kube/consistency"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokerrules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// finalize releases a broker once no instance and binding needs it.
func (r *Reconciler) finalize(ctx context.Context, b v1beta1.Broker) error {
	r.leaveQueue(brokers.KeyOf(b))
	if !controllerutil.ContainsFinalizer(b, v1beta1.Finalizer) {
		return nil
	}
	if used, err := r.inUse(ctx, b); used || err != nil {
		return err
	}
	if err := r.waitForConsumers(ctx, b); err != nil {
		return err
	}
	if used, err := r.inUse(ctx, b); used || err != nil { // by objects that the cache had not shown
		return err
	}
	existing, err := r.readExisting(ctx, b)
	if err != nil {
		return err
	}
	if err := r.deleteAll(ctx, existing); err != nil {
		return fmt.Errorf("deleting what the broker offered: %w", err)
	}
	if err := r.leadership.Err(); err != nil {
		return err
	}
	if err := patch.RemoveFinalizer(ctx, r.client, b.DeepCopyObject().(v1beta1.Broker), v1beta1.Finalizer); err != nil {
		return err
	}
	r.recorder.Eventf(b, nil, "Normal", r.Deleted, "Release", "The broker was released: no instance or binding is left at it")
	return nil
}

// inUse reports whether a broker is needed, and sets its conditions then.
func (r *Reconciler) inUse(ctx context.Context, b v1beta1.Broker) (bool, error) {
	consumers, err := r.consumers(ctx, b)
	if err != nil || len(consumers.Instances)+len(consumers.Bindings) == 0 {
		return false, err
	}
	_, err = r.write(ctx, b, brokerrules.StatusInUse(b, consumers, r.clock.Now()))
	return true, err
}

// consumers returns the instances and bindings that are, or may be, at a broker.
func (r *Reconciler) consumers(ctx context.Context, b v1beta1.Broker) (c brokerrules.Consumers, err error) {
	instances, err := r.index.InstancesOfBroker(ctx, b)
	if err != nil {
		return c, fmt.Errorf("looking up the broker's instances: %w", err)
	}
	bindings, err := r.index.BindingsOfBroker(ctx, b)
	if err != nil {
		return c, fmt.Errorf("looking up the broker's bindings: %w", err)
	}
	stay := 0
	add := func(names *[]string, o client.Object) {
		*names = append(*names, o.GetNamespace()+"/"+o.GetName())
		if o.GetDeletionTimestamp().IsZero() {
			stay++
		}
	}
	for _, instance := range instances {
		add(&c.Instances, instance)
	}
	for _, binding := range bindings {
		add(&c.Bindings, binding)
	}
	slices.Sort(c.Instances)
	slices.Sort(c.Bindings)
	c.Leaving = stay == 0 || apiserver.IsTerminating(ctx, r.cached.Cache, b.GetNamespace())
	return c, nil
}

// waitForConsumers checks that the cache shows all instances and bindings as they are now: one that it does not show would lose its broker.
func (r *Reconciler) waitForConsumers(ctx context.Context, b v1beta1.Broker) error {
	for kind, cached := range map[string]client.Object{"ServiceInstance": &v1beta1.ServiceInstance{}, "ServiceBinding": &v1beta1.ServiceBinding{}} {
		see := func(now *metav1.PartialObjectMetadata) error {
			if err := r.cached.Cache.Get(ctx, client.ObjectKeyFromObject(now), cached, client.UnsafeDisableDeepCopy); err != nil || !rules.NotAfter(now.ResourceVersion, cached.GetResourceVersion()) {
				return fmt.Errorf("waiting for the cache to have %s %s/%s as it is now: %w", kind, now.Namespace, now.Name, patch.ErrStale)
			}
			return nil
		}
		_, err := consistency.ListMetadata(ctx, r.live, v1beta1.GroupVersion.WithKind(kind), see, client.InNamespace(b.GetNamespace()))
		if err != nil && !apierrors.IsNotFound(err) && !meta.IsNoMatchError(err) { // otherwise their CRD does not exist either
			return fmt.Errorf("making sure that every %s is seen: %w", kind, err)
		}
	}
	return nil
}
