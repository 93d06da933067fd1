/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

// Command receivers writes the tables of receivers into the pages of docs/, from the registry of providers. In a page, a table is
// between two comments:
//
//	<!-- BEGIN generated: guarantees -->
//	<!-- END -->
package main

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/providers"
)

func main() {
	if err := run("docs"); err != nil {
		fmt.Fprintln(os.Stderr, "receivers:", err)
		os.Exit(1)
	}
}

// run writes the tables into all pages of a directory.
func run(dir string) error {
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
		table, ok := tables[name]
		if !ok {
			return nil, fmt.Errorf("there is no table %q", name)
		}
		end := bytes.Index(page[at[1]:], endMark)
		if end < 0 {
			return nil, fmt.Errorf("the table %q has no end", name)
		}
		out.Write(page[:at[1]])
		out.WriteString(table.markdown())
		page = page[at[1]+end:]
	}
}

// table has a row for each mode of each provider.
type table struct {
	header []string // of the columns after the receiver's
	cells  func(notify.Mode) []string
}

var tables = map[string]table{
	"receivers": {
		[]string{"keys of the Secret", "default address"},
		func(m notify.Mode) []string { return []string{code(m.SecretKeys...), code(m.DefaultURL)} },
	},
	"guarantees": {
		[]string{"after a lost answer", "deduplication key", "update", "resolve", "`Sent` means"},
		func(m notify.Mode) []string { return []string{m.Repeat, m.Key, m.Update, m.Resolve, m.Sent} },
	},
	"probes": {
		[]string{"the probe requests", "it does not show"},
		func(m notify.Mode) []string {
			if m.Probe == "" {
				return []string{"nothing", ""}
			}
			return []string{m.Probe, m.ProbeGap}
		},
	},
}

func (t table) markdown() string {
	var out strings.Builder
	row := func(cells ...string) {
		for _, cell := range cells {
			out.WriteString(strings.TrimRight("| "+cell, " ") + " ")
		}
		out.WriteString("|\n")
	}
	row(append([]string{"receiver"}, t.header...)...)
	out.WriteString(strings.Repeat("| --- ", 1+len(t.header)) + "|\n")
	for _, provider := range providers.References() {
		for _, mode := range provider.Modes {
			name := fmt.Sprintf("[%s](receivers/%s.md)", provider.Name, strings.ToLower(provider.Name))
			if mode.Name != "" {
				name += ", " + mode.Name
			}
			row(append([]string{name}, t.cells(mode)...)...)
		}
	}
	return out.String()
}

func code(texts ...string) string {
	var quoted []string
	for _, text := range texts {
		if text != "" {
			quoted = append(quoted, "`"+text+"`")
		}
	}
	return strings.Join(quoted, ", ")
}
