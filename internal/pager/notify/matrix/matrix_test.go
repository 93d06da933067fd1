// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package matrix

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path"
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
	token = "CanaryTokenM0" // in the form of an id
	room  = "!OGEhHVWSdvArJzumhm:example.com"
	first = "$Rqnc-F-dvnEYJTyHq_iKxU2bZ1CI92-kuZq3a5lr5Zg"
)

func refusal(code, message string) string {
	body, err := json.Marshal(map[string]string{"errcode": code, "error": message})
	if err != nil {
		panic(err) // strings always encode
	}
	return string(body)
}

func TestConformance(t *testing.T) {
	notifytest.Run(t, notifytest.Provider{
		New: func(url string, client *outbound.Client) (notify.Sender, error) {
			return New(Config{URL: url, RoomID: room, Token: token}, client)
		},
		Canaries:      []string{token},
		Accept:        `{"event_id":"` + first + `"}`,
		NeedsBody:     true,
		ExternalID:    first,
		ErrorBody:     func(message string) (string, string) { return "application/json", refusal("M_UNKNOWN", message) },
		RefusalBody:   func(int) (string, string) { return "application/json", refusal("M_TOO_LARGE", "event too large") },
		QuotesNothing: true,
		Key:           func(r notifytest.Request) string { return path.Base(r.URI) },
		ProbeAccept:   `{"user_id":"@bellhop:example.com","membership":"join"}`,
	})
}

func newSender(t *testing.T, url string) *Sender {
	t.Helper()
	s, err := New(Config{URL: url, RoomID: room, Token: token + "\n"}, outboundtest.Client(t)) // as in a Secret that was made with echo
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const (
	inRoom = "/_matrix/client/v3/rooms/%21OGEhHVWSdvArJzumhm:example.com"
	send   = "PUT " + inRoom + "/send/m.room.message/delivery "
	lookUp = "GET " + inRoom + "/event/" + first + " "
)

func TestSend(t *testing.T) {
	const there = `{"type":"m.room.message","content":{"msgtype":"m.text","body":"Hi"}}`
	for _, c := range []struct {
		why        string
		event      result.Event
		externalID string
		lookup     http.HandlerFunc
		requests   []string
		want       result.Receipt
	}{
		{
			why: "a message", event: result.Fired,
			requests: []string{send + `{"msgtype":"m.text","body":"[Critical] Hi 🎉\nHello KubeCon 👋","m.mentions":{}}`},
			want:     result.Receipt{ExternalID: "$new", Note: "HTTP 200 OK"},
		},
		{
			why: "an update is an edit", event: result.Updated, externalID: first, lookup: notifytest.Status(200, there),
			requests: []string{lookUp, send + `{"msgtype":"m.text","body":"* Updated: [Critical] Hi 🎉\nHello KubeCon 👋","m.mentions":{},` +
				`"m.new_content":{"msgtype":"m.text","body":"Updated: [Critical] Hi 🎉\nHello KubeCon 👋","m.mentions":{}},` +
				`"m.relates_to":{"rel_type":"m.replace","event_id":"` + first + `"}}`},
			want: result.Receipt{ExternalID: first, Note: "HTTP 200 OK; edited"},
		},
		{
			why: "a resolve is an edit", event: result.Resolved, externalID: first, lookup: notifytest.Status(200, "long: cut off"),
			requests: []string{lookUp, send + `{"msgtype":"m.text","body":"* Resolved: [Critical] Hi 🎉\nHello KubeCon 👋","m.mentions":{},` +
				`"m.new_content":{"msgtype":"m.text","body":"Resolved: [Critical] Hi 🎉\nHello KubeCon 👋","m.mentions":{}},` +
				`"m.relates_to":{"rel_type":"m.replace","event_id":"` + first + `"}}`},
			want: result.Receipt{ExternalID: first, Note: "HTTP 200 OK; edited"},
		},
		{
			why: "a removed message is not edited", event: result.Updated, externalID: first, lookup: notifytest.Status(200, `{"type":"m.room.message","content":{}}`),
			requests: []string{lookUp, send + `{"msgtype":"m.text","body":"Updated: [Critical] Hi 🎉\nHello KubeCon 👋","m.mentions":{}}`},
			want:     result.Receipt{ExternalID: "$new", Note: "HTTP 200 OK"},
		},
		{
			why: "a message in another room is not edited", event: result.Updated, externalID: first, lookup: notifytest.Status(404, refusal("M_NOT_FOUND", "")),
			requests: []string{lookUp, send + `{"msgtype":"m.text","body":"Updated: [Critical] Hi 🎉\nHello KubeCon 👋","m.mentions":{}}`},
			want:     result.Receipt{ExternalID: "$new", Note: "HTTP 200 OK"},
		},
		{
			why: "the resolve of a removed message is not sent", event: result.Resolved, externalID: first,
			lookup: notifytest.Status(200, `{"type":"m.room.message","content":{}}`), requests: []string{lookUp},
			want: result.Receipt{Note: "the message is gone already"},
		},
		{
			why: "the resolve of a message in another room is a new message", event: result.Resolved, externalID: first, lookup: notifytest.Status(404, refusal("M_NOT_FOUND", "")),
			requests: []string{lookUp, send + `{"msgtype":"m.text","body":"Resolved: [Critical] Hi 🎉","m.mentions":{}}`},
			want:     result.Receipt{ExternalID: "$new", Note: "HTTP 200 OK"},
		},
		{
			why: "an update with an invalid external id", event: result.Updated, externalID: "../x",
			requests: []string{send + `{"msgtype":"m.text","body":"Updated: [Critical] Hi 🎉\nHello KubeCon 👋","m.mentions":{}}`},
			want:     result.Receipt{ExternalID: "$new", Note: "HTTP 200 OK"},
		},
		{
			why: "resolved without an external id", event: result.Resolved,
			requests: []string{send + `{"msgtype":"m.text","body":"Resolved: [Critical] Hi 🎉","m.mentions":{}}`},
			want:     result.Receipt{ExternalID: "$new", Note: "HTTP 200 OK"},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					c.lookup(w, r)
					return
				}
				notifytest.Status(200, `{"event_id":"$new"}`)(w, r)
			})
			got, err := newSender(t, server.URL).Send(t.Context(), notifytest.Message(c.event), notifytest.Key("delivery", c.externalID))
			if err != nil || got != c.want {
				t.Errorf("got %+v, %v; want %+v", got, err, c.want)
			}
			var requests []string
			for _, r := range server.Requests() {
				requests = append(requests, r.Method+" "+r.URI+" "+string(r.Body))
				if r.Header.Get("Authorization") != "Bearer "+token {
					t.Errorf("authorized as %q", r.Header.Get("Authorization"))
				}
			}
			if strings.Join(requests, "\n") != strings.Join(c.requests, "\n") {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(requests, "\n"), strings.Join(c.requests, "\n"))
			}
		})
	}
}

