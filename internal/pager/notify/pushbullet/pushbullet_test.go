// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pushbullet

import (
	"encoding/json"
	"net/http"
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
	token    = "CanaryTokenP0" // in the form of an id
	accepted = `{"active":true,"iden":"ujpah72o0sjAoRtnM0jc","created":1772366400.1,"type":"note"}`
)

func refusal(message string) string {
	body, err := json.Marshal(map[string]any{"error": map[string]string{"type": "invalid_request", "message": message, "cat": "(=^‥^=)"}})
	if err != nil {
		panic(err) // strings always encode
	}
	return string(body)
}

// At another host, Pushbullet's text is not quoted: the author of the Receiver must not see it.
func TestQuotesOnlyPushbullet(t *testing.T) {
	server := notifytest.NewServer(t)
	server.Answer(notifytest.Status(http.StatusForbidden, refusal("the secret of an internal service")))
	other := newSender(t, server, Config{Token: token})
	other.MayQuote = false
	_, err := other.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", ""))
	if err == nil || err.Error() != "HTTP 403 Forbidden" {
		t.Errorf("got %v", err)
	}
	if s, err := New(Config{Token: token}, outboundtest.Client(t)); err != nil || !s.MayQuote {
		t.Errorf("Pushbullet itself is not quoted: %v", err)
	}
}

func TestConformance(t *testing.T) {
	notifytest.Run(t, notifytest.Provider{
		New: func(url string, client *outbound.Client) (notify.Sender, error) {
			s, err := New(Config{URL: url, Token: token}, client)
			if err != nil {
				return nil, err
			}
			s.MayQuote = true
			return s, nil
		},
		Canaries:    []string{token},
		Accept:      accepted,
		NeedsBody:   true,
		ProbeAccept: `{"iden":"ujpah72o0","email":"a@example.com"}`,
		ExternalID:  "ujpah72o0sjAoRtnM0jc",
		ErrorBody:   func(message string) (string, string) { return "application/json; charset=utf-8", refusal(message) },
		RefusalBody: func(int) (string, string) {
			return "application/json; charset=utf-8", refusal("The param 'x' is missing.")
		},
		Key: func(r notifytest.Request) string {
			var p push
			_ = json.Unmarshal(r.Body, &p)
			return p.GUID
		},
	})
}

func newSender(t *testing.T, server *notifytest.Server, config Config) *Sender {
	t.Helper()
	config.URL = server.URL
	config.Token = token + "\n" // as in a Secret that was made with echo
	s, err := New(config, outboundtest.Client(t))
	if err != nil {
		t.Fatal(err)
	}
	s.MayQuote = true // as if the server were Pushbullet's
	return s
}

func TestSend(t *testing.T) {
	for _, c := range []struct {
		why        string
		config     Config
		event      result.Event
		externalID string
		answer     http.HandlerFunc
		path, body string // path "": no request
		want       result.Receipt
	}{
		{
			why: "a note to all devices", event: result.Fired, answer: notifytest.Status(200, accepted), path: "/v2/pushes",
			body: `{"type":"note","title":"[Critical] Hi 🎉","body":"Hello KubeCon 👋","guid":"delivery"}`,
			want: result.Receipt{ExternalID: "ujpah72o0sjAoRtnM0jc", Note: "HTTP 200 OK"},
		},
		{
			why: "an update is another note", event: result.Updated, externalID: "old", config: Config{DeviceIden: "dev"},
			answer: notifytest.Status(200, accepted), path: "/v2/pushes",
			body: `{"type":"note","title":"Updated: [Critical] Hi 🎉","body":"Hello KubeCon 👋","guid":"delivery","device_iden":"dev"}`,
			want: result.Receipt{ExternalID: "ujpah72o0sjAoRtnM0jc", Note: "HTTP 200 OK"},
		},
		{
			why: "resolved dismisses", event: result.Resolved, externalID: "abc", answer: notifytest.Status(200, `{"iden":"abc","dismissed":true}`),
			path: "/v2/pushes/abc", body: `{"dismissed":true}`, want: result.Receipt{ExternalID: "abc", Note: "dismissed"},
		},
		{
			why: "a deleted push is not dismissed", event: result.Resolved, externalID: "abc", answer: notifytest.Status(404, refusal("gone")),
			path: "/v2/pushes/abc", body: `{"dismissed":true}`, want: result.Receipt{Note: "no such push to dismiss: it was deleted, or is another account's"},
		},
		{why: "nothing to dismiss", event: result.Resolved, want: result.Receipt{Note: "no push to dismiss"}},
		{why: "an external id in another form", event: result.Resolved, externalID: "../devices", want: result.Receipt{Note: "no push to dismiss"}},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(c.answer)
			got, err := newSender(t, server, c.config).Send(t.Context(), notifytest.Message(c.event), notifytest.Key("delivery", c.externalID))
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
			requests := server.Requests()
			if c.path == "" {
				if len(requests) != 0 {
					t.Errorf("got %d requests, want none", len(requests))
				}
				return
			}
			if len(requests) != 1 {
				t.Fatalf("got %d requests", len(requests))
			}
			r := requests[0]
			if r.Method != http.MethodPost || r.URI != c.path || string(r.Body) != c.body || r.Header.Get("Access-Token") != token {
				t.Errorf("got %s %s %s, want POST %s %s", r.Method, r.URI, r.Body, c.path, c.body)
			}
		})
	}
}

