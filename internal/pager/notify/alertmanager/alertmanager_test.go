// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertmanager

import (
	"context"
	"encoding/base64"
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
	token    = "canary-t0ken&/+="
	username = "canary-us3r"
	password = "canary p4ss&wörd/+"
	prefix   = "/canary-prefix"
)

// now is the time of the attempts: half an hour after notifytest.Message.
var now = time.Date(2026, 3, 1, 12, 30, 0, 500, time.UTC)

func refusal(message string) string {
	body, err := json.Marshal(message)
	if err != nil {
		panic(err) // a string always encodes
	}
	return string(body)
}

func TestConformance(t *testing.T) {
	for name, c := range map[string]struct {
		config   Config
		canaries []string
	}{
		"open":  {},
		"token": {Config{Token: token}, []string{token, "Bearer " + token}},
		"basic": {Config{Username: username, Password: password},
			[]string{username, password, base64.StdEncoding.EncodeToString([]byte(username + ":" + password))}},
	} {
		t.Run(name, func(t *testing.T) {
			notifytest.Run(t, notifytest.Provider{
				New: func(url string, client *outbound.Client) (notify.Sender, error) {
					c.config.URLs = []string{url + prefix}
					return New(c.config, client)
				},
				Canaries:      append(slices.Clone(c.canaries), prefix),
				ExternalID:    "critical@2026-03-01T12:00:00Z",
				ProbeAccept:   `{"cluster":{"status":"ready"}}`,
				ErrorBody:     func(message string) (string, string) { return "application/json", refusal(message) },
				QuotesNothing: true,
				IgnoresBody:   true,
				Confirming:    []int{200},
			})
		})
	}
}

func newSender(t *testing.T, config Config) *Sender {
	t.Helper()
	s, err := New(config, outboundtest.Client(t))
	if err != nil {
		t.Fatal(err)
	}
	s.Now = func() time.Time { return now }
	return s
}

