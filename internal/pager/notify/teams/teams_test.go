// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package teams

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
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
	sig     = "Canary-S1g_abc/def+ghi=&jkl"
	started = "HTTP 202 Accepted: the workflow was started; whether Teams shows the message is not known"
)

var uri = notifytest.TeamsPath + notifytest.TeamsQuery(sig)

func refusal(message string) string { return errorJSON("SomeCode", message) }

func errorJSON(code, message string) string {
	body, err := json.Marshal(map[string]any{"error": map[string]string{"code": code, "message": message}})
	if err != nil {
		panic(err) // strings always encode
	}
	return string(body)
}

// At another host, Microsoft's text is not quoted: the author of the Receiver must not see it.
func TestQuotesOnlyMicrosoft(t *testing.T) {
	server := notifytest.NewServer(t)
	server.Answer(notifytest.Status(http.StatusForbidden, refusal("the secret of an internal service")))
	other := newSender(t, server.URL)
	other.MayQuote = false
	_, err := other.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", ""))
	if err == nil || err.Error() != "HTTP 403 Forbidden" {
		t.Errorf("got %v", err)
	}
	for host, want := range map[string]bool{
		"default1.22.environment.api.powerplatform.com:443": true, "prod-01.westeurope.logic.azure.com:443": true,
		"x.environment.api.powerplatform.com.example.com": false, "evil-logic.azure.com": false, "example.com": false,
	} {
		if s, err := New(Config{URL: "https://" + host + uri}, outboundtest.Client(t)); err != nil || s.MayQuote != want {
			t.Errorf("%s: quoted is not %t: %v", host, want, err)
		}
	}
}

func TestConformance(t *testing.T) {
	notifytest.Run(t, notifytest.Provider{
		New: func(url string, client *outbound.Client) (notify.Sender, error) {
			s, err := New(Config{URL: url + uri}, client)
			if err != nil {
				return nil, err
			}
			s.MayQuote = true
			return s, nil
		},
		AcceptStatus: http.StatusAccepted,
		Confirming:   []int{202},
		Canaries:     []string{sig, uri, notifytest.TeamsPath, strings.TrimPrefix(notifytest.TeamsQuery(sig), "?")},
		ErrorBody:    func(message string) (string, string) { return "application/json; charset=utf-8", refusal(message) },
	})
}

func newSender(t *testing.T, url string) *Sender {
	t.Helper()
	s, err := New(Config{URL: url + uri + "\n"}, outboundtest.Client(t)) // as in a Secret that was made with echo
	if err != nil {
		t.Fatal(err)
	}
	s.MayQuote = true // as if the server were Microsoft's
	return s
}

// body returns a message with a card of this style and these texts, as JSON.
func body(style, title, content string) string {
	block := ""
	if content != "" {
		block = `,{"type":"RichTextBlock","inlines":[{"type":"TextRun","text":` + content + `}]}`
	}
	return `{"type":"message","summary":` + title + `,"attachments":[{"contentType":"application/vnd.microsoft.card.adaptive","contentUrl":null,` +
		`"content":{"$schema":"http://adaptivecards.io/schemas/adaptive-card.json","type":"AdaptiveCard","version":"1.2","msteams":{"width":"Full"},` +
		`"body":[{"type":"Container","style":"` + style + `","bleed":true,"items":[{"type":"RichTextBlock","inlines":[` +
		`{"type":"TextRun","text":` + title + `,"weight":"bolder","size":"medium"}]}]}` + block + `]}}]}`
}

