// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

type relist struct {
	scope
	write *cli.WriteFlags
	wait  cli.WaitFlags
}

func newRelist(e *cli.Environment) *cobra.Command {
	r := &relist{scope: scope{e: e}, write: cli.NewWriteFlags()}
	cmd := &cobra.Command{
		Use:   "relist NAME",
		Short: "Refresh the catalog of a broker now",
		Long: `Refresh the catalog of a broker now, and do not wait for the next time. Also a
broker that failed, and is retried seldom, gets a request at once.`,
		Example: `  # After the broker got a new plan
  kubectl bellhop relist acme --wait`,
		Args:              cli.OneArgument("NAME", "kubectl get clusterservicebrokers,servicebrokers"),
		ValidArgsFunction: cli.CompleteFirst(r.complete()),
		RunE:              func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), args[0]) },
	}
	r.addFlag(cmd)
	r.wait.AddFlags(cmd, "the catalog is fetched", time.Minute)
	r.write.AddFlags(cmd)
	return cmd
}

func (r *relist) run(ctx context.Context, name string) error {
	if err := r.write.Validate(); err != nil {
		return err
	}
	r.write.HoldFor(&r.wait)
	if r.namespaced {
		client, err := r.localBrokers()
		if err != nil {
			return err
		}
		return readAgain(ctx, r, client, name)
	}
	client, err := r.clusterBrokers()
	if err != nil {
		return err
	}
	return readAgain(ctx, r, client, name)
}

func readAgain[T v1beta1.Broker, L runtime.Object](ctx context.Context, r *relist, client cli.Client[T, L], name string) error {
	broker, err := cli.Get(ctx, client, name)
	if err != nil {
		return err
	}
	broker, err = cli.Edit(ctx, r.e, r.write, client, broker, "reads its catalog", func(edited T) error {
		edited.Common().RelistRequests++
		return nil
	})
	if err != nil {
		return err
	}
	return cli.Finish(ctx, r.e, r.write, &r.wait, client, broker)
}
