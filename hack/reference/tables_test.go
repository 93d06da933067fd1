// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/internal/pager/providers"
)

func TestWriteTables(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "page.md")
	const before, after = "# Page\n\n<!-- BEGIN generated: probes -->\n", "<!-- END -->\n\nText\n"
	if err := os.WriteFile(path, []byte(before+"| stale |\n"+after), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 { // the second time nothing changes
		if err := writeTables(dir); err != nil {
			t.Fatal(err)
		}
		page, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		table, found := strings.CutPrefix(string(page), before+"| receiver | the probe requests | it does not show |\n| --- | --- | --- |\n")
		rows, whole := strings.CutSuffix(table, after)
		if !found || !whole || strings.Contains(rows, "stale") || !strings.Contains(rows, "| [slack](receivers/slack.md), incoming webhook | nothing | |\n") {
			t.Fatalf("got %s", page)
		}
		modes := 0
		for _, provider := range providers.References() {
			modes += len(provider.Modes)
		}
		if n := strings.Count(rows, "\n"); n != modes {
			t.Errorf("got %d rows, want %d", n, modes)
		}
	}
}

func TestWriteFails(t *testing.T) {
	for page, want := range map[string]string{
		"<!-- BEGIN generated: unknown -->\n<!-- END -->": `there is no table "unknown"`,
		"<!-- BEGIN generated: probes -->\n| receiver |":  `the table "probes" has no end`,
	} {
		if _, err := write([]byte(page)); err == nil || err.Error() != want {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
