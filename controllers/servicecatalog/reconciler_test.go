/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package servicecatalog

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/events"
	clocktesting "k8s.io/utils/clock/testing"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog/index"
	"github.com/gophernetes/bellhop/internal/consistency"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	instancerules "github.com/gophernetes/bellhop/internal/lifecycle/instance"
	"github.com/gophernetes/bellhop/internal/lifecycle/lifecycletest"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// TestAnObjectComesAgainAfterAConflict: there may be no event about it any more.
func TestAnObjectComesAgainAfterAConflict(t *testing.T) {
	si := lifecycletest.NewInstance()
	conflict := apierrors.NewConflict(schema.GroupResource{}, si.Name, errors.New("it was changed"))
	c := newFakeCluster(t, interceptor.Funcs{}, si)
	r := newInstanceReconciler(c, c, &kit{barrier: consistency.CacheBarrier{Cache: c, Live: c}, connections: &connections{}})
	r.reconciler.attend = func(context.Context, *view[*v1beta1.ServiceInstance, v1beta1.ServiceInstanceStatus, struct{}]) (ctrl.Result, error) {
		return ctrl.Result{}, conflict
	}
	if result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(si)}); err != nil || result.IsZero() {
		t.Errorf("again %v, %v", !result.IsZero(), err)
	}
}

// TestAStoppingProcessSendsNothing: what it began to decide before is left to the next leader.
func TestAStoppingProcessSendsNothing(t *testing.T) {
	for name, stops := range map[string]bool{"F-S5 it stops, or no longer leads": true, "it leads": false} {
		t.Run(name, func(t *testing.T) {
			si := lifecycletest.NewInstance()
			ctx, stop := context.WithCancel(t.Context())
			defer stop()
			c := newFakeCluster(t, interceptor.Funcs{}, si)
			r := newInstanceReconciler(c, c, &kit{barrier: consistency.CacheBarrier{Cache: c, Live: c}, connections: &connections{}, clock: clocktesting.NewFakePassiveClock(start)})
			asked := false
			r.reconciler.attend = func(ctx context.Context, v *view[*v1beta1.ServiceInstance, v1beta1.ServiceInstanceStatus, struct{}]) (ctrl.Result, error) {
				if stops {
					stop()
				}
				_, err := r.send(ctx, v, lifecycletest.NewOffering().Broker, lifecycle.Provision, nil, func() (osbresult.Outcome, error) {
					asked = true
					return osbresult.Outcome{Class: osbresult.Done}, nil
				})
				return ctrl.Result{}, err
			}
			if _, err := r.Reconcile(ctx, ctrl.Request{NamespacedName: client.ObjectKeyFromObject(si)}); err != nil || asked == stops {
				t.Errorf("the broker was asked: %t, %v", asked, err)
			}
		})
	}
}

// TestNothingIsDoneBeforeTheCacheShowsWhoRefersToIt: else an instance goes that a binding still needs.
func TestNothingIsDoneBeforeTheCacheShowsWhoRefersToIt(t *testing.T) {
	si, b := lifecycletest.NewInstance(), newBindingSample().b
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
	cache, live := newFakeCluster(t, interceptor.Funcs{Get: get, List: list}, si, b), newFakeCluster(t, interceptor.Funcs{Get: doubt}, si, b)
	k := &kit{index: index.Index{Cache: cache}, barrier: consistency.CacheBarrier{Cache: cache, Live: live}, connections: &connections{}, clock: clocktesting.NewFakePassiveClock(start)}
	r := newInstanceReconciler(cache, live, k)
	newBindingReconciler(cache, cache, live, k)
	var needed []string
	r.reconciler.attend = func(ctx context.Context, v *view[*v1beta1.ServiceInstance, v1beta1.ServiceInstanceStatus, struct{}]) (_ ctrl.Result, err error) {
		needed, _, err = r.bindingsOf(ctx, v.object)
		return ctrl.Result{}, err
	}
	if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(si)}); err != nil || len(needed) != 1 {
		t.Errorf("it knows of bindings %q: %v", needed, err)
	}
}

// TestABrokersChatterIsWrittenNowAndThen: it may say something else at each poll, of each
// of thousands.
func TestABrokersChatterIsWrittenNowAndThen(t *testing.T) {
	si := provisioningInstance()
	c := newFakeCluster(t, interceptor.Funcs{}, si)
	clock := clocktesting.NewFakePassiveClock(start)
	r := newInstanceReconciler(c, c, &kit{clock: clock, recorder: events.NewFakeRecorder(10), connections: &connections{}})
	before := &v1beta1.ServiceInstance{}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(si), before); err != nil {
		t.Fatal(err)
	}
	v := &view[*v1beta1.ServiceInstance, v1beta1.ServiceInstanceStatus, struct{}]{
		before: before, object: before.DeepCopy(), known: &entry[v1beta1.ServiceInstanceStatus, struct{}]{}, polled: true,
	}
	say := func(reason, message string) {
		t.Helper()
		status := *v.object.Status.DeepCopy()
		instancerules.SetConditions(&status, lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: reason, Message: message}, clock.Now())
		if err := r.record(t.Context(), v, status); err != nil {
			t.Fatal(err)
		}
	}
	says := func(want string) {
		t.Helper()
		now := &v1beta1.ServiceInstance{}
		if err := c.Get(t.Context(), client.ObjectKeyFromObject(si), now); err != nil {
			t.Fatal(err)
		}
		if got := lifecycle.FindCondition(now.Status.Conditions, v1beta1.ConditionReady).Message; got != want {
			t.Errorf("it says %q, want %q", got, want)
		}
	}
	say(v1beta1.ReasonProvisioning, "10 %")
	says("10 %")
	say(v1beta1.ReasonProvisioning, "11 %")
	says("10 %")
	say(v1beta1.ReasonErrorPollingLastOperation, "no answer")
	says("no answer")
	clock.SetTime(clock.Now().Add(newsInterval))
	say(v1beta1.ReasonErrorPollingLastOperation, "still none")
	says("still none")
}
