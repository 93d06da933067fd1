// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package sweep

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// variant is an operator with a mistake that the sweep must find.
type variant struct {
	name string
	// edits of the source make the mistake.
	edits []mistake
	// shiftsClock: its clock can be shifted.
	shiftsClock bool
	// The oracle reports the mistake in the scenario with the fault. Where one of several does, as what comes first decides, | separates them.
	scenario, fault, oracle string
	// others are faults of other classes, which do not reveal the mistake.
	others []string
}

// mistake replaces a text that a source file has exactly once.
type mistake struct{ file, right, wrong string }

// trial is a scenario with a fault.
type trial struct{ scenario, fault string }

// sources returns the edited files by their paths.
func (v variant) sources(repo string) (map[string]string, error) {
	wrong := map[string]string{}
	for _, e := range v.edits {
		path := filepath.Join(repo, e.file)
		if _, ok := wrong[path]; !ok {
			text, err := os.ReadFile(path)
			if err != nil {
				return nil, err
			}
			wrong[path] = string(text)
		}
		if n := strings.Count(wrong[path], e.right); n != 1 {
			return nil, fmt.Errorf("%s has %q %d times, so that the mistake cannot be made", e.file, e.right, n)
		}
		wrong[path] = strings.Replace(wrong[path], e.right, e.wrong, 1)
	}
	if v.shiftsClock {
		return wrong, shiftClocks(repo, wrong)
	}
	return wrong, nil
}

// build builds the operator and returns its path.
func (v variant) build(ctx context.Context, repo, dir string) (string, error) {
	sources, err := v.sources(repo)
	if err != nil {
		return "", err
	}
	replace := map[string]string{}
	for path, text := range sources {
		replace[path] = filepath.Join(dir, fmt.Sprintf("%s-%d.go", v.name, len(replace)))
		if err := os.WriteFile(replace[path], []byte(text), 0o600); err != nil {
			return "", err
		}
	}
	overlay, binary := filepath.Join(dir, v.name+".json"), filepath.Join(dir, "operator-"+v.name)
	text, err := json.Marshal(map[string]any{"Replace": replace})
	if err != nil {
		return "", err
	}
	if err := os.WriteFile(overlay, text, 0o600); err != nil {
		return "", err
	}
	build := exec.CommandContext(ctx, "go", "build", "-tags", "grpcnotrace", "-ldflags=-w", "-overlay", overlay, "-o", binary, ".")
	build.Dir = repo
	if out, err := build.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building it: %w\n%s", err, out)
	}
	return binary, nil
}

// trials returns the runs of a variant, the one with its fault last.
func (v variant) trials() []trial {
	all := []trial{{v.scenario, "none"}}
	for _, other := range v.others {
		all = append(all, trial{v.scenario, other})
	}
	if v.fault != "none" {
		all = append(all, trial{v.scenario, v.fault})
	}
	return all
}

// ofVariants returns the variants of this share: in the order of the table, each goes to the next share.
func (s Share) ofVariants(all []variant) (some []variant) {
	for i, v := range all {
		if s.has(uint64(i)) {
			some = append(some, v)
		}
	}
	return some
}
