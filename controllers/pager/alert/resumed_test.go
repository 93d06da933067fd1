// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/leadership"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/controllertest"
	"github.com/gophernetes/bellhop/internal/pager/providers"
	"github.com/gophernetes/bellhop/internal/pager/receivers/endpoints"
)

// The only replica is stopped before the first byte of an AtMostOnce message, and renews its lease.
func TestAnAtMostOnceMessageThatTheFenceHeldBackIsSent(t *testing.T) {
	now := clocktesting.NewFakePassiveClock(time.Now().Truncate(time.Second))
	lease := &leadership.Lease{Clock: now}
	lease.Renew(now.Now(), 15*time.Second)
	var requests atomic.Int32
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests.Add(1) }))
	defer server.Close()
	alert, receiver := controllertest.NewAlertAndReceiver(server.URL)
	alert.Status.ObservedGeneration, receiver.Spec.DeliveryPolicy = -1, v1beta1.AtMostOnce
	c := controllertest.NewCluster(t, interceptor.Funcs{}, alert, receiver)
	r := newReconcilerAt(t, c, now, lease)
	guard, stopped := outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, nil), false
	guard.WriteWhile(func() error {
		if !stopped { // here
			stopped = true
			now.SetTime(now.Now().Add(20 * time.Second))
		}
		return lease.Err()
	})
	r.endpoints = endpoints.NewCache(c, providers.Factory{Guard: guard})
	for range 4 {
		_, _ = r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)})
		now.SetTime(now.Now().Add(20 * time.Second))
		lease.Renew(now.Now(), 15*time.Second) // no other process has led
	}
	if err := c.Get(t.Context(), nameOf(alert), alert); err != nil {
		t.Fatal(err)
	}
	if row := alert.Status.Deliveries[0]; requests.Load() != 1 {
		t.Errorf("not one byte was written, and the message is never sent (%d requests): %s %s", requests.Load(), row.State, row.Reason)
	}
}

// A resolve has failed once; the only replica is stopped for longer than the resolve timeout, and renews its lease (R11: a long absence leads to asking again).
func TestAResolveIsTriedAgainAfterTheProcessWasStopped(t *testing.T) {
	now := clocktesting.NewFakePassiveClock(time.Now().Truncate(time.Second).Add(-time.Hour))
	lease := &leadership.Lease{Clock: now}
	lease.Renew(now.Now(), 2*time.Hour)
	requests, status := 0, http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		requests++
		w.WriteHeader(status)
	}))
	defer server.Close()
	alert, receiver := controllertest.NewAlertAndReceiver(server.URL)
	receiver.Spec.ResolveTimeoutSeconds = new(int32(600))
	alert.Status.ObservedGeneration, alert.CreationTimestamp = -1, metav1.NewTime(now.Now())
	c := controllertest.NewCluster(t, interceptor.Funcs{}, alert, receiver)
	r := newReconcilerAt(t, c, now, lease)
	req := ctrl.Request{NamespacedName: nameOf(alert)}
	reconcile := func() {
		t.Helper()
		for range 2 {
			if _, err := r.Reconcile(t.Context(), req); err != nil {
				t.Fatal(err)
			}
		}
	}
	r.lead()
	now.SetTime(now.Now().Add(10 * time.Minute))
	reconcile()
	if err := c.Get(t.Context(), nameOf(alert), alert); err != nil {
		t.Fatal(err)
	}
	alert.Spec.State = v1beta1.AlertResolved
	alert.Generation++
	if err := c.Update(t.Context(), alert); err != nil {
		t.Fatal(err)
	}
	status = http.StatusServiceUnavailable
	reconcile()
	if requests != 2 {
		t.Fatal(requests)
	}
	lease.Renew(now.Now(), 15*time.Second)
	now.SetTime(now.Now().Add(11 * time.Minute)) // stopped here
	_, err := r.Reconcile(t.Context(), req)
	t.Log(err)
	lease.Renew(now.Now(), 15*time.Second)
	status = http.StatusOK
	reconcile()
	if err := c.Get(t.Context(), nameOf(alert), alert); err != nil {
		t.Fatal(err)
	}
	if row := alert.Status.Deliveries[0]; requests != 3 {
		t.Errorf("the resolve is given up after %d attempt: %s %s %s", requests-1, row.State, row.Reason, row.Message)
	}
}
