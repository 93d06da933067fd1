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

package alertmanager

import (
	"maps"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/result"
)

// The labels that an alert is known by. The name is the Alert's and not one for all: with the usual rule, by which what is
// critical inhibits the warnings of the same name and namespace, one Alert would silence another.
const (
	labelName      = "alertname"
	labelNamespace = "namespace"
	labelSeverity  = "severity"
	labelIncident  = "bellhop_incident" // tells apart Alerts that had the same name, and receivers of one Alert
)

// posted is an alert as the API takes it. Without a start, Alertmanager would take the end for it.
type postedAlert struct {
	Labels      map[string]string `json:"labels"`
	Annotations annotations       `json:"annotations"`
	StartsAt    time.Time         `json:"startsAt"`
	EndsAt      time.Time         `json:"endsAt"`
}

type annotations struct {
	Summary     string `json:"summary"`
	Description string `json:"description"`
}

// render returns what to post, and what Alertmanager holds then.
func (s *Sender) render(m notify.Message, k notify.Key) ([]postedAlert, activeAlert) {
	now := s.Now().UTC().Truncate(time.Second)
	holds := activeAlert{severity: strings.ToLower(string(m.Severity)), since: m.Time.UTC().Truncate(time.Second)}
	before, known := parseActiveAlert(k.ExternalID)
	if known {
		holds.since = before.since // an update has a time of its own, but it is the same alert
	}
	end := now
	if m.Event != result.Resolved {
		end = now.Add(Validity)
	}
	alerts := []postedAlert{s.alert(m, k, holds, end)}
	if known && before.severity != holds.severity {
		alerts = append(alerts, s.alert(m, k, before, now))
	}
	return alerts, holds
}

func (s *Sender) alert(m notify.Message, k notify.Key, h activeAlert, end time.Time) postedAlert {
	if end.Before(h.since) { // by a clock that is behind; Alertmanager would refuse it
		end = h.since
	}
	labels := maps.Clone(s.labels)
	labels[labelName], labels[labelNamespace] = m.Name, m.Namespace
	labels[labelSeverity], labels[labelIncident] = h.severity, k.Incident
	return postedAlert{
		Labels:      labels,
		Annotations: annotations{Summary: m.Title(), Description: m.Content()},
		StartsAt:    h.since,
		EndsAt:      end,
	}
}

// held is what Alertmanager knows our alert by, as far as the next message does not say it. In a receipt it reads
// critical@2026-03-01T12:00:00Z.
type activeAlert struct {
	severity string
	since    time.Time
}

func (h activeAlert) String() string { return h.severity + "@" + h.since.Format(time.RFC3339) }

// IsHeld reports whether an ExternalID is that of an active alert in an Alertmanager.
func IsActiveAlert(externalID string) bool {
	_, ok := parseActiveAlert(externalID)
	return ok
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
