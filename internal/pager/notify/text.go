// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notify

import (
	"fmt"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Title returns the title for display; an Alert without a title has its namespace and name there. Markup is not escaped.
// One that is resolved since its severity fell below the receiver's minimum says so.
func (m Message) Title() string {
	title := forDisplay(m.titleOrName())
	if m.BelowMinimum != "" {
		title += fmt.Sprintf(" (now %s, below this receiver's minimum %s)", m.Severity, m.BelowMinimum)
	}
	return title
}

// Content returns the content for display. Markup is not escaped.
func (m Message) Content() string { return forDisplay(m.RawContent) }

// forDisplay replaces emoji shortcodes with emoji, and with U+FFFD invalid UTF-8, NUL (a service whose database cannot store it answers
// with a server error, and the message would be retried) and characters that change how the rest is shown: the escapes of terminals, and those that
// turn the direction of a text.
func forDisplay(text string) string {
	return Emoji(strings.Map(func(r rune) rune {
		isEscape := r == '\x1b' || r == '\u009b'
		if r == 0 || isEscape || '\u202a' <= r && r <= '\u202e' || '\u2066' <= r && r <= '\u2069' {
			return '\uFFFD'
		}
		return r
	}, strings.ToValidUTF8(text, "\uFFFD")))
}

// TitleWithStatus returns the title after the severity, unless that is Info, and after the event, unless that is Fired. The title of a
// message that is continued says that instead.
func (m Message) TitleWithStatus() string {
	title := m.Title()
	if m.IsContinued {
		return "Continued: " + title
	}
	if m.Severity == Warning || m.Severity == Critical {
		title = "[" + string(m.Severity) + "] " + title
	}
	if m.Event == result.Updated || m.Event == result.Resolved {
		title = string(m.Event) + ": " + title
	}
	return title
}

// MaxEcho is the maximum size in bytes, as JSON, of a text that the service repeats in its response. The response may have 8 KiB
// beside that text. Of a longer one the end would not be read: it could not be decoded, as if a proxy had sent it, and the
// message would be sent again.
const MaxEcho = outbound.DefaultMaxBody - (8 << 10)

// cutMark ends a text that was cut.
const cutMark = "… [cut]"

// Cut returns the text where its size is at most limit. Otherwise it returns as many whole characters of the text as fit
// before cutMark, and cutMark. size returns the size of a character: see Bytes, Characters, UTF16, JSON and PlainJSON. For a
// text that is escaped later, size returns the size of the escaped character.
func Cut(text string, limit int, size func(rune) int) (short string, cut bool) {
	maxBeforeMark := limit - Size(cutMark, size)
	cutAt := 0 // text[:cutAt] has at most maxBeforeMark
	total := 0 // the size of text[:i]
	for i, r := range text {
		if total <= maxBeforeMark {
			cutAt = i
		}
		total += size(r)
		if total > limit {
			return strings.ToValidUTF8(text[:cutAt], "\uFFFD") + cutMark, true
		}
	}
	return text, false
}

// Size returns the sum of the sizes of the characters of a text.
func Size(text string, size func(rune) int) int {
	total := 0
	for _, r := range text {
		total += size(r)
	}
	return total
}

// CutNote returns the part of a receipt's note that reports the length to which a part of the message was cut.
func CutNote(part string, length int, unit string) string {
	return fmt.Sprintf("; the %s was cut to %d %s", part, length, unit)
}

// Bytes returns the size of a character in UTF-8.
func Bytes(r rune) int { return utf8.RuneLen(r) }

// Characters returns 1 for each character.
func Characters(rune) int { return 1 }

// UTF16 returns the size of a character in UTF-16 code units, the length of a string in JavaScript and Java.
func UTF16(r rune) int { return utf16.RuneLen(r) }

// JSON returns the maximum size in bytes of a character in the output of json.Marshal, in which servers written in Go answer.
func JSON(r rune) int {
	switch r {
	case '<', '>', '&': // json.Marshal escapes them for HTML; JSON does not require it
		return len(`\u003c`)
	}
	return PlainJSON(r)
}

// PlainJSON returns the maximum size in bytes of a character in the output of Encode, which does not escape for HTML. Other encoders that escape only
// the characters which JSON requires need no more.
func PlainJSON(r rune) int {
	switch {
	case strings.ContainsRune("\"\\\b\f\n\r\t", r):
		return len(`\n`)
	case r < ' ', r == '\u2028', r == '\u2029', r == utf8.RuneError: // invalid UTF-8 is a RuneError, too
		return len(`\u2028`)
	}
	return utf8.RuneLen(r)
}
