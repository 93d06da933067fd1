// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// FuzzAdmission: whatever can be decoded is answered. Defaulting sees objects before their
// schema does.
func FuzzAdmission(f *testing.F) {
	for _, seed := range []string{
		`{}`, `{"spec":{"clusterServiceClassExternalName":"ext-class","clusterServicePlanRef":{}}}`,
		`{"spec":{"serviceClassName":"c","serviceClassRef":{"name":"c"},"parametersFrom":[{}],"parameters":[]}}`,
		`{"spec":{"instanceRef":{"name":"i"},"secretTransforms":[{},{"addKeysFrom":{}},{"addKey":{}},{"renameKey":{}}],"parameters":"x"}}`,
		`{"metadata":{"finalizers":["kubernetes-incubator/service-catalog"],"annotations":{"bellhop.gophernetes.io/made-id":"x"},"deletionTimestamp":"2026-01-02T03:04:05Z"}}`,
		`{"spec":{"url":"http://[::1%25]","authInfo":{"oauth2":{},"clientCertificate":{}},"catalogRestrictions":{"serviceClass":["("]}}}`,
	} {
		f.Add([]byte(seed), []byte(`{"spec":{"clusterServiceClassName":"class"}}`))
	}
	class := clusterClass("broker", "class")
	k := knowing(f, clusterBroker("broker", true), class, clusterPlan(class, "plan"))
	access, now := reviewer(f, new([]string)), func() time.Time { return t0 }
	f.Fuzz(func(t *testing.T, before, after []byte) {
		exchange(before, after, func(old, i *v1beta1.ServiceInstance) {
			d, v := instanceDefaulter{k, decoder, now}, instanceValidator{k, access}
			answered(t, d.Default(request(t, nil), i))
			_, _ = v.ValidateCreate(request(t, nil), i)
			answered(t, d.Default(request(t, old), i))
			_, _ = v.ValidateUpdate(request(t, old), old, i)
		})
		exchange(before, after, func(old, b *v1beta1.ServiceBinding) {
			d, v := bindingDefaulter{decoder, now}, bindingValidator{k, access}
			answered(t, d.Default(request(t, nil), b))
			_, _ = v.ValidateCreate(request(t, nil), b)
			answered(t, d.Default(request(t, old), b))
			_, _ = v.ValidateUpdate(request(t, old), old, b)
		})
		exchange(before, after, func(old, b *v1beta1.ServiceBroker) {
			d, v := brokerDefaulter[*v1beta1.ServiceBroker]{decoder}, brokerValidator[*v1beta1.ServiceBroker]{k, access, Options{Guard: outbound.NewGuard(nil, nil)}}
			answered(t, d.Default(request(t, nil), b))
			_, _ = v.ValidateCreate(request(t, nil), b)
			answered(t, d.Default(request(t, old), b))
			_, _ = v.ValidateUpdate(request(t, old), old, b)
		})
	})
}

// exchange is for what can be decoded.
func exchange[T any](before, after []byte, try func(old, obj *T)) {
	var old, obj T
	if json.Unmarshal(before, &old) == nil && json.Unmarshal(after, &obj) == nil {
		try(&old, &obj)
	}
}

// answered: defaulting refuses nothing.
func answered(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
