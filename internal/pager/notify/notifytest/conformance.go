// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"mime"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/outboundtest"
	"github.com/gophernetes/bellhop/internal/outbound/redact/redacttest"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/version"
)

type conformance struct {
	Provider
	server *Server
	sender notify.Sender
	forms  map[string]string // encoded forms of the canaries, with a name of each
}

func (conf conformance) send(ctx context.Context, delivery string) (result.Receipt, error) {
	return conf.sender.Send(ctx, Message(result.Fired), Key(delivery, ""))
}

// failure sends a message, and returns its error, which is required.
func (conf conformance) failure(ctx context.Context, t *testing.T) *result.Error {
	t.Helper()
	receipt, err := conf.send(ctx, "delivery")
	own, ok := errors.AsType[*result.Error](err)
	if !ok {
		t.Fatalf("got %+v, %v, want a *result.Error", receipt, err)
	}
	if own.Reason == "" || own.Message == "" {
		t.Errorf("reason or message is missing: %+v", own)
	}
	return own
}

// keys: F-U31: a repeat has the key of its message, and without a key nothing distinguishes a repeat from a new message.
func (conf conformance) keys(t *testing.T) {
	conf.server.Answer(Status(conf.acceptStatus(), conf.Accept))
	var got []string
	want := []string{"first", "first", "second"}
	for _, delivery := range want {
		receipt, err := conf.send(t.Context(), delivery)
		if err != nil || receipt.ExternalID != conf.ExternalID {
			t.Fatalf("got %+v, %v; want the id %q", receipt, err, conf.ExternalID)
		}
		for _, r := range conf.server.Requests() {
			if conf.Key != nil {
				got = append(got, conf.Key(r))
			} else {
				got = append(got, r.URI+" "+withoutBoundary(r))
			}
			if agent := r.Header.Get("User-Agent"); agent != version.UserAgent() {
				t.Errorf("sent as %q", agent)
			}
			text := string(r.Body)
			if conf.Text != nil {
				text = conf.Text(r)
			}
			if !strings.Contains(text, "Hello KubeCon 👋") || !strings.Contains(text, "Hi 🎉") {
				t.Errorf("the text has no emoji: %s", text)
			}
		}
	}
	if conf.Key == nil && len(got) > 0 {
		want = slices.Repeat(got[:1], len(want))
	}
	if !slices.Equal(got, want) {
		t.Errorf("one request per call, which has the key of its message, or no key: got %q, want %q", got, want)
	}
}

// withoutBoundary returns the body of a request without the random boundary between the parts of a form.
func withoutBoundary(r Request) string {
	_, parameters, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || parameters["boundary"] == "" {
		return string(r.Body)
	}
	return strings.ReplaceAll(string(r.Body), parameters["boundary"], "")
}

// concurrent finds data races, with the race detector.
func (conf conformance) concurrent(t *testing.T) {
	conf.server.Answer(Status(conf.acceptStatus(), conf.Accept))
	var all sync.WaitGroup
	for range 16 {
		all.Go(func() {
			if receipt, err := conf.send(t.Context(), "delivery"); err != nil || receipt.ExternalID != conf.ExternalID {
				t.Errorf("got %+v, %v", receipt, err)
			}
		})
	}
	all.Wait()
	conf.server.Requests()
}

// unusual sends texts that an Alert may have and rarely has, and invalid external ids.
func (conf conformance) unusual(t *testing.T) {
	for _, event := range []result.Event{result.Fired, result.Updated, result.Resolved} {
		for _, text := range []string{
			"", " \n", "\x00", "\xff\x01\x7f\u0085\u2028\r\n", strings.Repeat("<", 16384), strings.Repeat("👋", 4096), strings.Repeat("@a :us: `b` ", 1365),
		} {
			m := Message(event)
			m.RawTitle, m.RawContent, m.Severity = text, text, ""
			m.RawLinks = []notify.Link{{Text: text, Href: "https://example.com/?q=" + text}, {Text: "t", Href: "http://\x00"}}
			conf.sendUnusual(t, m, "")
		}
		for _, id := range []string{"../../odd-id?x=#", "odd-id\x00\r\nX: y", strings.Repeat("odd-id", 1000)} {
			conf.sendUnusual(t, Message(event), id)
		}
	}
}

