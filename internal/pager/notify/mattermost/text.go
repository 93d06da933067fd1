// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package mattermost

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/internal/pager/notify"
)

const (
	maxMessage    = 16383 // characters of the escaped text
	maxTitle      = 2500  // characters of the escaped title, more than a title can have
	maxEscape     = 6     // characters, the longest escape of one character
	maxEscapeJSON = 11    // bytes of JSON, the same
)

// render returns the message, and a note that says which parts were truncated; "": none. Only the title has markup: it is bold.
func render(m notify.Message) (text, cuts string) {
	title := strings.Join(strings.FieldsFunc(m.TitleWithStatus(), func(r rune) bool { return r == '\n' || r == '\r' }), " ")
	title, cut := escapeAndTruncate(strings.TrimSpace(title), maxTitle, notify.MaxEcho)
	if cut {
		cuts = notify.CutNote("title", maxTitle, "characters")
	}
	title = "**" + title + "**"
	if m.RawContent == "" && len(m.RawLinks) == 0 {
		return title, cuts
	}
	room := maxMessage - utf8.RuneCountInString(title) - len("\n")
	lines, omitted := notify.LinkLines(m.RawContent, m.Links(), room, notify.JSON, func(l notify.Link) string { return escape(l.Line()) })
	content, cut := escapeAndTruncate(m.Content(), room-utf8.RuneCountInString(lines), notify.MaxEcho-notify.Size(lines, notify.JSON))
	if cut {
		cuts += notify.CutNote("content", utf8.RuneCountInString(content), "characters")
	}
	return title + "\n" + content + lines, cuts + omitted
}

// escapeAndTruncate returns as much of the text as has at most limit characters when escaped, and as JSON at most maxEcho bytes, which fit
// into Mattermost's response, which repeats it. It reports whether the text was cut.
func escapeAndTruncate(text string, limit, maxEcho int) (string, bool) {
	for room := min(limit, utf8.RuneCountInString(text)); ; { // not limit: the loop reduces a larger number step by step
		short, cut := notify.Cut(text, room, notify.Characters)
		short = escape(short)
		over := max( // the least that may be enough: the length of an escape depends on its neighbors
			divideUp(utf8.RuneCountInString(short)-limit, maxEscape),
			divideUp(notify.Size(short, notify.JSON)-maxEcho, maxEscapeJSON))
		if over <= 0 {
			return short, cut
		}
		room -= over
	}
}

func divideUp(n, by int) int { return (n + by - 1) / by }

// link matches a URL without characters that need an escape: some of Mattermost's apps do not decode entities in links.
var link = regexp.MustCompile(`https?://[A-Za-z0-9._~:/?#&=%+-]*[A-Za-z0-9/]`)

// escape writes the text so that Mattermost shows it as typed.
func escape(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	e := escaper{text: text, start: true}
	for _, at := range link.FindAllStringIndex(text, -1) {
		e.writeUntil(at[0])
		e.start, e.number = false, false
		e.lookAhead(at[1])
		if e.mayEndLink(at[1]) {
			e.out.WriteString(text[at[0]:at[1]])
			e.done = at[1]
			continue
		}
		colon := at[0] + strings.IndexByte(text[at[0]:], ':') + 1
		e.out.WriteString(text[at[0]:colon] + zeroWidthSpace) // which ends the link
		e.done = colon
	}
	e.writeUntil(len(text))
	return e.out.String()
}

// zeroWidthSpace ends a mention: the server searches for mentions in the text with decoded entities. It also ends a link.
const zeroWidthSpace = "\u200b"

type escaper struct {
	text   string
	done   int // bytes of the text that are written
	out    strings.Builder
	start  bool // the line has only white space so far
	number bool // the line has only white space and digits so far
	ahead  int  // the end of the text that lookAhead has checked
	needs  bool // whether a character before ahead needs an escape
}

// writeUntil writes the text up to a byte.
func (e *escaper) writeUntil(end int) {
	if e.done == 0 {
		e.indent()
	}
	for e.done < end {
		r, width := utf8.DecodeRuneInString(e.text[e.done:])
		e.out.WriteString(e.escapedAt(e.done))
		e.done += width
		switch r {
		case '\n', '\r':
			e.start, e.number = true, false
			e.indent()
		case ' ', '\t':
			e.number = false
		default:
			e.number = '0' <= r && r <= '9' && (e.start || e.number)
			e.start = false
		}
	}
}

// indent writes a zero-width space before a line that four blanks or a tab would make code.
func (e *escaper) indent() {
	line := e.text[e.done:]
	rest := strings.TrimLeft(line, " \t")
	blanks := line[:len(line)-len(rest)]
	empty := rest == "" || strings.HasPrefix(rest, "\n") || strings.HasPrefix(rest, "\r")
	if !empty && (len(blanks) >= 4 || strings.Contains(blanks, "\t")) {
		e.out.WriteString(zeroWidthSpace)
	}
}

// lookAhead finds out whether the text up to the next white space, where a link ends at the latest, needs an escape. Further links of the same
// text need no further look.
func (e *escaper) lookAhead(from int) {
	if from < e.ahead {
		return
	}
	e.ahead, e.needs = len(e.text), false
	for i, r := range e.text[from:] {
		e.needs = len(e.escapedAt(from+i)) > utf8.UTFMax // longer than any character alone
		if e.needs || unicode.IsSpace(r) {
			e.ahead = from + i
			return
		}
	}
}

// mayEndLink reports whether a link can end at a byte: the byte after it needs no escape, and the last letters are not part of an entity.
func (e *escaper) mayEndLink(at int) bool {
	return !e.needs && !strings.HasPrefix(e.text[at:], ";")
}

// escapedAt returns the escaped character at a byte of the text.
func (e *escaper) escapedAt(i int) string {
	r, width := utf8.DecodeRuneInString(e.text[i:])
	before, _ := utf8.DecodeLastRuneInString(e.text[:i])
	after, _ := utf8.DecodeRuneInString(e.text[i+width:])
	special := false
	switch r {
	case '*', '`', '[', '<': // ] and > are markup only after these
		special = true
	case '_', '~': // not markup within a word
		special = !isAlphanumeric(before) || !isAlphanumeric(after)
	case '#':
		special = !isAlphanumeric(before)
	case ':': // not an emoji within a word
		special = !isAlphanumeric(before) && !isBlank(after)
	case '\\': // not an escape before a letter
		special = !isAlphanumeric(after)
	case '>', '-', '+', '=', '|':
		special = e.start
	case '.', ')':
		special = e.number && isBlank(after)
	case '&':
		if after == '#' || isAlphanumeric(after) {
			return "&amp;"
		}
	case '@':
		if !isAlphanumeric(before) { // otherwise an e-mail address or similar
			return "@" + zeroWidthSpace
		}
	}
	if special {
		return "&#" + strconv.Itoa(int(r)) + ";"
	}
	return string(r)
}

func isBlank(r rune) bool {
	return unicode.IsSpace(r) || r == utf8.RuneError // RuneError: the end of the text
}

func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
