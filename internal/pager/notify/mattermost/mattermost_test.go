// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package mattermost

import (
	"encoding/json"
	"html"
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
	token     = "canarytoken000000000000000" // in the form of an id
	channelID = "channel0000000000000000000"
	postID    = "post0000000000000000000001"
	oldID     = "post0000000000000000000000"
	accepted  = `{"id":"post0000000000000000000001","channel_id":"channel0000000000000000000","message":"…"}`
	hookKey   = "canaryhook0000000000000000"
	hook      = "/hooks/" + hookKey
)

func refusal(id string) string { return refusalOf(http.StatusBadRequest, id) }

func refusalOf(status int, id string) string {
	body, err := json.Marshal(map[string]any{"id": id, "message": "the secret of an internal service", "status_code": status})
	if err != nil {
		panic(err) // strings always encode
	}
	return string(body)
}

func TestBotConformance(t *testing.T) {
	keys := map[string]string{}
	for _, delivery := range []string{"first", "second"} {
		keys[(&Bot{token: token}).pendingID(delivery)] = delivery
	}
	notifytest.Run(t, notifytest.Provider{
		New: func(url string, client *outbound.Client) (notify.Sender, error) {
			return New(Config{URL: url, ChannelID: channelID, Token: token}, client)
		},
		Canaries:    []string{token},
		Accept:      accepted,
		NeedsBody:   true,
		ExternalID:  postID,
		ProbeAccept: `{"id":"user0000000000000000000000","username":"bellhop"}`,
		ErrorBody:   func(message string) (string, string) { return "application/json", refusal(message) },
		RefusalBody: func(status int) (string, string) {
			return "application/json", refusalOf(status, "model.post.is_valid.message_length.app_error")
		},
		QuotesNothing: true,
		Key: func(r notifytest.Request) string {
			var p post
			_ = json.Unmarshal(r.Body, &p)
			return keys[p.PendingPostID]
		},
	})
}

func TestWebhookConformance(t *testing.T) {
	notifytest.Run(t, notifytest.Provider{
		New: func(url string, client *outbound.Client) (notify.Sender, error) {
			return New(Config{WebhookURL: url + hook + "?key=canary%2Fquery+value"}, client)
		},
		Canaries:  []string{hookKey, hook, "canary/query value"},
		Accept:    "ok",
		NeedsBody: true,
		ErrorBody: func(message string) (string, string) { return "application/json", refusal(message) },
		RefusalBody: func(status int) (string, string) {
			return "application/json", refusalOf(status, "model.post.is_valid.message_length.app_error")
		},
		QuotesNothing: true,
	})
}

func newBotSender(t *testing.T, server *notifytest.Server) *Bot {
	t.Helper()
	s, err := New(Config{URL: server.URL + "/chat/", ChannelID: channelID, Token: token + "\n"}, outboundtest.Client(t)) // as in a Secret that was made with echo
	if err != nil {
		t.Fatal(err)
	}
	return s.(*Bot)
}