// sendUnusual sends a message to a service that accepts it, and to one that refuses it.
func (conf conformance) sendUnusual(t *testing.T, m notify.Message, externalID string) {
	t.Helper()
	what := fmt.Sprintf("%s, %.20q, %.20q", m.Event, m.RawContent, externalID)
	contentType, body := conf.ErrorBody("no such thing")
	for _, answer := range []http.HandlerFunc{
		Status(conf.acceptStatus(), conf.Accept, "Content-Type", contentType), Status(http.StatusNotFound, body, "Content-Type", contentType),
	} {
		conf.server.Answer(answer)
		receipt, err := conf.sender.Send(t.Context(), m, Key("delivery", externalID))
		if own, ok := errors.AsType[*result.Error](err); err != nil && (!ok || own.Reason == "" || own.Message == "") {
			t.Errorf("%s: got %v, want a *result.Error", what, err)
		}
		if id := receipt.ExternalID; len(id) > 256 || strings.ContainsFunc(id, func(r rune) bool { return r <= ' ' || r > '~' }) {
			t.Errorf("%s: got the id %q", what, id)
		}
		for _, r := range conf.server.Requests() {
			if strings.Contains(r.URI, "odd-id") || !utf8.Valid(r.Body) {
				t.Errorf("%s: sent %s %.100q", what, r.URI, r.Body)
			}
		}
	}
}

func (p Provider) acceptStatus() int { return cmp.Or(p.AcceptStatus, http.StatusOK) }

// bodies: F-B1, F-P38: a success that the service does not document is not confirmed, and a page never is one.
func (conf conformance) bodies(t *testing.T) {
	for why, answer := range map[string]http.HandlerFunc{
		"a page":        Status(conf.acceptStatus(), "<html>"),
		"empty":         Status(conf.acceptStatus(), ""),
		"empty object":  Status(conf.acceptStatus(), "{}"),
		"endless":       Flood,
		"never ends":    HangInBody,
		"cut off early": Status(conf.acceptStatus(), "{", "Content-Length", "100"),
	} {
		t.Run(why, func(t *testing.T) {
			conf.server.Answer(func(w http.ResponseWriter, r *http.Request) {
				if why == "endless" || why == "never ends" {
					w.WriteHeader(conf.acceptStatus())
				}
				answer(w, r)
			})
			if conf.NeedsBody || why == "a page" {
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if e := conf.failure(ctx, t); e.Class != result.Unconfirmed || e.Reason != result.ReasonBadAnswer {
					t.Errorf("got %s (%s), want Unconfirmed: it has most likely been accepted", e.Class, e.Message)
				}
				return
			}
			ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
			defer cancel()
			if _, err := conf.send(ctx, "delivery"); err != nil || ctx.Err() != nil {
				t.Errorf("the status confirms the delivery, but: %v, %v", err, ctx.Err())
			}
		})
	}
}

// errorInSuccess: a success whose body is the service's own error confirms nothing, where the service documents a body.
func (conf conformance) errorInSuccess(t *testing.T) {
	bodies := []func() (string, string){func() (string, string) { return conf.ErrorBody("no such thing") }}
	if conf.RefusalBody != nil {
		bodies = append(bodies, func() (string, string) { return conf.RefusalBody(http.StatusBadRequest) })
	}
	for _, status := range []int{http.StatusOK, http.StatusAccepted} {
		for _, body := range bodies {
			contentType, text := body()
			conf.server.Answer(Status(status, text, "Content-Type", contentType))
			e := conf.failure(t.Context(), t)
			if !slices.Contains([]result.Class{result.Unconfirmed, result.Configuration, result.Permanent}, e.Class) {
				t.Errorf("HTTP %d, %s: got %s, %s", status, text, e.Class, e.Message)
			}
		}
	}
	conf.server.Requests()
}

// waits checks that a wait is neither negative nor longer than outbound.MaxRetryAfter.
func (conf conformance) waits(t *testing.T) {
	for _, status := range []int{http.StatusTooManyRequests, http.StatusServiceUnavailable} {
		for _, wait := range []string{"99999999999999999999", "-5", "1e300", "Fri, 31 Dec 9999 23:59:59 GMT"} {
			conf.server.Answer(Status(status, "", "Retry-After", wait))
			if e := conf.failure(t.Context(), t); e.RetryAfter < 0 || e.RetryAfter > outbound.MaxRetryAfter {
				t.Errorf("HTTP %d, %s: got %s", status, wait, e.RetryAfter)
			}
		}
	}
	conf.server.Requests()
}

// canceled checks a canceled context.
func (conf conformance) canceled(t *testing.T) {
	conf.server.Requests()
	conf.server.Answer(Status(conf.acceptStatus(), conf.Accept))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if e := conf.failure(ctx, t); e.Class != result.Temporary || e.Reason != result.ReasonCanceled {
		t.Errorf("got %s, %s (%s), want Temporary, Canceled", e.Class, e.Reason, e.Message)
	}
	if n := len(conf.server.Requests()); n != 0 {
		t.Errorf("%d requests, want none", n)
	}
}

