// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package telegram

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"mime"
	"mime/multipart"
	"net/http"
	"net/http/httptest"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf16"

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/outbound/outboundtest"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/notifytest"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

const (
	secret    = "CanaryTokenT0_AAHdq-TcvCH1vGWJxfSeo"
	botToken  = "110201543:" + secret
	chatID    = "-1001234567890"
	accepted  = `{"ok":true,"result":{"message_id":42,"date":1772366400,"chat":{"id":-1001234567890,"type":"supergroup"},"text":"x"}}`
	chatFound = `{"ok":true,"result":{"id":-1001234567890,"type":"supergroup","title":"On call"}}`

	notModified = "Bad Request: message is not modified: specified new message content and reply markup are exactly the same as a " +
		"current content and reply markup of the message"
	notFound       = "Bad Request: message to edit not found"
	cannotEdit     = "Bad Request: message can't be edited"
	noPreviews     = `{"is_disabled":true}`
	fullText       = "[Critical] Hi 🎉\n\nHello KubeCon 👋"
	editedNote     = "edited; Telegram sends no notification for an edit"
	notPromised    = ", but the answer is not in the form that this receiver's API documents"
	earlierMessage = chatID + "/7"
)

// refusal returns an error of the API.
func refusal(description string) string { return refusalOf(http.StatusBadRequest, description) }

func refusalOf(status int, description string) string {
	body, err := json.Marshal(map[string]any{"ok": false, "error_code": status, "description": description})
	if err != nil {
		panic(err) // strings always encode
	}
	return string(body)
}

func TestConformance(t *testing.T) {
	for name, quotes := range map[string]bool{"Telegram": true, "another server": false} {
		t.Run(name, func(t *testing.T) {
			notifytest.Run(t, notifytest.Provider{
				New: func(url string, client *outbound.Client) (notify.Sender, error) {
					s, err := New(Config{URL: url, Token: botToken, ChatID: chatID}, client)
					if err != nil {
						return nil, err
					}
					s.MayQuote = quotes
					return s, nil
				},
				Canaries:    []string{botToken, secret},
				Accept:      accepted,
				NeedsBody:   true,
				ExternalID:  chatID + "/42",
				ProbeAccept: chatFound,
				ErrorBody:   func(message string) (string, string) { return "application/json", refusal(message) },
				RefusalBody: func(status int) (string, string) {
					return "application/json", refusalOf(status, "Bad Request: message is too long")
				},
				QuotesNothing: !quotes,
			})
		})
	}
}

func newSender(t *testing.T, url string, config Config) *Sender {
	t.Helper()
	config.URL = url
	config.Token = botToken + "\n" // as in a Secret that was made with echo
	if config.ChatID == "" {
		config.ChatID = chatID
	}
	s, err := New(config, outboundtest.Client(t))
	if err != nil {
		t.Fatal(err)
	}
	s.MayQuote = true // as if the server were Telegram's
	return s
}

// form decodes a request.
func form(t *testing.T, r notifytest.Request) map[string]string {
	t.Helper()
	_, params, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil {
		t.Fatal(err)
	}
	values := map[string]string{}
	for parts := multipart.NewReader(bytes.NewReader(r.Body), params["boundary"]); ; {
		part, err := parts.NextPart()
		if errors.Is(err, io.EOF) {
			return values
		}
		if err != nil {
			t.Fatal(err)
		}
		value, err := io.ReadAll(part)
		if _, twice := values[part.FormName()]; twice || err != nil {
			t.Fatalf("%s: twice, or %v", part.FormName(), err)
		}
		values[part.FormName()] = string(value)
	}
}

// answers returns a handler that selects the answer by the method.
func answers(byMethod map[string]http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		method := r.URL.Path[strings.LastIndex(r.URL.Path, "/")+1:]
		byMethod[method](w, r)
	}
}

