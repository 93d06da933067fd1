// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"unicode/utf8"

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
	case m.Extras.Display.ContentType != "text/plain" && m.Extras.Display.ContentType != "text/markdown": // then the clients select it
		gotifyError(w, http.StatusBadRequest, "a request that Bellhop does not send")
	default:
		seen := m.Message
		if m.Extras.Display.ContentType == "text/markdown" {
			seen = gotifyText(m.Message)
		}
		g.Fits(echoSize(m.Message)) // Gotify itself has no limit
		g.mu.Lock()
		g.messages++
		id := g.messages
		g.mu.Unlock()
		g.Put(Seen{ID: strconv.Itoa(id), Text: m.Title + "\n" + seen, Resolved: saysResolved(m.Title)})
		replyInJSON(w, http.StatusOK, map[string]any{
			"id": id, "appid": 5, "title": m.Title, "message": m.Message, "priority": m.Priority, "date": "2026-03-01T12:00:00Z",
		})
	}
}

func gotifyError(w http.ResponseWriter, status int, description string) {
	replyInJSON(w, status, map[string]any{"error": http.StatusText(status), "errorCode": status, "errorDescription": description})
}

// gotifyText renders the part of Markdown that Bellhop uses, as Gotify does: escaped characters, hard line breaks, links, and addresses
// in angle brackets. Other markup becomes a text that no test expects.
func gotifyText(text string) string {
	var out strings.Builder
	for rest := text; rest != ""; {
		if found := gotifyMarkup.FindStringSubmatch(rest); found != nil {
			switch {
			case found[1] != "":
				out.WriteString(found[1])
			case found[2] != "":
				out.WriteString(gotifyText(found[2]) + ": " + found[3])
			default:
				out.WriteString(found[4])
			}
			rest = rest[len(found[0]):]
			continue
		}
		r, size := utf8.DecodeRuneInString(rest)
		if strings.ContainsRune("*_`~|<>[]&\n", r) {
			out.WriteString("(markup)")
		}
		out.WriteRune(r)
		rest = rest[size:]
	}
	return strings.ReplaceAll(out.String(), "\u00a0", " ")
}

// gotifyMarkup matches an escaped character or line break, a link with text, or an address.
var gotifyMarkup = regexp.MustCompile("^(?:" + `\\([!-/:-@[-` + "`" + `{-~\n])|\[((?:[^]\[\\]|\\.)+)\]\(([^ ()]+)\)|<(https?://[^ <>]+)>)`)
