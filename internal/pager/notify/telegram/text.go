// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"regexp"

	"github.com/gophernetes/bellhop/internal/pager/notify"
)

const (
	maxText  = 4096 // UTF-16 code units
	maxTitle = 1024 // UTF-16 code units, more than a title can have
)

// render returns the text of a message, and a note that says which parts were truncated; "": none.
func render(m notify.Message) (text, cuts string) {
	head, cuts := titleOf(m)
	head += "\n\n"
	room := maxText - notify.Size(head, notify.UTF16)
	content, cut, omitted := notify.CutWithLinks(breakMentions(m.Content()), m.Links(), room, notify.UTF16, lineOf)
	if cut {
		cuts += notify.CutNote("message", maxText, "characters")
	}
	return head + content, cuts + omitted
}

// lineOf returns a link as text, in which apps make the address a link. Telegram refuses a message with a button whose address has a host without a
// domain, such as a Service's.
func lineOf(l notify.Link) string { return breakMentions(l.Text) + ": " + l.Href }

func titleOf(m notify.Message) (short, cuts string) {
	short, cut := notify.Cut(breakMentions(m.TitleWithStatus()), maxTitle, notify.UTF16)
	if cut {
		cuts = notify.CutNote("title", maxTitle, "characters")
	}
	return short, cuts
}

// mention matches everything that Telegram may take for a mention. An @ within a word, such as in an e-mail address, does not
// match.
var mention = regexp.MustCompile(`(^|[^A-Za-z0-9_])@([A-Za-z0-9_])`)

// breakMentions returns the text with a word joiner in every mention. Matches cannot overlap: the character after one is
// within a word.
func breakMentions(text string) string { return mention.ReplaceAllString(text, "$1@\u2060$2") }
