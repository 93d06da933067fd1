// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sender

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/test/sender/kube"
)

var idPattern = regexp.MustCompile(`[a-z]+-[a-z0-9]+-[a-z]+;`)

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
	o.sim.log.Info("a receiver was notified", "at", time.Since(o.sim.began).String(), "alert", name, "reason", reason, "note", note)
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
		o.fired(name, note, p, last)
		if !p.isOpen {
			*p = page{told: map[string]bool{}, severity: v1beta1.SeverityInfo}
		}
		p.fired = time.Now()
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

// fired checks a message that notifies people: it has news.
func (o *oracle) fired(name, note string, p *page, last map[string]bool) {
	switch held, isHeld := o.held[name]; {
	case strings.Contains(note, "\nand "): // a part of the alerts is not shown
	case p.isOpen && !o.hasStarted(name, note, p, last):
		o.fail("a second page/"+name, "Alert %s notified again, though nothing began to fire: %s", name, note)
	case isHeld && rank(severityOf(note)) <= rank(held.severity) && o.isSame(name, held):
		o.fail("a page of what a person resolved/"+name, "Alert %s notified again, though a person resolved it and nothing has ended since: %s", name, note)
	}
}

// hasStarted reports whether people have to be notified of an Alert again: its severity rises, or an alert began to fire since the last time. After an
// outage it may have been posted before that message, which was on its way; and the post that lists it may not be answered yet. What had to leave a
// full Alert is news once there is room again. So is what the group of the Alert has not listed for longer than its interval, as while the routes put
// it into another group.
func (o *oracle) hasStarted(name, note string, p *page, last map[string]bool) bool {
	source, _, _ := strings.Cut(name, "-")
	group := ""
	if a := o.decoded[name]; a != nil {
		group = groupOf(a.Labels)
	}
	since := p.fired.Add(answeredAfter)
	if o.wasAway() {
		since = p.fired.Add(-o.delay())
	}
	for id := range last {
		s := o.of(source, id)
		hasMoved := name == moreOf(source) && len(s.listedIn) > 1 // one of its groups had an Alert of its own, which ended it here
		hasReturned := !p.last[id] && (hasMoved || o.full[source].After(since))
		if !p.told[id] || hasReturned || s.isOver() || s.listedSince.After(since) || s.listedIn[group].since.After(since) {
			return true
		}
	}
	return rank(severityOf(note)) > rank(p.severity)
}

// isSame reports whether something that fired when a person resolved an Alert has fired since, so that the resolve holds. It has ended if no post of
// its group has listed it for longer than its interval, as after a change of the routes.
func (o *oracle) isSame(name string, held resolution) bool {
	source, _, _ := strings.Cut(name, "-")
	for id := range held.fired {
		s := o.of(source, id)
		in := s.listedIn[held.group]
		if in.goesOn() && in.since.Before(held.at) && !s.isNamed() && !s.isOver() && s.listedSince.Before(held.at) {
			return true
		}
	}
	return false
}

// resolved checks a resolve: nothing of what it is about fires, unless the sender has named it as resolved, or another Alert has it. What was away
// since a post has listed it may end until a post can list it again.
func (o *oracle) resolved(name string, p *page) {
	if _, isHeld := o.held[name]; isHeld {
		return
	}
	source, _, _ := strings.Cut(name, "-")
	for _, r := range watched() { // of others the oracle does not know whether they fire
		if !p.last[r.id] {
			continue
		}
		s := o.of(source, r.id)
		isNew := s.firesSince.IsZero() || time.Since(s.firesSince) < o.dueAfter() || time.Since(s.listedSince) < o.delay()
		isNew = isNew || s.hasGone && (s.dueSince.IsZero() || time.Since(s.dueSince) < o.dueAfter())
		if !isNew && !s.isNamed() {
			o.ended = append(o.ended, ended{name, r, s.firesSince.Sub(o.sim.began), time.Now()})
		}
	}
}

// ended is an alert of which a receiver was told that it is over.
type ended struct {
	alert string
	rule  rule
	fires time.Duration
	at    time.Time
}

// checkResolves checks resolves: another Alert has what they are about, and says so soon.
func (o *oracle) checkResolves() {
	o.ended = slices.DeleteFunc(o.ended, func(e ended) bool {
		source, _, _ := strings.Cut(e.alert, "-")
		switch {
		case o.isPaged(source, e.rule, e.alert):
			return true
		case time.Since(e.at) < o.delay():
			return false
		}
		o.fail("a resolve/"+e.alert+"/"+e.rule.id, "the resolve of Alert %s was sent at %s, though %s fires since %s and is not muted", e.alert, e.at.Sub(o.sim.began), e.rule.id, e.fires)
		return true
	})
}

// isPaged reports whether another Alert of a source has an alert, and a receiver was told so, or a person has resolved it.
func (o *oracle) isPaged(source string, r rule, but string) bool {
	for name, p := range o.pages {
		if name != but && strings.HasPrefix(name, source+"-") && p.isOpen && p.told[r.id] {
			return true
		}
	}
	return slices.ContainsFunc(o.alertsOf(source), func(a *v1beta1.Alert) bool {
		i, p := instanceOf(a, r.id), o.pages[a.Name]
		return a.Name != but && i != nil && (o.isResolvedByPerson(a, r) || p != nil && p.isOpen && !i.Waiting && o.of(source, r.id).isPartOf(p.fired))
	})
}

// isResolvedByPerson reports whether a person has resolved an Alert, which then does not notify of an alert.
func (o *oracle) isResolvedByPerson(a *v1beta1.Alert, of rule) bool {
	held, ok := o.held[a.Name]
	return ok && a.Spec.State == v1beta1.AlertResolved && rank(of.severity()) <= rank(held.severity)
}

func text(o *kube.Object, field string) string {
	s, _ := o.Object[field].(string)
	return s
}
