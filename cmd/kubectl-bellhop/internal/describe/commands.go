// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package describe shows one object for a person: its properties, the meaning of its conditions, and advice.
package describe

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	coreclient "k8s.io/client-go/kubernetes/typed/core/v1"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
)

// Commands returns the command of this package.
func Commands(e *cli.Environment) []*cobra.Command {
	return []*cobra.Command{{
		Use:   "describe KIND/NAME... | KIND NAME...",
		Short: "Explain the state of an object, and what to do",
		Long: `Explain the state of an object, and what to do.

It prints what the object is, its conditions with what each reason means and what
to do, the deliveries of an alert, the operation in progress at a broker, and
recent events.

KIND is alert, receiver, clusterreceiver, broker, instance or binding, in
singular or plural, or a full name such as
serviceinstance.servicecatalog.k8s.io. A broker is a ServiceBroker of the
namespace or a ClusterServiceBroker.`,
		Example: `  # Why an alert was not sent
  kubectl bellhop describe alert/disk-full

  # Why an instance is not ready
  kubectl bellhop describe instance orders-db

  # Two objects at once
  kubectl bellhop describe broker/acme binding/orders`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return cli.UsageError("name an object as KIND/NAME, such as alert/disk-full")
			}
			return nil
		},
		ValidArgsFunction: kinds.CompleteTargets(e, kinds.WithConditions, false),
		RunE:              func(cmd *cobra.Command, args []string) error { return run(cmd.Context(), e, args) },
	}}
}

func run(ctx context.Context, e *cli.Environment, args []string) error {
	targets, err := kinds.ParseTargets(args, kinds.WithConditions)
	if err != nil {
		return err
	}
	clients, err := kinds.NewClients(e)
	if err != nil {
		return err
	}
	core, err := e.Core()
	if err != nil {
		return err
	}
	namespace, err := e.Namespace()
	if err != nil {
		return err
	}
	d := &describer{clients: clients, core: core}
	for i, target := range targets {
		object, err := kinds.Find(ctx, clients, namespace, target)
		if err != nil {
			return err
		}
		if i > 0 {
			fmt.Fprintln(e.Out)
		}
		t := &text{}
		if err := d.describe(ctx, t, object); err != nil {
			return err
		}
		if _, err := e.Out.Write(t.Bytes()); err != nil {
			return err
		}
	}
	d.unreadable.Print(e.ErrOut)
	return nil
}

// describer reads the objects that belong to the objects that it describes.
type describer struct {
	clients    *kinds.Clients
	core       coreclient.CoreV1Interface
	unreadable kinds.Unreadable
}

// describe writes all sections of an object.
func (d *describer) describe(ctx context.Context, t *text, object cli.Object) error {
	if err := d.identify(ctx, t, object); err != nil {
		return err
	}
	describeOperation(t, object)
	describeConditions(t, object)
	describeDeliveries(t, object)
	return d.describeEvents(ctx, t, object)
}
