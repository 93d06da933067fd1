// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"testing"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/catalogsync"
	"github.com/gophernetes/bellhop/internal/servicecatalog/controllertest"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb"
)

// TestAnEndpointIsItsAddressAndCredentials has F-P7: a request to read the catalog does not reset
// what is known of the broker.
func TestAnEndpointIsItsAddressAndCredentials(t *testing.T) {
	b := controllertest.NewBroker(catalogsync.AllKinds[0], "https://broker.example.com")
	before := endpointVersion(b, osb.Auth{Password: "c1"})
	b.Common().RelistRequests++
	b.SetGeneration(b.GetGeneration() + 1)
	if endpointVersion(b, osb.Auth{Password: "c1"}) != before {
		t.Error("a relist makes another endpoint")
	}
	if endpointVersion(b, osb.Auth{Password: "c2"}) == before {
		t.Error("other credentials make none")
	}
	if b.Common().URL += "/v2"; endpointVersion(b, osb.Auth{Password: "c1"}) == before {
		t.Error("another address makes none")
	}
}

// F-S63: with the strict policy the search list makes no Service of a ServiceBroker's host.
func TestStrictClientsUseAbsoluteNames(t *testing.T) {
	for _, strict := range []bool{false, true} {
		for _, namespace := range []string{"", "ns"} {
			clients := NewClients(nil, nil, nil, 0, nil, nil)
			clients.Strict = strict
			got := clients.outboundOptions(Key{Namespace: namespace, Name: "b"}, &v1beta1.CommonServiceBrokerSpec{}).AbsoluteNames
			if want := strict && namespace != ""; got != want {
				t.Errorf("strict: %t, namespace %q: absolute names: %t, want %t", strict, namespace, got, want)
			}
		}
	}
}
