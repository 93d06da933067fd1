// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package googlechat

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
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
	key      = "CanaryKeyG1-abcdefghij"
	token    = "Canary-T0ken/abc+def=&ghi"
	accepted = `{"name":"spaces/AAAAfake/messages/B1.C2","thread":{"name":"spaces/AAAAfake/threads/B1"}}`
	made     = "spaces/AAAAfake/messages/B1.C2"
)

var query = "key=" + key + "&token=" + url.QueryEscape(token)

// invalidArgument returns Google's refusal of a content.
func invalidArgument(status int, message string) string {
	return fmt.Sprintf(`{"error":{"code":%d,"message":%q,"status":"INVALID_ARGUMENT"}}`, status, message)
}

func refusal(message string) string { return errorJSON(message, "PERMISSION_DENIED") }

func errorJSON(message, reason string) string {
	body, err := json.Marshal(map[string]any{"error": map[string]any{
		"code": 403, "message": message, "status": "PERMISSION_DENIED", "details": []map[string]any{{"@type": "x"}, {"reason": reason}},
	}})
	if err != nil {
		panic(err) // strings always encode
	}
	return string(body)
}

// At another host, Google's text is not quoted: the author of the Receiver must not see it.
func TestQuotesOnlyGoogle(t *testing.T) {
	server := notifytest.NewServer(t)
	server.Answer(notifytest.Status(http.StatusForbidden, refusal("the secret of an internal service")))
	other := newSender(t, server.URL)
	other.MayQuote = false
	_, err := other.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", ""))
	if err == nil || err.Error() != "HTTP 403 Forbidden" {
		t.Errorf("got %v", err)
	}
	for host, want := range map[string]bool{"chat.googleapis.com": true, "x.chat.googleapis.com": false, "chat.googleapis.com.example.com": false} {
		if s, err := New(Config{URL: "https://" + host + notifytest.GoogleChatPath + "?" + query}, outboundtest.Client(t)); err != nil || s.MayQuote != want {
			t.Errorf("%s: quoted is not %t: %v", host, want, err)
		}
	}
}

func TestConformance(t *testing.T) {
	notifytest.Run(t, notifytest.Provider{
		New: func(url string, client *outbound.Client) (notify.Sender, error) {
			s, err := New(Config{URL: url + notifytest.GoogleChatPath + "?" + query}, client)
			if err != nil {
				return nil, err
			}
			s.MayQuote = true
			return s, nil
		},
		Canaries:   []string{key, token, query, notifytest.GoogleChatPath + "?" + query},
		Accept:     accepted,
		NeedsBody:  true,
		ExternalID: made,
		ErrorBody:  func(message string) (string, string) { return "application/json; charset=UTF-8", refusal(message) },
		RefusalBody: func(status int) (string, string) {
			return "application/json; charset=UTF-8", invalidArgument(status, "Invalid card.")
		},
		Key: func(r notifytest.Request) string {
			target, err := url.Parse(r.URI)
			if err != nil {
				return ""
			}
			return target.Query().Get("requestId")
		},
	})
}

func newSender(t *testing.T, address string) *Sender {
	t.Helper()
	s, err := New(Config{URL: address + notifytest.GoogleChatPath + "?" + query + "\n"}, outboundtest.Client(t)) // as in a Secret that was made with echo
	if err != nil {
		t.Fatal(err)
	}
	s.MayQuote = true // as if the server were Google's
	return s
}

// body returns a message with this text in notifications, and these paragraphs, as JSON.
func body(fallback string, paragraphs ...string) string {
	var widgets []string
	for _, text := range paragraphs {
		widgets = append(widgets, `{"textParagraph":{"text":"`+text+`"}}`)
	}
	return `{"fallbackText":"` + fallback + `","cardsV2":[{"cardId":"alert","card":{"sections":[{"widgets":[` + strings.Join(widgets, ",") + `]}]}}],` +
		`"thread":{"threadKey":"incident"}}`
}