func TestSend(t *testing.T) {
	posted := result.Receipt{ExternalID: chatID + "/42", Note: "HTTP 200 OK"}
	post := func(text string) string { return "sendMessage " + chatID + " " + noPreviews + " " + text }
	edit := func(text string) string { return "editMessageText " + chatID + " " + noPreviews + " 7 " + text }
	for _, c := range []struct {
		why        string
		event      result.Event
		externalID string
		edit       http.HandlerFunc
		requests   []string // method and values in the order of their names
		want       result.Receipt
	}{
		{why: "fired", event: result.Fired, requests: []string{post(fullText)}, want: posted},
		{why: "fired again", event: result.Fired, externalID: earlierMessage, requests: []string{post(fullText)}, want: posted},
		{
			why: "an update edits", event: result.Updated, externalID: earlierMessage, edit: notifytest.Status(200, accepted),
			requests: []string{edit("Updated: " + fullText)}, want: result.Receipt{ExternalID: earlierMessage, Note: editedNote},
		},
		{
			why: "an edit that changes nothing", event: result.Updated, externalID: earlierMessage, edit: notifytest.Status(400, refusal(notModified)),
			requests: []string{edit("Updated: " + fullText)}, want: result.Receipt{ExternalID: earlierMessage, Note: "the message says so already"},
		},
		{
			why: "an update of a deleted message", event: result.Updated, externalID: earlierMessage, edit: notifytest.Status(400, refusal(notFound)),
			requests: []string{edit("Updated: " + fullText), post("Updated: " + fullText)}, want: posted,
		},
		{
			why: "an update of a message that cannot be edited", event: result.Updated, externalID: earlierMessage, edit: notifytest.Status(400, refusal(cannotEdit)),
			requests: []string{edit("Updated: " + fullText), post("Updated: " + fullText)}, want: posted,
		},
		{why: "an update without an external id", event: result.Updated, requests: []string{post("Updated: " + fullText)}, want: posted},
		{
			why: "a message in another chat is not edited here", event: result.Updated, externalID: "-100555/7",
			requests: []string{post("Updated: " + fullText)}, want: posted,
		},
		{why: "an external id in another form", event: result.Updated, externalID: chatID + "/7/../8", requests: []string{post("Updated: " + fullText)}, want: posted},
		{
			why: "not a number", event: result.Updated, externalID: chatID + "/9999999999999999999",
			requests: []string{post("Updated: " + fullText)}, want: posted,
		},
		{
			why: "resolved edits", event: result.Resolved, externalID: earlierMessage, edit: notifytest.Status(200, accepted),
			requests: []string{edit("Resolved: " + fullText)}, want: result.Receipt{ExternalID: earlierMessage, Note: editedNote},
		},
		{
			why: "resolved already", event: result.Resolved, externalID: earlierMessage, edit: notifytest.Status(400, refusal(notModified)),
			requests: []string{edit("Resolved: " + fullText)}, want: result.Receipt{ExternalID: earlierMessage, Note: "the message says so already"},
		},
		{
			why: "a resolve of a deleted message is not sent", event: result.Resolved, externalID: earlierMessage, edit: notifytest.Status(400, refusal("Bad Request: MESSAGE_ID_INVALID")),
			requests: []string{edit("Resolved: " + fullText)}, want: result.Receipt{Note: "the message is gone already"},
		},
		{
			why: "a resolve of a message that cannot be edited is a new message", event: result.Resolved, externalID: earlierMessage, edit: notifytest.Status(400, refusal(cannotEdit)),
			requests: []string{edit("Resolved: " + fullText), post("Resolved: [Critical] Hi 🎉")}, want: posted,
		},
		{why: "resolved without an external id", event: result.Resolved, requests: []string{post("Resolved: [Critical] Hi 🎉")}, want: posted},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(answers(map[string]http.HandlerFunc{"sendMessage": notifytest.Status(200, accepted), "editMessageText": c.edit}))
			got, err := newSender(t, server.URL+"/", Config{}).Send(t.Context(), notifytest.Message(c.event), notifytest.Key("delivery", c.externalID))
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
			var requests []string
			for _, r := range server.Requests() {
				method, ok := strings.CutPrefix(r.URI, "/bot"+botToken+"/")
				if r.Method != http.MethodPost || !ok || r.Header.Get("Authorization") != "" {
					t.Errorf("got %s %s %v", r.Method, r.URI, r.Header)
				}
				values := form(t, r)
				for _, name := range slices.Sorted(maps.Keys(values)) {
					method += " " + values[name]
				}
				requests = append(requests, method)
			}
			if !slices.Equal(requests, c.requests) {
				t.Errorf("got requests %q, want %q", requests, c.requests)
			}
		})
	}
}

