// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package pagerduty

import (
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
	routingKey = "CanaryRoutingKey0123456789abcdef"
	accepted   = `{"status":"success","message":"Event processed","dedup_key":"incident"}`
	queued     = "HTTP 202 Accepted: PagerDuty queued it; it does not report whether a person was notified"
)

func refusal(problems ...string) string {
	body, err := json.Marshal(map[string]any{"status": "invalid event", "message": "Event object is invalid", "errors": problems})
	if err != nil {
		panic(err) // strings always encode
	}
	return string(body)
}

func TestConformance(t *testing.T) {
	for name, quotes := range map[string]bool{"PagerDuty": true, "another address": false} {
		t.Run(name, func(t *testing.T) {
			notifytest.Run(t, notifytest.Provider{
				New: func(url string, client *outbound.Client) (notify.Sender, error) {
					s, err := New(Config{URL: url, RoutingKey: routingKey}, client)
					if err != nil {
						return nil, err
					}
					s.MayQuote = quotes
					return s, nil
				},
				Canaries:      []string{routingKey},
				Accept:        accepted,
				NeedsBody:     true,
				ExternalID:    "incident",
				ErrorBody:     func(message string) (string, string) { return "application/json", refusal(message) },
				RefusalBody:   func(int) (string, string) { return "application/json", refusal("'payload.source' is missing or blank") },
				QuotesNothing: !quotes,
			})
		})
	}
}

func newSender(t *testing.T, url string) *Sender {
	t.Helper()
	s, err := New(Config{URL: url, RoutingKey: routingKey + "\n"}, outboundtest.Client(t)) // as in a Secret that was made with echo
	if err != nil {
		t.Fatal(err)
	}
	s.MayQuote = true // as if the server were PagerDuty's
	return s
}

func TestSend(t *testing.T) {
	payload := func(summary, severity string) string {
		return `,"client":"Bellhop","payload":{"summary":"` + summary + `","source":"shop/kubecon-alert","severity":"` + severity +
			`","timestamp":"2026-03-01T12:00:00Z","component":"kubecon-alert","group":"shop","class":"Alert","custom_details":{` +
			`"alert":"shop/kubecon-alert","content":"Hello KubeCon 👋","receiver":"ClusterReceiver/oncall","uid":"5f0c"}}}`
	}
	const event = `{"routing_key":"` + routingKey + `","event_action":`
	for _, c := range []struct {
		why, body string
		change    func(*notify.Message)
		note      string
	}{
		{"fired", event + `"trigger","dedup_key":"incident"` + payload("Hi 🎉", "critical"), func(*notify.Message) {}, queued},
		{"warning", event + `"trigger","dedup_key":"incident"` + payload("Hi 🎉", "warning"), func(m *notify.Message) { m.Severity = notify.Warning }, queued},
		{"info", event + `"trigger","dedup_key":"incident"` + payload("Hi 🎉", "info"), func(m *notify.Message) { m.Severity = notify.Info }, queued},
		{
			"an update is a trigger with the same key", event + `"trigger","dedup_key":"incident"` + payload("Updated: Hi 🎉", "critical"),
			func(m *notify.Message) { m.Event = result.Updated }, queued,
		},
		{"resolved", event + `"resolve","dedup_key":"incident"}`, func(m *notify.Message) { m.Event = result.Resolved }, queued},
		{
			"a title that is too long", event + `"trigger","dedup_key":"incident"` + payload(strings.Repeat("ü", 1017)+"… [cut]", "critical"),
			func(m *notify.Message) { m.RawTitle = strings.Repeat("ü", 1025) }, queued + "; the summary was cut to 1024 characters",
		},
		{
			"text that would be markup elsewhere", event + `"trigger","dedup_key":"incident"` + payload(`\u003c!channel\u003e @everyone *b* [x](y)`, "critical"),
			func(m *notify.Message) { m.RawTitle = "<!channel> @everyone *b* [x](y)" }, queued,
		},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(notifytest.Status(http.StatusAccepted, accepted))
			m := notifytest.Message(result.Fired)
			c.change(&m)
			got, err := newSender(t, server.URL+"/").Send(t.Context(), m, notifytest.Key("delivery", ""))
			if want := (result.Receipt{ExternalID: "incident", Note: c.note}); err != nil || got != want {
				t.Errorf("got %+v, %v; want %+v", got, err, want)
			}
			requests := server.Requests()
			if len(requests) != 1 {
				t.Fatalf("got %d requests", len(requests))
			}
			r := requests[0]
			if r.Method != http.MethodPost || r.URI != "/v2/enqueue" || string(r.Body) != c.body {
				t.Errorf("got %s %s\n%s, want\n%s", r.Method, r.URI, r.Body, c.body)
			}
			if r.Header.Get("Content-Type") != "application/json" || r.Header.Get("Authorization") != "" {
				t.Errorf("got header %v", r.Header)
			}
		})
	}
}