func title(color, text string) string {
	return `<font color=\"` + color + `\"><b>` + text + `</b></font>`
}

func TestSend(t *testing.T) {
	for _, c := range []struct {
		why      string
		event    result.Event
		severity notify.Severity
		body     string
	}{
		{
			"a message", result.Fired, notify.Critical,
			body(`[Critical] Hi 🎉\nHello KubeCon 👋`, title("#d32f2f", "[Critical] Hi 🎉"), "Hello KubeCon 👋"),
		},
		{
			"a warning", result.Fired, notify.Warning,
			body(`[Warning] Hi 🎉\nHello KubeCon 👋`, title("#e65100", "[Warning] Hi 🎉"), "Hello KubeCon 👋"),
		},
		{
			"an information", result.Fired, notify.Info,
			body(`Hi 🎉\nHello KubeCon 👋`, title("#1976d2", "Hi 🎉"), "Hello KubeCon 👋"),
		},
		{
			"an update is a reply", result.Updated, notify.Critical,
			body(`Updated: [Critical] Hi 🎉\nHello KubeCon 👋`, title("#d32f2f", "Updated: [Critical] Hi 🎉"), "Hello KubeCon 👋"),
		},
		{
			"resolved is a short one", result.Resolved, notify.Critical,
			body(`Resolved: [Critical] Hi 🎉`, title("#2e7d32", "Resolved: [Critical] Hi 🎉")),
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(notifytest.Status(200, accepted))
			m := notifytest.Message(c.event)
			m.Severity = c.severity
			got, err := newSender(t, server.URL).Send(t.Context(), m, notifytest.Key("delivery", "old"))
			if want := (result.Receipt{ExternalID: made, Note: "HTTP 200 OK"}); err != nil || got != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
			requests := server.Requests()
			if len(requests) != 1 {
				t.Fatalf("got %d requests", len(requests))
			}
			r := requests[0]
			uri := notifytest.GoogleChatPath + "?key=" + key + "&messageReplyOption=REPLY_MESSAGE_FALLBACK_TO_NEW_THREAD&token=" + url.QueryEscape(token) + "&requestId=delivery"
			if r.Method != http.MethodPost || r.URI != uri || r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Authorization") != "" {
				t.Errorf("got %s %s %v", r.Method, r.URI, r.Header)
			}
			if string(r.Body) != c.body {
				t.Errorf("got\n%s\nwant\n%s", r.Body, c.body)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	badAnswer := result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 200 OK, but the answer is not in the form that this receiver's API documents"}
	for _, c := range []struct {
		why    string
		answer http.HandlerFunc
		want   result.Error
	}{
		{ // observed with Google Chat
			"the service's text with the whole query", notifytest.Status(403, refusal("Permission denied\nfor ?"+query)),
			result.Error{Class: result.Configuration, Reason: result.ReasonForbidden, Message: "HTTP 403 Forbidden: Permission denied for ?[redacted]"},
		},
		{
			"F-P37: a state of the space is not the content's fault", notifytest.Status(400, `{"error":{"code":400,"message":"no","status":"FAILED_PRECONDITION"}}`),
			result.Error{Class: result.Configuration, Reason: result.ReasonRejected, Message: "HTTP 400 Bad Request: no"},
		},
		{
			"a wrong key", notifytest.Status(400, errorJSON("API key not valid.", "API_KEY_INVALID")),
			result.Error{Class: result.Configuration, Reason: result.ReasonUnauthorized, Message: "HTTP 400 Bad Request: API key not valid."},
		},
		{
			"a refused message", notifytest.Status(400, invalidArgument(400, "Invalid card.")),
			result.Error{Class: result.Permanent, Reason: result.ReasonRejected, Message: "HTTP 400 Bad Request: Invalid card."},
		},
		{
			"a deleted webhook", notifytest.Status(404, refusal("Requested entity was not found.")),
			result.Error{Class: result.Configuration, Reason: result.ReasonNotFound, Message: "HTTP 404 Not Found: Requested entity was not found."},
		},
		{
			"one write a second", notifytest.Status(429, refusal("Resource has been exhausted (e.g. check quota)."), "Retry-After", "7"),
			result.Error{
				Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: 7 * time.Second,
				Message: "HTTP 429 Too Many Requests: Resource has been exhausted (e.g. check quota).",
			},
		},
		{
			"not in the service's format", notifytest.Status(502, "<html>"),
			result.Error{Class: result.Unknown, Reason: result.ReasonServerError, Message: "HTTP 502 Bad Gateway"},
		},
		{"an invalid name", notifytest.Status(200, `{"name":"spaces/x"}`), badAnswer},
		{"a name with a path", notifytest.Status(200, `{"name":"spaces/x/messages/../y"}`), badAnswer},
		{"a name with a credential", notifytest.Status(200, `{"name":"spaces/x/messages/`+key+`"}`), badAnswer},
		{"a name that is too long", notifytest.Status(200, `{"name":"spaces/x/messages/`+strings.Repeat("x", 200)+`"}`), badAnswer},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(c.answer)
			_, err := newSender(t, server.URL).Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", ""))
			notifytest.WantError(t, c.why, err, c.want)
		})
	}
}

