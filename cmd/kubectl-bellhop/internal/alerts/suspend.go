// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"context"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// suspension is the command suspend, and the command resume.
type suspension struct {
	e        *cli.Environment
	write    *cli.WriteFlags
	suspends bool
	done     string
}

func newSuspend(e *cli.Environment) *cobra.Command {
	s := &suspension{e: e, write: cli.NewWriteFlags(), suspends: true, done: "suspended"}
	return s.command(&cobra.Command{
		Use:   "suspend RECEIVER...",
		Short: "Have Alerts wait for receivers",
		Long: `Have Alerts wait for receivers: set spec.suspend.

Nothing is sent to a suspended receiver, neither alerts nor resolve
notifications. They wait until the command resume, unless they expire before.

RECEIVER is the name of a Receiver in the namespace, else of a ClusterReceiver;
receiver/NAME and clusterreceiver/NAME say which kind it is.`,
		Example: `  # During maintenance of a mail server
  kubectl bellhop suspend mail
  kubectl bellhop resume mail`,
	})
}

func newResume(e *cli.Environment) *cobra.Command {
	s := &suspension{e: e, write: cli.NewWriteFlags(), done: "resumed"}
	return s.command(&cobra.Command{
		Use:   "resume RECEIVER...",
		Short: "End the suspension of receivers",
		Long: `End the suspension of receivers: remove spec.suspend. The Alerts that wait for them
are sent, and so are the resolve notifications.

RECEIVER is the name of a Receiver in the namespace, else of a ClusterReceiver;
receiver/NAME and clusterreceiver/NAME say which kind it is.`,
		Example: `  # A receiver of the cluster
  kubectl bellhop resume clusterreceiver/oncall`,
	})
}

// command completes a command.
func (s *suspension) command(cmd *cobra.Command) *cobra.Command {
	cmd.Args = func(_ *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cli.WithHint(cli.UsageError("RECEIVER is missing"), "kubectl get receivers.pager.k8s.co,clusterreceivers.pager.k8s.co lists what there is")
		}
		return s.write.Validate()
	}
	cmd.ValidArgsFunction = completeReceivers(s.e)
	cmd.RunE = func(cmd *cobra.Command, args []string) error { return s.run(cmd.Context(), args) }
	s.write.AddFlags(cmd)
	return cmd
}

func (s *suspension) run(ctx context.Context, names []string) error {
	pager, namespace, err := here(s.e)
	if err != nil {
		return err
	}
	finder := receiverFinder{e: s.e, pager: pager, namespace: namespace}
	refs, err := finder.refs(ctx, names)
	if err != nil {
		return err
	}
	for _, ref := range refs {
		if ref.Kind == v1beta1.KindClusterReceiver {
			err = suspend[*v1beta1.ClusterReceiver, *v1beta1.ClusterReceiverList](ctx, s, pager.ClusterReceivers(), ref.Name)
		} else {
			err = suspend[*v1beta1.Receiver, *v1beta1.ReceiverList](ctx, s, pager.Receivers(namespace), ref.Name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// suspend sets or removes spec.suspend of a receiver.
func suspend[T v1beta1.ReceiverObject, L runtime.Object](ctx context.Context, s *suspension, client cli.Client[T, L], name string) error {
	receiver, err := cli.Get(ctx, client, name)
	if err != nil {
		return err
	}
	_, err = cli.Edit(ctx, s.e, s.write, client, receiver, s.done, func(edited T) error {
		edited.Common().Suspend = s.suspends
		return nil
	})
	return err
}
