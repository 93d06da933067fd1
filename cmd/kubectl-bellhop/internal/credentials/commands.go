// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package credentials has the commands that hand the credentials of a ServiceBinding to the user and to local programs.
package credentials

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	servicecatalogv1beta1 "github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// Commands returns creds, exec and connect.
func Commands(e *cli.Environment) []*cobra.Command {
	return []*cobra.Command{newCreds(e), newExec(e), newConnect(e)}
}

// completeBinding completes the first argument with the names of ServiceBindings.
func completeBinding(e *cli.Environment) cobra.CompletionFunc {
	return cli.CompleteFirst(cli.Complete(func(ctx context.Context) ([]string, error) {
		client, err := bindings(e)
		if err != nil {
			return nil, err
		}
		return cli.NamesOf[*servicecatalogv1beta1.ServiceBinding, *servicecatalogv1beta1.ServiceBindingList](ctx, client)
	}))
}

// completeKey completes a flag with the keys of the binding that is the first argument.
func completeKey(e *cli.Environment, flags *keyFlags) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		complete := cli.Complete(func(ctx context.Context) ([]string, error) {
			if len(args) == 0 {
				return nil, nil
			}
			c, err := flags.read(ctx, e, args[0])
			if err != nil {
				return nil, err
			}
			return slices.Collect(maps.Keys(c.data)), nil
		})
		return complete(cmd, nil, prefix)
	}
}

// completeBindingAndCommand completes a binding, and leaves further arguments to the shell.
func completeBindingAndCommand(e *cli.Environment) cobra.CompletionFunc {
	binding := completeBinding(e)
	return func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveDefault
		}
		return binding(cmd, args, prefix)
	}
}

// oneBinding checks that the arguments are the name of one binding.
func oneBinding(cmd *cobra.Command, args []string) error {
	if len(args) == 1 {
		return nil
	}
	return cli.WithHint(cli.UsageError("%s takes the name of one ServiceBinding, and got %d arguments", cmd.Name(), len(args)),
		"kubectl get servicebindings lists them")
}

// bindingAndCommand splits the arguments into the name of a binding, and the command after --. Without -- there is no command.
func bindingAndCommand(cmd *cobra.Command, args []string) (binding string, command []string, err error) {
	dash := cmd.ArgsLenAtDash()
	if dash < 0 {
		dash = len(args)
	}
	switch {
	case dash == 1:
		return args[0], args[1:], nil
	case dash > 1 && cmd.ArgsLenAtDash() < 0:
		err = cli.WithHint(cli.UsageError("%s takes the name of one ServiceBinding, and got %d arguments", cmd.Name(), dash),
			"put -- before the command: %s %s -- %s", cmd.CommandPath(), args[0], strings.Join(args[1:], " "))
	default:
		err = cli.WithHint(cli.UsageError("%s takes the name of one ServiceBinding before --, and got %d", cmd.Name(), dash),
			"kubectl get servicebindings lists them")
	}
	return "", nil, err
}

// plural is "key" or "keys".
func plural(noun string, n int) string {
	if n == 1 {
		return noun
	}
	return noun + "s"
}

// quotedList is a list of names for a message, such as "a", "b".
func quotedList(names []string) string {
	quoted := make([]string, 0, len(names))
	for _, name := range names {
		quoted = append(quoted, fmt.Sprintf("%q", name))
	}
	return strings.Join(quoted, ", ")
}
