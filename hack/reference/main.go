// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Command reference writes the pages of docs/reference that the source has: the flags of the operator from its flag set, kinds and roles
// from config/. It also writes tables into pages: metrics from the source, and receivers from the registry of providers.
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// pages are the writers of the pages, by file name.
var pages = map[string]func() (string, error){
	"flags.md": flagsPage,
	"kinds.md": kindsPage,
	"rbac.md":  rbacPage,
}

func main() {
	if err := run("docs"); err != nil {
		fmt.Fprintln(os.Stderr, "reference:", err)
		os.Exit(1)
	}
}

func run(dir string) error {
	for name, write := range pages {
		page, err := write()
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := os.WriteFile(filepath.Join(dir, "reference", name), []byte(page), 0o644); err != nil {
			return err
		}
	}
	return writeTables(dir)
}

// row returns a row of a table.
func row(cells ...string) string {
	var out strings.Builder
	for _, cell := range cells {
		out.WriteString(strings.TrimRight("| "+strings.ReplaceAll(cell, "|", `\|`), " ") + " ")
	}
	return out.String() + "|\n"
}

// header returns the first rows of a table.
func header(titles ...string) string {
	return row(titles...) + strings.Repeat("| --- ", len(titles)) + "|\n"
}

// code returns names in backquotes, with commas between.
func code(names ...string) string {
	var quoted []string
	for _, name := range names {
		if name != "" {
			quoted = append(quoted, "`"+name+"`")
		}
	}
	return strings.Join(quoted, ", ")
}
