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
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

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
	Refuse func(message string) (contentType, body string)
	// Mute says that the receiver's free text is not quoted, only the status and, at most, an error code.
	Mute bool
	// Refusal is the content type and body by which the service refuses the content of a message with HTTP 400, 413 or 422, in
	// the error format that it documents. Nil: it documents none, so none of its answers is final.
	Refusal func(status int) (contentType, body string)
	// Means has the statuses that this receiver means otherwise than notify.FromStatus.
	Means map[int]Meaning
	// Key returns the delivery key that a request carries; nil where the receiver takes none.
	Key func(Request) string
	// Text returns what people read in a request. Default: its body.
	Text func(Request) string
	// ProbeAccept is the body that goes with a 200 to a notify.Prober.
	ProbeAccept string
}

// Meaning is what an answer is to be taken for.
type Meaning struct {
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
func InTurn(answers ...http.HandlerFunc) http.HandlerFunc {
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
func WantRefused(t testing.TB, why string, got error, want string) {
	t.Helper()
	if result.ClassOf(got) != result.Configuration || !strings.HasPrefix(got.Error(), want) || strings.Contains(got.Error(), "canary") {
		t.Errorf("%s: got %v, want %q", why, got, want)
	}
}

// Message is one to send.
func Message(event result.Event) notify.Message {
	return notify.Message{
		Event: event, UID: "5f0c", Namespace: "shop", Name: "kubecon-alert", Title: "Hi :tada:", Content: "Hello KubeCon :wave:",
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
	s := subject{Provider: p, server: server, sender: sender, forms: map[string]string{}}
	for _, canary := range p.Canaries {
		for spelling, form := range redacttest.Spellings(canary) {
			s.forms[form] = canary + ", " + spelling
		}
	}
	t.Run("Keys", s.keys)
	t.Run("Together", s.together)
	t.Run("Odd", s.odd)
	t.Run("Classes", s.classes)
	t.Run("F-P1 Refusals", s.refusals)
	t.Run("Bodies", s.bodies)
	t.Run("Waits", s.waits)
	t.Run("Unreachable", s.unreachable)
	t.Run("Ended", s.ended)
	t.Run("Leaks", s.leaks)
	t.Run("Probe", s.probe)
}

type subject struct {
	Provider
	server *Server
	sender notify.Sender
	forms  map[string]string // how a canary can be written, and what that is called
}

func (s subject) send(ctx context.Context, delivery string) (result.Receipt, error) {
	return s.sender.Send(ctx, Message(result.Fired), Key(delivery, ""))
}

// failure sends, and returns the error that must come of it.
func (s subject) failure(ctx context.Context, t *testing.T) *result.Error {
	t.Helper()
	receipt, err := s.send(ctx, "delivery")
	own, ok := errors.AsType[*result.Error](err)
	if !ok {
		t.Fatalf("got %+v, %v, want a *result.Error", receipt, err)
	}
	if own.Reason == "" || own.Message == "" {
		t.Errorf("reason or message is missing: %+v", own)
	}
	return own
}

func (s subject) keys(t *testing.T) {
	s.server.Answer(Status(http.StatusOK, s.Accept))
	var got []string
	for _, delivery := range []string{"first", "first", "second"} {
		receipt, err := s.send(t.Context(), delivery)
		if err != nil || receipt.ExternalID != s.ExternalID {
			t.Fatalf("got %+v, %v; want the id %q", receipt, err, s.ExternalID)
		}
		for _, r := range s.server.Requests() {
			if s.Key != nil {
				got = append(got, s.Key(r))
			} else {
				got = append(got, delivery)
			}
			if agent := r.Header.Get("User-Agent"); agent != "bellhop" {
				t.Errorf("sent as %q", agent)
			}
			text := string(r.Body)
			if s.Text != nil {
				text = s.Text(r)
			}
			if !strings.Contains(text, "Hello KubeCon 👋") || !strings.Contains(text, "Hi 🎉") {
				t.Errorf("the text has no emoji: %s", text)
			}
		}
	}
	if fmt.Sprint(got) != "[first first second]" {
		t.Errorf("repeats must carry the key of the message, once per call: got %q", got)
	}
}

// together is for the race detector.
func (s subject) together(t *testing.T) {
	s.server.Answer(Status(http.StatusOK, s.Accept))
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if receipt, err := s.send(t.Context(), "delivery"); err != nil || receipt.ExternalID != s.ExternalID {
				t.Errorf("got %+v, %v", receipt, err)
			}
		})
	}
	all.Wait()
	s.server.Requests()
}

