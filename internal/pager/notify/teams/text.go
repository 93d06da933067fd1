// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package teams

import (
	"unicode/utf8"

	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

const (
	// maxMessage is the limit of a message, in bytes of JSON that is a string in JSON again: so the workflow hands it on, and so Teams
	// counts its 28 KB. A larger card is lost in the workflow, after a success. 5 % stay free.
	maxMessage = (28 << 10) * 95 / 100
	// maxTitle is the limit of the title in bytes of JSON. A message has the title twice.
	maxTitle = 2000
)

// The part of a workflow's format that this package uses: a message with one Adaptive Card.
type (
	message struct {
		Type        string       `json:"type"`
		Summary     string       `json:"summary"` // of a notification, where the workflow uses it
		Attachments []attachment `json:"attachments"`
	}
	attachment struct {
		ContentType string  `json:"contentType"`
		ContentURL  *string `json:"contentUrl"` // null
		Content     card    `json:"content"`
	}
	card struct {
		Schema  string    `json:"$schema"`
		Type    string    `json:"type"`
		Version string    `json:"version"`
		MSTeams width     `json:"msteams"`
		Body    []element `json:"body"`
		Actions []action  `json:"actions,omitempty"`
	}
	action struct {
		Type  string `json:"type"`
		Title string `json:"title"`
		URL   string `json:"url"`
	}
	width struct {
		Width string `json:"width"`
	}
	element struct {
		Type    string    `json:"type"`
		Style   string    `json:"style,omitempty"`
		Bleed   bool      `json:"bleed,omitempty"`
		Items   []element `json:"items,omitempty"`
		Inlines []run     `json:"inlines,omitempty"`
	}
	run struct {
		Type   string `json:"type"`
		Text   string `json:"text"`
		Weight string `json:"weight,omitempty"`
		Size   string `json:"size,omitempty"`
	}
)

// render returns the message, and a note that says which parts were truncated; "": none.
func render(m notify.Message) (body []byte, cuts string, err error) {
	title, cut := notify.Cut(m.TitleWithStatus(), maxTitle, notify.PlainJSON)
	if cut {
		cuts += notify.CutNote("title", len(title), "bytes")
	}
	content := m.Content()
	if m.Event == result.Resolved { // the content is in an earlier card
		content = ""
	}
	empty, err := notify.Encode(newMessage(m, title, " "))
	if err != nil {
		return nil, "", err
	}
	content, cut = notify.Cut(content, maxMessage-escapedSize(empty)+len(" "), escaped)
	if cut {
		cuts += notify.CutNote("content", len(content), "bytes")
	}
	body, err = notify.Encode(newMessage(m, title, content))
	return body, cuts, err
}

// escapedSize returns the size of JSON as a string in JSON, and escaped the size of a character of a string in it.
func escapedSize(body []byte) int { return notify.Size(string(body), notify.PlainJSON) }

func escaped(r rune) int {
	switch size := notify.PlainJSON(r); {
	case r == '"' || r == '\\':
		return len(`\\\"`)
	case size > utf8.RuneLen(r) && r < ' ', r == '\u2028', r == '\u2029': // an escape, whose backslash is escaped
		return 1 + size
	default:
		return size
	}
}

func newMessage(m notify.Message, title, content string) message {
	body := []element{{
		Type: "Container", Style: style(m), Bleed: true,
		Items: []element{text(run{Type: "TextRun", Text: title, Weight: "bolder", Size: "medium"})},
	}}
	if content != "" {
		body = append(body, text(run{Type: "TextRun", Text: content}))
	}
	var actions []action
	if m.Event != result.Resolved { // the links are in an earlier card
		for _, link := range m.Links() {
			actions = append(actions, action{Type: "Action.OpenUrl", Title: link.Text, URL: link.Href})
		}
	}
	return message{
		Type:    "message",
		Summary: title,
		Attachments: []attachment{{
			ContentType: "application/vnd.microsoft.card.adaptive",
			Content: card{
				Schema:  "http://adaptivecards.io/schemas/adaptive-card.json",
				Type:    "AdaptiveCard",
				Version: "1.2", // the first version with the elements used here
				MSTeams: width{Width: "Full"},
				Body:    body,
				Actions: actions,
			},
		}},
	}
}

// text returns a block without Markdown, unlike a TextBlock.
func text(r run) element { return element{Type: "RichTextBlock", Inlines: []run{r}} }

func style(m notify.Message) string {
	switch {
	case m.Event == result.Resolved:
		return "good"
	case m.Severity == notify.Critical:
		return "attention"
	case m.Severity == notify.Warning:
		return "warning"
	}
	return "accent"
}
