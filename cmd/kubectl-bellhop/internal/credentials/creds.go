// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/cli-runtime/pkg/printers"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// formats are the values of --output.
var formats = []string{"env", "dotenv", "json", "yaml"}

type credsOptions struct {
	names  nameFlags
	keys   keyFlags
	output string
	key    string
}

func newCreds(e *cli.Environment) *cobra.Command {
	o := &credsOptions{}
	cmd := &cobra.Command{
		Use:   "creds BINDING [-o env|dotenv|json|yaml | --key KEY]",
		Short: "Print the credentials of a binding",
		Long: `Print the credentials of a binding.

The credentials are in the Secret of a ServiceBinding. By default each key is
a line "export NAME='value'" for a shell. Characters that no variable can have
become _ in its name. Keys of the Secret that the binding did not write are left
out, unless --all-keys is given. So are keys whose variable is not that of an
address or of credentials, with a warning, unless --prefix or --allow is given:
see "exec". JSON and YAML have all keys.

"exec" runs one command with the credentials, which then appear on no screen and
in no file.`,
		Example: `  # Print the credentials of the binding orders
  kubectl bellhop creds orders

  # Set them as variables of this shell: DB_HOST, DB_PORT, ...
  eval "$(kubectl bellhop creds orders --prefix DB_ --upper-case)"

  # Write them into a file for a program that reads .env files
  kubectl bellhop creds orders -o dotenv > .env

  # Print the password alone
  kubectl bellhop creds orders --key password

  # Take a field of them in a script
  kubectl bellhop creds orders -o json | jq -r .uri`,
		Args:              oneBinding,
		ValidArgsFunction: completeBinding(e),
		RunE: func(cmd *cobra.Command, args []string) error {
			if err := o.validate(cmd); err != nil {
				return err
			}
			return o.run(cmd.Context(), e, args[0])
		},
	}
	cmd.Flags().StringVarP(&o.output, "output", "o", "env", "Output format, one of: "+strings.Join(formats, ", "))
	cmd.Flags().StringVar(&o.key, "key", "", "Print only the value of this key of the Secret, as it is")
	o.names.addFlags(cmd)
	o.keys.addFlags(cmd, e)
	cli.CompleteFlag(cmd, "output", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
	cli.CompleteFlag(cmd, "key", completeKey(e, &o.keys))
	return cmd
}

func (o *credsOptions) validate(cmd *cobra.Command) error {
	if err := o.names.validate(); err != nil {
		return err
	}
	given := cmd.Flags().Changed
	switch {
	case given("key") && (given("output") || o.names.isSet() || len(o.keys.omit) > 0):
		return cli.UsageError("--key prints one value as it is: --output, --prefix, --upper-case, --allow and --omit do not go with it")
	case given("key") && o.key == "":
		return cli.UsageError("--key is empty: it names a key of the Secret")
	case o.output != "env" && o.output != "dotenv" && o.output != "json" && o.output != "yaml":
		return cli.UsageError("--output=%s: must be one of %s", o.output, strings.Join(formats, ", "))
	case (o.output == "json" || o.output == "yaml") && o.names.isSet():
		return cli.UsageError("--prefix, --upper-case and --allow name variables: --output=%s has the keys of the Secret", o.output)
	}
	return nil
}

func (o *credsOptions) run(ctx context.Context, e *cli.Environment, name string) error {
	c, err := o.keys.read(ctx, e, name)
	if err != nil {
		return err
	}
	if o.key != "" {
		value, err := c.get(o.key)
		if err != nil {
			return err
		}
		return writeRaw(e.Raw.Out, value, printers.IsTerminal(e.Raw.Out))
	}
	data, err := c.without(o.keys.omit)
	if err != nil {
		return err
	}
	switch o.output {
	case "json":
		return writeJSON(e.Data(), data)
	case "yaml":
		return writeYAML(e.Data(), data)
	}
	variables, leftOut, err := o.names.variables(data)
	if err != nil {
		return err
	}
	o.names.warnLeftOut(e, leftOut)
	if o.output == "dotenv" {
		return writeDotenv(e.Data(), variables)
	}
	return writeExports(e.Data(), variables)
}
