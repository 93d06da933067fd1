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

// Package teams delivers to Microsoft Teams through a workflow ("when a Teams webhook request is received"): a card for each
// message. A workflow takes no key and gives no id, so an update and the end of an alert are cards of their own, and a message
// whose answer was lost is posted again.
//
// An accepted request says that the workflow was started. What becomes of the card in it, nobody tells.
//
// The texts are in blocks that know no Markdown, since the apps for phones show the backslashes of an escaped one. They are
// shown as typed, but for the date functions of Adaptive Cards, such as {{DATE(…)}}. A mention needs an entity in the card, and
// there is none: nobody is notified by name. Links are text.
//
// It knows the workflow's format and nothing of who calls it.
package teams

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/outbound"
)

const (
	// maxReason bounds what we quote of Microsoft's words.
	maxReason = 256
	// maxMessage is how many bytes a message may have in all: Teams says about 28 KB, and a card that is larger is lost in
	// the workflow.
	maxMessage = 28000
	// maxHeadline is for each of the two places where the headline is.
	maxHeadline = 2000
)

// Config says where messages go.
type Config struct {
	URL string // of the workflow; who has it can start it
}

// Sender is a notify.Sender.
type Sender struct {
	target *url.URL
	client *outbound.Client
	redact *outbound.Redactor
	now    func() time.Time
	// quotes says that the other side is Microsoft: what a server at another
	// address answers may not be for the eyes of who chose the address.
	quotes bool
}

var _ notify.Sender = (*Sender)(nil)

// New returns a sender, or a *notify.Error that names the field that is not right.
func New(config Config, client *outbound.Client) (*Sender, error) {
	target, err := notify.ParseURL("url", config.URL)
	if err != nil {
		return nil, err
	}
	if target.User != nil {
		return nil, notify.Invalid("url", "must have no user; the credential of a workflow is in the query")
	}
	secrets := []string{config.URL, target.String(), target.RequestURI(), target.Path, target.RawQuery}
	for _, values := range target.Query() {
		secrets = append(secrets, values...)
	}
	host := "." + target.Hostname()
	return &Sender{
		target: target,
		client: client,
		redact: outbound.NewRedactor(secrets...),
		now:    time.Now,
		quotes: strings.HasSuffix(host, ".environment.api.powerplatform.com") || strings.HasSuffix(host, ".logic.azure.com"),
	}, nil
}

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, m notify.Message, _ notify.Key) (notify.Receipt, error) {
	body, cuts, err := render(m)
	if err != nil {
		return notify.Receipt{}, notify.Invalid("content", "cannot be written as JSON")
	}
	req, err := notify.JSONRequest(ctx, http.MethodPost, s.target, body)
	if err != nil {
		return notify.Receipt{}, err
	}
	req.Header.Set("Content-Type", "application/json; charset=utf-8") // asked for where cards have emoji
	resp, err := s.client.DoSelect(ctx, req, func(status int, _ http.Header) bool { return status >= 400 && s.quotes })
	if err != nil {
		return notify.Receipt{}, notify.FromRequest(err)
	}
	if failure := s.failure(resp); failure != nil {
		return notify.Receipt{}, failure
	}
	return notify.Receipt{Note: notify.StatusLine(resp.StatusCode) + ": the workflow was started; whether Teams shows the message is not known" + cuts}, nil
}

// failure reads an answer that is not a success.
func (s *Sender) failure(resp *outbound.Response) *notify.Error {
	e := notify.FromStatus(resp, s.now())
	if e == nil {
		return nil
	}
	var answer struct {
		Error struct {
			Code    string `json:"code"`
			Message string `json:"message"`
		} `json:"error"`
	}
	if json.Unmarshal(resp.Body, &answer) != nil {
		return e
	}
	if answer.Error.Message != "" {
		e.Message += ": " + s.redact.Clean(answer.Error.Message, maxReason)
	}
	if answer.Error.Code == "WorkflowTriggerIsNotEnabled" { // turned off: another message would not fare better
		e.Class, e.Reason, e.RetryAfter = notify.Configuration, notify.ReasonRejected, 0
	}
	return e
}

// Close lets go of the connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

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
	headline, cut := notify.Cut(m.Headline(), maxHeadline, escaped)
	if cut {
		cuts += "; the headline was cut to " + strconv.Itoa(maxHeadline) + " bytes"
	}
	content := notify.Emoji(m.Content)
	if m.Event == notify.Resolved { // what is over stands in an earlier card
		content = ""
	}
	empty, err := json.Marshal(layout(m, headline, " "))
	if err != nil {
		return nil, "", err
	}
	content, cut = notify.Cut(content, maxMessage-len(empty), escaped)
	if cut {
		cuts += "; the content was cut, for Teams takes about 28 KB"
	}
	body, err = json.Marshal(layout(m, headline, content))
	return body, cuts, err
}

// escaped is what a character takes in JSON.
func escaped(r rune) int {
	encoded, err := json.Marshal(string(r))
	if err != nil {
		return 0 // a string always encodes
	}
	return len(encoded) - len(`""`)
}

func layout(m notify.Message, headline, content string) message {
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
	case m.Event == notify.Resolved:
		return "good"
	case m.Severity == notify.Critical:
		return "attention"
	case m.Severity == notify.Warning:
		return "warning"
	}
	return "accent"
}
