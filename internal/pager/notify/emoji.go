// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/yuin/goldmark-emoji/definition"
)

// token matches a text that is a shortcode or may contain one: a run of backticks, a URL, a word between colons. A word
// before two slashes is the scheme of a URL, and is matched together with the URL.
var token = regexp.MustCompile("`+" + "|[A-Za-z][A-Za-z0-9+.-]*://[^\\s<>\"`]*" + "|:[a-z0-9_+-]+:(?://[^\\s<>\"`]*)?")

// Emoji replaces GitHub's shortcodes, such as :wave:, with Unicode characters, which every receiver can show. A shortcode
// must be separate from other words, so that path:key:value keeps its key. Unknown shortcodes, code spans and URLs stay
// unchanged.
func Emoji(text string) string {
	var out strings.Builder
	known := definition.Github()
	done := 0
	for at := 0; ; {
		next := token.FindStringIndex(text[at:])
		if next == nil {
			return out.String() + text[done:]
		}
		start, end := at+next[0], at+next[1]
		at = end
		switch text[start] {
		case '`':
			at += spanLength(text[end:], text[start:end])
		case ':':
			emoji, ok := known.Get(strings.Trim(text[start:end], ":"))
			if !ok || !emoji.IsUnicode() || !isSeparate(text, start, end) {
				continue
			}
			out.WriteString(text[done:start])
			out.WriteString(string(emoji.Unicode))
			done = end
		}
	}
}

// spanLength returns the length of a text up to the end of its next run of as many backticks as opening has. It returns 0 without
// such a run: then the opening backticks are text.
func spanLength(text, opening string) int {
	for at := 0; ; {
		run := strings.IndexByte(text[at:], '`')
		if run < 0 {
			return 0
		}
		start := at + run
		at = start + len(text[start:]) - len(strings.TrimLeft(text[start:], "`"))
		if at-start == len(opening) {
			return at
		}
	}
}

func isSeparate(text string, start, end int) bool {
	before, n := utf8.DecodeLastRuneInString(text[:start])
	after, m := utf8.DecodeRuneInString(text[end:])
	return (n == 0 || isBoundary(before)) && (m == 0 || isBoundary(after))
}

// isBoundary reports whether a shortcode may follow a character or precede it: white space, ASCII symbols such as > and =, and
// punctuation except the colon of another shortcode.
func isBoundary(r rune) bool {
	if r < utf8.RuneSelf && unicode.IsSymbol(r) {
		return true
	}
	return unicode.IsSpace(r) || unicode.IsPunct(r) && r != ':'
}