// 16 KiB of content fit in any encoding.
func TestLargestContentFits(t *testing.T) {
	service := notifytest.NewPagerDuty(routingKey)
	server := httptest.NewServer(service)
	t.Cleanup(server.Close)
	s := newSender(t, server.URL)
	for _, unit := range []string{"<", "\x01", "\u2028", "👋"} {
		m := notifytest.Message(result.Fired)
		m.RawContent = strings.Repeat(unit, 16384/len(unit))
		if _, err := s.Send(t.Context(), m, notifytest.Key("delivery", "")); err != nil {
			t.Errorf("%q: %v", unit, err)
		}
		if seen := service.Seen(); len(seen) != 1 || seen[0].Text != "Hi 🎉\n"+m.RawContent {
			t.Errorf("%q: not shown whole", unit)
		}
	}
}

// All events of an incident are one alert, also after a lost response.
func TestLostAnswer(t *testing.T) {
	service := notifytest.NewPagerDuty(routingKey)
	server := httptest.NewServer(notifytest.LoseAnswers(service, 1))
	t.Cleanup(server.Close)
	s := newSender(t, server.URL)
	if _, err := s.Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", "")); result.ClassOf(err) != result.Unknown {
		t.Fatalf("the answer is lost, but got %v", err)
	}
	for _, c := range []struct {
		why   string
		event result.Event
		want  []notifytest.Seen
	}{
		{"repeated", result.Fired, []notifytest.Seen{{ID: "incident#1", Text: "Hi 🎉\nHello KubeCon 👋"}}},
		{"updated", result.Updated, []notifytest.Seen{{ID: "incident#1", Text: "Updated: Hi 🎉\nHello KubeCon 👋"}}},
		{"resolved", result.Resolved, []notifytest.Seen{{ID: "incident#1", Text: "Updated: Hi 🎉\nHello KubeCon 👋", Resolved: true}}},
		{"resolved again", result.Resolved, []notifytest.Seen{{ID: "incident#1", Text: "Updated: Hi 🎉\nHello KubeCon 👋", Resolved: true}}},
	} {
		if _, err := s.Send(t.Context(), notifytest.Message(c.event), notifytest.Key("delivery", "incident")); err != nil {
			t.Fatalf("%s: %v", c.why, err)
		}
		seen := service.Seen()
		if len(seen) != len(c.want) || seen[0] != c.want[0] {
			t.Errorf("%s: people see %+v, want %+v", c.why, seen, c.want)
		}
	}
}

