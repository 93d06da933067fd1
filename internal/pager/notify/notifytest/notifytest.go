// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package notifytest has fakes of the providers' services, and the conformance test that every provider with an HTTP API
// passes. Its server answers correctly, with errors, late or not at all, and repeats credentials.
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

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/outboundtest"
	"github.com/gophernetes/bellhop/internal/outbound/redact/redacttest"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Provider describes a provider to the conformance test.
type Provider struct {
	// New returns a sender with all credentials that the provider can have.
	New func(url string, client *outbound.Client) (notify.Sender, error)
	// Canaries are those credentials, and other texts that must not be quoted.
	Canaries []string
	// Accept is the body of a success, and AcceptStatus its status; 0: 200.
	Accept       string
	AcceptStatus int
	// NeedsBody says that only this body is a success; the receipt's ExternalID is in it.
	NeedsBody  bool
	ExternalID string
	// Confirming has the statuses that confirm the message with any body but a page.
	Confirming []int
	// IgnoresBody says that the body of a success is not read, unless it is a page: the service may be any.
	IgnoresBody bool
	// ErrorBody returns content type and body of an error with a message.
	ErrorBody func(message string) (contentType, body string)
	// QuotesNothing says that an error has only the status and at most an error code of the response.
	QuotesNothing bool
	// RefusalBody returns content type and body with which the service refuses the content of a message with HTTP 400, 413 or
	// 422, in its documented error format. nil: the service has no such format, and no answer is Permanent.
	RefusalBody func(status int) (contentType, body string)
	// Overrides has the statuses that the provider classifies differently from AnswerRows. RetryAfter is the shortest wait.
	Overrides map[int]Classification
	// Key returns the delivery key in a request; nil: the provider has no idempotency key.
	Key func(Request) string
	// Text returns the text that people read. Default: the body.
	Text func(Request) string
	// ProbeAccept is the body of a success to a notify.Prober.
	ProbeAccept string
}

// Classification is the expected error of a status.
type Classification struct {
	Class      result.Class
	Reason     string
	RetryAfter time.Duration
}

// Request is a request to the server.
type Request struct {
	Method string
	URI    string
	Header http.Header
	Body   []byte
}

// Server is an HTTP server that records requests and answers as a test says.
type Server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []Request
	answer   http.HandlerFunc
}

// NewServer starts a server. By default it answers 200 without a body.
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

// Answer sets the handler of the next requests.
func (s *Server) Answer(answer http.HandlerFunc) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.answer = answer
}

// Requests returns the requests since the last call.
func (s *Server) Requests() []Request {
	s.mu.Lock()
	defer s.mu.Unlock()
	requests := s.requests
	s.requests = nil
	return requests
}

// Status returns a handler that answers with a status, headers (names and values in turn) and a body.
func Status(code int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		_, _ = io.WriteString(w, body)
	}
}

// Hang does not answer.
func Hang(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() }

// HangInBody answers 200 and does not end the body.
func HangInBody(w http.ResponseWriter, r *http.Request) {
	_, _ = io.WriteString(w, "{")
	_ = http.NewResponseController(w).Flush()
	<-r.Context().Done()
}

// Flood answers 200 with an endless body.
func Flood(w http.ResponseWriter, _ *http.Request) {
	for block := make([]byte, 4096); ; {
		if _, err := w.Write(block); err != nil {
			return
		}
	}
}

// InSequence returns a handler that uses one answer for each request, and the last one for all further requests.
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

// WantError checks the error of a sender. The body of an unconfirmed answer may follow the message.
func WantError(t testing.TB, why string, got error, want result.Error) {
	t.Helper()
	own, ok := errors.AsType[*result.Error](got)
	switch {
	case !ok:
		t.Errorf("%s: got %v, want %+v", why, got, want)
	case own.Class == result.Unconfirmed && strings.HasPrefix(own.Message, want.Message+": "):
		if shortened := (result.Error{Class: own.Class, Reason: own.Reason, RetryAfter: own.RetryAfter, Message: want.Message}); shortened != want {
			t.Errorf("%s: got %+v, want %+v", why, *own, want)
		}
	case *own != want:
		t.Errorf("%s: got %+v, want %+v", why, *own, want)
	}
}

// WantInvalid checks the error of a configuration whose values contain "canary": it names the field and the problem, and has
// no value.
func WantInvalid(t testing.TB, why string, got error, want string) {
	t.Helper()
	if result.ClassOf(got) != result.Configuration || !strings.HasPrefix(got.Error(), want) || strings.Contains(got.Error(), "canary") {
		t.Errorf("%s: got %v, want %q", why, got, want)
	}
}

// Message returns a message.
func Message(event result.Event) notify.Message {
	return notify.Message{
		Event: event, UID: "5f0c", Namespace: "shop", Name: "kubecon-alert", RawTitle: "Hi :tada:", RawContent: "Hello KubeCon :wave:",
		Severity: notify.Critical, Receiver: "ClusterReceiver/oncall", Time: time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC),
	}
}

// Key returns the key of such a message.
func Key(delivery, externalID string) notify.Key {
	return notify.Key{Delivery: delivery, Incident: "incident", ExternalID: externalID}
}

// Run runs the conformance test of a provider.
func Run(t *testing.T, p Provider) {
	server := NewServer(t)
	sender, err := p.New(server.URL, outboundtest.Client(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sender.Close)
	s := conformance{Provider: p, server: server, sender: sender, forms: map[string]string{}}
	for _, canary := range p.Canaries {
		for encoding, form := range redacttest.Encodings(canary) {
			s.forms[form] = canary + ", " + encoding
		}
	}
	t.Run("Keys", s.keys)
	t.Run("Together", s.concurrent)
	t.Run("Odd", s.unusual)
	t.Run("Answers", s.table)
	t.Run("Bodies", s.bodies)
	if !p.IgnoresBody {
		t.Run("Error in a success", s.errorInSuccess)
	}
	t.Run("Waits", s.waits)
	t.Run("Unreachable", s.unreachable)
	t.Run("Ended", s.canceled)
	t.Run("Leaks", s.leaks)
	t.Run("Probe", s.probe)
}
