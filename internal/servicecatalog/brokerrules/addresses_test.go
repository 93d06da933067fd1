// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokerrules

import (
	"fmt"
	"testing"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// F-JS9: a broker's status has the address of each digest that its objects have on record, and at most eight.
func TestF_JS9_Addresses(t *testing.T) {
	address := func(digest string) v1beta1.BrokerAddress {
		return v1beta1.BrokerAddress{Digest: digest, Address: "https://" + digest}
	}
	for name, test := range map[string]struct {
		known []string
		now   string
		used  []string
		want  []string
	}{
		"the first one":                       {nil, "a", nil, []string{"a"}},
		"no other":                            {[]string{"a"}, "a", nil, []string{"a"}},
		"another one":                         {[]string{"a"}, "b", []string{"a"}, []string{"a", "b"}},
		"another one, objects without record": {[]string{"a"}, "b", []string{""}, []string{"a", "b"}},
		"another one, no objects":             {[]string{"a"}, "b", nil, []string{"b"}},
		"unused ones are dropped":             {[]string{"a", "b", "c"}, "d", []string{"b"}, []string{"b", "d"}},
		"moved back":                          {[]string{"a", "b"}, "a", nil, []string{"a", "b"}},
		"at most eight":                       {[]string{"1", "2", "3", "4", "5", "6", "7", "8"}, "9", []string{"1", "2", "3", "4", "5", "6", "7", "8"}, []string{"2", "3", "4", "5", "6", "7", "8", "9"}},
		"not known":                           {[]string{"a"}, "", nil, []string{"a"}},
	} {
		a := Addresses{Current: address(test.now), Used: map[string]bool{}}
		for _, digest := range test.used {
			a.Use(&v1beta1.OperationStatus{BrokerAddress: digest})
		}
		b := &v1beta1.ServiceBroker{}
		for _, digest := range test.known {
			b.Status.Addresses = append(b.Status.Addresses, address(digest))
		}
		var got []string
		for _, has := range Apply(b, RelistResult{Addresses: a}, rulestest.Noon).Addresses {
			got = append(got, has.Digest)
		}
		if fmt.Sprint(got) != fmt.Sprint(test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

// F-S71: the address of an id that is left behind is one of those in use.
func TestF_S71_AddressesOfLeftBehindIDs(t *testing.T) {
	a := Addresses{Used: map[string]bool{}}
	a.Use(&v1beta1.OperationStatus{BrokerAddress: "a", LeftBehind: []v1beta1.LeftBehind{{ID: "id", BrokerAddress: "b"}, {ID: "older"}}})
	if !a.Used["a"] || !a.Used["b"] || a.Undated {
		t.Errorf("%+v", a)
	}
}