func TestEscape(t *testing.T) {
	service := notifytest.NewGoogleChat(key, token)
	server := httptest.NewServer(service)
	defer server.Close()
	s := newSender(t, server.URL)
	for _, typed := range []string{
		"*bold* _italic_ ~gone~ `code` ```block```",
		"<users/all> <users/123> @all <https://example.com|here> [x](https://example.com)",
		`<b>bold</b> <font color="#ff0000">red</font> <br> &lt; &amp;amp; "quoted" 'too'`,
		"first\nsecond\n\n- third",
		"<!channel> @everyone <@U123>",
	} {
		m := notifytest.Message(result.Fired)
		m.RawTitle, m.RawContent = typed, typed
		if _, err := s.Send(t.Context(), m, notifytest.Key(typed, "")); err != nil {
			t.Fatal(err)
		}
		seen := service.Seen()
		if got, want := seen[len(seen)-1].Text, "[Critical] "+typed+"\n"+typed; got != want {
			t.Errorf("%q is shown as %q", want, got)
		}
		body, _, err := render(m, notify.Key{})
		var sent message
		if err != nil || json.Unmarshal(body, &sent) != nil || strings.Contains(sent.FallbackText, "<users/") {
			t.Errorf("in a notification: %q, %v", sent.FallbackText, err)
		}
	}
}

func TestCut(t *testing.T) {
	for why, text := range map[string]string{
		"plain": strings.Repeat("x", 40000), "emoji": strings.Repeat("👋", 40000), "quotes": strings.Repeat(`"`, 40000),
		"tags": strings.Repeat("<>&", 10000), "lines": strings.Repeat("x\n", 20000), "control": strings.Repeat("\x01", 40000), "mentions": strings.Repeat("<users/all>", 4000),
	} {
		m := notifytest.Message(result.Fired)
		m.RawTitle, m.RawContent = text, text
		body, cuts, err := render(m, notifytest.Key("delivery", ""))
		if err != nil || len(body) > maxMessage || len(body) < maxMessage-40 {
			t.Errorf("%s: %d bytes, %v", why, len(body), err)
		}
		if !strings.HasPrefix(cuts, "; the title was cut to ") || !strings.Contains(cuts, "; the content was cut to ") {
			t.Errorf("%s: got note %q", why, cuts)
		}
	}
	m := notifytest.Message(result.Fired)
	for _, content := range []string{strings.Repeat("x", 16384), strings.Repeat("fourteen chars\n", 1092)} { // the longest content of an Alert
		m.RawContent = content
		if _, cuts, err := render(m, notify.Key{}); cuts != "" || err != nil {
			t.Errorf("cut although it fits: %q, %v", cuts, err)
		}
	}
	m.RawContent = " \n"
	if body, _, err := render(m, notify.Key{}); err != nil || strings.Count(string(body), "textParagraph") != 1 {
		t.Errorf("a paragraph without text: %s, %v", body, err)
	}
}

