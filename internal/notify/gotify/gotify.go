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

// Package gotify delivers to a server of Gotify (https://gotify.net): a message for each event, fired, updated and resolved
// alike, since an application cannot change what it sent.
//
// Gotify knows no key by which it would recognise a repeat: after a lost answer people may see a message twice.
//
// The text is marked as plain, so clients read no markup in it, and mentions have no effect. Severity is in the title, and the
// priority decides whether a phone rings.
//
// There is no Probe: an application's token may send and do nothing else, so nothing that is asked without sending shows
// whether it is right.
//
// It knows Gotify's API, and no Kubernetes.
package gotify

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/result"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// over is the text of a message that says in its title what is over.
const resolvedText = "The alert is over."

// Config is the configuration of a Sender.
type Config struct {
	URL   string // of the server, such as https://gotify.example.com
	Token string // of the application
}

// Sender is a notify.Sender.
type Sender struct {
	notify.HTTP
	messages *url.URL
}

var _ notify.Sender = (*Sender)(nil)

// New returns a sender, or a *result.Error that names the field that is not right.
func New(config Config, client *outbound.Client) (*Sender, error) {
	base, err := notify.ParseBaseURL("url", config.URL)
	if err != nil {
		return nil, err
	}
	token, err := notify.Token("token", "the token of an application", config.Token)
	if err != nil {
		return nil, err
	}
	s := &Sender{HTTP: notify.NewHTTP(client, token), messages: base.JoinPath("message")}
	s.Header.Set("X-Gotify-Key", token)
	return s, nil
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
	content, cut := notify.Cut(m.Content(), notify.MaxEcho, notify.JSON)
	note := ""
	if cut {
		note = notify.CutNote("content", len(content), "bytes")
	}
	if m.Event == result.Resolved {
		content, note = resolvedText, ""
	}
	resp, err := s.RequestJSON(ctx, http.MethodPost, s.messages, message{
		Title:    m.TitleWithStatus(),
		Message:  content,
		Priority: priority(m),
		Extras:   extras{Display: display{ContentType: "text/plain"}},
	})
	if err != nil {
		return result.Receipt{}, err
	}
	var made struct {
		ID uint64 `json:"id"` // a number cannot be a credential
	}
	if !notify.Decode(resp, &made) || made.ID == 0 {
		return result.Receipt{}, notify.BadAnswer(resp)
	}
	return result.Receipt{ExternalID: strconv.FormatUint(made.ID, 10), Note: notify.StatusLine(resp.StatusCode) + note}, nil
}
