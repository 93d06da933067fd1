// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sourcerules

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/ingest/alertmanager"
)

const (
	// everyLabel, as the only item of groupBy, groups by every label.
	everyLabel = "..."
	// hashLength is the number of hexadecimal digits of a hash in names and keys.
	hashLength = 16
)

// group is the state of the instances of an Alert at the time of a decision.
type group struct {
	// name is the name of its Alert, or the first of the names that it may have.
	name string
	// title is the common title of the instances.
	title string
	// labels are the labels of the group, for a new Alert.
	labels map[string]string
	// posted are the alerts of a post, in its order.
	posted []posted
	// order is higher for groups that come first, and start is the earliest one of the posted alerts.
	order int
	start time.Time
	// report says how the post counts for instances that it does not list.
	report report
	// isOver: nothing else of the group fires.
	isOver bool
	// isList: the content is a list also of one instance.
	isList bool
	// instances are all instances, after the post, or after the time that has passed.
	instances []v1beta1.AlertInstance
}

// posted is an alert of a post.
type posted struct {
	alertmanager.Alert
	key      string
	severity v1beta1.Severity
	// group are the labels of its group.
	group map[string]string
	// isBeyond: the alert is an instance of the Alert about alerts beyond maxAlerts, among the alerts of other groups.
	isBeyond bool
	// hasMoved: the alert is an instance of another Alert now, so that it ends in this one.
	hasMoved bool
}

// groupsOf returns the groups of a post, in the order in which they may become Alerts: first those of which nothing fires, which make room, and
// then by severity, start and name. Alerts with an ignored severity are left out, unless they end: they may have fired before they were
// ignored.
func groupsOf(source *v1beta1.AlertSource, post alertmanager.Post, now time.Time) (groups []group, ignored int) {
	byName, report := map[string]int{}, reportOf(post)
	for _, a := range post.Alerts {
		if isIgnored(&source.Spec, a.Labels) {
			if ignored++; isFiringAt(a, now) {
				continue
			}
		}
		g := groupOf(source, a, post.Group)
		i, isKnown := byName[g.name]
		if !isKnown {
			i, g.report = len(groups), report
			byName[g.name] = i
			groups = append(groups, g)
		}
		groups[i].posted = append(groups[i].posted, posted{
			Alert: a, key: keyOf(a.Labels), group: g.labels, severity: severityOf(&source.Spec, a.Labels),
		})
	}
	for i := range groups {
		groups[i].complete(post.Group, now)
	}
	slices.SortFunc(groups, func(x, y group) int {
		return cmp.Or(y.order-x.order, x.start.Compare(y.start), strings.Compare(x.name, y.name))
	})
	return groups, ignored
}

// groupOf returns the group of an alert. The group of a webhook has no route in its name, which an edit of Alertmanager's configuration
// changes: an alert that two routes send to one receiver is one instance.
func groupOf(source *v1beta1.AlertSource, a alertmanager.Alert, webhook *alertmanager.Group) group {
	if webhook != nil {
		return group{name: nameOf(source, "webhook", webhook.Receiver, webhook.Labels), labels: webhook.Labels}
	}
	labels := map[string]string{}
	for name, value := range a.Labels {
		if slices.Contains(source.Spec.GroupBy, name) || slices.Contains(source.Spec.GroupBy, everyLabel) {
			labels[name] = value
		}
	}
	return group{name: nameOf(source, "labels", "", labels), labels: labels}
}

func (g *group) complete(webhook *alertmanager.Group, now time.Time) {
	alerts := make([]alertmanager.Alert, len(g.posted))
	for i := range g.posted {
		alerts[i] = g.posted[i].Alert
	}
	receiver := ""
	if webhook != nil {
		receiver = webhook.Receiver
	}
	g.title = alertmanager.GroupTitle(g.labels, alerts, receiver)
	g.order = math.MaxInt
	if severity := g.severity(now); severity != "" {
		g.order = alertrules.Rank(severity)
	}
	for _, p := range g.posted {
		g.start = times.Earliest(g.start, p.StartsAt)
	}
}

// nameOf is the name of the Alert of a group. It is stored, so that a change of how it is computed makes new Alerts.
func nameOf(source *v1beta1.AlertSource, kind, receiver string, labels map[string]string) string {
	return source.Name + "-" + hash(labels, "group", kind, receiver)
}

// otherNames is how many other names the Alert of a group may have.
const otherNames = 8

// namesOf returns the names that the Alert of a group may have.
func namesOf(group string) []string {
	names := []string{group}
	for n := range otherNames {
		names = append(names, fmt.Sprintf("%s-%d", group, 2+n))
	}
	return names
}

// groupName returns the name of a group, which is the first name of its Alert. None ends in a dash and a digit.
func groupName(alert string) string {
	if n := len(alert) - 2; n > 0 && alert[n] == '-' && '2' <= alert[n+1] && alert[n+1] <= '9' {
		return alert[:n]
	}
	return alert
}

// keyOf identifies an alert within its group, as Alertmanager does, by its labels.
func keyOf(labels map[string]string) string { return hash(labels, "instance") }

func hash(labels map[string]string, parts ...string) string {
	names := make([]string, 0, len(labels))
	for name := range labels {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		parts = append(parts, name, labels[name])
	}
	return alertrules.Fingerprint(parts...)[:hashLength]
}

// isIgnored reports whether the alerts of a severity are dropped.
func isIgnored(spec *v1beta1.AlertSourceSpec, labels map[string]string) bool {
	value, ok := labels[spec.SeverityLabel]
	return ok && slices.ContainsFunc(spec.IgnoreSeverities, func(ignored string) bool { return strings.EqualFold(ignored, value) })
}

// severityOf returns the severity of an alert. One that the source does not know is a Warning: nothing is lost at receivers that leave out
// Info, and nobody is woken by a rule without a severity.
func severityOf(spec *v1beta1.AlertSourceSpec, labels map[string]string) v1beta1.Severity {
	value := labels[spec.SeverityLabel]
	if severity, ok := spec.SeverityMap[value]; ok {
		return severity
	}
	severity := v1beta1.Severity("")
	for known, s := range spec.SeverityMap { // two that differ in case only: the higher one
		if strings.EqualFold(known, value) && alertrules.Rank(s) >= alertrules.Rank(severity) {
			severity = s
		}
	}
	return cmp.Or(severity, v1beta1.SeverityWarning)
}

// isFiringAt reports whether an alert fires: by the word of a webhook, else by its end.
func isFiringAt(a alertmanager.Alert, now time.Time) bool {
	if a.State != "" {
		return a.State == alertmanager.Firing
	}
	return a.EndsAt.IsZero() || a.EndsAt.After(now.Add(clockError))
}

// fires reports whether an alert fires as an instance of its group.
func (p posted) fires(now time.Time) bool { return !p.hasMoved && isFiringAt(p.Alert, now) }

// severity is the highest one of the posted alerts that fire; empty: none does.
func (g *group) severity(now time.Time) (highest v1beta1.Severity) {
	for _, p := range g.posted {
		if p.fires(now) && (highest == "" || alertrules.Rank(p.severity) > alertrules.Rank(highest)) {
			highest = p.severity
		}
	}
	return highest
}
