// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

func init() {
	register(Fixture{
		Provider:   "pushover",
		NewService: func(secret string) Service { return NewPushover(secret, secret) },
		Receiver: func(secret string, urls ...string) (v1beta1.Provider, map[string]string) {
			return v1beta1.Provider{Pushover: &v1beta1.PushoverProvider{URL: urls[0], Device: "phone"}}, map[string]string{"token": secret, "user": secret}
		},
	})
}

// Pushover is a fake of Pushover with one application and one user. It shows each message. A canceled emergency is resolved:
// it is not repeated any more.
type Pushover struct {
	Display
	token, user string
	mu          sync.Mutex
	messages    int
	tags        map[string][]Seen // the active emergencies
}

var _ Service = (*Pushover)(nil)

// NewPushover returns a Pushover with an application's token and a user's key.
func NewPushover(token, user string) *Pushover {
	return &Pushover{token: token, user: user, tags: map[string][]Seen{}}
}

type pushoverRequest struct {
	Token    string `json:"token"`
	User     string `json:"user"`
	Device   string `json:"device"`
	Title    string `json:"title"`
	Message  string `json:"message"`
	Priority int    `json:"priority"`
	Retry    int    `json:"retry"`
	Expire   int    `json:"expire"`
	Tags     string `json:"tags"`
	URL      string `json:"url"`
	URLTitle string `json:"url_title"`
}

// ServeHTTP answers as Pushover does.
func (pu *Pushover) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	pu.mu.Lock()
	defer pu.mu.Unlock()
	var p pushoverRequest
	tag, cancels := strings.CutPrefix(strings.TrimSuffix(r.URL.Path, ".json"), "/1/receipts/cancel_by_tag/")
	switch {
	case r.Method != http.MethodPost || !isJSON(r) || readJSON(r.Body, &p) != nil:
		pushoverError(w, "request", "a request that Bellhop does not send")
	case p.Token != pu.token:
		pushoverError(w, "token", "application token is invalid, see https://pushover.net/api")
	case strings.HasSuffix(r.URL.Path, "/cancel.json"):
		pu.cancelReceipt(w, strings.Split(r.URL.Path, "/")[3])
	case cancels:
		for _, seen := range pu.tags[tag] {
			seen.Resolved = true
			pu.Put(seen)
		}
		pushoverSuccess(w, "canceled", len(pu.tags[tag]))
		delete(pu.tags, tag)
	case p.User != pu.user:
		pushoverError(w, "user", "user identifier is not a valid user, group, or subscribed user key")
	case r.URL.Path == "/1/users/validate.json" && (p.Device == "" || p.Device == "phone"):
		pushoverSuccess(w, "devices", []string{"phone"})
	case r.URL.Path == "/1/users/validate.json":
		pushoverError(w, "device", "device name is not valid for this user")
	case r.URL.Path == "/1/messages.json":
		pu.send(w, p)
	default:
		w.WriteHeader(http.StatusNotFound)
	}
}

func (pu *Pushover) cancelReceipt(w http.ResponseWriter, receipt string) {
	for tag, active := range pu.tags {
		for i, seen := range active {
			if receiptOf(seen.ID) == receipt {
				seen.Resolved = true
				pu.Put(seen)
				pu.tags[tag] = slices.Delete(active, i, i+1)
				pushoverSuccess(w, "", nil)
				return
			}
		}
	}
	replyInJSON(w, http.StatusNotFound, map[string]any{"receipt": "not found", "errors": []string{"receipt not found"}, "status": 0, "request": "647d2300"})
}

func receiptOf(message string) string {
	return "rEceipt" + strings.Repeat("0", 23-len(message)) + message
}

func (pu *Pushover) send(w http.ResponseWriter, p pushoverRequest) {
	message := Size{Part: "message", Used: utf8.RuneCountInString(p.Message), Max: 1024}
	title := Size{Part: "title", Used: utf8.RuneCountInString(p.Title), Max: 250}
	switch {
	case strings.TrimSpace(p.Message) == "":
		pushoverError(w, "message", "message cannot be blank")
	case !pu.Fits(message, title):
		pushoverError(w, "message", "message is too long")
	case len(p.URL) > 512 || utf8.RuneCountInString(p.URLTitle) > 100 || p.URL == "" && p.URLTitle != "":
		pushoverError(w, "url", "url or its title is too long")
	case p.Priority < -2 || p.Priority > 2:
		pushoverError(w, "priority", "priority is invalid")
	case p.Priority == 2 && (p.Retry < 30 || p.Expire < 1 || p.Expire > 10800):
		pushoverError(w, "expire", "retry and expire must be supplied with priority=2")
	default:
		pu.messages++
		seen := Seen{ID: fmt.Sprint(pu.messages), Text: p.Title + "\n" + p.Message, Resolved: saysResolved(p.Title)}
		if p.URL != "" {
			seen.Links = notify.Link{Text: p.URLTitle, Href: p.URL}.Line()
		}
		pu.Put(seen)
		if p.Priority < 2 {
			pushoverSuccess(w, "", nil)
			return
		}
		pu.tags[p.Tags] = append(pu.tags[p.Tags], seen)
		pushoverSuccess(w, "receipt", receiptOf(seen.ID))
	}
}

func pushoverSuccess(w http.ResponseWriter, name string, value any) {
	body := map[string]any{"status": 1, "request": "647d2300-702c-4b38-8b2f-d56326ae460b"}
	if name != "" {
		body[name] = value
	}
	replyInJSON(w, http.StatusOK, body)
}

func pushoverError(w http.ResponseWriter, field, message string) {
	replyInJSON(w, http.StatusBadRequest, map[string]any{
		field: "invalid", "errors": []string{message}, "status": 0, "request": "647d2300-702c-4b38-8b2f-d56326ae460b",
	})
}