func TestFailures(t *testing.T) {
	const header = "HTTP 400 Bad Request"
	badAnswer := result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer, Message: "HTTP 202 Accepted, but the answer is not in the form that this receiver's API documents"}
	for _, c := range []struct {
		why    string
		answer http.HandlerFunc
		want   result.Error
	}{
		{
			"the service's text", notifytest.Status(400, refusal("'payload.source' is missing\nor blank", "and "+routingKey)),
			result.Error{Class: result.Permanent, Reason: result.ReasonRejected, Message: header + ": Event object is invalid: 'payload.source' is missing or blank; and [redacted]"},
		},
		{
			"a message alone", notifytest.Status(400, `{"status":"Unrecognized object","message":"Event object format is unrecognized"}`),
			result.Error{Class: result.Permanent, Reason: result.ReasonRejected, Message: header + ": Event object format is unrecognized"},
		},
		{
			"a key of another kind", notifytest.Status(400, refusal("Length of 'routing_key' is incorrect (should be 32 characters)")),
			result.Error{Class: result.Configuration, Reason: result.ReasonUnauthorized, Message: header +
				": the routing key is not accepted: Event object is invalid: Length of 'routing_key' is incorrect (should be 32 characters)"},
		},
		{
			"an unknown key", notifytest.Status(400, "Invalid routing key"),
			result.Error{Class: result.Configuration, Reason: result.ReasonUnauthorized, Message: header + ": the routing key is not accepted"},
		},
		{
			"too many", notifytest.Status(429, ""),
			result.Error{Class: result.Temporary, Reason: result.ReasonRateLimited, RetryAfter: 30 * time.Second, Message: "HTTP 429 Too Many Requests"},
		},
		{"another key confirmed", notifytest.Status(202, `{"status":"success","dedup_key":"other"}`), badAnswer},
		{"no key confirmed", notifytest.Status(202, `{"status":"success"}`), badAnswer},
		{"not a success", notifytest.Status(202, `{"status":"throttled","dedup_key":"incident"}`), badAnswer},
	} {
		t.Run(c.why, func(t *testing.T) {
			server := notifytest.NewServer(t)
			server.Answer(c.answer)
			_, err := newSender(t, server.URL).Send(t.Context(), notifytest.Message(result.Fired), notifytest.Key("delivery", ""))
			notifytest.WantError(t, c.why, err, c.want)
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for _, c := range []struct {
		why, want string
		config    Config
	}{
		{"no key", "routingKey: must be", Config{}},
		{"a key of PagerDuty's REST API", "routingKey: must be", Config{RoutingKey: "u+canary0123456789ab"}},
		{"the same in the EU", "routingKey: must be", Config{URL: "https://events.eu.pagerduty.com", RoutingKey: "u+canary0123456789ab"}},
		{"a key in two lines", "routingKey: must be", Config{URL: "https://example.com", RoutingKey: "canary\ncanary"}},
		{"not a URL", "url: must be an absolute", Config{RoutingKey: routingKey, URL: "http://canary:canary"}},
		{"credentials in the URL", "url: must have neither", Config{RoutingKey: routingKey, URL: "https://canary@example.com"}},
		{"a query", "url: must have neither", Config{RoutingKey: routingKey, URL: "https://example.com?"}},
		{"a fragment", "url: must have neither", Config{RoutingKey: routingKey, URL: "https://example.com#canary"}},
		{"the path too", "url: must be without the path", Config{RoutingKey: routingKey, URL: DefaultURL + "/v2/enqueue/"}},
	} {
		_, err := New(c.config, outboundtest.Client(t))
		notifytest.WantInvalid(t, c.why, err, c.want)
	}
	for url, quotes := range map[string]bool{"": true, "https://events.eu.pagerduty.com/": true, "https://pagerduty.example.com": false} {
		if s, err := New(Config{URL: url, RoutingKey: routingKey}, outboundtest.Client(t)); err != nil || s.MayQuote != quotes {
			t.Errorf("%q: got %v; quoted: %t, want %t", url, err, !quotes, quotes)
		}
	}
	if s, err := New(Config{URL: "https://example.com", RoutingKey: "of-another-form"}, outboundtest.Client(t)); err != nil {
		t.Errorf("another host may have keys in another form: %v, %v", s, err)
	}
}
