// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package binding

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/catalogsync"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
)

// TestAnInstancesOtherPlanWakesItsBindings: one may have waited for a plan that it can be bound to.
func TestAnInstancesOtherPlanWakesItsBindings(t *testing.T) {
	of := func(plan string) *v1beta1.ServiceInstance {
		return &v1beta1.ServiceInstance{Status: v1beta1.ServiceInstanceStatus{
			ProvisionStatus: v1beta1.Provisioned, ExternalProperties: &v1beta1.ServiceInstancePropertiesState{ServicePlanExternalID: plan},
		}}
	}
	if !instanceChanged.Update(event.UpdateEvent{ObjectOld: of("small"), ObjectNew: of("large")}) {
		t.Error("another plan is no news")
	}
	if instanceChanged.Update(event.UpdateEvent{ObjectOld: of("small"), ObjectNew: of("small")}) {
		t.Error("the same plan is news")
	}
}

// F-S41: a binding is Ready while credentials that the broker returned after an update of its instance wait for a Secret that it copies.
func TestACopiedSecretWakesBindingsWhoseCredentialsWait(t *testing.T) {
	secret := &corev1.Secret{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: "more"}}
	for name, want := range map[string]int{"waits": 1, "at rest": 0} {
		f := newBindingSample(copying, func(f *bindingSample) { f.in.Sources.Known = true }, bound)
		if name == "waits" {
			f.b.Status.InstanceFingerprint = "former"
		}
		l := dependents{index.Index{Cache: controllertest.NewCluster(t, interceptor.Funcs{}, f.b, f.in.BoundInstance.Instance, secret)}}
		if got := l.ofSecret(t.Context(), secret); len(got) != want {
			t.Errorf("%s: woken is %v", name, got)
		}
		if got := l.toInstance(t.Context(), f.in.BoundInstance.Instance); len(got) != want {
			t.Errorf("%s: an update of the instance wakes %v", name, got)
		}
	}
}

// TestABindingOutlivesItsInstanceAtABroker: what mends the broker wakes it, too.
func TestABindingOutlivesItsInstanceAtABroker(t *testing.T) {
	for _, s := range catalogsync.AllKinds {
		broker := controllertest.NewBroker(s, "http://127.0.0.1:1")
		b := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "app"}}
		b.Status.Target = &v1beta1.ServiceBindingTarget{BrokerReference: v1beta1.BrokerReference{Kind: s.BrokerKind(), Name: "osba"}}
		l := dependents{index.Index{Cache: controllertest.NewCluster(t, interceptor.Funcs{}, broker, b)}}
		if got := l.atBroker(t.Context(), broker); len(got) != 1 || got[0].Name != "app" {
			t.Errorf("%s: woken is %v", s.Scope, got)
		}
	}
}