func TestSend(t *testing.T) {
	for _, c := range []struct {
		why      string
		event    result.Event
		severity notify.Severity
		answer   http.HandlerFunc
		body     string
		want     result.Receipt
	}{
		{
			"a card", result.Fired, notify.Critical, notifytest.Status(202, ""),
			body("attention", `"[Critical] Hi 🎉"`, `"Hello KubeCon 👋"`), result.Receipt{Note: started},
		},
		{
			"a warning", result.Fired, notify.Warning, notifytest.Status(202, ""),
			body("warning", `"[Warning] Hi 🎉"`, `"Hello KubeCon 👋"`), result.Receipt{Note: started},
		},
		{
			"an information, to an older workflow", result.Fired, notify.Info, notifytest.Status(200, "1"),
			body("accent", `"Hi 🎉"`, `"Hello KubeCon 👋"`), result.Receipt{Note: strings.Replace(started, "202 Accepted", "200 OK", 1)},
		},
		{
			"an update is another card", result.Updated, notify.Critical, notifytest.Status(202, ""),
			body("attention", `"Updated: [Critical] Hi 🎉"`, `"Hello KubeCon 👋"`), result.Receipt{Note: started},
		},
		{
			"resolved is a short one", result.Resolved, notify.Critical, notifytest.Status(202, ""),
			body("good", `"Resolved: [Critical] Hi 🎉"`, ""), result.Receipt{Note: started},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(c.answer)
			m := notifytest.Message(c.event)
			m.Severity = c.severity
			got, err := newSender(t, server.URL).Send(t.Context(), m, notifytest.Key("delivery", "old"))
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
			requests := server.Requests()
			if len(requests) != 1 {
				t.Fatalf("got %d requests", len(requests))
			}
			r := requests[0]
			if r.Method != http.MethodPost || r.URI != uri || r.Header.Get("Content-Type") != "application/json; charset=utf-8" {
				t.Errorf("got %s %s %v", r.Method, r.URI, r.Header)
			}
			if string(r.Body) != c.body {
				t.Errorf("got\n%s\nwant\n%s", r.Body, c.body)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	for _, c := range []struct {
		why    string
		answer http.HandlerFunc
		want   result.Error
	}{
		{
			"F-P1: the service's text, in a format that is not documented", notifytest.Status(400, refusal("The request\nwith "+sig+" is not valid.")),
			result.Error{Class: result.Configuration, Reason: result.ReasonRejected, Message: "HTTP 400 Bad Request: The request with [redacted] is not valid."},
		},
		{
			"a disabled workflow", notifytest.Status(400, errorJSON("WorkflowTriggerIsNotEnabled", "trigger is not enabled.")),
			result.Error{Class: result.Configuration, Reason: result.ReasonRejected, Message: "HTTP 400 Bad Request: trigger is not enabled."},
		},
		{
			"a deleted workflow", notifytest.Status(404, errorJSON("WorkflowNotFound", "The workflow could not be found.")),
			result.Error{Class: result.Configuration, Reason: result.ReasonNotFound, Message: "HTTP 404 Not Found: The workflow could not be found."},
		},
		{
			"a wrong signature", notifytest.Status(401, errorJSON("DirectApiAuthorizationRequired", "Not authenticated.")),
			result.Error{Class: result.Configuration, Reason: result.ReasonUnauthorized, Message: "HTTP 401 Unauthorized: Not authenticated."},
		},
		{
			"a rate limit", notifytest.Status(429, refusal("slow"), "Retry-After", "7"),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: 7 * time.Second, Message: "HTTP 429 Too Many Requests: slow"},
		},
		{
			"not in the service's format", notifytest.Status(502, "<html>"),
			result.Error{Class: result.Unknown, Reason: result.ReasonServerError, Message: "HTTP 502 Bad Gateway"},
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

// Text is not escaped: a TextRun is plain text, and mentions need entities, which the card does not have.
func TestTextIsPlain(t *testing.T) {
	const typed = "<at>all</at> @everyone <!channel> *bold* _x_ [x](https://example.com) \\*\n- a\n# b ${c} @{d()} \"&\""
	service := notifytest.NewTeams(sig)
	server := httptest.NewServer(service)
	defer server.Close()
	m := notifytest.Message(result.Fired)
	m.RawTitle, m.RawContent = typed, typed
	if _, err := newSender(t, server.URL).Send(t.Context(), m, notifytest.Key("delivery", "")); err != nil {
		t.Fatal(err)
	}
	want := []notifytest.Seen{{ID: "1", Text: "[Critical] " + typed + "\n" + typed}}
	if got := service.Seen(); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// F-B5: Teams counts a message as a string in JSON. Quotes are counted with the backslashes of both.
func TestCut(t *testing.T) {
	for why, text := range map[string]string{
		"plain": strings.Repeat("x", 30000), "emoji": strings.Repeat("👋", 30000), "quotes": strings.Repeat(`"`, 30000),
		"tags": strings.Repeat("<>&", 10000), "lines": strings.Repeat("\n", 30000), "control": strings.Repeat("\x01", 30000), "separators": strings.Repeat("\u2028", 30000),
	} {
		m := notifytest.Message(result.Fired)
		m.RawTitle, m.RawContent = text, text
		body, cuts, err := render(m)
		inJSON, _ := json.Marshal(string(body))
		inJSON = []byte(strings.NewReplacer(`\u003c`, "<", `\u003e`, ">", `\u0026`, "&").Replace(string(inJSON))) // which only HTML needs
		if n := len(inJSON) - len(`""`); err != nil || n > maxMessage || n < maxMessage-60 {
			t.Errorf("%s: %d bytes, %v", why, n, err)
		}
		if title := "; the title was cut to "; strings.HasPrefix(cuts, title) != (strings.TrimSpace(text) != "") || !strings.Contains(cuts, "; the content was cut to ") {
			t.Errorf("%s: got note %q", why, cuts)
		}
	}
	m := notifytest.Message(result.Fired)
	m.RawContent = strings.Repeat("x", 16384) // the longest content of an Alert
	if _, cuts, err := render(m); cuts != "" || err != nil {
		t.Errorf("cut although it fits: %q, %v", cuts, err)
	}
	m.RawContent = ""
	if body, _, err := render(m); err != nil || strings.Count(string(body), "RichTextBlock") != 1 {
		t.Errorf("a block without text: %s, %v", body, err)
	}
}

// A workflow has no idempotency key: after a lost response the message is posted again.
func TestSeen(t *testing.T) {
	service := notifytest.NewTeams(sig)
	server := httptest.NewServer(notifytest.LoseAnswers(service, 1))
	defer server.Close()
	s := newSender(t, server.URL)
	if _, err := s.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("first", "")); result.ClassOf(err) != result.Unknown {
		t.Fatalf("got %v", err)
	}
	for _, event := range []result.Event{result.Fired, result.Updated, result.Resolved} {
		if receipt, err := s.Send(t.Context(), notifytest.Message(event), notifytest.Key("first", "")); err != nil || receipt.ExternalID != "" {
			t.Fatalf("%s: got %+v, %v", event, receipt, err)
		}
	}
	const title, content = "[Critical] Hi 🎉", "\nHello KubeCon 👋"
	want := []notifytest.Seen{
		{ID: "1", Text: title + content}, {ID: "2", Text: title + content},
		{ID: "3", Text: "Updated: " + title + content}, {ID: "4", Text: "Resolved: " + title, Resolved: true},
	}
	if got := service.Seen(); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		why, want string
		config    Config
	}{
		{"no URL", "url: must be an absolute", Config{}},
		{"not a URL", "url: must be an absolute", Config{URL: "http://canary:canary"}},
		{"another scheme", "url: must be an absolute", Config{URL: "ftp://example.com/canary"}},
		{"credentials before the host", "url: must have no user", Config{URL: "https://canary@example.com" + uri}},
	} {
		_, err := New(c.config, outboundtest.Client(t))
		notifytest.WantInvalid(t, c.why, err, c.want)
	}
}