func TestBotSends(t *testing.T) {
	const (
		posts = "POST /chat/api/v4/posts "
		patch = "PUT /chat/api/v4/posts/" + oldID + "/patch "
		get   = "GET /chat/api/v4/posts/" + oldID + " "
	)
	body := func(message string) string {
		quoted, _ := notify.Encode(message)
		return posts + `{"channel_id":"` + channelID + `","message":` + string(quoted) + `,"pending_post_id":"` + (&Bot{token: token}).pendingID("delivery") + `"}`
	}
	edit := func(message string) string {
		quoted, _ := notify.Encode(message)
		return patch + `{"message":` + string(quoted) + `}`
	}
	const title = "&#91;Critical] Hi 🎉**"
	made := notifytest.Status(201, accepted)
	edited := notifytest.Status(200, strings.ReplaceAll(accepted, postID, oldID))
	refuse := func(status int, id string) http.HandlerFunc { return notifytest.Status(status, refusalOf(status, id)) }
	for _, c := range []struct {
		why        string
		event      result.Event
		externalID string
		answer     http.HandlerFunc
		requests   []string
		want       result.Receipt
	}{
		{
			"a new post", result.Fired, "", made, []string{body("**" + title + "\nHello KubeCon 👋")},
			result.Receipt{ExternalID: postID, Note: "HTTP 201 Created"},
		},
		{
			"an update edits it", result.Updated, oldID, edited, []string{edit("**Updated: " + title + "\nHello KubeCon 👋")},
			result.Receipt{ExternalID: oldID, Note: "HTTP 200 OK: the post was edited"},
		},
		{
			"resolved edits it", result.Resolved, oldID, edited, []string{edit("**Resolved: " + title + "\nHello KubeCon 👋")},
			result.Receipt{ExternalID: oldID, Note: "HTTP 200 OK: the post was edited"},
		},
		{
			"an update of a deleted post is a new post", result.Updated, oldID, notifytest.InSequence(refuse(403, "api.context.permissions.app_error"), made),
			[]string{edit("**Updated: " + title + "\nHello KubeCon 👋"), body("**Updated: " + title + "\nHello KubeCon 👋")},
			result.Receipt{ExternalID: postID, Note: "HTTP 201 Created"},
		},
		{
			"a resolve of a deleted message is not sent", result.Resolved, oldID,
			notifytest.InSequence(refuse(403, "api.context.permissions.app_error"), refuse(404, "app.post.get.app_error")),
			[]string{edit("**Resolved: " + title + "\nHello KubeCon 👋"), get}, result.Receipt{Note: "the post is gone already"},
		},
		{
			"a resolve of what cannot be edited is a new message", result.Resolved, oldID,
			notifytest.InSequence(refuse(400, "api.post.update_post.permissions_time_limit.app_error"), edited, made),
			[]string{edit("**Resolved: " + title + "\nHello KubeCon 👋"), get, body("**Resolved: " + title)},
			result.Receipt{ExternalID: postID, Note: "HTTP 201 Created"},
		},
		{
			"a 404 without Mattermost's code is not about the post", result.Resolved, oldID,
			notifytest.InSequence(refuse(404, "x"), refuse(404, "x"), made),
			[]string{edit("**Resolved: " + title + "\nHello KubeCon 👋"), get, body("**Resolved: " + title)},
			result.Receipt{ExternalID: postID, Note: "HTTP 201 Created"},
		},
		{
			"no message to edit", result.Resolved, "", made, []string{body("**Resolved: " + title)},
			result.Receipt{ExternalID: postID, Note: "HTTP 201 Created"},
		},
		{
			"an external id in another form", result.Updated, "../../users/me", made, []string{body("**Updated: " + title + "\nHello KubeCon 👋")},
			result.Receipt{ExternalID: postID, Note: "HTTP 201 Created"},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(c.answer)
			got, err := newBotSender(t, server).Send(t.Context(), notifytest.Message(c.event), notifytest.Key("delivery", c.externalID))
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
			var requests []string
			for _, r := range server.Requests() {
				requests = append(requests, r.Method+" "+r.URI+" "+string(r.Body))
				if r.Header.Get("Authorization") != "Bearer "+token {
					t.Errorf("%s %s without the token", r.Method, r.URI)
				}
			}
			if !slices.Equal(requests, c.requests) {
				t.Errorf("got\n%s, want\n%s", strings.Join(requests, "\n"), strings.Join(c.requests, "\n"))
			}
		})
	}
}

func TestWebhookSends(t *testing.T) {
	for event, want := range map[result.Event]string{
		result.Fired:    `**&#91;Critical] Hi 🎉**\nHello KubeCon 👋`,
		result.Updated:  `**Updated: &#91;Critical] Hi 🎉**\nHello KubeCon 👋`,
		result.Resolved: `**Resolved: &#91;Critical] Hi 🎉**`,
	} {
		server := notifytest.NewServer(t)
		server.Answer(notifytest.Status(200, "ok"))
		s, err := New(Config{WebhookURL: server.URL + hook + "\n"}, outboundtest.Client(t))
		if err != nil {
			t.Fatal(err)
		}
		got, err := s.Send(t.Context(), notifytest.Message(event), notifytest.Key("delivery", oldID))
		if err != nil || got != (result.Receipt{Note: "HTTP 200 OK"}) {
			t.Errorf("%s: got %+v, %v", event, got, err)
		}
		requests := server.Requests()
		if len(requests) != 1 {
			t.Fatalf("%s: got %d requests", event, len(requests))
		}
		r := requests[0]
		want = `{"text":"` + want + `"}`
		if r.Method != http.MethodPost || r.URI != hook || r.Header.Get("Content-Type") != "application/json" || string(r.Body) != want {
			t.Errorf("%s: got %s %s %s, want POST %s %s", event, r.Method, r.URI, r.Body, hook, want)
		}
		if _, ok := s.(notify.Prober); ok {
			t.Error("a webhook must not be a notify.Prober")
		}
	}
}

