// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"testing"
)

// Bash ignores the status of a command in the words of a loop, or in <(…): the loop then runs for nothing, and succeeds.
func TestLoopsOfScriptsDoNotHideFailures(t *testing.T) {
	hidden := regexp.MustCompile(`(?m)^\s*for \w+ in .*\$\(.*|^\s*mapfile .*<\(.*`)
	count := 0
	for _, pattern := range []string{"../hack/*.sh", "../hack/*/*.sh", "../.ci/run"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			count++
			for _, line := range hidden.FindAllString(readFile(t, path), -1) {
				t.Errorf("%s: assign what the command prints to a variable first: %s", path, line)
			}
		}
	}
	if count < 30 {
		t.Errorf("only %d scripts were read", count)
	}
}

// A nightly step fails if go does, and is skipped if it is go that cannot download what the step needs.
func TestNightlyStepsWithoutGo(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "go"), []byte("#!/bin/sh\nexit 1\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	for step, want := range map[string]int{"versions": 1, "rules": 77} {
		cmd := exec.CommandContext(t.Context(), "../hack/nightly.sh", "-step", step)
		cmd.Env = append(os.Environ(), "PATH="+bin+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		var exit *exec.ExitError
		if !errors.As(err, &exit) || exit.ExitCode() != want {
			t.Errorf("%s: %v, want the exit code %d\n%s", step, err, want, out)
		}
	}
}
