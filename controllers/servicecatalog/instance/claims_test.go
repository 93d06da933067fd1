// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instance

import (
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/interceptor"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/controllers/servicecatalog/engine"
	"github.com/gophernetes/bellhop/internal/servicecatalog/brokers"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/index"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// TestClaimantsOfAnID: what others' claims are worth, from the cache and from what this process has
// let begin.
func TestClaimantsOfAnID(t *testing.T) {
	o := rulestest.NewOffering()
	claims := func(name string, age time.Duration, edits ...func(*v1beta1.ServiceInstance)) *v1beta1.ServiceInstance {
		si := rulestest.NewInstance()
		si.Name, si.UID, si.Annotations, si.CreationTimestamp = name, types.UID("uid-"+name), nil, metav1.NewTime(rulestest.T0.Add(-age))
		for _, edit := range edits {
			edit(si)
		}
		return si
	}
	ours := func(si *v1beta1.ServiceInstance) {
		si.Annotations = map[string]string{v1beta1.MadeIDAnnotation: catalog.MadeID("id", si.CreationTimestamp.Time)}
	}
	createdFor := func(si *v1beta1.ServiceInstance) {
		si.Status.CreatedForUID, si.Status.ProvisionStatus = si.UID, v1beta1.Provisioned
	}
	moved := func(si *v1beta1.ServiceInstance) {
		si.Spec.ExternalID, si.Status.ExternalID = "first", "id"
	}
	leftBehind := func(uid types.UID) func(*v1beta1.ServiceInstance) {
		return func(si *v1beta1.ServiceInstance) {
			si.Spec.ExternalID, si.Status.LeftBehind = "first", []v1beta1.LeftBehind{{ID: "id", UID: uid}}
		}
	}
	elsewhere := func(si *v1beta1.ServiceInstance) { si.Namespace = "elsewhere" }
	atBroker := func(name string) func(*v1beta1.ServiceInstance) {
		return func(si *v1beta1.ServiceInstance) {
			si.Status.Broker = &v1beta1.BrokerReference{Kind: "ClusterServiceBroker", Name: name, ServiceID: "id-of-the-service"}
		}
	}
	leaving := func(si *v1beta1.ServiceInstance) { si.DeletionTimestamp = new(metav1.NewTime(rulestest.T0)) }
	released := func(si *v1beta1.ServiceInstance) { si.Finalizers = []string{"someone/else"} }
	for name, test := range map[string]struct {
		other    *v1beta1.ServiceInstance
		creation string
		removal  bool
	}{
		"a made id":                              {claims("other", 0, ours), "owns it", true},
		"created for it":                         {claims("other", -time.Hour, createdFor), "owns it", true},
		"in the status only":                     {claims("other", -time.Hour, moved, createdFor), "owns it", true},
		"F-JS12 left behind":                     {claims("other", -time.Hour, leftBehind("uid-other")), "owns it", true},
		"F-JS12 left behind by another":          {claims("other", -time.Hour, leftBehind("uid-of-the-copied")), "", false},
		"elsewhere":                              {claims("other", time.Hour, elsewhere), "a ServiceInstance in another namespace has claimed the id before", true},
		"older":                                  {claims("other", time.Hour), `ServiceInstance "other" has claimed the id before`, true},
		"younger":                                {claims("other", -time.Hour), "", false},
		"as old":                                 {claims("other", 0), "", false},
		"being deleted, owner":                   {claims("other", 0, createdFor, leaving), "owns it", false},
		"being deleted, older":                   {claims("other", time.Hour, leaving), "", false},
		"deleted and released":                   {claims("other", time.Hour, createdFor, leaving, released), "", false},
		"F-S46 created at a broker that is gone": {claims("other", time.Hour, createdFor, atBroker("gone")), "", false},
		"created at this broker":                 {claims("other", -time.Hour, createdFor, atBroker(o.Broker.GetName())), "owns it", true},
		"as old, and asked first":                {claims("other", 0, func(si *v1beta1.ServiceInstance) { si.Status.CurrentOperation = v1beta1.OperationProvision }), "has claimed the id before", false},
	} {
		t.Run("F-S4 "+name, func(t *testing.T) {
			si := claims("db", 0)
			r := claimsReconciler(t, si, test.other)
			all, err := r.claimantsOf(t.Context(), si, "id", o)
			if err != nil {
				t.Fatal(err)
			}
			said := ""
			if c := all.BlocksCreation(); c != nil {
				said = c.InUse("id").Message
			}
			if (said == "") != (test.creation == "") || !strings.Contains(said, test.creation) {
				t.Errorf("of a creation: %q, want %q", said, test.creation)
			}
			if is := all.BlocksRemoval() != nil; is != test.removal {
				t.Errorf("it keeps it from its removal: %t", is)
			}
		})
	}

	t.Run("F-JS5 of the same age, the one that is reconciled first", func(t *testing.T) {
		a, b := claims("a", 0), claims("b", 0)
		r := claimsReconciler(t, a, b)
		blocked := func(si *v1beta1.ServiceInstance) bool {
			all, err := r.claimantsOf(t.Context(), si, "id", o)
			if err != nil {
				t.Fatal(err)
			}
			return all.BlocksCreation() != nil
		}
		if blocked(b) || !blocked(a) || blocked(b) {
			t.Error("b was first, and a is to wait")
		}
		r.Claims.Release(b.UID)
		if blocked(a) || !blocked(b) {
			t.Error("a is first once b is released")
		}
	})
}

// claimsReconciler has a cache with some instances.
func claimsReconciler(t *testing.T, objects ...client.Object) *Reconciler {
	cache := controllertest.NewCluster(t, interceptor.Funcs{}, objects...)
	return newReconciler(cache, cache, &engine.Config{Index: index.Index{Cache: cache}, Clients: &brokers.Clients{}})
}