// odd sends what an alert can have but hardly has, and ids that are none.
func (s subject) odd(t *testing.T) {
	for _, event := range []result.Event{result.Fired, result.Updated, result.Resolved} {
		for _, text := range []string{
			"", " \n", "\x00", "\xff\x01\x7f\u0085\u2028\r\n", strings.Repeat("<", 16384), strings.Repeat("👋", 4096), strings.Repeat("@a :us: `b` ", 1365),
		} {
			m := Message(event)
			m.Title, m.Content, m.Severity = text, text, ""
			s.sendOdd(t, m, "")
		}
		for _, id := range []string{"../../odd-id?x=#", "odd-id\x00\r\nX: y", strings.Repeat("odd-id", 1000)} {
			s.sendOdd(t, Message(event), id)
		}
	}
}

// sendOdd sends a message that the service takes, and then does not.
func (s subject) sendOdd(t *testing.T, m notify.Message, externalID string) {
	t.Helper()
	what := fmt.Sprintf("%s, %.20q, %.20q", m.Event, m.Content, externalID)
	contentType, words := s.Refuse("no such thing")
	for _, answer := range []http.HandlerFunc{
		Status(http.StatusOK, s.Accept, "Content-Type", contentType), Status(http.StatusNotFound, words, "Content-Type", contentType),
	} {
		s.server.Answer(answer)
		receipt, err := s.sender.Send(t.Context(), m, Key("delivery", externalID))
		if own, ok := errors.AsType[*result.Error](err); err != nil && (!ok || own.Reason == "" || own.Message == "") {
			t.Errorf("%s: got %v, want a *result.Error", what, err)
		}
		if id := receipt.ExternalID; len(id) > 256 || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%s: got the id %q", what, id)
		}
		for _, r := range s.server.Requests() {
			if strings.Contains(r.URI, "odd-id") || !utf8.Valid(r.Body) {
				t.Errorf("%s: sent %s %.100q", what, r.URI, r.Body)
			}
		}
	}
}

func (s subject) bodies(t *testing.T) {
	for why, answer := range map[string]http.HandlerFunc{
		"garbage":       Status(http.StatusOK, "<html>"),
		"empty":         Status(http.StatusOK, ""),
		"empty object":  Status(http.StatusOK, "{}"),
		"endless":       Flood,
		"never ends":    HangInBody,
		"cut off early": Status(http.StatusOK, "{", "Content-Length", "100"),
	} {
		t.Run(why, func(t *testing.T) {
			s.server.Answer(answer)
			if s.NeedsBody {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if e := s.failure(ctx, t); e.Class != result.Unknown {
					t.Errorf("got %s (%s), want Unknown: it has most likely been accepted", e.Class, e.Message)
				}
				return
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if _, err := s.send(ctx, "delivery"); err != nil || ctx.Err() != nil {
				t.Errorf("the status says that it was delivered, but: %v, %v", err, ctx.Err())
			}
		})
	}
}

// waits are never longer than anybody may ask for, and no overflow.
func (s subject) waits(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		for _, wait := range []string{"99999999999999999999", "-5", "1e300", "Fri, 31 Dec 9999 23:59:59 GMT"} {
			s.server.Answer(Status(status, "", "Retry-After", wait))
			if e := s.failure(t.Context(), t); e.RetryAfter < 0 || e.RetryAfter > outbound.MaxRetryAfter {
				t.Errorf("HTTP %d, %s: got %s", status, wait, e.RetryAfter)
			}
		}
	}
	s.server.Requests()
}

// ended is for a caller who does not want it any more.
func (s subject) ended(t *testing.T) {
	s.server.Requests()
	s.server.Answer(Status(http.StatusOK, s.Accept))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if e := s.failure(ctx, t); e.Class != result.Temporary || e.Reason != result.ReasonCanceled {
		t.Errorf("got %s, %s (%s), want what says that nothing was sent", e.Class, e.Reason, e.Message)
	}
	if n := len(s.server.Requests()); n != 0 {
		t.Errorf("%d requests, want none", n)
	}
}

