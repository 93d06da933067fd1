// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package ntfy publishes to a topic of ntfy (https://docs.ntfy.sh), on ntfy.sh or another server: one notification for each
// alert, which Updated and Resolved replace.
//
// The incident key is the notification's sequence id, so a repeat after a lost response replaces the notification, too:
// people see it once, though it may ring twice. Servers before 2.16 do not support sequence ids, which their response shows
// and the receipt's note reports; there, and in apps that cannot replace notifications, such as that for iOS, each message is
// a notification of its own.
//
// The text is plain: markup and mentions have no effect. The severity is the priority, for which the apps have symbols and
// sounds.
package ntfy

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/headers"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Provider describes ntfy to the registry.
var Provider = notify.Provider[v1beta1.NtfyProvider]{
	Addresses: func(s *v1beta1.NtfyProvider) []notify.Address { return notify.URLAddress("url", s.URL) },
	New: func(s *v1beta1.NtfyProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		added, err := headers.Of(s.Headers, secret)
		if err != nil {
			return nil, err
		}
		return New(Config{URL: s.URL, Headers: added, Topic: cmp.Or(s.Topic, secret.Get("topic")),
			Token: secret.Get("token"), Username: secret.Get("username"), Password: secret.Get("password")}, client)
	},
	Check:      func(s *v1beta1.NtfyProvider) notify.Problems { return headers.Check(check(s.URL, s.Topic), s.Headers) },
	SecretKeys: func(s *v1beta1.NtfyProvider) []string { return headers.SecretKeys(s.Headers) },
	Modes: []notify.Mode{{
		SecretKeys: []string{"topic", "token", "username", "password"},
		DefaultURL: DefaultURL,
		Repeat:     notify.Once + ", from ntfy 2.16 on, though it may ring again",
		Key:        "sequence id",
		Update:     notify.InPlace + ", " + notify.MayRing,
		Resolve:    notify.InPlace,
		Links:      notify.Buttons + ", 3 at most, then " + notify.Lines,
		Sent:       "the server has the notification",
		Probe:      "the server's health, with the credentials",
		ProbeGap:   "whether they permit publishing to the topic",
	}},
}

// DefaultURL is the address of the public server.
const DefaultURL = "https://ntfy.sh"

// Config has the destination of notifications and the credentials.
type Config struct {
	URL   string // of the server, without a path; DefaultURL if empty
	Topic string // the credential of a topic that everybody may read

	// Token is sent as a bearer token; Username and Password as Basic authentication. At most one of the two is set.
	Token    string
	Username string
	Password string
	// Headers are sent with each request, beside those that the sender sets.
	Headers http.Header
}

// Sender is a notify.Sender.
type Sender struct {
	notify.HTTP
	topic   string
	publish *url.URL
	health  *url.URL
}

var (
	_ notify.Sender = (*Sender)(nil)
	_ notify.Prober = (*Sender)(nil)
)

var (
	topicName = regexp.MustCompile(`^[-_A-Za-z0-9]{1,64}$`) // ntfy's own pattern
	messageID = regexp.MustCompile(`^[A-Za-z0-9_-]{1,64}$`)
	// sequenceID matches the key of a message at the end of an external id, which is its sequence id. Receipts of former versions have
	// nothing before it.
	sequenceID = regexp.MustCompile(`(?:^|/)([0-9a-f]{32})$`)
)

// check returns the problems of the settings in a spec. A POST with a path publishes the body as it is, and would show the JSON.
func check(address, topic string) (problems notify.Problems) {
	if u := problems.BaseURL("url", address); u != nil && strings.Trim(u.Path, "/") != "" {
		problems.AddURL("url", address, "must have no path: put the topic into ntfy.topic, or into the Secret, as topic")
	}
	if topic != "" && !topicName.MatchString(topic) {
		problems.Add("topic", topic, topicProblem)
	}
	return problems
}

const topicProblem = "must have 1 to 64 letters, digits, - and _"

