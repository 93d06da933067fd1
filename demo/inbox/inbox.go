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

// Package inbox is what a team's webhook endpoint would be: a small HTTP service that receives what Bellhop delivers, checks
// who sent it, and shows it to people.
//
//	POST, PUT  any path    a delivery: Standard Webhooks headers and the JSON of Bellhop's generic webhook
//	GET        /           a page for people
//	GET        /messages   the same as JSON
//	GET        /healthz    200
//
// It knows the format on the wire and nothing else of Bellhop, so that each delivery it takes is one that others can take.
// Tests make it answer what they like; see [Inbox.Respond].
package inbox

import (
	"context"
	"errors"
	"io"
	"maps"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Options say whom the inbox believes and to whom it shows what it got.
type Options struct {
	// SigningSecret is what deliveries have to be signed with: "whsec_" and base64, as NewSecret makes it. Empty: whoever
	// calls is believed.
	SigningSecret string
	// Out gets a line for each page, as on a pager. Default: nobody.
	Out io.Writer
}

// A Message is what arrived under one webhook-id.
type Message struct {
	WebhookID string `json:"webhookID"`
	// Attempts counts the requests that brought it, whatever they were answered; Accepted those that were answered with 2xx.
	Attempts int `json:"attempts"`
	Accepted int `json:"accepted"`
	// Event is alert.fired, alert.updated or alert.resolved.
	Event string `json:"event"`
	// Incident is the same for all messages of an Alert, from fired to resolved.
	Incident  string `json:"incident"`
	UID       string `json:"uid"`
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	Receiver  string `json:"receiver"`
	Title     string `json:"title"`
	Content   string `json:"content"`
	// RawContent is the content as it was typed, without emoji for shortcodes.
	RawContent string `json:"rawContent"`
	Severity   string `json:"severity"`
	// State is Firing or Resolved, as the message says. Resolved is true once the incident is over.
	State    string `json:"state"`
	Resolved bool   `json:"resolved"`
	// ReceivedAt is when the first request came.
	ReceivedAt time.Time `json:"receivedAt"`
	// Header and Body are those of the last request. They are shared: not to be modified, and not shown, since a header
	// may be a credential.
	Header http.Header `json:"-"`
	Body   []byte      `json:"-"`
}

// A Responder decides the answer to a delivery whose signature is right. It may block until the request's context ends, and
// so hang. Status 0 closes the connection without an answer.
type Responder func(*http.Request) (status int, header http.Header, body string)

// Answer is a Responder that always gives the same answer.
func Answer(status int, header http.Header) Responder {
	return func(*http.Request) (int, http.Header, string) { return status, header, "" }
}

// Hang is a Responder that never answers.
func Hang(r *http.Request) (int, http.Header, string) {
	<-r.Context().Done()
	return 0, nil, ""
}

// An Inbox receives messages and keeps them in memory. It is safe for concurrent use.
type Inbox struct {
	secret                     string
	out                        io.Writer
	started, inFlight, refused atomic.Int64

	printing sync.Mutex // keeps lines whole; apart from mu, since a terminal may be slow

	mu      sync.Mutex
	respond Responder
	ids     []string            // in the order of arrival
	byID    map[string]*Message // by webhook-id
	states  map[string]string   // by incident: Firing or Resolved
}

// New returns an empty inbox.
func New(options Options) *Inbox {
	i := &Inbox{secret: options.SigningSecret, out: options.Out, byID: map[string]*Message{}, states: map[string]string{}}
	if i.out == nil {
		i.out = io.Discard
	}
	return i
}

// Messages returns what arrived, in the order of first arrival: also what a Responder has refused or not answered.
func (i *Inbox) Messages() []Message {
	i.mu.Lock()
	defer i.mu.Unlock()
	messages := make([]Message, 0, len(i.ids))
	for _, id := range i.ids {
		m := *i.byID[id]
		m.Resolved = i.states[m.Incident] == resolved
		messages = append(messages, m)
	}
	return messages
}

// Respond has deliveries answered by r from now on; nil: with 204 No Content. Messages counts them either way.
func (i *Inbox) Respond(r Responder) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.respond = r
}

// Resolved says whether an incident is over.
func (i *Inbox) Resolved(incident string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.states[incident] == resolved
}

// Started counts all deliveries that ever began, repeats and refused ones included.
func (i *Inbox) Started() int { return int(i.started.Load()) }

// InFlight counts the deliveries that are not answered yet.
func (i *Inbox) InFlight() int { return int(i.inFlight.Load()) }

// Refused counts the deliveries that are none: with a wrong signature, or not in Bellhop's format.
func (i *Inbox) Refused() int { return int(i.refused.Load()) }

// Serve answers until the context ends, and returns when nobody is answered any more.
func (i *Inbox) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: i.Handler(), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer cancel()
	err := server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		return server.Close() // who hangs is not waited for
	}
	return err
}

// attempt notes that a request brought the message, and returns how many have by now, and who decides the answer.
func (i *Inbox) attempt(m *Message) (attempts int, respond Responder) {
	i.mu.Lock()
	defer i.mu.Unlock()
	known, ok := i.byID[m.WebhookID]
	if !ok {
		known = m
		i.byID[m.WebhookID] = m
		i.ids = append(i.ids, m.WebhookID)
	}
	known.Attempts++
	known.Header, known.Body = m.Header, m.Body
	return known.Attempts, i.respond
}

// accept notes that the message is taken. A repeat does not change what is known of the incident: it may come late.
func (i *Inbox) accept(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	m := i.byID[id]
	m.Accepted++
	if m.Accepted == 1 {
		i.states[m.Incident] = m.State
	}
}

func write(w http.ResponseWriter, status int, header http.Header, body string) {
	maps.Copy(w.Header(), header)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // who asked may be gone
}