// A repeat has the same request id: each message is shown once, in one thread.
func TestSeen(t *testing.T) {
	service := notifytest.NewGoogleChat(key, token)
	const text = "[Critical] Hi 🎉\nHello KubeCon 👋"
	for i, c := range []struct {
		event    result.Event
		delivery string
		want     notifytest.Seen
	}{
		{result.Fired, "first", notifytest.Seen{Text: text}},
		{result.Updated, "second", notifytest.Seen{Text: "Updated: " + text}},
		{result.Resolved, "third", notifytest.Seen{Text: "Resolved: [Critical] Hi 🎉", Resolved: true}},
	} {
		server := httptest.NewServer(notifytest.LoseAnswers(service, 1))
		defer server.Close()
		s := newSender(t, server.URL)
		if _, err := s.Send(t.Context(), notifytest.Message(c.event), notifytest.Key(c.delivery, "")); result.ClassOf(err) != result.Unknown {
			t.Fatalf("%s: got %v", c.event, err)
		}
		receipt, err := s.Send(t.Context(), notifytest.Message(c.event), notifytest.Key(c.delivery, ""))
		if err != nil {
			t.Fatalf("%s: %v", c.event, err)
		}
		c.want.ID = receipt.ExternalID
		if seen := service.Seen(); len(seen) != i+1 || seen[i] != c.want {
			t.Errorf("%s: got %+v, want %+v at the end", c.event, seen, c.want)
		}
	}
	if got := service.Thread("incident"); got != "spaces/AAAAfake/threads/m1" {
		t.Errorf("not in the thread of the first message but in %q", got)
	}
}

func TestFakeRefuses(t *testing.T) {
	server := httptest.NewServer(notifytest.NewGoogleChat("another", token))
	defer server.Close()
	_, err := newSender(t, server.URL).Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("first", ""))
	if own, ok := errors.AsType[*result.Error](err); !ok || own.Class != result.Configuration || own.Reason != result.ReasonUnauthorized {
		t.Errorf("got %v", err)
	}
}

func TestNewRefuses(t *testing.T) {
	const (
		hook     = "https://chat.googleapis.com/v1/spaces/x/messages"
		isNoHook = "url: must be the address of a space's webhook"
	)
	if s, err := New(Config{URL: hook + "?key=k&token=t&x=y%26z"}, outboundtest.Client(t)); err != nil || !slices.Equal(s.query["x"], []string{"y&z"}) {
		t.Errorf("the URL's own query values are not kept: %v", err)
	}
	for _, c := range []struct{ why, want, url string }{
		{"no URL", "url: must be an absolute", ""},
		{"not a URL", "url: must be an absolute", "http://canary:canary"},
		{"no token", isNoHook, hook + "?key=canary"},
		{"no key", isNoHook, hook + "?token=canary"},
		{"a message", isNoHook, hook + "/canary?key=canary&token=canary"},
		{"the address of a space", isNoHook, "https://chat.google.com/room/canary?key=canary&token=canary"},
		{"credentials before the host", isNoHook, "https://canary@chat.googleapis.com/v1/spaces/x/messages?key=canary&token=canary"},
		{"an invalid query", isNoHook, hook + "?key=canary&token=canary&x=%zz"},
		{"a thread in the query", "url: must have no threadKey", hook + "?key=canary&token=canary&threadKey=canary"},
		{"a request id in the query", "url: must have no requestId", hook + "?key=canary&token=canary&requestId=canary"},
	} {
		_, err := New(Config{URL: c.url}, outboundtest.Client(t))
		notifytest.WantInvalid(t, c.why, err, c.want)
	}
}
