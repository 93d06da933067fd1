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
)

// A run is one way in which a script or a workflow starts a make target or a script of hack/: its words, with variables as NAME=VALUE.
type run []string

// runs are what the gate, the nightly run and the workflows start, directly and through other scripts and targets.
type runs map[string][]run

var (
	// started is the start of a make target or a script at the beginning of a command. $(MAKE) is in recipes.
	started = regexp.MustCompile(`(?:^|^\s*-?\s*(?:run: |echo .* \| )?|&& |\|\| |; |\{ |\| |\$\()(?:step |if |! |sudo \S+ )*((?:[A-Z_]+=(?:"[^"]*"|\S*) )*)(make\b|\$\(MAKE\)|hack/[\w-]+\.sh\b)([^|&;>)]*)`)
	// comment is a comment of a script or a Makefile.
	comment = regexp.MustCompile(`(^|\s)#.*`)
	// target is a rule of the Makefile, with its prerequisites and its recipe.
	target = regexp.MustCompile(`(?m)^([a-z0-9-]+):(.*)\n((?:\t.*\n)*)`)
	// exampleOnly are the variables whose values are examples on a page, and which do not select what a command does.
	exampleOnly = []string{"IMG", "MINUTES", "VERSION"}
	// part are the variables that reduce a run to a part of what the command does without them.
	part = regexp.MustCompile(`^(MODULES|STEPS|SUITES)=`)
)

// readRuns reads the scripts from their roots on.
func readRuns(t *testing.T) runs {
	t.Helper()
	makefile := readFile(t, "../Makefile")
	workflows, err := filepath.Glob("../.github/workflows/*.y*ml")
	if err != nil {
		t.Fatal(err)
	}
	found := runs{}
	for name, roots := range map[string][]string{"gate": {"../.ci/run"}, "nightly": {"../hack/nightly.sh"}, "workflow": workflows} {
		for _, root := range roots {
			found.add(t, name, makefile, readFile(t, root))
		}
	}
	found["gate"] = append(found["gate"], run{".ci/run"})
	for _, path := range workflows {
		found["workflow"] = append(found["workflow"], run{strings.TrimPrefix(path, "../")})
	}
	found["nightly"] = append(found["nightly"], run{"make", "nightly"}, run{"hack/nightly.sh"})
	return found
}

// add adds what a script starts, and what that starts.
func (r runs) add(t *testing.T, name, makefile, script string) {
	t.Helper()
	for line := range strings.Lines(script) {
		for _, match := range started.FindAllStringSubmatch(comment.ReplaceAllString(strings.TrimRight(line, "\n"), ""), -1) {
			words := append(run{strings.Replace(match[2], "$(MAKE)", "make", 1)}, shellWords(match[1]+match[3])...)
			r.addRun(t, name, makefile, words)
		}
	}
}

func (r runs) addRun(t *testing.T, name, makefile string, words run) {
	t.Helper()
	if slices.ContainsFunc(r[name], func(known run) bool { return slices.Equal(known, words) }) {
		return
	}
	r[name] = append(r[name], words)
	if words[0] != "make" {
		r.add(t, name, makefile, readFile(t, filepath.Join("..", words[0])))
		for _, rule := range target.FindAllStringSubmatch(makefile, -1) {
			recipe := strings.Fields(rule[3])
			isRun := strings.Count(rule[3], "\n") == 1 && recipe[0] == words[0] // the target only runs the script
			isRun = isRun && (len(words) == 1 || isVariable(words[1]) || strings.HasPrefix(words[1], "-"))
			if isRun && !slices.ContainsFunc(recipe, func(word string) bool { return strings.HasPrefix(word, "-") && !words.has(word) }) {
				r[name] = append(r[name], append(run{"make", rule[1]}, words[1:]...))
			}
		}
		return
	}
	for _, rule := range target.FindAllStringSubmatch(makefile, -1) {
		if slices.Contains(words[1:], rule[1]) {
			prerequisites, _, _ := strings.Cut(rule[2], "##")
			for prerequisite := range strings.FieldsSeq(prerequisites) {
				r.addRun(t, name, makefile, run{"make", prerequisite})
			}
			r.add(t, name, makefile, strings.ReplaceAll(rule[3], "\t", ""))
		}
	}
}

