// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sourcerules

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/ingest/alertmanager"
)

// overflowName is the name of the Alert about alerts beyond maxAlerts. No group has it, since the names of groups end in a hash.
func overflowName(source *v1beta1.AlertSource) string { return source.Name + "-more" }

// silenceName is the name of the Alert that says that a source is silent.
func silenceName(source *v1beta1.AlertSource) string { return source.Name + "-silent" }

func isSpecial(name string, source *v1beta1.AlertSource) bool {
	return name == overflowName(source) || name == silenceName(source)
}

// assign has each group update its Alert. While maxAlerts of them fire, the alerts of another group are instances of one more Alert, until
// they are posted again and there is room.
func (p *planner) assign(groups []group, r report) {
	active := p.active()
	more := group{name: overflowName(p.in.Source), title: fmt.Sprintf("Alerts of AlertSource %s beyond its maxAlerts", p.in.Source.Name), isList: true, report: r}
	for _, g := range groups {
		present, isBlocked := p.find(&g)
		if isBlocked {
			continue
		}
		isFull := len(active) >= int(p.in.Source.Spec.MaxAlerts)
		if isFull && present == nil && g.severity(p.in.Now) != "" { // a post may have thousands of such groups: nothing else is computed
			more.posted = append(more.posted, overflow(g, false)...)
			continue
		}
		cut := 0
		g.instances, cut = merge(present, g, p.in.Now)
		fires := count(g.instances, isFiring) > 0
		hasRoom := !fires || active[g.name] || !isFull
		if hasRoom {
			p.plan.Cut += cut
			p.write(present, g)
		}
		delete(active, g.name)
		if hasRoom && fires {
			active[g.name] = true
		}
		more.posted = append(more.posted, overflow(g, hasRoom)...)
	}
	if more.severity(p.in.Now) != "" || p.has(more.name) {
		p.update(more)
	}
}

// active returns the names of the Alerts that count for maxAlerts.
func (p *planner) active() map[string]bool {
	active := map[string]bool{}
	for i := range p.in.Alerts {
		a := &p.in.Alerts[i]
		isOfGroup := p.byGroup[groupName(a.Name)] == a && !isSpecial(groupName(a.Name), p.in.Source)
		if isOfGroup && isActive(a) {
			active[a.Name] = true
		}
	}
	return active
}

// overflow returns the alerts of a group as instances of the Alert about alerts beyond maxAlerts. If the group has an Alert of its own, they end in
// the former.
func overflow(g group, hasAlert bool) []posted {
	all := slices.Clone(g.posted)
	for i := range all {
		all[i].isBeyond, all[i].hasMoved = true, hasAlert
	}
	return all
}

// endSilence resolves the Alert that says that the source is silent: a post was received.
func (p *planner) endSilence() {
	if name := silenceName(p.in.Source); p.has(name) {
		p.update(group{name: name, isOver: true})
	}
}

// reviewSilence has an Alert fire while the source is silent. It ends with the next post, which another replica may have got. A source
// that was never heard from is not set up yet.
func (p *planner) reviewSilence() {
	in := p.in
	if in.LastReceived.IsZero() {
		return
	}
	after := time.Duration(in.Source.Spec.SilentAfterSeconds) * time.Second
	if after == 0 {
		p.endSilence()
		return
	}
	due := times.Latest(in.lastReceived(), in.ServedSince).Add(after)
	if !in.Now.Before(due) {
		p.update(p.silence())
		return
	}
	p.plan.Wake = times.Earliest(p.plan.Wake, due)
	if in.lastReceived().After(in.ServedSince) { // a restart proves nothing
		p.endSilence()
	}
}

func (p *planner) silence() group {
	source := p.in.Source
	labels := map[string]string{alertmanager.AlertName: "AlertSourceSilent"}
	text := fmt.Sprintf("AlertSource %s/%s has received nothing since %s. Its sender does not run, or cannot post: what it would say is missing. Alerts that fire stay as they are.",
		source.Namespace, source.Name, times.Format(p.in.LastReceived))
	a := alertmanager.Alert{
		Labels: labels, State: alertmanager.Firing, StartsAt: p.in.LastReceived,
		Annotations: map[string]string{"summary": fmt.Sprintf("AlertSource %s is silent", source.Name), "description": text},
	}
	return group{
		name: silenceName(source), title: a.Title(), labels: labels,
		posted: []posted{{Alert: a, key: "silent", group: labels, severity: v1beta1.SeverityCritical}},
	}
}

// Orphan returns the writes to the Alerts of a source that was deleted: Alerts that fire stay, and get a line that says so.
func Orphan(alerts []v1beta1.Alert) (writes []Write) {
	for i := range alerts {
		present := &alerts[i]
		if present.Spec.State == v1beta1.AlertResolved || present.DeletionTimestamp != nil || isOrphaned(present) {
			continue
		}
		desired := present.DeepCopy()
		desired.Spec.Content = withLine(present.Spec.Content, "%s", orphanLine(present))
		writes = append(writes, Write{Present: present, Alert: desired, Change: Edits})
	}
	return writes
}

// orphanLine is the last line of the content of an Alert whose source was deleted.
func orphanLine(a *v1beta1.Alert) string {
	return fmt.Sprintf("AlertSource %s was deleted: a person has to resolve this Alert.", a.Labels[v1beta1.AlertSourceLabel])
}

func isOrphaned(a *v1beta1.Alert) bool { return strings.HasSuffix(a.Spec.Content, "\n"+orphanLine(a)) }
