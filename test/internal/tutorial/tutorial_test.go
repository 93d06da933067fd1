// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package tutorial

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestParse(t *testing.T) {
	fence := "```"
	page := strings.NewReplacer("FENCE", fence).Replace(`# A page

FENCEsh
kind create cluster
FENCE

Text.

FENCEsh
kubectl apply -f - <<EOF
kind: Alert
EOF
FENCE
FENCEtext
alert created

one
FENCE
`)
	steps, err := Parse(page)
	want := []Step{{3, "kind create cluster", ""}, {9, "kubectl apply -f - <<EOF\nkind: Alert\nEOF", "alert created\n\none"}}
	if err != nil || !slices.Equal(steps, want) {
		t.Errorf("got %#v, %v", steps, err)
	}
}

func TestParseRefuses(t *testing.T) {
	for what, page := range map[string]string{
		"a block that nothing runs":          "```yaml\nkind: Alert\n```\n",
		"an output of nothing":               "```text\none\n```\n",
		"a second output":                    "```sh\ntrue\n```\n```text\none\n```\n```text\ntwo\n```\n",
		"a block without an end":             "```sh\ntrue\n",
		"a block that begins within another": "```sh\ntrue\n```sh\ntrue\n```\n",
	} {
		if steps, err := Parse(page); err == nil {
			t.Errorf("%s: got %#v", what, steps)
		}
	}
}

// TestPages checks the pages without a cluster.
func TestPages(t *testing.T) {
	pages, err := filepath.Glob("../../../docs/tutorials/[a-z]*.md")
	if err != nil || len(pages) != 3 {
		t.Fatalf("got %v, %v", pages, err)
	}
	clusters := 0
	for _, page := range pages {
		text, err := os.ReadFile(page)
		if err != nil {
			t.Fatal(err)
		}
		steps, err := Parse(string(text))
		if err != nil {
			t.Errorf("%s: %v", page, err)
		}
		for _, step := range steps {
			switch {
			case step.NeedsNoTest():
				clusters++
			case !step.IsRelease() && step.Output == "":
				t.Errorf("%s:%d shows no output", page, step.Line)
			}
		}
	}
	if clusters != 1 {
		t.Errorf("%d blocks are not tested, and not just kind create cluster", clusters)
	}
}
