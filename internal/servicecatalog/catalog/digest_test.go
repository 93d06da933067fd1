// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

func TestDigest(t *testing.T) {
	digest := func(key, text string) string { return catalog.Digest([]byte(key), []byte(text)) }
	for _, c := range []struct {
		why                string
		a, b               string
		same, isComparable bool
	}{
		{"order of names and white space", digest("k", `{"a":{"x":1,"y":2},"b":1}`), digest("k", `{"b":1, "a": {"y":2,"x":1}}`), true, true},
		{"large numbers", digest("k", `{"a":9007199254740992}`), digest("k", `{"a":9007199254740993}`), false, true},
		{"another key", digest("k", `{"a":1}`), digest("l", `{"a":1}`), false, false},
		{"none recorded", "", digest("k", `{"a":1}`), false, false},
		{"none", "", "", false, false},
		{"of a later version", "v2" + digest("k", `{}`)[2:], digest("k", `{}`), false, false},
		{"nothing is sent", digest("k", ""), digest("k", ""), true, true},
	} {
		if same, isComparable := catalog.CompareDigests(c.a, c.b); same != c.same || isComparable != c.isComparable {
			t.Errorf("%s: same %v, comparable %v", c.why, same, isComparable)
		}
	}
	if plain := digest("", `{"a":1}`); strings.Split(plain, ".")[2] == strings.Split(digest("k", `{"a":1}`), ".")[2] {
		t.Error("the key does not matter")
	}
}

// F-S6: a status has parameters up to a size, and of larger ones the checksum.
func TestLargeParametersAreRecordedByTheirChecksum(t *testing.T) {
	for size, shown := range map[int]bool{1 << 10: true, 64 << 10: false, catalog.MaxParameters: false} {
		p, bad := catalog.Merge(inline(`{"a":"`+strings.Repeat("x", size)+`"}`), nil)
		if bad != nil || p.Checksum == "" || len(p.Sent) < size || (p.Redacted != nil) != shown {
			t.Errorf("%d bytes: %v, shown %t", size, bad, p.Redacted != nil)
		}
	}
}