func TestParameters(t *testing.T) {
	server := notifytest.NewServer(t)
	server.Answer(notifytest.Status(200, accepted))
	s := newSender(t, server.URL, Config{ChatID: "@oncall_channel", MessageThreadID: 12})
	got, err := s.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", ""))
	if err != nil || got.ExternalID != "@oncall_channel/42" {
		t.Errorf("got %+v, %v", got, err)
	}
	if err := s.Probe(t.Context()); err != nil {
		t.Error(err)
	}
	requests := server.Requests()
	want := map[string]string{"chat_id": "@oncall_channel", "message_thread_id": "12", "text": fullText, "link_preview_options": noPreviews}
	if got := form(t, requests[0]); !maps.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	if got := form(t, requests[1]); !maps.Equal(got, map[string]string{"chat_id": "@oncall_channel"}) || requests[1].URI != "/bot"+botToken+"/getChat" {
		t.Errorf("got %s, %v", requests[1].URI, got)
	}
}

// tdlibMention matches what Telegram takes for a mention.
var tdlibMention = regexp.MustCompile(`(?:^|[^\pL\pN_])@[A-Za-z0-9_]{2,32}(?:$|[^\pL\pN_])`)

func TestBreakMentions(t *testing.T) {
	const joined = "@\u2060"
	for text, want := range map[string]string{
		"@admin":                        joined + "admin",
		"ask @admin,@root_1 (@x9)\n@yz": "ask " + joined + "admin," + joined + "root_1 (" + joined + "x9)\n" + joined + "yz",
		"a@example.com image@sha256:00": "a@example.com image@sha256:00",
		"hi.@admin @@admin é@admin":     "hi." + joined + "admin @" + joined + "admin é" + joined + "admin",
		"https://example.com/@admin":    "https://example.com/" + joined + "admin",
		"5 @ 3 @":                       "5 @ 3 @",
		"*b* _i_ [x](y) <b> `c` #tag /restart <!channel>": "*b* _i_ [x](y) <b> `c` #tag /restart <!channel>",
	} {
		got := breakMentions(text)
		if got != want || tdlibMention.MatchString(got) {
			t.Errorf("%q became %q, want %q", text, got, want)
		}
	}
	m := notifytest.Message(result.Fired)
	m.RawTitle, m.RawContent = "@admin", "@admin"
	if text, _ := render(m); text != "[Critical] "+joined+"admin\n\n"+joined+"admin" {
		t.Errorf("got %q", text)
	}
}

func FuzzBreakMentions(f *testing.F) {
	f.Add("@ab@cd @ef@@gh _@ij")
	f.Fuzz(func(t *testing.T, text string) {
		got := breakMentions(text)
		if tdlibMention.MatchString(got) || strings.ReplaceAll(got, "@\u2060", "@") != strings.ReplaceAll(text, "@\u2060", "@") {
			t.Errorf("%q became %q", text, got)
		}
	})
}

