// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package main

import (
	"bytes"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/command"
)

func TestPageOfTheCommands(t *testing.T) {
	t.Setenv("HOME", "/home/jane")
	root := command.New(genericiooptions.NewTestIOStreamsDiscard())
	page := string(render(root))
	if strings.Contains(page, "jane") {
		t.Error("the page depends on who makes it")
	}
	anchors := map[string]bool{}
	for _, heading := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		anchors[strings.ReplaceAll(strings.ToLower(heading[1]), " ", "-")] = true
	}
	for _, link := range regexp.MustCompile(`\(#([^)]+)\)`).FindAllStringSubmatch(page, -1) {
		if !anchors[link[1]] {
			t.Errorf("nothing has the anchor %s", link[1])
		}
	}
	for _, cmd := range root.Commands() {
		if cmd.IsAvailableCommand() && !strings.Contains(page, "\n## kubectl bellhop "+cmd.Name()+"\n") {
			t.Errorf("%s is missing; it needs a GroupID", cmd.Name())
		}
	}
	if again := render(command.New(genericiooptions.NewTestIOStreamsDiscard())); string(again) != page {
		t.Error("the page is another one the second time")
	}
}

func TestCommandSection(t *testing.T) {
	root := &cobra.Command{Use: "kubectl-bellhop", Annotations: map[string]string{cobra.CommandDisplayNameAnnotation: "kubectl bellhop"}}
	cmd := &cobra.Command{
		Use:     "page TEXT",
		Long:    "Page people about <text>.\n\nSeverities:\n  Info      nobody is woken\n  Critical  all are\nThe end_of_it.",
		Example: "  # Page the default receiver\n  kubectl bellhop page \"db is down\"",
		Run:     func(*cobra.Command, []string) {},
	}
	cmd.Flags().StringP("severity", "s", "Warning", "`SEVERITY` is Info|Critical")
	cmd.Flags().Bool("wait", false, "Wait")
	root.AddCommand(cmd)
	var out bytes.Buffer
	writeCommand(&out, cmd)
	want := strings.ReplaceAll(`
## kubectl bellhop page

Page people about \<text>.

Severities:

    Info      nobody is woken
    Critical  all are

The end\_of\_it.

'''sh
kubectl bellhop page TEXT [options]
'''

'''sh
# Page the default receiver
kubectl bellhop page "db is down"
'''

| option | default | meaning |
| --- | --- | --- |
| '-s, --severity SEVERITY' | 'Warning' | SEVERITY is Info\|Critical |
| '--wait' | | Wait |
`, "'", "`")
	if got := out.String(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestWrite(t *testing.T) {
	path := filepath.Join(t.TempDir(), "page.md")
	for _, text := range []string{"one", "one", "two"} {
		if err := write(path, []byte(text)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != text {
			t.Errorf("got %q, %v", got, err)
		}
	}
}