func TestFailures(t *testing.T) {
	const unlikely = "the answer is not in the form that this receiver's API documents"
	for _, c := range []struct {
		why    string
		event  result.Event
		answer http.HandlerFunc
		want   result.Error
	}{
		{
			"the service's code", result.Fired, notifytest.Status(400, refusal("model.post.is_valid.message_length.app_error")),
			result.Error{Class: result.Permanent, Reason: result.ReasonRejected, Message: "HTTP 400 Bad Request: model.post.is_valid.message_length.app_error"},
		},
		{
			"F-P1: a code in another form", result.Fired, notifytest.Status(400, refusal("web.example.com: the secret")),
			result.Error{Class: result.Configuration, Reason: result.ReasonRejected, Message: "HTTP 400 Bad Request"},
		},
		{
			"F-P1: a code with a credential", result.Fired, notifytest.Status(400, refusal("api.post."+token)),
			result.Error{Class: result.Configuration, Reason: result.ReasonRejected, Message: "HTTP 400 Bad Request"},
		},
		{
			"the channel is archived", result.Fired, notifytest.Status(400, refusal("api.post.create_post.can_not_post_to_deleted.error")),
			result.Error{Class: result.Configuration, Reason: result.ReasonGone, Message: "HTTP 400 Bad Request: api.post.create_post.can_not_post_to_deleted.error"},
		},
		{
			"the first attempt is in progress", result.Fired, notifytest.Status(500, refusalOf(500, "api.post.deduplicate_create_post.pending")),
			result.Error{Class: result.Unknown, Reason: result.ReasonServerError, Message: "HTTP 500 Internal Server Error: api.post.deduplicate_create_post.pending"},
		},
		{
			"a rate limit", result.Updated, notifytest.Status(429, "limit exceeded", "Retry-After", "3", "X-Ratelimit-Reset", "9"),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: 3 * time.Second, Message: "HTTP 429 Too Many Requests"},
		},
		{
			"the token", result.Updated, notifytest.Status(401, refusalOf(401, "api.context.session_expired.app_error")),
			result.Error{Class: result.Configuration, Reason: result.ReasonUnauthorized, Message: "HTTP 401 Unauthorized: api.context.session_expired.app_error"},
		},
		{
			"no right to post", result.Updated, notifytest.Status(403, refusalOf(403, "api.context.permissions.app_error")),
			result.Error{Class: result.Configuration, Reason: result.ReasonForbidden, Message: "HTTP 403 Forbidden: api.context.permissions.app_error"},
		},
		{
			"whether the post was deleted is not known, and nothing was posted", result.Resolved, notifytest.InSequence(notifytest.Status(403, ""), notifytest.Status(503, "")),
			result.Error{Class: result.Temporary, Reason: result.ReasonServerError, Message: "HTTP 503 Service Unavailable"},
		},
		{
			"an invalid id", result.Fired, notifytest.Status(201, `{"id":"../x"}`),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 201 Created, but " + unlikely},
		},
		{
			"an id that is the token", result.Fired, notifytest.Status(201, `{"id":"`+token+`"}`),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 201 Created, but " + unlikely},
		},
		{
			"an edit of another post", result.Resolved, notifytest.Status(200, accepted),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 200 OK, but " + unlikely},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(c.answer)
			_, err := newBotSender(t, server).Send(t.Context(), notifytest.Message(c.event), notifytest.Key("delivery", oldID))
			notifytest.WantError(t, c.why, err, c.want)
		})
	}
}

