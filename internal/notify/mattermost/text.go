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

package mattermost

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/internal/notify"
)

const (
	maxMessage    = 16383 // characters, as written with escapes
	maxHeadline   = 2500  // of them; more than a title can have
	maxEscape     = 6     // characters that one can be written with
	maxEscapeJSON = 11    // bytes that these are as JSON
)

// render returns the message, and what is to be noted about what was cut. That the headline is bold is all the markup there is.
func render(m notify.Message) (text, cuts string) {
	headline := strings.Join(strings.FieldsFunc(m.TitleWithStatus(), func(r rune) bool { return r == '\n' || r == '\r' }), " ")
	headline, cut := escapeAndTruncate(strings.TrimSpace(headline), maxHeadline)
	if cut {
		cuts = notify.CutNote("title", maxHeadline, "characters")
	}
	headline = "**" + headline + "**"
	if m.RawContent == "" {
		return headline, cuts
	}
	room := maxMessage - utf8.RuneCountInString(headline) - len("\n")
	content, cut := escapeAndTruncate(m.Content(), room)
	if cut {
		cuts += notify.CutNote("content", utf8.RuneCountInString(content), "characters")
	}
	return headline + "\n" + content, cuts
}

// fit escapes the text, or so much of it that no more than limit characters come of it, and that Mattermost's answer, which
// repeats them, can be read. It says whether that is not all.
func escapeAndTruncate(text string, limit int) (string, bool) {
	for room := min(limit, utf8.RuneCountInString(text)); ; { // more room than there is text would be taken away one by one
		short, cut := notify.Cut(text, room, notify.Characters)
		short = escape(short)
		over := max( // as few as may be enough: how long an escape is depends on its neighbours
			divideUp(utf8.RuneCountInString(short)-limit, maxEscape),
			divideUp(notify.Size(short, notify.JSON)-notify.MaxEcho, maxEscapeJSON))
		if over <= 0 {
			return short, cut
		}
		room -= over
	}
}

func divideUp(n, by int) int { return (n + by - 1) / by }

// link matches a URL in which nothing needs an escape: in a link, some of Mattermost's apps undo none.
var link = regexp.MustCompile(`https?://[A-Za-z0-9._~:/?#&=%+-]*[A-Za-z0-9/]`)

// escape writes the text so that Mattermost shows it as typed.
func escape(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	e := escaper{text: text, start: true}
	for _, at := range link.FindAllStringIndex(text, -1) {
		e.writeUntil(at[0])
		e.start, e.number = false, false
		if e.needsNoEscape(at[1]) {
			e.out.WriteString(text[at[0]:at[1]])
			e.done = at[1]
			continue
		}
		colon := at[0] + strings.IndexByte(text[at[0]:], ':') + 1
		e.out.WriteString(text[at[0]:colon] + zeroWidthSpace) // it is no link then
		e.done = colon
	}
	e.writeUntil(len(text))
	return e.out.String()
}

// zeroWidthSpace ends what would be a mention: the server looks for those in text whose entities it has undone. It also ends what
// would be a link.
const zeroWidthSpace = "\u200b"

type escaper struct {
	text   string
	done   int // bytes of the text
	out    strings.Builder
	start  bool // nothing of this line has come yet, or blanks only
	number bool // nothing but blanks and digits
	ahead  int  // as far as clean has looked
	needs  bool // an escape is needed there
}

// until goes on to a byte of the text.
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

// indent keeps a line from being code, which it is if it begins with four blanks.
func (e *escaper) indent() {
	line := e.text[e.done:]
	rest := strings.TrimLeft(line, " \t")
	blanks := line[:len(line)-len(rest)]
	empty := rest == "" || strings.HasPrefix(rest, "\n") || strings.HasPrefix(rest, "\r")
	if !empty && (len(blanks) >= 4 || strings.Contains(blanks, "\t")) {
		e.out.WriteString(zeroWidthSpace)
	}
}

// clean tells whether nothing needs an escape from here to the next blank, which is how far a link can go, and nothing makes an
// entity of a link's last letters. What it finds it keeps for the links on the way there.
func (e *escaper) needsNoEscape(from int) bool {
	if from >= e.ahead {
		e.ahead, e.needs = len(e.text), false
		for i, r := range e.text[from:] {
			e.needs = len(e.escapedAt(from+i)) > utf8.UTFMax // which no character alone is
			if e.needs || unicode.IsSpace(r) {
				e.ahead = from + i
				break
			}
		}
	}
	return !e.needs && !strings.HasPrefix(e.text[from:], ";")
}

// written returns how the character at a byte of the text is written.
func (e *escaper) escapedAt(i int) string {
	r, width := utf8.DecodeRuneInString(e.text[i:])
	before, _ := utf8.DecodeLastRuneInString(e.text[:i])
	after, _ := utf8.DecodeRuneInString(e.text[i+width:])
	special := false
	switch r {
	case '*', '`', '[', '<': // without the one that opens, ] and > are no markup
		special = true
	case '_', '~': // within a word they are no markup
		special = !isAlphanumeric(before) || !isAlphanumeric(after)
	case '#':
		special = !isAlphanumeric(before)
	case ':': // within a word it is no emoji
		special = !isAlphanumeric(before) && !isBlank(after)
	case '\\': // before a letter it is no escape
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
		if !isAlphanumeric(before) { // else it is an e-mail address, or the like
			return "@" + zeroWidthSpace
		}
	}
	if special {
		return "&#" + strconv.Itoa(int(r)) + ";"
	}
	return string(r)
}

func isBlank(r rune) bool {
	return unicode.IsSpace(r) || r == utf8.RuneError // which stands for the end of the text
}

func isAlphanumeric(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9'
}
