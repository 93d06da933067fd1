// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"encoding/base64"
	"encoding/json"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

func init() {
	register(Fixture{
		Provider: "alertmanager",
		Replicas: 2,
		NewService: func(secret string) Service {
			return NewAlertmanager("Basic " + base64.StdEncoding.EncodeToString([]byte("bellhop:"+secret)))
		},
		Receiver: func(secret string, urls ...string) (v1beta1.Provider, map[string]string) {
			return v1beta1.Provider{Alertmanager: &v1beta1.AlertmanagerProvider{URLs: urls}}, map[string]string{"username": "bellhop", "password": secret}
		},
	})
}

// Alertmanager is a replica of Prometheus Alertmanager. It notifies of every alert immediately: routes are not part of its
// contract.
type Alertmanager struct {
	Now func() time.Time // time.Now where a test does not set it

	display       Display
	authorization string

	mu     sync.Mutex
	alerts map[string]alertSpan // by labels
}

// alertSpan is the time in which an alert fires.
type alertSpan struct {
	start, end time.Time
	endAssumed bool // the end is an assumption, by resolveTimeout
}

var _ Service = (*Alertmanager)(nil)

// NewAlertmanager returns a replica that requires the header Authorization; "": it requires none.
func NewAlertmanager(authorization string) *Alertmanager {
	return &Alertmanager{Now: time.Now, authorization: authorization, alerts: map[string]alertSpan{}}
}

// Restart discards the alerts, which are in memory only. The notifications stay.
func (a *Alertmanager) Restart() {
	a.mu.Lock()
	defer a.mu.Unlock()
	clear(a.alerts)
}

// Starts returns the times at which the active alerts started.
func (a *Alertmanager) Starts() []time.Time {
	a.mu.Lock()
	defer a.mu.Unlock()
	var starts []time.Time
	for _, alert := range a.alerts {
		if alert.end.After(a.Now()) {
			starts = append(starts, alert.start)
		}
	}
	return starts
}

// Seen returns the alerts of which people were notified, oldest first. An alert is resolved when its end has passed.
func (a *Alertmanager) Seen() []Seen {
	a.mu.Lock()
	defer a.mu.Unlock()
	seen := a.display.Seen()
	for i := range seen {
		if alert, ok := a.alerts[seen[i].ID]; ok {
			seen[i].Resolved = !alert.end.After(a.Now())
		}
	}
	return seen
}

// Sizes returns nothing: Alertmanager has no limit.
func (a *Alertmanager) Sizes() []Size { return nil }

// ServeHTTP answers as Alertmanager does.
func (a *Alertmanager) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	switch {
	case a.authorization != "" && r.Header.Get("Authorization") != a.authorization:
		http.Error(w, "Unauthorized", http.StatusUnauthorized)
	case r.URL.Path == "/api/v2/status" && r.Method == http.MethodGet:
		replyInJSON(w, http.StatusOK, map[string]any{"cluster": map[string]any{"status": "ready"}})
	case r.URL.Path != "/api/v2/alerts":
		replyInJSON(w, http.StatusNotFound, map[string]any{"code": 404, "message": "path " + r.URL.Path + " was not found"})
	case r.Method != http.MethodPost:
		replyInJSON(w, http.StatusMethodNotAllowed, map[string]any{"code": 405, "message": "method " + r.Method + " is not allowed"})
	case !isJSON(r):
		replyInJSON(w, http.StatusUnsupportedMediaType, map[string]any{"code": 415, "message": "unsupported media type"})
	default:
		a.post(w, r)
	}
}

type postableAlert struct {
	Labels       map[string]string `json:"labels"`
	Annotations  map[string]string `json:"annotations"`
	StartsAt     time.Time         `json:"startsAt"`
	EndsAt       time.Time         `json:"endsAt"`
	GeneratorURL string            `json:"generatorURL"`
}