func TestWebhookFailures(t *testing.T) {
	for _, c := range []struct {
		why    string
		answer http.HandlerFunc
		want   result.Error
	}{
		{
			"an unknown webhook", notifytest.Status(400, refusal("web.incoming_webhook.invalid.app_error")),
			result.Error{Class: result.Configuration, Reason: result.ReasonNotFound, Message: "HTTP 400 Bad Request: web.incoming_webhook.invalid.app_error"},
		},
		{
			"webhooks are switched off", notifytest.Status(501, refusalOf(501, "web.incoming_webhook.disabled.app_error"), "Retry-After", "3"),
			result.Error{Class: result.Configuration, Reason: result.ReasonRejected, Message: "HTTP 501 Not Implemented: web.incoming_webhook.disabled.app_error"},
		},
		{
			"a login page", notifytest.Status(200, "<!DOCTYPE html>"),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 200 OK, but the answer is not in the form that this receiver's API documents"},
		},
	} {
		server := notifytest.NewServer(t)
		server.Answer(c.answer)
		s, err := New(Config{WebhookURL: server.URL + hook}, outboundtest.Client(t))
		if err != nil {
			t.Fatal(err)
		}
		_, err = s.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", ""))
		notifytest.WantError(t, c.why, err, c.want)
	}
}

// Probe reads the body: a login page has the status 200, too.
func TestProbeReadsBody(t *testing.T) {
	server := notifytest.NewServer(t)
	server.Answer(notifytest.Status(200, "<!DOCTYPE html>"))
	if err := newBotSender(t, server).Probe(t.Context()); result.ClassOf(err) != result.Unconfirmed {
		t.Errorf("got %v", err)
	}
}

func TestEscape(t *testing.T) {
	for text, want := range map[string]string{
		"plain, with a dot. And: a colon (12:30) – 3 % left!":   "plain, with a dot. And: a colon (12:30) – 3 % left!",
		"*bold* __init__ snake_case_name":                       "&#42;bold&#42; &#95;&#95;init&#95;&#95; snake_case_name",
		"[x](https://example.com/y) ![](y)":                     "&#91;x](https://example.com/y) !&#91;](y)",
		"<!channel> <@U123> <a|b>":                              "&#60;!channel> &#60;@\u200bU123> &#60;a|b>",
		"@channel (@all) user@example.com _@here a.@bob @@c":    "@\u200bchannel (@\u200ball) user@example.com &#95;@\u200bhere a.@\u200bbob @\u200b@\u200bc",
		"~general ~~x~~ a~b #tag C# repo#12":                    "&#126;general &#126;&#126;x&#126;&#126; a~b &#35;tag C# repo#12",
		"`:wave:` :kubernetes: path:key:value :) std::vector":   "&#96;&#58;wave:&#96; &#58;kubernetes: path:key:value &#58;) std:&#58;vector",
		"- a\n+ b\n  - c\n1. d\n22) e\n3.14\n> f\n# g\na - b":   "&#45; a\n&#43; b\n  &#45; c\n1&#46; d\n22&#41; e\n3.14\n&#62; f\n&#35; g\na - b",
		"title\n===\n---\n***\n~~~\n|-|":                        "title\n&#61;==\n&#45;--\n&#42;&#42;&#42;\n&#126;&#126;&#126;\n&#124;-|",
		"    code\n\ttab\n   text\n    \n    code":              "\u200b    code\n\u200b\ttab\n   text\n    \n\u200b    code",
		"a &amp; b &#64;channel R&D & x":                        "a &amp;amp; b &amp;&#35;64;channel R&amp;D & x",
		`C:\dir \* \\srv\x`:                                     `C:\dir &#92;&#42; &#92;\srv\x`,
		"https://example.com/a_b/_c?x=1&y=~2#/frag, (http://x)": "https://example.com/a_b/_c?x=1&y=~2#/frag, (http://x)",
		"`https://example.com/a_b`":                             "&#96;https:\u200b//example.com/a_b&#96;",
		"https://example.com/?a&commat;channel":                 "https:\u200b//example.com/?a&amp;commat;channel",
		"https://example.com/@channel":                          "https://example.com/@\u200bchannel",
		"\xff@all":                                              "\uFFFD@\u200ball",
	} {
		if got := escape(text); got != want {
			t.Errorf("%q: got\n%q, want\n%q", text, got, want)
		}
	}
}

