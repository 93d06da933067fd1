// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pushover

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/outboundtest"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

const (
	token    = "azCanaryT0kenDORePK8gMaC0QOYAM" // token and user are in the form of a receipt
	user     = "uQCanaryUs3rRzpo4DXghDmr9Qzzfx"
	receipt  = "rLqVuqTRh62UzxtmqiaLzQmVcPgiCy"
	emergent = `{"status":1,"request":"647d2300-702c-4b38-8b2f-d56326ae460b","receipt":"` + receipt + `"}`
	sent     = `{"status":1,"request":"647d2300-702c-4b38-8b2f-d56326ae460b"}`
)

func refusal(message string) string {
	body, err := json.Marshal(map[string]any{"errors": []string{message}, "status": 0, "request": "647d2300"})
	if err != nil {
		panic(err) // strings always encode
	}
	return string(body)
}

func TestConformance(t *testing.T) {
	notifytest.Run(t, notifytest.Provider{
		New: func(url string, client *outbound.Client) (notify.Sender, error) {
			s, err := New(Config{URL: url, Token: token, User: user, Device: "phone"}, client)
			if err != nil {
				return nil, err
			}
			s.MayQuote = true
			return s, nil
		},
		Canaries:    []string{token, user},
		Accept:      emergent,
		NeedsBody:   true,
		ExternalID:  receipt,
		ErrorBody:   func(message string) (string, string) { return "application/json", refusal(message) },
		RefusalBody: func(int) (string, string) { return "application/json", refusal("message is too long") },
		Overrides: map[int]notifytest.Classification{
			429: {Class: result.Configuration, Reason: result.ReasonQuotaExhausted},
			500: {Class: result.Unknown, Reason: result.ReasonServerError, RetryAfter: 5 * time.Second},
			501: {Class: result.Unknown, Reason: result.ReasonServerError, RetryAfter: 5 * time.Second},
			502: {Class: result.Unknown, Reason: result.ReasonServerError, RetryAfter: 5 * time.Second},
			504: {Class: result.Unknown, Reason: result.ReasonTimeout, RetryAfter: 5 * time.Second},
		},
		ProbeAccept: `{"status":1,"group":0,"devices":["phone"],"licenses":["Android"],"request":"647d2300"}`,
	})
}

// At another host, Pushover's text is not quoted: the author of the Receiver must not see it.
func TestQuotesOnlyPushover(t *testing.T) {
	server := notifytest.NewServer(t)
	server.Answer(notifytest.Status(http.StatusForbidden, refusal("the secret of an internal service")))
	s := newSender(t, server.URL, "")
	s.MayQuote = false
	_, err := s.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", ""))
	if err == nil || err.Error() != "HTTP 403 Forbidden" {
		t.Errorf("got %v", err)
	}
	if s, err := New(Config{Token: token, User: user}, outboundtest.Client(t)); err != nil || !s.MayQuote {
		t.Errorf("Pushover itself is not quoted: %v", err)
	}
}

func newSender(t *testing.T, url, device string) *Sender {
	t.Helper()
	// The values of a Secret made with echo.
	s, err := New(Config{URL: url, Token: token + "\n", User: user + "\n", Device: device}, outboundtest.Client(t))
	if err != nil {
		t.Fatal(err)
	}
	s.MayQuote = true // as if the server were Pushover's
	return s
}

