// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"fmt"
	"html"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"
	"unicode"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

func init() {
	const channel = "4xp9fdt77pncbef59f4k1qe83o"
	newService := func(secret string) Service { return NewMattermost(secret, channel, secret) }
	register(Fixture{
		Provider:   "mattermost",
		Mode:       "bot",
		NewService: newService,
		Receiver: func(secret string, urls ...string) (v1beta1.Provider, map[string]string) {
			return v1beta1.Provider{Mattermost: &v1beta1.MattermostProvider{URL: urls[0], ChannelID: channel}}, map[string]string{"token": secret}
		},
	})
	register(Fixture{
		Provider:   "mattermost",
		Mode:       "incoming webhook",
		NewService: newService,
		Receiver: func(secret string, urls ...string) (v1beta1.Provider, map[string]string) {
			return v1beta1.Provider{Mattermost: &v1beta1.MattermostProvider{}}, map[string]string{"url": urls[0] + "/hooks/" + secret}
		},
	})
}

// Mattermost is a fake of a server with one channel, a bot that may post there, and an incoming webhook. It recognizes a
// repeat by its pending_post_id until Forget.
type Mattermost struct {
	Display
	mu        sync.Mutex
	mux       http.ServeMux
	token     string
	channelID string
	posts     int
	pending   map[string]string // ids of posts by pending_post_id
	deleted   map[string]bool
	locked    bool
}

var _ Service = (*Mattermost)(nil)

// NewMattermost returns a server with a bot's token, the id of a channel and the key of its incoming webhook, which is at
// /hooks/key.
func NewMattermost(token, channelID, hook string) *Mattermost {
	s := &Mattermost{token: token, channelID: channelID, pending: map[string]string{}, deleted: map[string]bool{}}
	s.mux.HandleFunc("GET /api/v4/users/me", s.authenticated(func(w http.ResponseWriter, _ *http.Request) {
		replyInJSON(w, http.StatusOK, map[string]any{"id": s.id("user", 0), "username": "bellhop", "is_bot": true})
	}))
	s.mux.HandleFunc("POST /api/v4/posts", s.authenticated(s.create))
	s.mux.HandleFunc("GET /api/v4/posts/{id}", s.authenticated(s.get))
	s.mux.HandleFunc("PUT /api/v4/posts/{id}/patch", s.authenticated(s.patch))
	s.mux.HandleFunc("POST /hooks/"+hook, s.hook)
	s.mux.HandleFunc("POST /hooks/", func(w http.ResponseWriter, _ *http.Request) {
		mattermostError(w, http.StatusBadRequest, "web.incoming_webhook.invalid.app_error")
	})
	s.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		mattermostError(w, http.StatusNotFound, "api.context.404.app_error")
	})
	return s
}

// ServeHTTP answers as Mattermost does.
func (m *Mattermost) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.mux.ServeHTTP(w, r)
}

// Forget ends the 30 seconds in which the server recognizes a repeat.
func (m *Mattermost) Forget() {
	m.mu.Lock()
	defer m.mu.Unlock()
	clear(m.pending)
}

// Lock ends the time in which posts can be edited.
func (m *Mattermost) Lock() {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.locked = true
}

// Delete deletes a post, as a moderator can.
func (m *Mattermost) Delete(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.deleted[id] = true
	m.Put(Seen{ID: id, Resolved: true})
}

func (m *Mattermost) authenticated(handler http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Authorization") != "Bearer "+m.token {
			mattermostError(w, http.StatusUnauthorized, "api.context.session_expired.app_error")
			return
		}
		handler(w, r)
	}
}

func (m *Mattermost) create(w http.ResponseWriter, r *http.Request) {
	var post struct {
		ChannelID     string `json:"channel_id"`
		Message       string `json:"message"`
		PendingPostID string `json:"pending_post_id"`
	}
	switch err := readJSON(r.Body, &post); {
	case err != nil || post.PendingPostID == "":
		mattermostError(w, http.StatusBadRequest, "api.context.invalid_param.app_error")
		return
	case post.ChannelID != m.channelID:
		mattermostError(w, http.StatusForbidden, "api.context.permissions.app_error")
		return
	}
	id, repeated := m.pending[post.PendingPostID]
	if !repeated {
		if id = m.id("post", m.posts+1); !m.show(w, id, post.Message) {
			return
		}
		m.posts++
		m.pending[post.PendingPostID] = id
	}
	replyInJSON(w, http.StatusCreated, map[string]any{
		"id": id, "channel_id": m.channelID, "message": post.Message, "pending_post_id": post.PendingPostID,
	})
}