// The decoded text is the original text, without mentions.
func TestEscapeIsReversible(t *testing.T) {
	alphabet := []string{"@", "all", "_", "*", "&", "#", "64;", "amp;", "commat;", "<", ">", "!", ":", ".", "-", "\\", "\n", " ", "    ", "~", "`", "|", "ü", "1", "https://x/", "/", "+", "=", "("}
	random := rand.New(rand.NewPCG(1, 2))
	for range 20000 {
		var text strings.Builder
		for range random.IntN(12) {
			text.WriteString(alphabet[random.IntN(len(alphabet))])
		}
		got := html.UnescapeString(escape(text.String()))
		if mentions := notifytest.MattermostMentions(got); mentions != nil {
			t.Fatalf("%q mentions %q", text.String(), mentions)
		}
		if plain := strings.ReplaceAll(got, zeroWidthSpace, ""); plain != text.String() {
			t.Fatalf("%q is shown as %q", text.String(), plain)
		}
	}
}

// The time of escape must not depend on the content.
func TestEscapeDuration(t *testing.T) {
	began := time.Now()
	for _, text := range []string{strings.Repeat("https://x!", 1638) + "*", strings.Repeat("*", 16384), strings.Repeat("    \n", 3276)} {
		render(notify.Message{Event: result.Fired, RawTitle: "t", RawContent: text})
	}
	if took := time.Since(began); took > 5*time.Second { // typically some milliseconds
		t.Errorf("took %s", took)
	}
}

func TestCuts(t *testing.T) {
	for why, c := range map[string]struct {
		title, content, cuts string
	}{
		"the longest that fits":          {"t", strings.Repeat("x", maxMessage-len("**t**\n")), ""},
		"one character longer":           {"t", strings.Repeat("x", maxMessage-len("**t**\n")+1), "; the content was cut to 16377 characters"},
		"escapes count":                  {"t", strings.Repeat("*", 4000), "; the content was cut to 1637"},
		"longest escapes":                {"t", strings.Repeat("~", 16384), "; the content was cut to 1637"},
		"characters, not bytes":          {"t", strings.Repeat("ü", 16000), ""},
		"a title that long":              {strings.Repeat("~", 500), "", "; the title was cut to 2500 characters"},
		"the longest title with escapes": {strings.Repeat("~", 256), strings.Repeat("a-b_c: ", 2000), ""},
	} {
		text, cuts := render(notify.Message{Event: result.Fired, RawTitle: c.title, RawContent: c.content})
		n := utf8.RuneCountInString(text)
		if !strings.HasPrefix(cuts, c.cuts) || (cuts == "") != (c.cuts == "") || n > maxMessage || c.cuts != "" && !strings.Contains(text, "… &#91;cut]") {
			t.Errorf("%s: got %d characters, %q", why, n, cuts)
		}
		if strings.Contains(cuts, "content") && n < maxMessage-maxEscape {
			t.Errorf("%s: cut to %d characters, which is more than need be", why, n)
		}
	}
}

// Mattermost repeats the text in its response. A response that is too long to be read would cause repeats.
func TestResponseIsReadable(t *testing.T) {
	service := notifytest.NewMattermost(token, channelID, hookKey)
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	s, err := New(Config{URL: server.URL, ChannelID: channelID, Token: token}, outboundtest.Client(t))
	if err != nil {
		t.Fatal(err)
	}
	for i, content := range []string{strings.Repeat(">", 9000), strings.Repeat(">", 16384), strings.Repeat("\x01", 16384), strings.Repeat("& ", 8000)} {
		m := notifytest.Message(result.Fired)
		m.RawContent = content
		got, err := s.Send(t.Context(), m, notifytest.Key(strings.Repeat("x", i), ""))
		if cut := strings.Contains(got.Note, "; the content was cut to "); err != nil || cut != (i == 1 || i == 2) {
			t.Errorf("%q…: got %+v, %v", content[:2], got, err)
		}
	}
}

