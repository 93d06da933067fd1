// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package sources has the command for AlertSources: source.
package sources

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	pagerclient "github.com/gophernetes/bellhop/client/clientset/versioned/typed/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// sourceClient is a client of the AlertSources of a namespace.
type sourceClient = cli.Client[*v1beta1.AlertSource, *v1beta1.AlertSourceList]

func sourcesIn(pager pagerclient.PagerV1beta1Interface, namespace string) sourceClient {
	return pager.AlertSources(namespace)
}

// command is the command source.
type command struct {
	*cli.Environment
	print             string
	operatorNamespace string
}

// Commands returns the command of this package.
func Commands(e *cli.Environment) []*cobra.Command {
	c := &command{Environment: e}
	cmd := &cobra.Command{
		Use:   "source NAME",
		Short: "Show an AlertSource, or print the settings of a program that posts to it",
		Long: `Show an AlertSource: whether programs can post to it, where and with which
credential, when the last post came, and what fires.

With --print it prints the settings of such a program, ready to paste, with the
address of the operator's listener and its certificate authority. Tokens are not
printed: the settings name the file or Secret that has to have the token. The
format ca is the certificate authority alone.

Where you may not read the operator's Deployment, Service or Secret, the names of
an installation by its manifests or its Helm chart are used, and a comment says
where the certificate authority is.`,
		Example: `  # See whether Prometheus posts to a source
  kubectl bellhop source prometheus

  # Print the settings of Prometheus, and the certificate authority as a file
  kubectl bellhop source prometheus --print prometheus
  kubectl bellhop source prometheus --print ca >ca.crt

  # Have Flux post
  kubectl bellhop source flux --print flux | kubectl apply -f -`,
		Args:              cli.OneArgument("NAME", "kubectl get alertsources.pager.k8s.co"),
		ValidArgsFunction: cli.CompleteFirst(c.completeNames()),
		RunE:              func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0]) },
	}
	cmd.Flags().StringVar(&c.print, "print", "", "Print settings, one of: "+strings.Join(formatNames(), ", "))
	cli.CompleteFlag(cmd, "print", cobra.FixedCompletions(formatNames(), cobra.ShellCompDirectiveNoFileComp))
	cmd.Flags().StringVar(&c.operatorNamespace, "operator-namespace", cli.OperatorNamespace, "Namespace of the operator")
	return []*cobra.Command{cmd}
}

func formatNames() []string { return slices.Sorted(maps.Keys(formats)) }

func (c *command) completeNames() cobra.CompletionFunc {
	return cli.Complete(func(ctx context.Context) ([]string, error) {
		pager, err := c.Pager()
		if err != nil {
			return nil, err
		}
		namespace, err := c.Namespace()
		if err != nil {
			return nil, err
		}
		return cli.NamesOf(ctx, sourcesIn(pager, namespace))
	})
}

func (c *command) run(ctx context.Context, name string) error {
	format, known := formats[c.print]
	if c.print != "" && !known {
		return cli.UsageError("--print=%s: must be one of: %s", c.print, strings.Join(formatNames(), ", "))
	}
	namespace, err := c.Namespace()
	if err != nil {
		return err
	}
	pager, err := c.Pager()
	if err != nil {
		return err
	}
	source, err := cli.Get(ctx, sourcesIn(pager, namespace), name)
	if err != nil {
		return err
	}
	listener, err := c.findListener(ctx)
	if err != nil {
		return err
	}
	if c.print == "" {
		return c.show(ctx, pager, source, listener)
	}
	return c.printSettings(ctx, format, source, listener)
}

// printSettings prints the settings of a sender. Problems that keep them from working are on standard error.
func (c *command) printSettings(ctx context.Context, format format, source *v1beta1.AlertSource, listener *listener) error {
	authority, err := c.readAuthority(ctx, listener)
	if err != nil {
		return err
	}
	if c.print == authorityFormat && authority.pem == "" {
		return fmt.Errorf("there is no certificate authority to print: %s", authority.problem)
	}
	for _, note := range notesOf(format, source, listener, authority) {
		fmt.Fprintln(c.ErrOut, "note:", note)
	}
	_, err = fmt.Fprint(c.Out, format.text(source, listener, authority))
	return err
}

// notesOf are the problems that keep a sender with these settings from posting.
func notesOf(format format, source *v1beta1.AlertSource, listener *listener, authority authority) []string {
	var notes []string
	if listener.isOff() {
		notes = append(notes, listener.describe())
	}
	if problem := format.problem(source); problem != "" {
		notes = append(notes, problem)
	}
	if authority.pem == "" {
		notes = append(notes, "the certificate authority is missing: "+authority.problem)
	}
	return notes
}