// People see one message, also after a lost response.
func TestAgainstHomeserver(t *testing.T) {
	matrix := notifytest.NewMatrix(room, token)
	server := httptest.NewServer(notifytest.LoseAnswers(matrix, 1))
	t.Cleanup(server.Close)
	s := newSender(t, server.URL)
	var id string
	send := func(event result.Event, delivery string) error {
		receipt, err := s.Send(t.Context(), notifytest.Message(event), notifytest.Key(delivery, id))
		if err == nil {
			id = receipt.ExternalID
		}
		return err
	}
	want := func(why string, texts ...string) {
		t.Helper()
		var got []string
		for _, seen := range matrix.Seen() {
			got = append(got, seen.Text)
			if over := seen.Text == "" || strings.HasPrefix(seen.Text, "Resolved: "); seen.Resolved != over {
				t.Errorf("%s: %+v", why, seen)
			}
		}
		if strings.Join(got, "|") != strings.Join(texts, "|") {
			t.Errorf("%s: people see %q, want %q", why, got, texts)
		}
	}
	if err := send(result.Fired, "fired"); result.ClassOf(err) != result.Unknown {
		t.Fatalf("a lost answer: got %v", err)
	}
	for i, c := range []struct {
		event result.Event
		text  string
	}{
		{result.Fired, "[Critical] Hi 🎉\nHello KubeCon 👋"},
		{result.Updated, "Updated: [Critical] Hi 🎉\nHello KubeCon 👋"},
		{result.Resolved, "Resolved: [Critical] Hi 🎉\nHello KubeCon 👋"},
		{result.Resolved, "Resolved: [Critical] Hi 🎉\nHello KubeCon 👋"},
	} {
		if err := send(c.event, strings.ToLower(string(c.event))); err != nil {
			t.Fatalf("%d: %v", i, err)
		}
		want("one message", c.text)
	}
	matrix.Remove(id)
	if err := send(result.Updated, "another"); err != nil {
		t.Fatal(err)
	}
	want("removed, and updated", "", "Updated: [Critical] Hi 🎉\nHello KubeCon 👋")
	if err := s.Probe(t.Context()); err != nil {
		t.Errorf("Probe: %v", err)
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
			"not in the room", result.Fired, notifytest.Status(403, refusal("M_FORBIDDEN", "User @bellhop:example.com not in room")),
			result.Error{Class: result.Configuration, Reason: result.ReasonForbidden, Message: "HTTP 403 Forbidden (M_FORBIDDEN)"},
		},
		{
			"an invalid token", result.Fired, notifytest.Status(401, refusal("M_UNKNOWN_TOKEN", "Invalid access token passed.")),
			result.Error{Class: result.Configuration, Reason: result.ReasonUnauthorized, Message: "HTTP 401 Unauthorized (M_UNKNOWN_TOKEN)"},
		},
		{
			"too large", result.Fired, notifytest.Status(413, refusal("M_TOO_LARGE", "event too large")),
			result.Error{Class: result.Permanent, Reason: result.ReasonRejected, Message: "HTTP 413 Request Entity Too Large (M_TOO_LARGE)"},
		},
		{
			"a rate limit of older servers", result.Fired, notifytest.Status(429, `{"errcode":"M_LIMIT_EXCEEDED","error":"Too Many Requests","retry_after_ms":2500}`),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: 2500 * time.Millisecond, Message: "HTTP 429 Too Many Requests (M_LIMIT_EXCEEDED)"},
		},
		{
			"a rate limit of newer servers", result.Fired, notifytest.Status(429, `{"errcode":"M_LIMIT_EXCEEDED","retry_after_ms":2500}`, "Retry-After", "3"),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: 3 * time.Second, Message: "HTTP 429 Too Many Requests (M_LIMIT_EXCEEDED)"},
		},
		{
			"a wait that is too long", result.Fired, notifytest.Status(429, `{"retry_after_ms":1e300}`),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: outbound.MaxRetryAfter, Message: "HTTP 429 Too Many Requests"},
		},
		{
			"a negative wait", result.Fired, notifytest.Status(429, `{"retry_after_ms":-5}`),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, Message: "HTTP 429 Too Many Requests"},
		},
		{
			"an invalid code", result.Fired, notifytest.Status(404, refusal("M_SECRET: of an internal service", "")),
			result.Error{Class: result.Configuration, Reason: result.ReasonNotFound, Message: "HTTP 404 Not Found"},
		},
		{
			"an invalid id", result.Fired, notifytest.Status(200, `{"event_id":"$../x?"}`),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 200 OK, but the answer is not in the form that this receiver's API documents"},
		},
		{
			"the lookup fails, and nothing was sent", result.Updated, notifytest.Status(502, ""),
			result.Error{Class: result.Temporary, Reason: result.ReasonServerError, Message: "HTTP 502 Bad Gateway"},
		},
		{
			"not a homeserver", result.Resolved, notifytest.Status(404, refusal("M_UNRECOGNIZED", "")),
			result.Error{Class: result.Configuration, Reason: result.ReasonNotFound, Message: "HTTP 404 Not Found (M_UNRECOGNIZED)"},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(c.answer)
			_, err := newSender(t, server.URL).Send(t.Context(), notifytest.Message(c.event), notifytest.Key("delivery", first))
			notifytest.WantError(t, c.why, err, c.want)
		})
	}
}

