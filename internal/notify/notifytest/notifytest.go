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

// Package notifytest has the conformance test that every receiver passes: one server that answers well, badly, late or not at
// all, and repeats all that it was told in confidence.
package notifytest

import (
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/result"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/outboundtest"
	"github.com/gophernetes/bellhop/internal/redact/redacttest"
)

// Provider is what the test must know of a kind of receiver.
type Provider struct {
	// New makes a sender with every credential that the kind can have.
	New func(url string, client *outbound.Client) (notify.Sender, error)
	// Canaries are those credentials, and what else must not come back.
	Canaries []string
	// Accept is the body that goes with a 200.
	Accept string
	// NeedsBody says that a 200 without that body proves nothing: the receipt's ExternalID is from there.
	NeedsBody  bool
	ExternalID string
	// Refuse words an error: content type and body.
	ErrorBody func(message string) (contentType, body string)
	// Mute says that the receiver's free text is not quoted, only the status and, at most, an error code.
	QuotesNothing bool
	// Refusal is the content type and body by which the service refuses the content of a message with HTTP 400, 413 or 422, in
	// the error format that it documents. Nil: it documents none, so none of its answers is final.
	RefusalBody func(status int) (contentType, body string)
	// Means has the statuses that this receiver means otherwise than notify.FromStatus.
	Overrides map[int]Classification
	// Key returns the delivery key that a request carries; nil where the receiver takes none.
	Key func(Request) string
	// Text returns what people read in a request. Default: its body.
	Text func(Request) string
	// ProbeAccept is the body that goes with a 200 to a notify.Prober.
	ProbeAccept string
}

// Meaning is what an answer is to be taken for.
type Classification struct {
	Class      result.Class
	Reason     string
	RetryAfter time.Duration
}

// Request is what the server got.
type Request struct {
	Method string
	URI    string
	Header http.Header
	Body   []byte
}

// Server is a receiver that remembers what it got and answers as it is told.
type Server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []Request
	answer   http.HandlerFunc
}

// NewServer starts a server. It answers with an empty 200 until it is told otherwise.
func NewServer(t testing.TB) *Server {
	t.Helper()
	s := &Server{}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	t.Cleanup(s.Close)
	return s
}

func (s *Server) serve(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	s.mu.Lock()
	s.requests = append(s.requests, Request{Method: r.Method, URI: r.RequestURI, Header: r.Header, Body: body})
	answer := s.answer
	s.mu.Unlock()
	if answer != nil {
		answer(w, r)
	}
}

// Answer sets how the next requests are answered.
func (s *Server) Answer(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// Requests returns what the server got since it was last asked.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := s.requests
	s.requests = nil
	return requests
}

// Status answers with a status, header lines as name and value in turn, and a body.
func Status(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// Hang never answers.
func Hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// HangInBody answers 200 and never ends the body.
func HangInBody(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, "{")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// Flood answers 200 with a body that has no end.
func Flood(w http.ResponseWriter, _ *http.Request) {
	for block := make([]byte, 4096); ; {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// InTurn answers one request after the other, and from then on as the last.
func InSequence(answers ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	return func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		answer := answers[0]
		answers = answers[min(1, len(answers)-1):]
		mu.Unlock()
		answer(w, r)
	}
}

// WantError checks what a sender said of a message.
func WantError(t testing.TB, why string, got error, want result.Error) {
	t.Helper()
	own, ok := errors.AsType[*result.Error](got)
	switch {
	case !ok:
		t.Errorf("%s: got %v, want %+v", why, got, want)
	case *own != want:
		t.Errorf("%s: got %+v, want %+v", why, *own, want)
	}
}

// WantRefused checks what was said of a configuration whose values have "canary" in them: the field, and what is wrong with
// it, but no value.
func WantInvalid(t testing.TB, why string, got error, want string) {
	t.Helper()
	if result.ClassOf(got) != result.Configuration || !strings.HasPrefix(got.Error(), want) || strings.Contains(got.Error(), "canary") {
		t.Errorf("%s: got %v, want %q", why, got, want)
	}
}

// Message is one to send.
func Message(event result.Event) notify.Message {
	return notify.Message{
		Event: event, UID: "5f0c", Namespace: "shop", Name: "kubecon-alert", RawTitle: "Hi :tada:", RawContent: "Hello KubeCon :wave:",
		Severity: notify.Critical, Receiver: "ClusterReceiver/oncall", Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
}

// Key is the key of such a message.
func Key(delivery, externalID string) notify.Key {
	return notify.Key{Delivery: delivery, Incident: "incident", ExternalID: externalID}
}

// Run checks a provider.
func Run(t *testing.T, p Provider) {
	server := NewServer(t)
	sender, err := p.New(server.URL, outboundtest.Client(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sender.Close)
	s := conformance{Provider: p, server: server, sender: sender, forms: map[string]string{}}
	for _, canary := range p.Canaries {
		for spelling, form := range redacttest.Spellings(canary) {
			s.forms[form] = canary + ", " + spelling
		}
	}
	t.Run("Keys", s.keys)
	t.Run("Together", s.concurrent)
	t.Run("Odd", s.unusual)
	t.Run("Classes", s.classes)
	t.Run("F-P1 Refusals", s.refusals)
	t.Run("Bodies", s.bodies)
	t.Run("Waits", s.waits)
	t.Run("Unreachable", s.unreachable)
	t.Run("Ended", s.canceled)
	t.Run("Leaks", s.leaks)
	t.Run("Probe", s.probe)
}
