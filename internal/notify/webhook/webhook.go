/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

// Package webhook delivers to any HTTP endpoint: a JSON body, with the headers of Standard Webhooks 1.0.0
// (https://www.standardwebhooks.com), so that the other side can tell repeats and check who sent it. Any 2xx means delivered.
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
// Members may be added under the same version. The header webhook-id is the same in every repeat of a message.
//
// It knows this format and nothing of who calls it or who listens.
package webhook

import (
	"context"
	"encoding/json"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// maxReason bounds what we quote of the receiver's words.
const maxReason = 256

// Sender is a notify.Sender.
type Sender struct {
	method string
	target *url.URL
	header http.Header
	keys   [][]byte // for signing
	client *outbound.Client
	redact *outbound.Redactor
	now    func() time.Time
}

var _ notify.Sender = (*Sender)(nil)

type envelope struct {
	Version   string    `json:"version"`
	Type      string    `json:"type"`
	Timestamp time.Time `json:"timestamp"`
	Data      data      `json:"data"`
}

type data struct {
	UID        string          `json:"uid"`
	Namespace  string          `json:"namespace"`
	Name       string          `json:"name"`
	Receiver   string          `json:"receiver"`
	Incident   string          `json:"incident"`
	Title      string          `json:"title"`
	Content    string          `json:"content"`
	RawContent string          `json:"rawContent"`
	Severity   notify.Severity `json:"severity"`
	State      string          `json:"state"`
}

func render(m notify.Message, k notify.Key) envelope {
	state := "Firing"
	if m.Event == notify.Resolved {
		state = "Resolved"
	}
	return envelope{
		Version:   "1",
		Type:      "alert." + strings.ToLower(string(m.Event)),
		Timestamp: m.Time.UTC().Truncate(time.Second),
		Data: data{
			UID:        m.UID,
			Namespace:  m.Namespace,
			Name:       m.Name,
			Receiver:   m.Receiver,
			Incident:   k.Incident,
			Title:      notify.Emoji(m.Heading()),
			Content:    notify.Emoji(m.Content),
			RawContent: m.Content,
			Severity:   m.Severity,
			State:      state,
		},
	}
}

// Send makes one attempt.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (notify.Receipt, error) {
	body, err := json.Marshal(render(m, k))
	if err != nil {
		return notify.Receipt{}, notify.Invalid("content", "cannot be written as JSON")
	}
	req, err := notify.JSONRequest(ctx, s.method, s.target, body)
	if err != nil {
		return notify.Receipt{}, err
	}
	maps.Copy(req.Header, s.header)
	sign(req.Header, s.keys, k.Delivery, s.now(), body)

	resp, err := s.client.DoSelect(ctx, req, explains)
	if err != nil {
		return notify.Receipt{}, notify.FromRequest(err)
	}
	if failure := s.failure(resp); failure != nil {
		return notify.Receipt{}, failure
	}
	return notify.Receipt{Note: notify.StatusLine(resp.StatusCode)}, nil
}

// explains tells whether the body is meant to be read by people (RFC 9457). Any other stays unread: it may be of some
// service that only the operator can reach, and who wrote the URL must not see it.
func explains(status int, header http.Header) bool {
	mediaType, _, err := mime.ParseMediaType(header.Get("Content-Type"))
	return err == nil && status >= 400 && mediaType == "application/problem+json"
}

// failure reads an answer that is not a success.
func (s *Sender) failure(resp *outbound.Response) *notify.Error {
	e := notify.FromStatus(resp, s.now())
	if e == nil {
		return nil
	}
	if resp.StatusCode == http.StatusGone {
		e.Message += ": the receiver says it is gone and wants no more"
	}
	if text := problem(resp.Body); text != "" {
		e.Message += ": " + s.redact.Clean(text, maxReason)
	}
	return e
}

// problem returns title and detail of an RFC 9457 body, "" if it has none.
func problem(body []byte) string {
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

// Close lets go of the connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }
