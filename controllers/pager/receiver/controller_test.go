// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package receiver

import (
	"context"
	"errors"
	"net/netip"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/pager/controllertest"
	"github.com/gophernetes/bellhop/internal/pager/providers"
	"github.com/gophernetes/bellhop/internal/pager/receivers"
	"github.com/gophernetes/bellhop/internal/pager/receivers/endpoints"
)

// TestAReceiversStatusIsNotLost: an annotation is no event for who watches specs.
func TestAReceiversStatusIsNotLost(t *testing.T) {
	receiver := &v1beta1.Receiver{}
	receiver.UID = "receiver"
	receiver.Namespace, receiver.Name, receiver.Spec.Webhook = "ns", controllertest.Team.Name, &v1beta1.WebhookProvider{URL: "http://127.0.0.1:1"}
	stale := true
	c := controllertest.NewCluster(t, interceptor.Funcs{SubResourcePatch: func(ctx context.Context, c client.Client, sub string, o client.Object, p client.Patch, opts ...client.SubResourcePatchOption) error {
		if stale {
			stale = false
			return apierrors.NewConflict(schema.GroupResource{Resource: "receivers"}, o.GetName(), errors.New("annotated"))
		}
		return c.SubResource(sub).Patch(ctx, o, p, opts...)
	}}, receiver)
	r := newStatusReconciler(t, c)
	target, err := r.resolver.Target(t.Context(), "ns", controllertest.Team)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.endpoints.SetVersion(t.Context(), "ns", controllertest.Team, &target); err != nil {
		t.Fatal(err)
	}
	r.health.Update(endpoints.KeyOf("ns", controllertest.Team), func(s *endpoints.Observation) bool {
		s.Proof = endpoints.Proof{Version: target.Version, NotProbed: true}
		return false
	})
	for range 2 {
		result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(receiver)})
		if err != nil || result.RequeueAfter == 0 && receiver.Status.TestedWith != "" {
			t.Errorf("got %+v, %v", result, err)
		}
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(receiver), receiver); err != nil || receiver.Status.TestedWith != target.Version {
		t.Errorf("the status is %+v, %v", receiver.Status, err)
	}
}

// TestAReceiverThatIsMendedGetsWhatWaitsAtOnce: what was at its former address does not keep it waiting.
func TestAReceiverThatIsMendedGetsWhatWaitsAtOnce(t *testing.T) {
	_, receiver := controllertest.NewAlertAndReceiver("http://127.0.0.1:1")
	receiver.UID = "receiver"
	c := controllertest.NewCluster(t, interceptor.Funcs{}, receiver)
	r := newStatusReconciler(t, c)
	key := endpoints.KeyOf(receiver.Namespace, v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: receiver.Name})
	isDown := func() bool {
		if _, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(receiver)}); err != nil {
			t.Fatal(err)
		}
		return r.endpoints.IsBlocked(receiver.Namespace, key.Ref, time.Now())
	}
	if isDown() {
		t.Error("nothing was sent to it yet")
	}
	for id := range 3 {
		leave, _ := r.endpoints.Limiters.Of(key, time.Now()).Enter(limiter.Request{ID: id}, time.Now())
		leave(time.Now(), limiter.Result{Outcome: limiter.Unavailable})
	}
	if !isDown() {
		t.Error("it is asked while it is down")
	}
	if err := c.Get(t.Context(), client.ObjectKeyFromObject(receiver), receiver); err != nil {
		t.Fatal(err)
	}
	receiver.Generation++
	receiver.Spec.TimeoutSeconds = 7 // F-S2: which mends nothing
	if err := c.Update(t.Context(), receiver); err != nil {
		t.Fatal(err)
	}
	if !isDown() {
		t.Error("an edit that is not of the endpoint resets what is known of it")
	}
	receiver.Generation++
	receiver.Spec.Webhook.URL = "http://127.0.0.1:2"
	if err := c.Update(t.Context(), receiver); err != nil {
		t.Fatal(err)
	}
	if isDown() {
		t.Error("it is taken for what it was")
	}
}

// F-P67: the sender of a receiver that is gone is dropped with the last Alert that the receiver holds.
func TestF_P67_ASenderIsKeptForItsAlerts(t *testing.T) {
	for name, test := range map[string]struct {
		edit   func(*v1beta1.Alert)
		isKept bool
	}{
		"held":          {controllertest.SentTo(v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: "hook"}), true},
		"held by other": {controllertest.SentTo(controllertest.Team), false},
		"perhaps sent":  {func(a *v1beta1.Alert) { a.Status.ObservedGeneration = -1 }, true},
		"never sent":    {func(*v1beta1.Alert) {}, false},
	} {
		t.Run(name, func(t *testing.T) {
			alert, receiver := controllertest.NewAlertAndReceiver("http://127.0.0.1:1")
			test.edit(alert)
			alert.Finalizers, receiver.UID = nil, "receiver"
			c := controllertest.NewCluster(t, interceptor.Funcs{}, alert, receiver)
			r := newStatusReconciler(t, c)
			key := endpoints.KeyOf("ns", v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: "hook"})
			target, err := r.resolver.Target(t.Context(), "ns", key.Ref)
			if err != nil {
				t.Fatal(err)
			}
			if _, err := r.endpoints.SetVersion(t.Context(), "ns", key.Ref, &target); err != nil {
				t.Fatal(err)
			}
			reconcile := func() (isKept bool) {
				t.Helper()
				result, err := r.Reconcile(t.Context(), ctrl.Request{NamespacedName: client.ObjectKeyFromObject(receiver)})
				if err != nil {
					t.Fatal(err)
				}
				isKept = !r.endpoints.KeptUntil(key).IsZero()
				if again := result.RequeueAfter > 9*time.Minute; again != isKept {
					t.Errorf("the sender is kept: %t; reconciled again in %s", isKept, result.RequeueAfter)
				}
				return isKept
			}
			if err := c.Delete(t.Context(), receiver); err != nil {
				t.Fatal(err)
			}
			if isKept := reconcile(); isKept != test.isKept {
				t.Errorf("the sender is kept: %t, want %t", isKept, test.isKept)
			}
			if err := c.Delete(t.Context(), alert); err != nil {
				t.Fatal(err)
			}
			if reconcile() {
				t.Error("the sender is kept without an Alert")
			}
		})
	}
}

func newStatusReconciler(t *testing.T, c client.Client) *Reconciler {
	t.Helper()
	guard := outbound.NewGuard([]netip.Prefix{netip.MustParsePrefix("127.0.0.1/32")}, nil)
	return NewReconciler(c, v1beta1.KindReceiver, receivers.Resolver{Cache: c}, secrets.Watched{}, endpoints.NewCache(c, providers.Factory{Guard: guard}), &endpoints.Health{}, clock.RealClock{})
}
