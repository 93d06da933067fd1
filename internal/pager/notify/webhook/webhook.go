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

	"github.com/gophernetes/bellhop/internal/outbound"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

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

// mayRead selects the bodies that describe a problem for people (RFC 9457), and those of a success that may be a page, which are not
// quoted. No other body is read: it may be of a service that only the operator can reach, and the author of the URL must not see it.
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
