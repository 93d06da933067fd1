// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package injectionrules

import (
	"fmt"
	"slices"
	"strings"
	"testing"
)

// numbered returns an annotation with n entries.
func numbered(n int) string {
	var entries []string
	for i := range n {
		entries = append(entries, fmt.Sprintf("b%d", i))
	}
	return strings.Join(entries, ",")
}

func TestParseBindings(t *testing.T) {
	orders, cache := Binding{Name: "orders", Secret: "orders"}, Binding{Name: "cache", Secret: "team.cache-1"}
	for annotation, want := range map[string][]Binding{
		"": nil, " ": nil, "orders": {orders}, " orders ,cache=team.cache-1": {orders, cache}, "cache=team.cache-1": {cache},
	} {
		if got, err := ParseBindings(annotation); err != nil || !slices.Equal(got, want) {
			t.Errorf("%q: %v, %v, want %v", annotation, got, err, want)
		}
	}
	if got, err := ParseBindings(numbered(16)); err != nil || len(got) != 16 {
		t.Errorf("16: %v, %v", got, err)
	}
	for annotation, want := range map[string]string{
		"orders,": `the entry ""`, "orders,,cache": `the entry ""`, "Orders": `the entry "Orders"`, "orders=": `the entry "orders="`, "=orders": `the entry "=orders"`,
		"a=b=c": `the entry "a=b=c"`, "orders cache": `the entry "orders cache"`, "-a": `the entry "-a"`,
		"orders,cache,orders=x": `has "orders" more than once`, numbered(17): "has 17 entries: at most 16",
	} {
		if got, err := ParseBindings(annotation); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %v, want %s", annotation, got, err, want)
		}
	}
}

func TestAddBinding(t *testing.T) {
	orders, other := Binding{Name: "orders", Secret: "orders"}, Binding{Name: "orders", Secret: "db"}
	for _, test := range []struct {
		annotation string
		add        Binding
		want       string
	}{
		{"", orders, "orders"},
		{"cache", orders, "cache, orders"},
		{"cache,web=w", other, "cache, web=w, orders=db"},
		{"orders,  cache", orders, "orders,  cache"},
		{"orders,cache", other, "orders=db, cache"},
		{"cache,orders=db", orders, "cache, orders"},
	} {
		if got, err := AddBinding(test.annotation, test.add); err != nil || got != test.want {
			t.Errorf("%q and %s: %q, %v, want %q", test.annotation, test.add, got, err, test.want)
		}
	}
	for annotation, want := range map[string]string{numbered(16): "has 17 entries: at most 16", "cache,": `the entry ""`} {
		if got, err := AddBinding(annotation, orders); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %q, %v, want %s", annotation, got, err, want)
		}
	}
}
