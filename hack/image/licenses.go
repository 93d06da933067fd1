/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package main

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
)

// licenseNames are patterns of files that have to go with a program that contains a module.
var licenseNames = []string{"LICENSE*", "LICENCE*", "COPYING*", "COPYRIGHT*", "NOTICE*", "PATENTS*"}

// own is this repository's module. Those below it have its license.
const own = "github.com/gophernetes/bellhop"

// licensesOf returns the licenses of the modules in a program, and of Go itself, as files below licenses/. It fails if a module has none, and
// has to run at the root of the repository.
func licensesOf(ctx context.Context, module, program string) ([]file, error) {
	modules, err := modulesOf(ctx, module, program)
	if err != nil {
		return nil, err
	}
	directories := map[string]bool{}
	var all []file
	for path, root := range modules {
		found, err := filesLike(root, licenseNames)
		if err != nil {
			return nil, err
		}
		if len(found) == 0 {
			return nil, fmt.Errorf("module %s in %s has none of %v", path, root, licenseNames)
		}
		for _, f := range found {
			content, err := os.ReadFile(f)
			if err != nil {
				return nil, err
			}
			all = append(all, file{path: "licenses/" + path + "/" + filepath.Base(f), mode: 0o644, content: string(content)})
		}
		for at := "licenses/" + path + "/"; at != "./"; at = filepath.Dir(strings.TrimSuffix(at, "/")) + "/" {
			directories[at] = true
		}
	}
	for path := range directories {
		all = append(all, file{path: path, mode: 0o755})
	}
	slices.SortFunc(all, func(a, b file) int { return cmp.Compare(a.path, b.path) }) // a directory comes before its files
	return all, nil
}

// modulesOf returns the directories of the modules in a program by their paths, and that of Go.
func modulesOf(ctx context.Context, module, program string) (map[string]string, error) {
	cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-tags=grpcnotrace", "-json=Module", program)
	cmd.Dir = module
	cmd.Env = append(os.Environ(), "GOOS=linux", "CGO_ENABLED=0")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	goRoot, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	modules := map[string]string{"go": strings.TrimSpace(string(goRoot))}
	for packages := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			Module *struct{ Path, Dir string }
		}
		if err := packages.Decode(&p); errors.Is(err, io.EOF) {
			return modules, nil
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		switch {
		case p.Module == nil: // a package of Go itself
		case p.Module.Path == own || strings.HasPrefix(p.Module.Path, own+"/"):
			modules[own] = "."
		default:
			modules[p.Module.Path] = p.Module.Dir
		}
	}
}

// filesLike returns the files of a directory whose names match one of the patterns.
func filesLike(directory string, patterns []string) (found []string, err error) {
	for _, pattern := range patterns {
		matches, err := filepath.Glob(filepath.Join(directory, pattern))
		if err != nil {
			return nil, err
		}
		for _, match := range matches {
			if info, err := os.Stat(match); err == nil && info.Mode().IsRegular() && filepath.Ext(match) != ".go" {
				found = append(found, match)
			}
		}
	}
	return found, nil
}