// has reports whether the gate, the nightly run or a workflow starts each target of a command with the command's variables, or its script with
// its arguments.
func (r runs) has(name, command string) bool {
	words := shellWords(command)
	program := slices.IndexFunc(words, func(word string) bool { return !isVariable(word) })
	if program < 0 {
		return false
	}
	if packages, isTest := strings.CutPrefix(command, "go test ./"); isTest && name == "gate" { // hack/test.sh tests all packages of the main module
		tests, _ := filepath.Glob(filepath.Join("..", packages, "*_test.go"))
		return len(tests) > 0
	}
	var variables, targets []string
	for i, word := range words {
		switch {
		case isVariable(word):
			variables = append(variables, word)
		case i != program:
			targets = append(targets, word)
		}
	}
	starts := func(wanted ...string) bool {
		return slices.ContainsFunc(r[name], func(known run) bool {
			wanted := append(slices.Clone(wanted), variables...)
			isPart := slices.ContainsFunc(known, func(word string) bool { return part.MatchString(word) && !slices.Contains(wanted, word) })
			return known[0] == words[program] && !isPart && !slices.ContainsFunc(wanted, func(word string) bool { return !known.has(word) })
		})
	}
	if words[program] != "make" {
		return starts(targets...)
	}
	return len(targets) > 0 && !slices.ContainsFunc(targets, func(target string) bool { return !starts(target) })
}

// has reports whether a run has a word of a command. A variable whose value is an example may be missing.
func (r run) has(word string) bool {
	name, value, _ := strings.Cut(word, "=")
	return slices.Contains(exampleOnly, name) || slices.Contains(r, word) ||
		value == "…" && slices.ContainsFunc(r, func(known string) bool { return strings.HasPrefix(known, name+"=") })
}

func isVariable(word string) bool { return regexp.MustCompile(`^[A-Z_]+=`).MatchString(word) }

// shellWords splits a command into its words, without their quotes.
func shellWords(command string) (words []string) {
	for _, word := range regexp.MustCompile(`(?:"[^"]*"|'[^']*'|[^\s"'])+`).FindAllString(command, -1) {
		words = append(words, strings.NewReplacer(`"`, "", `'`, "").Replace(word))
	}
	return words
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestRuns(t *testing.T) {
	known := readRuns(t)
	for _, tc := range []struct {
		command string
		runners string
	}{
		{"make build", "gate workflow nightly"},
		{"make test", "gate workflow"},
		{"make test MODULES=./", ""},
		{"make demo", "gate workflow"},
		{"make manifests", "gate workflow"}, // by make generate, in hack/verify.sh
		{"make docker-build IMG=registry.example.com/bellhop:v1", "gate workflow"},
		{"make docker-build docker-push IMG=…", ""},
		{"make sweep", "gate workflow nightly"},
		{"make sweep ARGS=-variants", "nightly"},
		{"make sweep FULL=1", ""},
		{"make soak MINUTES=20", "nightly"},
		{"make test-e2e", "nightly workflow"},
		{"make vulncheck", "workflow"},
		{"make release VERSION=v1.2.3", "nightly workflow"}, // the version is in the environment
		{"make image IMG=…", "nightly workflow"},            // by hack/e2e.sh and hack/release.sh
		{"make push IMG=…", ""},
		{"make plugin", "gate nightly workflow"}, // by hack/size.sh and hack/release.sh; hack/plugin.sh local does less
		{"make helm ARGS=…", "workflow"},
		{"go test ./internal/outbound", "gate"},
		{"go test ./internal/unknown", ""},
		{"make release", "nightly workflow"},
		{"make undeploy", ""}, // a message of hack/undeploy.sh names it
		{"hack/notifiers.sh", "nightly"},
		{"make", ""},
	} {
		for _, name := range []string{"gate", "nightly", "workflow"} {
			if got, want := known.has(name, tc.command), slices.Contains(strings.Fields(tc.runners), name); got != want {
				t.Errorf("%s runs %s: got %v", name, tc.command, got)
			}
		}
	}
}