func TestTitle(t *testing.T) {
	for title, want := range map[string]string{
		" a\nb\r\n ": "**a b**",
		"**x** _":    "**&#42;&#42;x&#42;&#42; &#95;**",
		"":           "**Kubernetes alert for shop/a**",
	} {
		if got, _ := render(notify.Message{Event: result.Fired, RawTitle: title, Namespace: "shop", Name: "a"}); got != want {
			t.Errorf("%q: got %q, want %q", title, got, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		why, want string
		config    Config
	}{
		{"neither", "url, token: exactly one", Config{URL: "https://example.com", ChannelID: channelID}},
		{"both", "url, token: exactly one", Config{WebhookURL: "https://example.com/canary", Token: token}},
		{"a token with a blank", "token: must be", Config{URL: "https://example.com", ChannelID: channelID, Token: "canary canary"}},
		{"no server", "url: must be set", Config{ChannelID: channelID, Token: token}},
		{"not a URL", "url: must be an absolute", Config{URL: "http://canary:canary", ChannelID: channelID, Token: token}},
		{"credentials in the URL", "url: must have neither", Config{URL: "https://canary@example.com", ChannelID: channelID, Token: token}},
		{"no channel", "channelID: must be the id", Config{URL: "https://example.com", Token: token}},
		{"a channel's name", "channelID: must be the id", Config{URL: "https://example.com", ChannelID: "town-square-canary", Token: token}},
		{"not a webhook", "url: must be an absolute", Config{WebhookURL: "canary"}},
		{"a webhook with a server", "url: of the server", Config{WebhookURL: "https://example.com/canary", URL: "https://example.com/canary"}},
		{"a webhook with a channel", "channelID: is for a bot", Config{WebhookURL: "https://example.com/canary", ChannelID: channelID}},
	} {
		_, err := New(c.config, outboundtest.Client(t))
		notifytest.WantInvalid(t, c.why, err, c.want)
	}
}

// After a lost response a bot's repeat is recognized for 30 seconds. Later edits change the last post.
func TestLostAnswer(t *testing.T) {
	const fired, update, over = "[Critical] Hi 🎉\nHello KubeCon 👋", "Updated: [Critical] Hi 🎉\nHello KubeCon 👋", "Resolved: [Critical] Hi 🎉\nHello KubeCon 👋"
	const overOnly = "Resolved: [Critical] Hi 🎉"
	bot := func(url string) Config { return Config{URL: url, ChannelID: channelID, Token: token} }
	for why, c := range map[string]struct {
		config func(url string) Config
		lost   func(*notifytest.Mattermost) // when the answer is lost
		last   func(*notifytest.Mattermost, string)
		want   []notifytest.Seen
	}{
		"bot": {config: bot, want: []notifytest.Seen{{Text: over, Resolved: true}}},
		"bot, later": {
			config: bot, lost: (*notifytest.Mattermost).Forget,
			want: []notifytest.Seen{{Text: fired}, {Text: over, Resolved: true}},
		},
		"bot, too late to edit": {
			config: bot, lost: (*notifytest.Mattermost).Lock,
			want: []notifytest.Seen{{Text: fired}, {Text: update}, {Text: overOnly, Resolved: true}},
		},
		"bot, deleted": {config: bot, last: (*notifytest.Mattermost).Delete, want: []notifytest.Seen{{Resolved: true}}},
		"webhook": {
			config: func(url string) Config { return Config{WebhookURL: url + hook} },
			want:   []notifytest.Seen{{Text: fired}, {Text: fired}, {Text: update}, {Text: overOnly, Resolved: true}},
		},
	} {
		service := notifytest.NewMattermost(token, channelID, hookKey)
		server := httptest.NewServer(notifytest.LoseAnswers(service, 1))
		defer server.Close()
		s, err := New(c.config(server.URL), outboundtest.Client(t))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("first", "")); result.ClassOf(err) != result.Unknown {
			t.Fatalf("%s: got %v, want an answer that is lost", why, err)
		}
		if c.lost != nil {
			c.lost(service)
		}
		var last result.Receipt
		for i, event := range []result.Event{result.Fired, result.Updated, result.Resolved} {
			if c.last != nil && event == result.Resolved {
				c.last(service, last.ExternalID)
			}
			key := notifytest.Key([]string{"first", "second", "third"}[i], last.ExternalID)
			if last, err = s.Send(t.Context(), notifytest.Message(event), key); err != nil {
				t.Fatalf("%s: %s: %v", why, event, err)
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