func TestSend(t *testing.T) {
	const (
		annotations = `"annotations":{"summary":"Hi 🎉","description":"Hello KubeCon 👋"}`
		labels      = `"labels":{"alertname":"kubecon-alert","bellhop_incident":"incident","namespace":"shop","severity":"critical","team":"a&b"}`
		firing      = `{` + labels + `,` + annotations + `,"startsAt":"2026-03-01T12:00:00Z","endsAt":"2026-03-01T12:40:00Z"}`
		over        = `{` + labels + `,` + annotations + `,"startsAt":"2026-03-01T12:00:00Z","endsAt":"2026-03-01T12:30:00Z"}`
		mild        = `{"labels":{"alertname":"kubecon-alert","bellhop_incident":"incident","namespace":"shop","severity":"warning","team":"a&b"},` + annotations
	)
	for _, c := range []struct {
		why        string
		event      result.Event
		externalID string
		body       string
		want       string // the receipt's ExternalID
	}{
		{"fired", result.Fired, "", `[` + firing + `]`, "critical@2026-03-01T12:00:00Z"},
		{"fired, again", result.Fired, "critical@2026-03-01T12:00:00Z", `[` + firing + `]`, "critical@2026-03-01T12:00:00Z"},
		{"an update keeps the start", result.Updated, "critical@2026-03-01T11:00:00Z", `[` + strings.Replace(firing, "12:00", "11:00", 1) + `]`, "critical@2026-03-01T11:00:00Z"},
		{"an update without an external id", result.Updated, "", `[` + firing + `]`, "critical@2026-03-01T12:00:00Z"},
		{
			"another severity ends the alert with the earlier one", result.Updated, "warning@2026-03-01T12:00:00Z",
			`[` + firing + `,` + mild + `,"startsAt":"2026-03-01T12:00:00Z","endsAt":"2026-03-01T12:30:00Z"}]`, "critical@2026-03-01T12:00:00Z",
		},
		{"resolved", result.Resolved, "critical@2026-03-01T12:00:00Z", `[` + over + `]`, "critical@2026-03-01T12:00:00Z"},
		{"resolved without an external id", result.Resolved, "", `[` + over + `]`, "critical@2026-03-01T12:00:00Z"},
		{
			"resolved with another severity", result.Resolved, "warning@2026-03-01T12:00:00Z",
			`[` + over + `,` + mild + `,"startsAt":"2026-03-01T12:00:00Z","endsAt":"2026-03-01T12:30:00Z"}]`, "critical@2026-03-01T12:00:00Z",
		},
		{
			"the end is not before the start where the operator's clock is behind", result.Resolved, "critical@2026-03-01T13:00:00Z",
			`[{` + labels + `,` + annotations + `,"startsAt":"2026-03-01T13:00:00Z","endsAt":"2026-03-01T13:00:00Z"}]`, "critical@2026-03-01T13:00:00Z",
		},
		{"an external id in another form", result.Updated, "urgent@2026-03-01T11:00:00Z", `[` + firing + `]`, "critical@2026-03-01T12:00:00Z"},
		{"an invalid time", result.Updated, "warning@2026-03-01", `[` + firing + `]`, "critical@2026-03-01T12:00:00Z"},
		{"a time in another form", result.Updated, "warning@2026-03-01T13:00:00+02:00", `[` + firing + `]`, "critical@2026-03-01T12:00:00Z"},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			s := newSender(t, Config{URLs: []string{" " + server.URL + "/am/\n"}, Labels: map[string]string{"team": "a&b"}, Token: token + "\n"})
			got, err := s.Send(t.Context(), notifytest.Message(c.event), notifytest.Key("delivery", c.externalID))
			want := result.Receipt{ExternalID: c.want, Note: "accepted; its routes and silences decide who is notified"}
			if err != nil || got != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
			requests := server.Requests()
			if len(requests) != 1 {
				t.Fatalf("got %d requests", len(requests))
			}
			r := requests[0]
			if r.Method != http.MethodPost || r.URI != "/am/api/v2/alerts" || string(r.Body) != c.body {
				t.Errorf("got %s %s\n%s, want\n%s", r.Method, r.URI, r.Body, c.body)
			}
			if r.Header.Get("Authorization") != "Bearer "+token || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("got headers %v", r.Header)
			}
		})
	}
}

// F-P36: a request has as many messages as fit into 1 MiB. F-P8: the last one of a message is valid for longer.
func TestRepeat(t *testing.T) {
	server := notifytest.NewServer(t)
	s := newSender(t, Config{URLs: []string{server.URL}})
	var messages []notify.BatchMessage
	for i := range 64 {
		m := notifytest.Message(result.Fired)
		m.Name, m.RawContent, m.Last = fmt.Sprint("a-", i), strings.Repeat(`"`, 16<<10), i == 0 // 32 KiB in JSON
		messages = append(messages, notify.BatchMessage{Message: m, Key: notifytest.Key("delivery", "")})
	}
	n, receipts, err := s.SendBatch(t.Context(), messages)
	if err != nil || n != 31 || len(receipts) != n || receipts[n-1].ExternalID != "critical@2026-03-01T12:00:00Z" {
		t.Fatalf("%d of %d messages, %d receipts, %v", n, len(messages), len(receipts), err)
	}
	body := server.Requests()[0].Body
	var posted []postedAlert
	if err := json.Unmarshal(body, &posted); err != nil || len(posted) != n || len(body) > 1<<20 {
		t.Fatalf("%d alerts in %d bytes, %v", len(posted), len(body), err)
	}
	for i, a := range posted {
		want := now.Truncate(time.Second).Add(Validity)
		if i == 0 {
			want = now.Truncate(time.Second).Add(KeptFor)
		}
		if a.Labels[labelName] != fmt.Sprint("a-", i) || a.Annotations.Description != messages[i].Message.RawContent || !a.EndsAt.Equal(want) {
			t.Errorf("alert %d is %v until %s, want %s", i, a.Labels, a.EndsAt, want)
		}
	}
}

