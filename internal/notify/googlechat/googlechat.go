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

// Package googlechat delivers to a space of Google Chat through its webhook: a message for each alert, and updates and the end
// of the alert as replies in the thread of that message. A webhook cannot edit what it posted.
//
// The key of a message is its request id: Google says that a repeat returns the message that was made first, and does not say
// for how long it remembers.
//
// The text is in a card, since a card's text is HTML, which can be escaped; the markup of a message's own text cannot. So it is
// shown as typed and mentions nobody. What a notification shows is the message's fallback text, which is plain.
//
// It knows Google Chat's API and nothing of who calls it.
package googlechat

import (
	"context"
	"encoding/json"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/outbound"
)

const (
	// maxReason bounds what we quote of Google's words.
	maxReason = 256
	// maxMessage is how many bytes a message may have in all. What counts for us is the JSON, which is never less.
	maxMessage = 32000
	// maxHeadline and maxPreview are for the card's headline and for the text of a notification.
	maxHeadline = 4000
	maxPreview  = 2000
)

// Config says where messages go.
type Config struct {
	URL string // of the space's webhook; who has it can post
}

// Sender is a notify.Sender.
type Sender struct {
	hook   *url.URL
	query  url.Values
	client *outbound.Client
	redact *outbound.Redactor
	now    func() time.Time
	// quotes says that the other side is Google: what a server at another
	// address answers may not be for the eyes of who chose the address.
	quotes bool
}

var _ notify.Sender = (*Sender)(nil)

var hookPath = regexp.MustCompile(`/v1/spaces/[A-Za-z0-9_-]+/messages$`)

// New returns a sender, or a *notify.Error that names the field that is not right.
func New(config Config, client *outbound.Client) (*Sender, error) {
	hook, err := notify.ParseURL("url", config.URL)
	if err != nil {
		return nil, err
	}
	query, err := url.ParseQuery(hook.RawQuery)
	if err != nil || hook.User != nil || !hookPath.MatchString(hook.EscapedPath()) || query.Get("key") == "" || query.Get("token") == "" {
		return nil, notify.Invalid("url", "must be the address of a space's webhook, such as https://chat.googleapis.com/v1/spaces/SPACE/messages?key=KEY&token=TOKEN")
	}
	for _, own := range []string{"requestId", "messageId", "threadKey", "messageReplyOption"} {
		if query.Has(own) {
			return nil, notify.Invalid("url", "must have no "+own+": it is bellhop's own")
		}
	}
	secrets := []string{config.URL, hook.String(), hook.RequestURI(), hook.Path, hook.RawQuery}
	for _, values := range query {
		secrets = append(secrets, values...)
	}
	query.Set("messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD")
	return &Sender{
		hook:   hook,
		query:  query,
		client: client,
		redact: outbound.NewRedactor(secrets...),
		now:    time.Now,
		quotes: hook.Hostname() == "chat.googleapis.com",
	}, nil
}

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (notify.Receipt, error) {
	body, cuts, err := render(m, k)
	if err != nil {
		return notify.Receipt{}, notify.Invalid("content", "cannot be written as JSON")
	}
	req, err := notify.JSONRequest(ctx, http.MethodPost, s.target(k), body)
	if err != nil {
		return notify.Receipt{}, err
	}
	resp, err := s.client.Do(ctx, req)
	if err != nil {
		return notify.Receipt{}, notify.FromRequest(err)
	}
	if failure := s.failure(resp); failure != nil {
		return notify.Receipt{}, failure
	}
	var made struct {
		Name string `json:"name"`
	}
	if resp.BodyErr != nil || json.Unmarshal(resp.Body, &made) != nil || !s.isName(made.Name) {
		return notify.Receipt{}, notify.BadAnswer(resp) // a repeat does no harm
	}
	return notify.Receipt{ExternalID: made.Name, Note: notify.StatusLine(resp.StatusCode) + cuts}, nil
}

func (s *Sender) target(k notify.Key) *url.URL {
	target := *s.hook
	target.RawQuery = s.query.Encode() + "&requestId=" + url.QueryEscape(k.Delivery)
	return &target
}

// failure reads an answer that is not a success.
func (s *Sender) failure(resp *outbound.Response) *notify.Error {
	e := notify.FromStatus(resp, s.now())
	if e == nil {
		return nil
	}
	var answer struct {
		Error struct {
			Message string `json:"message"`
			Details []struct {
				Reason string `json:"reason"`
			} `json:"details"`
		} `json:"error"`
	}
	if json.Unmarshal(resp.Body, &answer) != nil {
		return e
	}
	if answer.Error.Message != "" && s.quotes {
		e.Message += ": " + s.redact.Clean(answer.Error.Message, maxReason)
	}
	for _, detail := range answer.Error.Details {
		if detail.Reason == "API_KEY_INVALID" { // a 400, but it is not the message that is wrong
			e.Class, e.Reason = notify.Configuration, notify.ReasonUnauthorized
		}
	}
	return e
}

var name = regexp.MustCompile(`^spaces/[A-Za-z0-9_-]{1,80}/messages/[A-Za-z0-9._-]{1,150}$`)

// isName tells whether the text is a message's name that we can keep in a status.
func (s *Sender) isName(text string) bool {
	return name.MatchString(text) && s.redact.Clean(text, len(text)) == text
}

// Close lets go of the connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }

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
	headline, cut := notify.Cut(m.Headline(), maxHeadline, escaped)
	if cut {
		cuts += "; the headline was cut, for Google Chat takes 32000 bytes in all"
	}
	paragraphs := []string{`<font color="` + color(m) + `"><b>` + escape(headline) + `</b></font>`}
	preview := headline
	if m.Event != notify.Resolved && strings.TrimSpace(m.Content) != "" { // what is over stands above it in the thread
		content := notify.Emoji(m.Content)
		preview += "\n" + content
		empty, err := json.Marshal(layout(k, shorten(preview), append(paragraphs, "")))
		if err != nil {
			return nil, "", err
		}
		if content, cut = notify.Cut(content, maxMessage-len(empty), escaped); cut {
			cuts += "; the content was cut, for Google Chat takes 32000 bytes in all"
		}
		paragraphs = append(paragraphs, escape(content))
	}
	body, err = json.Marshal(layout(k, shorten(preview), paragraphs))
	return body, cuts, err
}

func layout(k notify.Key, preview string, paragraphs []string) message {
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
func shorten(preview string) string {
	preview, _ = notify.Cut(preview, maxPreview, inJSON)
	return strings.ReplaceAll(preview, "<users/", "<\u200busers/")
}

var toHTML = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;", "\n", "<br>")

// escape returns the text as HTML, of which a card knows a little.
func escape(text string) string { return toHTML.Replace(text) }

// escaped is what a character takes in the JSON of a card, inJSON what it takes in JSON.
func escaped(r rune) int { return sizeInJSON(escape(string(r))) }

func inJSON(r rune) int { return sizeInJSON(string(r)) }

func sizeInJSON(text string) int {
	encoded, err := json.Marshal(text)
	if err != nil {
		return 0 // a string always encodes
	}
	return len(encoded) - len(`""`)
}

func color(m notify.Message) string {
	switch {
	case m.Event == notify.Resolved:
		return "#2e7d32" // green
	case m.Severity == notify.Critical:
		return "#d32f2f" // red
	case m.Severity == notify.Warning:
		return "#e65100" // orange
	}
	return "#1976d2" // blue
}
