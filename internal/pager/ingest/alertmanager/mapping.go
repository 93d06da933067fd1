// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertmanager

import (
	"cmp"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/gophernetes/bellhop/internal/outbound/redact"
)

const (
	// AlertName is the label with the name of the rule.
	AlertName = "alertname"
	// MaxTitle and MaxText are how long titles and the texts of instances are, in bytes: both are a line.
	MaxTitle, MaxText = maxLine, maxLine
	maxLine           = 256
	// maxLinks and maxObjectLabels are how many links and labels an Alert gets.
	maxLinks, maxObjectLabels = 4, 8
)

// Title returns the title of an alert, in a line: the annotation summary, else the alert's name, else its labels.
func (a *Alert) Title() string {
	if title := firstLine(a.Annotations["summary"], a.Labels[AlertName]); title != "" {
		return title
	}
	return firstLine(FormatLabels(a.Labels))
}

// Details returns the description of an alert that its rule gives: the annotation description, or message, which Flux sends; else the labels.
func (a *Alert) Details() string {
	return cmp.Or(strings.TrimSpace(a.Annotations["description"]), strings.TrimSpace(a.Annotations["message"]), FormatLabels(a.Labels))
}

// Text returns the text of an alert as an instance, in a line: the annotation summary, else the first line of its description or message, else its
// name or its labels.
func (a *Alert) Text() string {
	return firstLine(a.Annotations["summary"], beginning(a.Annotations["description"]), beginning(a.Annotations["message"]), a.Labels[AlertName], FormatLabels(a.Labels))
}

// beginning returns the first line of a text that has more than blanks.
func beginning(text string) string {
	first, _, _ := strings.Cut(strings.TrimSpace(text), "\n")
	return first
}

// GroupTitle returns the common title of the alerts of a group, in a line: the alert's name, else the labels of the group, else the name of its
// receiver in Alertmanager.
func GroupTitle(group map[string]string, alerts []Alert, receiver string) string {
	title := group[AlertName]
	if title == "" && len(alerts) > 0 {
		first := alerts[0].Labels[AlertName]
		if !slices.ContainsFunc(alerts, func(a Alert) bool { return a.Labels[AlertName] != first }) {
			title = first
		}
	}
	if title = firstLine(title); title != "" {
		return title
	}
	return firstLine(FormatLabels(group), receiver, "Alerts")
}

// FormatLabels returns labels as Prometheus writes them, the alert's name first.
func FormatLabels(labels map[string]string) string {
	var items []string
	for _, name := range sortedNames(labels) {
		items = append(items, name+"="+labels[name])
	}
	return strings.Join(items, ", ")
}

func sortedNames(labels map[string]string) []string {
	return slices.SortedFunc(maps.Keys(labels), func(x, y string) int {
		switch {
		case x == y:
			return 0
		case x == AlertName:
			return -1
		case y == AlertName:
			return 1
		}
		return strings.Compare(x, y)
	})
}

// Link is a link that people may follow.
type Link struct{ Text, Href string }

// Links returns the links of an alert, each address once: in its annotations runbook_url and dashboard_url, to the rule, and to a form for a silence.
// Links that are no address of a web page are left out.
func (a *Alert) Links() []Link {
	var links []Link
	for _, link := range []Link{
		{"Runbook", a.Annotations["runbook_url"]},
		{"Dashboard", cmp.Or(a.Annotations["dashboard_url"], a.DashboardURL)},
		{"Source", a.GeneratorURL},
		{"Silence", a.SilenceURL},
	} {
		link.Href = strings.TrimSpace(link.Href)
		known := slices.ContainsFunc(links, func(l Link) bool { return l.Href == link.Href })
		if isWebAddress(link.Href) && !known && len(links) < maxLinks {
			links = append(links, link)
		}
	}
	return links
}

// isWebAddress reports whether a link is an absolute http or https URL that can be shown: without the password of a user, and as the schema
// of Alerts has it.
func isWebAddress(href string) bool {
	if len(href) > maxURL || strings.ContainsFunc(href, func(r rune) bool { return r == unicode.ReplacementChar || !unicode.IsGraphic(r) || unicode.IsSpace(r) }) {
		return false
	}
	u, err := url.ParseRequestURI(href)
	return err == nil && (u.Scheme == "http" || u.Scheme == "https") && u.Hostname() != "" && u.User == nil
}

// objectLabel is the syntax of the names and values of labels of Kubernetes objects. Names with a prefix are left out: they have a meaning to
// other programs, such as Argo CD or Velero, that a sender must not use.
var objectLabel = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?$`)

// ObjectLabels returns the labels that a Kubernetes object may have as well, the alert's name first, and then in the order of their names, at
// most 8.
func ObjectLabels(labels map[string]string) map[string]string {
	valid := map[string]string{}
	for _, name := range sortedNames(labels) {
		if len(valid) < maxObjectLabels && objectLabel.MatchString(name) && objectLabel.MatchString(labels[name]) {
			valid[name] = labels[name]
		}
	}
	return valid
}

// firstLine returns the first of some texts that has anything to show, in a line of at most maxLine bytes.
func firstLine(texts ...string) string {
	for _, text := range texts {
		if shown := line(text); shown != "" {
			return redact.Shorten(shown, maxLine)
		}
	}
	return ""
}

// line returns a text in a line, without control characters.
func line(text string) string {
	return strings.Join(strings.FieldsFunc(strings.ToValidUTF8(text, "�"), func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsGraphic(r) }), " ")
}
