// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package slack

import (
	"encoding/json"
	"html"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/slack-go/slack"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/outboundtest"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/chat"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

const (
	token   = "CANARYTOKEN0" // in the form of a channel's id
	channel = "C0123456789"
	ts      = "1772366400.000100"
	posted  = `{"ok":true,"channel":"C0123456789","ts":"1772366400.000100","message":{"type":"message"}}`
	hookKey = "canaryHookCanaryHook0000"
	hook    = "/services/T0/B0/" + hookKey
)

func refused(code string) string {
	body, err := json.Marshal(map[string]any{"ok": false, "error": code})
	if err != nil {
		panic(err) // strings always encode
	}
	return string(body)
}

// displayed returns what people read of attachments.
func displayed(attachments []slack.Attachment) string {
	var text strings.Builder
	for _, a := range attachments {
		text.WriteString(html.UnescapeString(a.Title + "\n" + a.Text))
	}
	return text.String()
}

func form(r notifytest.Request) url.Values {
	values, _ := url.ParseQuery(string(r.Body))
	return values
}

func TestBotConformance(t *testing.T) {
	notifytest.Run(t, notifytest.Provider{
		New: func(url string, client *outbound.Client) (notify.Sender, error) {
			s, err := New(Config{URL: url, Token: token, Channel: channel}, client)
			if err != nil {
				return nil, err
			}
			s.(*Bot).MayQuote = true
			return s, nil
		},
		Canaries:    []string{token},
		Accept:      posted,
		NeedsBody:   true,
		ExternalID:  channel + "/" + ts,
		ProbeAccept: `{"ok":true,"url":"https://example.slack.com/","team":"Example","user":"bellhop","team_id":"T0","user_id":"U0","bot_id":"B0"}`,
		ErrorBody:   func(message string) (string, string) { return "application/json; charset=utf-8", refused(message) },
		Key: func(r notifytest.Request) string {
			var metadata struct {
				Payload struct {
					Delivery string `json:"delivery"`
				} `json:"event_payload"`
			}
			_ = json.Unmarshal([]byte(form(r).Get("metadata")), &metadata)
			return metadata.Payload.Delivery
		},
		Text: func(r notifytest.Request) string {
			var attachments []slack.Attachment
			_ = json.Unmarshal([]byte(form(r).Get("attachments")), &attachments)
			return displayed(attachments)
		},
	})
}

func TestWebhookConformance(t *testing.T) {
	notifytest.Run(t, notifytest.Provider{
		New: func(url string, client *outbound.Client) (notify.Sender, error) {
			s, err := New(Config{WebhookURL: url + hook + "?key=canary%2Fquery+value"}, client)
			if err != nil {
				return nil, err
			}
			s.(*chat.Webhook).MayQuote = true
			return s, nil
		},
		Canaries:    []string{hookKey, hook, "canary/query value"},
		Accept:      "ok",
		NeedsBody:   true,
		ErrorBody:   func(message string) (string, string) { return "text/plain", message },
		RefusalBody: func(int) (string, string) { return "text/plain", "invalid_payload" },
		Text: func(r notifytest.Request) string {
			var m slack.WebhookMessage
			_ = json.Unmarshal(r.Body, &m)
			return displayed(m.Attachments)
		},
	})
}

func newBotSender(t *testing.T, server *notifytest.Server) *Bot {
	t.Helper()
	s, err := New(Config{URL: server.URL + "/api", Token: token + "\n", Channel: channel}, outboundtest.Client(t)) // as in a Secret that was made with echo
	if err != nil {
		t.Fatal(err)
	}
	bot := s.(*Bot)
	bot.MayQuote = true // as if the server were Slack's
	return bot
}

const (
	critical = `[{"color":"danger","fallback":"[Critical] Hi 🎉","title":"[Critical] Hi 🎉","text":"Hello KubeCon 👋","blocks":null}]`
	update   = `[{"color":"danger","fallback":"Updated: [Critical] Hi 🎉","title":"Updated: [Critical] Hi 🎉","text":"Hello KubeCon 👋","blocks":null}]`
	over     = `[{"color":"good","fallback":"Resolved: [Critical] Hi 🎉","title":"Resolved: [Critical] Hi 🎉","text":"Hello KubeCon 👋","blocks":null}]`
	overOnly = `[{"color":"good","fallback":"Resolved: [Critical] Hi 🎉","title":"Resolved: [Critical] Hi 🎉","blocks":null}]`
)

func postForm(attachments string) url.Values {
	return url.Values{
		"token": {token}, "channel": {channel}, "attachments": {attachments}, "parse": {"none"}, "link_names": {"false"},
		"metadata":     {`{"event_type":"bellhop_alert","event_payload":{"delivery":"delivery"}}`},
		"unfurl_links": {"false"}, "unfurl_media": {"false"},
	}
}

func updateForm(attachments string) url.Values {
	values := postForm(attachments)
	values.Del("unfurl_links")
	values.Del("unfurl_media")
	values.Set("channel", "C9")
	values.Set("ts", "99.1")
	return values
}

func TestBotSends(t *testing.T) {
	edited := notifytest.Status(200, `{"ok":true,"channel":"C9","ts":"99.1","text":""}`)
	made := notifytest.Status(200, posted)
	refuse := func(code string) http.HandlerFunc { return notifytest.Status(200, refused(code)) }
	post, edit := "/api/chat.postMessage", "/api/chat.update"
	for _, c := range []struct {
		why        string
		event      result.Event
		externalID string
		answer     http.HandlerFunc
		paths      []string
		forms      []url.Values
		want       result.Receipt
	}{
		{
			"a new message", result.Fired, "", made, []string{post}, []url.Values{postForm(critical)},
			result.Receipt{ExternalID: channel + "/" + ts, Note: "HTTP 200 OK"},
		},
		{
			"an update edits it, where it is", result.Updated, "C9/99.1", edited, []string{edit}, []url.Values{updateForm(update)},
			result.Receipt{ExternalID: "C9/99.1", Note: "HTTP 200 OK: the message was edited"},
		},
		{
			"resolved edits it", result.Resolved, "C9/99.1", edited, []string{edit}, []url.Values{updateForm(over)},
			result.Receipt{ExternalID: "C9/99.1", Note: "HTTP 200 OK: the message was edited"},
		},
		{
			"an update of a deleted message is a new message", result.Updated, "C9/99.1", notifytest.InSequence(refuse("message_not_found"), made),
			[]string{edit, post}, []url.Values{updateForm(update), postForm(update)},
			result.Receipt{ExternalID: channel + "/" + ts, Note: "HTTP 200 OK"},
		},
		{
			"an update after the time limit of edits is a new message", result.Updated, "C9/99.1", notifytest.InSequence(refuse("edit_window_closed"), made),
			[]string{edit, post}, []url.Values{updateForm(update), postForm(update)},
			result.Receipt{ExternalID: channel + "/" + ts, Note: "HTTP 200 OK"},
		},
		{
			"a resolve of a deleted message is not sent", result.Resolved, "C9/99.1", refuse("message_not_found"),
			[]string{edit}, []url.Values{updateForm(over)}, result.Receipt{Note: "the message is gone already"},
		},
		{
			"a resolve of what cannot be edited is a new message", result.Resolved, "C9/99.1", notifytest.InSequence(refuse("cant_update_message"), made),
			[]string{edit, post}, []url.Values{updateForm(over), postForm(overOnly)},
			result.Receipt{ExternalID: channel + "/" + ts, Note: "HTTP 200 OK"},
		},
		{
			"no message to edit", result.Resolved, "", made, []string{post}, []url.Values{postForm(overOnly)},
			result.Receipt{ExternalID: channel + "/" + ts, Note: "HTTP 200 OK"},
		},
		{
			"an external id in another form", result.Updated, "../C9/99.1", made, []string{post}, []url.Values{postForm(update)},
			result.Receipt{ExternalID: channel + "/" + ts, Note: "HTTP 200 OK"},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(c.answer)
			got, err := newBotSender(t, server).Send(t.Context(), notifytest.Message(c.event), notifytest.Key("delivery", c.externalID))
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
			requests := server.Requests()
			if len(requests) != len(c.paths) {
				t.Fatalf("got %d requests, want %d", len(requests), len(c.paths))
			}
			for i, r := range requests {
				if r.Method != http.MethodPost || r.URI != c.paths[i] || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded" {
					t.Errorf("got %s %s as %s, want POST %s", r.Method, r.URI, r.Header.Get("Content-Type"), c.paths[i])
				}
				if got, want := form(r).Encode(), c.forms[i].Encode(); got != want {
					t.Errorf("got the form\n%s, want\n%s", got, want)
				}
			}
		})
	}
}

