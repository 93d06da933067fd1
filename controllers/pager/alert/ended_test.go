// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/leadership"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/controllertest"
)

// A leader is stopped while it waits for the answer of the only attempt of a deleted Alert, which is a refusal. The next leader has sent the message.
func TestAnAlertIsNotReleasedAfterTheLeaseHasEnded(t *testing.T) {
	now := clocktesting.NewFakePassiveClock(time.Now().Truncate(time.Second).Add(-time.Hour))
	lease := &leadership.Lease{Clock: now}
	var requests atomic.Int32
	var meanwhile func()
	arrived, free := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch requests.Add(1) {
		case 1: // the former leader's
			meanwhile()
			w.WriteHeader(http.StatusTooManyRequests)
		case 2: // the next leader's
			close(arrived)
			<-free
		}
	}))
	defer server.Close()
	alert, receiver := controllertest.NewAlertAndReceiver(server.URL)
	alert.Generation, alert.Status.ObservedGeneration = 1, -1
	alert.CreationTimestamp = metav1.NewTime(now.Now().Add(time.Hour))
	c := controllertest.NewCluster(t, interceptor.Funcs{}, alert, receiver)
	newProcess := func() *Reconciler { return newReconcilerAt(t, c, now, nil) }
	former := newProcess()
	former.leadership = lease
	former.lead()
	now.SetTime(now.Now().Add(time.Hour + time.Second))
	lease.Renew(now.Now(), 15*time.Second)
	if err := c.Delete(t.Context(), alert); err != nil {
		t.Fatal(err)
	}
	req := ctrl.Request{NamespacedName: nameOf(alert)}
	next := newProcess()
	ended := make(chan struct{})
	meanwhile = func() { // the former leader is stopped here
		now.SetTime(now.Now().Add(20 * time.Second))
		go func() {
			defer close(ended)
			_, _ = next.Reconcile(context.WithoutCancel(t.Context()), req)
		}()
		<-arrived
	}
	_, err := former.Reconcile(t.Context(), req)
	if lease.Err() == nil {
		t.Fatal("the lease has not ended")
	}
	if gone := c.Get(t.Context(), nameOf(alert), &v1beta1.Alert{}); gone != nil || !errors.Is(err, leadership.ErrEnded) {
		t.Errorf("the former leader has released the Alert after its lease had ended: %v; %v", gone, err)
	}
	close(free)
	<-ended
	for range 3 {
		_, _ = next.Reconcile(t.Context(), req)
	}
	if n := requests.Load(); n != 3 {
		t.Errorf("%d requests: the receiver holds the page of the next leader, and never hears that the Alert is over", n)
	}
}

// The write ahead of an AtMostOnce message has failed, and is on record nevertheless. Before it is repeated, the process is stopped, while another receiver
// answers. No other process leads, and the lease is renewed.
func TestAMessageThatWasNotSentIsSentOnceTheLeaseIsRenewed(t *testing.T) {
	now := clocktesting.NewFakePassiveClock(time.Now().Truncate(time.Second))
	lease := &leadership.Lease{Clock: now}
	lease.Renew(now.Now(), 15*time.Second)
	var second atomic.Int32
	stops := false
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/second" {
			second.Add(1)
			return
		}
		if stops {
			now.SetTime(now.Now().Add(time.Minute))
		}
		w.WriteHeader(http.StatusServiceUnavailable)
	}))
	defer server.Close()
	alert, _ := controllertest.NewAlertAndReceiver(server.URL)
	alert.Generation, alert.Status.ObservedGeneration, alert.Spec.ReceiverRefs = 1, -1, []v1beta1.ReceiverRef{refOf("first"), refOf("second")}
	_, one := controllertest.NewAlertAndReceiver(server.URL + "/first")
	one.Name = "first"
	_, two := controllertest.NewAlertAndReceiver(server.URL + "/second")
	two.Name, two.Spec.DeliveryPolicy, two.Spec.RateLimit = "second", v1beta1.AtMostOnce, &v1beta1.RateLimit{Count: 1, PeriodSeconds: 600}
	fails, late := true, 0
	c := controllertest.NewCluster(t, interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
		if lease.Err() != nil {
			late++
		}
		err := c.SubResource(sub).Patch(ctx, o, p, opts...)
		if fails && err == nil {
			fails = false
			return errors.New("timeout")
		}
		return err
	}}, alert, one, two)
	r := newReconcilerAt(t, c, now, lease)
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err == nil {
		t.Fatal("no timeout")
	}
	now.SetTime(now.Now().Add(3 * time.Second)) // the first is due again, and the second waits for its rate
	stops = true
	_, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)})
	if lease.Err() == nil {
		t.Fatal("the lease has not ended")
	}
	if late > 0 {
		t.Errorf("%d statuses were written after the lease had ended: %v", late, err)
	}
	stops = false
	now.SetTime(now.Now().Add(20 * time.Minute))
	lease.Renew(now.Now(), time.Hour)
	for range 3 {
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err != nil {
			t.Log(err)
		}
	}
	if err := c.Get(t.Context(), nameOf(alert), alert); err != nil {
		t.Fatal(err)
	}
	row := alertrules.DeliveryIn(alert.Status.Deliveries, refOf("second"))
	if n := second.Load(); n != 1 {
		t.Errorf("the second receiver never gets the message (%d requests): %s %s %s", n, row.State, row.Reason, row.Message)
	}
}
