// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
)

// TestAnOwnerWakesTheClaimantsOfItsID: they are to name it, and go on once it is gone.
func TestAnOwnerWakesTheClaimantsOfItsID(t *testing.T) {
	of := func(name string, createdFor types.UID) *v1beta1.ServiceInstance {
		si := &v1beta1.ServiceInstance{ObjectMeta: metav1.ObjectMeta{Namespace: "ns", Name: name, UID: types.UID(name)}}
		si.Spec.ExternalID, si.Status.CreatedForUID = "id", createdFor
		return si
	}
	for name, want := range map[string]bool{"owner": true, "": false, "other": false} {
		if got := engine.OwnershipChanged.Update(event.UpdateEvent{ObjectOld: of("owner", ""), ObjectNew: of("owner", types.UID(name))}); got != want {
			t.Errorf("F-S4: created for %q is news: %t", name, got)
		}
	}
	owner := of("owner", "owner")
	owner.Status.ExternalID = "next"
	l := dependents{index.Index{Cache: controllertest.NewCluster(t, interceptor.Funcs{}, owner, of("claimant", ""))}}
	if got := l.withSameID(t.Context(), owner); len(got) != 1 || got[0].Name != "claimant" {
		t.Errorf("F-S4: woken is %v", got)
	}
}