func TestWebhookSends(t *testing.T) {
	for event, want := range map[result.Event]string{
		result.Fired:    critical,
		result.Updated:  update,
		result.Resolved: overOnly,
	} {
		server := notifytest.NewServer(t)
		server.Answer(notifytest.Status(200, "ok"))
		s, err := New(Config{WebhookURL: server.URL + hook + "\n"}, outboundtest.Client(t))
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Send(t.Context(), notifytest.Message(event), notifytest.Key("delivery", "C9/99.1"))
		if err != nil || got != (result.Receipt{Note: "HTTP 200 OK"}) {
			t.Errorf("%s: got %+v, %v", event, got, err)
		}
		requests := server.Requests()
		if len(requests) != 1 {
			t.Fatalf("%s: got %d requests", event, len(requests))
		}
		r := requests[0]
		want := `{"attachments":` + want + `,"parse":"none","replace_original":false,"delete_original":false,"unfurl_links":false,"unfurl_media":false}`
		if r.Method != http.MethodPost || r.URI != hook || r.Header.Get("Content-Type") != "application/json" || string(r.Body) != want {
			t.Errorf("%s: got %s %s %s, want POST %s %s", event, r.Method, r.URI, r.Body, hook, want)
		}
		if _, ok := s.(notify.Prober); ok {
			t.Error("a webhook must not be a notify.Prober")
		}
	}
}