func TestSend(t *testing.T) {
	const (
		who     = `{"token":"` + token + `","user":"` + user + `",`
		message = "/1/messages.json " + who
		app     = `{"token":"` + token + `"}`
		cancel  = "/1/receipts/cancel_by_tag/incident.json " + app
		updates = "/1/receipts/cancel_by_tag/incident-update.json " + app
		earlier = "/1/receipts/" + receipt + "/cancel.json " + app
	)
	for _, c := range []struct {
		why      string
		event    result.Event
		severity notify.Severity
		device   string
		content  string
		cancel   http.HandlerFunc
		answer   string
		requests []string
		want     result.Receipt
	}{
		{
			why: "for information", event: result.Fired, severity: notify.Info, answer: sent,
			requests: []string{message + `"title":"Hi 🎉","message":"Hello KubeCon 👋"}`},
			want:     result.Receipt{Note: "HTTP 200 OK"},
		},
		{
			why: "a warning", event: result.Fired, severity: notify.Warning, device: "phone", answer: sent,
			requests: []string{message + `"device":"phone","title":"[Warning] Hi 🎉","message":"Hello KubeCon 👋","priority":1}`},
			want:     result.Receipt{Note: "HTTP 200 OK"},
		},
		{
			why: "critical is an emergency", event: result.Fired, severity: notify.Critical, answer: emergent,
			requests: []string{message + `"title":"[Critical] Hi 🎉","message":"Hello KubeCon 👋","priority":2,"retry":60,"expire":3600,"tags":"incident"}`},
			want:     result.Receipt{ExternalID: receipt, Note: "HTTP 200 OK"},
		},
		{
			why: "F-P41: an update starts another emergency before it cancels the earlier", event: result.Updated, severity: notify.Critical, answer: emergent,
			requests: []string{message + `"title":"Updated: [Critical] Hi 🎉","message":"Hello KubeCon 👋","priority":2,"retry":60,"expire":3600,"tags":"incident-update"}`, cancel, earlier},
			want:     result.Receipt{ExternalID: receipt, Note: "HTTP 200 OK"},
		},
		{
			why: "an update to a lower severity cancels the emergency", event: result.Updated, severity: notify.Info, answer: sent,
			requests: []string{message + `"title":"Updated: Hi 🎉","message":"Hello KubeCon 👋"}`, cancel, earlier},
			want:     result.Receipt{Note: "HTTP 200 OK"},
		},
		{
			why: "resolved", event: result.Resolved, severity: notify.Critical, answer: sent,
			requests: []string{cancel, updates, message + `"title":"Resolved: [Critical] Hi 🎉","message":"The alert is over.","priority":-1}`},
			want:     result.Receipt{Note: "HTTP 200 OK"},
		},
		{
			why: "no emergency to cancel", event: result.Resolved, severity: notify.Info, answer: sent, cancel: notifytest.Status(404, refusal("tag not found")),
			requests: []string{cancel, updates, message + `"title":"Resolved: Hi 🎉","message":"The alert is over.","priority":-1}`},
			want:     result.Receipt{Note: "HTTP 200 OK"},
		},
		{
			why: "a refused cancellation does not prevent the message", event: result.Updated, severity: notify.Info, answer: sent,
			cancel:   notifytest.Status(400, refusal("tag is invalid")),
			requests: []string{message + `"title":"Updated: Hi 🎉","message":"Hello KubeCon 👋"}`, cancel, earlier},
			want:     result.Receipt{Note: "HTTP 200 OK; no emergency was ended: HTTP 400 Bad Request: tag is invalid"},
		},
		{
			why: "a blank content", event: result.Fired, severity: notify.Info, content: " \n", answer: sent,
			requests: []string{message + `"title":"Hi 🎉","message":"(no content)"}`},
			want:     result.Receipt{Note: "HTTP 200 OK"},
		},
		{
			why: "an invalid receipt", event: result.Fired, severity: notify.Critical, answer: `{"status":1,"receipt":"../x"}`,
			requests: []string{message + `"title":"[Critical] Hi 🎉","message":"Hello KubeCon 👋","priority":2,"retry":60,"expire":3600,"tags":"incident"}`},
			want:     result.Receipt{Note: "HTTP 200 OK"},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(func(w http.ResponseWriter, r *http.Request) {
				if c.cancel != nil && strings.Contains(r.RequestURI, "cancel") {
					c.cancel(w, r)
					return
				}
				notifytest.Status(200, c.answer)(w, r)
			})
			m := notifytest.Message(c.event)
			m.Severity = c.severity
			if c.content != "" {
				m.RawContent = c.content
			}
			got, err := newSender(t, server.URL, c.device).Send(t.Context(), m, notifytest.Key("delivery", receipt))
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
			var requests []string
			for _, r := range server.Requests() {
				requests = append(requests, r.URI+" "+string(r.Body))
				if r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json" {
					t.Errorf("got %s of %s", r.Method, r.Header.Get("Content-Type"))
				}
			}
			if strings.Join(requests, "\n") != strings.Join(c.requests, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(requests, "\n"), strings.Join(c.requests, "\n"))
			}
		})
	}
}

