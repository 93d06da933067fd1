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
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/internal/notify/result"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// Title returns the title for display, or the Alert's name where it has none. Markup is not escaped.
func (m Message) Title() string { return forDisplay(m.titleOrName()) }

// Content returns the content for display. Markup is not escaped.
func (m Message) Content() string { return forDisplay(m.RawContent) }

// forDisplay replaces emoji shortcodes, invalid UTF-8, and NUL: some databases cannot store NUL, and their services answer
// with a server error, which would be retried.
func forDisplay(text string) string {
	return Emoji(strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD"))
}

// TitleWithStatus returns the title with the severity, and with the event where it is not the first.
func (m Message) TitleWithStatus() string {
	title := m.Title()
	if m.Severity == Warning || m.Severity == Critical {
		title = "[" + string(m.Severity) + "] " + title
	}
	if m.Event == result.Updated || m.Event == result.Resolved {
		title = string(m.Event) + ": " + title
	}
	return title
}

// MaxEcho bounds a text, as JSON, where the service repeats it in its response: a response that is too long to be read would
// look like a proxy's, and the message would be repeated.
const MaxEcho = outbound.DefaultMaxBody - 8<<10

// cutMark ends a text that was cut.
const cutMark = "… [cut]"

// Cut returns the text where its size is at most limit. Otherwise it returns as many whole characters of the text as fit,
// with a mark at the end. size returns the size of a character: see Bytes, Characters, UTF16, JSON and PlainJSON. Where the
// text is escaped later, it returns the size of the escaped character.
func Cut(text string, limit int, size func(rune) int) (short string, cut bool) {
	room := limit - Size(cutMark, size)
	total, end := 0, 0
	for i, r := range text {
		if total <= room {
			end = i
		}
		if total += size(r); total > limit {
			return strings.ToValidUTF8(text[:end], "\uFFFD") + cutMark, true
		}
	}
	return text, false
}

// Size returns the sum of the sizes of the characters.
func Size(text string, size func(rune) int) int {
	total := 0
	for _, r := range text {
		total += size(r)
	}
	return total
}

// CutNote returns the part of a receipt's note that reports a cut.
func CutNote(what string, limit int, unit string) string {
	return fmt.Sprintf("; the %s was cut to %d %s", what, limit, unit)
}

// Bytes returns the size of a character in UTF-8.
func Bytes(r rune) int { return utf8.RuneLen(r) }

// Characters returns 1 for each character.
func Characters(rune) int { return 1 }

// UTF16 returns the size of a character in UTF-16 code units, the length of a string in JavaScript and Java.
func UTF16(r rune) int { return utf16.RuneLen(r) }

// JSON returns the size of a character in the output of json.Marshal, at most. Servers written in Go answer in this form.
func JSON(r rune) int {
	switch r {
	case '<', '>', '&': // escaped for HTML only
		return len(`\u003c`)
	}
	return PlainJSON(r)
}

// PlainJSON returns the size of a character in the output of Encode, at most, which does not escape for HTML. No other
// encoder that escapes only what JSON requires needs more.
func PlainJSON(r rune) int {
	switch {
	case strings.ContainsRune("\"\\\b\f\n\r\t", r):
		return len(`\n`)
	case r < ' ', r == '\u2028', r == '\u2029', r == utf8.RuneError: // RuneError: also invalid UTF-8
		return len(`\u2028`)
	}
	return utf8.RuneLen(r)
}
