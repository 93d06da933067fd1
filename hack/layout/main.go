// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Command layout fails where the source breaks the rules of CONTRIBUTING.md that no linter knows: imports against the rows of the
// architecture, names of package-level declarations that are private vocabulary, and comments with names that do not exist. With -draw it draws which folders
// of the operator import which.
package main

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"unicode"
)

// denied are words that package-level names are not made of, with what is said instead.
var denied = map[string]string{
	"assortment": "desired catalog", "attend": "reconcile", "bereave": "handOver", "book": "resolver", "crowd": "load generator",
	"deed": "action", "dispose": "startMitigation", "doubt": "outcomeUnknown", "fold": "apply", "ground": "bound instance", "heed": "enforce",
	"heir": "claimant", "journal": "writeAhead", "kit": "arguments by name", "laggard": "staleObject", "landed": "idle", "lane": "flow",
	"ledger": "pending", "librarian": "catalogWriter", "mute": "brokerUnavailable", "namesakes": "duplicateNames", "news": "status limiter",
	"obstacle": "precondition", "orphanage": "orphanCollector", "party": "target", "patience": "delay", "refrain": "abortUnrecorded",
	"roll": "deliveredSet", "sighting": "observation", "spelling": "namedBy", "stage": "environment", "ticket": "request",
	"told": "received", "turn": "delivery plan", "underway": "inFlight", "util": "what it does", "utils": "what it does", "verdict": "condition set",
	"wish": "retryAfter", "word": "reason", "workshop": "providerFactory", "world": "inputs",
}

func main() {
	draws := flag.Bool("draw", false, "draw which folders import which into "+page)
	flag.Parse()
	problems, err := []string(nil), error(nil)
	if *draws {
		err = draw(os.DirFS("."))
	} else {
		problems, err = check(os.DirFS("."))
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, "layout:", err)
		os.Exit(2)
	}
	for _, p := range problems {
		fmt.Fprintln(os.Stdout, p)
	}
	if len(problems) > 0 {
		os.Exit(1)
	}
}

// check returns what is wrong in the Go files below root, sorted by path.
func check(root fs.FS) (problems []string, err error) {
	names := newNames()
	entries, err := readRows(root)
	if err != nil {
		return nil, err
	}
	err = walk(root, func(dir string, isTest bool, files *token.FileSet, file *ast.File) {
		names.addKnown(file)
		if ast.IsGenerated(file) {
			return
		}
		names.addMentioned(files, file)
		problems = append(problems, entries.check(files, file, dir, isTest)...)
		problems = append(problems, deniedNames(files, file)...)
	})
	return append(problems, names.unknown()...), err
}

// walk visits the Go files below root, sorted by path.
func walk(root fs.FS, visit func(dir string, isTest bool, files *token.FileSet, file *ast.File)) error {
	return fs.WalkDir(root, ".", func(path string, entry fs.DirEntry, err error) error {
		switch name := entry.Name(); {
		case err != nil:
			return err
		case entry.IsDir() && path != "." && (strings.HasPrefix(name, ".") || name == "bin" || name == "testdata"):
			return fs.SkipDir
		case entry.IsDir() || filepath.Ext(name) != ".go":
			return nil
		}
		text, err := fs.ReadFile(root, path)
		if err != nil {
			return err
		}
		files := token.NewFileSet()
		file, err := parser.ParseFile(files, path, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		visit(filepath.ToSlash(filepath.Dir(path)), strings.HasSuffix(path, "_test.go"), files, file)
		return nil
	})
}

// deniedNames returns the declarations of a file, methods among them, whose names have a denied word.
func deniedNames(files *token.FileSet, file *ast.File) (problems []string) {
	for _, name := range declaredNames(file) {
		for _, word := range words(name.Name) {
			if instead, ok := denied[word]; ok {
				problems = append(problems, fmt.Sprintf("%s: %s: %q is not a term of the field, say %s", files.Position(name.Pos()), name.Name, word, instead))
			}
		}
	}
	return problems
}

func declaredNames(file *ast.File) (names []*ast.Ident) {
	for _, decl := range file.Decls {
		switch decl := decl.(type) {
		case *ast.FuncDecl:
			if !strings.HasPrefix(decl.Name.Name, "Test") { // whose name is a sentence
				names = append(names, decl.Name)
			}
		case *ast.GenDecl:
			for _, spec := range decl.Specs {
				switch spec := spec.(type) {
				case *ast.TypeSpec:
					names = append(names, spec.Name)
				case *ast.ValueSpec:
					names = append(names, spec.Names...)
				}
			}
		}
	}
	return names
}

// words are those of a camel-case name, in lower case.
func words(name string) (list []string) {
	var word []rune
	flush := func() {
		if len(word) > 0 {
			list = append(list, strings.ToLower(string(word)))
		}
		word = nil
	}
	runes := []rune(name)
	for i, r := range runes {
		begins := unicode.IsUpper(r) && (i == 0 || !unicode.IsUpper(runes[i-1]) || i+1 < len(runes) && unicode.IsLower(runes[i+1]))
		if begins || r == '_' || unicode.IsDigit(r) {
			flush()
		}
		if unicode.IsLetter(r) {
			word = append(word, r)
		}
	}
	flush()
	return list
}
