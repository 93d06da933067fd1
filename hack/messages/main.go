// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Messages prints the texts that users read in conditions, deliveries, events and answers to kubectl, as a page of the reference. It takes
// them from the string literals of the packages that have them: "make generate" writes the page, so that a review sees each changed text.
package main

import (
	"cmp"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// sections are the parts of the page, with the packages that their texts are from, as patterns of package filepath.
var sections = []struct {
	title string
	dirs  []string
}{
	{"Brokers and their catalogs", []string{"internal/servicecatalog/brokerrules", "internal/servicecatalog/catalog/catalogsync", "controllers/servicecatalog/broker", "controllers/servicecatalog/authsecret", "internal/servicecatalog/brokers"}},
	{"Instances", []string{"internal/servicecatalog/instancerules", "controllers/servicecatalog/instance"}},
	{"Bindings", []string{"internal/servicecatalog/bindingrules", "internal/servicecatalog/bindingsecret", "controllers/servicecatalog/binding", "controllers/servicecatalog/credentials"}},
	{"Instances and bindings", []string{"internal/servicecatalog/rules", "internal/servicecatalog/operation", "internal/servicecatalog/catalog", "internal/servicecatalog/catalog/schema", "controllers/servicecatalog/engine", "internal/servicecatalog/osb", "internal/servicecatalog/osb/osbresult"}},
	{"Alerts", []string{"internal/pager/alertrules", "controllers/pager/alert"}},
	{"Receivers", []string{"controllers/pager/receiver", "internal/pager/receivers", "internal/pager/notify", "internal/pager/notify/*", "internal/outbound"}},
	{"Answers of admission", []string{"webhooks/pager", "webhooks/servicecatalog", "webhooks"}},
}

const introduction = `# Messages

The texts in conditions, in the deliveries of an Alert, in events and in responses to kubectl.
… stands for a name, a number or another text.
A text that begins with a small letter can follow another one; at the beginning of a condition or event it has a capital letter.
[Conditions](conditions.md) explains the reasons beside them, and [warnings](warnings.md) the warnings of admission.
Generated from the source: see hack/messages.
`

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "messages:", err)
		os.Exit(1)
	}
}

func run() error {
	fmt.Fprint(os.Stdout, introduction)
	for _, s := range sections {
		var found []string
		for _, pattern := range s.dirs {
			in, err := textsOf(pattern)
			if err != nil {
				return fmt.Errorf("%s: %w", pattern, err)
			}
			found = append(found, in...)
		}
		slices.Sort(found)
		fmt.Fprintf(os.Stdout, "\n## %s\n\n```text\n%s\n```\n", s.title, strings.Join(slices.Compact(found), "\n"))
	}
	return nil
}

// textsOf returns the texts of the packages that match a pattern; one that matches none is an error.
func textsOf(pattern string) (texts []string, err error) {
	dirs, err := filepath.Glob(pattern)
	if err != nil || len(dirs) == 0 {
		return nil, cmp.Or(err, errors.New("there is no such package"))
	}
	for _, dir := range dirs {
		if info, err := os.Stat(dir); err != nil || !info.IsDir() || strings.HasSuffix(dir, "test") {
			continue
		}
		in, err := textsIn(os.DirFS(dir))
		if err != nil {
			return nil, err
		}
		texts = append(texts, in...)
	}
	return texts, nil
}

// textsIn returns the texts of a package.
func textsIn(dir fs.FS) (texts []string, err error) {
	entries, err := fs.ReadDir(dir, ".")
	if err != nil {
		return nil, err
	}
	for _, entry := range entries {
		name := entry.Name()
		if filepath.Ext(name) != ".go" || strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "zz_generated") || name == "metrics.go" {
			continue
		}
		source, err := fs.ReadFile(dir, name)
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(token.NewFileSet(), name, source, parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if e, ok := n.(ast.Expr); ok {
				text, isText := textOf(e)
				if isText && isSentence(text) {
					texts = append(texts, whole(text))
				}
				return !isText && !isForDevelopers(e)
			}
			_, isTag := n.(*ast.Field)
			_, isImport := n.(*ast.ImportSpec)
			return !isImport && (!isTag || n.(*ast.Field).Tag == nil)
		})
	}
	return texts, nil
}

// textOf returns the text of a string literal, or of a sum that has one, with … for everything else.
func textOf(e ast.Expr) (text string, ok bool) {
	switch e := e.(type) {
	case *ast.BasicLit:
		if e.Kind != token.STRING {
			return "", false
		}
		text, err := strconv.Unquote(e.Value)
		return verb.ReplaceAllString(strings.ReplaceAll(text, "%%", "%"), "…"), err == nil
	case *ast.BinaryExpr:
		left, isLeft := textOf(e.X)
		right, isRight := textOf(e.Y)
		if e.Op != token.ADD || !isLeft && !isRight {
			return "", false
		}
		if !isLeft {
			left = "…"
		}
		if !isRight {
			right = "…"
		}
		return left + right, true
	}
	return "", false
}

// verb is a verb of package fmt.
var verb = regexp.MustCompile(`%[+#]?[a-z]`)

// isSentence reports whether a text is for people: it has at least three words.
func isSentence(text string) bool {
	words := slices.DeleteFunc(strings.Fields(text), func(w string) bool { return !strings.ContainsFunc(w, unicode.IsLetter) })
	return len(words) >= 3 && !strings.ContainsAny(text, "\n<{|")
}

// whole returns a text with … where another one comes before it.
func whole(text string) string {
	if strings.ContainsAny(text[:1], " ,.;:") {
		text = "…" + text
	}
	return strings.ReplaceAll(text, "……", "…")
}

// isForDevelopers reports whether a call has texts that users do not read: of logs, of errors that others wrap, and of panics.
func isForDevelopers(e ast.Expr) bool {
	call, ok := e.(*ast.CallExpr)
	if !ok {
		return false
	}
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name == "panic"
	case *ast.SelectorExpr:
		if x, ok := f.X.(*ast.Ident); ok && (x.Name == "regexp" || x.Name == "errors" && f.Sel.Name == "As") {
			return true
		}
		if f.Sel.Name == "Errorf" && len(call.Args) > 0 {
			text, _ := call.Args[0].(*ast.BasicLit)
			return text != nil && strings.Contains(text.Value, "%w")
		}
		return f.Sel.Name == "Info" || f.Sel.Name == "Error" && len(call.Args) > 0
	}
	return false
}
