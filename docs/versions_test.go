// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/internal/version"
)

// F-U17: what is said about versions of Kubernetes is what is tested. The first of hack/controlplane/versions.txt is the oldest.
func TestSupportedVersions(t *testing.T) {
	read := func(path string) string {
		text, err := os.ReadFile(filepath.Join("..", path))
		if err != nil {
			t.Fatal(err)
		}
		return string(text)
	}
	tested := strings.Fields(read("hack/controlplane/versions.txt"))
	if oldest := "v" + version.OldestKubernetes + "."; !strings.HasPrefix(tested[0], oldest) {
		t.Errorf("the oldest version that is tested is %s, and the operator supports %s", tested[0], version.OldestKubernetes)
	}
	for path, want := range map[string]string{
		"charts/bellhop/Chart.yaml":     `kubeVersion: ">=` + version.OldestKubernetes + `.0-0"`,
		"docs/install/README.md":        "- Kubernetes " + version.OldestKubernetes + " or newer.",
		"docs/tutorials/first-alert.md": "Kubernetes " + version.OldestKubernetes + " or newer",
	} {
		if !strings.Contains(read(path), want) {
			t.Errorf("%s has no %q", path, want)
		}
	}

	pinned := regexp.MustCompile(`k8s\.io/kubernetes (v\S+)`).FindStringSubmatch(read("hack/cluster/go.mod"))
	tested = append(tested, pinned[1])
	var documented []string
	for _, row := range regexp.MustCompile(`(?m)^\| ([0-9.]+) \|.*\| (v\S+) passed \|$`).FindAllStringSubmatch(read("docs/install/upgrade.md"), -1) {
		documented = append(documented, row[2])
		if !strings.HasPrefix(row[2], "v"+row[1]+".") {
			t.Errorf("the row of %s has %s", row[1], row[2])
		}
	}
	slices.Sort(tested)
	slices.Sort(documented)
	if !slices.Equal(tested, documented) {
		t.Errorf("docs/install/upgrade.md has the versions %v, and these are tested: %v", documented, tested)
	}
}

// F-U29: the pages of a release name its own version, which is the newest in the changelog, below the changes that are in no release yet.
func TestPagesNameTheNewestRelease(t *testing.T) {
	headings := regexp.MustCompile(`(?m)^## (\S+)`).FindAllStringSubmatch(readFile(t, "../CHANGELOG.md"), 2)
	if headings[0][1] != "Unreleased" {
		t.Errorf("the changelog begins with the section %s, and the nightly run makes a release of the section Unreleased", headings[0][1])
	}
	newest := headings[1][1]
	named := regexp.MustCompile(`(?:releases/download/v|raw\.githubusercontent\.com/gophernetes/bellhop/v|refs/tags/v|VERSION=v|cosign verify ghcr\.io/gophernetes/\S+:v?|--version |targetRevision: |  tag: |bellhop-)(\d+\.\d+\.\d+(?:-rc\.\d+)?)`)
	other := regexp.MustCompile(`(?:^|[^\d.])` + regexp.QuoteMeta(newest) + `(?:$|[^\d])`)
	paths := []string{"../README.md", "../charts/bellhop/README.md", "../charts/bellhop/README.md.gotmpl"}
	for _, pattern := range []string{"*.md", "*/*.md", "*/*/*.md", "../examples/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		paths = append(paths, found...)
	}
	count := 0
	for _, path := range paths {
		text := strings.ReplaceAll(readFile(t, path), `\.`, ".") // of regular expressions
		for _, match := range named.FindAllStringSubmatch(text, -1) {
			if match[1] == "1.2.3" { // of any release
				continue
			}
			count++
			if match[1] != newest {
				t.Errorf("%s has %s, and the newest release is %s", path, match[0], newest)
			}
		}
		for _, match := range other.FindAllString(named.ReplaceAllString(text, ""), -1) {
			t.Errorf("%s has %q in a place that this test does not compare with later releases", path, match)
		}
	}
	if count < 15 {
		t.Errorf("the pages name a release only %d times", count)
	}
}
