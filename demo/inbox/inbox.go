// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package inbox is an example of a team's webhook endpoint: a small HTTP service that receives deliveries of Bellhop, verifies their
// signatures, and shows them on a web page.
//
//	POST, PUT  any path    a delivery: Standard Webhooks headers and the JSON of Bellhop's generic webhook
//	GET        /           a web page with a card for each incident
//	GET        /events     changes of the page as server-sent events
//	GET        /messages   all messages as JSON
//	GET        /healthz    200
//
// It uses only the documented format of deliveries and nothing else of Bellhop, so that it shows that others can receive them, too.
// Tests choose its answers; see [Inbox.Respond].
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

// Options are the secret of the inbox, and its output.
type Options struct {
	// SigningSecret verifies deliveries: "whsec_" and base64, as NewSecret returns it. If it is empty, all deliveries are accepted.
	SigningSecret string
	// Out gets a line for each accepted delivery. Default: io.Discard.
	Out io.Writer
}

// A Message is what arrived under one webhook-id.
type Message struct {
	WebhookID string `json:"webhookID"`
	// Attempts counts all requests with the message; Accepted counts those that were answered with 2xx.
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
	// RawContent is the content as the user wrote it, without emoji for shortcodes.
	RawContent string `json:"rawContent"`
	Severity   string `json:"severity"`
	// State is the state in the message, Firing or Resolved. Resolved reports whether the incident is resolved by now.
	State    string `json:"state"`
	Resolved bool   `json:"resolved"`
	// ReceivedAt is the time of the first request.
	ReceivedAt time.Time `json:"receivedAt"`
	// Header and Body are those of the last request. They are shared, so they must not be modified. They must not be printed, since a
	// header may be a credential.
	Header http.Header `json:"-"`
	Body   []byte      `json:"-"`
}

// A Responder decides the answer to a delivery with a valid signature. It may block until the request's context ends. Status 0
// closes the connection without an answer.
type Responder func(*http.Request) (status int, header http.Header, body string)

// Answer returns a Responder that always gives the same answer.
func Answer(status int, header http.Header) Responder {
	return func(*http.Request) (int, http.Header, string) { return status, header, "" }
}

// Hang is a Responder that never answers.
func Hang(r *http.Request) (int, http.Header, string) {
	<-r.Context().Done()
	return 0, nil, ""
}

// An Inbox receives messages, and keeps them in memory. It is safe for concurrent use.
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
	changed chan struct{}       // closed at the next change of a message
}

// New returns an empty inbox.
func New(options Options) *Inbox {
	i := &Inbox{secret: options.SigningSecret, out: options.Out, byID: map[string]*Message{}, states: map[string]string{}, changed: make(chan struct{})}
	if i.out == nil {
		i.out = io.Discard
	}
	return i
}

// Messages returns all messages in the order of their first arrival, those that a Responder did not accept included.
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

// Respond sets the Responder of all later deliveries; nil answers 204 No Content. Messages counts all deliveries.
func (i *Inbox) Respond(r Responder) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.respond = r
}

// IsResolved reports whether an incident is resolved.
func (i *Inbox) IsResolved(incident string) bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.states[incident] == resolved
}

// Started counts all deliveries, those that are repeated, refused or in flight included.
func (i *Inbox) Started() int { return int(i.started.Load()) }

// InFlight counts the deliveries without an answer so far.
func (i *Inbox) InFlight() int { return int(i.inFlight.Load()) }

// Refused counts deliveries with a wrong signature, and requests that are not in Bellhop's format.
func (i *Inbox) Refused() int { return int(i.refused.Load()) }

// Serve serves until the context ends, and returns when no request is in flight, at most 2 seconds later. Open pages do not delay it.
func (i *Inbox) Serve(ctx context.Context, listener net.Listener) error {
	server := &http.Server{Handler: i.handler(ctx.Done()), ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan error, 1)
	go func() { ended <- server.Serve(listener) }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
	}
	grace, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	err := server.Shutdown(grace)
	if errors.Is(err, context.DeadlineExceeded) {
		return server.Close() // a hanging Responder does not delay the end
	}
	return err
}

// recordAttempt records a request with a message. It returns the number of requests with the message, and the Responder.
func (i *Inbox) recordAttempt(m *Message) (attempts int, respond Responder) {
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
	i.announce()
	return known.Attempts, i.respond
}

// recordAccepted records that a message was accepted. A repetition does not change the state of the incident, as it may arrive late.
func (i *Inbox) recordAccepted(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	m := i.byID[id]
	m.Accepted++
	if m.Accepted == 1 {
		i.states[m.Incident] = m.State
	}
	i.announce()
}

// changes returns a channel that is closed at the next change of a message.
func (i *Inbox) changes() <-chan struct{} {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.changed
}

// announce tells all streams that a message changed. The caller holds mu.
func (i *Inbox) announce() {
	close(i.changed)
	i.changed = make(chan struct{})
}

func writeResponse(w http.ResponseWriter, status int, header http.Header, body string) {
	maps.Copy(w.Header(), header)
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body) // the client may have disconnected
}
