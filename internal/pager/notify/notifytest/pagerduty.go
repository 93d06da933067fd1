// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package notifytest

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"slices"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/pager/notify"
)

func init() {
	register(Fixture{
		Provider:   "pagerDuty",
		NewService: func(secret string) Service { return NewPagerDuty(secret) },
		Receiver: func(secret string, urls ...string) (v1beta1.Provider, map[string]string) {
			return v1beta1.Provider{PagerDuty: &v1beta1.PagerDutyProvider{URL: urls[0]}}, map[string]string{"routingKey": secret}
		},
	})
}

// PagerDuty is a fake of PagerDuty's Events API v2. A trigger with the key of an open alert changes that alert; one with the
// key of a resolved alert opens another.
type PagerDuty struct {
	Display
	routingKeys []string

	mu   sync.Mutex
	open map[string]string // ids of open alerts by dedup_key
	made int
}

var _ Service = (*PagerDuty)(nil)

// NewPagerDuty returns a PagerDuty with integrations that have these keys.
func NewPagerDuty(routingKeys ...string) *PagerDuty {
	return &PagerDuty{routingKeys: routingKeys, open: map[string]string{}}
}

type pagerDutyEvent struct {
	RoutingKey string `json:"routing_key"`
	Action     string `json:"event_action"`
	DedupKey   string `json:"dedup_key"`
	Client     string `json:"client"`
	Links      []struct {
		Href string `json:"href"`
		Text string `json:"text"`
	} `json:"links"`
	Payload *struct {
		Summary   string            `json:"summary"`
		Source    string            `json:"source"`
		Severity  string            `json:"severity"`
		Timestamp time.Time         `json:"timestamp"`
		Component string            `json:"component"`
		Group     string            `json:"group"`
		Class     string            `json:"class"`
		Details   map[string]string `json:"custom_details"`
	} `json:"payload"`
}

// ServeHTTP answers as PagerDuty does.
func (p *PagerDuty) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodPost || r.URL.Path != "/v2/enqueue" {
		http.NotFound(w, r)
		return
	}
	body, err := io.ReadAll(r.Body)
	var event pagerDutyEvent
	if err != nil || !isJSON(r) || readJSON(bytes.NewReader(body), &event) != nil {
		pagerDutyAnswer(w, http.StatusBadRequest, "Unrecognized object", "Event object format is unrecognized", []string{"JSON parse error"})
		return
	}
	if wrong := p.check(event, len(body)); len(wrong) > 0 {
		pagerDutyAnswer(w, http.StatusBadRequest, "invalid event", "Event object is invalid", wrong)
		return
	}
	p.apply(event)
	replyInJSON(w, http.StatusAccepted, map[string]any{"status": "success", "message": "Event processed", "dedup_key": event.DedupKey})
}

func pagerDutyAnswer(w http.ResponseWriter, code int, status, message string, wrong []string) {
	replyInJSON(w, code, map[string]any{"status": status, "message": message, "errors": wrong})
}

func (p *PagerDuty) check(e pagerDutyEvent, size int) (wrong []string) {
	sizes := []Size{{Part: "event", Used: size, Max: 512_000}}
	if e.Payload != nil {
		sizes = append(sizes, Size{Part: "title", Used: utf8.RuneCountInString(e.Payload.Summary), Max: 1024})
	}
	p.Fits(sizes...)
	for problem, is := range map[string]bool{
		"Length of 'routing_key' is incorrect (should be 32 characters)": len(e.RoutingKey) != 32,
		"Invalid routing key":               len(e.RoutingKey) == 32 && !slices.Contains(p.routingKeys, e.RoutingKey),
		"'event_action' is invalid":         !slices.Contains([]string{"trigger", "acknowledge", "resolve"}, e.Action),
		"'dedup_key' is missing or blank":   e.DedupKey == "", // optional for a trigger, but Bellhop always sends it
		"'dedup_key' is too long":           utf8.RuneCountInString(e.DedupKey) > 255,
		"'payload' is missing or blank":     e.Action == "trigger" && e.Payload == nil,
		"event is larger than 512000 bytes": size > 512_000,
	} {
		if is {
			wrong = append(wrong, problem)
		}
	}
	if e.Payload != nil {
		for problem, is := range map[string]bool{
			"'payload.summary' is missing or blank": e.Payload.Summary == "",
			"'payload.summary' is too long":         utf8.RuneCountInString(e.Payload.Summary) > 1024,
			"'payload.source' is missing or blank":  e.Payload.Source == "",
			"'payload.severity' is invalid":         !slices.Contains([]string{"critical", "error", "warning", "info"}, e.Payload.Severity),
		} {
			if is {
				wrong = append(wrong, problem)
			}
		}
	}
	slices.Sort(wrong)
	return wrong
}

func (p *PagerDuty) apply(e pagerDutyEvent) {
	p.mu.Lock()
	defer p.mu.Unlock()
	id, isOpen := p.open[e.DedupKey]
	switch {
	case e.Action == "trigger":
		if !isOpen {
			p.made++
			id = fmt.Sprintf("%s#%d", e.DedupKey, p.made)
			p.open[e.DedupKey] = id
		}
		var links []notify.Link
		for _, link := range e.Links {
			links = append(links, notify.Link{Text: link.Text, Href: link.Href})
		}
		p.Put(Seen{ID: id, Text: e.Payload.Summary + "\n" + e.Payload.Details["content"], Links: linkLines(links)})
	case e.Action == "resolve" && isOpen: // without an open alert, PagerDuty accepts and ignores it
		alert, _ := p.Find(id)
		alert.Resolved = true
		p.Put(alert)
		delete(p.open, e.DedupKey)
	}
}
