// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package printed compares what commands print with what the documentation shows of it.
package printed

import (
	"fmt"
	"regexp"
	"strings"
)

// rest stands for any text of a line, and alone in a line for any number of lines.
const rest = "…"

// varying is text that differs from run to run, with its placeholder.
var varying = []struct {
	text        *regexp.Regexp
	placeholder string
}{
	{regexp.MustCompile(`\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b`), "ID"},
	{regexp.MustCompile(`\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)`), "TIME"},
	{regexp.MustCompile(`\b[A-Z][a-z]{2}, \d\d [A-Z][a-z]{2} \d{4} \d\d:\d\d:\d\d [+-]\d{4}\b`), "TIME"},
	{regexp.MustCompile(`\b\d\d:\d\d:\d\d\b`), "TIME"},
	{regexp.MustCompile(`\b(?:\d+(?:\.\d+)?(?:ms|[smhd]))+\b`), "DURATION"},
	{regexp.MustCompile(`\b\d+\.\d+\.\d+\.\d+\b`), "ADDRESS"},
	{regexp.MustCompile(`\bdb_[a-z2-7]{12}\b`), "DATABASE"}, // of the demo's broker
	{regexp.MustCompile(`\bu_[a-z2-7]{12}\b`), "USER"},
}

// Compare returns an error where commands printed something else than a page shows. Times, durations, IDs and addresses are equal to any
// others, the width of columns and empty lines do not count, and "…" on the page is any text of a line, or any lines.
func Compare(shown, printed string) error {
	want, got := normalize(shown), normalize(printed)
	if matches(want, got) {
		return nil
	}
	return fmt.Errorf("the page shows\n%s\nand the commands printed\n%s\nwhich are compared as (see docs/contributing/writing-style.md)\n%s\n\n%s",
		strings.Trim(shown, "\n"), strings.Trim(printed, "\n"), strings.Join(want, "\n"), strings.Join(got, "\n"))
}

func matches(want, got []string) bool {
	switch {
	case len(want) == 0:
		return len(got) == 0
	case want[0] == rest:
		for skipped := range len(got) + 1 {
			if matches(want[1:], got[skipped:]) {
				return true
			}
		}
		return false
	default:
		return len(got) > 0 && matchesLine(want[0], got[0]) && matches(want[1:], got[1:])
	}
}

func matchesLine(want, got string) bool {
	expression := strings.ReplaceAll(regexp.QuoteMeta(want), rest, ".*")
	return regexp.MustCompile(`\A` + expression + `\z`).MatchString(got)
}

// normalize returns the lines of an output that are not empty, with one space between words, and with placeholders for what varies.
func normalize(output string) (lines []string) {
	for line := range strings.Lines(output) {
		line = strings.Join(strings.Fields(line), " ")
		for _, v := range varying {
			line = v.text.ReplaceAllString(line, v.placeholder)
		}
		if line != "" {
			lines = append(lines, line)
		}
	}
	return lines
}
