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

package notifytest

import (
	"net/http"
	"strconv"
	"sync"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

func init() {
	register(Fixture{
		Provider:   "gotify",
		NewService: func(secret string) Service { return NewGotify(secret) },
		Receiver: func(secret string, urls ...string) (v1beta1.Provider, map[string]string) {
			return v1beta1.Provider{Gotify: &v1beta1.GotifyProvider{URL: urls[0]}}, map[string]string{"token": secret}
		},
	})
}

// Gotify is a fake of a server of Gotify with one application. It shows each message.
type Gotify struct {
	Display
	token    string
	mu       sync.Mutex
	messages int
}

var _ Service = (*Gotify)(nil)

// NewGotify returns a server with the token of its application.
func NewGotify(token string) *Gotify { return &Gotify{token: token} }

// ServeHTTP answers as Gotify does.
func (g *Gotify) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	var m struct {
		Title    string `json:"title"`
		Message  string `json:"message"`
		Priority *int   `json:"priority"`
		Extras   struct {
			Display struct {
				ContentType string `json:"contentType"`
			} `json:"client::display"`
		} `json:"extras"`
	}
	switch {
	case r.URL.Path != "/message" || r.Method != http.MethodPost:
		gotifyError(w, http.StatusNotFound, "page not found")
	case r.Header.Get("X-Gotify-Key") != g.token:
		gotifyError(w, http.StatusUnauthorized, "you need to provide a valid access token or user credentials to access this api")
	case !isJSON(r) || readJSON(r.Body, &m) != nil:
		gotifyError(w, http.StatusBadRequest, "invalid JSON")
	case m.Message == "":
		gotifyError(w, http.StatusBadRequest, "Field 'message' is required")
	case m.Extras.Display.ContentType != "text/plain": // otherwise the clients select the content type
		gotifyError(w, http.StatusBadRequest, "a request that Bellhop does not send")
	default:
		g.Fits(echoSize(m.Message)) // Gotify itself has no limit
		g.mu.Lock()
		g.messages++
		id := g.messages
		g.mu.Unlock()
		g.Put(Seen{ID: strconv.Itoa(id), Text: m.Title + "\n" + m.Message, Resolved: saysResolved(m.Title)})
		replyInJSON(w, http.StatusOK, map[string]any{
			"id": id, "appid": 5, "title": m.Title, "message": m.Message, "priority": m.Priority, "date": "2026-03-01T12:00:00Z",
		})
	}
}

func gotifyError(w http.ResponseWriter, status int, description string) {
	replyInJSON(w, status, map[string]any{"error": http.StatusText(status), "errorCode": status, "errorDescription": description})
}
