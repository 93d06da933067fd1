// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package discord

import (
	"encoding/json"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/outboundtest"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

const (
	token    = "CanaryTokenD1_abcdefghijklmnopqrstuvwxyz-0123456789"
	hookURI  = "/api/webhooks/42/" + token
	accepted = `{"id":"1478000000000000000","type":0,"content":"x"}`
	made     = "1478000000000000000"
)

func refusal(message string) string { return errorJSON(message, 0) }

func errorJSON(message string, code int) string {
	body, err := json.Marshal(map[string]any{"message": message, "code": code})
	if err != nil {
		panic(err) // strings always encode
	}
	return string(body)
}

// At another host, Discord's text is not quoted: the author of the Receiver must not see it.
func TestQuotesOnlyDiscord(t *testing.T) {
	server := notifytest.NewServer(t)
	server.Answer(notifytest.Status(http.StatusForbidden, refusal("the secret of an internal service")))
	other := newSender(t, server.URL, Config{})
	other.MayQuote = false
	_, err := other.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", ""))
	if err == nil || err.Error() != "HTTP 403 Forbidden" {
		t.Errorf("got %v", err)
	}
	for host, want := range map[string]bool{
		"discord.com": true, "discordapp.com": true, "ptb.discord.com": true, "canary.discord.com": true,
		"discord.com.example.com": false, "evil-discord.com": false, "x.discord.com": false,
	} {
		if s, err := New(Config{URL: "https://" + host + hookURI}, outboundtest.Client(t)); err != nil || s.MayQuote != want {
			t.Errorf("%s: quoted is not %t: %v", host, want, err)
		}
	}
}

func TestConformance(t *testing.T) {
	const query = "?thread_id=1478111&canary=canary+query%26v4lue%2F%2B"
	notifytest.Run(t, notifytest.Provider{
		New: func(url string, client *outbound.Client) (notify.Sender, error) {
			s, err := New(Config{URL: url + hookURI + query}, client)
			if err != nil {
				return nil, err
			}
			s.MayQuote = true
			return s, nil
		},
		Canaries:    []string{token, hookURI, hookURI + query, "canary query&v4lue/+"},
		Accept:      accepted,
		NeedsBody:   true,
		ExternalID:  made,
		Confirming:  []int{204},
		ProbeAccept: `{"id":"42","type":1,"name":"alerts","channel_id":"7","guild_id":"8","token":"` + token + `"}`,
		ErrorBody:   func(message string) (string, string) { return "application/json", refusal(message) },
		RefusalBody: func(int) (string, string) { return "application/json", errorJSON("Invalid Form Body", 50035) },
	})
}

func newSender(t *testing.T, url string, config Config) *Sender {
	t.Helper()
	config.URL = url + hookURI + config.URL + "\n" // as in a Secret that was made with echo
	s, err := New(config, outboundtest.Client(t))
	if err != nil {
		t.Fatal(err)
	}
	s.MayQuote = true // as if the server were Discord's
	return s
}

func TestSend(t *testing.T) {
	const (
		nobody = `"allowed_mentions":{"parse":[]}}`
		fired  = `{"content":"[Critical] Hi 🎉","embeds":[{"description":"Hello KubeCon 👋","color":13840175}],` + nobody
		update = `{"content":"Updated: [Critical] Hi 🎉","embeds":[{"description":"Hello KubeCon 👋","color":13840175}],` + nobody
		over   = `{"content":"Resolved: [Critical] Hi 🎉","embeds":[{"description":"Hello KubeCon 👋","color":3046706}],` + nobody
		short  = `{"content":"Resolved: [Critical] Hi 🎉","embeds":[],` + nobody
	)
	edited := result.Receipt{ExternalID: "77", Note: "HTTP 200 OK: the message was edited"}
	for _, c := range []struct {
		why        string
		config     Config // URL is the query
		event      result.Event
		externalID string
		answers    []http.HandlerFunc
		requests   []string // method, URI and body
		want       result.Receipt
	}{
		{
			why: "a message", event: result.Fired, answers: answers(200, accepted),
			requests: []string{"POST " + hookURI + "?wait=true " + fired},
			want:     result.Receipt{ExternalID: made, Note: "HTTP 200 OK"},
		},
		{
			why: "F-B1: a relay drops wait", event: result.Fired, answers: answers(204, ""),
			requests: []string{"POST " + hookURI + "?wait=true " + fired},
			want:     result.Receipt{Note: "HTTP 204 No Content: without the message's id, by which it could be edited"},
		},
		{
			why: "in a thread", event: result.Fired, config: Config{ThreadID: "123"}, answers: answers(200, accepted),
			requests: []string{"POST " + hookURI + "?thread_id=123&wait=true " + fired},
			want:     result.Receipt{ExternalID: made, Note: "HTTP 200 OK"},
		},
		{
			why: "in the thread of the URL, with wait=true instead of the URL's value", event: result.Fired,
			config: Config{URL: "?wait=false&thread_id=123&with_components=true"}, answers: answers(200, accepted),
			requests: []string{"POST " + hookURI + "?thread_id=123&wait=true&with_components=true " + fired},
			want:     result.Receipt{ExternalID: made, Note: "HTTP 200 OK"},
		},
		{
			why: "fired again is another message", event: result.Fired, externalID: "77", answers: answers(200, accepted),
			requests: []string{"POST " + hookURI + "?wait=true " + fired},
			want:     result.Receipt{ExternalID: made, Note: "HTTP 200 OK"},
		},
		{
			why: "an update edits", event: result.Updated, externalID: "77", config: Config{ThreadID: "123"}, answers: answers(200, `{"id":"77"}`),
			requests: []string{"PATCH " + hookURI + "/messages/77?thread_id=123 " + update}, want: edited,
		},
		{
			why: "an update without an external id", event: result.Updated, answers: answers(200, accepted),
			requests: []string{"POST " + hookURI + "?wait=true " + update},
			want:     result.Receipt{ExternalID: made, Note: "HTTP 200 OK"},
		},
		{
			why: "an update of a deleted message", event: result.Updated, externalID: "77",
			answers:  append(answers(404, errorJSON("Unknown Message", 10008)), answers(200, accepted)...),
			requests: []string{"PATCH " + hookURI + "/messages/77 " + update, "POST " + hookURI + "?wait=true " + update},
			want:     result.Receipt{ExternalID: made, Note: "HTTP 200 OK"},
		},
		{
			why: "an update in an archived thread, which a new message opens", event: result.Updated, externalID: "77",
			answers:  append(answers(400, errorJSON("Thread is archived", 50083)), answers(200, accepted)...),
			requests: []string{"PATCH " + hookURI + "/messages/77 " + update, "POST " + hookURI + "?wait=true " + update},
			want:     result.Receipt{ExternalID: made, Note: "HTTP 200 OK"},
		},
		{
			why: "resolved in an archived thread", event: result.Resolved, externalID: "77",
			answers:  append(answers(400, errorJSON("Thread is archived", 50083)), answers(200, accepted)...),
			requests: []string{"PATCH " + hookURI + "/messages/77 " + over, "POST " + hookURI + "?wait=true " + short},
			want:     result.Receipt{ExternalID: made, Note: "HTTP 200 OK"},
		},
		{
			why: "resolved edits", event: result.Resolved, externalID: "77", answers: answers(200, `{"id":"77"}`),
			requests: []string{"PATCH " + hookURI + "/messages/77 " + over}, want: edited,
		},
		{
			why: "resolved where the message is another webhook's", event: result.Resolved, externalID: "77",
			answers:  append(answers(404, errorJSON("Unknown Message", 10008)), answers(200, accepted)...),
			requests: []string{"PATCH " + hookURI + "/messages/77 " + over, "POST " + hookURI + "?wait=true " + short},
			want:     result.Receipt{ExternalID: made, Note: "HTTP 200 OK"},
		},
		{
			why: "resolved without a message to edit is a short one", event: result.Resolved, answers: answers(200, accepted),
			requests: []string{"POST " + hookURI + "?wait=true " + short},
			want:     result.Receipt{ExternalID: made, Note: "HTTP 200 OK"},
		},
		{
			why: "an external id in another form", event: result.Resolved, externalID: "../../43/x", answers: answers(200, accepted),
			requests: []string{"POST " + hookURI + "?wait=true " + short},
			want:     result.Receipt{ExternalID: made, Note: "HTTP 200 OK"},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(func(w http.ResponseWriter, r *http.Request) {
				c.answers[0](w, r)
				c.answers = c.answers[1:]
			})
			got, err := newSender(t, server.URL, c.config).Send(t.Context(), notifytest.Message(c.event), notifytest.Key("delivery", c.externalID))
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
			var requests []string
			for _, r := range server.Requests() {
				requests = append(requests, r.Method+" "+r.URI+" "+string(r.Body))
				if r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Authorization") != "" {
					t.Errorf("got header %v", r.Header)
				}
			}
			if !slices.Equal(requests, c.requests) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(requests, "\n"), strings.Join(c.requests, "\n"))
			}
		})
	}
}

