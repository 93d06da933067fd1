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

	"k8s.io/utils/clock"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/leadership"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/controllertest"
)

// crashing is the client of a process that crashes before it writes a status.
type crashing struct{ client.Client }

func (crashing) Status() client.SubResourceWriter { return crashingStatus{} }

type crashingStatus struct{ client.SubResourceWriter }

func (crashingStatus) Patch(context.Context, client.Object, client.Patch, ...client.SubResourcePatchOption) error {
	return errors.New("the process has crashed")
}

func refOf(name string) v1beta1.ReceiverRef {
	return v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: name}
}

// newReconcilerAt returns the reconciler of a process with a clock and a lease; nil: no leader is elected.
func newReconcilerAt(t *testing.T, c client.Client, now clock.PassiveClock, lease *leadership.Lease) *Reconciler {
	r := newReconciler(t, c)
	r.clock, r.leadership = now, lease
	return r
}

// A leader that was stopped after it has recorded a request does not take the record back: the next leader sends what is on record.
func TestARecordIsNotTakenBackAfterTheLeaseHasEnded(t *testing.T) {
	var third atomic.Int64
	arrived, free := make(chan struct{}), make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/third" {
			w.WriteHeader(http.StatusServiceUnavailable)
			return
		}
		third.Add(1)
		select { // the first request is the next leader's: it is taken, and not answered
		case arrived <- struct{}{}:
			<-free
		default:
		}
	}))
	defer server.Close()
	defer close(free)
	alert, _ := controllertest.NewAlertAndReceiver(server.URL)
	alert.Generation, alert.Status.ObservedGeneration, alert.Spec.ReceiverRefs = 1, -1, []v1beta1.ReceiverRef{refOf("first"), refOf("second")}
	objects := []client.Object{alert}
	for _, name := range []string{"first", "second", "third"} {
		_, receiver := controllertest.NewAlertAndReceiver(server.URL + "/" + name)
		receiver.Name = name
		objects = append(objects, receiver)
	}
	now := clocktesting.NewFakePassiveClock(time.Now())
	lease := &leadership.Lease{Clock: now}
	lease.Renew(now.Now(), 15*time.Second)
	var onWrite func()
	late := 0
	c := controllertest.NewCluster(t, interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
		if lease.Err() != nil {
			late++
		}
		err := c.SubResource(sub).Patch(ctx, o, p, opts...)
		if then := onWrite; then != nil && err == nil {
			onWrite = nil
			then()
		}
		return err
	}}, objects...)
	read := func() {
		t.Helper()
		if err := c.Get(t.Context(), nameOf(alert), alert); err != nil {
			t.Fatal(err)
		}
	}
	update := func(edit func(*v1beta1.AlertSpec)) {
		t.Helper()
		read()
		edit(&alert.Spec)
		alert.Generation++
		if err := c.Update(t.Context(), alert); err != nil {
			t.Fatal(err)
		}
	}
	newProcess := func() *Reconciler { return newReconcilerAt(t, c, now, nil) }
	req := ctrl.Request{NamespacedName: nameOf(alert)}
	former := newProcess()
	former.leadership = lease
	if _, err := former.Reconcile(t.Context(), req); err != nil {
		t.Fatal(err)
	}
	update(func(s *v1beta1.AlertSpec) { s.ReceiverRefs = append(s.ReceiverRefs, refOf("third")) })
	now.SetTime(now.Now().Add(3 * time.Second)) // the first two are due again
	onWrite = func() {                          // the former leader is stopped here
		now.SetTime(now.Now().Add(time.Minute))
		next := newProcess()
		next.answerTimeout = time.Millisecond
		next.client = crashing{next.client}
		go func() { _, _ = next.Reconcile(context.WithoutCancel(t.Context()), req) }()
		<-arrived
	}
	if _, err := former.Reconcile(t.Context(), req); !errors.Is(err, leadership.ErrEnded) || late > 0 {
		t.Errorf("%d statuses are written after the lease has ended: %v", late, err)
	}
	if read(); alertrules.HoldingOf(alertrules.DeliveryIn(alert.Status.Deliveries, refOf("third"))) == alertrules.HoldsNothing {
		t.Error("the third receiver has taken the message, and the record says that it holds nothing")
	}
	update(func(s *v1beta1.AlertSpec) { s.State = v1beta1.AlertResolved })
	last := newProcess()
	for range 3 {
		if _, err := last.Reconcile(t.Context(), req); err != nil {
			t.Fatal(err)
		}
	}
	if n := third.Load(); n != 2 {
		t.Errorf("the third receiver got %d requests instead of the message and its resolve", n)
	}
}

// A process begins to lead while the API server's time is an hour behind; its former leader has sent the first message of an older Alert.
func TestLeaderSinceAClockThatWasBehind(t *testing.T) {
	now := time.Now().Truncate(time.Second)
	row := firstAttempt(t, now.Add(-10*time.Minute), func(r *Reconciler) {
		is := times.Server{Known: now.Add(-time.Hour), Steady: now.Add(-time.Hour)}
		r.serverTime = func() times.Server { return is }
		r.lead()
		is = times.Server{Known: now, Steady: now}
	})
	if row.Attempts != 1 || !row.OutcomeUnknown {
		t.Errorf("%d attempts, outcome unknown %t: the former leader may have sent it, so that a refusal proves nothing", row.Attempts, row.OutcomeUnknown)
	}
}

// The first message of an Alert has no record, so that only the check before it is sent keeps a stopped leader from sending it.
func TestNoFirstMessageAfterTheLeaseHasEnded(t *testing.T) {
	requests := 0
	server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests++ }))
	defer server.Close()
	alert, receiver := controllertest.NewAlertAndReceiver(server.URL)
	alert.Generation, alert.Status.ObservedGeneration = 1, -1
	now := clocktesting.NewFakePassiveClock(time.Now())
	lease := &leadership.Lease{Clock: now}
	lease.Renew(now.Now(), 15*time.Second)
	c := controllertest.NewCluster(t, interceptor.Funcs{Get: func(ctx context.Context, c client.WithWatch, key client.ObjectKey, o client.Object, opts ...client.GetOption) error {
		if _, ok := o.(*v1beta1.Receiver); ok {
			now.SetTime(now.Now().Add(time.Minute)) // the process is stopped here
		}
		return c.Get(ctx, key, o, opts...)
	}}, alert, receiver)
	r := newReconciler(t, c)
	r.leadership = lease
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: nameOf(alert)}); err == nil || requests > 0 {
		t.Errorf("%d requests, %v", requests, err)
	}
}
