// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func TestClosest(t *testing.T) {
	var many []string
	for i := range 10_000 {
		many = append(many, fmt.Sprintf("%s%05d", strings.Repeat("x", 1000), i))
	}
	for why, c := range map[string]struct {
		name        string
		names, want []string
	}{
		"all of few":                {"mysql", []string{"redis", "kafka", "redis"}, []string{"kafka", "redis"}},
		"the most similar first":    {"mysql", []string{"mysqs", "redis", "mysql2", "azure-mysql", "mysql"}, []string{"mysql", "mysql2", "mysqs"}},
		"a name that contains it":   {"mysql", []string{"redis", "kafka", "mongo", "azure-mysql"}, []string{"azure-mysql"}},
		"nothing similar":           {"mysql", []string{"redis", "kafka", "mongo", "rabbit"}, nil},
		"no names":                  {"mysql", nil, nil},
		"a name that is too long":   {strings.Repeat("x", 1000), []string{"a", "b", "c"}, nil},
		"names that are too long":   {"mysql", append([]string{"mysqk", "nysql"}, many...), []string{"mysqk", "nysql"}},
		"a part of long names only": {"x", many, nil},
	} {
		if got := Closest(t.Context(), c.name, c.names); !slices.Equal(got, c.want) {
			t.Errorf("%s: %.200q instead of %q", why, got, c.want)
		}
	}
}

// TestClosestIsBounded: tenants choose the names of classes, and the name that a reference has.
func TestClosestIsBounded(t *testing.T) {
	var names []string
	for i := range 10_000 {
		names = append(names, fmt.Sprintf("%s%05d", strings.Repeat("x", 59), i))
	}
	if got := Closest(t.Context(), names[0], names); len(got) != maxSuggestions || got[0] != names[0] {
		t.Errorf("%q", got)
	}
	if got := Closest(t.Context(), names[9_999], names); slices.Contains(got, names[9_999]) {
		t.Errorf("all 10,000 names were compared: %q", got)
	}
	if got := Closest(t.Context(), strings.Repeat("z", 64), append(names, strings.Repeat("z", 64))); len(got) > 0 {
		t.Errorf("the names without similarity were compared: %q", got)
	}
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if got := Closest(ended, names[0], names); len(got) > 0 {
		t.Errorf("names were compared after the context had ended: %q", got)
	}
}
