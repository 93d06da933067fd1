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
	tokens := token.FindAllStringIndex(text, -1)
	for i := 0; i < len(tokens); i++ {
		start, end := tokens[i][0], tokens[i][1]
		switch text[start] {
		case '`':
			i += spanLength(text, tokens[i:])
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
	return out.String() + text[done:]
}

// spanLength returns the number of tokens from the first, which is a run of backticks, to the next run of the same length,
// which is included. It returns 0 without such a run: then the backticks are text.
func spanLength(text string, tokens [][]int) int {
	opening := text[tokens[0][0]:tokens[0][1]]
	for i, t := range tokens[1:] {
		if text[t[0]:t[1]] == opening {
			return i + 1
		}
	}
	return 0
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
