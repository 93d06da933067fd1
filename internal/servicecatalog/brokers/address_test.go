// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"fmt"
	"testing"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// A tenant edits the URL and the former addresses of a ServiceBroker as often as it likes: the process keeps one address of it.
func TestOneAddressOfABrokerIsKept(t *testing.T) {
	c := NewClients(nil, nil, nil, 0, &DigestKey{key: make([]byte, digestKeySize)}, nil)
	b := &v1beta1.ServiceBroker{}
	b.Namespace, b.Name = "tenant", "broker"
	digests := map[string]bool{}
	for i := range 10 {
		b.Spec.URL = fmt.Sprintf("https://broker-%d.example.com", i)
		b.Annotations = map[string]string{v1beta1.MovedFromAnnotation: fmt.Sprintf("https://former-%d.example.com", i)}
		for range 2 {
			in := c.AddressInputs(t.Context(), b)
			if in.Unknown || in.Current == "" || len(in.Confirmed) != 1 {
				t.Fatalf("%s: %+v", b.Spec.URL, in)
			}
			digests[in.Current] = true
		}
	}
	if len(digests) != 10 || len(c.addresses) != 1 {
		t.Errorf("%d digests of 10 URLs; %d addresses are kept, want 1", len(digests), len(c.addresses))
	}
	if c.Forget(KeyOf(b)); len(c.addresses) > 0 {
		t.Errorf("%d addresses are kept of a broker that is gone", len(c.addresses))
	}
}
