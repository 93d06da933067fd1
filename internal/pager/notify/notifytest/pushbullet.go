// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

func init() {
	register(Fixture{
		Provider:   "pushbullet",
		NewService: func(secret string) Service { return NewPushbullet(secret) },
		Receiver: func(secret string, urls ...string) (v1beta1.Provider, map[string]string) {
			return v1beta1.Provider{Pushbullet: &v1beta1.PushbulletProvider{URL: urls[0], DeviceIden: "phone"}}, map[string]string{"token": secret}
		},
	})
}

// Pushbullet is a fake of Pushbullet with an account that has a device "phone". A repeated guid is answered with the first
// push.
type Pushbullet struct {
	Display
	token string
	mu    sync.Mutex
	guids []string
}

var _ Service = (*Pushbullet)(nil)

// NewPushbullet returns an account with this access token.
func NewPushbullet(token string) *Pushbullet { return &Pushbullet{token: token} }

type pushbulletPush struct {
	Type       string `json:"type"`
	Title      string `json:"title"`
	Body       string `json:"body"`
	GUID       string `json:"guid"`
	DeviceIden string `json:"device_iden"`
	Dismissed  bool   `json:"dismissed"`
}

// ServeHTTP answers as Pushbullet does.
func (p *Pushbullet) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var push pushbulletPush
	iden, isPush := strings.CutPrefix(r.URL.Path, "/v2/pushes/")
	switch {
	case r.Header.Get("Access-Token") != p.token:
		pushbulletError(w, http.StatusUnauthorized, "Access token is missing or invalid.")
	case r.Method == http.MethodGet && r.URL.Path == "/v2/users/me":
		replyInJSON(w, http.StatusOK, map[string]any{"iden": "me"})
	case r.Method != http.MethodPost || readJSON(r.Body, &push) != nil:
		pushbulletError(w, http.StatusBadRequest, "The request was not understood.")
	case isPush && push.Dismissed:
		seen, _ := p.Find(iden)
		seen.Resolved = true
		p.Put(seen)
		replyInJSON(w, http.StatusOK, map[string]any{"iden": iden, "dismissed": true})
	case r.URL.Path == "/v2/pushes" && push.Type == "note" && push.DeviceIden == "phone" && push.GUID != "":
		p.Fits(echoSize(push.Body)) // Pushbullet itself has no documented limit
		iden = p.push(push)
		replyInJSON(w, http.StatusOK, map[string]any{"iden": iden, "guid": push.GUID, "title": push.Title, "body": push.Body})
	default:
		pushbulletError(w, http.StatusNotFound, "The resource does not exist.")
	}
}

func (p *Pushbullet) push(push pushbulletPush) (iden string) {
	i := slices.Index(p.guids, push.GUID)
	if i >= 0 {
		return "iden" + strconv.Itoa(i)
	}
	iden = "iden" + strconv.Itoa(len(p.guids))
	p.guids = append(p.guids, push.GUID)
	p.Put(Seen{ID: iden, Text: push.Title + "\n" + push.Body})
	return iden
}

func pushbulletError(w http.ResponseWriter, status int, message string) {
	replyInJSON(w, status, map[string]any{"error": map[string]string{"type": "invalid_request", "message": message}})
}
