// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package mutationtest shows that a test detects a mistake: it runs the test of a package in whose source the mistake is made.
package mutationtest

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// Mutation is a mistake in the source of a package, which a test of that package has to detect.
type Mutation struct {
	// Name is the name of the subtest, and describes the fault.
	Name string
	// Package is the directory of the package, relative to the directory of the running test, such as "instance".
	Package string
	// File is relative to that directory; it has the text Right exactly once, which is replaced by Wrong.
	File, Right, Wrong string
	// Test is the name of the test that has to fail, such as "TestWalks" or "TestConformance/T01".
	Test string
}

// Run fails for each mutation that its test does not detect, and for one that cannot be made.
func Run(t *testing.T, mutations []Mutation) {
	t.Helper()
	for _, m := range mutations {
		t.Run(m.Name, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(m.Package, m.File)
			source, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if n := strings.Count(string(source), m.Right); n != 1 {
				t.Fatalf("%s has %q %d times, so that the mistake cannot be made", path, m.Right, n)
			}
			out := testWith(t, m, path, strings.Replace(string(source), m.Right, m.Wrong, 1))
			if !regexp.MustCompile(`(?m)^ *--- FAIL: ` + regexp.QuoteMeta(m.Test) + ` `).MatchString(out) {
				t.Errorf("%s does not detect the mistake:\n%s", m.Test, out)
			}
		})
	}
}

// testWith runs the test of a mutation with another text in place of a file's, and returns its output.
func testWith(t *testing.T, m Mutation, path, text string) string {
	t.Helper()
	dir := t.TempDir()
	mutant, overlay := filepath.Join(dir, filepath.Base(m.File)), filepath.Join(dir, "overlay.json")
	original, err := filepath.Abs(path)
	if err != nil {
		t.Fatal(err)
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{original: mutant}})
	if err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string][]byte{mutant: []byte(text), overlay: replace} {
		if err := os.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	run := "^" + strings.ReplaceAll(regexp.QuoteMeta(m.Test), "/", "$/^") + "$"
	out, err := exec.CommandContext(t.Context(), "go", "test", "-tags", "grpcnotrace", "-overlay", overlay, "-vet=off", "-count=1", "-run", run, "./"+filepath.ToSlash(m.Package)).CombinedOutput()
	if err == nil {
		return "the test passes\n" + string(out)
	}
	return string(out)
}