func TestProbeFails(t *testing.T) {
	const me = `{"user_id":"@bellhop:example.com"}`
	for _, c := range []struct {
		why            string
		whoami, member http.HandlerFunc
		want           result.Error
	}{
		{
			"an invalid token", notifytest.Status(401, refusal("M_UNKNOWN_TOKEN", "")), nil,
			result.Error{Class: result.Configuration, Reason: result.ReasonUnauthorized, Message: "HTTP 401 Unauthorized (M_UNKNOWN_TOKEN)"},
		},
		{
			"not a homeserver", notifytest.Status(200, "<html>"), nil,
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 200 OK, but the answer is not in the form that this receiver's API documents"},
		},
		{
			"an invalid user id", notifytest.Status(200, `{"user_id":"../../x"}`), nil,
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 200 OK, but the answer is not in the form that this receiver's API documents"},
		},
		{
			"never a member", notifytest.Status(200, me), notifytest.Status(403, refusal("M_FORBIDDEN", "")),
			result.Error{Class: result.Configuration, Reason: result.ReasonForbidden, Message: "HTTP 403 Forbidden (M_FORBIDDEN)"},
		},
		{
			"not a member any more", notifytest.Status(200, me), notifytest.Status(200, `{"membership":"leave"}`),
			result.Error{Class: result.Configuration, Reason: result.ReasonForbidden, Message: "the account is not in the room: invite it, and let it join"},
		},
		{
			"no membership", notifytest.Status(200, me), notifytest.Status(200, `{}`),
			result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 200 OK, but the answer is not in the form that this receiver's API documents"},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(func(w http.ResponseWriter, r *http.Request) {
				if strings.HasSuffix(r.RequestURI, "/account/whoami") {
					c.whoami(w, r)
					return
				}
				c.member(w, r)
			})
			err := newSender(t, server.URL).Probe(t.Context())
			notifytest.WantError(t, c.why, err, c.want)
			for _, r := range server.Requests() {
				if uri := r.URI; uri != "/_matrix/client/v3/account/whoami" && uri != inRoom+"/state/m.room.member/@bellhop:example.com" {
					t.Errorf("asked for %s", uri)
				}
			}
		})
	}
}

