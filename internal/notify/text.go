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

// Subject is the heading as people are shown it. Markup is not escaped.
func (m Message) Title() string { return forDisplay(m.titleOrName()) }

// Text is the content as people are shown it. Markup is not escaped.
func (m Message) Content() string { return forDisplay(m.RawContent) }

// shown replaces emoji shortcodes, what is no character, and NUL, which some databases cannot hold: their services answer with
// an error of their own, as if another try could help.
func forDisplay(text string) string {
	return Emoji(strings.ReplaceAll(strings.ToValidUTF8(text, "\uFFFD"), "\x00", "\uFFFD"))
}

// Headline is the subject with what a receiver shows in no other way: how bad it is, and what happened since.
func (m Message) TitleWithStatus() string {
	headline := m.Title()
	if m.Severity == Warning || m.Severity == Critical {
		headline = "[" + string(m.Severity) + "] " + headline
	}
	if m.Event == result.Updated || m.Event == result.Resolved {
		headline = string(m.Event) + ": " + headline
	}
	return headline
}

// MaxEcho is what a text may take as JSON where the service repeats it in an answer that must be read: an answer that is too
// long for that would look as if it were none of the service's, and the message would be sent again and again.
const MaxEcho = outbound.DefaultMaxBody - 8<<10

// cutMark ends what was cut.
const cutMark = "… [cut]"

// Cut returns the text if it fits into limit, and else as much of it as does together with a mark that says that it was cut.
// It cuts between characters. size says what a character counts: see Bytes, Characters, UTF16, JSON and PlainJSON; where an
// escape takes the character's place, its size is the escape's.
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

// Size is the sum of what its characters count.
func Size(text string, size func(rune) int) int {
	total := 0
	for _, r := range text {
		total += size(r)
	}
	return total
}

// CutNote says what was cut, to how much. It goes behind another note.
func CutNote(what string, limit int, unit string) string {
	return fmt.Sprintf("; the %s was cut to %d %s", what, limit, unit)
}

// Bytes counts a character as UTF-8 has it.
func Bytes(r rune) int { return utf8.RuneLen(r) }

// Characters counts a character as one.
func Characters(rune) int { return 1 }

// UTF16 counts a character as the code units of UTF-16, which is what JavaScript and Java call its length.
func UTF16(r rune) int { return utf16.RuneLen(r) }

// JSON counts a character as the bytes that json.Marshal makes of it, at most: so do servers that are written in Go answer.
func JSON(r rune) int {
	switch r {
	case '<', '>', '&': // which only HTML needs
		return len(`\u003c`)
	}
	return PlainJSON(r)
}

// PlainJSON counts a character as the bytes that Encode makes of it, at most, which does not escape HTML. That is
// never less than others make of it who escape no more than JSON asks for.
func PlainJSON(r rune) int {
	switch {
	case strings.ContainsRune("\"\\\b\f\n\r\t", r):
		return len(`\n`)
	case r < ' ', r == '\u2028', r == '\u2029', r == utf8.RuneError: // the last stands for what is no character, too
		return len(`\u2028`)
	}
	return utf8.RuneLen(r)
}
