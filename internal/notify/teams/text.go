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

package teams

import (
	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/result"
)

const (
	// maxMessage is how many bytes a message may have in all: Teams says about 28 KB, and a card that is larger is lost in
	// the workflow.
	maxMessage = 28000
	// maxHeadline is for each of the two places where the headline is.
	maxHeadline = 2000
)

// The types are what a workflow takes, as far as we use it: a message with one Adaptive Card.
type (
	message struct {
		Type        string       `json:"type"`
		Summary     string       `json:"summary"` // of a notification, where the workflow passes it on
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

// render returns the message, and what is to be noted about what was cut.
func render(m notify.Message) (body []byte, cuts string, err error) {
	headline, cut := notify.Cut(m.TitleWithStatus(), maxHeadline, notify.PlainJSON)
	if cut {
		cuts += notify.CutNote("headline", len(headline), "bytes")
	}
	content := m.Content()
	if m.Event == result.Resolved { // what is over stands in an earlier card
		content = ""
	}
	empty, err := notify.Encode(newMessage(m, headline, " "))
	if err != nil {
		return nil, "", err
	}
	content, cut = notify.Cut(content, maxMessage-len(empty)+len(" "), notify.PlainJSON)
	if cut {
		cuts += notify.CutNote("content", len(content), "bytes")
	}
	body, err = notify.Encode(newMessage(m, headline, content))
	return body, cuts, err
}

func newMessage(m notify.Message, headline, content string) message {
	body := []element{{
		Type: "Container", Style: style(m), Bleed: true,
		Items: []element{text(run{Type: "TextRun", Text: headline, Weight: "bolder", Size: "medium"})},
	}}
	if content != "" {
		body = append(body, text(run{Type: "TextRun", Text: content}))
	}
	return message{
		Type:    "message",
		Summary: headline,
		Attachments: []attachment{{
			ContentType: "application/vnd.microsoft.card.adaptive",
			Content: card{
				Schema:  "http://adaptivecards.io/schemas/adaptive-card.json",
				Type:    "AdaptiveCard",
				Version: "1.2", // the first with what is used here
				MSTeams: width{Width: "Full"},
				Body:    body,
			},
		}},
	}
}

// text is a block without Markdown, unlike a TextBlock.
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
