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

// A workflow is a file of .github/workflows. The types have the keys that are permitted: others, such as if, continue-on-error and shell, can have a
// step of the gate skipped, or its failure ignored.
type workflow struct {
	// On are its triggers. YAML takes the key "on" for the value true.
	On          map[string]any    `json:"true"`
	Name        string            `json:"name"`
	Permissions map[string]string `json:"permissions"`
	Concurrency map[string]any    `json:"concurrency"`
	Env         map[string]string `json:"env"`
	Jobs        map[string]job    `json:"jobs"`
}

type job struct {
	RunsOn      any               `json:"runs-on"`
	Timeout     int               `json:"timeout-minutes"`
	Permissions map[string]string `json:"permissions"`
	Uses        string            `json:"uses"`
	Needs       any               `json:"needs"`
	Steps       []step            `json:"steps"`
}

type step struct {
	Name string            `json:"name"`
	Uses string            `json:"uses"`
	With map[string]any    `json:"with"`
	Env  map[string]string `json:"env"`
	Run  string            `json:"run"`
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
		if err := yaml.UnmarshalStrict([]byte(readFile(t, path)), &w); err != nil {
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
// Other triggers, such as issue_comment, run it with the rights of the repository.
func TestPullRequestsRunOnHostedRunners(t *testing.T) {
	hosted := regexp.MustCompile(`^(ubuntu|windows|macos)-[0-9.]+$`)
	permitted := map[string]bool{"push": true, "pull_request": true, "schedule": true, "workflow_call": true}
	count := 0
	for path, w := range readWorkflows(t) {
		for trigger := range w.On {
			if !permitted[trigger] {
				t.Errorf("%s: %s is not a permitted trigger", path, trigger)
			}
		}
		filter, ok := w.On["pull_request"]
		if !ok {
			continue
		}
		if filter != nil || len(w.Permissions) != 1 || w.Permissions["contents"] != "read" {
			t.Errorf("%s: it runs for the pull requests %v, with the permissions %v", path, filter, w.Permissions)
		}
		for name, j := range w.Jobs {
			count++
			if len(j.Permissions) > 0 {
				t.Errorf("%s: %s has the permissions %v", path, name, j.Permissions)
			}
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
			for i, s := range j.Steps {
				run = append(run, s.Run)
				if len(workflows[called].Env)+len(s.Env) > 0 {
					t.Errorf("%s: step %d has variables, and the gate has none", called, i)
				}
				// It compares proto/ with the last release.
				if depth := j.Steps[0].With["fetch-depth"]; s.Run == "make verify" && depth != 0.0 {
					t.Errorf("%s runs make verify in a clone without history: fetch-depth is %v", called, depth)
				}
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
	isOnMain := func(s step) bool { return s.Run == "git merge-base --is-ancestor HEAD origin/main" }
	if depth := publish.Steps[0].With["fetch-depth"]; !isOnMain(publish.Steps[1]) || depth != 0.0 {
		t.Errorf("the release does not begin with the check that its commit is on main, in a clone with history: %v", publish.Steps[:2])
	}
	signs := slices.IndexFunc(publish.Steps, func(s step) bool { return s.Run == "hack/sign.sh" })
	publishes := slices.IndexFunc(publish.Steps, func(s step) bool { return strings.HasPrefix(s.Run, "gh release create") })
	if signs < 0 || publishes < signs {
		t.Fatalf("step %d signs, and step %d publishes", signs, publishes)
	}
	// Without --verify-tag, gh creates a tag that is gone, on the newest commit of main.
	for _, flag := range []string{` --verify-tag `, ` --prerelease="$PRERELEASE" `} {
		if !strings.Contains(publish.Steps[publishes].Run, flag) {
			t.Errorf("gh release create is called without%s", flag)
		}
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
		"v1.2.3-snapshot": "",
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
