// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

var platforms = []string{"darwin_amd64", "darwin_arm64", "linux_amd64", "linux_arm64", "windows_amd64", "windows_arm64"}

// testRelease is packed in tests.
func testRelease(t *testing.T) *release {
	t.Helper()
	license := filepath.Join(t.TempDir(), "LICENSE")
	if err := os.WriteFile(license, []byte("Apache License\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	return &release{version: "v1.2.3", url: "https://example.com/releases/v1.2.3", license: license}
}

// pack packs small files instead of binaries, in new folders, and returns the results by their names.
func pack(t *testing.T, r *release, platforms ...string) map[string][]byte {
	t.Helper()
	binaries, out := t.TempDir(), filepath.Join(t.TempDir(), "dist", "plugin")
	for i, name := range platforms {
		file := filepath.Join(binaries, name, binaryName)
		if strings.HasPrefix(name, "windows") {
			file += ".exe"
		}
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, bytes.Repeat([]byte(name), 1000*(i+1)), 0o600); err != nil {
			t.Fatal(err)
		}
		past := time.Now().Add(-time.Duration(i) * time.Hour)
		if err := os.Chtimes(file, past, past); err != nil {
			t.Fatal(err)
		}
	}
	if err := r.pack(binaries, out); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(out)
	if err != nil {
		t.Fatal(err)
	}
	results := map[string][]byte{}
	for _, entry := range entries {
		if results[entry.Name()], err = os.ReadFile(filepath.Join(out, entry.Name())); err != nil {
			t.Fatal(err)
		}
	}
	return results
}

func TestResultsAreTheSameTwice(t *testing.T) {
	first, second := pack(t, testRelease(t), platforms...), pack(t, testRelease(t), platforms...)
	want := []string{
		"bellhop.yaml", "checksums.txt", "kubectl-bellhop_darwin_amd64.tar.gz", "kubectl-bellhop_darwin_arm64.tar.gz",
		"kubectl-bellhop_linux_amd64.tar.gz", "kubectl-bellhop_linux_arm64.tar.gz", "kubectl-bellhop_windows_amd64.zip",
		"kubectl-bellhop_windows_arm64.zip",
	}
	if names := slices.Sorted(maps.Keys(first)); !slices.Equal(names, want) {
		t.Errorf("got %v, want %v", names, want)
	}
	for name, content := range first {
		if !bytes.Equal(content, second[name]) {
			t.Errorf("%s differs", name)
		}
	}
}

func TestChecksums(t *testing.T) {
	results := pack(t, testRelease(t), platforms...)
	var want strings.Builder
	for _, name := range slices.Sorted(maps.Keys(results)) {
		if strings.HasPrefix(name, binaryName) {
			fmt.Fprintf(&want, "%x  %s\n", sha256.Sum256(results[name]), name)
		}
	}
	if got := string(results["checksums.txt"]); got != want.String() {
		t.Errorf("got\n%swant\n%s", got, want.String())
	}
}

// entry is what a user gets of a file in an archive.
type entry struct {
	name    string
	mode    fs.FileMode
	content string
}

// unpackTar reads a .tar.gz archive, and fails where an entry has an owner or another time.
func unpackTar(t *testing.T, archive []byte) (entries []entry) {
	t.Helper()
	compressed, err := gzip.NewReader(bytes.NewReader(archive))
	if err != nil {
		t.Fatal(err)
	}
	if compressed.Name != "" || !compressed.ModTime.IsZero() {
		t.Errorf("gzip has the name %q and the time %s", compressed.Name, compressed.ModTime)
	}
	r := tar.NewReader(compressed)
	for {
		header, err := r.Next()
		if errors.Is(err, io.EOF) {
			return entries
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Uid != 0 || header.Gid != 0 || header.Uname != "" || header.Gname != "" || !header.ModTime.Equal(entryTime) {
			t.Errorf("%+v", header)
		}
		content, err := io.ReadAll(r)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry{header.Name, header.FileInfo().Mode(), string(content)})
	}
}

func unpackZip(t *testing.T, archive []byte) (entries []entry) {
	t.Helper()
	r, err := zip.NewReader(bytes.NewReader(archive), int64(len(archive)))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range r.File {
		if !f.Modified.Equal(entryTime) {
			t.Errorf("%s has the time %s", f.Name, f.Modified)
		}
		opened, err := f.Open()
		if err != nil {
			t.Fatal(err)
		}
		content, err := io.ReadAll(opened)
		if err != nil {
			t.Fatal(err)
		}
		entries = append(entries, entry{f.Name, f.Mode(), string(content)})
	}
	return entries
}

func TestArchives(t *testing.T) {
	results := pack(t, testRelease(t), "linux_amd64", "windows_arm64")
	license := entry{"LICENSE", 0o644, "Apache License\n"}
	for name, want := range map[string][]entry{
		"kubectl-bellhop_linux_amd64.tar.gz": {
			license,
			{"kubectl-bellhop", 0o755, strings.Repeat("linux_amd64", 1000)},
			{"kubectl_complete-bellhop", 0o755, "#!/bin/sh\n# Completes the arguments of \"kubectl bellhop\", for the completion of kubectl itself.\n" +
				"exec kubectl-bellhop __complete \"$@\"\n"},
		},
		"kubectl-bellhop_windows_arm64.zip": {
			license,
			{"kubectl-bellhop.exe", 0o755, strings.Repeat("windows_arm64", 2000)},
			{"kubectl_complete-bellhop.bat", 0o755, "@echo off\r\nkubectl-bellhop __complete %*\r\n"},
		},
	} {
		unpack := unpackTar
		if strings.HasSuffix(name, ".zip") {
			unpack = unpackZip
		}
		if got := unpack(t, results[name]); !slices.Equal(got, want) {
			t.Errorf("%s: got %.200v", name, got)
		}
	}
}

func TestPackFails(t *testing.T) {
	for _, test := range []struct {
		name string
		edit func(*release)
		want string
	}{
		{"a version without v", func(r *release) { r.version = "1.2.3" }, `version "1.2.3" is not a semantic version`},
		{"a version with two numbers", func(r *release) { r.version = "v1.2" }, `version "v1.2" is not a semantic version`},
		{"a version with build metadata", func(r *release) { r.version = "v1.2.3+x" }, `version "v1.2.3+x" is not`},
		{"a url that is not encrypted", func(r *release) { r.url = "http://example.com" }, `url "http://example.com" does not begin with https://`},
		{"no license", func(r *release) { r.license = "none" }, "open none"},
	} {
		t.Run(test.name, func(t *testing.T) {
			r, binaries := testRelease(t), t.TempDir()
			test.edit(r)
			if err := os.Mkdir(filepath.Join(binaries, "linux_amd64"), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(binaries, "linux_amd64", binaryName), nil, 0o600); err != nil {
				t.Fatal(err)
			}
			if err := r.pack(binaries, t.TempDir()); err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %s", err, test.want)
			}
		})
	}
	if err := testRelease(t).pack(t.TempDir(), t.TempDir()); err == nil || !regexp.MustCompile(`has no folder OS_ARCH`).MatchString(err.Error()) {
		t.Errorf("got %v", err)
	}
}