func TestCut(t *testing.T) {
	service := notifytest.NewTelegram(botToken, chatID)
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	s := newSender(t, server.URL, Config{})
	const head = len("[Critical] T\n\n")
	for _, c := range []struct {
		why, title, content string
		cut                 bool
	}{
		{"a text that fits", "T", strings.Repeat("x", 4096-head), false},
		{"one character longer", "T", strings.Repeat("x", 4097-head), true},
		{"emoji count twice", "T", strings.Repeat("👋", (4096-head)/2+1), true},
		{"so do mentions", "T", strings.Repeat("@x ", (4096-head)/4+1), true},
		{"a long title too", strings.Repeat("@x ", 1000), strings.Repeat("x", 16384), true},
	} {
		m := notifytest.Message(result.Fired)
		m.RawTitle, m.RawContent = c.title, c.content
		receipt, err := s.Send(t.Context(), m, notifytest.Key("delivery", ""))
		if err != nil {
			t.Errorf("%s: %v", c.why, err)
			continue
		}
		seen := service.Seen()
		text := seen[len(seen)-1].Text
		if n := len(utf16.Encode([]rune(text))); n > 4096 || c.cut && n < 4090 || c.cut != strings.HasSuffix(text, "… [cut]") {
			t.Errorf("%s: %d units, ends in %q", c.why, n, text[len(text)-10:])
		}
		note := "HTTP 200 OK"
		if len(c.title) > 1 {
			note += "; the title was cut to 1024 characters"
		}
		if c.cut {
			note += "; the message was cut to 4096 characters"
		}
		if receipt.Note != note {
			t.Errorf("%s: got note %q, want %q", c.why, receipt.Note, note)
		}
	}
}

// Telegram has no idempotency key: after a lost response the message is sent again, and later edits change the second one.
func TestLostAnswer(t *testing.T) {
	service := notifytest.NewTelegram(botToken, chatID)
	server := httptest.NewServer(notifytest.LoseAnswers(service, 1))
	t.Cleanup(server.Close)
	s := newSender(t, server.URL, Config{MessageThreadID: 12})
	if _, err := s.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", "")); result.ClassOf(err) != result.Unknown {
		t.Fatalf("the answer is lost, but got %v", err)
	}
	if err := s.Probe(t.Context()); err != nil {
		t.Errorf("probe: %v", err)
	}
	first := notifytest.Seen{ID: chatID + "/1", Text: fullText}
	externalID := ""
	for _, c := range []struct {
		why   string
		event result.Event
		want  notifytest.Seen
	}{
		{"repeated", result.Fired, notifytest.Seen{ID: chatID + "/2", Text: fullText}},
		{"updated", result.Updated, notifytest.Seen{ID: chatID + "/2", Text: "Updated: " + fullText}},
		{"updated again", result.Updated, notifytest.Seen{ID: chatID + "/2", Text: "Updated: " + fullText}},
		{"resolved", result.Resolved, notifytest.Seen{ID: chatID + "/2", Text: "Resolved: " + fullText, Resolved: true}},
		{"resolved again", result.Resolved, notifytest.Seen{ID: chatID + "/2", Text: "Resolved: " + fullText, Resolved: true}},
	} {
		receipt, err := s.Send(t.Context(), notifytest.Message(c.event), notifytest.Key("delivery", externalID))
		if err != nil {
			t.Fatalf("%s: %v", c.why, err)
		}
		externalID = receipt.ExternalID
		if seen := service.Seen(); !slices.Equal(seen, []notifytest.Seen{first, c.want}) {
			t.Errorf("%s: people see %+v, want %+v", c.why, seen, c.want)
		}
	}
}

