// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bufio"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// versionList has a version of Kubernetes a line, the oldest first: those that the nightly run tests. The one of the gate is not among
// them, since hack/cluster/go.mod pins it. The first line is the oldest version that is supported: "go test ./docs" compares it with what
// the operator, the chart and the documentation say.
//
//go:embed versions.txt
var versionList string

func otherVersions() []string { return strings.Fields(versionList) }

// selectVersion returns the version that was requested, as 1.33 or v1.33.6. Empty means the pinned one.
func selectVersion(requested, pinned string, others []string) (string, error) {
	if requested == "" {
		return pinned, nil
	}
	version := "v" + strings.TrimPrefix(requested, "v")
	if strings.Count(version, ".") == 2 {
		return version, nil
	}
	known := append(slices.Clone(others), pinned)
	for _, other := range known {
		if minorVersion(other) == version {
			return other, nil
		}
	}
	return "", fmt.Errorf("no version of Kubernetes is known as %s; these are: %s", requested, strings.Join(known, ", "))
}

// minorVersion returns v1.33 of v1.33.6.
func minorVersion(version string) string { return version[:strings.LastIndex(version, ".")] }

// pinnedVersion reads the version of Kubernetes from the go.mod file that pins the programs.
func pinnedVersion(gomod string) (string, error) {
	file, err := os.Open(gomod)
	if err != nil {
		return "", err
	}
	defer file.Close()
	lines := bufio.NewScanner(file)
	for lines.Scan() {
		words := strings.Fields(strings.TrimPrefix(lines.Text(), "require "))
		if len(words) >= 2 && words[0] == "k8s.io/kubernetes" && strings.Count(words[1], ".") >= 2 {
			return words[1], nil
		}
	}
	return "", errors.Join(fmt.Errorf("%s requires no k8s.io/kubernetes", gomod), lines.Err())
}

// writeModule writes a module to dir that requires Kubernetes of a version, with the dependencies of its go.mod, which is in the folder
// source. Kubernetes has its own libraries in folders of its repository, and publishes each release of them as modules: those replace the
// folders. Builds add the checksums of these modules to go.sum.
func writeModule(dir, source, version string) error {
	gomod, err := os.ReadFile(filepath.Join(source, "go.mod"))
	if err != nil {
		return err
	}
	sums, err := os.ReadFile(filepath.Join(source, "go.sum"))
	if err != nil {
		return err
	}
	library := strings.Replace(version, "v1.", "v0.", 1)
	var lines []string
	for line := range strings.Lines(string(gomod)) {
		line = strings.TrimRight(line, "\n")
		if strings.HasPrefix(line, "module ") {
			line = "module bellhop.local/kubernetes\n\nrequire k8s.io/kubernetes " + version
		}
		if before, name, ok := strings.Cut(line, "=> ./staging/src/"); ok {
			line = before + "=> " + name + " " + library
		}
		lines = append(lines, line)
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return errors.Join(
		os.WriteFile(filepath.Join(dir, "go.mod"), []byte(strings.Join(lines, "\n")+"\n"), 0o644),
		os.WriteFile(filepath.Join(dir, "go.sum"), sums, 0o644),
	)
}