func TestBotFailures(t *testing.T) {
	ok := func(code string) http.HandlerFunc { return notifytest.Status(200, refused(code), "Retry-After", "7") }
	for _, c := range []struct {
		why    string
		event  result.Event
		answer http.HandlerFunc
		want   result.Error
	}{
		{
			"a partial success", result.Fired, ok("internal_error"),
			result.Error{Class: result.Unknown, Reason: result.ReasonServerError, RetryAfter: 7 * time.Second, Message: "HTTP 200 OK: internal_error"},
		},
		{
			"the service's timeout", result.Fired, notifytest.Status(200, refused("request_timeout")),
			result.Error{Class: result.Unknown, Reason: result.ReasonTimeout, Message: "HTTP 200 OK: request_timeout"},
		},
		{
			"a rate limit with status 200", result.Updated, ok("ratelimited"),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: 7 * time.Second, Message: "HTTP 200 OK: ratelimited"},
		},
		{
			"a rate limit with status 429", result.Resolved, notifytest.Status(429, refused("ratelimited"), "Retry-After", "3"),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: 3 * time.Second, Message: "HTTP 429 Too Many Requests: ratelimited"},
		},
		{
			"an hour as a date, which the library cannot read", result.Fired, notifytest.Status(429, "", "Retry-After", "Sun, 01 Mar 2026 13:00:00 GMT"),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: time.Hour, Message: "HTTP 429 Too Many Requests"},
		},
		{
			"a refused message", result.Fired, ok("msg_too_long"),
			result.Error{Class: result.Permanent, Reason: result.ReasonRejected, Message: "HTTP 200 OK: msg_too_long"},
		},
		{
			"F-P1: a refused message, in an incomplete body", result.Fired, notifytest.Status(200, refused("msg_too_long"), "Content-Length", "1000"),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 200 OK, but the connection broke before a complete answer came"},
		},
		{
			"the channel", result.Fired, ok("channel_not_found"),
			result.Error{Class: result.Configuration, Reason: result.ReasonNotFound, Message: "HTTP 200 OK: channel_not_found"},
		},
		{
			"the channel is archived, also for edits", result.Updated, ok("is_archived"),
			result.Error{Class: result.Configuration, Reason: result.ReasonGone, Message: "HTTP 200 OK: is_archived"},
		},
		{
			"the token", result.Updated, ok("token_revoked"),
			result.Error{Class: result.Configuration, Reason: result.ReasonUnauthorized, Message: "HTTP 200 OK: token_revoked"},
		},
		{
			"a rule of the workspace", result.Fired, ok("restricted_action_read_only_channel"),
			result.Error{Class: result.Configuration, Reason: result.ReasonForbidden, Message: "HTTP 200 OK: restricted_action_read_only_channel"},
		},
		{
			"an unknown code", result.Fired, ok("no_such_feature"),
			result.Error{Class: result.Configuration, Reason: result.ReasonRejected, Message: "HTTP 200 OK: no_such_feature"},
		},
		{
			"an invalid id", result.Fired, notifytest.Status(200, `{"ok":true,"channel":"../x","ts":"1.2"}`),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 200 OK, but the answer is not in the form that this receiver's API documents"},
		},
		{
			"an id that is the token", result.Fired, notifytest.Status(200, `{"ok":true,"channel":"`+token+`","ts":"1.2"}`),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 200 OK, but the answer is not in the form that this receiver's API documents"},
		},
		{
			"an edit without the message's id", result.Resolved, notifytest.Status(200, `{"ok":true}`),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 200 OK, but the answer is not in the form that this receiver's API documents"},
		},
		{
			"an unknown success status", result.Fired, notifytest.Status(202, posted),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 202 Accepted, but the answer is not in the form that this receiver's API documents"},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(c.answer)
			bot := newBotSender(t, server)
			bot.Now = func() time.Time { return time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC) }
			_, err := bot.Send(t.Context(), notifytest.Message(c.event), notifytest.Key("delivery", "C9/99.1"))
			notifytest.WantError(t, c.why, err, c.want)
		})
	}
}

