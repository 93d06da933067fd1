// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package credentials

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"

	"github.com/spf13/cobra"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// Exit codes of shells for a command that cannot be run.
const (
	exitNotExecutable = 126
	exitNotFound      = 127
)

type execOptions struct {
	names nameFlags
	keys  keyFlags
}

func newExec(e *cli.Environment) *cobra.Command {
	o := &execOptions{}
	cmd := &cobra.Command{
		Use:   "exec BINDING [--prefix PREFIX] [--upper-case] [--allow NAME] -- COMMAND [ARGUMENT...]",
		Short: "Run a local command with the credentials of a binding",
		Long: `Run a local command with the credentials of a binding.

The command runs on this machine, and gets each key of the binding's Secret as
a variable of its environment. The credentials are written to no file, and are
in no command line. The command has the terminal and gets the signals; exec ends
with its exit code, with 127 if the command does not exist, and with 126 if it
cannot be run.

The broker chooses keys and values, and some variables have programs run code:
PATH is one. A key becomes a variable if its name is that of an address or of
credentials, such as host, DB_PORT, PGUSER or jdbcUrl. With a --prefix of your
own, such as APP_, all keys do. A prefix that clients know, such as MYSQL_, does
not permit further names. exec warns of the keys that it leaves out, and --allow
sets one nevertheless.

A service that can be reached only from within the cluster needs "connect".`,
		Example: `  # Log in to the database of the binding orders; sh reads the variables
  kubectl bellhop exec orders -- sh -c 'MYSQL_PWD="$password" mysql -h "$host" -u "$username" -D "$database"'

  # Run a program that reads DB_HOST, DB_PORT, ...
  kubectl bellhop exec orders --prefix DB_ --upper-case -- ./migrate up

  # Set a variable that is not one of an address or of credentials
  kubectl bellhop exec orders --allow max_connections -- ./migrate up

  # Begin a shell that has the credentials
  kubectl bellhop exec orders -- bash`,
		Args: func(cmd *cobra.Command, args []string) error {
			binding, command, err := bindingAndCommand(cmd, args)
			if err == nil && len(command) == 0 {
				err = cli.WithHint(cli.UsageError("exec needs a command after --"), "for example %s %s -- env", cmd.CommandPath(), binding)
			}
			return err
		},
		ValidArgsFunction: completeBindingAndCommand(e),
		RunE: func(cmd *cobra.Command, args []string) error {
			return o.run(cmd.Context(), e, args[0], args[1:])
		},
	}
	o.names.addFlags(cmd)
	o.keys.addFlags(cmd, e)
	return cmd
}

func (o *execOptions) run(ctx context.Context, e *cli.Environment, name string, command []string) error {
	if err := o.names.validate(); err != nil {
		return err
	}
	c, err := o.keys.read(ctx, e, name)
	if err != nil {
		return err
	}
	data, err := c.without(o.keys.omit)
	if err != nil {
		return err
	}
	variables, leftOut, err := o.names.variables(data)
	if err != nil {
		return err
	}
	o.names.warnLeftOut(e, leftOut)
	path, err := findCommand(e, command[0])
	if err != nil {
		return err
	}
	return replaceProcess(e, path, command, environment(os.Environ(), variables))
}

// findCommand returns the path of a command. If the command cannot be run, it prints why, and returns the exit code of a shell as an error.
func findCommand(e *cli.Environment, name string) (string, error) {
	path, err := exec.LookPath(name)
	if err == nil {
		return path, nil
	}
	return "", cannotRun(e, name, err)
}

// cannotRun prints why a command cannot be run, and returns the exit code of a shell as an error.
func cannotRun(e *cli.Environment, name string, err error) error {
	var found *exec.Error
	var path *fs.PathError
	switch {
	case errors.As(err, &found):
		err = found.Err
	case errors.As(err, &path):
		err = path.Err
	}
	code := exitNotExecutable
	switch {
	case errors.Is(err, exec.ErrNotFound):
		code = exitNotFound
		fmt.Fprintf(e.ErrOut, "error: command %q not found in the PATH\n", name)
	case errors.Is(err, exec.ErrDot):
		code = exitNotFound
		fmt.Fprintf(e.ErrOut, "error: command %q was found in the current directory only, which is not searched\nhint: write ./%s\n", name, name)
	case errors.Is(err, fs.ErrNotExist):
		code = exitNotFound
		fmt.Fprintf(e.ErrOut, "error: command %q does not exist\n", name)
	default:
		fmt.Fprintf(e.ErrOut, "error: command %q cannot be run: %v\n", name, err)
	}
	return &cli.ExitStatus{Code: code}
}
