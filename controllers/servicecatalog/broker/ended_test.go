// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"errors"
	"net/netip"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/leadership"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/catalogsync"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// The lease ends while the plans of a deleted broker are deleted.
func TestABrokerIsNotReleasedAfterTheLeaseHasEnded(t *testing.T) {
	server := osbtest.Start(t, osbtest.Options{})
	b := controllertest.NewBroker(catalogsync.ClusterWide, server.URL)
	now := clocktesting.NewFakePassiveClock(rulestest.Noon)
	lease := &leadership.Lease{Clock: now}
	lease.Renew(rulestest.Noon, time.Second)
	deletes := 0
	c := controllertest.NewCluster(t, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			o.SetUID(types.UID("of " + o.GetName()))
			return c.Create(ctx, o, opts...)
		},
		Delete: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.DeleteOption) error {
			if _, ok := o.(v1beta1.Plan); ok {
				now.SetTime(rulestest.Noon.Add(time.Minute)) // stopped here, and continued
				deletes++
			}
			return c.Delete(ctx, o, opts...)
		},
	}, b)
	r, _ := newBrokerReconciler(t, catalogsync.ClusterWide, c, rulestest.Noon)
	got, _ := reconcileBroker(t, r, b)
	r.leadership = lease
	existing, err := r.readExisting(t.Context(), got)
	if err != nil || len(existing.Plans) < 2 {
		t.Fatal(existing, err)
	}
	if err := c.Delete(t.Context(), got); err != nil {
		t.Fatal(err)
	}
	_, err = r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(b)})
	left, listErr := r.readExisting(t.Context(), got)
	if listErr != nil {
		t.Fatal(listErr)
	}
	gone := c.Get(t.Context(), client.ObjectKeyFromObject(b), catalogsync.ClusterWide.NewBroker())
	if !errors.Is(err, leadership.ErrEnded) || gone != nil {
		t.Errorf("after %d deletions of plans the lease has ended; %d classes and %d plans are left, and the broker was released (%v): %v", deletes, len(left.Classes), len(left.Plans), gone, err)
	}
}

// The process was stopped, and the fence refuses to write the request for the catalog; the lease is renewed at once.
func TestAFencedRelistIsNoFailureOfTheBroker(t *testing.T) {
	server := osbtest.Start(t, osbtest.Options{})
	b := controllertest.NewBroker(catalogsync.ClusterWide, server.URL)
	c := controllertest.NewCluster(t, interceptor.Funcs{}, b)
	r, _ := newBrokerReconciler(t, catalogsync.ClusterWide, c, rulestest.Noon)
	guard := outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, nil)
	var calls atomic.Int32
	guard.WriteWhile(func() error {
		if calls.Add(1) == 1 {
			return leadership.ErrEnded
		}
		return nil
	})
	r.connections = brokers.NewClients(c, c, guard, time.Minute,
		brokers.NewDigestKey(c, c, types.NamespacedName{Namespace: "bellhop-system", Name: brokers.DigestKeySecret}), func(brokers.Key, osb.Observation) {})
	_, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(b)})
	got := catalogsync.ClusterWide.NewBroker()
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(b), got); err != nil {
		t.Fatal(err)
	}
	if slices.ContainsFunc(got.CommonStatus().Conditions, func(c v1beta1.Condition) bool {
		return c.Type == v1beta1.ConditionReady && c.Status == v1beta1.ConditionFalse
	}) {
		t.Errorf("nothing was sent, and the broker is said to fail: %s; %v", rulestest.SayConditions(got.CommonStatus().Conditions), err)
		for _, c := range got.CommonStatus().Conditions {
			t.Log(c.Type, c.Status, c.Reason, c.Message)
		}
	}
}

// What was removed from the catalog is deleted later if the lease has ended.
func TestDeletionsThatTheLeaseEndedAreNotForgotten(t *testing.T) {
	server := osbtest.Start(t, osbtest.Options{})
	b := controllertest.NewBroker(catalogsync.ClusterWide, server.URL)
	now := clocktesting.NewFakePassiveClock(rulestest.Noon)
	c := controllertest.NewCluster(t, interceptor.Funcs{Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
		o.SetUID(types.UID("of " + o.GetName()))
		return c.Create(ctx, o, opts...)
	}}, b)
	r, _ := newBrokerReconciler(t, catalogsync.ClusterWide, c, rulestest.Noon)
	got, _ := reconcileBroker(t, r, b)
	existing, err := r.readExisting(t.Context(), got)
	if err != nil {
		t.Fatal(err)
	}
	for _, plan := range existing.Plans {
		if err := r.setRemoved(true)(t.Context(), plan); err != nil {
			t.Fatal(err)
		}
	}
	r.leadership = &leadership.Lease{Clock: now}
	r.leadership.Renew(rulestest.Noon, 0)
	result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(b)})
	left, listErr := r.readExisting(t.Context(), got)
	if listErr != nil {
		t.Fatal(listErr)
	}
	if len(left.Plans) > 0 && err == nil {
		t.Errorf("%d removed plans were not deleted, as the lease has ended; the next reconcile is in %s", len(left.Plans), result.RequeueAfter)
	}
}
