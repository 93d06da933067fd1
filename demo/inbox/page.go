// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package inbox

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"time"
)

const (
	maxIncidents = 200                    // on the page; /messages has all
	maxHistory   = 10                     // messages of an incident on the page
	updateEvery  = 200 * time.Millisecond // at most one server-sent event
	heartbeat    = 15 * time.Second       // a comment, so that proxies keep the connection open
)

var (
	//go:embed page.html
	pageHTML string
	//go:embed page.css
	pageCSS string
	//go:embed page.js
	pageJS string
	//go:embed icon.svg
	iconSVG string

	// The templates escape all values according to their context. Only the embedded files are exempt.
	templates = template.Must(template.New("").Parse(pageHTML))

	// The page loads nothing. It runs its own script, which may only connect to the inbox.
	pageHeader = http.Header{
		"Content-Type": {"text/html; charset=utf-8"},
		"Content-Security-Policy": {"default-src 'none'; script-src '" + cspHash(pageJS) + "'; style-src '" + cspHash(pageCSS) +
			"'; img-src data:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"},
		"Cache-Control":          {"no-store"},
		"Referrer-Policy":        {"no-referrer"},
		"X-Content-Type-Options": {"nosniff"},
	}
)

// cspHash returns the source expression of Content Security Policy for an inline script or style.
func cspHash(text string) string {
	hash := sha256.Sum256([]byte(text))
	return "sha256-" + base64.StdEncoding.EncodeToString(hash[:])
}

// pageData is the input of the templates.
type pageData struct {
	Icon             template.HTML
	Favicon          template.URL
	Style            template.CSS
	Script           template.JS
	Firing, Resolved int
	Incidents        []*incident
	Omitted          int // older incidents
}

// An incident is a card of the page: all messages with one deduplication key.
type incident struct {
	ID              string
	Severity, Class string // Class is the Severity if the style sheet knows it
	Resolved        bool
	Title           string
	Content         []segment
	Object          string
	Skipped         int // older messages that History leaves out
	History         []entry

	messages []Message
}

// An entry is a message in the history of an incident. Severity, Title and Content are empty where they say what the card says.
type entry struct {
	Label    string
	Time     time.Time
	Attempts int
	Severity string
	Title    string
	Content  []segment
}

// A segment is a part of a text: plain, or the text of a link.
type segment struct{ Text, URL string }

// Icon is the symbol of the severity.
func (i *incident) Icon() string { return strings.ToLower(cmp.Or(i.Class, "info")) }

func (i *incident) last() Message { return i.messages[len(i.messages)-1] }

// newPageData returns the incidents of the accepted messages: firing before resolved, and within each the latest message first.
func newPageData(messages []Message) pageData {
	data := pageData{
		Icon:    template.HTML(strings.Replace(strings.TrimSpace(iconSVG), "<svg ", `<svg aria-hidden="true" `, 1)),
		Favicon: template.URL("data:image/svg+xml;base64," + base64.StdEncoding.EncodeToString([]byte(iconSVG))),
		Style:   template.CSS(pageCSS),
		Script:  template.JS(pageJS),
	}
	byID := map[string]*incident{}
	for _, m := range messages {
		if m.Accepted == 0 {
			continue
		}
		id := cmp.Or(m.Incident, m.WebhookID)
		one, ok := byID[id]
		if !ok {
			one = &incident{ID: id, Resolved: m.Resolved}
			byID[id] = one
			data.Incidents = append(data.Incidents, one)
			if m.Resolved {
				data.Resolved++
			} else {
				data.Firing++
			}
		}
		one.messages = append(one.messages, m)
	}
	slices.SortStableFunc(data.Incidents, func(a, b *incident) int {
		if a.Resolved != b.Resolved {
			return map[bool]int{false: -1, true: 1}[a.Resolved]
		}
		return b.last().ReceivedAt.Compare(a.last().ReceivedAt)
	})
	data.Omitted = max(0, len(data.Incidents)-maxIncidents)
	data.Incidents = data.Incidents[:len(data.Incidents)-data.Omitted]
	for _, one := range data.Incidents {
		one.describe()
	}
	return data
}

