// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package webhook sends to any HTTP endpoint: one JSON body for each message, with the headers of Standard Webhooks 1.0.0
// (https://www.standardwebhooks.com), by which the endpoint can verify the sender. Any 2xx confirms the message.
//
// The header webhook-id is the delivery key. A repeat after a lost response has the same one, by which the endpoint can drop
// it.
//
// The body, version 1:
//
//	{
//	  "version": "1",
//	  "type": "alert.fired",               // or alert.updated, alert.resolved
//	  "timestamp": "2026-03-01T12:00:00Z", // of the event
//	  "data": {
//	    "uid": "…", "namespace": "…", "name": "…",  // of the Alert
//	    "receiver": "ClusterReceiver/oncall",
//	    "incident": "…",                   // the same from fired to resolved
//	    "title": "…", "content": "…",      // with :shortcodes: replaced by emoji
//	    "rawContent": "…",                 // as typed
//	    "severity": "Critical",            // or Warning, Info
//	    "state": "Firing"                  // or Resolved
//	  }
//	}
//
// Members may be added in the same version. There is no Probe: every request is a message.
package webhook

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"mime"
	"net/http"
	"net/url"
	"strings"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// Provider describes webhooks to the registry.
var Provider = notify.Provider[v1beta1.WebhookProvider]{
	Addresses:      func(s *v1beta1.WebhookProvider) []notify.Address { return notify.URLAddress("url", s.URL) },
	SkipsTLSVerify: func(s *v1beta1.WebhookProvider) bool { return s.InsecureSkipTLSVerify },
	Check:          func(s *v1beta1.WebhookProvider) notify.Problems { return check(s) },
	SecretKeys:     secretKeys,
	New: func(s *v1beta1.WebhookProvider, secret *notify.Secret, client *outbound.Client) (notify.Sender, error) {
		config, err := configOf(s, secret)
		if err != nil {
			return nil, err
		}
		return New(config, client)
	},
	Modes: []notify.Mode{{
		SecretKeys: []string{"url", "token", "username", "password", "signingSecret", "signingSecretNext"},
		Repeat:     notify.Once + ", if the endpoint drops a `webhook-id` that it has seen",
		Key:        "`webhook-id`",
		Update:     notify.OwnMessage,
		Resolve:    notify.OwnMessage,
		Links:      "`links` of the body",
		Sent:       "the endpoint answered 2xx",
	}},
}

// Config has the destination of messages and the credentials. Each value may be from a Secret.
type Config struct {
	URL            string
	Method         string // POST, which is the default, or PUT
	Headers        []Header
	SigningSecrets []string // "whsec_" and base64; several during a rotation

	// Token is sent as a bearer token; Username and Password as Basic authentication. Only one of the two can be set.
	Token    string
	Username string
	Password string
}

// check returns the problems of the settings in a spec. The URL in a Secret may have a user.
func check(s *v1beta1.WebhookProvider) (problems notify.Problems) {
	if u := problems.URL("url", s.URL); u != nil && u.User != nil {
		problems.AddURL("url", s.URL, "must have no user and password: put them into the Secret, as username and password, or the whole URL, as url")
	}
	for i, h := range s.Headers {
		field := fmt.Sprintf("headers[%d]", i)
		if problem := headerProblem(Header{Name: h.Name, Value: h.Value}); problem != "" {
			problems.Add(field, h.Name, problem)
		}
		if strings.EqualFold(h.Name, "Authorization") && h.SecretKey == "" {
			problems.Add(field, h.Name, "the value of Authorization belongs into the Secret: give its key in secretKey")
		}
	}
	return problems
}

// secretKeys returns the keys of the Secret that headers name.
func secretKeys(s *v1beta1.WebhookProvider) (keys []string) {
	for _, h := range s.Headers {
		if h.SecretKey != "" {
			keys = append(keys, h.SecretKey)
		}
	}
	return keys
}

func configOf(s *v1beta1.WebhookProvider, secret *notify.Secret) (Config, error) {
	c := Config{URL: s.URL, Method: string(s.Method),
		Token: secret.Get("token"), Username: secret.Get("username"), Password: secret.Get("password")}
	if c.URL == "" { // otherwise a user who may write the Secret but not the receiver could redirect the other credentials
		c.URL = secret.Get("url")
	}
	for _, key := range []string{"signingSecret", "signingSecretNext"} {
		if value := secret.Get(key); value != "" {
			c.SigningSecrets = append(c.SigningSecrets, value)
		}
	}
	for _, h := range s.Headers {
		value := h.Value
		if h.SecretKey != "" {
			if value = secret.Get(h.SecretKey); value == "" {
				return c, fmt.Errorf("spec.webhook.headers: the Secret has no key %q for the header %s", h.SecretKey, h.Name)
			}
		}
		c.Headers = append(c.Headers, Header{Name: h.Name, Value: value})
	}
	return c, secret.Err()
}

