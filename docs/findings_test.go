// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const findingsPage = "contributing/findings.md"

var (
	// findingRow is a row of the page: a finding, what has to hold, and the tests or the evidence.
	findingRow = regexp.MustCompile(`(?m)^\| ([A-Z]+[0-9]+) \| (.+?) \| (.*) \|$`)
	// findingMark is how a test names its finding.
	findingMark = regexp.MustCompile(`\bF[-_]((?:S|P|JP|JS|C|U|B)[0-9]+)(?:\b|_)`)
)

// TestFindings compares the page of findings with the marks in the tests. With UPDATE_GOLDEN=1 it writes the files into the page.
func TestFindings(t *testing.T) {
	page, err := os.ReadFile(findingsPage)
	if err != nil {
		t.Fatal(err)
	}
	marked := markedFiles(t)
	known := map[string]bool{}
	want := findingRow.ReplaceAllStringFunc(string(page), func(row string) string {
		cells := findingRow.FindStringSubmatch(row)
		id, rule, evidence := cells[1], cells[2], cells[3]
		known[id] = true
		files := "`" + strings.Join(marked[id], "`, `") + "`"
		switch isFileList := evidence == "" || strings.HasPrefix(evidence, "`"); {
		case len(marked[id]) > 0 && !isFileList:
			t.Errorf("%s has evidence instead of a test, and these tests: %s", id, files)
		case len(marked[id]) == 0 && isFileList:
			t.Errorf("%s has neither a test nor evidence", id)
		case len(marked[id]) > 0:
			evidence = files
		}
		return "| " + id + " | " + rule + " | " + evidence + " |"
	})
	for id, files := range marked {
		if !known[id] {
			t.Errorf("%s names F-%s, which %s does not have", files[0], id, findingsPage)
		}
	}
	if want == string(page) {
		return
	}
	if os.Getenv("UPDATE_GOLDEN") == "" {
		t.Fatalf("%s does not name the tests as they are: run UPDATE_GOLDEN=1 go test ./docs", findingsPage)
	}
	if err := os.WriteFile(findingsPage, []byte(want), 0o644); err != nil { //nolint:gosec // a page of the documentation is readable
		t.Fatal(err)
	}
}

// markedFiles returns the files of the repository whose tests name a finding, by finding.
func markedFiles(t *testing.T) map[string][]string {
	marked := map[string][]string{}
	err := filepath.WalkDir("..", func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() && (strings.HasPrefix(entry.Name(), ".") && entry.Name() != ".." || entry.Name() == "bin") {
			return fs.SkipDir
		}
		if filepath.Ext(path) != ".go" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file := filepath.ToSlash(strings.TrimPrefix(path, ".."+string(filepath.Separator)))
		for _, mark := range findingMark.FindAllStringSubmatch(string(text), -1) {
			if !slices.Contains(marked[mark[1]], file) {
				marked[mark[1]] = append(marked[mark[1]], file)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return marked
}
