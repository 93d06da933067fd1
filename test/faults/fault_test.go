/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package main

import "testing"

func TestAFaultIsWhatItsTextSays(t *testing.T) {
	for text, want := range map[string]fault{
		"none":                              {},
		"crash-after@3":                     {kind: crashAfter, at: "3"},
		"500@PUT:service_instances#1":       {kind: "500", at: "PUT:service_instances#1"},
		"stale@PATCH:a/b/status#2<POST:c#1": {kind: stale, at: "PATCH:a/b/status#2", from: "POST:c#1"},
		"frozen@5<2":                        {kind: frozen, at: "5", from: "2"},
		"hide@serviceinstances/db#2":        {kind: hide, watched: "serviceinstances/db#2"},
		"late@alerts":                       {kind: late, watched: "alerts"},
		"crash-after@PUT:x#1+410@2":         {kind: crashAfter, at: "PUT:x#1", then: &fault{kind: "410", at: "2"}},
	} {
		got, err := parseFault(text)
		if err != nil {
			t.Fatal(err)
		}
		if got.String() != text || got.kind != want.kind || got.at != want.at || got.from != want.from || got.watched != want.watched || (got.then == nil) != (want.then == nil) {
			t.Errorf("%s is %+v, whose text is %s", text, got, got)
		}
	}
	for _, text := range []string{"", "crash-after", "crash-after@", "no-such@1", "stale@1<", "crash-after@1+", "crash-after@PUT:x"} {
		if got, err := parseFault(text); err == nil {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
}
