// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// TestAReadyInstanceIsWokenForItsSecret: that may have changed while the broker could not be told.
func TestAReadyInstanceIsWokenForItsSecret(t *testing.T) {
	si := &v1beta1.ServiceInstance{Status: v1beta1.ServiceInstanceStatus{ProvisionStatus: v1beta1.Provisioned, DeprovisionStatus: v1beta1.DeprovisionRequired}}
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
	if !bindingRemoval.Update(event.UpdateEvent{ObjectOld: of("a"), ObjectNew: of("b")}) {
		t.Error("that it has gone is no news")
	}
	if bindingRemoval.Update(event.UpdateEvent{ObjectOld: of("a"), ObjectNew: of("a")}) {
		t.Error("an update is taken for a deletion")
	}
}
