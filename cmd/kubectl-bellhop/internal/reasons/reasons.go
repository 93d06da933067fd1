// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package reasons explains the reasons of conditions and deliveries: the meaning of each, and advice, from docs/reference/conditions.md.
package reasons

import (
	"path"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/gophernetes/bellhop/docs"
)

// Subject is an object or an answer that has a reason. Each subject has a table in the documentation.
type Subject string

// The subjects, as the tables call them.
const (
	Alert       Subject = "an Alert"
	Receiver    Subject = "a receiver"
	AlertSource Subject = "an AlertSource"
	// Answer is a receiver's answer, in deliveries of Alerts and in conditions of receivers.
	Answer   Subject = "an answer"
	Broker   Subject = "a broker"
	Instance Subject = "an instance"
	Binding  Subject = "a binding"
)

// Explanation is the documentation's explanation of a reason, in plain text.
type Explanation struct {
	Meaning, Action string
	// Pages are the URLs of pages that the explanation refers to.
	Pages []string
}

// NeedsNothing reports whether there is nothing that a person has to do.
func (e Explanation) NeedsNothing() bool { return strings.HasPrefix(e.Action, "nothing") }

// Explain returns the explanation of a reason of the first of the subjects that has it.
func Explain(reason string, subjects ...Subject) (Explanation, bool) {
	for _, subject := range subjects {
		if explanation, ok := tables()[subject][reason]; ok {
			return explanation, true
		}
	}
	return Explanation{}, false
}

// table has the explanations of a subject's reasons.
type table map[string]Explanation

var tables = sync.OnceValue(func() map[Subject]table { return parse(docs.Conditions) })

// folder is the folder of the page, which its links are relative to.
const folder = "reference"

var (
	firstColumn = regexp.MustCompile(`^reason of (an? [A-Za-z]+)$`)
	quoted      = regexp.MustCompile("`([A-Za-z]+)`")
	link        = regexp.MustCompile(`\[([^\]]+)\]\(([^)]+)\)`)
	emphasis    = regexp.MustCompile(`\*+([^*]+)\*+`)
	// sameAs is a meaning that is in the table of another subject.
	sameAs = regexp.MustCompile(`^as of (an? [A-Za-z]+)$`)
)

// parse reads all tables of a page whose first column is "reason of SUBJECT". Several reasons may share a row. A row whose meaning is
// "as of SUBJECT" takes meaning and action from the table of that subject; its own action is added.
func parse(markdown string) map[Subject]table {
	all := map[Subject]table{}
	type reference struct {
		from, to Subject
		reason   string
	}
	var references []reference
	var subject Subject
	for line := range strings.Lines(markdown) {
		cells := splitRow(line)
		if len(cells) < 3 {
			subject = ""
			continue
		}
		if match := firstColumn.FindStringSubmatch(cells[0]); match != nil {
			subject = Subject(match[1])
			all[subject] = table{}
			continue
		}
		if subject == "" {
			continue
		}
		meaning, action := cells[len(cells)-2], cells[len(cells)-1]
		explanation := Explanation{Meaning: plain(meaning), Action: plain(action), Pages: linkedPages(meaning + action)}
		for _, match := range quoted.FindAllStringSubmatch(cells[0], -1) {
			all[subject][match[1]] = explanation
			if same := sameAs.FindStringSubmatch(explanation.Meaning); same != nil {
				references = append(references, reference{from: subject, to: Subject(same[1]), reason: match[1]})
			}
		}
	}
	for _, r := range references {
		if other, ok := all[r.to][r.reason]; ok {
			own := all[r.from][r.reason]
			other.Action += strings.TrimPrefix(own.Action, "the same")
			other.Pages = append(slices.Clone(other.Pages), own.Pages...)
			all[r.from][r.reason] = other
		}
	}
	return all
}

// splitRow returns the cells of a row of a table, nil where the line is no row.
func splitRow(line string) []string {
	line = strings.TrimSpace(line)
	if !strings.HasPrefix(line, "|") || !strings.HasSuffix(line, "|") || len(line) < 2 {
		return nil
	}
	cells := strings.Split(line[1:len(line)-1], "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

// plain removes links, backquotes and emphasis from Markdown.
func plain(markdown string) string {
	text := link.ReplaceAllString(markdown, "$1")
	text = strings.ReplaceAll(text, "`", "")
	return emphasis.ReplaceAllString(text, "$1")
}

// linkedPages returns the URLs of other pages that a text links to.
func linkedPages(markdown string) []string {
	var pages []string
	for _, match := range link.FindAllStringSubmatch(markdown, -1) {
		target := match[2]
		if strings.HasPrefix(target, "#") || strings.Contains(target, "://") {
			continue
		}
		if target = docs.URL(path.Join(folder, target)); !slices.Contains(pages, target) {
			pages = append(pages, target)
		}
	}
	return pages
}
