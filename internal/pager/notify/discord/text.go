// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package discord

import (
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Discord's limits, in code points of the escaped text.
const (
	maxContent     = 2000
	maxDescription = 4096 // also below the limit of all embeds together, 6,000
)

// message is the part of the API's format that this package uses.
type message struct {
	Username        string   `json:"username,omitempty"`   // only of a new message
	AvatarURL       string   `json:"avatar_url,omitempty"` // only of a new message
	Content         string   `json:"content"`
	Embeds          []embed  `json:"embeds"` // never omitted: an edit without it keeps the embed
	AllowedMentions mentions `json:"allowed_mentions"`
}

type embed struct {
	Description string `json:"description"`
	Color       int    `json:"color"`
}

// mentions selects the mentions that notify. An empty list: none. It is sent with every edit, because Discord's default is to
// notify all who are mentioned.
type mentions struct {
	Parse []string `json:"parse"`
	Users []string `json:"users,omitempty"`
	Roles []string `json:"roles,omitempty"`
}

// renderPost returns a new message, which has the author and the mentions of the receiver.
func (s *Sender) renderPost(m notify.Message) (out message, cuts string) {
	allowed, texts := mentions{Parse: []string{}}, ""
	if m.Event != result.Resolved {
		for _, mention := range s.config.Mentions {
			texts += mentionOf(mention) + " "
			role, isRole := strings.CutPrefix(mention, "&")
			switch {
			case isRole:
				allowed.Roles = append(allowed.Roles, role)
			case snowflake.MatchString(mention):
				allowed.Users = append(allowed.Users, mention)
			default:
				allowed.Parse = []string{"everyone"} // also for here
			}
		}
	}
	out, cuts = render(m, texts)
	out.AllowedMentions, out.Username, out.AvatarURL = allowed, s.config.Username, s.config.AvatarURL
	return out, cuts
}

// mentionOf returns the markup of a mention; "": it is not valid.
func mentionOf(mention string) string {
	switch {
	case mention == "everyone" || mention == "here":
		return "@" + mention
	case snowflake.MatchString(strings.TrimPrefix(mention, "&")):
		return "<@" + mention + ">"
	}
	return ""
}

// render returns the message, and a note that says which parts were truncated; "": none. The title has the severity in words, although the embed has
// a color: a notification shows only the words.
func render(m notify.Message, mentioned string) (out message, cuts string) {
	out = message{Embeds: []embed{}, AllowedMentions: mentions{Parse: []string{}}}
	title, cut := escapeAndTruncate(m.TitleWithStatus(), maxContent-len(mentioned))
	if cut {
		cuts += notify.CutNote("title", maxContent, "characters")
	}
	out.Content = mentioned + title
	content := m.Content()
	if strings.TrimSpace(content) == "" {
		content = ""
	}
	lines, omitted := notify.LinkLines(content, m.Links(), maxDescription, notify.Characters, namedLink)
	if content+lines == "" { // Discord refuses an embed without text
		return out, cuts + omitted
	}
	description, cut := escapeAndTruncate(content, maxDescription-utf8.RuneCountInString(lines))
	if cut {
		cuts += notify.CutNote("content", maxDescription, "characters")
	}
	out.Embeds = append(out.Embeds, embed{Description: description + lines, Color: color(m)})
	return out, cuts + omitted
}

// namedLink returns the markup of a link, whose address has no parenthesis.
func namedLink(l notify.Link) string {
	text := strings.NewReplacer("[", `\[`, "]", `\]`).Replace(escapeText(l.Text))
	return "[" + text + "](" + l.Href + ")"
}

func color(m notify.Message) int {
	switch {
	case m.Event == result.Resolved:
		return 0x2e7d32 // green
	case m.IsContinued:
		return 0x9e9e9e // gray
	case m.Severity == notify.Critical:
		return 0xd32f2f // red
	case m.Severity == notify.Warning:
		return 0xf9a825 // amber
	}
	return 0x1976d2 // blue
}

// escapeAndTruncate returns the escaped text, cut to the limit.
func escapeAndTruncate(text string, limit int) (escaped string, cut bool) {
	if escaped = escape(text); utf8.RuneCountInString(escaped) <= limit {
		return escaped, false
	}
	// Whether a character is escaped depends on its neighbors. The limit assumes that all special characters are.
	short, _ := notify.Cut(text, limit, func(r rune) int {
		if strings.ContainsRune(special, r) {
			return 2
		}
		return 1
	})
	return escape(short), true
}

// special has all characters that escape may escape.
const special = "\\*_`~|<[(@:#>+.-"

// zeroWidthSpace separates characters that would otherwise be markup together.
const zeroWidthSpace = "\u200b"

var (
	// link matches text that Discord makes a link. Characters in it are not escaped: a backslash would be part of the address.
	link = regexp.MustCompile(`https?://[^\s<]+`)
	// markup is escaped everywhere: emphasis, code, spoilers, mentions and other sequences in angle brackets, named links.
	markup = strings.NewReplacer(
		`\`, `\\`, `*`, `\*`, `_`, `\_`, "`", "\\`", `~`, `\~`, `|`, `\|`, `<`, `\<`, `](`, `]\(`, `@everyone`, `\@everyone`, `@here`, `\@here`)
	// shortcode matches shortcodes that notify.Emoji has not replaced, which must be shown as typed.
	shortcode = regexp.MustCompile(`:([A-Za-z0-9_+~\\-]+):`)
	// lineStart matches the start of headings, quotes and lists.
	lineStart = regexp.MustCompile(`(?m)^([ \t]*[0-9]*)([#>+.-])`)
)

// escape returns the text so that Discord shows it as typed.
func escape(text string) string {
	var out strings.Builder
	done, brackets := 0, strings.NewReplacer()
	if strings.Contains(text, "](http") { // a link in the text of a named link hides where that leads; within a link ]( cannot be escaped
		brackets = strings.NewReplacer("[", `\[`)
	}
	for _, at := range link.FindAllStringIndex(text, -1) {
		out.WriteString(brackets.Replace(escapeText(text[done:at[0]])))
		out.WriteString(text[at[0]:at[1]])
		if done = at[1]; strings.HasPrefix(text[done:], "<") { // a backslash before < would be part of the link
			out.WriteString("<" + zeroWidthSpace)
			done++
		}
	}
	out.WriteString(brackets.Replace(escapeText(text[done:])))
	return lineStart.ReplaceAllString(out.String(), `${1}\${2}`)
}

func escapeText(text string) string {
	return shortcode.ReplaceAllString(markup.Replace(text), `\:${1}\:`)
}
