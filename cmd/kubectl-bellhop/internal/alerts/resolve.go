// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// resolve is the command resolve.
type resolve struct {
	e         *cli.Environment
	write     *cli.WriteFlags
	wait      cli.WaitFlags
	selection cli.Selection
	deletes   bool
}

func newResolve(e *cli.Environment) *cobra.Command {
	r := &resolve{e: e, write: cli.NewWriteFlags()}
	cmd := &cobra.Command{
		Use:   "resolve NAME...|-l SELECTOR|-f MANIFEST",
		Short: "Resolve Alerts, and notify their receivers",
		Long: `Resolve Alerts: set their state to Resolved.

The operator sends a resolve notification to the receivers that were notified.
Receivers that have no message yet get none. The Alerts are kept, unless
--delete is given: a deletion resolves them, too.`,
		Example: `  # Resolve an Alert
  kubectl bellhop resolve disk-full

  # Resolve all Alerts of an application, and wait until their receivers confirmed it
  kubectl bellhop resolve -l app=orders --wait

  # Resolve an Alert, and delete it once its receivers confirmed it
  kubectl bellhop resolve disk-full --delete --wait`,
		Args:              func(*cobra.Command, []string) error { return r.write.Validate() },
		ValidArgsFunction: completeAlerts(e, isFiring),
		RunE:              func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), args) },
	}
	r.selection.AddFlags(cmd)
	cmd.Flags().BoolVar(&r.deletes, "delete", false, "Delete the Alerts, which resolves them")
	r.wait.AddFlags(cmd, "every receiver that was notified has received the resolve", defaultTimeout)
	r.write.AddFlags(cmd)
	return cmd
}

func (r *resolve) run(ctx context.Context, names []string) error {
	pager, err := r.e.Pager()
	if err != nil {
		return err
	}
	client := func(namespace string) alertClient { return alertsIn(pager, namespace) }
	alerts, err := cli.Select(ctx, r.e, &r.selection, names, client)
	if err != nil {
		return err
	}
	if r.deletes {
		return r.remove(ctx, client, alerts)
	}
	for i, alert := range alerts {
		if alerts[i], err = cli.Edit(ctx, r.e, r.write, client(alert.Namespace), alert, "resolved", setState(v1beta1.AlertResolved)); err != nil {
			return err
		}
	}
	if !r.wait.Wait || !r.write.Stores() {
		return nil
	}
	ctx, cancel := r.wait.Context(ctx) // --timeout is for all of them
	defer cancel()
	for _, alert := range alerts {
		if r.write.Prints() {
			_, err = waitDelivered(ctx, r.e, &r.wait, client(alert.Namespace), alert)
		} else {
			err = waitAndPrint(ctx, r.e, &r.wait, client(alert.Namespace), alert)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// remove deletes Alerts. They are gone once their receivers know that they are over.
func (r *resolve) remove(ctx context.Context, client func(namespace string) alertClient, alerts []*v1beta1.Alert) error {
	for _, alert := range alerts {
		if err := cli.Delete(ctx, r.e, r.write, client(alert.Namespace), alert); err != nil {
			return err
		}
	}
	return cli.FinishGone(ctx, r.e, r.write, &r.wait, client, alerts...)
}

// setState returns an edit that sets the state of an Alert.
func setState(state v1beta1.AlertState) func(*v1beta1.Alert) error {
	return func(alert *v1beta1.Alert) error {
		alert.Spec.State = state
		return nil
	}
}