// F-P41: an emergency rings on where the update cannot be posted. Where the update is posted and the earlier emergency goes on, the next
// attempt only ends that.
func TestUpdatePostsFirst(t *testing.T) {
	server := notifytest.NewServer(t)
	s := newSender(t, server.URL, "phone")
	key := notifytest.Key("delivery", receipt)
	server.Answer(notifytest.Status(429, refusal("application is over its quota")))
	if _, err := s.Send(t.Context(), notifytest.Message(result.Updated), key); result.ClassOf(err) != result.Configuration || len(server.Requests()) != 1 {
		t.Errorf("without a quota: got %v", err)
	}
	server.Answer(notifytest.InSequence(notifytest.Status(200, emergent), notifytest.Status(502, "")))
	_, err := s.Send(t.Context(), notifytest.Message(result.Updated), key)
	own, ok := errors.AsType[*result.Error](err)
	if !ok || own.Class != result.Temporary || own.Partial == "" || len(server.Requests()) != 2 {
		t.Fatalf("the emergency goes on: got %+v", err)
	}
	key.Partial = own.Partial
	server.Answer(notifytest.Status(200, sent))
	got, err := s.Send(t.Context(), notifytest.Message(result.Updated), key)
	if err != nil || got.ExternalID != receipt {
		t.Errorf("got %+v, %v", got, err)
	}
	for _, r := range server.Requests() {
		if !strings.Contains(r.URI, "cancel") {
			t.Errorf("sent again: %s", r.URI)
		}
	}
}

// Pushover has no idempotency key: a repeat is another message. But every emergency ends.
func TestAgainstService(t *testing.T) {
	pushover := notifytest.NewPushover(token, user)
	server := httptest.NewServer(notifytest.LoseAnswers(pushover, 1))
	t.Cleanup(server.Close)
	s := newSender(t, server.URL, "phone")
	const (
		fired    = "[Critical] Hi 🎉\nHello KubeCon 👋"
		resolved = "Resolved: [Critical] Hi 🎉\nThe alert is over."
	)
	for i, c := range []struct {
		event result.Event
		want  []notifytest.Seen
	}{
		{result.Fired, []notifytest.Seen{{ID: "1", Text: fired}}},
		{result.Fired, []notifytest.Seen{{ID: "1", Text: fired}, {ID: "2", Text: fired}}},
		{result.Updated, []notifytest.Seen{{ID: "1", Text: fired, Resolved: true}, {ID: "2", Text: fired, Resolved: true}, {ID: "3", Text: "Updated: " + fired}}},
		{result.Resolved, []notifytest.Seen{{ID: "1", Text: fired, Resolved: true}, {ID: "2", Text: fired, Resolved: true},
			{ID: "3", Text: "Updated: " + fired, Resolved: true}, {ID: "4", Text: resolved, Resolved: true}}},
	} {
		_, err := s.Send(t.Context(), notifytest.Message(c.event), notifytest.Key("delivery", ""))
		if i == 0 && result.ClassOf(err) != result.Unknown || i > 0 && err != nil {
			t.Fatalf("%d: got %v", i, err)
		}
		seen := pushover.Seen()
		if len(seen) != len(c.want) {
			t.Fatalf("%d: people see %+v", i, seen)
		}
		for j := range seen {
			if seen[j] != c.want[j] {
				t.Errorf("%d: people see %+v, want %+v", i, seen[j], c.want[j])
			}
		}
	}
}

