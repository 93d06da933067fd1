// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"sigs.k8s.io/yaml"
)

// A workflow is a file of .github/workflows.
type workflow struct {
	// On are its triggers. YAML takes the key "on" for the value true.
	On   map[string]any `json:"true"`
	Jobs map[string]job `json:"jobs"`
}

type job struct {
	RunsOn any    `json:"runs-on"`
	Uses   string `json:"uses"`
	Needs  any    `json:"needs"`
	Steps  []step `json:"steps"`
}

type step struct {
	Name string `json:"name"`
	Uses string `json:"uses"`
	Run  string `json:"run"`
}

// readWorkflows returns the workflows by the paths with which others call them.
func readWorkflows(t *testing.T) map[string]workflow {
	t.Helper()
	paths, err := filepath.Glob("../.github/workflows/*.y*ml")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	found := map[string]workflow{}
	for _, path := range paths {
		var w workflow
		if err := yaml.Unmarshal([]byte(readFile(t, path)), &w); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		if len(w.On) == 0 || len(w.Jobs) == 0 {
			t.Fatalf("%s has no triggers or no jobs", path)
		}
		found["."+strings.TrimPrefix(path, "..")] = w
	}
	return found
}

// F-U15: whoever opens a pull request decides what its jobs run, so that they must not run on a machine that keeps anything.
func TestPullRequestsRunOnHostedRunners(t *testing.T) {
	hosted := regexp.MustCompile(`^(ubuntu|windows|macos)-[0-9.]+$`)
	count := 0
	for path, w := range readWorkflows(t) {
		for trigger := range w.On {
			if trigger == "pull_request_target" || trigger == "workflow_run" {
				t.Errorf("%s: %s runs what a pull request wrote, with the rights of the repository", path, trigger)
			}
		}
		if _, ok := w.On["pull_request"]; !ok {
			continue
		}
		for name, j := range w.Jobs {
			count++
			if runner := fmt.Sprint(j.RunsOn); !hosted.MatchString(runner) {
				t.Errorf("%s: %s runs on %s", path, name, runner)
			}
		}
	}
	if count == 0 {
		t.Error("there is no workflow for pull requests")
	}
}

// F-U35: a tag can be moved to other code, and a commit cannot.
func TestActionsArePinnedByCommit(t *testing.T) {
	pinned := regexp.MustCompile(`^[\w.-]+(/[\w.-]+)+@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)
	uses := regexp.MustCompile(`(?m)^\s*(?:- )?uses: *(.*?)\s*$`)
	commits := map[string]string{}
	for path, w := range readWorkflows(t) {
		for _, match := range uses.FindAllStringSubmatch(readFile(t, filepath.Join("..", path)), -1) {
			if strings.HasPrefix(match[1], "./") {
				continue
			}
			if !pinned.MatchString(match[1]) {
				t.Errorf("%s uses %s, and not a commit with its version as a comment", path, match[1])
			}
			action, _, _ := strings.Cut(match[1], "@")
			if other, ok := commits[action]; ok && other != match[1] {
				t.Errorf("%s uses %s, and another workflow %s", path, match[1], other)
			}
			commits[action] = match[1]
		}
		for name, j := range w.Jobs { // what the pattern may have missed
			for _, s := range j.Steps {
				if s.Uses != "" && commits[strings.Split(s.Uses, "@")[0]] == "" {
					t.Errorf("%s: %s uses %s, which is not written in one line", path, name, s.Uses)
				}
			}
		}
	}
}

// F-U27: what pushes, signs and publishes waits for all workflows of pull requests, which run all steps of the gate.
func TestReleaseNeedsTheGate(t *testing.T) {
	workflows := readWorkflows(t)
	release := workflows["./.github/workflows/release.yaml"]
	publish := release.Jobs["release"]
	var needed, run []string
	for _, name := range publish.Needs.([]any) {
		called := release.Jobs[name.(string)].Uses
		needed = append(needed, called)
		if _, ok := workflows[called].On["workflow_call"]; !ok {
			t.Errorf("%s calls %s, which has no trigger workflow_call", name, called)
		}
		for _, j := range workflows[called].Jobs {
			for _, s := range j.Steps {
				run = append(run, s.Run)
			}
		}
	}
	for path, w := range workflows {
		if _, ok := w.On["pull_request"]; ok && !slices.Contains(needed, path) {
			t.Errorf("the release does not need %s", path)
		}
	}
	steps := regexp.MustCompile(`(?m)^step (make .*?)(?: >.*)?$`).FindAllStringSubmatch(readFile(t, "../.ci/run"), -1)
	if len(steps) < 8 {
		t.Errorf("the gate has the steps %v", steps)
	}
	for _, s := range steps {
		if !slices.Contains(run, s[1]) {
			t.Errorf("no workflow that the release needs runs %s", s[1])
		}
	}
	for name, j := range release.Jobs {
		if name != "release" && len(j.Steps) > 0 {
			t.Errorf("the job %s does not wait for the gate", name)
		}
	}
	signs := slices.IndexFunc(publish.Steps, func(s step) bool { return s.Run == "hack/sign.sh" })
	publishes := slices.IndexFunc(publish.Steps, func(s step) bool { return strings.HasPrefix(s.Run, "gh release create") })
	if signs < 0 || publishes < signs {
		t.Errorf("step %d signs, and step %d publishes", signs, publishes)
	}
}

// F-U27: the notes of a release are the section of exactly its version.
func TestReleaseNotes(t *testing.T) {
	const changelog = "# Changelog\n\n## Unreleased\n\n- next\n\n## 1.2.30\n\n- thirty\n\n## 1.2.3 (2026-01-31)\n\n- three\n\n## 1.2\n\n- two\n"
	for version, want := range map[string]string{
		"v1.2.3":          "## 1.2.3 (2026-01-31)\n\n- three\n\n",
		"v1.2.30":         "## 1.2.30\n\n- thirty\n\n",
		"v0.0.0-snapshot": "## Unreleased\n\n- next\n\n",
		"v1.2.3-rc.1":     "",
		"v1.2.4":          "",
	} {
		cmd := exec.CommandContext(t.Context(), "../hack/notes.sh", version)
		cmd.Stdin = strings.NewReader(changelog)
		out, err := cmd.Output()
		if string(out) != want || (err == nil) != (want != "") {
			t.Errorf("%s: got %q, %v", version, out, err)
		}
	}
}
