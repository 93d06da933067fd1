// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/providers"
)

// writeTables writes the tables into all pages of a directory. In a page, a table is between two comments:
//
//	<!-- BEGIN generated: guarantees -->
//	<!-- END -->
func writeTables(dir string) error {
	return filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || filepath.Ext(path) != ".md" {
			return err
		}
		page, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		written, err := write(page)
		if err != nil {
			return fmt.Errorf("%s: %w", path, err)
		}
		if bytes.Equal(page, written) {
			return nil
		}
		return os.WriteFile(path, written, 0o644)
	})
}

var (
	begin   = regexp.MustCompile(`<!-- BEGIN generated: ([a-z]+) -->\n`)
	endMark = []byte("<!-- END -->")
)

// write returns a page with its tables.
func write(page []byte) ([]byte, error) {
	var out bytes.Buffer
	for {
		at := begin.FindSubmatchIndex(page)
		if at == nil {
			out.Write(page)
			return out.Bytes(), nil
		}
		name := string(page[at[2]:at[3]])
		markdown, ok := tables[name]
		if !ok {
			return nil, fmt.Errorf("there is no table %q", name)
		}
		end := bytes.Index(page[at[1]:], endMark)
		if end < 0 {
			return nil, fmt.Errorf("the table %q has no end", name)
		}
		out.Write(page[:at[1]])
		table, err := markdown()
		if err != nil {
			return nil, err
		}
		out.WriteString(table)
		page = page[at[1]+end:]
	}
}

// tables are the writers of the tables, by name.
var tables = map[string]func() (string, error){
	"metrics": metricsTable,
	"receivers": receiversTable([]string{"keys of the Secret", "default address"},
		func(m notify.Mode) []string { return []string{code(m.SecretKeys...), code(m.DefaultURL)} }),
	"guarantees": receiversTable([]string{"after a lost answer", "deduplication key", "update", "resolve", "`Sent` means"},
		func(m notify.Mode) []string { return []string{m.Repeat, m.Key, m.Update, m.Resolve, m.Sent} }),
	"links": receiversTable([]string{"people see links as"}, func(m notify.Mode) []string { return []string{m.Links} }),
	"probes": receiversTable([]string{"the probe requests", "it does not show"},
		func(m notify.Mode) []string {
			if m.Probe == "" {
				return []string{"nothing", ""}
			}
			return []string{m.Probe, m.ProbeGap}
		}),
}

// receiversTable returns the writer of a table that has a row for each mode of each provider. The titles are those of the columns after
// the receiver's.
func receiversTable(titles []string, cells func(notify.Mode) []string) func() (string, error) {
	return func() (string, error) {
		var out strings.Builder
		out.WriteString(header(append([]string{"receiver"}, titles...)...))
		for _, provider := range providers.References() {
			for _, mode := range provider.Modes {
				name := fmt.Sprintf("[%s](receivers/%s.md)", provider.Name, strings.ToLower(provider.Name))
				if mode.Name != "" {
					name += ", " + mode.Name
				}
				out.WriteString(row(append([]string{name}, cells(mode)...)...))
			}
		}
		return out.String(), nil
	}
}