// Pushbullet repeats the text in its response. A response that is too long to be read would cause repeats.
func TestResponseIsReadable(t *testing.T) {
	for content, note := range map[string]string{
		strings.Repeat("<", 8000):  "HTTP 200 OK",
		strings.Repeat("<", 16384): "HTTP 200 OK; the content was cut to 9564 bytes",
	} {
		server := notifytest.NewServer(t)
		server.Answer(func(w http.ResponseWriter, _ *http.Request) {
			var p push
			_ = json.Unmarshal(server.Requests()[0].Body, &p)
			p.Iden = "abc"
			_ = json.NewEncoder(w).Encode(p)
		})
		m := notifytest.Message(result.Fired)
		m.RawTitle, m.RawContent = strings.Repeat("<", 256), content
		got, err := newSender(t, server, Config{}).Send(t.Context(), m, notifytest.Key("delivery", ""))
		if want := (result.Receipt{ExternalID: "abc", Note: note}); err != nil || got != want {
			t.Errorf("got %+v, %v; want %+v", got, err, want)
		}
	}
}

func TestFailures(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	reset := strconv.FormatInt(now.Add(90*time.Second).Unix(), 10)
	for _, c := range []struct {
		why    string
		event  result.Event
		answer http.HandlerFunc
		want   result.Error
	}{
		{
			"the service's text", result.Fired, notifytest.Status(400, refusal("The param 'x'\nis "+token)),
			result.Error{Class: result.Permanent, Reason: result.ReasonRejected, Message: "HTTP 400 Bad Request: The param 'x' is [redacted]"},
		},
		{
			"the month's pushes are used up", result.Fired,
			notifytest.Status(429, `{"error":{"code":"pushbullet_pro_required","type":"invalid_request","message":"Pro required"}}`, "Retry-After", "5"),
			result.Error{Class: result.Configuration, Reason: result.ReasonQuotaExhausted, Message: "HTTP 429 Too Many Requests: Pro required"},
		},
		{
			"the same in the cat", result.Fired, notifytest.Status(400, `{"error":{"cat":"pushbullet_pro_required","message":"Pro required"}}`),
			result.Error{Class: result.Configuration, Reason: result.ReasonQuotaExhausted, Message: "HTTP 400 Bad Request: Pro required"},
		},
		{
			"until the limit is reset", result.Fired, notifytest.Status(429, refusal("slow"), "X-Ratelimit-Reset", reset),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: 90 * time.Second, Message: "HTTP 429 Too Many Requests: slow"},
		},
		{
			"Retry-After comes first", result.Fired, notifytest.Status(429, "", "X-Ratelimit-Reset", reset, "Retry-After", "3"),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: 3 * time.Second, Message: "HTTP 429 Too Many Requests"},
		},
		{
			"a reset that is too late", result.Fired, notifytest.Status(429, "", "X-Ratelimit-Reset", "9223372036854775807"),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: outbound.MaxRetryAfter, Message: "HTTP 429 Too Many Requests"},
		},
		{
			"an invalid id", result.Fired, notifytest.Status(200, `{"iden":"../x"}`),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 200 OK, but the answer is not in the form that this receiver's API documents"},
		},
		{
			"F-P1: a 404 of a proxy is not about the push", result.Resolved, notifytest.Status(404, "<html>"),
			result.Error{Class: result.Configuration, Reason: result.ReasonNotFound, Message: "HTTP 404 Not Found"},
		},
		{
			"dismissing fails", result.Resolved, notifytest.Status(500, ""),
			result.Error{Class: result.Unknown, Reason: result.ReasonServerError, Message: "HTTP 500 Internal Server Error"},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(c.answer)
			s := newSender(t, server, Config{})
			s.Now = func() time.Time { return now }
			_, err := s.Send(t.Context(), notifytest.Message(c.event), notifytest.Key("delivery", "abc"))
			notifytest.WantError(t, c.why, err, c.want)
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		why, want string
		config    Config
	}{
		{"no token", "token: must be", Config{}},
		{"a token with a control character", "token: must be", Config{Token: "canary\x00canary"}},
		{"two targets", "deviceIden, email, channelTag: at most one", Config{Token: token, DeviceIden: "canary", Email: "canary@example.com"}},
		{"not a URL", "url: must be an absolute", Config{Token: token, URL: "http://canary:canary"}},
		{"credentials in the URL", "url: must have neither", Config{Token: token, URL: "https://canary@example.com"}},
	} {
		_, err := New(c.config, outboundtest.Client(t))
		notifytest.WantInvalid(t, c.why, err, c.want)
	}
	if s, err := New(Config{Token: token}, outboundtest.Client(t)); err != nil || s.pushes.String() != DefaultURL+"/v2/pushes" {
		t.Errorf("default: got %v", err)
	}
}