// Text is plain, and an empty m.mentions says that it mentions nobody.
func TestText(t *testing.T) {
	matrix := notifytest.NewMatrix(room, token)
	server := httptest.NewServer(matrix)
	t.Cleanup(server.Close)
	s := newSender(t, server.URL)
	m := notifytest.Message(result.Fired)
	m.RawTitle, m.Severity = "@room <b>", notify.Info
	m.RawContent = "<!channel> @everyone @alice:example.com *bold* [x](https://example.com/:wave:) `:wave:` <script> &amp; \x01\u2028"
	if _, err := s.Send(t.Context(), m, notifytest.Key("delivery", "")); err != nil {
		t.Fatal(err)
	}
	if got, want := matrix.Seen()[0].Text, m.RawTitle+"\n"+m.RawContent; got != want {
		t.Errorf("people see %q, want %q", got, want)
	}
}

// Every content fits into an event, also into an edit, which has it twice.
func TestCut(t *testing.T) {
	for _, c := range []struct {
		why, content string
		cut          bool
	}{
		{"all that an alert can have", strings.Repeat("x", 16384), false},
		{"four bytes each", strings.Repeat("👋", 4096), false},
		{"shortcodes that become longer", strings.Repeat(":us: ", 3276), true},
		{"some quotes", strings.Repeat(`{"a": "b"}, `, 1365), false},
		{"nothing but quotes", strings.Repeat(`"`, 16384), true},
		{"characters that only HTML escapes", strings.Repeat("<", 16384), false},
		{"control characters", strings.Repeat("\x01", 16384), true},
	} {
		t.Run(c.why, func(t *testing.T) {
			matrix := notifytest.NewMatrix(room, token)
			server := httptest.NewServer(matrix)
			t.Cleanup(server.Close)
			s := newSender(t, server.URL)
			id := ""
			for _, event := range []result.Event{result.Fired, result.Updated} {
				m := notifytest.Message(event)
				m.RawTitle, m.RawContent = strings.Repeat("\x01", 256), c.content
				receipt, err := s.Send(t.Context(), m, notifytest.Key(string(event), id))
				if err != nil {
					t.Fatalf("%s: %v", event, err)
				}
				id = receipt.ExternalID
				if cut := strings.Contains(receipt.Note, "; the message was cut to "); cut != c.cut || cut != strings.HasSuffix(matrix.Seen()[0].Text, "… [cut]") {
					t.Errorf("%s: cut: %t, want %t: %s", event, cut, c.cut, receipt.Note)
				}
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	const url = "https://matrix.example.com"
	for _, c := range []struct {
		why, want string
		config    Config
	}{
		{"no URL", "url: must be an absolute", Config{RoomID: room, Token: token}},
		{"credentials in the URL", "url: must have neither", Config{URL: "https://canary@example.com", RoomID: room, Token: token}},
		{"a token in the URL", "url: must have neither", Config{URL: url + "?access_token=canary", RoomID: room, Token: token}},
		{"no room", "roomID: must be the id", Config{URL: url, Token: token}},
		{"an alias", "roomID: must be the id", Config{URL: url, RoomID: "#canary:example.com", Token: token}},
		{"a room with a blank", "roomID: must be the id", Config{URL: url, RoomID: "!canary canary", Token: token}},
		{"no token", "token: must be", Config{URL: url, RoomID: room}},
		{"a token with a control character", "token: must be", Config{URL: url, RoomID: room, Token: "canary\x00canary"}},
	} {
		_, err := New(c.config, outboundtest.Client(t))
		notifytest.WantInvalid(t, c.why, err, c.want)
	}
	s, err := New(Config{URL: "https://example.com/matrix/", RoomID: "!a/../b?c#d%", Token: token}, outboundtest.Client(t))
	if err != nil || s.room.String() != "https://example.com/matrix/_matrix/client/v3/rooms/%21a%2F..%2Fb%3Fc%23d%25" {
		t.Errorf("got %v, %v", s, err)
	}
}