func TestBasic(t *testing.T) {
	server := notifytest.NewServer(t)
	s := newSender(t, Config{URLs: []string{server.URL}, Username: username, Password: password})
	if _, err := s.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", "")); err != nil {
		t.Fatal(err)
	}
	r := http.Request{Header: server.Requests()[0].Header}
	if gotName, gotPassword, ok := r.BasicAuth(); !ok || gotName != username || gotPassword != password {
		t.Errorf("got %q, %q, %t", gotName, gotPassword, ok)
	}
}

func TestReplicas(t *testing.T) {
	accept := notifytest.Status(http.StatusOK, "")
	for _, c := range []struct {
		why     string
		answers []http.HandlerFunc
		note    string
		want    result.Error
	}{
		{"all", []http.HandlerFunc{accept, accept}, "accepted by 2 of 2 replicas; its routes and silences decide who is notified", result.Error{}},
		{
			"one success is enough", []http.HandlerFunc{notifytest.Status(400, refusal("bad")), accept, notifytest.Status(503, "")},
			"accepted by 1 of 3 replicas; its routes and silences decide who is notified; urls[0]: HTTP 400 Bad Request; urls[2]: HTTP 503 Service Unavailable", result.Error{},
		},
		{
			"Unknown comes first",
			[]http.HandlerFunc{notifytest.Status(429, ""), notifytest.Status(401, ""), notifytest.Status(500, ""), notifytest.Status(400, "")}, "",
			result.Error{Class: result.Unknown, Reason: result.ReasonServerError, Message: "every replica failed: urls[0]: HTTP 429 Too Many Requests; " +
				"urls[1]: HTTP 401 Unauthorized; urls[2]: HTTP 500 Internal Server Error; urls[3]: HTTP 400 Bad Request"},
		},
		{
			"then Temporary, with the shortest wait", []http.HandlerFunc{notifytest.Status(404, ""), notifytest.Status(429, "", "Retry-After", "9"), notifytest.Status(429, "", "Retry-After", "3")}, "",
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: 3 * time.Second,
				Message: "every replica failed: urls[0]: HTTP 404 Not Found; urls[1]: HTTP 429 Too Many Requests; urls[2]: HTTP 429 Too Many Requests"},
		},
		{
			"F-P1: no answer of Alertmanager is Permanent", []http.HandlerFunc{notifytest.Status(400, refusal("bad")), notifytest.Status(400, refusal("bad"))}, "",
			result.Error{Class: result.Configuration, Reason: result.ReasonRejected, Message: "every replica failed: urls[0]: HTTP 400 Bad Request; urls[1]: HTTP 400 Bad Request"},
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			var config Config
			var servers []*notifytest.Server
			for _, answer := range c.answers {
				server := notifytest.NewServer(t)
				server.Answer(answer)
				servers = append(servers, server)
				config.URLs = append(config.URLs, server.URL)
			}
			s := newSender(t, config)
			receipt, err := s.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", ""))
			own, failed := errors.AsType[*result.Error](err)
			if receipt.Note != c.note || failed != (c.note == "") || failed && *own != c.want {
				t.Errorf("got %+v, %+v; want %q, %+v", receipt, err, c.note, c.want)
			}
			if err := s.Probe(t.Context()); (err == nil) != (c.note != "") {
				t.Errorf("probe: got %v", err)
			}
			for i, server := range servers {
				requests := server.Requests()
				if len(requests) != 2 || requests[0].Method != http.MethodPost || requests[1].Method != http.MethodGet || requests[1].URI != "/api/v2/status" {
					t.Errorf("replica %d got %+v", i, requests)
				}
			}
		})
	}
}

