// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

// tablesFrom is the heading of the tables in a page.
const tablesFrom = "## States by project\n"

// isOfPage returns which files in testdata a page is about.
var isOfPage = map[string]func(file string) bool{
	"page-by-label.md":                   isOwn,
	"page-by-label-of-other-projects.md": func(file string) bool { return !isOwn(file) },
}

func isOwn(file string) bool {
	return slices.Contains([]string{"bellhop.yaml", "kubernetes.yaml"}, filepath.Base(file))
}

// The pages of states have a row for each object in testdata, and no other. UPDATE_GOLDEN=1 writes the rows.
func TestPagesOfStates(t *testing.T) {
	for name, isOf := range isOfPage {
		t.Run(name, func(t *testing.T) {
			page := filepath.Join("../../../docs/reference", name)
			text, err := os.ReadFile(page)
			if err != nil {
				t.Fatal(err)
			}
			prose, _, ok := strings.Cut(string(text), tablesFrom)
			if !ok {
				t.Fatalf("%s has no section %q", page, tablesFrom)
			}
			want := prose + tablesFrom
			for _, file := range testdata(t) {
				if isOf(file) {
					want += tableOf(t, file)
				}
			}
			if want == string(text) {
				return
			}
			if os.Getenv("UPDATE_GOLDEN") == "" {
				t.Fatalf("%s does not have the objects in testdata: UPDATE_GOLDEN=1 go test ./internal/pager/healthrules writes it", page)
			}
			if err := os.WriteFile(page, []byte(want), 0o644); err != nil { //nolint:gosec // a page of the documentation is readable
				t.Fatal(err)
			}
		})
	}
}

// tableOf returns the table of states of the objects in a file, whose first line is its heading.
func tableOf(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	heading, _, _ := strings.Cut(strings.TrimPrefix(string(text), "# "), "\n")
	var b strings.Builder
	fmt.Fprintf(&b, "\n### %s\n\n| kind | state | the operator says | why |\n| --- | --- | --- | --- |\n", heading)
	objects := readObjects(t, file)
	slices.SortStableFunc(objects, func(a, b *unstructured.Unstructured) int { return strings.Compare(a.GetKind(), b.GetKind()) })
	seen := map[string]bool{}
	for _, o := range objects {
		key := o.GetKind() + "/" + o.GetName()
		if seen[key] {
			t.Errorf("%s has two objects %s", file, key)
		}
		seen[key] = true
		b.WriteString(rowOf(t, o))
	}
	return b.String()
}

// rowOf returns the row about an object: its annotations say what is expected, why, and in which public report the state is.
func rowOf(t *testing.T, o *unstructured.Unstructured) string {
	t.Helper()
	annotations := o.GetAnnotations()
	state, reason, _ := strings.Cut(annotations["expect"], " ")
	if i := strings.LastIndex(reason, " 20"); i > 0 { // the time since when it holds
		reason = reason[:i]
	}
	why := annotations["why"]
	if why == "" || reason == "" {
		t.Errorf("%s %s does not say why", o.GetKind(), o.GetName())
	}
	if report := annotations["report"]; report != "" {
		repository, number, _ := strings.Cut(report, "#")
		why += fmt.Sprintf(" ([%s](https://github.com/%s/issues/%s))", report, repository, number)
	}
	return fmt.Sprintf("| %s | %s | %s, `%s` | %s |\n", o.GetKind(), strings.ReplaceAll(o.GetName(), "-", " "), state, reason, why)
}