func TestWebhookFailures(t *testing.T) {
	for _, c := range []struct {
		why    string
		quotes bool
		answer http.HandlerFunc
		want   result.Error
	}{
		{
			"a code", false, notifytest.Status(404, "no_service"),
			result.Error{Class: result.Configuration, Reason: result.ReasonNotFound, Message: "HTTP 404 Not Found: no_service"},
		},
		{
			"the user of the webhook", true, notifytest.Status(400, "user_not_found"),
			result.Error{Class: result.Configuration, Reason: result.ReasonNotFound, Message: "HTTP 400 Bad Request: user_not_found"},
		},
		{
			"F-P1: the payload", false, notifytest.Status(400, "no_text\n"),
			result.Error{Class: result.Permanent, Reason: result.ReasonRejected, Message: "HTTP 400 Bad Request: no_text"},
		},
		{
			"F-P1: a code that is not about the payload", false, notifytest.Status(400, "invalid_token"),
			result.Error{Class: result.Configuration, Reason: result.ReasonRejected, Message: "HTTP 400 Bad Request: invalid_token"},
		},
		{
			"an HTML page", true, notifytest.Status(503, "<!DOCTYPE html>"),
			result.Error{Class: result.Unknown, Reason: result.ReasonServerError, Message: "HTTP 503 Service Unavailable"},
		},
		{
			"a login page", true, notifytest.Status(200, "<!DOCTYPE html>"),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 200 OK, but the answer is not in the form that this receiver's API documents"},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(c.answer)
			s, err := New(Config{WebhookURL: server.URL + hook}, outboundtest.Client(t))
			if err != nil {
				t.Fatal(err)
			}
			s.(*chat.Webhook).MayQuote = c.quotes
			_, err = s.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", ""))
			notifytest.WantError(t, c.why, err, c.want)
		})
	}
}