func (conf conformance) unreachable(t *testing.T) {
	conf.server.Answer(Hang)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	if e := conf.failure(ctx, t); e.Class != result.Unknown || e.Reason != result.ReasonTimeout {
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
		{"a closed port", closed.URL, result.ReasonConnectionFailed, outboundtest.Client(t), result.Temporary},
		{"an address that the guard refuses", conf.server.URL, result.ReasonAddressRefused, strict, result.Configuration},
	} {
		sender, err := conf.New(c.url, c.client)
		if err != nil {
			t.Fatal(err)
		}
		defer sender.Close()
		other := conf
		other.sender = sender
		e := other.failure(t.Context(), t)
		if e.Class != c.class || e.Reason != c.reason {
			t.Errorf("%s: got %s, %s (%s)", c.why, e.Class, e.Reason, e.Message)
		}
		conf.wantNoCanary(t, c.why, e.Message)
	}
}

// leaks answers with all that a request contained, and with all canaries, in every encoding, at the beginning of the text,
// which is not cut.
func (conf conformance) leaks(t *testing.T) {
	conf.server.Answer(Status(http.StatusUnauthorized, ""))
	_ = conf.failure(t.Context(), t)
	pieces := append([]string{}, conf.Canaries...)
	for _, r := range conf.server.Requests() {
		pieces = append(pieces, r.URI, string(r.Body))
		for _, values := range r.Header {
			pieces = append(pieces, strings.Join(values, ","))
		}
	}
	for _, piece := range pieces {
		for encoding, echo := range redacttest.Encodings(piece) {
			contentType, body := conf.ErrorBody(echo)
			conf.server.Answer(Status(http.StatusUnauthorized, body, "Content-Type", contentType, "Location", "/"+echo, "X-Echo", echo))
			conf.wantNoCanary(t, encoding, conf.failure(t.Context(), t).Message)
			if !conf.NeedsBody {
				continue
			}
			conf.server.Answer(Status(http.StatusOK, strings.ReplaceAll(conf.Accept, conf.ExternalID, echo), "Content-Type", contentType))
			receipt, err := conf.send(t.Context(), "delivery")
			conf.wantNoCanary(t, encoding, fmt.Sprint(receipt, err))
		}
	}
}

// probe checks Probe, where a sender has it.
func (conf conformance) probe(t *testing.T) {
	prober, ok := conf.sender.(notify.Prober)
	if !ok {
		if conf.ProbeAccept != "" {
			t.Fatal("not a notify.Prober")
		}
		return
	}
	conf.server.Requests() // discards earlier requests
	conf.server.Answer(Status(http.StatusOK, conf.ProbeAccept))
	if err := prober.Probe(t.Context()); err != nil {
		t.Errorf("got %v, want no error", err)
	}
	requests := conf.server.Requests()
	if len(requests) == 0 {
		t.Error("no request was made")
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
		{"a rate limit", 10 * time.Second, Status(http.StatusTooManyRequests, ""), []result.Class{result.Temporary, result.Configuration}},
		{"server error", 10 * time.Second, Status(http.StatusInternalServerError, ""), []result.Class{result.Temporary, result.Unknown}},
		{"no answer", 100 * time.Millisecond, Hang, []result.Class{result.Temporary, result.Unknown}},
	} {
		conf.server.Answer(c.answer)
		ctx, cancel := context.WithTimeout(t.Context(), c.limit)
		err := prober.Probe(ctx)
		cancel()
		if own, ok := errors.AsType[*result.Error](err); !ok || !slices.Contains(c.class, own.Class) {
			t.Errorf("%s: got %v, want one of %v", c.why, err, c.class)
		}
	}
	for _, canary := range conf.Canaries {
		for encoding, echo := range redacttest.Encodings(canary) {
			contentType, body := conf.ErrorBody(echo)
			conf.server.Answer(Status(http.StatusForbidden, body, "Content-Type", contentType))
			conf.wantNoCanary(t, "probe, "+encoding, fmt.Sprint(prober.Probe(t.Context())))
		}
	}
}

func (conf conformance) wantNoCanary(t *testing.T, why, text string) {
	t.Helper()
	for form, name := range conf.forms {
		if strings.Contains(text, form) {
			t.Errorf("%s: %s is in %q", why, name, text)
		}
	}
}
