// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package doctor looks for problems that keep Bellhop from working: in the cluster, in the rights of the user, and in the objects of a namespace.
package doctor

import (
	"context"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/takeover"
)

// Commands returns the command of this package.
func Commands(e *cli.Environment) []*cobra.Command {
	o := &options{Environment: e}
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Find what is wrong with Bellhop, and say how to correct it",
		Long: `Find what is wrong with Bellhop, and say how to correct it.

It checks the version of Kubernetes, the CustomResourceDefinitions, the webhooks
with their certificates, the operator and its leader, your rights, and the
objects of the namespace. Where one API group alone is installed, it checks
nothing of the other. It reports two operators that serve the same group. It
reports brokers, receivers and sources of alerts that are not ready, instances,
bindings and alerts that wait for a person, deletions that do not end, and
Secrets of bindings that are missing. Of sources it reports those that nothing
posts to, and those whose alerts fire past their end as nothing is posted. Of
objects that are watched for failures it reports those about which no alert is
sent. Of Pods with the label bellhop.gophernetes.io/inject=true it reports those
that get no credentials, and those that started before their credentials were
replaced.

Each check has one line: ok, warning, problem or skipped. A check is skipped
where you may not read what it needs. Each finding says what to do. Nothing is
changed: objects are created as server-side dry runs only.

With --take-over it records instead that Bellhop takes over the objects that the
original service-catalog created in this cluster, and prints their number before.
Until then nothing is sent for them and they are not released. The original
must not run any more.

The exit code is 3 if there is a problem, and else 0, also where there are
warnings.`,
		Example: `  # Check the cluster and this namespace
  kubectl bellhop doctor

  # Check the objects of all namespaces
  kubectl bellhop doctor -A

  # See what of the original service-catalog would be taken over, and take it over
  kubectl bellhop doctor --take-over --dry-run
  kubectl bellhop doctor --take-over

  # Fail a pipeline if something is wrong, and keep the findings
  kubectl bellhop doctor -o json > findings.json`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return o.run(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.BoolVarP(&o.allNamespaces, "all-namespaces", "A", false, "Check the objects of all namespaces")
	o.output.AddFlag(cmd)
	flags.StringVar(&o.operatorNamespace, "operator-namespace", cli.OperatorNamespace, "Namespace of the operator")
	flags.DurationVar(&o.stuckAfter, "stuck-after", 5*time.Minute, "How long a deletion may take before it is a finding")
	flags.BoolVar(&o.takesOver, "take-over", false, "Record that the objects of the original service-catalog are taken over, and check nothing")
	flags.BoolVar(&o.dryRun, "dry-run", false, "With --take-over: say what would be taken over, and record nothing")
	flags.StringVar(&o.clusterID, "cluster-id", "", "With --take-over: the id by which brokers know this cluster; default: that of the original's ConfigMap cluster-info")
	return []*cobra.Command{cmd}
}

type options struct {
	*cli.Environment
	allNamespaces     bool
	output            cli.DataOutput
	operatorNamespace string
	stuckAfter        time.Duration
	takesOver, dryRun bool
	clusterID         string
}

func (o *options) run(ctx context.Context) error {
	if err := o.output.Validate(); err != nil {
		return err
	}
	if !o.takesOver && (o.dryRun || o.clusterID != "") {
		return cli.UsageError("--dry-run and --cluster-id are for --take-over")
	}
	p, err := o.newInspector()
	if err != nil {
		return err
	}
	if o.takesOver {
		return p.takeOver().Run(ctx)
	}
	if err := p.findInstallations(ctx); err != nil {
		return err
	}
	r := &Report{Checks: []Check{}, Findings: []Finding{}}
	progress := o.Progress()
	if progress != io.Discard {
		progress = o.Raw.ErrOut // each line replaces the one before
	}
	for _, c := range checks {
		if c.group != "" && !p.hasGroup(c.group) {
			continue
		}
		fmt.Fprintf(progress, "checking %s …\r", c.id)
		result, err := c.run(ctx, p)
		if err != nil {
			return err
		}
		r.add(c.id, result)
	}
	fmt.Fprint(progress, "\x1b[2K\r")
	if err := o.print(r); err != nil {
		return err
	}
	if r.hasProblem() {
		return &cli.ExitStatus{Code: cli.ExitStalled}
	}
	return nil
}

// takeOver returns the Recorder that --take-over runs.
func (i *inspector) takeOver() *takeover.Recorder {
	return &takeover.Recorder{
		Out: i.Out, Core: i.core, Services: i.clients.Services, OperatorNamespace: i.operatorNamespace, ClusterID: i.clusterID, DryRun: i.dryRun, Now: i.now,
	}
}

func (o *options) print(r *Report) error {
	if !o.output.IsText() {
		return o.output.Print(o.Environment, r)
	}
	return r.print(o.Out)
}

// colors of statuses on a terminal.
var colors = map[Status]string{OK: "\x1b[32m", Warning: "\x1b[33m", Problem: "\x1b[31m"}

// print writes a line for each check, and below it the findings.
func (r *Report) print(w io.Writer) error {
	for _, c := range r.Checks {
		if err := cli.WriteColored(w, colors[c.Status], fmt.Sprintf("%-8s", c.Status)); err != nil {
			return err
		}
		if _, err := fmt.Fprintf(w, "  %-12s  %s\n", c.ID, c.Message); err != nil {
			return err
		}
		for _, f := range r.Findings {
			if f.Check == c.ID {
				fmt.Fprintf(w, "          - %s: %s: %s\n            fix: %s\n", f.Severity, f.label(), f.Message, f.Fix)
			}
		}
	}
	_, err := fmt.Fprintln(w, "\n"+r.summary())
	return err
}
