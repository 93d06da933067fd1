// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package docs

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
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
			if line := regexp.MustCompile(`(?m)^.*\bsed (?:-\w )*-i .*`).FindString(readFile(t, path)); line != "" {
				t.Errorf("%s: sed of BSD needs a suffix, as in -i.bak: %s", path, line)
			}
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

// A suite without a result has failed, and a name that selects nothing is refused.
func TestMissingSuitesFail(t *testing.T) {
	repo := t.TempDir()
	bin := filepath.Join(repo, "stubs")
	for path, text := range map[string]string{
		"hack/test.sh":            readFile(t, "../hack/test.sh"),
		"internal/stub_test.go":   "package internal\n\nfunc FuzzStub() {}\n\nfunc TestLimits() {}\n",
		"controllers/nothing.txt": "", "webhooks/nothing.txt": "",
		"stubs/make": "#!/bin/sh\n",
		"stubs/go":   "#!/bin/sh\ncase \"$*\" in *' test '*) ${STUB-} ;; esac\n",
	} {
		if err := os.MkdirAll(filepath.Dir(filepath.Join(repo, path)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(repo, path), []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		environ []string
		rc      int
		want    string
	}{
		{[]string{"MODULES=./", "SUITES="}, 0, "2 passed, 0 failed"},
		{[]string{"MODULES=./", "SUITES=", "STUB=rm -r " + filepath.Join(repo, "bin/test")}, 1, "there is no result"},
		{[]string{"MODULES=test/", "SUITES=chart pagr"}, 2, "SUITES has pagr"},
		{[]string{"MODULES=test/", "SUITES= "}, 2, "SUITES is set and has no name"},
		{[]string{"MODULES=demo", "SUITES="}, 2, "MODULES has demo,"},
		{[]string{"MODULES=demo/", "SUITES=chart"}, 2, "SUITES are of the module test/"},
		{[]string{"MODULES=examples/", "SUITES="}, 2, "no suite was selected"},
	} {
		cmd := exec.CommandContext(t.Context(), filepath.Join(repo, "hack/test.sh"))
		cmd.Env = append(append(os.Environ(), "RACE=", "PATH="+bin+":"+os.Getenv("PATH")), test.environ...)
		out, _ := cmd.CombinedOutput()
		if rc := cmd.ProcessState.ExitCode(); rc != test.rc || !strings.Contains(string(out), test.want) {
			t.Errorf("%q: exit code %d, want %d and %q in\n%s", test.environ, rc, test.rc, test.want, out)
		}
	}
}

// The limits of the nightly steps are those of the page, which test/docs compares, and so is their sum.
func TestNightlyLimits(t *testing.T) {
	number := func(digits string) int {
		n, err := strconv.Atoi(digits)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	page := regexp.MustCompile("`make nightly` runs what takes longer, in ([0-9]+) minutes on two cores").FindStringSubmatch(readFile(t, "contributing/testing.md"))
	if page == nil {
		t.Fatal("the page does not say how long the nightly run takes")
	}
	sum := 0
	for _, limit := range regexp.MustCompile(`(?m)^\t[a-z0-9]+\) echo ([0-9]+) ;;$`).FindAllStringSubmatch(readFile(t, "../hack/nightly.sh"), -1) {
		sum += number(limit[1])
	}
	if sum < 100 || sum > number(page[1]) {
		t.Errorf("the steps have %d minutes, and the page says %s", sum, page[1])
	}
}