// A replica that does not answer does not delay the requests to the others.
func TestReplicasAtOnce(t *testing.T) {
	meet := make(chan struct{})
	together := func(_ http.ResponseWriter, r *http.Request) {
		select {
		case meet <- struct{}{}:
		case <-meet:
		case <-r.Context().Done():
		}
	}
	first, second, hanging := notifytest.NewServer(t), notifytest.NewServer(t), notifytest.NewServer(t)
	first.Answer(together)
	second.Answer(together)
	hanging.Answer(notifytest.Hang)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	got, err := newSender(t, Config{URLs: []string{hanging.URL, first.URL, second.URL}}).
		Send(ctx, notifytest.Message(result.Fired), notifytest.Key("delivery", ""))
	want := "accepted by 2 of 3 replicas; its routes and silences decide who is notified; urls[0]: no complete answer within the time limit"
	if err != nil || got.Note != want {
		t.Errorf("got %+v, %v", got, err)
	}
}

// replicas are replicas and a sender to all of them, with one clock.
type replicas struct {
	t      *testing.T
	sender *Sender
	fakes  []*notifytest.Alertmanager
	now    time.Time
	id     string // from the last receipt
}

func newReplicas(t *testing.T, size int) *replicas {
	f := &replicas{t: t, now: now}
	config := Config{Token: token}
	for range size {
		replica := notifytest.NewAlertmanager("Bearer " + token)
		replica.Now = func() time.Time { return f.now }
		server := httptest.NewServer(notifytest.LoseAnswers(replica, 1))
		t.Cleanup(server.Close)
		f.fakes = append(f.fakes, replica)
		config.URLs = append(config.URLs, server.URL)
	}
	f.sender = newSender(t, config)
	f.sender.Now = func() time.Time { return f.now }
	m := notifytest.Message(result.Fired)
	if _, err := f.sender.Send(t.Context(), m, notifytest.Key("first", "")); result.ClassOf(err) != result.Unknown {
		t.Fatalf("all answers are lost: got %v", err)
	}
	f.send(result.Fired, m.Severity)
	return f
}

func (r *replicas) send(event result.Event, severity notify.Severity) {
	r.t.Helper()
	m := notifytest.Message(event)
	m.Severity = severity
	if event != result.Fired {
		m.Time, m.RawContent = r.now, "It is "+strings.ToLower(string(event))
	}
	receipt, err := r.sender.Send(r.t.Context(), m, notifytest.Key(string(event), r.id))
	if err != nil {
		r.t.Fatal(err)
	}
	r.id = receipt.ExternalID
}

// wantSeen compares what people see, with + before active alerts and - before resolved ones.
func (r *replicas) wantSeen(why string, want ...string) {
	r.t.Helper()
	for i, replica := range r.fakes {
		var got []string
		for _, seen := range replica.Seen() {
			state := "+"
			if seen.Resolved {
				state = "-"
			}
			got = append(got, state+seen.Text)
		}
		if !slices.Equal(got, want) {
			r.t.Errorf("%s: of replica %d people see %q, want %q", why, i, got, want)
		}
		for _, start := range replica.Starts() {
			if !start.Equal(notifytest.Message(result.Fired).Time) {
				r.t.Errorf("%s: it is firing since %s", why, start)
			}
		}
	}
}

// Repeats of an alert are the same alert.
func TestSeenOnce(t *testing.T) {
	f := newReplicas(t, 2)
	f.wantSeen("fired twice, the first answers lost", "+Hi 🎉\nHello KubeCon 👋")
	f.now = f.now.Add(RepostEvery)
	f.send(result.Fired, notify.Critical)
	f.wantSeen("sent again", "+Hi 🎉\nHello KubeCon 👋")
	f.send(result.Updated, notify.Critical)
	f.wantSeen("updated", "+Hi 🎉\nIt is updated")
	f.now = f.now.Add(Validity - time.Second)
	f.wantSeen("before the end of its validity", "+Hi 🎉\nIt is updated")
	f.send(result.Resolved, notify.Critical)
	f.wantSeen("resolved", "-Hi 🎉\nIt is resolved")
	f.send(result.Resolved, notify.Critical)
	f.wantSeen("resolved twice", "-Hi 🎉\nIt is resolved")
	f.now = f.now.Add(time.Hour)
	f.send(result.Fired, notify.Critical)
	f.wantSeen("fired again", "+Hi 🎉\nHello KubeCon 👋")
}

