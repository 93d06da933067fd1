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

// Package alertmanager makes a notice an alert of Prometheus Alertmanager, by API v2: whom it tells is up to Alertmanager's
// own routes, silences and inhibitions.
//
// An alert is known by its labels, so a repeat is the same alert. Fired posts it, Updated posts it with other annotations,
// Resolved posts its end. The labels have what does not change while it holds, and the severity, since routes ask for it:
// when the severity changes, one request begins the alert with the new one and ends the one with the old.
//
// Alertmanager keeps alerts in memory and does not pass them on to its replicas. So each of them is told, and what it is told
// holds for Validity: who called Send must do so again every RepostEvery while the alert holds. A replica that has restarted
// learns of it that way, and if nobody repeats it, it ends by itself. A message is delivered when one replica accepted it; the
// others get it with the next repeat, and an end that they did not get comes by Validity.
//
// It knows Alertmanager's API and nothing of who calls it.
package alertmanager

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/outbound"
)

const (
	// RepostEvery is how often an alert that holds is to be sent again. A replica that has restarted does without it for so long.
	RepostEvery = 2 * time.Minute
	// Validity is how long an alert holds without being sent again. It outlasts three repeats that fail or a restart of ours,
	// and clocks that differ by minutes: an alert that ends too early pages people when it comes back.
	Validity = 10 * time.Minute
)

// Sender is a notify.Sender.
type Sender struct {
	apis          []*url.URL // of the replicas, in the order of Config.URLs
	labels        map[string]string
	authorization string
	client        *outbound.Client
	now           func() time.Time
}

var (
	_ notify.Sender = (*Sender)(nil)
	_ notify.Prober = (*Sender)(nil)
)

// posted is an alert as the API takes it. Without a start, Alertmanager would take the end for it.
type posted struct {
	Labels      map[string]string `json:"labels"`
	Annotations annotations       `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

type annotations struct {
	Summary     string `json:"summary"`
	Description string `json:"description"`
}

// Send makes one attempt at every replica.
func (s *Sender) Send(ctx context.Context, m notify.Message, k notify.Key) (notify.Receipt, error) {
	alerts, holds := s.render(m, k)
	body, err := json.Marshal(alerts)
	if err != nil {
		return notify.Receipt{}, notify.Invalid("content", "cannot be written as JSON")
	}
	failures := s.ask(ctx, http.MethodPost, "alerts", body)
	if failure := verdict(failures); failure != nil {
		return notify.Receipt{}, failure
	}
	return notify.Receipt{ExternalID: holds.String(), Note: note(failures)}, nil
}

// render returns what to post, and what Alertmanager holds then.
func (s *Sender) render(m notify.Message, k notify.Key) ([]posted, held) {
	now := s.now().UTC().Truncate(time.Second)
	holds := held{severity: strings.ToLower(string(m.Severity)), since: m.Time.UTC().Truncate(time.Second)}
	before, known := parseHeld(k.ExternalID)
	if known {
		holds.since = before.since // an update has a time of its own, but it is the same alert
	}
	end := now
	if m.Event != notify.Resolved {
		end = now.Add(Validity)
	}
	alerts := []posted{s.alert(m, k, holds, end)}
	if known && before.severity != holds.severity {
		alerts = append(alerts, s.alert(m, k, before, now))
	}
	return alerts, holds
}

func (s *Sender) alert(m notify.Message, k notify.Key, h held, end time.Time) posted {
	if end.Before(h.since) { // by a clock that is behind; Alertmanager would refuse it
		end = h.since
	}
	labels := maps.Clone(s.labels)
	labels[labelName], labels[labelNamespace] = m.Name, m.Namespace
	labels[labelSeverity], labels[labelIncident] = h.severity, k.Incident
	return posted{
		Labels:      labels,
		Annotations: annotations{Summary: notify.Emoji(m.Heading()), Description: notify.Emoji(m.Content)},
		StartsAt:    h.since,
		EndsAt:      end,
	}
}

// held is what Alertmanager knows our alert by, as far as the next message does not say it. In a receipt it reads
// critical@2026-03-01T12:00:00Z.
type held struct {
	severity string
	since    time.Time
}

func (h held) String() string { return h.severity + "@" + h.since.Format(time.RFC3339) }

func parseHeld(externalID string) (h held, ok bool) {
	severity, since, _ := strings.Cut(externalID, "@")
	if severity != "info" && severity != "warning" && severity != "critical" {
		return held{}, false
	}
	began, err := time.Parse(time.RFC3339, since)
	h = held{severity: severity, since: began.UTC()}
	return h, err == nil && h.String() == externalID
}

// Probe asks every replica how it does, as nobody could whose credential or path is wrong. One that answers is enough.
func (s *Sender) Probe(ctx context.Context) error {
	if failure := verdict(s.ask(ctx, http.MethodGet, "status", nil)); failure != nil {
		return failure
	}
	return nil
}

// ask makes the same request to every replica at once, and returns what failed in the order of the replicas, with nil for a
// success.
func (s *Sender) ask(ctx context.Context, method, resource string, body []byte) []*notify.Error {
	failures := make([]*notify.Error, len(s.apis))
	var all sync.WaitGroup
	for i, api := range s.apis {
		all.Go(func() { failures[i] = s.askOne(ctx, method, api.JoinPath(resource), body) })
	}
	all.Wait()
	return failures
}

func (s *Sender) askOne(ctx context.Context, method string, target *url.URL, body []byte) *notify.Error {
	req, err := notify.JSONRequest(ctx, method, target, body)
	if err != nil {
		return notify.Invalid("urls", "must be absolute http or https URLs")
	}
	if body == nil {
		req.Header.Del("Content-Type")
	}
	if s.authorization != "" {
		req.Header.Set("Authorization", s.authorization)
	}
	// No body is read: the status says it all, and what else stands there is not for the eyes of who chose the address.
	resp, err := s.client.DoSelect(ctx, req, func(int, http.Header) bool { return false })
	if err != nil {
		return notify.FromRequest(err)
	}
	return notify.FromStatus(resp, s.now())
}

// order is what is most worth another try.
var order = []notify.Class{notify.Unknown, notify.Temporary, notify.Configuration, notify.Permanent}

// verdict is nil if a replica accepted, and else of the failure with which there is most hope.
func verdict(failures []*notify.Error) *notify.Error {
	if slices.Contains(failures, nil) {
		return nil
	}
	e := *slices.MinFunc(failures, func(a, b *notify.Error) int {
		return cmp.Or(slices.Index(order, a.Class)-slices.Index(order, b.Class), cmp.Compare(a.RetryAfter, b.RetryAfter))
	})
	if len(failures) > 1 {
		e.Message = "every replica failed: " + strings.Join(list(failures), "; ")
	}
	return &e
}

// note says how many accepted. What that is worth is said too: it proves that nobody was told yet.
func note(failures []*notify.Error) string {
	missing := list(failures)
	accepted := fmt.Sprintf("accepted by %d of %d replicas", len(failures)-len(missing), len(failures))
	if len(failures) == 1 {
		accepted = "accepted"
	}
	return strings.Join(append([]string{accepted + "; its routes and silences decide who is told"}, missing...), "; ")
}

// list names the replicas that failed by their place in the spec, since an address may be nobody's business.
func list(failures []*notify.Error) []string {
	var texts []string
	for i, failure := range failures {
		if failure != nil {
			texts = append(texts, fmt.Sprintf("urls[%d]: %s", i, failure.Message))
		}
	}
	return texts
}

// Close lets go of the connections.
func (s *Sender) Close() { s.client.CloseIdleConnections() }
