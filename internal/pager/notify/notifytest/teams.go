// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

func init() {
	register(Fixture{
		Provider:   "teams",
		NewService: func(secret string) Service { return NewTeams(secret) },
		Receiver: func(secret string, urls ...string) (v1beta1.Provider, map[string]string) {
			return v1beta1.Provider{Teams: &v1beta1.TeamsProvider{}}, map[string]string{"url": urls[0] + TeamsPath + TeamsQuery(secret)}
		},
	})
}

// TeamsPath is the path of the workflow of a Teams.
const TeamsPath = "/powerautomate/automations/direct/workflows/0f1e2d3c4b5a/triggers/manual/paths/invoke"

// Teams is a fake of a workflow of Microsoft Teams. It has no idempotency key, and accepts every request: a card that Teams
// would not show is lost.
type Teams struct {
	Display
	sig   string
	mu    sync.Mutex
	cards int
}

var _ Service = (*Teams)(nil)

// NewTeams returns a Teams whose workflow requires this signature: its address is TeamsQuery(sig) at TeamsPath.
func NewTeams(sig string) *Teams { return &Teams{sig: sig} }

// TeamsQuery returns the query of a workflow's address.
func TeamsQuery(sig string) string {
	return "?api-version=1&sp=%2Ftriggers%2Fmanual%2Frun&sv=1.0&sig=" + url.QueryEscape(sig)
}

type teamsElement struct {
	Type    string         `json:"type"`
	Style   string         `json:"style"`
	Bleed   bool           `json:"bleed"`
	Items   []teamsElement `json:"items"`
	Inlines []struct {
		Type   string `json:"type"`
		Text   string `json:"text"`
		Weight string `json:"weight"`
		Size   string `json:"size"`
	} `json:"inlines"`
}

type teamsMessage struct {
	Type        string `json:"type"`
	Summary     string `json:"summary"`
	Attachments []struct {
		ContentType string  `json:"contentType"`
		ContentURL  *string `json:"contentUrl"`
		Content     struct {
			Schema  string            `json:"$schema"`
			Type    string            `json:"type"`
			Version string            `json:"version"`
			MSTeams map[string]string `json:"msteams"`
			Body    []teamsElement    `json:"body"`
			Actions []struct {
				Type  string `json:"type"`
				Title string `json:"title"`
				URL   string `json:"url"`
			} `json:"actions"`
		} `json:"content"`
	} `json:"attachments"`
}

// ServeHTTP answers as a workflow does.
func (t *Teams) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path != TeamsPath:
		teamsError(w, http.StatusNotFound, "WorkflowNotFound", "The workflow could not be found.")
	case r.Method != http.MethodPost:
		teamsError(w, http.StatusMethodNotAllowed, "MethodNotAllowed", "The HTTP method is not allowed.")
	case "?"+r.URL.RawQuery != TeamsQuery(t.sig):
		teamsError(w, http.StatusUnauthorized, "DirectApiAuthorizationRequired", "The request must be authenticated by OAuth or a shared access signature.")
	case !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json"):
		teamsError(w, http.StatusBadRequest, "InvalidRequestContent", "The request content is not valid and could not be deserialized.")
	default:
		t.run(r)
		w.WriteHeader(http.StatusAccepted)
	}
}

// run runs the workflow. Its errors have no effect on the response.
func (t *Teams) run(r *http.Request) {
	body, err := io.ReadAll(r.Body)
	var m teamsMessage
	// Teams documents "28 KB", and counts the message as the workflow hands it on, as a string in JSON.
	fits := t.Fits(Size{Part: "message", Used: notify.Size(string(body), notify.PlainJSON), Max: 28 << 10, Reserve: (28<<10)*5/100 + 1})
	if err != nil || !fits || readJSON(bytes.NewReader(body), &m) != nil || m.Type != "message" {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, a := range m.Attachments {
		if a.ContentType != "application/vnd.microsoft.card.adaptive" || a.Content.Type != "AdaptiveCard" || a.Content.Version > "1.5" {
			continue
		}
		text := strings.Join(teamsTexts(a.Content.Body), "\n")
		var links []notify.Link
		for _, action := range a.Content.Actions {
			if action.Type == "Action.OpenUrl" {
				links = append(links, notify.Link{Text: action.Title, Href: action.URL})
			}
		}
		t.cards++
		t.Put(Seen{ID: strconv.Itoa(t.cards), Text: text, Resolved: saysResolved(text), Links: linkLines(links)})
	}
}

func teamsTexts(elements []teamsElement) []string {
	var texts []string
	for _, e := range elements {
		switch e.Type {
		case "Container":
			texts = append(texts, teamsTexts(e.Items)...)
		case "RichTextBlock":
			for _, run := range e.Inlines {
				texts = append(texts, run.Text)
			}
		}
	}
	return texts
}

func teamsError(w http.ResponseWriter, status int, code, message string) {
	replyInJSON(w, status, map[string]map[string]string{"error": {"code": code, "message": message}})
}
