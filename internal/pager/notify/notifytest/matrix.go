// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

func init() {
	const room = "!room:example.com"
	register(Fixture{
		Provider:   "matrix",
		NewService: func(secret string) Service { return NewMatrix(room, secret) },
		Receiver: func(secret string, urls ...string) (v1beta1.Provider, map[string]string) {
			return v1beta1.Provider{Matrix: &v1beta1.MatrixProvider{URL: urls[0], RoomID: room}}, map[string]string{"token": secret}
		},
	})
}

// Matrix is a fake of a homeserver with one room. A repeated transaction id is answered with the first message. An edit is
// shown where a client shows it: not of a removed message.
type Matrix struct {
	Display
	mu      sync.Mutex
	mux     http.ServeMux
	token   string
	events  int
	ids     map[string]string // by transaction
	removed map[string]bool
}

// matrixUser is the account of the token.
const matrixUser = "@bellhop:example.com"

type matrixContent struct {
	MsgType    *string        `json:"msgtype"`
	Body       *string        `json:"body"`
	Mentions   *struct{}      `json:"m.mentions"`
	NewContent *matrixContent `json:"m.new_content"`
	RelatesTo  *struct {
		RelType string `json:"rel_type"`
		EventID string `json:"event_id"`
	} `json:"m.relates_to"`
}

var _ Service = (*Matrix)(nil)

// NewMatrix returns a homeserver with a room of which the token's account is a member.
func NewMatrix(roomID, token string) *Matrix {
	s := &Matrix{token: token, ids: map[string]string{}, removed: map[string]bool{}}
	const api = "/_matrix/client/v3"
	inRoom := func(handler http.HandlerFunc) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			if r.PathValue("room") != roomID {
				matrixError(w, http.StatusForbidden, "M_FORBIDDEN", "User "+matrixUser+" not in room")
				return
			}
			handler(w, r)
		}
	}
	s.mux.HandleFunc("GET "+api+"/account/whoami", func(w http.ResponseWriter, _ *http.Request) {
		replyInJSON(w, http.StatusOK, map[string]any{"user_id": matrixUser, "device_id": "ABCDEFGHIJ", "is_guest": false})
	})
	s.mux.HandleFunc("GET "+api+"/rooms/{room}/state/m.room.member/"+matrixUser, inRoom(func(w http.ResponseWriter, _ *http.Request) {
		replyInJSON(w, http.StatusOK, map[string]any{"membership": "join", "displayname": "Bellhop"})
	}))
	s.mux.HandleFunc("GET "+api+"/rooms/{room}/event/{event}", inRoom(s.event))
	s.mux.HandleFunc("PUT "+api+"/rooms/{room}/send/m.room.message/{transaction}", inRoom(s.send))
	s.mux.HandleFunc("/", func(w http.ResponseWriter, _ *http.Request) {
		matrixError(w, http.StatusNotFound, "M_UNRECOGNIZED", "Unrecognized request")
	})
	return s
}

// ServeHTTP answers as a homeserver does.
func (m *Matrix) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if r.Header.Get("Authorization") != "Bearer "+m.token {
		matrixError(w, http.StatusUnauthorized, "M_UNKNOWN_TOKEN", "Invalid access token passed.")
		return
	}
	m.mux.ServeHTTP(w, r)
}

// Remove removes a message, as a moderator can.
func (m *Matrix) Remove(id string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.removed[id] = true
	m.Put(Seen{ID: id, Resolved: true})
}

func (m *Matrix) event(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("event")
	seen, ok := m.Find(id)
	if !ok {
		matrixError(w, http.StatusNotFound, "M_NOT_FOUND", "Event not found.")
		return
	}
	content := map[string]any{"msgtype": "m.text", "body": seen.Text}
	if m.removed[id] {
		content = map[string]any{}
	}
	replyInJSON(w, http.StatusOK, map[string]any{"event_id": id, "type": "m.room.message", "sender": matrixUser, "content": content})
}

func (m *Matrix) send(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var c matrixContent
	err := readJSON(bytes.NewReader(body), &c)
	switch {
	case !m.Fits(c.sizes(body)...):
		matrixError(w, http.StatusRequestEntityTooLarge, "M_TOO_LARGE", "event too large")
		return
	case err != nil || !c.complete() || c.NewContent == nil != (c.RelatesTo == nil) || c.NewContent != nil && !c.NewContent.complete():
		matrixError(w, http.StatusBadRequest, "M_BAD_JSON", "Malformed event")
		return
	}
	transaction := r.PathValue("transaction")
	id, repeated := m.ids[transaction]
	if !repeated {
		m.events++
		id = fmt.Sprintf("$%040d-_", m.events)
		m.ids[transaction] = id
		m.show(id, c)
	}
	replyInJSON(w, http.StatusOK, map[string]any{"event_id": id})
}

// complete reports whether a content has all members, including m.mentions: without it, names in the text notify.
func (c matrixContent) complete() bool {
	return c.MsgType != nil && *c.MsgType == "m.text" && c.Body != nil && c.Mentions != nil
}

// sizes returns the sizes of an event, and of its text, which an edit has twice.
func (c matrixContent) sizes(body []byte) []Size {
	const most = 60 << 10 // of the 64 KiB of an event, which include the fields that servers add
	sizes := []Size{{Part: "event", Used: canonicalSize(body), Max: most}}
	if c.Body != nil && c.RelatesTo == nil {
		sizes = append(sizes, Size{Part: "text", Used: notify.Size(*c.Body, notify.PlainJSON), Max: most / 2, Reserve: 2 << 10})
	}
	return sizes
}

func (m *Matrix) show(id string, c matrixContent) {
	text := *c.Body
	if c.RelatesTo != nil {
		id, text = c.RelatesTo.EventID, *c.NewContent.Body
		if _, ok := m.Find(id); !ok || m.removed[id] || c.RelatesTo.RelType != "m.replace" {
			return // accepted but not shown
		}
	}
	m.Put(Seen{ID: id, Text: text, Resolved: saysResolved(text)})
}

func matrixError(w http.ResponseWriter, status int, code, message string) {
	replyInJSON(w, status, map[string]any{"errcode": code, "error": message})
}

// canonicalSize returns the size of a body in canonical JSON, which has no unnecessary escapes.
func canonicalSize(body []byte) int {
	var event any
	var canonical bytes.Buffer
	encoder := json.NewEncoder(&canonical)
	encoder.SetEscapeHTML(false)
	if json.Unmarshal(body, &event) != nil || encoder.Encode(event) != nil {
		return len(body)
	}
	return canonical.Len()
}
