// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package printed

import "testing"

func TestCompare(t *testing.T) {
	for _, tc := range []struct {
		shown, printed string
		equal          bool
	}{
		{"a\nb", "a\nb\n", true},
		{"created", "configured\n", false},
		{"created", "created\nWarning: more\n", false},
		{"SENT\ntrue", "SENT\nfalse\n", false},
		{"", "\n", true},
		{"NAME   AGE\none    5s", "NAME       AGE\none        1m12s\n", true},
		{"one    5s", "one\n", false},
		{"basic50", "basic100\n", false},
		{"at 2026-01-31T12:00:00Z", "at 2027-02-01T00:00:01Z\n", true},
		{"Sat, 31 Jan 2026 12:00:00 +0000", "Mon, 01 Feb 2027 00:00:01 +0000\n", true},
		{"📟 12:00:00  Critical  Disk", "📟 09:31:59  Critical  Disk\n", true},
		{"id 0b7f6a1e-6f0c-4a55-9e0e-3a3f8d1f2b10", "id 9d1c33f2-1111-4222-8333-444455556666\n", true},
		{"Logged in as u_sq22jqlqcwxe, to database db_4qpitlrwxyxs", "Logged in as u_gxnvjaskdfyy, to database db_bkoymx6hso62\n", true},
		{"name: db-…", "name: db-x7k2p\n", true},
		{"name: …-db (1)", "name: x7k2p-db (1)\n", true},
		{"name: db-…", "name: db-\nb\n", false},
		{"a.c", "abc\n", false},
		{"created\n…\nrolled out", "created\nrolled out\n", true},
		{"created\n…\nrolled out", "created\nwaiting\nwaiting\nrolled out\n", true},
		{"created\n…\nrolled out", "created\nwaiting\n", false},
		{"…\nrolled out\n…", "waiting\nrolled out\n", true},
		{"…\nrolled out\n…", "rolled out\nwaiting\n", true},
		{"Warning: spec.url: …\ncreated", "Warning: spec.url: it is not encrypted\ncreated\n", true},
		{"Warning: spec.url: …", "Warning: spec.token: it is not encrypted\n", false},
	} {
		if err := Compare(tc.shown, tc.printed); (err == nil) != tc.equal {
			t.Errorf("%q and %q: %v", tc.shown, tc.printed, err)
		}
	}
}