// At another host, Slack's text is not quoted, except codes: the author of the Receiver must not see it.
func TestQuotesOnlySlack(t *testing.T) {
	server := notifytest.NewServer(t)
	other := newBotSender(t, server)
	other.MayQuote = false
	for text, want := range map[string]string{
		"the secret of an internal service": "HTTP 200 OK",
		"no_text":                           "HTTP 200 OK: no_text",
		strings.Repeat("a", 65):             "HTTP 200 OK",
	} {
		server.Answer(notifytest.Status(http.StatusOK, refused(text)))
		_, err := other.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", ""))
		if err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
	for url, want := range map[string]bool{
		"": true, "https://slack-gov.com/api": true, "https://slack.com.example.com/api/": false, "https://example.com/slack.com": false,
	} {
		if s, err := New(Config{Token: token, Channel: channel, URL: url}, outboundtest.Client(t)); err != nil || s.(*Bot).MayQuote != want {
			t.Errorf("%q: %v, want %t", url, err, want)
		}
	}
	for url, want := range map[string]bool{
		"https://hooks.slack.com" + hook: true, "https://hooks.slack-gov.com" + hook: true, "https://example.com" + hook: false,
	} {
		if s, err := New(Config{WebhookURL: url}, outboundtest.Client(t)); err != nil || s.(*chat.Webhook).MayQuote != want {
			t.Errorf("%q: %v, want %t", url, err, want)
		}
	}
}

func TestRender(t *testing.T) {
	for why, c := range map[string]struct {
		title, content     string
		wantTitle, wantRaw string
		cuts               string
	}{
		"mentions and links": {
			"<!channel> & <@U123>", "<https://example.com|here> *bold* _it_ @here #general", "&lt;!channel&gt; &amp; &lt;@U123&gt;",
			"&lt;https://example.com|here&gt; *bold* _it_ @here #general", "",
		},
		"entities as typed":     {"a &lt; b", "&amp;", "a &amp;lt; b", "&amp;amp;", ""},
		"unknown emoji":         {":kubernetes:", ":wave:", ":kubernetes:", "👋", ""},
		"the longest that fits": {"t", strings.Repeat("<", 2000), "t", strings.Repeat("&lt;", 2000), ""},
		"escapes count": {
			"t", strings.Repeat("<", 2001), "t", strings.Repeat("&lt;", 1997) + "… [cut]", "; the content was cut to 8000 bytes",
		},
		"bytes count": {
			"t", strings.Repeat("ü", 4001), "t", strings.Repeat("ü", 3995) + "… [cut]", "; the content was cut to 8000 bytes",
		},
		"a long title": {
			strings.Repeat("&", 256), "", strings.Repeat("&amp;", 203) + "… [cut]", "", "; the title was cut to 1024 characters",
		},
	} {
		message, cuts := Config{}.render(notify.Message{Event: result.Fired, RawTitle: c.title, RawContent: c.content})
		if message.Title != c.wantTitle || message.Fallback != c.wantTitle || message.Text != c.wantRaw || cuts != c.cuts {
			t.Errorf("%s: got %+v, %q", why, message, cuts)
		}
		if len(message.Text) > maxContent || len(message.MarkdownIn) > 0 {
			t.Errorf("%s: %d bytes, markup in %v", why, len(message.Text), message.MarkdownIn)
		}
	}
	for color, m := range map[string]notify.Message{
		"danger":  {Event: result.Updated, Severity: notify.Critical},
		"warning": {Event: result.Fired, Severity: notify.Warning},
		"#439fe0": {Event: result.Fired, Severity: notify.Info},
		"good":    {Event: result.Resolved, Severity: notify.Critical},
	} {
		if message, _ := new(Config).render(m); message.Color != color {
			t.Errorf("%+v: got %s, want %s", m, message.Color, color)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		why, want string
		config    Config
	}{
		{"neither", "url, token: exactly one", Config{Channel: channel}},
		{"both", "url, token: exactly one", Config{WebhookURL: "https://example.com/canary", Token: token}},
		{"a token with a blank", "token: must be", Config{Token: "canary canary", Channel: channel}},
		{"no channel", "channel: must be the id", Config{Token: token}},
		{"a channel's name", "channel: must be the id", Config{Token: token, Channel: "#canary"}},
		{"not a URL", "url: must be an absolute", Config{Token: token, Channel: channel, URL: "http://canary:canary"}},
		{"credentials in the URL", "url: must have neither", Config{Token: token, Channel: channel, URL: "https://canary@example.com"}},
		{"not a webhook", "url: must be an absolute", Config{WebhookURL: "canary"}},
		{"a webhook with a channel", "channel: is for a bot", Config{WebhookURL: "https://example.com/canary", Channel: channel}},
		{"a webhook with a Web API", "url: of the Web API", Config{WebhookURL: "https://example.com/canary", URL: "https://example.com/canary"}},
	} {
		_, err := New(c.config, outboundtest.Client(t))
		notifytest.WantInvalid(t, c.why, err, c.want)
	}
	if s, err := New(Config{Token: token, Channel: channel}, outboundtest.Client(t)); err != nil || s.(*Bot).url != "https://slack.com/api/" {
		t.Errorf("default: got %v", err)
	}
}

// Slack has no idempotency key: after a lost response the message is posted again, and later edits change the second one.
func TestLostAnswer(t *testing.T) {
	const fired, update, over = "[Critical] Hi 🎉\nHello KubeCon 👋", "Updated: [Critical] Hi 🎉\nHello KubeCon 👋", "Resolved: [Critical] Hi 🎉\nHello KubeCon 👋"
	const overOnly = "Resolved: [Critical] Hi 🎉"
	for why, c := range map[string]struct {
		config func(url string) Config
		before func(*notifytest.Slack)
		want   []notifytest.Seen
	}{
		"bot": {
			config: func(url string) Config { return Config{Token: token, Channel: channel, URL: url + "/api/"} },
			want:   []notifytest.Seen{{Text: fired}, {Text: over, Resolved: true}},
		},
		"bot, too late to edit": {
			config: func(url string) Config { return Config{Token: token, Channel: channel, URL: url + "/api/"} },
			before: (*notifytest.Slack).Lock,
			want:   []notifytest.Seen{{Text: fired}, {Text: fired}, {Text: update}, {Text: overOnly, Resolved: true}},
		},
		"webhook": {
			config: func(url string) Config { return Config{WebhookURL: url + hook} },
			want:   []notifytest.Seen{{Text: fired}, {Text: fired}, {Text: update}, {Text: overOnly, Resolved: true}},
		},
	} {
		service := notifytest.NewSlack(token, channel, hook)
		server := httptest.NewServer(notifytest.LoseAnswers(service, 1))
		defer server.Close()
		s, err := New(c.config(server.URL), outboundtest.Client(t))
		if err != nil {
			t.Fatal(err)
		}
		if c.before != nil {
			c.before(service)
		}
		if _, err := s.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("first", "")); result.ClassOf(err) != result.Unknown {
			t.Fatalf("%s: got %v, want an answer that is lost", why, err)
		}
		var last result.Receipt
		for _, step := range []struct {
			event result.Event
			key   string
		}{{result.Fired, "first"}, {result.Updated, "second"}, {result.Resolved, "third"}} {
			if last, err = s.Send(t.Context(), notifytest.Message(step.event), notifytest.Key(step.key, last.ExternalID)); err != nil {
				t.Fatalf("%s: %s: %v", why, step.event, err)
			}
		}
		seen := service.Seen()
		for i := range seen {
			seen[i].ID = ""
		}
		if !slices.Equal(seen, c.want) {
			t.Errorf("%s: people see %+v, want %+v", why, seen, c.want)
		}
		if prober, ok := s.(notify.Prober); ok {
			if err := prober.Probe(t.Context()); err != nil {
				t.Errorf("%s: probe: %v", why, err)
			}
		}
	}
}