// Header is a header of every request.
type Header struct {
	Name  string
	Value string
}

// Sender is a notify.Sender.
type Sender struct {
	notify.HTTP
	method string
	target *url.URL
	keys   [][]byte // for signing
}

var _ notify.Sender = (*Sender)(nil)

// New returns a sender. An error is a *result.Error that names the invalid field.
func New(config Config, client *outbound.Client) (*Sender, error) {
	method := cmp.Or(config.Method, http.MethodPost)
	if method != http.MethodPost && method != http.MethodPut {
		return nil, notify.Invalid("method", "must be POST or PUT")
	}
	target, err := notify.ParseURL("url", config.URL)
	if err != nil {
		return nil, err
	}
	header := http.Header{}
	for i, h := range config.Headers {
		h.Value = strings.TrimSpace(h.Value) // the value of a Secret made with echo ends in a line break
		if problem := headerProblem(h); problem != "" {
			return nil, notify.Invalid(fmt.Sprintf("headers[%d]", i), problem)
		}
		header.Add(h.Name, h.Value)
	}
	var keys [][]byte
	for _, secret := range config.SigningSecrets {
		key, ok := signingKey(secret)
		if !ok {
			return nil, notify.Invalid("signingSecret, signingSecretNext", "must be whsec_ followed by 24 to 64 random bytes in base64")
		}
		keys = append(keys, key)
	}
	if err := authenticate(header, config, target); err != nil {
		return nil, err
	}
	s := &Sender{HTTP: notify.NewHTTP(client, secrets(config, target, header, keys)...), method: method, target: target, keys: keys}
	s.Header, s.WantBody, s.Refine = header, mayRead, s.refine
	s.MayQuote = true // mayRead selects bodies that are meant for people
	return s, nil
}

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (result.Receipt, error) {
	body, err := notify.Encode(render(m, k))
	if err != nil {
		return result.Receipt{}, err
	}
	req, err := notify.NewRequest(ctx, s.method, s.target, body)
	if err != nil {
		return result.Receipt{}, err
	}
	sign(req.Header, s.keys, k.Delivery, s.Now(), body)
	resp, err := s.Do(req)
	if err != nil {
		return result.Receipt{}, err
	}
	if page := isPage(resp); page != nil {
		return result.Receipt{}, page
	}
	return result.Receipt{Note: notify.StatusLine(resp.StatusCode)}, nil
}

// isPage returns the error of a page for people: a login page, or a captive portal, answers every request with one. It is not quoted.
func isPage(resp *outbound.Response) *result.Error {
	if !notify.IsHTML(resp.Header) || !notify.IsPage(resp) {
		return nil
	}
	return &result.Error{Class: result.Unconfirmed, Reason: result.ReasonBadAnswer,
		Message: notify.StatusLine(resp.StatusCode) + ", but with a web page, as a login page or a captive portal sends it: an endpoint has to answer with anything else, or nothing"}
}

// mayRead selects the bodies that describe a problem for people (RFC 9457), and bodies of a success that may be a page, which are not quoted. No
// other body is read: it may come from a service that only the operator can reach, and the author of the URL must not see it.
func mayRead(status int, header http.Header) bool {
	if status/100 == 2 {
		return notify.IsHTML(header)
	}
	mediaType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && status >= 400 && mediaType == "application/problem+json"
}

func (s *Sender) refine(e *result.Error, resp *outbound.Response) {
	if resp.StatusCode == http.StatusGone {
		e.Message += ": the receiver says it is gone and wants no more"
	}
	s.Quote(e, problemText(resp.Body))
}

// problemText returns title and detail of an RFC 9457 body; "" where it has neither.
func problemText(body []byte) string {
	var p struct {
		Title  string `json:"title"`
		Detail string `json:"detail"`
	}
	if json.Unmarshal(body, &p) != nil {
		return ""
	}
	if p.Title != "" && p.Detail != "" {
		return p.Title + ": " + p.Detail
	}
	return p.Title + p.Detail
}
