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

package notify

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestHeadline(t *testing.T) {
	for want, m := range map[string]Message{
		"Hi 👋":                    {Event: Fired, Title: "Hi :wave:", Severity: Info},
		"[Critical] Hi":           {Event: Fired, Title: "Hi", Severity: Critical},
		"Updated: [Warning] Hi":   {Event: Updated, Title: "Hi", Severity: Warning},
		"Resolved: [Critical] Hi": {Event: Resolved, Title: "Hi", Severity: Critical},
		"Resolved: Kubernetes alert for shop/till": {Event: Resolved, Namespace: "shop", Name: "till"},
	} {
		if got := m.Headline(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestCut(t *testing.T) {
	escaped := func(r rune) int { return len(map[rune]string{'&': "&amp;"}[r]) | 1 }
	for _, c := range []struct {
		why, in string
		limit   int
		size    func(rune) int
		want    string
	}{
		{"fits", "0123456789", 10, Bytes, "0123456789"},
		{"one too many", "0123456789x", 10, Characters, "012… [cut]"},
		{"bytes, of which the mark has nine", "0123456789x", 10, Bytes, "0… [cut]"},
		{"not within a character", "1👋👋👋", 12, Bytes, "1… [cut]"},
		{"a pair of UTF-16", "👋👋👋👋👋", 9, UTF16, "👋… [cut]"},
		{"characters", "👋👋👋👋👋👋👋👋👋", 8, Characters, "👋… [cut]"},
		{"escapes count", "&&&&", 12, escaped, "&… [cut]"},
		{"nothing fits", "0123456789", 3, Bytes, "… [cut]"},
	} {
		got, cut := Cut(c.in, c.limit, c.size)
		if got != c.want || cut != (got != c.in) {
			t.Errorf("%s: got %q, %t; want %q", c.why, got, cut, c.want)
		}
	}
}

func FuzzCut(f *testing.F) {
	f.Add("Hello 👋 world", 11)
	f.Add("\xff\xfe", 9)
	f.Fuzz(func(t *testing.T, in string, limit int) {
		if limit < 16 || !utf8.ValidString(in) {
			return
		}
		for _, size := range []func(rune) int{Bytes, Characters, UTF16} {
			got, cut := Cut(in, limit, size)
			if sizeOf(got, size) > limit || !utf8.ValidString(got) || cut != (sizeOf(in, size) > limit) || cut != strings.HasSuffix(got, cutMark) && got != in {
				t.Errorf("%q at %d became %q", in, limit, got)
			}
		}
	})
}
