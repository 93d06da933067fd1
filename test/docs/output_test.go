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

package docs_test

import (
	"fmt"
	"regexp"
	"strings"

	. "github.com/onsi/ginkgo/v2"
	. "github.com/onsi/gomega"
	gomegatypes "github.com/onsi/gomega/types"
)

// varying are the parts of an output that differ between two runs. A page shows them as in one of these runs.
var varying = []struct {
	pattern     *regexp.Regexp
	placeholder string
}{
	{regexp.MustCompile(`\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`), "<id>"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)`), "<time>"},
	{regexp.MustCompile(`\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}\b`), "<time>"},
	{regexp.MustCompile(`\b(?:\d+(?:\.\d+)?(?:d|h|ms|m|s))+\b`), "<duration>"},
	{regexp.MustCompile(`[ \t]+`), " "}, // the width of a column depends on its widest cell
	{regexp.MustCompile(`(?m) $`), ""},
}

// normalizeOutput replaces what differs between two runs by placeholders.
func normalizeOutput(text string) string {
	for _, v := range varying {
		text = v.pattern.ReplaceAllString(text, v.placeholder)
	}
	return strings.Trim(text, "\n")
}

// matchOutput matches the output of commands that a page shows. The character … in the page stands for any text of a line, and a line
// that has nothing else for any number of lines.
func matchOutput(shown string) gomegatypes.GomegaMatcher {
	var expression strings.Builder
	for line := range strings.SplitSeq(normalizeOutput(shown), "\n") {
		if line == "…" {
			expression.WriteString(`(?:\n.*)*`)
			continue
		}
		expression.WriteString(`\n` + strings.ReplaceAll(regexp.QuoteMeta(line), "…", ".*"))
	}
	compiled := regexp.MustCompile(`\A` + expression.String() + `\z`)
	return WithTransform(func(out string) string { return "\n" + normalizeOutput(out) }, Satisfy(compiled.MatchString))
}

// expectOutput compares the output of commands with what the page shows of it.
func expectOutput(out, shown string) {
	GinkgoHelper()
	Expect(out).To(matchOutput(shown), func() string {
		return fmt.Sprintf("The page shows:\n%s\nThe commands print:\n%s\nBoth are compared as (see docs/contributing/writing-style.md):\n%s\n\n%s",
			shown, out, normalizeOutput(shown), normalizeOutput(out))
	})
}

var _ = DescribeTable("An output is compared with what varies as placeholders", func(shown, printed string, matches bool) {
	if matches {
		Expect(printed).To(matchOutput(shown))
	} else {
		Expect(printed).NotTo(matchOutput(shown))
	}
},
	Entry("the same", "a\nb\n", "a\nb\n", true),
	Entry("another line", "a\nb\n", "a\nc\n", false),
	Entry("a line more", "a\n", "a\nb\n", false),
	Entry("an age and the width of its column", "NAME   AGE\ndb     5s\n", "NAME   AGE\ndb     1m12s\n", true),
	Entry("an age that is missing", "db   5s\n", "db\n", false),
	Entry("times", "at 2026-01-31T12:00:00Z, Sat, 31 Jan 2026 12:00:00 +0000\n", "at 2027-02-01T00:00:01Z, Mon, 01 Feb 2027 00:00:01 +0000\n", true),
	Entry("a UUID", "id 0b7f6a1e-6f0c-4a55-9e0e-3a3f8d1f2b10\n", "id 9d1c33f2-1111-4222-8333-444455556666\n", true),
	Entry("a name that looks a little like a duration", "basic50\n", "basic100\n", false),
	Entry("a part of a line", "name: db-…\n", "name: db-x7k2p\n", true),
	Entry("no other line for a part of one", "name: db-…\n", "name: db-\nb\n", false),
	Entry("lines in the middle", "a\n…\nd\n", "a\nb\nc\nd\n", true),
	Entry("no line in the middle", "a\n…\nd\n", "a\nd\n", true),
	Entry("lines at the beginning", "…\nd\n", "b\nc\nd\n", true),
	Entry("lines at the end", "a\n…\n", "a\nb\nc\n", true),
	Entry("special characters", "a.c (1)*\n", "abc (1)*\n", false),
)