func TestFailures(t *testing.T) {
	const badRequest = "HTTP 400 Bad Request"
	withParameters := func(description, parameters string) string {
		return fmt.Sprintf(`{"ok":false,"error_code":400,"description":%q,"parameters":%s}`, description, parameters)
	}
	for _, c := range []struct {
		why    string
		event  result.Event
		answer http.HandlerFunc
		want   result.Error
	}{
		{
			"the service's text", result.Fired, notifytest.Status(400, refusal("Bad Request: message\nis "+botToken+" or "+secret)),
			result.Error{Class: result.Permanent, Reason: result.ReasonRejected, Message: badRequest + ": Bad Request: message is [redacted] or [redacted]"},
		},
		{
			"an unknown bot", result.Fired, notifytest.Status(401, refusal("Unauthorized")),
			result.Error{Class: result.Configuration, Reason: result.ReasonUnauthorized, Message: "HTTP 401 Unauthorized: Unauthorized"},
		},
		{
			"no such chat", result.Fired, notifytest.Status(400, refusal("Bad Request: chat not found")),
			result.Error{Class: result.Configuration, Reason: result.ReasonNotFound, Message: badRequest + ": Bad Request: chat not found"},
		},
		{
			"no such topic", result.Fired, notifytest.Status(400, refusal("Bad Request: message thread not found")),
			result.Error{Class: result.Configuration, Reason: result.ReasonNotFound, Message: badRequest + ": Bad Request: message thread not found"},
		},
		{
			"a closed topic", result.Fired, notifytest.Status(400, refusal("Bad Request: TOPIC_CLOSED")),
			result.Error{Class: result.Configuration, Reason: result.ReasonForbidden, Message: badRequest + ": Bad Request: TOPIC_CLOSED"},
		},
		{
			"missing rights", result.Fired, notifytest.Status(400, refusal("Bad Request: not enough rights to send text messages to the chat")),
			result.Error{Class: result.Configuration, Reason: result.ReasonForbidden, Message: badRequest + ": Bad Request: not enough rights to send text messages to the chat"},
		},
		{
			"removed from the group", result.Fired, notifytest.Status(403, refusal("Forbidden: bot was kicked from the group chat")),
			result.Error{Class: result.Configuration, Reason: result.ReasonForbidden, Message: "HTTP 403 Forbidden: Forbidden: bot was kicked from the group chat"},
		},
		{
			"the group became a supergroup", result.Fired, notifytest.Status(400, withParameters("Bad Request: group chat was upgraded to a supergroup chat", `{"migrate_to_chat_id":-1009876543210}`)),
			result.Error{Class: result.Configuration, Reason: result.ReasonGone, Message: badRequest +
				": the group is a supergroup now; chatID must be -1009876543210: Bad Request: group chat was upgraded to a supergroup chat"},
		},
		{
			"a rate limit", result.Fired, notifytest.Status(429, withParameters("Too Many Requests: retry after 35", `{"retry_after":35}`), "Retry-After", "1"),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: 35 * time.Second, Message: "HTTP 429 Too Many Requests: Too Many Requests: retry after 35"},
		},
		{
			"a wait that is too long", result.Fired, notifytest.Status(429, withParameters("x", `{"retry_after":9223372036854775807}`)),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: outbound.MaxRetryAfter, Message: "HTTP 429 Too Many Requests: x"},
		},
		{
			"editing fails", result.Resolved, notifytest.Status(502, "<html>"),
			result.Error{Class: result.Unknown, Reason: result.ReasonServerError, Message: "HTTP 502 Bad Gateway"},
		},
		{
			"editing is refused", result.Updated, notifytest.Status(403, refusal(notFound)), // only a 400 is about the message
			result.Error{Class: result.Configuration, Reason: result.ReasonForbidden, Message: "HTTP 403 Forbidden: " + notFound},
		},
		{
			"an edit that is not confirmed", result.Updated, notifytest.Status(200, "<html>"),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 200 OK" + notPromised},
		},
		{
			"not ok", result.Fired, notifytest.Status(200, `{"ok":false,"result":{"message_id":42}}`),
			result.Error{Class: result.Configuration, Reason: result.ReasonRejected, Message: `HTTP 200 OK, but the answer says that it failed: {"ok":false,"result":{"message_id":42}}`},
		},
		{
			"a message id that is not a number", result.Fired, notifytest.Status(200, `{"ok":true,"result":{"message_id":"`+secret+`"}}`),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 200 OK" + notPromised},
		},
		{
			"message id 0", result.Fired, notifytest.Status(200, `{"ok":true,"result":{"message_id":0}}`),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 200 OK" + notPromised},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(c.answer)
			s := newSender(t, server.URL, Config{})
			_, err := s.Send(t.Context(), notifytest.Message(c.event), notifytest.Key("delivery", earlierMessage))
			notifytest.WantError(t, c.why, err, c.want)
			if n := len(server.Requests()); n != 1 {
				t.Errorf("%d requests, want 1", n)
			}
		})
	}
}

