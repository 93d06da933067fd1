// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// usage is kubectl's layout of help: connection flags, which all commands have, are in a command of their own.
const usage = `{{if .HasExample}}Examples:
{{.Example}}

{{end}}{{if .HasAvailableSubCommands}}{{range $group := .Groups}}{{.Title}}
{{range $.Commands}}{{if and (eq .GroupID $group.ID) .IsAvailableCommand}}  {{rpad .Name .NamePadding}}  {{.Short}}
{{end}}{{end}}
{{end}}{{end}}{{$flags := localFlags .}}{{if $flags}}Options:
{{$flags}}

{{end}}Usage:
  {{if .HasAvailableSubCommands}}{{.CommandPath}} COMMAND [options]{{else}}{{.UseLine}}{{end}}
{{if .HasAvailableSubCommands}}
Use "{{.CommandPath}} COMMAND --help" for more about a command.{{end}}
Use "` + Name + ` options" for the options of all commands, such as --namespace and --context.
`

const help = `{{with (or .Long .Short)}}{{. | trimTrailingWhitespaces}}

{{end}}{{.UsageString}}`

func setHelp(root *cobra.Command) {
	cobra.AddTemplateFunc("localFlags", func(cmd *cobra.Command) string {
		return strings.TrimRight(LocalFlags(cmd).FlagUsagesWrapped(100), "\n")
	})
	root.SetUsageTemplate(usage)
	root.SetHelpTemplate(help)
	root.SetUsageFunc(nil)
}

// LocalFlags are the flags of a command that not all commands have, without --help.
func LocalFlags(cmd *cobra.Command) *pflag.FlagSet {
	flags := pflag.NewFlagSet(cmd.Name(), pflag.ContinueOnError)
	if cmd.HasParent() {
		cmd.LocalFlags().VisitAll(func(flag *pflag.Flag) {
			if flag.Name != "help" {
				flags.AddFlag(flag)
			}
		})
	}
	return flags
}

func newOptions(e *cli.Environment) *cobra.Command {
	return &cobra.Command{
		Use:   "options",
		Short: "List the options of all commands",
		Args:  cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := fmt.Fprintf(e.Out, "The following options can be passed to any command:\n\n%s", cmd.InheritedFlags().FlagUsagesWrapped(100))
			return err
		},
	}
}

func newExitCodes(e *cli.Environment) *cobra.Command {
	const text = `A command ends with one of these exit codes:

  0    Success. With --wait: the object is ready, or gone.
  1    The API server refused the request or could not be reached, or a local
       command failed.
  2    The command line is wrong. Nothing was sent.
  3    With --wait: a person has to change something before the object can become
       ready; the message says what. Of doctor: there are problems.
  4    --timeout has passed. The operator continues by itself.
  130  Interrupted by Ctrl-C or SIGTERM. connect without a command ends with 0.

exec, and connect with a command, end with the exit code of that command.
`
	return &cobra.Command{
		Use:   "exit-codes",
		Short: "Explain the exit codes, for scripts",
		Long:  text,
		Args:  cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := fmt.Fprint(e.Out, text)
			return err
		},
	}
}