func TestSeverityChanges(t *testing.T) {
	f := newReplicas(t, 1)
	f.now = f.now.Add(time.Minute)
	f.send(result.Updated, notify.Warning)
	f.wantSeen("another severity is another alert", "-Hi 🎉\nIt is updated", "+Hi 🎉\nIt is updated")
	f.now = f.now.Add(RepostEvery)
	f.send(result.Fired, notify.Warning)
	f.wantSeen("sent again", "-Hi 🎉\nIt is updated", "+Hi 🎉\nHello KubeCon 👋")
	f.send(result.Resolved, notify.Info) // an update with this severity was not confirmed
	f.wantSeen("resolved", "-Hi 🎉\nIt is updated", "-Hi 🎉\nIt is resolved")
}

func TestRestarts(t *testing.T) {
	f := newReplicas(t, 1)
	f.send(result.Updated, notify.Critical)
	f.fakes[0].Restart()
	f.now = f.now.Add(RepostEvery)
	f.send(result.Updated, notify.Critical)
	f.wantSeen("the repeat has the start", "+Hi 🎉\nIt is updated")
	f.now = f.now.Add(Validity)
	f.wantSeen("without a repeat the alert ends", "-Hi 🎉\nIt is updated")
	f.fakes[0].Restart()
	f.send(result.Resolved, notify.Critical)
	f.wantSeen("the end of an unknown alert", "-Hi 🎉\nIt is resolved")
}

func TestNewRefuses(t *testing.T) {
	urls := []string{"https://am.example.com/canary"}
	for _, c := range []struct {
		why, want string
		config    Config
	}{
		{"no address", "urls: must be 1 to 8", Config{}},
		{"too many", "urls: must be 1 to 8", Config{URLs: slices.Repeat(urls, 9)}},
		{"not an address", "urls[1]: must be an absolute", Config{URLs: []string{urls[0], "canary"}}},
		{"a user", "urls[0]: must have neither", Config{URLs: []string{"https://canary@am.example.com"}}},
		{"a query", "urls[0]: must have neither", Config{URLs: []string{"https://am.example.com?canary"}}},
		{"an empty query", "urls[0]: must have neither", Config{URLs: []string{"https://am.example.com/canary?"}}},
		{"a fragment", "urls[0]: must have neither", Config{URLs: []string{"https://am.example.com/#canary"}}},
		{"not a label", "labels: the names must be", Config{URLs: urls, Labels: map[string]string{"canary-canary": ""}}},
		{"a digit first", "labels: the names must be", Config{URLs: urls, Labels: map[string]string{"1canary": ""}}},
		{"a reserved label", "labels: the label severity cannot", Config{URLs: urls, Labels: map[string]string{"severity": "canary"}}},
		{"two credentials", "token, username: only one", Config{URLs: urls, Token: "canary", Username: "canary"}},
		{"a token in two lines", "token: must have no", Config{URLs: urls, Token: "canary\ncanary"}},
		{"a password without a username", "username: must not be empty", Config{URLs: urls, Password: "canary"}},
		{"a colon in the name", "username: must not be empty or have a colon", Config{URLs: urls, Username: "canary:canary"}},
	} {
		_, err := New(c.config, outboundtest.Client(t))
		notifytest.WantInvalid(t, c.why, err, c.want)
	}
}

// F-P66: requests to replicas have goroutines of their own, where a panic would end the process.
func TestPanicOfARequestToAReplica(t *testing.T) {
	s := &Sender{apis: []*url.URL{{Scheme: "http", Host: "a"}, {Scheme: "http", Host: "b"}}} // without a client
	for _, failure := range s.requestAll(t.Context(), http.MethodGet, "status", nil) {
		if failure == nil || failure.Reason != result.ReasonInternalError || failure.Class != result.Unknown {
			t.Errorf("%+v", failure)
		}
	}
}
