// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package engine

import (
	"context"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/consistency"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// TestNothingIsDoneBeforeTheCacheShowsWhoRefersToIt: else an instance goes that a binding still needs.
func TestNothingIsDoneBeforeTheCacheShowsWhoRefersToIt(t *testing.T) {
	si, b := rulestest.NewInstance(), &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "b", UID: "uid-b"}}
	b.Spec.InstanceRef.Name = si.Name
	var asked atomic.Bool // the cache is behind until somebody doubts it
	get := func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
		if _, ok := o.(*v1beta1.ServiceBinding); ok && !asked.Load() {
			return apierrors.NewNotFound(schema.GroupResource{}, key.Name)
		}
		return c.Get(ctx, key, o, opts...)
	}
	list := func(ctx context.Context, c client.WithWatch, list client.ObjectList, opts ...client.ListOption) error {
		if _, ok := list.(*v1beta1.ServiceBindingList); ok && !asked.Load() {
			return nil
		}
		return c.List(ctx, list, opts...)
	}
	doubt := func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
		asked.Store(true)
		return c.Get(ctx, key, o, opts...)
	}
	cache, live := controllertest.NewCluster(t, interceptor.Funcs{Get: get, List: list}, si, b), controllertest.NewCluster(t, interceptor.Funcs{Get: doubt}, si, b)
	config := &Config{Index: index.Index{Cache: cache}, Barrier: consistency.CacheBarrier{Cache: cache, Live: live}, Clients: &brokers.Clients{}, Clock: clocktesting.NewFakePassiveClock(rulestest.T0)}
	config.Freshness("ServiceBinding", &v1beta1.ServiceBinding{})
	r := newStub(cache, config)
	var needed []*v1beta1.ServiceBinding
	r.reconcile = func(ctx context.Context, s *Scope) (_ ctrl.Result, err error) {
		needed, err = config.Index.Bindings(ctx, client.ObjectKeyFromObject(s.Object))
		return ctrl.Result{}, err
	}
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(si)}); err != nil || len(needed) != 1 {
		t.Errorf("the cache has %d bindings: %v", len(needed), err)
	}
}
