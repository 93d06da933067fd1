// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package broker

import (
	"context"
	"errors"
	"fmt"
	"strings"
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
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/catalogsync"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbtest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// renewing is a clock that renews a lease after it was read once, as the election does beside a reconcile.
type renewing struct {
	*clocktesting.FakePassiveClock

	then func()
}

func (c *renewing) Now() time.Time {
	now := c.FakePassiveClock.Now()
	if then := c.then; then != nil {
		c.then = nil
		then()
	}
	return now
}

// expectNoRecord checks that a reconcile has ended with the lease, and recorded nothing.
func expectNoRecord(t *testing.T, r *Reconciler, b v1beta1.Broker, err error) {
	t.Helper()
	got := catalogsync.ClusterWide.NewBroker()
	if err := r.client.Get(t.Context(), client.ObjectKeyFromObject(b), got); err != nil {
		t.Fatal(err)
	}
	if s := got.CommonStatus(); len(s.Conditions) > 0 || !errors.Is(err, leadership.ErrEnded) {
		t.Errorf("the status has %v: %v", s.Conditions, err)
	}
}

func TestALeaseThatIsRenewedDuringAFetch(t *testing.T) {
	server := osbtest.Start(t, osbtest.Options{})
	b := controllertest.NewBroker(catalogsync.ClusterWide, server.URL)
	r, _ := newBrokerReconciler(t, catalogsync.ClusterWide, controllertest.NewCluster(t, interceptor.Funcs{}, b), rulestest.Noon)
	now := &renewing{FakePassiveClock: clocktesting.NewFakePassiveClock(rulestest.Noon)}
	r.leadership = &leadership.Lease{Clock: now}
	r.leadership.Renew(rulestest.Noon, time.Second)
	now.SetTime(rulestest.Noon.Add(time.Minute))
	now.then = func() { r.leadership.Renew(now.FakePassiveClock.Now(), time.Hour) }
	_, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(b)})
	expectNoRecord(t, r, b, err)
}

// The process is stopped while it writes classes and plans; the next leader has read a later catalog meanwhile.
func TestASyncEndsWithTheLease(t *testing.T) {
	server := osbtest.Start(t, osbtest.Options{})
	b := controllertest.NewBroker(catalogsync.ClusterWide, server.URL)
	now := clocktesting.NewFakePassiveClock(rulestest.Noon)
	lease := &leadership.Lease{Clock: now}
	lease.Renew(rulestest.Noon, time.Second)
	var late, creates atomic.Int32
	c := controllertest.NewCluster(t, interceptor.Funcs{
		Create: func(ctx context.Context, c client.WithWatch, o client.Object, opts ...client.CreateOption) error {
			if o.GetName() == osbtest.SyncPlan {
				now.SetTime(rulestest.Noon.Add(time.Minute)) // stopped here, and continued
			}
			creates.Add(1)
			if strings.Contains(fmt.Sprintf("%T", o), "Class") && lease.Err() != nil { // classes come after the plans
				late.Add(1)
			}
			o.SetUID(types.UID("of " + o.GetName()))
			return c.Create(ctx, o, opts...)
		},
	}, b)
	r, _ := newBrokerReconciler(t, catalogsync.ClusterWide, c, rulestest.Noon)
	r.leadership = lease
	_, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(b)})
	if late.Load() > 0 {
		t.Errorf("%d classes were created after the lease had ended, of %d objects; %v", late.Load(), creates.Load(), err)
	}
	expectNoRecord(t, r, b, err)
}
