// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package ntfy

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
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
	topic    = "canary-T0pic_x"  // in the form of an id
	token    = "tk_canaryT0ken9" // in the form of an id
	password = "canary p4ss&wörd/+"
	accepted = `{"id":"xE73Iyuabi","time":1772366400,"event":"message","topic":"` + topic + `","sequence_id":"incident"}`
)

func refusal(code int, message string) string {
	body, err := json.Marshal(map[string]any{"code": code, "http": code / 100, "error": message, "link": "https://ntfy.sh/docs"})
	if err != nil {
		panic(err) // the values always encode
	}
	return string(body)
}

func TestConformance(t *testing.T) {
	for name, c := range map[string]struct {
		config   Config
		quotes   bool
		canaries []string
	}{
		"a topic without credentials": {Config{}, true, nil},
		"token":                       {Config{Token: token}, false, []string{token}},
		"token at ntfy.sh":            {Config{Token: token}, true, []string{token}},
		"basic": {Config{Username: "canary-us3r", Password: password}, true,
			[]string{"canary-us3r", password, base64.StdEncoding.EncodeToString([]byte("canary-us3r:" + password))}},
	} {
		t.Run(name, func(t *testing.T) {
			notifytest.Run(t, notifytest.Provider{
				New: func(url string, client *outbound.Client) (notify.Sender, error) {
					config := c.config
					config.URL, config.Topic = url, topic
					s, err := New(config, client)
					if err != nil {
						return nil, err
					}
					s.MayQuote = c.quotes
					return s, nil
				},
				Canaries:   append(c.canaries, topic),
				Accept:     accepted,
				NeedsBody:  true,
				ExternalID: "xE73Iyuabi",
				ErrorBody:  func(message string) (string, string) { return "application/json", refusal(40000, message) },
				RefusalBody: func(status int) (string, string) {
					return "application/json", refusal(100*status+3, "JSON body too large")
				},
				QuotesNothing: !c.quotes,
				ProbeAccept:   `{"healthy":true}`,
			})
		})
	}
}

func newSender(t *testing.T, url string, config Config) *Sender {
	t.Helper()
	config.URL = url
	if config.Topic == "" {
		config.Topic = topic + "\n" // as in a Secret that was made with echo
	}
	s, err := New(config, outboundtest.Client(t))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestSend(t *testing.T) {
	const old = `{"id":"yF84Jzvbcj","time":1772366400,"event":"message","topic":"canary"}`
	for _, c := range []struct {
		why                 string
		config              Config
		event               result.Event
		severity            notify.Severity
		answer              string
		authorization, body string
		want                result.Receipt
	}{
		{
			why: "a notification", event: result.Fired, severity: notify.Critical, answer: accepted, config: Config{Token: token + "\n"},
			authorization: "Bearer " + token,
			body:          `{"topic":"` + topic + `","title":"Hi 🎉","message":"Hello KubeCon 👋","priority":5,"sequence_id":"incident"}`,
			want:          result.Receipt{ExternalID: "xE73Iyuabi", Note: "HTTP 200 OK"},
		},
		{
			why: "an update replaces it", event: result.Updated, severity: notify.Warning, answer: accepted, config: Config{Username: "me", Password: password},
			authorization: "Basic " + base64.StdEncoding.EncodeToString([]byte("me:"+password)),
			body:          `{"topic":"` + topic + `","title":"Updated: Hi 🎉","message":"Hello KubeCon 👋","priority":4,"sequence_id":"incident"}`,
			want:          result.Receipt{ExternalID: "xE73Iyuabi", Note: "HTTP 200 OK"},
		},
		{
			why: "a resolve replaces it, without sound", event: result.Resolved, severity: notify.Critical, answer: accepted,
			body: `{"topic":"` + topic + `","title":"Resolved: Hi 🎉","message":"Hello KubeCon 👋","priority":2,"sequence_id":"incident"}`,
			want: result.Receipt{ExternalID: "xE73Iyuabi", Note: "HTTP 200 OK"},
		},
		{
			why: "a server that cannot replace", event: result.Fired, severity: notify.Info, answer: old,
			body: `{"topic":"` + topic + `","title":"Hi 🎉","message":"Hello KubeCon 👋","priority":3,"sequence_id":"incident"}`,
			want: result.Receipt{ExternalID: "yF84Jzvbcj",
				Note: "HTTP 200 OK; this server is older than ntfy 2.16: it shows each message as a notification of its own"},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(notifytest.Status(200, c.answer))
			m := notifytest.Message(c.event)
			m.Severity = c.severity
			got, err := newSender(t, server.URL, c.config).Send(t.Context(), m, notifytest.Key("delivery", ""))
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
			r := server.Requests()[0]
			if r.Method != http.MethodPost || r.URI != "/" || string(r.Body) != c.body || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("got %s %s %s, want POST / %s", r.Method, r.URI, r.Body, c.body)
			}
			if got := r.Header.Get("Authorization"); got != c.authorization {
				t.Errorf("authorized as %q, want %q", got, c.authorization)
			}
		})
	}
}