func answers(status int, body string) []http.HandlerFunc {
	return []http.HandlerFunc{notifytest.Status(status, body)}
}

func TestSeverities(t *testing.T) {
	for severity, want := range map[notify.Severity]string{
		notify.Critical: `"[Critical] Hi 🎉"/13840175`, notify.Warning: `"[Warning] Hi 🎉"/16361509`, notify.Info: `"Hi 🎉"/1668818`,
	} {
		m := notifytest.Message(result.Fired)
		m.Severity = severity
		got, _ := render(m, "")
		content, _ := json.Marshal(got.Content)
		color, _ := json.Marshal(got.Embeds[0].Color)
		if string(content)+"/"+string(color) != want {
			t.Errorf("%s: got %s/%s, want %s", severity, content, color, want)
		}
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
			"the service's text", result.Fired, notifytest.Status(400, errorJSON("Invalid Form Body\nfor "+token, 50035)),
			result.Error{Class: result.Permanent, Reason: result.ReasonRejected, Message: "HTTP 400 Bad Request: Invalid Form Body for [redacted]"},
		},
		{
			"a forum without thread", result.Fired, notifytest.Status(400, errorJSON("Webhooks posted to forum channels must have a thread_name or thread_id", 220001)),
			result.Error{
				Class: result.Configuration, Reason: result.ReasonRejected,
				Message: "HTTP 400 Bad Request: Webhooks posted to forum channels must have a thread_name or thread_id",
			},
		},
		{
			"a thread that is locked", result.Fired, notifytest.Status(400, errorJSON("Thread is archived", 50083)),
			result.Error{Class: result.Configuration, Reason: result.ReasonRejected, Message: "HTTP 400 Bad Request: Thread is archived"},
		},
		{
			"a wrong token", result.Fired, notifytest.Status(401, errorJSON("Invalid Webhook Token", 50027)),
			result.Error{Class: result.Configuration, Reason: result.ReasonUnauthorized, Message: "HTTP 401 Unauthorized: Invalid Webhook Token"},
		},
		{
			"the webhook was deleted", result.Fired, notifytest.Status(404, errorJSON("Unknown Webhook", 10015)),
			result.Error{Class: result.Configuration, Reason: result.ReasonNotFound, Message: "HTTP 404 Not Found: Unknown Webhook"},
		},
		{
			"the webhook was deleted before an update", result.Updated, notifytest.Status(404, errorJSON("Unknown Webhook", 10015)),
			result.Error{Class: result.Configuration, Reason: result.ReasonNotFound, Message: "HTTP 404 Not Found: Unknown Webhook"},
		},
		{
			"the webhook was deleted before the end", result.Resolved, notifytest.Status(404, errorJSON("Unknown Webhook", 10015)),
			result.Error{Class: result.Configuration, Reason: result.ReasonNotFound, Message: "HTTP 404 Not Found: Unknown Webhook"},
		},
		{
			"the thread was deleted", result.Updated, notifytest.Status(404, errorJSON("Unknown Channel", 10003)),
			result.Error{Class: result.Configuration, Reason: result.ReasonNotFound, Message: "HTTP 404 Not Found: Unknown Channel"},
		},
		{
			"a limit in the body", result.Updated, notifytest.Status(429, `{"message":"You are being rate limited.","retry_after":64.57,"global":false}`, "X-RateLimit-Reset-After", "1"),
			result.Error{
				Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: 64570 * time.Millisecond,
				Message: "HTTP 429 Too Many Requests: You are being rate limited.",
			},
		},
		{
			"Retry-After comes first", result.Fired, notifytest.Status(429, `{"retry_after":64.57}`, "Retry-After", "3"),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: 3 * time.Second, Message: "HTTP 429 Too Many Requests"},
		},
		{
			"a limit in Discord's header", result.Fired, notifytest.Status(429, "<html>", "X-RateLimit-Reset-After", "0.2"),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: 200 * time.Millisecond, Message: "HTTP 429 Too Many Requests"},
		},
		{
			"a limit that is too long", result.Fired, notifytest.Status(429, `{"retry_after":1e300}`),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: outbound.MaxRetryAfter, Message: "HTTP 429 Too Many Requests"},
		},
		{
			"a limit that is not a number", result.Fired, notifytest.Status(429, "", "X-RateLimit-Reset-After", "NaN"),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, Message: "HTTP 429 Too Many Requests"},
		},
		{
			"an invalid id", result.Fired, notifytest.Status(200, `{"id":"../x"}`),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 200 OK, but the answer is not in the form that this receiver's API documents"},
		},
		{
			"an edit that names another message", result.Updated, notifytest.Status(200, `{"id":"78"}`),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 200 OK, but the answer is not in the form that this receiver's API documents"},
		},
		{
			"editing fails", result.Resolved, notifytest.Status(500, ""),
			result.Error{Class: result.Unknown, Reason: result.ReasonServerError, Message: "HTTP 500 Internal Server Error"},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(c.answer)
			_, err := newSender(t, server.URL, Config{}).Send(t.Context(), notifytest.Message(c.event), notifytest.Key("delivery", "77"))
			notifytest.WantError(t, c.why, err, c.want)
			if n := len(server.Requests()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

// F-P25: a link in the text of another link shows where it leads.
func TestEscape(t *testing.T) {
	for typed, want := range map[string]string{
		"node-7 has 3 % left":                  "node-7 has 3 % left",
		"*bold* __under__ ~~gone~~ ||spoil||":  `\*bold\* \_\_under\_\_ \~\~gone\~\~ \|\|spoil\|\|`,
		"`code` ```block```":                   "\\`code\\` \\`\\`\\`block\\`\\`\\`",
		`C:\temp\*`:                            `C:\\temp\\\*`,
		"@everyone and @here, a@example.com":   `\@everyone and \@here, a@example.com`,
		"<@123> <@&9> <#7> <t:1:R> <!channel>": `\<@123> \<@&9> \<#7> \<t\:1\:R> \<!channel>`,
		"[x](https://e.com) [y] (z)":           `\[x]\(https://e.com) \[y] (z)`,
		"[https://e.com](https://f.com)":       `\[https://e.com](https://f.com)`,
		"https://e.com/a_b_c?x=*_*:wave: *":    `https://e.com/a_b_c?x=*_*:wave: \*`,
		"**https://e.com**":                    `\*\*https://e.com**`,
		"path:key:a_b:x":                       `path\:key\:a\_b:x`,
		"path:a_b:c":                           `path\:a\_b\:c`,
		"10:30:45":                             `10\:30\:45`,
		"# a\n## b\n-# c\n> d\n>>> e\n- f\n + g\n1. h\n12) i\n10.0.0.1": "\\# a\n\\## b\n\\-# c\n\\> d\n\\>>> e\n\\- f\n \\+ g\n1\\. h\n12) i\n10\\.0.0.1",
		"a # b > c - d 1. e":   "a # b > c - d 1. e",
		"https://e.com/<@123>": "https://e.com/<\u200b@123>",
		"":                     "",
	} {
		got := escape(typed)
		if got != want {
			t.Errorf("%q: got %q, want %q", typed, got, want)
		}
		wantDisplayed(t, typed, got)
	}
	pieces := []string{"*", "_", "`", "~", "|", "<", ">", "@", "#", ":", "]", "(", "-", "+", ".", "1", "\\", "/", " ", "\n", "a", "https://e", "@here", "<@1>", "👋"}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		typed := ""
		for range 8 {
			typed += pieces[random.IntN(len(pieces))]
		}
		wantDisplayed(t, typed, escape(typed))
	}
}

func wantDisplayed(t *testing.T, typed, escaped string) {
	t.Helper()
	if shown := strings.ReplaceAll(notifytest.DiscordText(escaped), zeroWidthSpace, ""); shown != typed {
		t.Errorf("%q, escaped as %q, is shown as %q", typed, escaped, shown)
	}
}

func TestCut(t *testing.T) {
	for why, text := range map[string]string{
		"plain":             strings.Repeat("x", 5000),
		"all escaped":       strings.Repeat("*", 5000),
		"emoji":             strings.Repeat("👋", 5000),
		"lines of lists":    strings.Repeat("- 1\n", 2000),
		"lines of numbers":  strings.Repeat("1. a\n", 2000),
		"shortcodes":        strings.Repeat(":a:", 2000),
		"links":             strings.Repeat("https://e.com/a_b ", 400),
		"links with a name": strings.Repeat("[a](b) ", 1000),
		"pings":             strings.Repeat("@everyone ", 1000),
		"escapes":           strings.Repeat(`\`, 5000),
	} {
		m := notifytest.Message(result.Fired)
		m.RawTitle, m.RawContent = text, text
		got, cuts := render(m, "")
		description := got.Embeds[0].Description
		if n := utf8.RuneCountInString(got.Content); n > maxContent || n < maxContent/3 {
			t.Errorf("%s: the title has %d characters", why, n)
		}
		if n := utf8.RuneCountInString(description); n > maxDescription || n < maxDescription/3 {
			t.Errorf("%s: the content has %d characters", why, n)
		}
		if cuts != "; the title was cut to 2000 characters; the content was cut to 4096 characters" {
			t.Errorf("%s: got note %q", why, cuts)
		}
		if shown, whole := strings.CutSuffix(notifytest.DiscordText(description), "… [cut]"); !whole || !strings.HasPrefix(text, shown) {
			t.Errorf("%s: not shown as typed: %q", why, shown)
		}
	}
	fits := notifytest.Message(result.Fired)
	fits.Severity, fits.RawTitle, fits.RawContent = notify.Info, strings.Repeat("👋", maxContent), strings.Repeat("-", maxDescription-1)
	if got, cuts := render(fits, ""); cuts != "" || got.Content != fits.RawTitle || got.Embeds[0].Description != `\`+fits.RawContent {
		t.Errorf("cut although it fits: %q", cuts)
	}
	fits.RawContent = " \n"
	if got, _ := render(fits, ""); len(got.Embeds) != 0 {
		t.Error("an embed without text")
	}
}

// A webhook has no idempotency key: after a lost response the message is posted again.
func TestSeen(t *testing.T) {
	service := notifytest.NewDiscord("42", token)
	server := httptest.NewServer(notifytest.LoseAnswers(service, 1))
	defer server.Close()
	s := newSender(t, server.URL, Config{ThreadID: "123"})
	if _, err := s.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("first", "")); result.ClassOf(err) != result.Unknown {
		t.Fatalf("got %v", err)
	}
	receipt := send(t, s, result.Fired, "first", "")
	receipt = send(t, s, result.Updated, "second", receipt.ExternalID)
	receipt = send(t, s, result.Updated, "second", receipt.ExternalID) // a repeated edit has no effect
	const text = "[Critical] Hi 🎉\nHello KubeCon 👋"
	want := []notifytest.Seen{{ID: made, Text: text}, {ID: "1478000000000000001", Text: "Updated: " + text}}
	if got := service.Seen(); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	send(t, s, result.Resolved, "third", receipt.ExternalID)
	want[1] = notifytest.Seen{ID: "1478000000000000001", Text: "Resolved: " + text, Resolved: true}
	if got := service.Seen(); !slices.Equal(got, want) {
		t.Errorf("got %+v, want %+v", got, want)
	}
	service.Delete(receipt.ExternalID)
	send(t, s, result.Resolved, "third", receipt.ExternalID)
	if got := service.Seen(); got[len(got)-1].Text != "Resolved: [Critical] Hi 🎉" {
		t.Errorf("got %+v", got)
	}
	if err := s.Probe(t.Context()); err != nil {
		t.Errorf("got %v", err)
	}
}

func send(t *testing.T, s *Sender, event result.Event, delivery, externalID string) result.Receipt {
	t.Helper()
	receipt, err := s.Send(t.Context(), notifytest.Message(event), notifytest.Key(delivery, externalID))
	if err != nil {
		t.Fatalf("%s: %v", event, err)
	}
	return receipt
}

func TestNewRefuses(t *testing.T) {
	const (
		url      = "https://discord.com/api/webhooks/42/canary"
		isNoHook = "url: must be the address of a channel's webhook"
	)
	for _, c := range []struct {
		why, want string
		config    Config
	}{
		{"no URL", "url: must be an absolute", Config{}},
		{"not a URL", "url: must be an absolute", Config{URL: "http://canary:canary"}},
		{"the address of a channel", isNoHook, Config{URL: "https://discord.com/channels/42/canary"}},
		{"no token", isNoHook, Config{URL: "https://discord.com/api/webhooks/42"}},
		{"a message of the webhook", isNoHook, Config{URL: url + "/messages/1"}},
		{"credentials before the host", isNoHook, Config{URL: "https://canary@discord.com/api/webhooks/42/x"}},
		{"an invalid query", isNoHook, Config{URL: url + "?canary=%zz"}},
		{"Slack's format", "url: must be the webhook's own address, without /slack", Config{URL: url + "/slack?wait=true"}},
		{"GitHub's format", "url: must be the webhook's own address, without /slack or /github", Config{URL: url + "/github"}},
		{"a thread's name", "threadID: must be the id of a thread", Config{URL: url, ThreadID: "canary"}},
		{"two threads", "threadID: cannot be set where the URL", Config{URL: url + "?thread_id=1", ThreadID: "1"}},
	} {
		_, err := New(c.config, outboundtest.Client(t))
		notifytest.WantInvalid(t, c.why, err, c.want)
	}
}
