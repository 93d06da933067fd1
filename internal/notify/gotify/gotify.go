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

// Package gotify delivers to a server of Gotify (https://gotify.net): a message for each event, Updated and Resolved included.
// Gotify knows no key by which it would recognise a repeat, and an application cannot change what it sent: after a lost answer
// people may see a message twice.
//
// The text is marked as plain, so clients read no markup in it, and nobody can be mentioned. Severity is in the title, and the
// priority decides whether a phone rings.
//
// There is no Probe: an application's token may send and do nothing else, so nothing that is asked without sending shows
// whether it is right.
//
// It knows Gotify's API and nothing of who calls it.
package gotify

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

// over is the text of a message that says in its title what is over.
const over = "The alert is over."

// Config says where messages go.
type Config struct {
	URL   string // of the server, such as https://gotify.example.com
	Token string // of the application
}

// Sender is a notify.Sender.
type Sender struct {
	token    string
	messages *url.URL
	client   *outbound.Client
	now      func() time.Time
}

var _ notify.Sender = (*Sender)(nil)

// New returns a sender, or a *notify.Error that names the field that is not right.
func New(config Config, client *outbound.Client) (*Sender, error) {
	base, err := notify.ParseURL("url", config.URL)
	if err != nil {
		return nil, err
	}
	if base.User != nil || base.RawQuery != "" {
		return nil, notify.Invalid("url", "must have neither user nor query; the credential is the token")
	}
	config.Token = strings.TrimSpace(config.Token)
	if !visible(config.Token) {
		return nil, notify.Invalid("token", "must be the token of an application: not empty, and without blanks or control characters")
	}
	return &Sender{token: config.Token, messages: base.JoinPath("message"), client: client, now: time.Now}, nil
}

func visible(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r > '~' })
}

// message is what the API takes.
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

// priority is what the app for Android goes by: up to 3 it is silent, from 4 on it rings, from 8 on it also vibrates.
func priority(m notify.Message) int {
	switch {
	case m.Event == notify.Resolved:
		return 2
	case m.Severity == notify.Critical:
		return 8
	case m.Severity == notify.Warning:
		return 6
	}
	return 4
}

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, m notify.Message, _ notify.Key) (notify.Receipt, error) {
	content := notify.Emoji(m.Content)
	if m.Event == notify.Resolved {
		content = over
	}
	body, err := json.Marshal(message{
		Title:    m.Headline(),
		Message:  content,
		Priority: priority(m),
		Extras:   extras{Display: display{ContentType: "text/plain"}},
	})
	if err != nil {
		return notify.Receipt{}, notify.Invalid("content", "cannot be written as JSON")
	}
	req, err := notify.JSONRequest(ctx, http.MethodPost, s.messages, body)
	if err != nil {
		return notify.Receipt{}, err
	}
	req.Header.Set("X-Gotify-Key", s.token)
	resp, err := s.client.Do(ctx, req)
	if err != nil {
		return notify.Receipt{}, notify.FromRequest(err)
	}
	// What a server at an address that somebody chose says of a failure is for nobody's eyes but its status.
	if failure := notify.FromStatus(resp, s.now()); failure != nil {
		return notify.Receipt{}, failure
	}
	var made struct {
		ID uint64 `json:"id"` // a number cannot be a credential
	}
	if resp.BodyErr != nil || json.Unmarshal(resp.Body, &made) != nil || made.ID == 0 {
		return notify.Receipt{}, notify.BadAnswer(resp)
	}
	return notify.Receipt{ExternalID: strconv.FormatUint(made.ID, 10), Note: notify.StatusLine(resp.StatusCode)}, nil
}

// Close lets go of the connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }
