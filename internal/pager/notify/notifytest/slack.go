// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

func init() {
	const channel = "C0123456789"
	newService := func(secret string) Service { return NewSlack(secret, channel, "/services/"+secret) }
	register(Fixture{
		Provider:   "slack",
		Mode:       "bot",
		NewService: newService,
		Receiver: func(secret string, urls ...string) (v1beta1.Provider, map[string]string) {
			return v1beta1.Provider{Slack: &v1beta1.SlackProvider{URL: urls[0] + "/api/", Channel: channel}}, map[string]string{"token": secret}
		},
	})
	register(Fixture{
		Provider:   "slack",
		Mode:       "incoming webhook",
		NewService: newService,
		Receiver: func(secret string, urls ...string) (v1beta1.Provider, map[string]string) {
			return v1beta1.Provider{Slack: &v1beta1.SlackProvider{}}, map[string]string{"url": urls[0] + "/services/" + secret}
		},
	})
}

// Slack is a fake of a workspace with one channel, a bot that may post there, and an incoming webhook. The Web API is below
// /api/. It has no idempotency key.
type Slack struct {
	Display
	mu       sync.Mutex
	mux      http.ServeMux
	token    string
	channel  string
	messages int
	locked   bool
}

// slackMessage is the part of an attachment that the fake supports.
type slackMessage struct {
	Color    string `json:"color"`
	Fallback string `json:"fallback"`
	Title    string `json:"title"`
	Text     string `json:"text"`
	Blocks   []any  `json:"blocks"` // Slack would show blocks instead of the other members
	Actions  []struct {
		Name string `json:"name"`
		Type string `json:"type"`
		Text string `json:"text"`
		URL  string `json:"url"`
	} `json:"actions"`
}

var _ Service = (*Slack)(nil)

// NewSlack returns a workspace with the token of a bot, the id of a channel and the path of its incoming webhook, such as
// /services/T0/B0/x.
func NewSlack(token, channel, hook string) *Slack {
	s := &Slack{token: token, channel: channel}
	for method, do := range map[string]func(url.Values) (any, string){
		"auth.test": s.authTest, "chat.postMessage": s.postMessage, "chat.update": s.update,
	} {
		s.mux.HandleFunc("POST /api/"+method, func(w http.ResponseWriter, r *http.Request) { s.webAPI(w, r, do) })
	}
	s.mux.HandleFunc("POST "+hook, s.hook)
	s.mux.HandleFunc("POST /services/", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, "no_service", http.StatusNotFound)
	})
	return s
}

// ServeHTTP answers as Slack does.
func (s *Slack) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.mux.ServeHTTP(w, r)
}

// Lock ends the time in which messages can be edited.
func (s *Slack) Lock() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.locked = true
}

// webAPI answers 200 also with an error.
func (s *Slack) webAPI(w http.ResponseWriter, r *http.Request, do func(url.Values) (any, string)) {
	body, _ := io.ReadAll(r.Body)
	form, err := url.ParseQuery(string(body))
	result, refusal := any(nil), ""
	switch {
	case err != nil || r.Header.Get("Content-Type") != "application/x-www-form-urlencoded":
		refusal = "invalid_form_data"
	case form.Get("token") == "":
		refusal = "not_authed"
	case form.Get("token") != s.token:
		refusal = "invalid_auth"
	default:
		form.Del("token")
		result, refusal = do(form)
	}
	if refusal != "" {
		result = map[string]any{"ok": false, "error": refusal}
	}
	replyInJSON(w, http.StatusOK, result)
}

func (s *Slack) authTest(url.Values) (any, string) {
	return map[string]any{"ok": true, "team_id": "T0", "user": "bellhop", "user_id": "U0", "bot_id": "B0"}, ""
}

func (s *Slack) postMessage(form url.Values) (any, string) {
	if form.Get("unfurl_links") != "false" || form.Get("unfurl_media") != "false" {
		return nil, "invalid_arguments"
	}
	form.Del("unfurl_links")
	form.Del("unfurl_media")
	return s.write(form, s.next())
}

func (s *Slack) update(form url.Values) (any, string) {
	ts := form.Get("ts")
	form.Del("ts")
	switch _, found := s.Find(form.Get("channel") + "/" + ts); {
	case !found:
		return nil, "message_not_found"
	case s.locked:
		return nil, "edit_window_closed"
	}
	return s.write(form, ts)
}

// write creates or changes a message. Both must turn off mentions in the text.
func (s *Slack) write(form url.Values, ts string) (any, string) {
	var metadata struct {
		EventType    string `json:"event_type"`
		EventPayload struct {
			Delivery string `json:"delivery"`
		} `json:"event_payload"`
	}
	messages, ok := s.read(form.Get("attachments"))
	switch {
	case form.Get("channel") != s.channel:
		return nil, "channel_not_found"
	case len(form) != 5 || form.Get("parse") != "none" || form.Get("link_names") != "false":
		return nil, "invalid_arguments"
	case readJSON(strings.NewReader(form.Get("metadata")), &metadata) != nil || metadata.EventType == "" || metadata.EventPayload.Delivery == "":
		return nil, "invalid_metadata_format"
	case !ok:
		return nil, "no_text"
	}
	s.show(ts, messages[0])
	return map[string]any{"ok": true, "channel": s.channel, "ts": ts}, ""
}

func (s *Slack) hook(w http.ResponseWriter, r *http.Request) {
	var payload struct {
		Attachments     json.RawMessage `json:"attachments"`
		Parse           string          `json:"parse"`
		UnfurlLinks     *bool           `json:"unfurl_links"`
		UnfurlMedia     *bool           `json:"unfurl_media"`
		ReplaceOriginal bool            `json:"replace_original"`
		DeleteOriginal  bool            `json:"delete_original"`
	}
	err := readJSON(r.Body, &payload)
	messages, ok := s.read(string(payload.Attachments))
	switch {
	case err != nil || payload.Parse != "none" || !isJSON(r):
		http.Error(w, "invalid_payload", http.StatusBadRequest)
		return
	case !ok:
		http.Error(w, "no_text", http.StatusBadRequest)
		return
	}
	s.show(s.next(), messages[0])
	_, _ = io.WriteString(w, "ok")
}

// read decodes attachments: exactly one, with a title, within Slack's limits and without control sequences.
func (s *Slack) read(body string) ([]slackMessage, bool) {
	var messages []slackMessage
	if readJSON(strings.NewReader(body), &messages) != nil || len(messages) != 1 {
		return nil, false
	}
	m := messages[0]
	fits := s.Fits(Size{Part: "text", Used: len(m.Text), Max: 8000}, Size{Part: "title", Used: utf8.RuneCountInString(m.Title), Max: 1024})
	for _, action := range m.Actions {
		fits = fits && action.Name != "" && action.Type == "button" && action.Text != "" && len(action.URL) <= 3000
	}
	return messages, fits && len(m.Actions) <= 5 && m.Blocks == nil && m.Title != "" && m.Fallback == m.Title && !strings.ContainsAny(m.Title+m.Text, "<>")
}

func (s *Slack) next() string {
	s.messages++
	return fmt.Sprintf("1772366400.%06d", s.messages)
}

func (s *Slack) show(ts string, m slackMessage) {
	entities := strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")
	text := entities.Replace(strings.TrimSuffix(m.Title+"\n"+m.Text, "\n"))
	var links []notify.Link
	for _, action := range m.Actions {
		links = append(links, notify.Link{Text: entities.Replace(action.Text), Href: action.URL})
	}
	s.Put(Seen{ID: s.channel + "/" + ts, Text: text, Resolved: m.Color == "good", Links: linkLines(links)})
}
