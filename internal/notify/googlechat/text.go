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

package googlechat

import (
	"strings"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/result"
)

const (
	// maxMessage is how many bytes a message may have in all. What counts for us is the JSON, which is never less.
	maxMessage = 32000
	// maxHeadline and maxPreview are for the card's headline and for the text of a notification.
	maxHeadline = 4000
	maxPreview  = 2000
)

// The types are what the API takes, as far as we use it: a message with one card.
type (
	message struct {
		FallbackText string   `json:"fallbackText"` // of a notification
		Cards        []withID `json:"cardsV2"`
		Thread       thread   `json:"thread"`
	}
	withID struct {
		CardID string `json:"cardId"`
		Card   card   `json:"card"`
	}
	card struct {
		Sections []section `json:"sections"`
	}
	section struct {
		Widgets []widget `json:"widgets"`
	}
	widget struct {
		TextParagraph paragraph `json:"textParagraph"`
	}
	paragraph struct {
		Text string `json:"text"`
	}
	thread struct {
		ThreadKey string `json:"threadKey"`
	}
)

// render returns the message, and what is to be noted about what was cut.
func render(m notify.Message, k notify.Key) (body []byte, cuts string, err error) {
	headline, cut := notify.Cut(m.TitleWithStatus(), maxHeadline, escapedSize)
	if cut {
		cuts += notify.CutNote("headline", len(headline), "bytes")
	}
	paragraphs := []string{`<font color="` + color(m) + `"><b>` + escape(headline) + `</b></font>`}
	preview := headline
	if m.Event != result.Resolved && strings.TrimSpace(m.RawContent) != "" { // what is over stands above it in the thread
		content := m.Content()
		preview += "\n" + content
		empty, err := notify.Encode(newMessage(k, truncatePreview(preview), append(paragraphs, "")))
		if err != nil {
			return nil, "", err
		}
		if content, cut = notify.Cut(content, maxMessage-len(empty), escapedSize); cut {
			cuts += notify.CutNote("content", len(content), "bytes")
		}
		paragraphs = append(paragraphs, escape(content))
	}
	body, err = notify.Encode(newMessage(k, truncatePreview(preview), paragraphs))
	return body, cuts, err
}

func newMessage(k notify.Key, preview string, paragraphs []string) message {
	var widgets []widget
	for _, text := range paragraphs {
		widgets = append(widgets, widget{TextParagraph: paragraph{Text: text}})
	}
	return message{
		FallbackText: preview,
		Cards:        []withID{{CardID: "alert", Card: card{Sections: []section{{Widgets: widgets}}}}},
		Thread:       thread{ThreadKey: k.Incident},
	}
}

// shorten returns the text of a notification. It is documented to be plain; a mention is broken nevertheless, by a space that
// has no width.
func truncatePreview(preview string) string {
	preview, _ = notify.Cut(preview, maxPreview, notify.PlainJSON)
	return strings.ReplaceAll(preview, "<users/", "<\u200busers/")
}

var toHTML = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\n", "<br>")

// escape returns the text as HTML, of which a card knows a little.
func escape(text string) string { return toHTML.Replace(text) }

// escaped is what a character takes in the JSON of a card.
func escapedSize(r rune) int { return notify.Size(escape(string(r)), notify.PlainJSON) }

func color(m notify.Message) string {
	switch {
	case m.Event == result.Resolved:
		return "#2e7d32" // green
	case m.Severity == notify.Critical:
		return "#d32f2f" // red
	case m.Severity == notify.Warning:
		return "#e65100" // orange
	}
	return "#1976d2" // blue
}
