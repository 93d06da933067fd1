// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package gotify

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/outboundtest"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

const (
	token    = "AcanaryT0ken.-_"
	accepted = `{"id":25,"appid":5,"message":"Hello KubeCon 👋","title":"Hi 🎉","priority":8,"date":"2026-03-01T12:00:00Z"}`
)

func refusal(message string) string {
	body, err := json.Marshal(map[string]any{"error": "Bad Request", "errorCode": 400, "errorDescription": message})
	if err != nil {
		panic(err) // strings always encode
	}
	return string(body)
}

func TestConformance(t *testing.T) {
	notifytest.Run(t, notifytest.Provider{
		New: func(url string, client *outbound.Client) (notify.Sender, error) {
			return New(Config{URL: url, Token: token}, client)
		},
		Canaries:      []string{token},
		Accept:        accepted,
		NeedsBody:     true,
		ExternalID:    "25",
		ErrorBody:     func(message string) (string, string) { return "application/json", refusal(message) },
		QuotesNothing: true,
	})
}

func newSender(t *testing.T, url string) *Sender {
	t.Helper()
	s, err := New(Config{URL: url, Token: token + "\n"}, outboundtest.Client(t)) // as in a Secret that was made with echo
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSend(t *testing.T) {
	const plain = `"extras":{"client::display":{"contentType":"text/plain"}}}`
	for _, c := range []struct {
		why      string
		event    result.Event
		severity notify.Severity
		body     string
	}{
		{"for information", result.Fired, notify.Info, `{"title":"Hi 🎉","message":"Hello KubeCon 👋","priority":4,` + plain},
		{"a warning", result.Fired, notify.Warning, `{"title":"[Warning] Hi 🎉","message":"Hello KubeCon 👋","priority":6,` + plain},
		{"critical", result.Fired, notify.Critical, `{"title":"[Critical] Hi 🎉","message":"Hello KubeCon 👋","priority":8,` + plain},
		{"an update is another message", result.Updated, notify.Critical, `{"title":"Updated: [Critical] Hi 🎉","message":"Hello KubeCon 👋","priority":8,` + plain},
		{"a resolve is another message, without sound", result.Resolved, notify.Critical, `{"title":"Resolved: [Critical] Hi 🎉","message":"The alert is over.","priority":2,` + plain},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(notifytest.Status(200, accepted))
			m := notifytest.Message(c.event)
			m.Severity = c.severity
			got, err := newSender(t, server.URL+"/push/").Send(t.Context(), m, notifytest.Key("delivery", "24"))
			if want := (result.Receipt{ExternalID: "25", Note: "HTTP 200 OK"}); err != nil || got != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
			r := server.Requests()[0]
			if r.Method != http.MethodPost || r.URI != "/push/message" || string(r.Body) != c.body || r.Header.Get("X-Gotify-Key") != token {
				t.Errorf("got %s %s %s, want POST /push/message %s", r.Method, r.URI, r.Body, c.body)
			}
		})
	}
}

// Gotify has no idempotency key: a repeat is another message.
func TestAgainstServer(t *testing.T) {
	gotify := notifytest.NewGotify(token)
	server := httptest.NewServer(notifytest.LoseAnswers(gotify, 1))
	t.Cleanup(server.Close)
	s := newSender(t, server.URL)
	for i, event := range []result.Event{result.Fired, result.Fired, result.Updated, result.Resolved} {
		_, err := s.Send(t.Context(), notifytest.Message(event), notifytest.Key("delivery", ""))
		if i == 0 && result.ClassOf(err) != result.Unknown || i > 0 && err != nil {
			t.Fatalf("%d: got %v", i, err)
		}
	}
	want := []notifytest.Seen{
		{ID: "1", Text: "[Critical] Hi 🎉\nHello KubeCon 👋"},
		{ID: "2", Text: "[Critical] Hi 🎉\nHello KubeCon 👋"},
		{ID: "3", Text: "Updated: [Critical] Hi 🎉\nHello KubeCon 👋"},
		{ID: "4", Text: "Resolved: [Critical] Hi 🎉\nThe alert is over.", Resolved: true},
	}
	seen := gotify.Seen()
	if len(seen) != len(want) {
		t.Fatalf("people see %+v", seen)
	}
	for i := range want {
		if seen[i] != want[i] {
			t.Errorf("people see %+v, want %+v", seen[i], want[i])
		}
	}
}

// The texts of an Alert are accepted, and shown as typed.
func TestText(t *testing.T) {
	gotify := notifytest.NewGotify(token)
	server := httptest.NewServer(gotify)
	t.Cleanup(server.Close)
	s := newSender(t, server.URL)
	for i, content := range []string{
		"<!channel> @everyone *bold* [x](https://example.com/:wave:) `:wave:` <script> &amp;\n# no heading",
		strings.Repeat("x", 16384),
	} {
		m := notifytest.Message(result.Fired)
		m.RawTitle, m.RawContent, m.Severity = "**Hi** @all", content, notify.Info
		if _, err := s.Send(t.Context(), m, notifytest.Key("delivery", "")); err != nil {
			t.Fatal(err)
		}
		if got, want := gotify.Seen()[i].Text, m.RawTitle+"\n"+content; got != want {
			t.Errorf("people see %q, want %q", got, want)
		}
	}
}