func TestProbe(t *testing.T) {
	pushover := httptest.NewServer(notifytest.NewPushover(token, user))
	t.Cleanup(pushover.Close)
	if err := newSender(t, pushover.URL, "").Probe(t.Context()); err != nil {
		t.Errorf("got %v", err)
	}
	for why, c := range map[string]struct {
		config Config
		want   string
	}{
		"another token": {Config{Token: "a", User: user}, "HTTP 400 Bad Request: application token is invalid, see https://pushover.net/api"},
		"another user":  {Config{Token: token, User: "u"}, "HTTP 400 Bad Request: user identifier is not a valid user, group, or subscribed user key"},
		"no such device": {Config{Token: token, User: user, Device: "fridge"},
			"HTTP 400 Bad Request: device name is not valid for this user"},
	} {
		c.config.URL = pushover.URL
		s, err := New(c.config, outboundtest.Client(t))
		if err != nil {
			t.Fatal(err)
		}
		s.MayQuote = true
		want := result.Error{Class: result.Configuration, Reason: result.ReasonUnauthorized, Message: c.want}
		notifytest.WantError(t, why, s.Probe(t.Context()), want)
	}
	server := notifytest.NewServer(t)
	server.Answer(notifytest.Status(200, `{"status":0}`))
	if err := newSender(t, server.URL, "phone").Probe(t.Context()); result.ClassOf(err) != result.Unconfirmed {
		t.Errorf("a body without a success: got %v", err)
	}
	want := `{"token":"` + token + `","user":"` + user + `","device":"phone"}`
	if r := server.Requests()[0]; r.URI != "/1/users/validate.json" || string(r.Body) != want {
		t.Errorf("asked %s %s", r.URI, r.Body)
	}
}