// F-P69: a notification of its own, such as of a rise, has ntfy's id and the sequence id by which it is replaced.
func TestExternalIDOfAnotherNotification(t *testing.T) {
	service := notifytest.NewNtfy(topic, "")
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	s, err := New(Config{URL: server.URL, Topic: topic}, outboundtest.Client(t))
	if err != nil {
		t.Fatal(err)
	}
	key := notify.Key{Incident: strings.Repeat("0", 32)}
	send := func(event result.Event, delivery string) string {
		t.Helper()
		key.Delivery = strings.Repeat(delivery, 32)
		receipt, err := s.Send(t.Context(), notifytest.Message(event), key)
		if err != nil {
			t.Fatal(err)
		}
		return receipt.ExternalID
	}
	key.ExternalID = send(result.Fired, "a")
	if strings.Contains(key.ExternalID, "/") {
		t.Errorf("fired: got %q", key.ExternalID)
	}
	rise := strings.Repeat("b", 32)
	key.ExternalID = send(result.Fired, "b")
	for _, id := range []string{key.ExternalID, rise} { // rise: as former versions recorded it
		key.ExternalID = id
		if got := send(result.Updated, "c"); !strings.HasSuffix(got, "/"+rise) || len(got) == len("/"+rise) {
			t.Errorf("updated after %q: got %q", id, got)
		}
	}
	if seen := service.Seen(); len(seen) != 2 || seen[1].ID != rise {
		t.Errorf("people see %+v", seen)
	}
}

// After a lost response people see one notification where the server supports sequence ids.
func TestAgainstServer(t *testing.T) {
	for name, c := range map[string]struct {
		old  bool
		want []notifytest.Seen
	}{
		"with sequence ids": {false, []notifytest.Seen{
			{ID: "incident", Text: "Resolved: Hi 🎉\nHello KubeCon 👋", Resolved: true},
		}},
		"without sequence ids": {true, []notifytest.Seen{
			{ID: "msg000000001", Text: "Hi 🎉\nHello KubeCon 👋"},
			{ID: "msg000000002", Text: "Hi 🎉\nHello KubeCon 👋"},
			{ID: "msg000000003", Text: "Updated: Hi 🎉\nHello KubeCon 👋"},
			{ID: "msg000000004", Text: "Resolved: Hi 🎉\nHello KubeCon 👋", Resolved: true},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			ntfy := notifytest.NewNtfy(topic, token)
			ntfy.Old = c.old
			server := httptest.NewServer(notifytest.LoseAnswers(ntfy, 1))
			t.Cleanup(server.Close)
			s := newSender(t, server.URL, Config{Token: token})
			for i, event := range []result.Event{result.Fired, result.Fired, result.Updated, result.Resolved} {
				receipt, err := s.Send(t.Context(), notifytest.Message(event), notifytest.Key("delivery", ""))
				if i == 0 && result.ClassOf(err) != result.Unknown || i > 0 && err != nil {
					t.Fatalf("%d: got %v", i, err)
				}
				if i > 0 && strings.Contains(receipt.Note, "older") != c.old {
					t.Errorf("got the note %q", receipt.Note)
				}
			}
			seen := ntfy.Seen()
			if len(seen) != len(c.want) {
				t.Fatalf("people see %+v", seen)
			}
			for i, want := range c.want {
				if seen[i] != want {
					t.Errorf("people see %+v, want %+v", seen[i], want)
				}
			}
			if err := s.Probe(t.Context()); err != nil {
				t.Errorf("Probe: %v", err)
			}
			if err := newSender(t, server.URL, Config{Token: "tk_another"}).Probe(t.Context()); result.ClassOf(err) != result.Configuration {
				t.Errorf("Probe with a wrong token: %v", err)
			}
		})
	}
}

