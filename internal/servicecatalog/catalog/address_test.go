// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// F-JS9: a digest of an address is that of the place, whatever its spelling, and of nothing that is secret.
func TestF_JS9_NormalizeAddress(t *testing.T) {
	for value, want := range map[string]string{
		"https://broker.example.com":                "https://broker.example.com:443",
		" HTTPS://Broker.Example.COM.:443/ ":        "https://broker.example.com:443",
		"https://user:pass@broker.example.com/v/":   "https://broker.example.com:443/v",
		"http://broker.example.com/V?token=1#there": "http://broker.example.com:80/V",
		"http://[FD00::1]:8080/a%20b":               "http://[fd00::1]:8080/a%20b",
		"ftp://broker.example.com":                  "",
		"broker.example.com":                        "",
		"":                                          "",
	} {
		if got := NormalizeAddress(value); got != want {
			t.Errorf("%q: %q, want %q", value, got, want)
		}
	}
}

// F-S74: a broker's former addresses are compared with each decision about its objects, so that only the first ones are read.
func TestF_S74_FormerAddresses(t *testing.T) {
	var values []string
	for i := range 20_000 {
		values = append(values, fmt.Sprintf("http://%d", i))
	}
	for name, test := range map[string]struct {
		annotation string
		want       []string
	}{
		"none":              {"", nil},
		"two":               {"https://a.example.com, https://b.example.com/osb/", []string{"https://a.example.com:443", "https://b.example.com:443/osb"}},
		"one of two, twice": {"old.example.com,http://a,http://A:80", []string{"http://a:80"}},
		"too many":          {strings.Join(values, ","), []string{"http://0:80", "http://15:80"}},
	} {
		b := &v1beta1.ServiceBroker{}
		metav1.SetMetaDataAnnotation(&b.ObjectMeta, v1beta1.MovedFromAnnotation, test.annotation)
		got := FormerAddresses(b)
		if name == "too many" && len(got) == maxFormer {
			got = []string{got[0], got[maxFormer-1]}
		}
		if !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got[:min(len(got), 20)], test.want)
		}
	}
}
