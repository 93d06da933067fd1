// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package slack

import (
	"fmt"
	"strings"

	"github.com/slack-go/slack"
	"github.com/slack-go/slack/slackutilsx"

	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

const (
	maxTitle   = 1024 // characters of the escaped text
	maxContent = 8000 // bytes of the escaped text; Slack omits the rest
)

// render returns the message, and a note that says which parts were truncated; "": none. The title has severity and event in words, because a phone's
// notification shows no color and some people see none.
func (c Config) render(m notify.Message) (message slack.Attachment, cuts string) {
	title, cut := notify.Cut(m.TitleWithStatus(), maxTitle, escaped(notify.Characters))
	if cut {
		cuts = notify.CutNote("title", maxTitle, "characters")
	}
	content, cut := notify.Cut(m.Content(), maxContent, escaped(notify.Bytes))
	if cut {
		cuts += notify.CutNote("content", maxContent, "bytes")
	}
	title = slackutilsx.EscapeMessage(title)
	return slack.Attachment{
		Color:    color(m),
		Fallback: title, // shown in a phone's notification
		Title:    title,
		Text:     slackutilsx.EscapeMessage(content),
		Footer:   slackutilsx.EscapeMessage(c.Footer),
		Actions:  buttons(m),
	}, cuts
}

// buttons returns a button for each link. Slack opens the address itself, so that it needs no endpoint of an app.
func buttons(m notify.Message) []slack.AttachmentAction {
	var all []slack.AttachmentAction
	for i, link := range m.Links() {
		all = append(all, slack.AttachmentAction{Name: fmt.Sprintf("link%d", i), Type: "button", Text: slackutilsx.EscapeMessage(link.Text), URL: link.Href})
	}
	return all
}

// mentions returns the text that notifies the receiver's mentions; "": nobody. It is beside the attachment, in which Slack notifies nobody.
func (c Config) mentions(m notify.Message) string {
	if m.Event == result.Resolved {
		return ""
	}
	var texts []string
	for _, mention := range c.Mentions {
		texts = append(texts, mentionOf(mention))
	}
	return strings.Join(texts, " ")
}

// mentionOf returns the markup of a mention; "": it is not valid.
func mentionOf(mention string) string {
	switch {
	case mention == "channel" || mention == "here":
		return "<!" + mention + ">"
	case person.MatchString(mention):
		return "<@" + mention + ">"
	case group.MatchString(mention):
		return "<!subteam^" + mention + ">"
	}
	return ""
}

func color(m notify.Message) string {
	switch {
	case m.Event == result.Resolved:
		return "good"
	case m.IsContinued:
		return "#9e9e9e" // gray
	case m.Severity == notify.Critical:
		return "danger"
	case m.Severity == notify.Warning:
		return "warning"
	}
	return "#439fe0" // blue
}

// escaped returns the size of a character where Slack's control characters are escaped as entities.
func escaped(size func(rune) int) func(rune) int {
	return func(r rune) int {
		switch r {
		case '&':
			return len("&amp;")
		case '<', '>':
			return len("&lt;")
		}
		return size(r)
	}
}
