// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertmanager

import (
	"strings"
	"unicode/utf8"
)

// OwnLabels returns the labels of an alert that its group does not have, each as NAME=VALUE in a line, in the order of FormatLabels.
func (a *Alert) OwnLabels(group map[string]string) (own []string) {
	for _, name := range sortedNames(a.Labels) {
		if value, isCommon := group[name]; !isCommon || value != a.Labels[name] {
			own = append(own, line(name+"="+a.Labels[name]))
		}
	}
	return own
}

// JoinLabels joins labels, each NAME=VALUE, to at most maxBytes. If they are longer, long values are shortened so that a long one does not
// hide the others. Labels that are too long all the same are left out.
func JoinLabels(labels []string, separator string, maxBytes int) string {
	if joined := strings.Join(labels, separator); len(joined) <= maxBytes {
		return joined
	}
	short := make([]string, len(labels))
	for _, maxValue := range []int{128, 64, 32, 16} {
		for n, label := range labels {
			name, value, _ := strings.Cut(label, "=")
			short[n] = name + "=" + shortenMiddle(value, maxValue)
		}
		if joined := strings.Join(short, separator); len(joined) <= maxBytes {
			return joined
		}
	}
	return joinFitting(short, separator, maxBytes)
}

// joinFitting joins the labels that fit.
func joinFitting(labels []string, separator string, maxBytes int) string {
	var joined strings.Builder
	for _, label := range labels {
		before := separator
		if joined.Len() == 0 {
			before = ""
		}
		if joined.Len()+len(before)+len(label) <= maxBytes {
			joined.WriteString(before + label)
		}
	}
	return joined.String()
}

// shortenMiddle leaves the middle of a value out: the identifying part stands at the end as a rule, as in paths and URLs.
func shortenMiddle(value string, maxBytes int) string {
	const ellipsis = "…"
	if len(value) <= maxBytes {
		return value
	}
	head := (maxBytes - len(ellipsis)) / 3
	tail := len(value) - (maxBytes - len(ellipsis) - head)
	for head > 0 && !utf8.RuneStart(value[head]) {
		head--
	}
	for tail < len(value) && !utf8.RuneStart(value[tail]) {
		tail++
	}
	return value[:head] + ellipsis + value[tail:]
}
