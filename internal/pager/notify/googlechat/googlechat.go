// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package googlechat posts to a space of Google Chat through a webhook: one message for each event. Updated and Resolved are
// replies in the thread of the first message, because a webhook cannot edit messages.
//
// The delivery key is the request id, so a repeat after a lost response is the same message: by Google's documentation a
// repeat returns the first message. The documentation does not say for how long.
//
// The text is in a card, because the text of a card is HTML and can be escaped; the markup of a message's own text cannot. So
// text is shown as typed, and mentions have no effect. A notification shows the fallback text, which is plain. There is no
// Probe: a webhook can only post.
package googlechat

import (
	"context"
	"net/http"
	"net/url"
	"regexp"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Provider describes Google Chat to the registry.
var Provider = notify.Provider[v1beta1.GoogleChatProvider]{
	New: func(_ *v1beta1.GoogleChatProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		return New(Config{URL: secret.Get("url")}, client)
	},
	Modes: []notify.Mode{{
		SecretKeys: []string{"url"},
		Repeat:     notify.Once + ", for as long as Google remembers, which is not documented",
		Key:        "`requestId`",
		Update:     notify.OwnMessage + ", in the thread",
		Resolve:    notify.OwnMessage + ", in the thread",
		Links:      notify.Buttons,
		Sent:       "Google has the message",
	}},
}

// Config is the configuration of a Sender.
type Config struct {
	URL string // of the space's webhook; a credential
}

// Sender is a notify.Sender.
type Sender struct {
	notify.HTTP
	hook  *url.URL
	query url.Values
}

var _ notify.Sender = (*Sender)(nil)

var (
	hookPath    = regexp.MustCompile(`/v1/spaces/[A-Za-z0-9_-]+/messages$`)
	messageName = regexp.MustCompile(`^spaces/[A-Za-z0-9_-]{1,80}/messages/[A-Za-z0-9._-]{1,150}$`)
)

// New returns a sender. An error is a *result.Error that names the invalid field.
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
	secrets := notify.URLSecrets(config.URL, hook)
	query.Set("messageReplyOption", "REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD")
	s := &Sender{HTTP: notify.NewHTTP(client, secrets...), hook: hook, query: query}
	s.MayQuote = hook.Hostname() == "chat.googleapis.com"
	s.Refine = s.refine
	return s, nil
}

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (result.Receipt, error) {
	body, cuts, err := render(m, k)
	if err != nil {
		return result.Receipt{}, err
	}
	resp, err := s.Request(ctx, http.MethodPost, s.target(k), body)
	if err != nil {
		return result.Receipt{}, err
	}
	var made struct {
		Name string `json:"name"`
	}
	if !notify.Decode(resp, &made) || !s.IsID(messageName, made.Name) {
		return result.Receipt{}, s.BadAnswer(resp) // a repeat is the same message
	}
	return result.Receipt{ExternalID: made.Name, Note: notify.StatusLine(resp.StatusCode) + cuts}, nil
}

func (s *Sender) target(k notify.Key) *url.URL {
	target := *s.hook
	target.RawQuery = s.query.Encode() + "&requestId=" + url.QueryEscape(k.Delivery)
	return &target
}

// errorBody is the documented form of an error.
type errorBody struct {
	Error struct {
		Code    int    `json:"code"`
		Message string `json:"message"`
		Status  string `json:"status"`
		Details []struct {
			Reason string `json:"reason"`
		} `json:"details"`
	} `json:"error"`
}

func (s *Sender) refine(e *result.Error, resp *outbound.Response) {
	answer := notify.ErrorBody[errorBody](resp).Error
	s.Quote(e, answer.Message)
	notify.ClassifyRefusal(e, resp, answer.Code == resp.StatusCode && answer.Status == "INVALID_ARGUMENT") // others are of a state, or of a right
	for _, detail := range answer.Details {
		if detail.Reason == "API_KEY_INVALID" { // despite HTTP 400 it is not about the content
			e.Class, e.Reason = result.Configuration, result.ReasonUnauthorized
		}
	}
}
