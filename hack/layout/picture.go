// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"go/ast"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
)

var (
	// folders are the nodes of the picture. What all of them import (api, panics, version) would hide the rest.
	folders = regexp.MustCompile(`^(?:internal/(?:operator|kube|outbound|httpserver|pager|servicecatalog)|(?:controllers|webhooks)/(?:pager|servicecatalog)|\.)(?:/|$)`)
	picture = regexp.MustCompile("(?s)```mermaid\n.*?```\n")
)

// graph has the folders that a folder imports.
type graph map[string]map[string]bool

// draw writes the picture into the page.
func draw(root fs.FS) error {
	text, err := fs.ReadFile(root, page)
	if err != nil {
		return err
	}
	if !picture.Match(text) {
		return errors.New(page + " has no mermaid block")
	}
	imports, err := readGraph(root)
	if err != nil {
		return err
	}
	return os.WriteFile(page, picture.ReplaceAllLiteral(text, []byte(imports.mermaid())), 0o600)
}

// readGraph returns the imports of all files but tests.
func readGraph(root fs.FS) (graph, error) {
	imports := graph{}
	err := walk(root, func(dir string, isTest bool, _ *token.FileSet, file *ast.File) {
		from := folderOf(dir)
		if from == "" || isTest || strings.HasSuffix(dir, "test") {
			return
		}
		for _, spec := range file.Imports {
			imported, isOwn := ownPackage(spec)
			to := folderOf(imported)
			if !isOwn || to == "" || to == from {
				continue
			}
			if imports[from] == nil {
				imports[from] = map[string]bool{}
			}
			imports[from][to] = true
		}
	})
	return imports, err
}

// folderOf returns the node of a package; empty: it has none.
func folderOf(dir string) string { return strings.TrimSuffix(folders.FindString(dir), "/") }

// reaches reports whether a folder imports another one, directly or not.
func (g graph) reaches(from, to string) bool {
	for next := range g[from] {
		if next == to || g.reaches(next, to) {
			return true
		}
	}
	return false
}

// mermaid returns the picture. An import that follows from others is left out.
func (g graph) mermaid() string {
	var b strings.Builder
	b.WriteString("```mermaid\nflowchart TD\n")
	for _, from := range slices.Sorted(maps.Keys(g)) {
		for _, to := range slices.Sorted(maps.Keys(g[from])) {
			follows := slices.ContainsFunc(slices.Collect(maps.Keys(g[from])), func(other string) bool { return other != to && g.reaches(other, to) })
			if !follows {
				fmt.Fprintf(&b, "  %s --> %s\n", node(from), node(to))
			}
		}
	}
	b.WriteString("```\n")
	return b.String()
}

// node returns a folder as Mermaid has it: an identifier without slashes, and the text to show.
func node(folder string) string {
	if folder == "." {
		return "main"
	}
	return fmt.Sprintf("%s[%q]", strings.ReplaceAll(folder, "/", "_"), folder)
}