func TestFailures(t *testing.T) {
	now := time.Date(2026, 3, 1, 21, 30, 0, 0, time.FixedZone("", 3600))
	for _, c := range []struct {
		why    string
		quotes bool
		answer http.HandlerFunc
		want   result.Error
	}{
		{
			"wrong token", false, notifytest.Status(401, refusal(40101, "unauthorized")),
			result.Error{Class: result.Configuration, Reason: result.ReasonUnauthorized, Message: "HTTP 401 Unauthorized (ntfy's error 40101)"},
		},
		{
			"wrong topic", true, notifytest.Status(403, refusal(40301, "forbidden: "+topic)),
			result.Error{Class: result.Configuration, Reason: result.ReasonForbidden, Message: "HTTP 403 Forbidden (ntfy's error 40301): forbidden: [redacted]"},
		},
		{
			"a rate limit", true, notifytest.Status(429, refusal(42901, "limit reached: too many requests")),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, Message: "HTTP 429 Too Many Requests (ntfy's error 42901): limit reached: too many requests"},
		},
		{
			"the day's messages are used up", true, notifytest.Status(429, refusal(42908, "limit reached: daily message quota reached"), "Retry-After", "5"),
			result.Error{Class: result.Temporary, Reason: result.ReasonQuotaExhausted, RetryAfter: 3*time.Hour + 30*time.Minute,
				Message: "HTTP 429 Too Many Requests (ntfy's error 42908): limit reached: daily message quota reached"},
		},
		{
			"too large", false, notifytest.Status(413, refusal(41303, "JSON body too large")),
			result.Error{Class: result.Permanent, Reason: result.ReasonRejected, Message: "HTTP 413 Request Entity Too Large (ntfy's error 41303)"},
		},
		{
			"a number that is not ntfy's", false, notifytest.Status(403, refusal(31337, "secret")),
			result.Error{Class: result.Configuration, Reason: result.ReasonForbidden, Message: "HTTP 403 Forbidden"},
		},
		{
			"an invalid id", true, notifytest.Status(200, `{"id":"a/b"}`),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 200 OK, but the answer is not in the form that this receiver's API documents"},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(c.answer)
			s := newSender(t, server.URL, Config{Token: token})
			s.MayQuote, s.Now = c.quotes, func() time.Time { return now }
			_, err := s.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", ""))
			notifytest.WantError(t, c.why, err, c.want)
		})
	}
}

func TestProbeFails(t *testing.T) {
	for _, c := range []struct {
		why, answer string
		class       result.Class
	}{
		{"not ntfy", "<html>", result.Unconfirmed},
		{"JSON that is not ntfy's", "{}", result.Unconfirmed},
		{"not healthy", `{"healthy":false}`, result.Temporary},
	} {
		server := notifytest.NewServer(t)
		server.Answer(notifytest.Status(200, c.answer))
		if err := newSender(t, server.URL, Config{}).Probe(t.Context()); result.ClassOf(err) != c.class {
			t.Errorf("%s: got %v, want %s", c.why, err, c.class)
		}
		if r := server.Requests()[0]; r.Method != http.MethodGet || r.URI != "/v1/health" {
			t.Errorf("%s: asked %s %s", c.why, r.Method, r.URI)
		}
	}
}

