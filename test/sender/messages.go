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

package sender

import (
	"encoding/json"
	"regexp"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/test/sender/kube"
)

var idPattern = regexp.MustCompile(`[a-z]+-[a-z0-9]+-[a-z]+;`)

// posted records a post that the operator has answered, or may have stored: code is 0.
func (o *oracle) posted(source, _ string, body []byte, code int) {
	type posted struct {
		Status      string            `json:"status"`
		EndsAt      time.Time         `json:"endsAt"`
		Annotations map[string]string `json:"annotations"`
	}
	var all []posted
	if source == apiSource {
		_ = json.Unmarshal(body, &all)
	} else {
		var webhook struct{ Alerts []posted }
		_ = json.Unmarshal(body, &webhook)
		all = webhook.Alerts
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	for _, a := range all {
		s := o.of(source, a.Annotations["summary"])
		fires := a.Status == "firing" || a.Status == "" && a.EndsAt.After(o.sim.now())
		switch {
		case fires && code == 200:
			if s.listedSince.IsZero() {
				s.listedSince = now
			}
			s.named, s.maybeNamed = time.Time{}, time.Time{}
		case !fires && code == 200:
			s.named, s.maybeNamed, s.listedSince = now, now, time.Time{}
		case !fires && code == 0:
			s.maybeNamed, s.listedSince = now, time.Time{}
		}
	}
}

// tell takes a message of a receiver, which is an Event.
func (o *oracle) tell(event *kube.Object) {
	if event.GetKind() != "Event" {
		return
	}
	regarding, _ := event.Object["regarding"].(map[string]any)
	name, _ := regarding["name"].(string)
	reason, note := text(event, "reason"), text(event, "note")
	o.mu.Lock()
	defer o.mu.Unlock()
	o.messages++
	p := o.pages[name]
	if p == nil {
		p = &page{}
		o.pages[name] = p
	}
	last := map[string]bool{}
	for _, id := range idPattern.FindAllString(note, -1) {
		last[id] = true
	}
	switch reason {
	case "AlertResolved":
		o.resolved(name, p)
		*p = page{}
		return
	case "AlertFired":
		if p.isOpen && note == p.note && !o.hasStarted(name, note, p, last) {
			o.fail("a second page/"+name, "Alert %s notified again of the same: %s", name, note)
		}
		if !p.isOpen {
			*p = page{told: map[string]bool{}, severity: v1beta1.SeverityInfo}
		}
		p.fired, p.note = time.Now(), note
	}
	if p.told == nil {
		p.told = map[string]bool{}
	}
	p.isOpen, p.last = true, last
	for id := range last {
		p.told[id] = true
	}
	if severity := severityOf(note); rank(severity) > rank(p.severity) {
		p.severity = severity
	}
}

// severityOf returns the severity in the title of a message, which does not have the lowest one.
func severityOf(note string) v1beta1.Severity {
	for _, severity := range []v1beta1.Severity{v1beta1.SeverityWarning, v1beta1.SeverityCritical} {
		if strings.Contains(note, "["+string(severity)+"]") {
			return severity
		}
	}
	return v1beta1.SeverityInfo
}

// hasStarted reports whether people have to be notified of an Alert again: its severity rises, or an alert began to fire since the last time.
func (o *oracle) hasStarted(name, note string, p *page, last map[string]bool) bool {
	source, _, _ := strings.Cut(name, "-")
	for id := range last {
		if s := o.of(source, id); !p.told[id] || !s.listedSince.Before(p.fired.Add(-groupInterval)) {
			return true
		}
	}
	return rank(severityOf(note)) > rank(p.severity)
}

// resolved checks a resolve: nothing of what it is about fires, unless the sender has named it as resolved, or another Alert has it.
func (o *oracle) resolved(name string, p *page) {
	if _, isHeld := o.held[name]; isHeld {
		return
	}
	source, _, _ := strings.Cut(name, "-")
	for id := range p.last {
		s := o.of(source, id)
		if s.firesSince.IsZero() || time.Since(s.firesSince) < dueAfter || !s.maybeNamed.IsZero() || time.Since(s.listedSince) < dueAfter || o.isPaged(source, id, name) {
			continue
		}
		o.fail("a resolve/"+name+"/"+id, "the resolve of Alert %s was sent, though %s fires since %s and is not muted", name, id, s.firesSince.Sub(o.sim.began))
	}
}

// isPaged reports whether another Alert of a source is known to a receiver that has an alert.
func (o *oracle) isPaged(source, id, but string) bool {
	for name, p := range o.pages {
		if name != but && strings.HasPrefix(name, source+"-") && p.isOpen && p.told[id] {
			return true
		}
	}
	return false
}

func text(o *kube.Object, field string) string {
	s, _ := o.Object[field].(string)
	return s
}
