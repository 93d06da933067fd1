// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package pagerduty sends to PagerDuty, Events API v2 (https://developer.pagerduty.com/docs/events-api-v2-overview): Fired
// and Updated trigger the alert whose dedup_key is the incident key, Resolved resolves it.
//
// The key makes a repeat after a lost response harmless. While the incident is open, a trigger notifies nobody again:
// PagerDuty adds it to the log, shows its text in the alert, and does not change an acknowledgement. Bellhop neither sends
// nor reads acknowledgements, which an integration key cannot read. A trigger after the resolve would open another incident:
// the caller sends none.
//
// PagerDuty confirms only that it queued an event. There is no Probe, because every request is an event. Text is shown as
// typed: the API has neither markup nor mentions.
package pagerduty

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"

	pd "github.com/PagerDuty/go-pagerduty"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Provider describes PagerDuty to the registry.
var Provider = notify.Provider[v1beta1.PagerDutyProvider]{
	Addresses: func(s *v1beta1.PagerDutyProvider) []notify.Address { return notify.URLAddress("url", s.URL) },
	New: func(s *v1beta1.PagerDutyProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		config := configOf(s)
		config.RoutingKey = secret.Get("routingKey")
		return New(config, client)
	},
	// An event for an open incident is added to it and pages no one.
	RaisesByReopening: true,
	Check:             func(s *v1beta1.PagerDutyProvider) notify.Problems { return check(configOf(s)) },
	Modes: []notify.Mode{{
		SecretKeys: []string{"routingKey"},
		DefaultURL: DefaultURL,
		Repeat:     notify.Once,
		Key:        "`dedup_key`",
		Update:     notify.InPlace + ", without a notification",
		Resolve:    notify.InPlace,
		Links:      "`links` of the event",
		Sent:       "the event is queued, not that a person was notified",
	}},
}

// DefaultURL is PagerDuty's address for events. For accounts in the EU it is https://events.eu.pagerduty.com.
const DefaultURL = "https://events.pagerduty.com"

const (
	path       = "/v2/enqueue" // the library appends it
	maxSummary = 1024          // characters

	// minRetryAfter is the wait after a rate limit without Retry-After, which PagerDuty does not send.
	minRetryAfter = 30 * time.Second
)

// Config has the destination of events.
type Config struct {
	URL        string // without the path; DefaultURL if empty
	RoutingKey string // the integration key of a service, or of an event orchestration

	Class     string // "Alert" if empty
	Component string // the Alert's name if empty
	Group     string // the Alert's namespace if empty
	Client    string // "Bellhop" if empty
	ClientURL string
	Links     []Link
	Details   map[string]string // in addition to the details of render
}

func configOf(s *v1beta1.PagerDutyProvider) Config {
	c := Config{URL: s.URL, Class: s.Class, Component: s.Component, Group: s.Group, Client: s.Client, ClientURL: s.ClientURL}
	for _, link := range s.Links {
		c.Links = append(c.Links, Link{Href: link.Href, Text: link.Text})
	}
	for name, value := range s.Details {
		if c.Details == nil {
			c.Details = map[string]string{}
		}
		c.Details[name] = string(value)
	}
	return c
}

// Link is a link that an incident shows.
type Link struct {
	Href string `json:"href"`
	Text string `json:"text,omitempty"`
}

// Sender is a notify.Sender.
type Sender struct {
	notify.HTTP
	config Config
}

var (
	_ notify.Sender = (*Sender)(nil)
	_ notify.Editor = (*Sender)(nil)
)

var (
	incidentKey    = regexp.MustCompile(`^[0-9a-f]{32}$`)
	hosts          = []string{"events.pagerduty.com", "events.eu.pagerduty.com"} // PagerDuty's own
	integrationKey = regexp.MustCompile(`^[A-Za-z0-9]{32}$`)
)

// check returns the problems of the settings in a spec.
func check(config Config) (problems notify.Problems) {
	address := config.URL
	if u := problems.BaseURL("url", address); u != nil && strings.HasSuffix(strings.TrimRight(u.Path, "/"), path) {
		problems.AddURL("url", address, "must be without the path "+path+", such as "+DefaultURL)
	}
	problems.Line("class", config.Class)
	problems.Line("component", config.Component)
	problems.Line("group", config.Group)
	problems.Line("client", config.Client)
	problems.Link("clientURL", config.ClientURL)
	for i, link := range config.Links {
		problems.Link(fmt.Sprintf("links[%d].href", i), link.Href)
		problems.Line(fmt.Sprintf("links[%d].text", i), link.Text)
	}
	for _, name := range slices.Sorted(maps.Keys(config.Details)) {
		if slices.Contains(ownDetails, name) || len(name) > maxDetailName {
			problems.Add("details", name, "must have names of at most 128 bytes, and none of content, alert, uid and receiver, which are bellhop's own")
		}
	}
	return problems
}