// The texts of an Alert are accepted as a message, not as a file, and shown as typed.
func TestText(t *testing.T) {
	const markup = "<!channel> @everyone *bold* [x](https://example.com/:wave:) `:wave:` <script> &amp;"
	for _, c := range []struct {
		why, title, content string
		note, text          string // "": any text that was cut
	}{
		{why: "markup", title: "<b> @channel", content: markup, note: "HTTP 200 OK", text: "<b> @channel\n" + markup},
		{why: "the longest that fits", title: "x", content: strings.Repeat("&", 4095), note: "HTTP 200 OK", text: "x\n" + strings.Repeat("&", 4095)},
		{why: "one more", title: "x", content: strings.Repeat("x", 4096), note: "HTTP 200 OK; the content was cut to 4095 bytes"},
		{why: "characters of four bytes", title: "x", content: strings.Repeat("👋", 4096), note: "HTTP 200 OK; the content was cut to 4093 bytes"},
		{why: "a title of four bytes each", title: strings.Repeat("👋", 256), content: "x", note: "HTTP 200 OK", text: strings.Repeat("👋", 256) + "\nx"},
		{why: "characters of two bytes in JSON", title: "x", content: strings.Repeat("\"", 4095), note: "HTTP 200 OK; the content was cut to 4055 bytes"},
		{why: "characters of six bytes in JSON", title: "x", content: strings.Repeat("\x01", 4000), note: "HTTP 200 OK; the content was cut to 1357 bytes"},
		{why: "characters of three bytes that are six in JSON", title: "x", content: strings.Repeat("\u2028", 1365), note: "HTTP 200 OK; the content was cut to 4053 bytes"},
	} {
		t.Run(c.why, func(t *testing.T) {
			ntfy := notifytest.NewNtfy(topic, "")
			server := httptest.NewServer(ntfy)
			t.Cleanup(server.Close)
			m := notifytest.Message(result.Fired)
			m.RawTitle, m.RawContent = c.title, c.content
			got, err := newSender(t, server.URL, Config{}).Send(t.Context(), m, notifytest.Key("delivery", ""))
			if err != nil || got.Note != c.note {
				t.Errorf("got %q, %v; want %q", got.Note, err, c.note)
			}
			text := ntfy.Seen()[0].Text
			if c.text == "" && !strings.HasSuffix(text, "… [cut]") || c.text != "" && text != c.text {
				t.Errorf("people see %q", text)
			}
		})
	}
	m := notifytest.Message(result.Resolved)
	m.RawTitle = strings.Repeat("👋", 256)
	ntfy := notifytest.NewNtfy(topic, "")
	server := httptest.NewServer(ntfy)
	t.Cleanup(server.Close)
	got, err := newSender(t, server.URL, Config{}).Send(t.Context(), m, notifytest.Key("delivery", ""))
	if err != nil || got.Note != "HTTP 200 OK; the title was cut to 1023 bytes" {
		t.Errorf("a long title: got %q, %v", got.Note, err)
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		why, want string
		config    Config
	}{
		{"no topic", "topic: must have", Config{}},
		{"a topic with a path", "topic: must have", Config{Topic: "canary/canary"}},
		{"a long topic", "topic: must have", Config{Topic: strings.Repeat("canary", 11)}},
		{"not a URL", "url: must be an absolute", Config{Topic: topic, URL: "ntfy.sh/canary"}},
		{"the topic in the URL", "url: must have no path", Config{Topic: topic, URL: "https://ntfy.sh/canary"}},
		{"credentials in the URL", "url: must have neither user", Config{Topic: topic, URL: "https://canary:canary@ntfy.sh"}},
		{"a token in the URL", "url: must have neither user", Config{Topic: topic, URL: "https://ntfy.sh?auth=canary"}},
		{"two credentials", "token, username: only one", Config{Topic: topic, Token: token, Password: "canary"}},
		{"a token with a control character", "token: must have no", Config{Topic: topic, Token: "canary\ncanary"}},
		{"a password without a username", "username: must not be", Config{Topic: topic, Password: "canary"}},
		{"a colon in the name", "username: must not be", Config{Topic: topic, Username: "canary:canary"}},
	} {
		_, err := New(c.config, outboundtest.Client(t))
		notifytest.WantInvalid(t, c.why, err, c.want)
	}
	s, err := New(Config{Topic: topic}, outboundtest.Client(t))
	if err != nil || s.publish.String() != "https://ntfy.sh/" || !s.MayQuote {
		t.Errorf("default: got %v, %v", s, err)
	}
	if s, err = New(Config{Topic: topic, URL: "https://ntfy.sh.example.com/"}, outboundtest.Client(t)); err != nil || s.MayQuote {
		t.Errorf("another server: got %v, %v", s, err)
	}
}
