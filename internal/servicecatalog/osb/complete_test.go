// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package osb

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// TestConformanceIsComplete compares the statements with the tests that say that they show
// them, in all of this repository.
func TestConformanceIsComplete(t *testing.T) {
	statements := statements(t)
	want(t, "statements", len(statements), 159)
	shown := map[string]string{} // id: by which file
	for _, c := range conformance {
		if by, ok := shown[c.id]; ok {
			t.Errorf("%s is twice in %s", c.id, by)
		}
		shown[c.id] = "conformance_test.go"
	}
	maps.Copy(shown, marks(t))
	exceptions := exceptions(t)
	for _, id := range slices.Sorted(maps.Keys(shown)) {
		if _, ok := statements[id]; !ok {
			t.Errorf("%s has a test for %s, which testdata/conformance.txt does not know", shown[id], id)
		}
	}
	var missing []string
	for _, id := range slices.Sorted(maps.Keys(statements)) {
		if shown[id] == "" && exceptions[id] == "" {
			missing = append(missing, id)
		}
	}
	if len(missing) > 0 {
		t.Errorf("%d statements of testdata/conformance.txt have no test that is marked with them: %s", len(missing), strings.Join(missing, " "))
	}
}

var statementLine = regexp.MustCompile(`^([A-Z]\d\d) (?:MUST|SHOULD|MAY)\*?(?: P)? +(\S.+)$`)

func statements(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, line := range dataLines(t, "conformance.txt") {
		match := statementLine.FindStringSubmatch(line)
		switch {
		case match == nil:
			t.Errorf("conformance.txt has a line that is none: %q", line)
		case found[match[1]] != "":
			t.Errorf("conformance.txt has %s twice", match[1])
		default:
			found[match[1]] = match[2]
		}
	}
	return found
}

// exceptions are exactly those that were decided on, each with its reason.
func exceptions(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, line := range dataLines(t, "exceptions.txt") {
		id, reason, _ := strings.Cut(line, " ")
		if len(reason) < 40 {
			t.Errorf("exceptions.txt has %s without a reason", id)
		}
		found[id] = reason
	}
	if ids := slices.Sorted(maps.Keys(found)); !slices.Equal(ids, []string{"B15", "I06", "I07", "P02", "P12", "P13"}) {
		t.Errorf("exceptions.txt has %v", ids)
	}
	return found
}

// dataLines are the lines of a file in testdata that say something.
func dataLines(t *testing.T, name string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines
}

var (
	isMark = regexp.MustCompile(`^\s*// conformance:`)
	mark   = regexp.MustCompile(`^\s*// conformance:((?: [A-Z]\d\d)+)$`)
	// What a mark must stand above: a test, or a row of one's table.
	begins = regexp.MustCompile(`^\s*(func (Test|Fuzz)\w+\(|(It|Describe|DescribeTable|DescribeTableSubtree|Entry|When|Context|t\.Run)\(|\{|"[^"]+": *\{)`)
)

// marks are the ids that are marked anywhere, with the file. A file that has any must run
// all that it has.
func marks(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, path := range testFiles(t) {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(text), "\n")
		marked := filepath.Base(path) == "conformance_test.go"
		for i, line := range lines {
			if !isMark.MatchString(line) {
				continue
			}
			match := mark.FindStringSubmatch(line)
			next := i + 1
			for next < len(lines)-1 && strings.HasPrefix(strings.TrimSpace(lines[next]), "//") {
				next++
			}
			if match == nil || !begins.MatchString(lines[next]) {
				t.Errorf(`%s:%d: a mark reads like "// conformance: P18 L13", and stands right above a test or a row of its table`, path, i+1)
				continue
			}
			marked = true
			for id := range strings.FieldsSeq(match[1]) {
				found[id] = path
			}
		}
		if marked {
			checkRuns(t, path, text)
		}
	}
	return found
}

// testFiles are those of the repository, whatever the module.
func testFiles(t *testing.T) []string {
	t.Helper()
	root := filepath.Join("..", "..", "..")
	if text, err := os.ReadFile(filepath.Join(root, "go.mod")); err != nil || !strings.HasPrefix(string(text), "module github.com/gophernetes/bellhop\n") {
		t.Fatalf("the repository is not at %s: %v", root, err)
	}
	var files []string
	err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != root && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "testdata" || entry.Name() == "bin"):
			return filepath.SkipDir
		case !entry.IsDir() && strings.HasSuffix(path, "_test.go"):
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

// unrun are the ways to have a test that does not run.
var unrun = regexp.MustCompile(`^(Skip|Skipf|SkipNow|Short|[PX](It|Specify|Describe|DescribeTable|DescribeTableSubtree|Entry|When|Context))$`)

// checkRuns checks that nothing in a file is left out when its tests run.
func checkRuns(t *testing.T, path string, text []byte) {
	t.Helper()
	files := token.NewFileSet()
	file, err := parser.ParseFile(files, path, text, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	for _, group := range file.Comments {
		if strings.Contains(group.List[0].Text, "go:build ") && group.Pos() < file.Package {
			t.Errorf("%s shows statements of conformance.txt, but has a build constraint", path)
		}
	}
	ast.Inspect(file, func(node ast.Node) bool {
		called, ok := node.(*ast.CallExpr)
		if !ok {
			return true
		}
		name := ""
		switch function := called.Fun.(type) {
		case *ast.Ident:
			name = function.Name
		case *ast.SelectorExpr:
			name = function.Sel.Name
		}
		pending := slices.ContainsFunc(called.Args, func(e ast.Expr) bool { i, ok := e.(*ast.Ident); return ok && i.Name == "Pending" })
		if unrun.MatchString(name) || pending {
			t.Errorf("%s shows statements of conformance.txt, but calls %s, which leaves a test out", files.Position(called.Pos()), name)
		}
		return true
	})
}
