// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package gotify sends to a server of Gotify (https://gotify.net): one message for each event, because an application cannot
// edit messages.
//
// Gotify has no idempotency key: after a lost response people may see a message twice.
//
// The text is shown as typed: markup and mentions have no effect. It is marked as plain, and with links as Markdown, since the page of
// Gotify makes no links of a plain text. The title has the severity, and the priority selects whether a phone rings.
//
// There is no Probe: an application's token can only send, so no other request shows whether the token is valid.
package gotify

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/headers"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Provider describes Gotify to the registry.
var Provider = notify.Provider[v1beta1.GotifyProvider]{
	Addresses: func(s *v1beta1.GotifyProvider) []notify.Address { return notify.URLAddress("url", s.URL) },
	New: func(s *v1beta1.GotifyProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		added, err := headers.Of(s.Headers, secret)
		if err != nil {
			return nil, err
		}
		return New(Config{URL: s.URL, Token: secret.Get("token"), Headers: added}, client)
	},
	Check:      func(s *v1beta1.GotifyProvider) notify.Problems { return headers.Check(check(s.URL), s.Headers) },
	SecretKeys: func(s *v1beta1.GotifyProvider) []string { return headers.SecretKeys(s.Headers) },
	Modes: []notify.Mode{{
		SecretKeys: []string{"token"},
		Repeat:     notify.Twice,
		Update:     notify.OwnMessage,
		Resolve:    notify.OwnMessage,
		Links:      notify.Lines,
		Sent:       "the server has the message",
	}},
}

// Config is the configuration of a Sender.
type Config struct {
	URL   string // of the server, such as https://gotify.example.com
	Token string // of the application
	// Headers are sent with each request, beside those that the sender sets.
	Headers http.Header
}

// Sender is a notify.Sender.
type Sender struct {
	notify.HTTP
	messages *url.URL
}

var _ notify.Sender = (*Sender)(nil)

// check returns the problems of the settings in a spec.
func check(address string) (problems notify.Problems) {
	if u := problems.BaseURL("url", address); u != nil && strings.HasSuffix(strings.TrimRight(u.Path, "/"), "/message") {
		problems.AddURL("url", address, "must be that of the server, without /message")
	}
	return problems
}

// New returns a sender. An error is a *result.Error that names the invalid field.
func New(config Config, client *outbound.Client) (*Sender, error) {
	if err := check(config.URL).Err(); err != nil {
		return nil, err
	}
	base, err := notify.ParseBaseURL("url", config.URL)
	if err != nil {
		return nil, err
	}
	token, err := notify.Token("token", "the token of an application", config.Token)
	if err != nil {
		return nil, err
	}
	s := &Sender{HTTP: headers.NewHTTP(client, config.Headers, token), messages: base.JoinPath("message")}
	s.Header.Set("X-Gotify-Key", token)
	return s, nil
}

// message is the API's format.
type message struct {
	Title    string `json:"title"`
	Message  string `json:"message"`
	Priority int    `json:"priority"`
	Extras   extras `json:"extras"`
}

type extras struct {
	Display display `json:"client::display"`
}

type display struct {
	ContentType string `json:"contentType"`
}

// priority returns the priority, by which the Android app alerts: up to 3 it is silent, from 4 on it rings, from 8 on it also
// vibrates.
func priority(m notify.Message) int {
	switch {
	case m.Event == result.Resolved:
		return 2
	case m.Severity == notify.Critical:
		return 8
	case m.Severity == notify.Warning:
		return 6
	}
	return 4
}

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, m notify.Message, _ notify.Key) (result.Receipt, error) {
	text, contentType, note := render(m)
	resp, err := s.RequestJSON(ctx, http.MethodPost, s.messages, message{
		Title:    m.TitleWithStatus(),
		Message:  text,
		Priority: priority(m),
		Extras:   extras{Display: display{ContentType: contentType}},
	})
	if err != nil {
		return result.Receipt{}, err
	}
	var made struct {
		ID uint64 `json:"id"` // a number cannot be a credential
	}
	if !notify.Decode(resp, &made) || made.ID == 0 {
		return result.Receipt{}, s.BadAnswer(resp)
	}
	return result.Receipt{ExternalID: strconv.FormatUint(made.ID, 10), Note: notify.StatusLine(resp.StatusCode) + note}, nil
}
