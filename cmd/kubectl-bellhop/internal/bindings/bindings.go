// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package bindings has the commands for ServiceBindings: bind, unbind and rotate.
package bindings

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// Commands are the commands for ServiceBindings.
func Commands(e *cli.Environment) []*cobra.Command {
	return []*cobra.Command{newBind(e), newUnbind(e), newRotate(e)}
}

// bindingClient is a client of the ServiceBindings of a namespace.
type bindingClient = cli.Client[*v1beta1.ServiceBinding, *v1beta1.ServiceBindingList]

// clientOf returns a function that returns the client of a namespace.
func clientOf(e *cli.Environment) (func(namespace string) bindingClient, error) {
	services, err := e.Services()
	if err != nil {
		return nil, err
	}
	return func(namespace string) bindingClient { return services.ServiceBindings(namespace) }, nil
}

// Complete completes the names of the ServiceBindings of the namespace.
func Complete(e *cli.Environment) cobra.CompletionFunc {
	return cli.Complete(func(ctx context.Context) ([]string, error) {
		namespace, err := e.Namespace()
		if err != nil {
			return nil, err
		}
		client, err := clientOf(e)
		if err != nil {
			return nil, err
		}
		return cli.NamesOf(ctx, client(namespace))
	})
}