// New returns a sender. An error is a *result.Error that names the invalid field.
func New(config Config, client *outbound.Client) (*Sender, error) {
	if config.URL == "" {
		config.URL = DefaultURL
	}
	if err := check(config).Err(); err != nil {
		return nil, err
	}
	base, err := notify.ParseBaseURL("url", config.URL)
	if err != nil {
		return nil, err
	}
	config.URL = strings.TrimRight(base.String(), "/")
	known := slices.Contains(hosts, base.Hostname())
	if config.RoutingKey, err = notify.Token("routingKey", "the integration key of an Events API v2 integration", config.RoutingKey); err != nil {
		return nil, err
	}
	if known && !integrationKey.MatchString(config.RoutingKey) { // otherwise the first alert would show the error
		return nil, notify.Invalid("routingKey", "must be the integration key of an Events API v2 integration: 32 letters and digits")
	}
	s := &Sender{HTTP: notify.NewHTTP(client, config.RoutingKey), config: config}
	s.MayQuote = known
	s.Refine = s.refine
	return s, nil
}

// ownDetails are the names of the details that render sets.
var ownDetails = []string{"content", "alert", "uid", "receiver"}

// maxDetailName bounds the name of a detail, in bytes.
const maxDetailName = 128

var severities = map[notify.Severity]string{
	notify.Info:     "info",
	notify.Warning:  "warning",
	notify.Critical: "critical",
}

// render returns the event, and whether its summary was cut. The content always fits: as JSON, 16 KiB are less than 100,000
// bytes, and an event may have 512,000.
func (s *Sender) render(m notify.Message, k notify.Key) (event *pd.V2Event, cut bool) {
	event = &pd.V2Event{RoutingKey: s.config.RoutingKey, Action: "resolve", DedupKey: k.Incident}
	if m.Event == result.Resolved {
		return event, false
	}
	severity, ok := severities[m.Severity]
	if !ok {
		severity = "info"
	}
	m.Severity = notify.Info // the payload has the severity, which the title need not repeat
	summary, cut := notify.Cut(m.TitleWithStatus(), maxSummary, notify.Characters)
	source := m.Namespace + "/" + m.Name
	event.Action, event.Client, event.ClientURL = "trigger", cmp.Or(s.config.Client, "Bellhop"), s.config.ClientURL
	for _, link := range m.Links() {
		event.Links = append(event.Links, Link{Href: link.Href, Text: link.Text})
	}
	for _, link := range s.config.Links {
		event.Links = append(event.Links, link)
	}
	details := map[string]string{"content": m.Content(), "alert": source, "uid": m.UID, "receiver": m.Receiver}
	maps.Copy(details, s.config.Details)
	event.Payload = &pd.V2Payload{
		Summary:   summary,
		Source:    source,
		Severity:  severity,
		Timestamp: m.Time.UTC().Format(time.RFC3339),
		Component: cmp.Or(s.config.Component, m.Name),
		Group:     cmp.Or(s.config.Group, m.Namespace),
		Class:     cmp.Or(s.config.Class, "Alert"),
		Details:   details,
	}
	return event, cut
}

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (result.Receipt, error) {
	event, cut := s.render(m, k)
	call := s.NewCall()
	library := pd.NewClient("", pd.WithV2EventsAPIEndpoint(s.config.URL))
	library.HTTPClient = call
	answer, err := library.ManageEventWithContext(ctx, event)
	// The library's errors lack the errors of the transport, and the text of the response.
	if failure := s.CallError(call); failure != nil {
		return result.Receipt{}, failure
	}
	if err != nil || answer.Status != "success" || answer.DedupKey != k.Incident {
		return result.Receipt{}, s.BadAnswer(call.Response)
	}
	note := notify.StatusLine(call.Response.StatusCode) + ": PagerDuty queued it; it does not report whether a person was notified"
	if cut {
		note += notify.CutNote("summary", maxSummary, "characters")
	}
	return result.Receipt{ExternalID: k.Incident, Note: note}, nil
}

// CanEdit reports whether an external id is of an incident.
func (*Sender) CanEdit(externalID string) bool { return incidentKey.MatchString(externalID) }

func (s *Sender) refine(e *result.Error, resp *outbound.Response) {
	p := notify.ErrorBody[errorBody](resp)
	notify.ClassifyRefusal(e, resp, slices.Contains(refusals, p.Status))
	if resp.StatusCode == http.StatusBadRequest && isKeyError(resp.Body) { // the API does not use 401
		e.Class, e.Reason = result.Configuration, result.ReasonUnauthorized
		e.Message += ": the routing key is not accepted"
	}
	if e.Reason == result.ReasonRateLimited && e.RetryAfter == 0 {
		e.RetryAfter = minRetryAfter
	}
	s.Quote(e, p.text())
}

// isKeyError reports whether a body blames the routing key, in one of two forms: errors about 'routing_key', and the text
// "Invalid routing key".
func isKeyError(body []byte) bool {
	text := strings.ToLower(string(body))
	return strings.Contains(text, "routing_key") || strings.Contains(text, "routing key")
}

// errorBody is the form of an error.
type errorBody struct {
	Status  string   `json:"status"`
	Message string   `json:"message"`
	Errors  []string `json:"errors"`
}

// refusals are the values of status with which PagerDuty refuses an event.
var refusals = []string{"invalid event", "Unrecognized object"}

// text returns the text of an error; "" where the body has another form.
func (e errorBody) text() string {
	if len(e.Errors) == 0 {
		return e.Message
	}
	text := strings.Join(e.Errors, "; ")
	if e.Message != "" {
		text = e.Message + ": " + text
	}
	return text
}
