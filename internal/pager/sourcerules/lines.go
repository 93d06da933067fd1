// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sourcerules

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
	"github.com/gophernetes/bellhop/internal/pager/ingest/alertmanager"
)

const (
	// maxLabels is the length of the labels of an instance, in bytes, as the schema of Alerts has it.
	maxLabels = 1024
	// labelSeparator stands between the labels of an instance: no label has it.
	labelSeparator = "\n"
)

// labels returns the labels of the alert's instance in which it may differ from others of its Alert.
func (p posted) labels() string {
	group := p.group
	if p.isBeyond {
		group = nil
	}
	return alertmanager.JoinLabels(p.OwnLabels(group), labelSeparator, maxLabels)
}

// Lines returns the line of each instance, which says which one it is among the others: its text where no other one has it and it has the value
// of a label by which they differ, else the labels that not all of them have. Instances of former releases, and of persons, have no labels: their
// lines are their texts. No two lines are equal, except for empty ones of instances without text and labels.
func Lines(instances []v1beta1.AlertInstance) []string {
	own := differing(instances)
	times := map[string]int{}
	for _, i := range instances {
		times[i.Text]++
	}
	lines := make([]string, len(instances))
	for n, i := range instances {
		lines[n] = lineOf(i.Text, own[n], times[i.Text] == 1)
	}
	distinguish(lines, instances)
	return lines
}

func lineOf(text string, own []string, isUnique bool) string {
	if len(own) == 0 || isUnique && hasValue(text, own) {
		return text
	}
	return alertmanager.JoinLabels(own, ", ", alertmanager.MaxText)
}

// differing returns the labels of each instance that not all others have. An instance that is the only one with labels has all of them.
func differing(instances []v1beta1.AlertInstance) [][]string {
	labels, times, labelled := make([][]string, len(instances)), map[string]int{}, 0
	for n, i := range instances {
		if i.Labels == "" {
			continue
		}
		labelled++
		labels[n] = strings.Split(i.Labels, labelSeparator)
		for _, label := range labels[n] {
			times[label]++
		}
	}
	if labelled == 1 {
		return labels
	}
	for n := range labels {
		labels[n] = slices.DeleteFunc(labels[n], func(label string) bool { return times[label] == labelled })
	}
	return labels
}

// hasValue reports whether a text has the value of a label, but not within a word. A text that is cut may end in a part of a value.
func hasValue(text string, labels []string) bool {
	return !isCut(text) && slices.ContainsFunc(labels, func(label string) bool {
		_, value, _ := strings.Cut(label, "=")
		return containsWhole(text, value)
	})
}

func isCut(text string) bool { return strings.HasSuffix(text, "…") }

// containsWhole reports whether a text contains a value that no letter or digit continues.
func containsWhole(text, value string) bool {
	for from := 0; value != ""; {
		at := strings.Index(text[from:], value)
		if at < 0 {
			return false
		}
		at += from
		before, _ := utf8.DecodeLastRuneInString(text[:at])
		after, _ := utf8.DecodeRuneInString(text[at+len(value):])
		if !isAlphanumeric(before) && !isAlphanumeric(after) {
			return true
		}
		from = at + len(value)
	}
	return false
}

func isAlphanumeric(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }

// distinguish adds its key to each line that another instance has as well.
func distinguish(lines []string, instances []v1beta1.AlertInstance) {
	times := map[string]int{}
	for _, line := range lines {
		times[line]++
	}
	for n, line := range lines {
		if line != "" && times[line] > 1 {
			suffix := " (" + instances[n].Key + ")"
			lines[n] = redact.Shorten(line, alertmanager.MaxText-len(suffix)) + suffix
		}
	}
}
