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
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog/index"
	"github.com/gophernetes/bellhop/internal/lifecycle/catalogsync"
)

// TestAnInstancesOtherPlanWakesItsBindings: one may have waited for a plan that it can be bound to.
func TestAnInstancesOtherPlanWakesItsBindings(t *testing.T) {
	of := func(plan string) *v1beta1.ServiceInstance {
		return &v1beta1.ServiceInstance{Status: v1beta1.ServiceInstanceStatus{
			ProvisionStatus: v1beta1.Provisioned, ExternalProperties: &v1beta1.ServiceInstancePropertiesState{ServicePlanExternalID: plan},
		}}
	}
	if !bindability.Update(event.UpdateEvent{ObjectOld: of("small"), ObjectNew: of("large")}) {
		t.Error("another plan is no news")
	}
	if bindability.Update(event.UpdateEvent{ObjectOld: of("small"), ObjectNew: of("small")}) {
		t.Error("the same plan is news")
	}
}

// TestAReadyInstanceIsWokenForItsSecret: that may have changed while the broker could not be told.
func TestAReadyInstanceIsWokenForItsSecret(t *testing.T) {
	si := &v1beta1.ServiceInstance{Status: v1beta1.ServiceInstanceStatus{Conditions: []v1beta1.Condition{{Type: v1beta1.ConditionReady, Status: v1beta1.ConditionTrue}}}}
	if got := unsettled([]*v1beta1.ServiceInstance{si}); len(got) != 0 {
		t.Errorf("one without a Secret: %v", got)
	}
	si.Spec.ParametersFrom = []v1beta1.ParametersFromSource{{SecretKeyRef: &v1beta1.SecretKeyReference{Name: "parameters", Key: "all"}}}
	if got := unsettled([]*v1beta1.ServiceInstance{si}); len(got) != 1 {
		t.Errorf("one with a Secret: %v", got)
	}
}

// TestABindingThatIsMadeAnewHasGone: its instance may wait for that, and a cache that saw neither
// its deletion nor its creation takes both for an update.
func TestABindingThatIsMadeAnewHasGone(t *testing.T) {
	of := func(uid types.UID) *v1beta1.ServiceBinding {
		return &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{UID: uid}}
	}
	if !unbinding.Update(event.UpdateEvent{ObjectOld: of("a"), ObjectNew: of("b")}) {
		t.Error("that it has gone is no news")
	}
	if unbinding.Update(event.UpdateEvent{ObjectOld: of("a"), ObjectNew: of("a")}) {
		t.Error("an update is taken for a deletion")
	}
}

// TestAnOwnerWakesTheClaimantsOfItsID: they are to name it, and go on once it is gone.
func TestAnOwnerWakesTheClaimantsOfItsID(t *testing.T) {
	of := func(name string, createdFor types.UID) *v1beta1.ServiceInstance {
		si := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name)}}
		si.Spec.ExternalID, si.Status.CreatedForUID = "id", createdFor
		return si
	}
	for name, want := range map[string]bool{"owner": true, "": false, "other": false} {
		if got := ownership.Update(event.UpdateEvent{ObjectOld: of("owner", ""), ObjectNew: of("owner", types.UID(name))}); got != want {
			t.Errorf("F-S4: created for %q is news: %t", name, got)
		}
	}
	owner := of("owner", "owner")
	owner.Status.ExternalID = "next"
	l := lookup{index.Index{Cache: newFakeCluster(t, interceptor.Funcs{}, owner, of("claimant", ""))}}
	if got := l.withSameID(t.Context(), owner); len(got) != 1 || got[0].Name != "claimant" {
		t.Errorf("F-S4: woken is %v", got)
	}
}

// TestABindingOutlivesItsInstanceAtABroker: what mends the broker wakes it, too.
func TestABindingOutlivesItsInstanceAtABroker(t *testing.T) {
	for _, s := range catalogsync.AllKinds {
		broker := newBrokerAt(s, "http://127.0.0.1:1")
		b := &v1beta1.ServiceBinding{ObjectMeta: metav1.ObjectMeta{Namespace: "demo", Name: "app"}}
		b.Status.Target = &v1beta1.ServiceBindingTarget{BrokerReference: v1beta1.BrokerReference{Kind: s.BrokerKind(), Name: "osba"}}
		l := bindingLookup{index.Index{Cache: newFakeCluster(t, interceptor.Funcs{}, broker, b)}}
		if got := l.atBroker(t.Context(), broker); len(got) != 1 || got[0].Name != "app" {
			t.Errorf("%s: woken is %v", s.Scope, got)
		}
	}
}
