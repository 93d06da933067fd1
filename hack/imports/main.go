// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Command imports draws which folders of the operator import which, into the page of its architecture.
package main

import (
	"errors"
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	module = "github.com/gophernetes/bellhop"
	page   = "docs/explanation/architecture.md"
)

var (
	// folders are the nodes of the picture. What all of them import (api, panics, version) would hide the rest.
	folders = regexp.MustCompile(`^(?:internal/(?:operator|kube|outbound|httpserver|pager|servicecatalog)|(?:controllers|webhooks)/(?:pager|servicecatalog)|\.)(?:/|$)`)
	block   = regexp.MustCompile("(?s)```mermaid\n.*?```\n")
)

// graph has the folders that a folder imports.
type graph map[string]map[string]bool

func main() {
	if err := draw(); err != nil {
		fmt.Fprintln(os.Stderr, "imports:", err)
		os.Exit(1)
	}
}

func draw() error {
	imports, err := read(os.DirFS("."))
	if err != nil {
		return err
	}
	text, err := os.ReadFile(page)
	if err != nil {
		return err
	}
	if !block.Match(text) {
		return errors.New(page + " has no mermaid block")
	}
	return os.WriteFile(page, block.ReplaceAllLiteral(text, []byte(imports.mermaid())), 0o600)
}

// read returns the imports of all files but tests.
func read(root fs.FS) (graph, error) {
	imports := graph{}
	err := fs.WalkDir(root, ".", func(path string, _ fs.DirEntry, err error) error {
		dir := filepath.ToSlash(filepath.Dir(path))
		from := strings.TrimSuffix(folders.FindString(dir), "/")
		if err != nil || from == "" || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") || strings.HasSuffix(dir, "test") {
			return err
		}
		text, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, text, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, spec := range file.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return err
			}
			to := strings.TrimSuffix(folders.FindString(strings.TrimPrefix(imported, module+"/")), "/")
			if to == "" || to == from {
				continue
			}
			if imports[from] == nil {
				imports[from] = map[string]bool{}
			}
			imports[from][to] = true
		}
		return nil
	})
	return imports, err
}

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
