// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package googlechat

import (
	"strings"

	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

const (
	// maxMessage is Google's limit of a message in bytes. The size of the JSON is counted, which is never less than Google's
	// count.
	maxMessage = 32000
	// maxTitle and maxPreview are the limits of the card's title and of the text of a notification, in bytes of JSON.
	maxTitle   = 4000
	maxPreview = 2000
)

// The part of the API's format that this package uses: a message with one card.
type (
	message struct {
		FallbackText string   `json:"fallbackText"` // in a notification
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
	widget struct { // exactly one of the two
		TextParagraph *paragraph  `json:"textParagraph,omitempty"`
		ButtonList    *buttonList `json:"buttonList,omitempty"`
	}
	paragraph struct {
		Text string `json:"text"`
	}
	buttonList struct {
		Buttons []button `json:"buttons"`
	}
	button struct {
		Text    string  `json:"text"`
		OnClick onClick `json:"onClick"`
	}
	onClick struct {
		OpenLink openLink `json:"openLink"`
	}
	openLink struct {
		URL string `json:"url"`
	}
	thread struct {
		ThreadKey string `json:"threadKey"`
	}
)

// render returns the message, and a note that says which parts were truncated; "": none.
func render(m notify.Message, k notify.Key) (body []byte, cuts string, err error) {
	title, cut := notify.Cut(m.TitleWithStatus(), maxTitle, escapedSize)
	if cut {
		cuts += notify.CutNote("title", len(title), "bytes")
	}
	paragraphs := []string{`<font color="` + color(m) + `"><b>` + escape(title) + `</b></font>`}
	preview := title
	if m.Event != result.Resolved && strings.TrimSpace(m.RawContent) != "" { // a resolve is a reply below the content
		content := m.Content()
		preview += "\n" + content
		empty, err := notify.Encode(newMessage(m, k, truncatePreview(preview), append(paragraphs, "")))
		if err != nil {
			return nil, "", err
		}
		if content, cut = notify.Cut(content, maxMessage-len(empty), escapedSize); cut {
			cuts += notify.CutNote("content", len(content), "bytes")
		}
		paragraphs = append(paragraphs, escape(content))
	}
	body, err = notify.Encode(newMessage(m, k, truncatePreview(preview), paragraphs))
	return body, cuts, err
}

func newMessage(m notify.Message, k notify.Key, preview string, paragraphs []string) message {
	var widgets []widget
	for _, text := range paragraphs {
		widgets = append(widgets, widget{TextParagraph: &paragraph{Text: text}})
	}
	if links := m.Links(); len(links) > 0 && m.Event != result.Resolved {
		list := &buttonList{}
		for _, link := range links {
			list.Buttons = append(list.Buttons, button{Text: link.Text, OnClick: onClick{OpenLink: openLink{URL: link.Href}}})
		}
		widgets = append(widgets, widget{ButtonList: list})
	}
	return message{
		FallbackText: preview,
		Cards:        []withID{{CardID: "alert", Card: card{Sections: []section{{Widgets: widgets}}}}},
		Thread:       thread{ThreadKey: k.Incident},
	}
}

// truncatePreview returns the text of a notification. Google documents that it is plain. Mentions are broken nevertheless, by
// a zero-width space.
func truncatePreview(preview string) string {
	preview, _ = notify.Cut(preview, maxPreview, notify.PlainJSON)
	return strings.ReplaceAll(preview, "<users/", "<\u200busers/")
}

var toHTML = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\n", "<br>")

// escape returns the text as HTML that a card shows as typed.
func escape(text string) string { return toHTML.Replace(text) }

// escapedSize returns the size of a character in the JSON of a card.
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