// describe fills an incident from its messages. The latest message has its present title, content and severity.
func (i *incident) describe() {
	last := i.last()
	i.Title, i.Content, i.Object, i.Severity = last.Title, findLinks(last.Content), last.Namespace+"/"+last.Name, last.Severity
	if slices.Contains([]string{"Info", "Warning", "Critical"}, last.Severity) {
		i.Class = last.Severity
	}
	i.Skipped = max(0, len(i.messages)-maxHistory)
	for _, m := range i.messages[i.Skipped:] {
		e := entry{Label: eventLabel(m.Event), Time: m.ReceivedAt, Attempts: m.Attempts}
		if m.Severity != last.Severity {
			e.Severity = m.Severity
		}
		if m.Title != last.Title {
			e.Title = m.Title
		}
		if m.Content != last.Content {
			e.Content = findLinks(m.Content)
		}
		i.History = append(i.History, e)
	}
}

func eventLabel(event string) string {
	switch event {
	case "alert.fired":
		return "Fired"
	case "alert.updated":
		return "Updated"
	case "alert.resolved":
		return "Resolved"
	}
	return event
}

// A link ends before what can delimit it in a text, and has no invisible characters.
var linkPattern = regexp.MustCompile(`(?i)\bhttps?://[^\s<>"\p{C}]+`)

// findLinks divides a text into plain text and links. Only http and https become links, without a user name, which could look like a host.
func findLinks(text string) (segments []segment) {
	plain := 0
	for _, at := range linkPattern.FindAllStringIndex(text, -1) {
		link := trimLink(text[at[0]:at[1]])
		if u, err := url.Parse(link); err != nil || u.Host == "" || u.User != nil {
			continue
		}
		if at[0] > plain {
			segments = append(segments, segment{Text: text[plain:at[0]]})
		}
		segments = append(segments, segment{Text: link, URL: link})
		plain = at[0] + len(link)
	}
	if plain < len(text) {
		segments = append(segments, segment{Text: text[plain:]})
	}
	return segments
}

// trimLink removes the punctuation of the sentence around a link. A closing parenthesis belongs to the link if it has the opening one, too.
func trimLink(link string) string {
	for {
		trimmed := strings.TrimRight(link, ".,;:!?'*_]}")
		if strings.HasSuffix(trimmed, ")") && strings.Count(trimmed, ")") > strings.Count(trimmed, "(") {
			trimmed = trimmed[:len(trimmed)-1]
		}
		if trimmed == link {
			return link
		}
		link = trimmed
	}
}

func render(name string, data pageData) (string, error) {
	var html bytes.Buffer
	err := templates.ExecuteTemplate(&html, name, data)
	return html.String(), err
}

// servePage shows the incidents. A browser without JavaScript shows them as they are now; see serveEvents for the others.
func (i *Inbox) servePage(w http.ResponseWriter, _ *http.Request) {
	html, err := render("page", newPageData(i.Messages()))
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeResponse(w, http.StatusOK, pageHeader, html)
}

// serveEvents sends the changing parts of the page as server-sent events: once at the start, and after each change. It ends with the
// request, or when stop is closed.
func (i *Inbox) serveEvents(w http.ResponseWriter, r *http.Request, stop <-chan struct{}) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("X-Accel-Buffering", "no") // nginx would buffer the stream
	stream := http.NewResponseController(w)
	wait := func(c <-chan struct{}, timeout time.Duration) bool { // false: the stream ends
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		select {
		case <-r.Context().Done():
			return false
		case <-stop:
			return false
		case <-c:
		case <-timer.C:
		}
		return true
	}
	for sent := ""; ; {
		changed := i.changes() // before the messages are read, so that no change is missed
		event, err := newEvent(i.Messages())
		if err != nil {
			return
		}
		if event == sent {
			event = ": heartbeat\n\n"
		} else {
			sent = event
		}
		if _, err := fmt.Fprint(w, event); err != nil {
			return
		}
		if err := stream.Flush(); err != nil {
			return
		}
		if !wait(nil, updateEvery) || !wait(changed, heartbeat) {
			return
		}
	}
}

// newEvent returns the server-sent event for page.js.
func newEvent(messages []Message) (string, error) {
	data := newPageData(messages)
	update := map[string]string{}
	for _, name := range []string{"title", "counts", "main"} {
		html, err := render(name, data)
		if err != nil {
			return "", err
		}
		update[name] = html
	}
	encoded, err := json.Marshal(update) // on one line
	return "data: " + string(encoded) + "\n\n", err
}

func (i *Inbox) serveMessages(w http.ResponseWriter, _ *http.Request) {
	body, err := json.MarshalIndent(i.Messages(), "", "  ")
	if err != nil {
		http.Error(w, err.Error(), http.StatusInternalServerError)
		return
	}
	writeResponse(w, http.StatusOK, http.Header{"Content-Type": {"application/json"}, "Cache-Control": {"no-store"}}, string(body)+"\n")
}