// F-P71: with links the text is Markdown, in which people see the content as typed, and can follow the links.
func TestTextWithLinks(t *testing.T) {
	gotify := notifytest.NewGotify(token)
	server := httptest.NewServer(gotify)
	t.Cleanup(server.Close)
	s := newSender(t, server.URL)
	const lines = "Runbook: https://example.com/disk_full\n[a](https://evil.example) <b> *x*: https://example.com/x"
	for i, c := range []struct{ content, want string }{
		{"", ""},
		{"*bold* _it_ __x__ `code` ~~gone~~ | a | b\n:-|-\n<script> &amp; ![i](https://example.com/i.png) # no heading", ""},
		{"# heading\n- item\n+ item\n1. one\n2) two\n> quote\ntitle\n===\n---\n\n\n    code\n\tcode\nwide   columns", "# heading\n- item\n+ item\n1. one\n2) two\n> quote\ntitle\n===\n---\n\n\n    code\n    code\nwide   columns"},
		{"see https://example.com/a_b?c=d&e=f#g. Or <https://example.com/h>", ""},
		{"ends in a break\n", ""},
		{`C:\new\*.log`, ""},
	} {
		m := notifytest.Message(result.Fired)
		m.RawContent, m.Severity = c.content, notify.Info
		m.RawLinks = []notify.Link{{Text: "Runbook", Href: "https://example.com/disk_full"}, {Text: "[a](https://evil.example) <b> *x*", Href: "https://example.com/x"}}
		if _, err := s.Send(t.Context(), m, notifytest.Key("delivery", "")); err != nil {
			t.Fatal(err)
		}
		want := cmp.Or(c.want, c.content)
		if want != "" {
			want += "\n\n"
		}
		if got := gotify.Seen()[i].Text; got != m.Title()+"\n"+want+lines {
			t.Errorf("people see %q, want %q", got, want+lines)
		}
	}
}

// A text is written as Gotify's page and apps read it.
func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		"disk_full at 3.5 %":        `disk\_full at 3.5 %`,
		"a\nb\n\nc":                 "a\\\nb\\\n\\\nc",
		"- a\r\n10. b":              "\\- a\\\n10\\. b",
		"  a":                       "\u00a0\u00a0a",
		"https://example.com/a_b.":  "<https://example.com/a_b>.",
		"https://example.com/a*b*c": `<https://example.com/a>\*b\*c`,
	} {
		if got := escape(text); got != want {
			t.Errorf("%q: got %q, want %q", text, got, want)
		}
	}
}

// Gotify repeats the text in its response. A response that is too long to be read would cause repeats.
func TestResponseIsReadable(t *testing.T) {
	gotify := notifytest.NewGotify(token)
	server := httptest.NewServer(gotify)
	t.Cleanup(server.Close)
	s := newSender(t, server.URL)
	for i, c := range []struct{ content, note string }{
		{strings.Repeat("<", 8000), "HTTP 200 OK"},
		{strings.Repeat("<", 16384), "HTTP 200 OK; the content was cut to 9564 bytes"},
		{strings.Repeat("\x01", 16384), "HTTP 200 OK; the content was cut to 9564 bytes"},
	} {
		m := notifytest.Message(result.Fired)
		m.RawTitle, m.RawContent = strings.Repeat("<", 256), c.content
		got, err := s.Send(t.Context(), m, notifytest.Key("delivery", ""))
		if err != nil || got.ExternalID != strconv.Itoa(i+1) || got.Note != c.note {
			t.Errorf("got %+v, %v; want note %q", got, err, c.note)
		}
		if text := gotify.Seen()[i].Text; strings.HasSuffix(text, "… [cut]") != strings.Contains(c.note, "cut") {
			t.Errorf("people see %q", text[len(text)-20:])
		}
	}
}

func TestFailures(t *testing.T) {
	const bad = "HTTP 200 OK, but the answer is not in the form that this receiver's API documents"
	for _, c := range []struct {
		why    string
		answer http.HandlerFunc
		want   result.Error
	}{
		{
			"not the token of an application", notifytest.Status(401, `{"error":"Unauthorized","errorCode":401,"errorDescription":"you need to provide a valid access token"}`),
			result.Error{Class: result.Configuration, Reason: result.ReasonUnauthorized, Message: "HTTP 401 Unauthorized"},
		},
		{
			"a rate limit of a proxy", notifytest.Status(429, "", "Retry-After", "7"),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: 7 * time.Second, Message: "HTTP 429 Too Many Requests"},
		},
		{
			"not Gotify", notifytest.Status(200, "<html>"),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: bad},
		},
		{
			"an id that is not a number", notifytest.Status(200, `{"id":"25"}`),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: bad},
		},
		{
			"no id", notifytest.Status(200, `{"id":0}`),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: bad},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(c.answer)
			_, err := newSender(t, server.URL).Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", ""))
			notifytest.WantError(t, c.why, err, c.want)
		})
	}
}

func TestNewRefuses(t *testing.T) {
	const url = "https://gotify.example.com"
	for _, c := range []struct {
		why, want string
		config    Config
	}{
		{"no URL", "url: must be an absolute", Config{Token: token}},
		{"credentials in the URL", "url: must have neither", Config{URL: "https://canary@example.com", Token: token}},
		{"a token in the URL", "url: must have neither", Config{URL: url + "?token=canary", Token: token}},
		{"no token", "token: must be", Config{URL: url}},
		{"a token with a control character", "token: must be", Config{URL: url, Token: "canary\ncanary"}},
	} {
		_, err := New(c.config, outboundtest.Client(t))
		notifytest.WantInvalid(t, c.why, err, c.want)
	}
}
