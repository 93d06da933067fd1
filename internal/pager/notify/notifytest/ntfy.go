// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"strings"
	"sync"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

func init() {
	register(Fixture{
		Provider:   "ntfy",
		NewService: func(secret string) Service { return NewNtfy(secret, secret) },
		Receiver: func(secret string, urls ...string) (v1beta1.Provider, map[string]string) {
			return v1beta1.Provider{Ntfy: &v1beta1.NtfyProvider{URL: urls[0]}}, map[string]string{"topic": secret, "token": secret}
		},
	})
}

// Ntfy is a fake of a server of ntfy, together with the app of a subscriber, which replaces a notification by the next one
// with its sequence id.
type Ntfy struct {
	Display
	// Old makes it a server before 2.16, which ignores sequence ids.
	Old bool

	topic, token string
	mu           sync.Mutex
	messages     int
}

var _ Service = (*Ntfy)(nil)

// NewNtfy returns a server on which the token may publish to the topic. Without a token everybody may.
func NewNtfy(topic, token string) *Ntfy { return &Ntfy{topic: topic, token: token} }

var (
	ntfyTopic    = regexp.MustCompile(`^[-_A-Za-z0-9]{1,64}$`)
	ntfySequence = ntfyTopic
)

// ServeHTTP answers as ntfy does.
func (nt *Ntfy) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	authorization := r.Header.Get("Authorization")
	switch {
	case authorization != "" && authorization != "Bearer "+nt.token: // for every request
		ntfyError(w, 40101, "unauthorized")
	case r.Method == http.MethodGet && r.URL.Path == "/v1/health":
		replyInJSON(w, http.StatusOK, map[string]any{"healthy": true})
	case r.Method == http.MethodPost && r.URL.Path == "/":
		nt.publish(w, r)
	default:
		ntfyError(w, 40401, "page not found")
	}
}

func (nt *Ntfy) publish(w http.ResponseWriter, r *http.Request) {
	const limit = 4096
	body, _ := io.ReadAll(r.Body)
	json := Size{Part: "JSON", Used: len(body), Max: 2*limit - 1} // a body of twice the limit is refused, too
	var n struct {
		Topic      string `json:"topic"`
		Title      string `json:"title"`
		Message    string `json:"message"`
		Priority   int    `json:"priority"`
		SequenceID string `json:"sequence_id"`
		Actions    []struct {
			Action string `json:"action"`
			Label  string `json:"label"`
			URL    string `json:"url"`
		} `json:"actions"`
	}
	fits, err := nt.Fits(json), readJSON(bytes.NewReader(body), &n)
	var links []notify.Link
	isAction := true
	for _, a := range n.Actions {
		isAction = isAction && a.Action == "view" && a.Label != "" && a.URL != ""
		links = append(links, notify.Link{Text: a.Label, Href: a.URL})
	}
	switch {
	case !fits:
		ntfyError(w, 41303, "JSON body too large")
	case err != nil:
		ntfyError(w, 40024, "invalid request: request body must be valid JSON")
	case !ntfyTopic.MatchString(n.Topic):
		ntfyError(w, 40009, "invalid request: topic invalid")
	case n.Topic != nt.topic || nt.token != "" && r.Header.Get("Authorization") == "":
		ntfyError(w, 40301, "forbidden")
	case len(n.Title) > 1024:
		ntfyError(w, 40057, "invalid request: title too large")
	case n.Priority < 0 || n.Priority > 5:
		ntfyError(w, 40007, "invalid priority parameter")
	case len(n.Actions) > 3 || !isAction:
		ntfyError(w, 40018, "invalid request: actions invalid")
	case n.SequenceID != "" && !nt.Old && !ntfySequence.MatchString(n.SequenceID):
		ntfyError(w, 40049, "invalid request: sequence ID invalid")
	default:
		message := Size{Part: "message", Used: len(n.Message), Max: limit - 1}
		if !nt.Fits(json, message, Size{Part: "title", Used: len(n.Title), Max: 1024}) {
			n.Message = "You received a file: attachment.txt"
		}
		nt.mu.Lock()
		nt.messages++
		id := fmt.Sprintf("msg%09d", nt.messages)
		nt.mu.Unlock()
		answer := map[string]any{"id": id, "time": 1772366400, "event": "message", "topic": n.Topic, "title": n.Title, "message": n.Message}
		sequence := id
		if n.SequenceID != "" && !nt.Old {
			sequence = n.SequenceID
			answer["sequence_id"] = sequence
		}
		nt.Put(Seen{ID: sequence, Text: n.Title + "\n" + strings.TrimSpace(n.Message), Resolved: saysResolved(n.Title), Links: linkLines(links)})
		replyInJSON(w, http.StatusOK, answer)
	}
}

func ntfyError(w http.ResponseWriter, code int, message string) {
	status := code / 100
	replyInJSON(w, status, map[string]any{"code": code, "http": status, "error": message, "link": "https://ntfy.sh/docs/publish/"})
}
