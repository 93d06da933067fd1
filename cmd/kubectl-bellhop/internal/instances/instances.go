// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package instances has the commands for ServiceInstances: provision, adopt, update, upgrade, deprovision and retain.
package instances

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// Commands are the commands for ServiceInstances.
func Commands(e *cli.Environment) []*cobra.Command {
	return []*cobra.Command{newProvision(e), newUpdate(e), newUpgrade(e), newDeprovision(e), newAdopt(e), newRetain(e)}
}

// instanceClient is a client of the ServiceInstances of a namespace.
type instanceClient = cli.Client[*v1beta1.ServiceInstance, *v1beta1.ServiceInstanceList]

// clientOf returns a function that returns the client of a namespace.
func clientOf(e *cli.Environment) (func(namespace string) instanceClient, error) {
	services, err := e.Services()
	if err != nil {
		return nil, err
	}
	return func(namespace string) instanceClient { return services.ServiceInstances(namespace) }, nil
}

// Complete completes the names of the ServiceInstances of the namespace.
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
