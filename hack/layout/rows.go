// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"io/fs"
	"path"
	"regexp"
	"strings"
)

const (
	module = "github.com/gophernetes/bellhop"
	// page has the table of rows.
	page = "docs/explanation/architecture.md"
)

var (
	tableRow  = regexp.MustCompile(`(?m)^\| \d+ \| (.*) \|$`)
	tableCell = regexp.MustCompile("`([^`]+)`")
	half      = regexp.MustCompile(`^(?:api|controllers|webhooks|internal)/(pager|servicecatalog)(?:/|$)`)
)

// rows are the entries of the table in their order. A package imports only packages of later entries.
type rows []string

func readRows(root fs.FS) (entries rows, err error) {
	text, err := fs.ReadFile(root, page)
	if err != nil {
		return nil, err
	}
	for _, row := range tableRow.FindAllStringSubmatch(string(text), -1) {
		for _, cell := range tableCell.FindAllStringSubmatch(row[1], -1) {
			entries = append(entries, cell[1])
		}
	}
	if len(entries) == 0 {
		return nil, fmt.Errorf("%s has no table of rows", page)
	}
	return entries, nil
}

// place is where a package stands.
type place struct {
	entry int
	// stem is the part of the path that the entry matches: packages below one stem import each other.
	stem string
}

// find returns the place of the package in a directory: that of the longest entry that matches it or a folder above, and of two of the same
// length the one without a wildcard. ok is false where there is none.
func (entries rows) find(dir string) (found place, ok bool) {
	parts := strings.Split(dir, "/")
	for i, entry := range entries {
		stem := strings.Join(parts[:min(len(parts), strings.Count(entry, "/")+1)], "/")
		if isMatch, _ := path.Match(entry, stem); !isMatch {
			continue
		}
		if len(stem) > len(found.stem) || stem == found.stem && stem == entry {
			found = place{i, stem}
		}
	}
	return found, found.stem != ""
}

// check returns what is wrong in the imports of a file in a directory.
func (entries rows) check(files *token.FileSet, file *ast.File, dir string, isTest bool) (problems []string) {
	from, ok := entries.find(dir)
	if !ok {
		return nil // not a package of the operator
	}
	for _, spec := range file.Imports {
		imported, isOwn := ownPackage(spec)
		if !isOwn {
			continue
		}
		to, ok := entries.find(imported)
		at := files.Position(spec.Pos())
		switch {
		case !ok:
			problems = append(problems, fmt.Sprintf("%s: %s is in no row of %s", at, imported, page))
		case halfOf(dir) != "" && halfOf(imported) != "" && halfOf(dir) != halfOf(imported):
			problems = append(problems, fmt.Sprintf("%s: %s imports %s of the other half", at, dir, imported))
		case !isTest && to.entry <= from.entry && to.stem != from.stem:
			problems = append(problems, fmt.Sprintf("%s: %s imports %s, which stands to its left or above in %s", at, dir, imported, page))
		}
	}
	return problems
}

// ownPackage returns the directory of an imported package; false: it is of another module.
func ownPackage(spec *ast.ImportSpec) (dir string, isOwn bool) {
	return strings.CutPrefix(strings.Trim(spec.Path.Value, `"`), module+"/")
}

// halfOf returns the API group that a package serves; empty: both.
func halfOf(dir string) string {
	if match := half.FindStringSubmatch(dir); match != nil {
		return match[1]
	}
	return ""
}
