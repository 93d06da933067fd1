// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// licenseNames are patterns of files that have to go with a program that contains a module.
var licenseNames = []string{"LICENSE*", "LICENCE*", "COPYING*", "COPYRIGHT*", "NOTICE*", "PATENTS*"}

// own is this repository's module. Those below it have its license.
const own = "github.com/gophernetes/bellhop"

// licensesOf returns the licenses of the packages in a program on the platforms, and of Go itself, as files below licenses/. It fails if a module
// has none, and has to run at the root of the repository.
func licensesOf(ctx context.Context, module, program string, platforms []v1.Platform) ([]file, error) {
	sources, err := sourcesOf(ctx, module, program, platforms)
	if err != nil {
		return nil, err
	}
	contents := map[string]string{}
	for _, s := range sources {
		found, err := s.licenses()
		if err != nil {
			return nil, err
		}
		maps.Copy(contents, found)
	}
	return withDirectories(contents), nil
}

// source is a module in a program: its path, its directory, and those of its packages that are in the program.
type source struct {
	path, root string
	packages   []string
}

// sourcesOf returns the modules in a program, and Go.
func sourcesOf(ctx context.Context, module, program string, platforms []v1.Platform) (map[string]*source, error) {
	goRoot, err := exec.CommandContext(ctx, "go", "env", "GOROOT").Output()
	if err != nil {
		return nil, fmt.Errorf("go env: %w", err)
	}
	sources := map[string]*source{"go": {path: "go", root: strings.TrimSpace(string(goRoot))}}
	for _, platform := range platforms {
		cmd := exec.CommandContext(ctx, "go", "list", "-deps", "-tags=grpcnotrace", "-json=Dir,Module", program)
		cmd.Dir = module
		cmd.Env = append(os.Environ(), "GOOS="+platform.OS, "GOARCH="+platform.Architecture, "CGO_ENABLED=0")
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		if err := addPackages(sources, out); err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
	}
	return sources, nil
}

// addPackages adds the packages that "go list -json=Dir,Module" has printed.
func addPackages(sources map[string]*source, list []byte) error {
	for packages := json.NewDecoder(bytes.NewReader(list)); ; {
		var p struct {
			Dir    string
			Module *struct{ Path, Dir string }
		}
		if err := packages.Decode(&p); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
		switch {
		case p.Module == nil: // a package of Go itself
		case p.Module.Path == own || strings.HasPrefix(p.Module.Path, own+"/"):
			sources[own] = &source{path: own, root: "."}
		default:
			s := sources[p.Module.Path]
			if s == nil {
				s = &source{path: p.Module.Path, root: p.Module.Dir}
				sources[p.Module.Path] = s
			}
			s.packages = append(s.packages, p.Dir)
		}
	}
}

// licenses returns the licenses in the directory of the module, in those of its packages, and in those between: code of somebody else that was
// copied into a module has its license beside it.
func (s *source) licenses() (map[string]string, error) {
	directories := map[string]bool{s.root: true}
	for _, directory := range s.packages {
		for ; len(directory) > len(s.root) && !directories[directory]; directory = filepath.Dir(directory) {
			directories[directory] = true
		}
	}
	contents := map[string]string{}
	for directory := range directories {
		files, err := filesLike(directory, licenseNames)
		if err != nil {
			return nil, err
		}
		if directory == s.root && len(files) == 0 {
			return nil, fmt.Errorf("module %s in %s has none of %v", s.path, s.root, licenseNames)
		}
		for _, f := range files {
			name, err := filepath.Rel(s.root, f)
			if err != nil {
				return nil, err
			}
			content, err := os.ReadFile(f)
			if err != nil {
				return nil, err
			}
			contents["licenses/"+s.path+"/"+filepath.ToSlash(name)] = string(content)
		}
	}
	return contents, nil
}

// withDirectories returns files with these contents, and the directories in which they are; each directory comes before what is in it.
func withDirectories(contents map[string]string) (all []file) {
	directories := map[string]bool{}
	for name, content := range contents {
		all = append(all, file{path: name, mode: 0o644, content: content})
		for at := path.Dir(name); at != "."; at = path.Dir(at) {
			directories[at] = true
		}
	}
	for name := range directories {
		all = append(all, file{path: name + "/", mode: 0o755})
	}
	slices.SortFunc(all, func(a, b file) int { return cmp.Compare(a.path, b.path) })
	return all
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
