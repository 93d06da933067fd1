// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertmanager

import (
	"maps"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
)

// The labels that identify an alert. alertname is the Alert's name instead of one name for all: with the usual inhibition rule, by which a critical
// alert inhibits warnings with the same alertname and namespace, one Alert would inhibit another.
const (
	labelName      = "alertname"
	labelNamespace = "namespace"
	labelSeverity  = "severity"
	labelIncident  = "bellhop_incident" // distinguishes Alerts that had the same name, and receivers of one Alert
)

// postedAlert is an alert in the API's format. Without a start, Alertmanager takes the end for the start.
type postedAlert struct {
	Labels      map[string]string `json:"labels"`
	Annotations annotations       `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
	// GeneratorURL is the link to the origin of the alert, which Alertmanager's pages call Source.
	GeneratorURL string `json:"generatorURL,omitempty"`
}

// annotations have the links that templates and pages know by their usual names, and the others as lines.
type annotations struct {
	Summary      string `json:"summary"`
	Description  string `json:"description"`
	RunbookURL   string `json:"runbook_url,omitempty"`
	DashboardURL string `json:"dashboard_url,omitempty"`
	Links        string `json:"links,omitempty"`
}

// setLinks sets the members that have links. The texts are as in the links of an AlertSource.
func (a *postedAlert) setLinks(links []notify.Link) {
	var others []string
	for _, link := range links {
		members := map[string]*string{"runbook": &a.Annotations.RunbookURL, "dashboard": &a.Annotations.DashboardURL, "source": &a.GeneratorURL}
		if member := members[strings.ToLower(link.Text)]; member != nil && *member == "" {
			*member = link.Href
			continue
		}
		others = append(others, link.Line())
	}
	a.Annotations.Links = strings.Join(others, "\n")
}

// render returns the alerts to post, and the alert that is active at Alertmanager afterwards.
func (s *Sender) render(m notify.Message, k notify.Key) ([]postedAlert, activeAlert) {
	now := s.Now().UTC().Truncate(time.Second)
	holds := activeAlert{severity: strings.ToLower(string(m.Severity)), since: m.Time.UTC().Truncate(time.Second)}
	before, known := parseActiveAlert(k.ExternalID)
	if known {
		holds.since = before.since // an update has its own time but is the same alert
	}
	end := now.Add(Validity)
	if m.Last {
		end = now.Add(KeptFor)
	}
	if m.Event == result.Resolved {
		end = now
	}
	alerts := []postedAlert{s.alert(m, k, holds, end)}
	if known && before.severity != holds.severity {
		alerts = append(alerts, s.alert(m, k, before, now))
	}
	return alerts, holds
}

func (s *Sender) alert(m notify.Message, k notify.Key, h activeAlert, end time.Time) postedAlert {
	if end.Before(h.since) { // the operator's clock is behind; Alertmanager refuses such an alert
		end = h.since
	}
	labels := maps.Clone(s.labels)
	labels[labelName], labels[labelNamespace] = m.Name, m.Namespace
	labels[labelSeverity], labels[labelIncident] = h.severity, k.Incident
	posted := postedAlert{
		Labels:      labels,
		Annotations: annotations{Summary: m.Title(), Description: m.Content()},
		StartsAt:    h.since,
		EndsAt:      end,
	}
	posted.setLinks(m.Links())
	return posted
}

// activeAlert has the part of an alert's identity at Alertmanager that is not in the next message. Its text in a receipt is such as
// critical@2026-03-01T12:00:00Z.
type activeAlert struct {
	severity string
	since    time.Time
}

func (a activeAlert) String() string { return a.severity + "@" + a.since.Format(time.RFC3339) }

// repostEvery returns RepostEvery where an ExternalID belongs to an alert that was posted to an Alertmanager, else 0.
func repostEvery(externalID string) time.Duration {
	if _, ok := parseActiveAlert(externalID); !ok {
		return 0
	}
	return RepostEvery
}

func parseActiveAlert(externalID string) (h activeAlert, ok bool) {
	severity, since, _ := strings.Cut(externalID, "@")
	if severity != "info" && severity != "warning" && severity != "critical" {
		return activeAlert{}, false
	}
	began, err := time.Parse(time.RFC3339, since)
	h = activeAlert{severity: severity, since: began.UTC()}
	return h, err == nil && h.String() == externalID
}
