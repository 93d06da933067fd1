// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package tree shows how objects belong together: broker, classes, plans, instances, bindings and Secrets; alert and receivers, and where alerts are from.
package tree

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
)

// Commands returns the command of this package.
func Commands(e *cli.Environment) []*cobra.Command {
	o := &options{Environment: e}
	cmd := &cobra.Command{
		Use:   "tree [KIND/NAME | KIND NAME]",
		Short: "Show what belongs to what, and in which state it is",
		Long: `Show what belongs to what, and in which state it is.

  broker                its classes, their plans, and of each plan the instances
                        with their bindings, Secrets and Pods
  instance or binding   broker, class and plan in the first line, and what
                        belongs to it below
  alert                 its receivers, with the state of each delivery
  source                the alerts that were made of its posts, with their
                        receivers
  receiver              the alerts that go there, with the state of each
                        delivery

Without an argument: all brokers and all alerts. Instances, bindings and alerts
are those of the namespace, or with --all-namespaces of all namespaces.

The Pods below a binding are those that use its Secret and have not ended: the
first 10, and in JSON all of them.

What you may not read is left out, and a note on standard error says so.`,
		Example: `  # All brokers and alerts of this namespace
  kubectl bellhop tree

  # What uses a broker, in all namespaces
  kubectl bellhop tree broker/acme -A

  # Where an instance comes from, and which bindings and Secrets it has
  kubectl bellhop tree instance/orders-db

  # Which receivers have confirmed an alert
  kubectl bellhop tree alert/disk-full

  # For scripts
  kubectl bellhop tree instance/orders-db -o json`,
		Args:              cobra.MaximumNArgs(2),
		ValidArgsFunction: kinds.CompleteTargets(e, kinds.WithConditions, true),
		RunE:              func(cmd *cobra.Command, args []string) error { return o.run(cmd.Context(), args) },
	}
	o.output.AddFlag(cmd)
	cmd.Flags().BoolVarP(&o.allNamespaces, "all-namespaces", "A", false, "Show instances, bindings and alerts of all namespaces")
	cmd.Flags().BoolVar(&o.ascii, "ascii", false, "Draw branches in ASCII; default where TERM is dumb")
	return []*cobra.Command{cmd}
}

type options struct {
	*cli.Environment
	output               cli.DataOutput
	allNamespaces, ascii bool
}

func (o *options) run(ctx context.Context, args []string) error {
	if err := o.output.Validate(); err != nil {
		return err
	}
	targets, err := kinds.ParseTargets(args, kinds.WithConditions)
	if err != nil {
		return err
	}
	if len(targets) > 1 {
		return cli.UsageError("tree shows one object: name it as KIND/NAME")
	}
	b, err := o.newBuilder()
	if err != nil {
		return err
	}
	var printed any
	var roots []*Node
	if len(targets) == 0 {
		if b.groups, err = o.InstalledGroups(ctx); err != nil { // no group is installed: the error of the first request names the missing one
			return err
		}
		roots, err = b.everything(ctx)
		printed = roots
	} else if roots, err = b.of(ctx, targets[0]); err == nil {
		printed = roots[0]
	}
	if err != nil {
		return err
	}
	b.unreadable.Print(o.ErrOut)
	if len(roots) == 0 && len(b.unreadable) > 0 && o.output.IsText() {
		_, err := fmt.Fprintln(o.ErrOut, "There is nothing that you may read")
		return err
	}
	if len(roots) == 0 && o.output.IsText() {
		_, err := fmt.Fprintln(o.ErrOut, noneFound(b.groups))
		return err
	}
	return o.print(roots, printed)
}

// noneFound says that there is nothing to show of these API groups.
func noneFound(groups []string) string {
	if len(groups) == 1 {
		return map[string]string{cli.PagerGroup: "No alerts found", cli.ServicesGroup: "No brokers found"}[groups[0]]
	}
	return "No brokers and no alerts found"
}

func (o *options) print(roots []*Node, printed any) error {
	if !o.output.IsText() {
		return o.output.Print(o.Environment, printed)
	}
	style := unicode
	if o.ascii || os.Getenv("TERM") == "dumb" {
		style = ascii
	}
	return printTree(o.Out, roots, style, o.allNamespaces)
}

func (o *options) newBuilder() (*builder, error) {
	clients, err := kinds.NewClients(o.Environment)
	if err != nil {
		return nil, err
	}
	core, err := o.Core()
	if err != nil {
		return nil, err
	}
	own, err := o.Namespace()
	if err != nil {
		return nil, err
	}
	b := &builder{clients: clients, core: core, own: own, namespace: own, pods: map[string][]*corev1.Pod{}}
	if o.allNamespaces {
		b.namespace = ""
	}
	return b, nil
}

// errNoObject is the error for an object of a kind without a tree, which a list never has.
var errNoObject = errors.New("the object has no tree")