// Members that the library does not know must not make a success look like a failure.
func TestUnknownMembers(t *testing.T) {
	server := notifytest.NewServer(t)
	server.Answer(notifytest.Status(200, `{"ok":true,"result":{"message_id":42,"date":"later","chat":7,"available_reactions":[{"type":"new"}]}}`))
	s := newSender(t, server.URL, Config{})
	if receipt, err := s.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", "")); err != nil || receipt.ExternalID != chatID+"/42" {
		t.Errorf("got %+v, %v", receipt, err)
	}
	if err := s.Probe(t.Context()); err != nil {
		t.Errorf("probe: %v", err)
	}
}

func TestProbeFailures(t *testing.T) {
	server := notifytest.NewServer(t)
	s := newSender(t, server.URL, Config{})
	for body, want := range map[string]result.Class{
		refusal("Bad Request: chat not found"): result.Configuration,
		"<html>":                               result.Unconfirmed,
	} {
		status := http.StatusOK
		if want == result.Configuration {
			status = http.StatusBadRequest
		}
		server.Answer(notifytest.Status(status, body))
		if err := s.Probe(t.Context()); result.ClassOf(err) != want {
			t.Errorf("%s: got %v, want %s", body, err, want)
		}
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		why, want string
		config    Config
	}{
		{"no token", "token: must be", Config{ChatID: chatID}},
		{"a part of a token", "token: must be", Config{ChatID: chatID, Token: "canary"}},
		{"a token with a path", "token: must be", Config{ChatID: chatID, Token: "1:canary/../.."}},
		{"a token with a query", "token: must be", Config{ChatID: chatID, Token: "1:canary?x"}},
		{"no chat", "chatID: must be", Config{Token: botToken}},
		{"a chat's name without @", "chatID: must be", Config{Token: botToken, ChatID: "canary"}},
		{"a link", "chatID: must be", Config{Token: botToken, ChatID: "https://t.me/canary"}},
		{"a negative topic", "messageThreadID: must not", Config{Token: botToken, ChatID: chatID, MessageThreadID: -1}},
		{"not a URL", "url: must be an absolute", Config{Token: botToken, ChatID: chatID, URL: "http://canary:canary"}},
		{"credentials in the URL", "url: must have neither", Config{Token: botToken, ChatID: chatID, URL: "https://canary@example.com"}},
		{"a query", "url: must have neither", Config{Token: botToken, ChatID: chatID, URL: "https://example.com?"}},
		{"a fragment", "url: must have neither", Config{Token: botToken, ChatID: chatID, URL: "https://example.com#canary"}},
	} {
		_, err := New(c.config, outboundtest.Client(t))
		notifytest.WantInvalid(t, c.why, err, c.want)
	}
	for url, quotes := range map[string]bool{"": true, "https://api.telegram.org/": true, "https://bots.example.com/telegram": false} {
		if s, err := New(Config{URL: url, Token: botToken, ChatID: chatID}, outboundtest.Client(t)); err != nil || s.MayQuote != quotes {
			t.Errorf("%q: got %v; quoted: %t, want %t", url, err, !quotes, quotes)
		}
	}
}