func (s subject) unreachable(t *testing.T) {
	s.server.Answer(Hang)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if e := s.failure(ctx, t); e.Class != result.Unknown || e.Reason != result.ReasonTimeout {
		t.Errorf("no answer: got %s, %s", e.Class, e.Reason)
	}
	closed := httptest.NewServer(http.NotFoundHandler())
	closed.Close()
	strict, err := outbound.NewClient(&outbound.Guard{}, outbound.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		why, url, reason string
		client           *outbound.Client
		class            result.Class
	}{
		{"nobody listens", closed.URL, result.ReasonConnectionFailed, outboundtest.Client(t), result.Temporary},
		{"an address that is refused", s.server.URL, result.ReasonAddressRefused, strict, result.Configuration},
	} {
		sender, err := s.New(c.url, c.client)
		if err != nil {
			t.Fatal(err)
		}
		defer sender.Close()
		other := s
		other.sender = sender
		e := other.failure(t.Context(), t)
		if e.Class != c.class || e.Reason != c.reason {
			t.Errorf("%s: got %s, %s (%s)", c.why, e.Class, e.Reason, e.Message)
		}
		s.wantNoCanary(t, c.why, e.Message)
	}
}

// leaks lets the server echo all that it got, and all that it should not even know, in every spelling and at the beginning of
// the text, where it is not cut off.
func (s subject) leaks(t *testing.T) {
	s.server.Answer(Status(http.StatusUnauthorized, ""))
	_ = s.failure(t.Context(), t)
	pieces := append([]string{}, s.Canaries...)
	for _, r := range s.server.Requests() {
		pieces = append(pieces, r.URI, string(r.Body))
		for _, values := range r.Header {
			pieces = append(pieces, strings.Join(values, ","))
		}
	}
	for _, piece := range pieces {
		for spelling, echo := range redacttest.Spellings(piece) {
			contentType, body := s.Refuse(echo)
			s.server.Answer(Status(http.StatusUnauthorized, body, "Content-Type", contentType, "Location", "/"+echo, "X-Echo", echo))
			s.wantNoCanary(t, spelling, s.failure(t.Context(), t).Message)
			if !s.NeedsBody {
				continue
			}
			s.server.Answer(Status(http.StatusOK, strings.ReplaceAll(s.Accept, s.ExternalID, echo), "Content-Type", contentType))
			receipt, err := s.send(t.Context(), "delivery")
			s.wantNoCanary(t, spelling, fmt.Sprint(receipt, err))
		}
	}
}

// probe checks the harmless call, where there is one.
func (s subject) probe(t *testing.T) {
	prober, ok := s.sender.(notify.Prober)
	if !ok {
		if s.ProbeAccept != "" {
			t.Fatal("not a notify.Prober")
		}
		return
	}
	s.server.Requests() // what came before
	s.server.Answer(Status(http.StatusOK, s.ProbeAccept))
	if err := prober.Probe(t.Context()); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	requests := s.server.Requests()
	if len(requests) == 0 {
		t.Error("nobody was asked")
	}
	for _, r := range requests {
		if strings.Contains(string(r.Body), "KubeCon") {
			t.Errorf("a message was sent: %s %s %s", r.Method, r.URI, r.Body)
		}
	}
	for _, c := range []struct {
		why    string
		limit  time.Duration
		answer http.HandlerFunc
		class  []result.Class
	}{
		{"no credential", 10 * time.Second, Status(http.StatusUnauthorized, ""), []result.Class{result.Configuration}},
		{"slow down", 10 * time.Second, Status(http.StatusTooManyRequests, ""), []result.Class{result.Temporary, result.Configuration}},
		{"server error", 10 * time.Second, Status(http.StatusInternalServerError, ""), []result.Class{result.Temporary, result.Unknown}},
		{"no answer", 100 * time.Millisecond, Hang, []result.Class{result.Temporary, result.Unknown}},
	} {
		s.server.Answer(c.answer)
		ctx, cancel := context.WithTimeout(t.Context(), c.limit)
		err := prober.Probe(ctx)
		cancel()
		if own, ok := errors.AsType[*result.Error](err); !ok || !slices.Contains(c.class, own.Class) {
			t.Errorf("%s: got %v, want one of %v", c.why, err, c.class)
		}
	}
	for _, canary := range s.Canaries {
		for spelling, echo := range redacttest.Spellings(canary) {
			contentType, body := s.Refuse(echo)
			s.server.Answer(Status(http.StatusForbidden, body, "Content-Type", contentType))
			s.wantNoCanary(t, "probe, "+spelling, fmt.Sprint(prober.Probe(t.Context())))
		}
	}
}

func (s subject) wantNoCanary(t *testing.T, why, text string) {
	t.Helper()
	for form, name := range s.forms {
		if strings.Contains(text, form) {
			t.Errorf("%s: %s is in %q", why, name, text)
		}
	}
}
