// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/genericiooptions"
)

// maxColumns is the width of help texts.
const maxColumns = 84

// allCommands returns the commands of a tree, without those of cobra.
func allCommands(root *cobra.Command) (all []*cobra.Command) {
	for _, cmd := range root.Commands() {
		if cmd.IsAvailableCommand() {
			all = append(all, cmd)
		}
		all = append(all, allCommands(cmd)...)
	}
	return all
}

func newTestRoot() *cobra.Command { return New(genericiooptions.NewTestIOStreamsDiscard()) }

func TestExamplesAreValidCommandLines(t *testing.T) {
	for _, cmd := range allCommands(newTestRoot()) {
		t.Run(cmd.Name(), func(t *testing.T) {
			lines := commandLines(cmd.Example)
			if cmd.Example != "" && len(lines) == 0 {
				t.Errorf("the examples have no line with %q", Name)
			}
			for _, line := range lines {
				if err := checkCommandLine(line); err != nil {
					t.Errorf("%s %s: %v", Name, strings.Join(line, " "), err)
				}
			}
		})
	}
}

// checkCommandLine does what cobra does before it runs a command.
func checkCommandLine(args []string) error {
	cmd, rest, err := newTestRoot().Find(args)
	if err != nil {
		return err
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err
	}
	if err := cmd.ValidateArgs(cmd.Flags().Args()); err != nil {
		return err
	}
	if err := cmd.ValidateRequiredFlags(); err != nil {
		return err
	}
	return cmd.ValidateFlagGroups()
}

func TestTextsOfCommands(t *testing.T) {
	trivial := []string{"options", "exit-codes"}
	for _, cmd := range allCommands(newTestRoot()) {
		t.Run(cmd.Name(), func(t *testing.T) {
			if cmd.Short == "" || strings.HasSuffix(cmd.Short, ".") {
				t.Errorf("Short is %q", cmd.Short)
			}
			if !slices.Contains(trivial, cmd.Name()) && (cmd.Example == "" || cmd.Long == "") {
				t.Error("a text is missing: Long, or Example")
			}
			if cmd.ValidArgsFunction == nil && len(cmd.ValidArgs) == 0 && cmd.Args == nil {
				t.Error("Args does not say what arguments are right")
			}
			for line := range strings.Lines(cmd.Long) {
				if line = strings.TrimSuffix(line, "\n"); utf8.RuneCountInString(line) > maxColumns {
					t.Errorf("a line of Long has %d characters: %s", utf8.RuneCountInString(line), line)
				}
			}
			if usage := LocalFlags(cmd).FlagUsages(); strings.Contains(usage, "(default )") {
				t.Errorf("an option has an empty default: %s", usage)
			}
			for line := range strings.Lines(cmd.Example) {
				if strings.TrimSpace(line) != "" && !strings.HasPrefix(line, "  ") {
					t.Errorf("a line of Example is not indented: %s", line)
				}
			}
		})
	}
}

// commandLines returns the arguments of each call of the plugin in a shell script.
func commandLines(script string) (all [][]string) {
	script = strings.ReplaceAll(script, "\\\n", " ")
	for line := range strings.Lines(script) {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for {
			_, after, found := strings.Cut(line, Name+" ")
			if !found {
				break
			}
			args, rest := splitArgs(after)
			all, line = append(all, args), rest
		}
	}
	return all
}

// splitArgs splits a command line as a shell does: up to a pipe, a redirection, a separator, a comment, or the end of a substitution. It
// returns what follows. Variables stay as they are.
func splitArgs(line string) (args []string, rest string) {
	var arg strings.Builder
	inArg, quote := false, rune(0)
	end := func() {
		if inArg {
			args = append(args, arg.String())
		}
		arg.Reset()
		inArg = false
	}
	for i, r := range line {
		switch {
		case quote != 0 && r == quote:
			quote = 0
		case quote != 0:
			arg.WriteRune(r)
		case r == '\'' || r == '"':
			quote, inArg = r, true
		case strings.ContainsRune("|><;&)", r) || r == '#' && !inArg:
			end()
			return args, line[i:]
		case r == ' ' || r == '\n':
			end()
		default:
			arg.WriteRune(r)
			inArg = true
		}
	}
	end()
	return args, ""
}

func TestCommandLines(t *testing.T) {
	script := "  # kubectl bellhop comment\n  kubectl bellhop page \"db is down\" --to 'a b' --title=\"x y\"\n" +
		"  eval \"$(kubectl bellhop creds orders -o env)\"\n  kubectl bellhop exec orders -- psql \\\n    -c 'select 1;' # runs psql\n" +
		"  kubectl bellhop provision x -o yaml >x.yaml && kubectl bellhop tree | less\n  kubectl bellhop page \"\"\n"
	want := [][]string{
		{"page", "db is down", "--to", "a b", "--title=x y"},
		{"creds", "orders", "-o", "env"},
		{"exec", "orders", "--", "psql", "-c", "select 1;"},
		{"provision", "x", "-o", "yaml"},
		{"tree"},
		{"page", ""},
	}
	got := commandLines(script)
	if !slices.EqualFunc(got, want, slices.Equal) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCheckCommandLine(t *testing.T) {
	for _, line := range []string{"version", "options", "exit-codes --namespace x", "version -v=6"} {
		if err := checkCommandLine(strings.Fields(line)); err != nil {
			t.Errorf("%s: %v", line, err)
		}
	}
	for _, line := range []string{"versoin", "version x", "version --unknown"} {
		if err := checkCommandLine(strings.Fields(line)); err == nil {
			t.Errorf("%s is accepted", line)
		}
	}
}
