// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package redact

import (
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

// A reader takes the first character off a text: its meaning, and its width in bytes. A character that is no escape means itself. An escaped text is
// recognised however many of its characters are escaped.
type reader func(text string) (meaning string, width int)

// longestEscape is how many bytes an escape takes at most: a pair of code units, of which each character is a code unit itself.
const longestEscape = 12 * 6

// readersOf returns the readers that may take a text otherwise than plain does. The whole text decides, of which an escape may be the last
// character of a long secret.
func readersOf(text string) (readers []reader) {
	if strings.Contains(text, "%") {
		readers = append(readers, percent)
	}
	if strings.Contains(text, "+") {
		readers = append(readers, query)
	}
	if strings.Contains(text, `\`) {
		readers = append(readers, backslash, nested)
	}
	return readers
}

func plain(text string) (string, int) { return text[:1], 1 }

// percent reads URL paths.
func percent(text string) (string, int) {
	if text[0] == '%' {
		if b, ok := hexNumber(text, 1, 2); ok {
			return string([]byte{byte(b)}), 3
		}
	}
	return plain(text)
}

// query reads URL queries and forms.
func query(text string) (string, int) {
	if text[0] == '+' {
		return " ", 1
	}
	return percent(text)
}

// backslash reads JSON strings, and strings that are quoted as in Go or Python.
func backslash(text string) (string, int) {
	if len(text) < 2 || text[0] != '\\' {
		return plain(text)
	}
	switch text[1] {
	case 'u':
		return codeUnit(text)
	case 'x':
		if b, ok := hexNumber(text, 2, 2); ok {
			return string([]byte{byte(b)}), 4
		}
		return plain(text)
	}
	if i := strings.IndexByte(`bfnrt"\/'`, text[1]); i >= 0 {
		return "\b\f\n\r\t\"\\/'"[i : i+1], 2
	}
	return plain(text)
}

// nested reads JSON strings within JSON strings.
func nested(text string) (string, int) {
	const longest = 12 // bytes of an escape, at most
	inner, ends := make([]byte, 0, longest+utf8.UTFMax), make([]int, 0, longest+utf8.UTFMax)
	for at := 0; at < len(text) && len(inner) < longest; {
		meaning, width := backslash(text[at:])
		if at += width; len(inner) == 0 && meaning != `\` {
			return meaning, width
		}
		for i := range len(meaning) {
			inner, ends = append(inner, meaning[i]), append(ends, at)
		}
	}
	meaning, width := backslash(string(inner))
	return meaning, ends[width-1]
}

// codeUnit reads an escape such as \u00e4, or two of them for a surrogate pair of UTF-16.
func codeUnit(text string) (string, int) {
	first, ok := hexNumber(text, 2, 4)
	if !ok {
		return plain(text)
	}
	if utf16.IsSurrogate(rune(first)) && strings.HasPrefix(text[6:], `\u`) {
		second, _ := hexNumber(text, 8, 4)
		if pair := utf16.DecodeRune(rune(first), rune(second)); pair != unicode.ReplacementChar {
			return string(pair), 12
		}
	}
	return string(rune(first)), 6
}

// hexNumber reads the digits of text[from:from+n].
func hexNumber(text string, from, n int) (uint64, bool) {
	if len(text) < from+n {
		return 0, false
	}
	v, err := strconv.ParseUint(text[from:from+n], 16, 32)
	return v, err == nil
}
