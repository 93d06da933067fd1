// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package proxy

import "testing"

func TestParseFaultReadsString(t *testing.T) {
	for text, want := range map[string]Fault{
		"none":                              {},
		"crash-after@3":                     {Kind: CrashAfter, At: "3"},
		"500@PUT:service_instances#1":       {Kind: "500", At: "PUT:service_instances#1"},
		"stale@PATCH:a/b/status#2<POST:c#1": {Kind: Stale, At: "PATCH:a/b/status#2", From: "POST:c#1"},
		"frozen@5<2":                        {Kind: Frozen, At: "5", From: "2"},
		"hide@serviceinstances/db#2":        {Kind: Hide, Watched: "serviceinstances/db#2"},
		"late@alerts":                       {Kind: Late, Watched: "alerts"},
		"crash-after@PUT:x#1+410@2":         {Kind: CrashAfter, At: "PUT:x#1", Then: &Fault{Kind: "410", At: "2"}},
	} {
		got, err := ParseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != text || got.Kind != want.Kind || got.At != want.At || got.From != want.From || got.Watched != want.Watched || (got.Then == nil) != (want.Then == nil) {
			t.Errorf("%s is %+v, whose text is %s", text, got, got)
		}
	}
	for _, text := range []string{"", "crash-after", "crash-after@", "no-such@1", "stale@1<", "crash-after@1+", "crash-after@PUT:x"} {
		if got, err := ParseFault(text); err == nil {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
}
