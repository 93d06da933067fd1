// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/leadership"
	"github.com/gophernetes/bellhop/internal/pager/controllertest"
)

// The same, where the next leader has sent a message of a higher severity. What the renewal of a lease that was ended does: the process ends, and its memory is older than the record.
func TestARenewalAfterTheEndPagesAgain(t *testing.T) {
	for name, renewed := range map[string]bool{"the lease stays ended": false, "client-go renews it while the process ends": true} {
		t.Run(name, func(t *testing.T) {
			requests := 0
			server := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { requests++ }))
			defer server.Close()
			alert, receiver := controllertest.NewAlertAndReceiver(server.URL)
			alert.Generation, alert.Status.ObservedGeneration = 1, -1
			now := clocktesting.NewFakePassiveClock(time.Now())
			lease := &leadership.Lease{Clock: now}
			lease.Renew(now.Now(), 15*time.Second)
			fails := true
			c := controllertest.NewCluster(t, interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
				if fails {
					return errors.New("the API server is away")
				}
				return c.SubResource(sub).Patch(ctx, o, p, opts...)
			}}, alert, receiver)
			newProcess := func() *Reconciler { return newReconcilerAt(t, c, now, nil) }
			req := ctrl.Request{NamespacedName: nameOf(alert)}
			former := newProcess()
			former.leadership = lease
			_, _ = former.Reconcile(t.Context(), req)
			fails = false
			now.SetTime(now.Now().Add(time.Minute)) // the former leader is stopped here, and another installation leads
			next := newProcess()
			run := func(r *Reconciler) {
				t.Helper()
				for range 3 {
					if _, err := r.Reconcile(t.Context(), req); err != nil {
						t.Fatal(err)
					}
				}
			}
			read := func() v1beta1.Delivery {
				t.Helper()
				if err := c.Get(t.Context(), nameOf(alert), alert); err != nil {
					t.Fatal(err)
				}
				return alert.Status.Deliveries[0]
			}
			run(next)
			read()
			alert.Spec.Content, alert.Spec.Severity = "B", v1beta1.SeverityCritical
			alert.Generation++
			if err := c.Update(t.Context(), alert); err != nil {
				t.Fatal(err)
			}
			run(next)
			if row := read(); row.State != v1beta1.DeliverySent || requests != 3 {
				t.Fatal(row, requests)
			}
			lease.End() // exclusiveLock.end
			if renewed {
				lease.Renew(now.Now(), 15*time.Second) // exclusiveLock.Update, two seconds later
			}
			stopped, stop := context.WithCancel(t.Context())
			stop()
			if err := former.drain(stopped); err != nil {
				t.Fatal(err)
			}
			row := read()
			run(newProcess()) // the leader after that
			if requests != 3 {
				t.Errorf("recorded is %s of sequence %d, and %d requests were sent: the Critical message B is sent again", row.State, row.Sequence, requests)
			}
		})
	}
}