func (m *Mattermost) get(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	if _, ok := m.Find(id); !ok || m.deleted[id] {
		mattermostError(w, http.StatusNotFound, "app.post.get.app_error")
		return
	}
	replyInJSON(w, http.StatusOK, map[string]any{"id": id, "channel_id": m.channelID})
}

func (m *Mattermost) patch(w http.ResponseWriter, r *http.Request) {
	var patch struct {
		Message string `json:"message"`
	}
	id := r.PathValue("id")
	_, found := m.Find(id)
	switch err := readJSON(r.Body, &patch); {
	case err != nil:
		mattermostError(w, http.StatusBadRequest, "api.context.invalid_param.app_error")
	case !found || m.deleted[id]: // Mattermost does not answer 404
		mattermostError(w, http.StatusForbidden, "api.context.permissions.app_error")
	case m.locked:
		mattermostError(w, http.StatusBadRequest, "api.post.update_post.permissions_time_limit.app_error")
	case m.show(w, id, patch.Message):
		replyInJSON(w, http.StatusOK, map[string]any{"id": id, "channel_id": m.channelID, "message": patch.Message})
	}
}

// hook converts Slack's mentions as Mattermost does.
func (m *Mattermost) hook(w http.ResponseWriter, r *http.Request) {
	var payload struct {
		Text string `json:"text"`
	}
	if readJSON(r.Body, &payload) != nil || payload.Text == "" {
		mattermostError(w, http.StatusBadRequest, "web.incoming_webhook.text.app_error")
		return
	}
	text := strings.NewReplacer("<!channel>", "@channel", "<!here>", "@here", "<!all>", "@all").Replace(payload.Text)
	if m.show(w, m.id("post", m.posts+1), text) {
		m.posts++
		_, _ = io.WriteString(w, "ok")
	}
}

var mattermostBold = regexp.MustCompile(`^\*\*([^*]+)\*\*(?:\n|$)`)

// show refuses a text that is too long, and one with a mention, which Mattermost would accept and Bellhop must not send.
func (m *Mattermost) show(w http.ResponseWriter, id, message string) bool {
	text := html.UnescapeString(message)
	switch {
	case !m.Fits(Size{Part: "message", Used: utf8.RuneCountInString(message), Max: 16383}, echoSize(message)):
		mattermostError(w, http.StatusBadRequest, "model.post.is_valid.message_length.app_error")
		return false
	case MattermostMentions(text) != nil:
		mattermostError(w, http.StatusBadRequest, "app.post.bellhop_must_not_mention.app_error")
		return false
	}
	text = strings.ReplaceAll(html.UnescapeString(mattermostBold.ReplaceAllString(message, "$1\n")), "\u200b", "")
	m.Put(Seen{ID: id, Text: strings.TrimSuffix(text, "\n"), Resolved: saysResolved(text)})
	return true
}

// MattermostMentions returns the mentions that the server finds in a text with decoded entities.
func MattermostMentions(text string) []string {
	var mentions []string
	words := strings.FieldsFunc(text, func(r rune) bool {
		return !strings.ContainsRune(":.-_@", r) && !unicode.IsLetter(r) && !unicode.IsNumber(r)
	})
	for _, word := range words {
		for _, part := range append(strings.FieldsFunc(word, func(r rune) bool { return strings.ContainsRune(".-:", r) }), word) {
			if part = strings.TrimLeft(part, ":.-_"); strings.HasPrefix(part, "@") && len(part) > 1 {
				mentions = append(mentions, part)
			}
		}
	}
	return mentions
}

func (m *Mattermost) id(kind string, n int) string {
	return fmt.Sprintf("%s%0*d", kind, 26-len(kind), n)
}

func mattermostError(w http.ResponseWriter, status int, id string) {
	replyInJSON(w, status, map[string]any{"id": id, "message": "…", "detailed_error": "", "request_id": "x", "status_code": status})
}
