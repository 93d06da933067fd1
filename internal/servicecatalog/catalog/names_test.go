// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"strings"
	"testing"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// names are what the former service-catalog made of ids: objects have these names.
var names = []struct{ why, id, want string }{
	{"a UUID stays", "4f6e6cf6-ffdd-425f-a2c7-3c9258ad2468", "4f6e6cf6-ffdd-425f-a2c7-3c9258ad2468"},
	{"upper case is escaped, a dash within stays", "ABC-def", "z41zz42zz43z-def"},
	{"a dot within stays", "mysql_5.7", "mysqlz5fz5.7"},
	{"the escape itself, and a code point, not its bytes", "zé", "z7azze9z"},
	{"a dash after a dot", "a.-b", "a.z2dzb"},
	{"a dot after a dash", "a-.b", "a-z2ezb"},
	{"dots at both ends", ".x.", "z2ezxz2ez"},
	{"a blank", "E-9F 1", "z45z-9z46zz20z1"},
	{"longer than 63", strings.Repeat("A", 20), "z41zz41zz41zz41zz41zz41zz41zz4-76d36e98f312e98ff908c8c82c8dd623"},
	{"of a catalog in upper case", "S1", "z53z1"},
	{"of its plan", "P2", "z50z2"},
	{"dashes at both ends", "-x-", "z2dzxz2dz"},
	{"two dots", "a..b", "a.z2ezb"},
	{"63 stay", strings.Repeat("a", 63), strings.Repeat("a", 63)},
}

func TestObjectName(t *testing.T) {
	for _, c := range names {
		if got := catalog.ObjectName(c.id); got != c.want {
			t.Errorf("%s: the name for %q is %q, want %q", c.why, c.id, got, c.want)
		}
	}
}

func TestObjectNameCutsNoDotIn(t *testing.T) {
	got := catalog.ObjectName(strings.Repeat("a", 29) + "." + strings.Repeat("b", 40))
	if !strings.HasPrefix(got, strings.Repeat("a", 29)+"-") || len(got) != 29+1+32 {
		t.Errorf("the name is %q", got)
	}
}

func FuzzObjectName(f *testing.F) {
	for _, c := range names {
		f.Add(c.id, c.want)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if a == "" || b == "" || !utf8.ValidString(a) || !utf8.ValidString(b) {
			return // admission and JSON let neither pass
		}
		name := catalog.ObjectName(a)
		if problems := validation.IsDNS1123Subdomain(name); len(problems) > 0 || len(name) > 63 {
			t.Errorf("the name for %q is %q: %v", a, name, problems)
		}
		if a != b && name == catalog.ObjectName(b) {
			t.Errorf("%q and %q have the same name, %q", a, b, name)
		}
	})
}
