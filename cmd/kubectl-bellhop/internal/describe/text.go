// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package describe

import (
	"bytes"
	"fmt"
	"strings"
	"time"
	"unicode/utf8"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

const (
	// labelWidth is the width of the column of labels, and maxWidth the width of a line, in characters.
	labelWidth, maxWidth = 20, 100
)

// text is the description of an object.
type text struct{ bytes.Buffer }

// field writes a labelled value, unless it is empty. Values of several lines, and long ones, are aligned.
func (t *text) field(label, value string) { t.indented("", label, value) }

// indented writes a field with an indentation.
func (t *text) indented(indent, label, value string) {
	if value == "" {
		return
	}
	width := max(labelWidth-len(indent), len(label)+3)
	lead := indent + label + ":" + strings.Repeat(" ", width-len(label)-1)
	for _, line := range wrap(value, maxWidth-len(lead)) {
		fmt.Fprintln(t, strings.TrimRight(lead+line, " "))
		lead = strings.Repeat(" ", len(lead))
	}
}

// section begins a section.
func (t *text) section(title string) { fmt.Fprintf(t, "%s:\n", title) }

// table writes rows with aligned columns.
func (t *text) table(indent string, rows [][]string) {
	var widths []int
	for _, row := range rows {
		for i, cell := range row {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		line.WriteString(indent)
		for i, cell := range row {
			line.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		fmt.Fprintln(t, strings.TrimRight(line.String(), " "))
	}
}

// wrap breaks each line of a text between words, where it is longer than width characters.
func wrap(value string, width int) []string {
	var lines []string
	for line := range strings.Lines(value) {
		current := ""
		for part := range strings.FieldsSeq(line) {
			if current != "" && utf8.RuneCountInString(current)+1+utf8.RuneCountInString(part) > width {
				lines = append(lines, current)
				current = ""
			}
			current = strings.TrimPrefix(current+" "+part, " ")
		}
		lines = append(lines, current)
	}
	return lines
}

// since is a time with how long ago it was; empty: there is no time.
func since(at *metav1.Time) string {
	if at.IsZero() {
		return ""
	}
	return fmt.Sprintf("%s (%s ago)", cli.Stamp(at.Time), cli.Age(*at))
}

// due is a time with how long until then.
func due(at *metav1.Time) string {
	if at.IsZero() {
		return ""
	}
	left := time.Until(at.Time).Round(time.Second)
	if left <= 0 {
		return cli.Stamp(at.Time) + " (now)"
	}
	return fmt.Sprintf("%s (in %s)", cli.Stamp(at.Time), left)
}
