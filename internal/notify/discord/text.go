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

package discord

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/result"
)

// What Discord takes. It counts code points, and escapes count.
const (
	maxContent     = 2000
	maxDescription = 4096 // also within the 6,000 of all embeds together
)

// message is what the API takes, as far as we use it.
type message struct {
	Content         string   `json:"content"`
	Embeds          []embed  `json:"embeds"` // never left out: an edit must be able to take one away
	AllowedMentions mentions `json:"allowed_mentions"`
}

type embed struct {
	Description string `json:"description"`
	Color       int    `json:"color"`
}

// mentions says who is notified: an empty list, which is not the same as none, is nobody. An edit that does not say it again
// has Discord's default, which is all that are named.
type mentions struct {
	Parse []string `json:"parse"`
}

// render returns the message, and what is to be noted about what was cut. The headline has the severity in words although the
// embed has a colour: a notification has the words only.
func render(m notify.Message) (out message, cuts string) {
	out = message{Embeds: []embed{}, AllowedMentions: mentions{Parse: []string{}}}
	var cut bool
	if out.Content, cut = escapeAndTruncate(m.TitleWithStatus(), maxContent); cut {
		cuts += notify.CutNote("headline", maxContent, "characters")
	}
	if strings.TrimSpace(m.RawContent) == "" { // an embed without text is refused
		return out, cuts
	}
	description, cut := escapeAndTruncate(m.Content(), maxDescription)
	if cut {
		cuts += notify.CutNote("content", maxDescription, "characters")
	}
	out.Embeds = append(out.Embeds, embed{Description: description, Color: color(m)})
	return out, cuts
}

func color(m notify.Message) int {
	switch {
	case m.Event == result.Resolved:
		return 0x2e7d32 // green
	case m.Severity == notify.Critical:
		return 0xd32f2f // red
	case m.Severity == notify.Warning:
		return 0xf9a825 // amber
	}
	return 0x1976d2 // blue
}

// fit returns the text escaped, cut so that it fits.
func escapeAndTruncate(text string, limit int) (escaped string, cut bool) {
	if escaped = escape(text); utf8.RuneCountInString(escaped) <= limit {
		return escaped, false
	}
	// Whether a character is escaped depends on its neighbours; counted is as if it always were.
	short, _ := notify.Cut(text, limit, func(r rune) int {
		if strings.ContainsRune(special, r) {
			return 2
		}
		return 1
	})
	return escape(short), true
}

// special has all that escape may escape.
const special = "\\*_`~|<(@:#>+.-"

// zeroWidthSpace keeps characters apart that would mean something together.
const zeroWidthSpace = "\u200b"

var (
	// link is what Discord makes a link, whatever stands in it: a backslash there would become a part of the address.
	link = regexp.MustCompile(`https?://[^\s<]+`)
	// Everywhere: emphasis, code, spoilers, mentions and whatever else is in angle brackets, links with a text of their own.
	markup = strings.NewReplacer(
		`\`, `\\`, `*`, `\*`, `_`, `\_`, "`", "\\`", `~`, `\~`, `|`, `\|`, `<`, `\<`, `](`, `]\(`, `@everyone`, `\@everyone`, `@here`, `\@here`)
	// shortcode is what is left of them after notify.Emoji: what it leaves alone is not meant to be an emoji.
	shortcode = regexp.MustCompile(`:([A-Za-z0-9_+~\\-]+):`)
	// lineStart is where headings, quotes and lists begin.
	lineStart = regexp.MustCompile(`(?m)^([ \t]*[0-9]*)([#>+.-])`)
)

// escape returns the text so that Discord shows it as it was typed.
func escape(text string) string {
	var out strings.Builder
	done := 0
	for _, at := range link.FindAllStringIndex(text, -1) {
		out.WriteString(escapeText(text[done:at[0]]))
		out.WriteString(text[at[0]:at[1]])
		if done = at[1]; strings.HasPrefix(text[done:], "<") { // the backslash of an escape would be the link's
			out.WriteString("<" + zeroWidthSpace)
			done++
		}
	}
	out.WriteString(escapeText(text[done:]))
	return lineStart.ReplaceAllString(out.String(), `${1}\${2}`)
}

func escapeText(text string) string {
	return shortcode.ReplaceAllString(markup.Replace(text), `\:${1}\:`)
}