// post stores the valid alerts, and refuses the request where one is not valid.
func (a *Alertmanager) post(w http.ResponseWriter, r *http.Request) {
	var alerts []postableAlert
	if err := readJSON(r.Body, &alerts); err != nil {
		replyInJSON(w, http.StatusBadRequest, map[string]any{"code": 400, "message": err.Error()})
		return
	}
	if i := slices.IndexFunc(alerts, func(p postableAlert) bool { return p.Labels == nil }); i >= 0 {
		replyInJSON(w, http.StatusUnprocessableEntity, map[string]any{"code": 602, "message": strconv.Itoa(i) + ".labels in body is required"})
		return
	}
	var problems []string
	for _, alert := range alerts {
		if problem := a.put(alert); problem != "" {
			problems = append(problems, problem)
		}
	}
	if len(problems) > 0 {
		replyInJSON(w, http.StatusBadRequest, strings.Join(problems, "; "))
	}
}

// resolveTimeout is the duration of an alert without an end.
const resolveTimeout = 5 * time.Minute

func (a *Alertmanager) put(alert postableAlert) (problem string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	now := a.Now()
	if alert.StartsAt.IsZero() { // before the next check: without a start, Alertmanager takes the end for the start
		alert.StartsAt = alert.EndsAt
		if alert.EndsAt.IsZero() {
			alert.StartsAt = now
		}
	}
	guessed := alert.EndsAt.IsZero()
	if guessed {
		alert.EndsAt = now.Add(resolveTimeout)
	}
	if problem = alert.problem(); problem != "" {
		return problem
	}
	id, err := json.Marshal(alert.Labels) // sorted by name
	if err != nil {
		return err.Error()
	}
	held, known := a.alerts[string(id)]
	next := alertSpan{alert.StartsAt, alert.EndsAt, guessed}
	if known && (held.covers(next.end) || held.covers(next.start)) {
		next = held.merge(next, now)
	}
	a.alerts[string(id)] = next
	over := !next.end.After(now)
	if _, notified := a.display.Find(string(id)); notified || !over { // the end of an alert without a notification is not a notification
		a.display.Put(Seen{ID: string(id), Text: alert.Annotations["summary"] + "\n" + alert.Annotations["description"], Resolved: over, Links: alert.links()})
	}
	return ""
}

func (a alertSpan) covers(t time.Time) bool { return t.After(a.start) && t.Before(a.end) }

// links returns the links as templates usually show them.
func (p postableAlert) links() string {
	var links []notify.Link
	for text, href := range map[string]string{"Dashboard": p.Annotations["dashboard_url"], "Runbook": p.Annotations["runbook_url"], "Source": p.GeneratorURL} {
		if href != "" {
			links = append(links, notify.Link{Text: text, Href: href})
		}
	}
	slices.SortFunc(links, func(a, b notify.Link) int { return strings.Compare(a.Text, b.Text) })
	return strings.Trim(linkLines(links)+"\n"+p.Annotations["links"], "\n")
}

// merge merges two overlapping reports of an alert as Alertmanager does; next is the later report.
func (a alertSpan) merge(next alertSpan, now time.Time) alertSpan {
	if a.start.Before(next.start) {
		next.start = a.start
	}
	firing, wasOver := next.end.After(now), !a.end.After(now)
	if a.end.After(next.end) && (firing && !a.endAssumed || !firing && wasOver) {
		next.end = a.end
	}
	return next
}

var alertLabelName = regexp.MustCompile(`^[a-zA-Z_][a-zA-Z0-9_]*$`)

func (p postableAlert) problem() string {
	maps.DeleteFunc(p.Labels, func(_, value string) bool { return value == "" }) // a label with an empty value does not exist
	switch {
	case p.EndsAt.Before(p.StartsAt):
		return "start time must be before end time"
	case len(p.Labels) == 0:
		return "at least one label pair required"
	}
	for _, pairs := range []map[string]string{p.Labels, p.Annotations} {
		for name := range pairs {
			if !alertLabelName.MatchString(name) {
				return `invalid label set: invalid name "` + name + `"`
			}
		}
	}
	return ""
}
