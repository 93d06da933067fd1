// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"strings"
	"testing"
)

func TestCheckLabelled(t *testing.T) {
	const unlabelled, labelled = 50000, 5000
	for name, c := range map[string]struct {
		change func(*labelledRows)
		want   []string // parts of the errors
	}{
		"within the limits": {func(*labelledRows) {}, nil},
		"leases and watches": {func(rows *labelledRows) {
			rows.atRest.leases, rows.atRest.watches, rows.unlabelled.watches = 5, 2, 1
		}, nil},
		"requests after a restart": {func(rows *labelledRows) { rows.restarted.lists = 12 }, nil},
		"a request at rest":        {func(rows *labelledRows) { rows.atRest.get = 1 }, []string{"at rest"}},
		"an event about one without the label, and an Alert about one with it": {func(rows *labelledRows) {
			rows.unlabelled.events, rows.labelled.patch = 1, 1
		}, []string{"without the label: the operator sent", "with the label: the operator sent"}},
		"a reference to each without the label": {func(rows *labelledRows) { rows.unlabelled.heap += 0.5 }, []string{"50000 Deployments without the label"}},
		"objects of 3 kB":                       {func(rows *labelledRows) { rows.labelled.heap += 8 }, []string{"5000 Deployments with the label take"}},
		"objects of 3 kB after a restart":       {func(rows *labelledRows) { rows.restarted.heap += 8 }, []string{"after a restart take"}},
	} {
		t.Run(name, func(t *testing.T) {
			var rows labelledRows
			rows.again.heap, rows.unlabelled.heap, rows.labelled.heap, rows.restarted.heap = 10, 10, 17, 18
			c.change(&rows)
			text := ""
			if err := rows.check(unlabelled, labelled); err != nil {
				text = err.Error()
			}
			if lines := strings.Split(text, "\n"); text != "" && len(lines) != len(c.want) || text == "" && len(c.want) > 0 {
				t.Errorf("%q, want %q", lines, c.want)
			}
			for _, want := range c.want {
				if !strings.Contains(text, want) {
					t.Errorf("%q does not have %q", text, want)
				}
			}
		})
	}
}
