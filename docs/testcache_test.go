// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"io/fs"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// Go's cache ignores files outside of a test's module, so that a test that reads one finds its old result after a change. hack/test.sh has to run
// such packages with -count=1.
func TestNoCachedTestReadsAboveItsModule(t *testing.T) {
	above := regexp.MustCompile(`(?:^|[^.])((?:"?\.\.(?:/|", |"))+)|\bFind(?:Repo|Tool)\(`)
	cached, fresh := map[string]bool{}, map[string][]string{}
	for _, line := range regexp.MustCompile(`(?m)^start_tests (\S+)/ \S+ (.*?)(?: #.*)?$`).FindAllStringSubmatch(readFile(t, "../hack/test.sh"), -1) {
		if arguments := strings.Fields(line[2]); slices.Contains(arguments, "-count=1") {
			fresh[line[1]] = append(fresh[line[1]], arguments...)
		} else {
			cached[line[1]] = line[1] != "."
		}
	}
	count := 0
	for module, isNested := range cached {
		if !isNested {
			continue
		}
		err := filepath.WalkDir(filepath.Join("..", module), func(path string, _ fs.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, "_test.go") {
				return err
			}
			count++
			dir, err := filepath.Rel(filepath.Join("..", module), filepath.Dir(path))
			if err != nil || slices.Contains(fresh[module], "./"+dir) {
				return err
			}
			depth := strings.Count("/"+dir, "/")
			if dir == "." {
				depth = 0
			}
			for _, match := range above.FindAllStringSubmatch(readFile(t, path), -1) {
				if match[1] == "" || strings.Count(match[1], "..") > depth {
					t.Errorf("%s has %q: hack/test.sh has to run its package with -count=1", path, match[0])
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if count < 30 {
		t.Errorf("only %d files were read", count)
	}
}