// New returns a sender. An error is a *result.Error that names the invalid field.
func New(config Config, client *outbound.Client) (*Sender, error) {
	if config.URL == "" {
		config.URL = DefaultURL
	}
	topic := strings.TrimSpace(config.Topic)
	if err := check(config.URL, topic).Err(); err != nil {
		return nil, err
	}
	base, err := notify.ParseURL("url", config.URL)
	if err != nil {
		return nil, err
	}
	if topic == "" {
		return nil, notify.Invalid("topic", topicProblem+", in the spec or in the Secret")
	}
	authorization, err := notify.Authorization(config.Token, config.Username, config.Password)
	if err != nil {
		return nil, err
	}
	_, credential, _ := strings.Cut(authorization, " ")
	s := &Sender{
		HTTP:    headers.NewHTTP(client, config.Headers, topic, credential, config.Username, config.Password),
		topic:   topic,
		publish: base.JoinPath("/"),
		health:  base.JoinPath("v1", "health"),
	}
	if authorization != "" {
		s.Header.Set("Authorization", authorization)
	}
	s.MayQuote = base.Hostname() == "ntfy.sh"
	s.Refine = s.refine
	return s, nil
}

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (result.Receipt, error) {
	sequence := sequenceOf(m, k)
	body, note, err := s.render(m, sequence)
	if err != nil {
		return result.Receipt{}, err
	}
	resp, err := s.Request(ctx, http.MethodPost, s.publish, body)
	if err != nil {
		return result.Receipt{}, err
	}
	var made notification
	if !notify.Decode(resp, &made) || !s.IsID(messageID, made.ID) {
		return result.Receipt{}, s.BadAnswer(resp)
	}
	if made.SequenceID != sequence {
		note += "; this server is older than ntfy 2.16: it shows each message as a notification of its own"
	}
	id := made.ID
	if sequence != k.Incident { // later messages of the alert replace this notification
		id += "/" + sequence
	}
	return result.Receipt{ExternalID: id, Note: notify.StatusLine(resp.StatusCode) + note}, nil
}

// sequenceOf returns the id of the notification that a message replaces. A message that is fired again, such as at a rise of severity, is a
// notification of its own: apps replace one that is still shown without a sound.
func sequenceOf(m notify.Message, k notify.Key) string {
	if m.Event == result.Fired && k.ExternalID != "" {
		return k.Delivery
	}
	if shown := sequenceID.FindStringSubmatch(k.ExternalID); shown != nil {
		return shown[1]
	}
	return k.Incident
}

// Probe requests the server's health. The server (from 2.0 on) checks the credentials, but not whether they permit
// publishing: no request does that without publishing.
func (s *Sender) Probe(ctx context.Context) error {
	resp, err := s.Get(ctx, s.health)
	if err != nil {
		return err
	}
	var server struct {
		Healthy *bool `json:"healthy"`
	}
	if !notify.Decode(resp, &server) || server.Healthy == nil {
		return s.BadAnswer(resp)
	}
	if !*server.Healthy {
		return &result.Error{Class: result.Temporary, Reason: result.ReasonServerError, Message: "the server says that it is not healthy"}
	}
	return nil
}

// quotaUsedUp is ntfy's error code of an exhausted daily quota.
const quotaUsedUp = 42908

// errorBody is the form of ntfy's errors.
type errorBody struct {
	Code  int    `json:"code"`
	HTTP  int    `json:"http"`
	Error string `json:"error"`
}

func (s *Sender) refine(e *result.Error, resp *outbound.Response) {
	answer := notify.ErrorBody[errorBody](resp)
	if answer.Code/100 == resp.StatusCode { // otherwise not ntfy's error
		notify.ClassifyRefusal(e, resp, answer.HTTP == resp.StatusCode)
		e.Message += " (ntfy's error " + strconv.Itoa(answer.Code) + ")"
	}
	s.Quote(e, answer.Error)
	if answer.Code == quotaUsedUp && resp.StatusCode == http.StatusTooManyRequests {
		// ntfy resets the quota each day, by default at midnight UTC. Earlier attempts would be refused.
		e.Reason = result.ReasonQuotaExhausted
		e.RetryAfter = max(e.RetryAfter, untilMidnight(s.Now()))
	}
}

func untilMidnight(now time.Time) time.Duration {
	const day = 24 * time.Hour
	now = now.UTC()
	return now.Truncate(day).Add(day).Sub(now)
}