// Pushover permits a client two connections at a time.
func TestRequestsInFlight(t *testing.T) {
	server := notifytest.NewServer(t)
	arrived, leave := make(chan struct{}, 16), make(chan struct{})
	server.Answer(func(w http.ResponseWriter, r *http.Request) {
		arrived <- struct{}{}
		select {
		case <-leave:
		case <-r.Context().Done():
		}
		notifytest.Status(200, sent)(w, r)
	})
	s := newSender(t, server.URL, "")
	send := func(ctx context.Context) error {
		_, err := s.Send(ctx, notifytest.Message(result.Fired), notifytest.Key("delivery", ""))
		return err
	}
	var two sync.WaitGroup
	for range 2 {
		two.Go(func() {
			if err := send(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	<-arrived
	<-arrived
	for reason, end := range map[string]func(context.Context) (context.Context, context.CancelFunc){
		result.ReasonTimeout: func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, time.Millisecond)
		},
		result.ReasonCanceled: func(ctx context.Context) (context.Context, context.CancelFunc) {
			ctx, cancel := context.WithCancel(ctx)
			cancel()
			return ctx, cancel
		},
	} {
		ctx, cancel := end(t.Context())
		own, ok := errors.AsType[*result.Error](send(ctx))
		cancel()
		if !ok || own.Class != result.Temporary || own.Reason != reason {
			t.Errorf("a third: got %+v, want %s", own, reason)
		}
	}
	close(leave)
	two.Wait()
	if err := send(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
	if n := len(server.Requests()); n != 3 {
		t.Errorf("%d requests, want 3", n)
	}
}

func TestFailures(t *testing.T) {
	for _, c := range []struct {
		why    string
		event  result.Event
		answer http.HandlerFunc
		want   result.Error
	}{
		{
			"the service's text", result.Fired, notifytest.Status(400, `{"errors":["a","b `+token+`"],"status":0}`),
			result.Error{Class: result.Permanent, Reason: result.ReasonRejected, Message: "HTTP 400 Bad Request: a; b [redacted]"},
		},
		{
			"wrong token", result.Fired, notifytest.Status(400, `{"token":"invalid","errors":["application token is invalid"],"status":0}`),
			result.Error{Class: result.Configuration, Reason: result.ReasonUnauthorized, Message: "HTTP 400 Bad Request: application token is invalid"},
		},
		{
			"wrong user, in the cancellation", result.Resolved, notifytest.Status(400, `{"user":"invalid","errors":["user key is invalid"],"status":0}`),
			result.Error{Class: result.Configuration, Reason: result.ReasonUnauthorized, Message: "HTTP 400 Bad Request: user key is invalid"},
		},
		{
			"F-P1: a 404 of a proxy is not about the emergency", result.Resolved, notifytest.Status(404, "<html>"),
			result.Error{Class: result.Configuration, Reason: result.ReasonNotFound, Message: "HTTP 404 Not Found"},
		},
		{
			"the month's messages are used up", result.Fired, notifytest.Status(429, refusal("application is over its quota"), "Retry-After", "5"),
			result.Error{Class: result.Configuration, Reason: result.ReasonQuotaExhausted, Message: "HTTP 429 Too Many Requests: application is over its quota"},
		},
		{
			"a server error", result.Fired, notifytest.Status(502, "<html>"),
			result.Error{Class: result.Unknown, Reason: result.ReasonServerError, RetryAfter: 5 * time.Second, Message: "HTTP 502 Bad Gateway"},
		},
		{
			"a server error of the cancellation", result.Resolved, notifytest.Status(502, "<html>"),
			result.Error{Class: result.Temporary, Reason: result.ReasonServerError, RetryAfter: 5 * time.Second, Message: "HTTP 502 Bad Gateway"},
		},
		{
			"an error with a success status", result.Fired, notifytest.Status(200, `{"errors":["no"],"status":0}`),
			result.Error{Class: result.Configuration, Reason: result.ReasonRejected, Message: `HTTP 200 OK, but the answer says that it failed: {"errors":["no"],"status":0}`},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(c.answer)
			_, err := newSender(t, server.URL, "").Send(t.Context(), notifytest.Message(c.event), notifytest.Key("delivery", ""))
			notifytest.WantError(t, c.why, err, c.want)
			if n := len(server.Requests()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

// A text that does not fit is cut, by characters; the rest is shown as typed.
func TestText(t *testing.T) {
	const markup = "<!channel> @everyone *bold* [x](https://example.com/:wave:) `:wave:` <b>b</b> &amp;"
	for _, c := range []struct{ why, title, content, note, text string }{
		{"markup", "<b> @all", markup, "HTTP 200 OK", "[Critical] <b> @all\n" + markup},
		{"the longest that fits", strings.Repeat("👋", 239), strings.Repeat("👋", 1024), "HTTP 200 OK", "[Critical] " + strings.Repeat("👋", 239) + "\n" + strings.Repeat("👋", 1024)},
		{"one character longer", strings.Repeat("👋", 240), strings.Repeat("ö", 1025),
			"HTTP 200 OK; the title was cut to 250 characters; the content was cut to 1024 characters",
			"[Critical] " + strings.Repeat("👋", 232) + "… [cut]\n" + strings.Repeat("ö", 1017) + "… [cut]"},
	} {
		t.Run(c.why, func(t *testing.T) {
			pushover := notifytest.NewPushover(token, user)
			server := httptest.NewServer(pushover)
			t.Cleanup(server.Close)
			m := notifytest.Message(result.Fired)
			m.RawTitle, m.RawContent = c.title, c.content
			got, err := newSender(t, server.URL, "").Send(t.Context(), m, notifytest.Key("delivery", ""))
			if err != nil || got.Note != c.note {
				t.Errorf("got %q, %v; want %q", got.Note, err, c.note)
			}
			if text := pushover.Seen()[0].Text; text != c.text {
				t.Errorf("people see %q, want %q", text, c.text)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		why, want string
		config    Config
	}{
		{"no token", "token: must be", Config{User: user}},
		{"a token with a slash", "token: must be", Config{User: user, Token: "canary/canary"}},
		{"no user", "user: must be", Config{Token: token}},
		{"an e-mail address", "user: must be", Config{Token: token, User: "canary@example.com"}},
		{"not a URL", "url: must be an absolute", Config{Token: token, User: user, URL: "http://canary:canary"}},
		{"credentials in the URL", "url: must have neither", Config{Token: token, User: user, URL: "https://canary@example.com"}},
	} {
		_, err := New(c.config, outboundtest.Client(t))
		notifytest.WantInvalid(t, c.why, err, c.want)
	}
	if s, err := New(Config{Token: token, User: user}, outboundtest.Client(t)); err != nil || s.messages.String() != DefaultURL+"/1/messages.json" {
		t.Errorf("default: got %v", err)
	}
}
