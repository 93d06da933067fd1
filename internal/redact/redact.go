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

// Package redact removes secrets from text that others wrote, and shortens it.
package redact

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	marker = "[redacted]"
	// minSecret is the shortest secret that is looked for. A shorter one occurs in any text by chance: replacing it would
	// make the text unreadable, and the holes would tell what it is.
	minSecret = 4
)

// Redactor removes known secrets from text that others wrote, in the encodings in which a server may echo what it got. It is
// no defence against a server that means to tell: that one can say it in words of its own.
type Redactor struct {
	forms [256][]string // by their first byte
}

// NewRedactor returns a redactor for the secrets. White space around them is not part of them; those shorter than four bytes
// are ignored.
func NewRedactor(secrets ...string) *Redactor {
	r := &Redactor{}
	for _, secret := range secrets {
		if secret = strings.TrimSpace(secret); len(secret) < minSecret {
			continue
		}
		for _, form := range encodings(secret) {
			if first := form[0]; !slices.Contains(r.forms[first], form) {
				r.forms[first] = append(r.forms[first], form)
			}
		}
	}
	return r
}

// encodings returns the secret as it is, in hex, and in base64 wherever it may stand in a longer encoded text: what is left
// out there are the characters at its edges that it shares with its neighbours.
func encodings(secret string) []string {
	digits := hex.EncodeToString([]byte(secret))
	forms := []string{secret, digits, strings.ToUpper(digits)}
	for shift := range 3 {
		padded := append(make([]byte, shift), secret...)
		from, to := (8*shift+5)/6, 8*len(padded)/6
		forms = append(forms, base64.RawStdEncoding.EncodeToString(padded)[from:to], base64.RawURLEncoding.EncodeToString(padded)[from:to])
	}
	return forms
}

// Clean returns the text without secrets and control characters, as valid UTF-8 of at most maxBytes. It looks at no more of
// a long text than that takes: the sender does not decide how long that takes.
func (r *Redactor) Clean(text string, maxBytes int) string {
	whole := len(text)
	text = r.redact(text, maxBytes)
	if whole > maxBytes {
		text += "…"
	}
	text = strings.Map(func(c rune) rune { // invalid bytes become U+FFFD on the way
		if !unicode.IsGraphic(c) {
			return ' '
		}
		return c
	}, text)
	return Shorten(r.redact(text, len(text)), maxBytes) // again, since a line break may have stood where a secret has a blank
}

// Finds says whether the text has a secret, however it is spelled.
func (r *Redactor) Finds(text string) bool { return r.redact(text, len(text)) != text }

// redact returns the text up to limit, with whatever spells a secret replaced. It looks at every position, also within what
// is already found: where two secrets overlap, the rest of the second must not stay.
func (r *Redactor) redact(text string, limit int) string {
	var out strings.Builder
	readers := []reader{plain, percent, query, backslash}
	if strings.Contains(text, `\\`) {
		readers = append(readers, nested)
	}
	end := 0 // of what is being left out
	for i := range min(len(text), limit) {
		if n := r.longest(text[i:], readers); n > 0 && i+n > end {
			if i >= end {
				out.WriteString(marker)
			}
			end = i + n
		}
		if i >= end {
			out.WriteByte(text[i])
		}
	}
	return out.String()
}

// longest returns the length of the longest encoding of a secret with which the text begins, or 0.
func (r *Redactor) longest(text string, readers []reader) int {
	longest := 0
	for _, read := range readers {
		first, _ := read(text)
		for _, form := range r.forms[first[0]] {
			longest = max(longest, spelled(text, form, read))
		}
	}
	return longest
}

// A reader takes the first character off a text: what it means, and how many bytes it took to write. What is no escape means
// itself. An escaped text is recognised however many of its characters are escaped.
type reader func(text string) (meaning string, width int)

// spelled returns how many bytes at the start of the text spell the secret, or 0.
func spelled(text, secret string, read reader) int {
	n := 0
	for secret != "" {
		if n == len(text) {
			return 0
		}
		meaning, width := read(text[n:])
		rest, ok := strings.CutPrefix(secret, meaning)
		if !ok {
			return 0
		}
		secret, n = rest, n+width
	}
	return n
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

// backslash reads JSON strings, and what is quoted as in Go or Python.
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
	const longest = 12 // what an escape takes at most
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

// codeUnit reads an escape such as \u00e4, or two of them for what UTF-16 writes as a pair.
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

// Shorten cuts the text to at most maxBytes at the boundary of a character, and shows that it did.
func Shorten(text string, maxBytes int) string {
	const ellipsis = "…"
	if len(text) <= maxBytes {
		return text
	}
	end := maxBytes - len(ellipsis)
	if end < 0 {
		return ""
	}
	for !utf8.RuneStart(text[end]) {
		end--
	}
	return text[:end] + ellipsis
}

// Capitalize returns a message as conditions and events have it, with a capital first letter: its text may be that of an error, which others
// wrap, and begins with a small letter. A first word that has anything but small letters is an identifier, such as spec.url, and stays.
func Capitalize(message string) string {
	word, _, _ := strings.Cut(message, " ")
	if word == "" || strings.ContainsFunc(strings.TrimSuffix(word, "'s"), func(r rune) bool { return r < 'a' || r > 'z' }) {
		return message
	}
	return strings.ToUpper(message[:1]) + message[1:]
}
