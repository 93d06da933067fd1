// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package brokers has the commands for brokers: register, deregister and relist.
package brokers

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// Commands are the commands for brokers.
func Commands(e *cli.Environment) []*cobra.Command {
	return []*cobra.Command{newRegister(e), newDeregister(e), newRelist(e)}
}

type (
	clusterClient = cli.Client[*v1beta1.ClusterServiceBroker, *v1beta1.ClusterServiceBrokerList]
	localClient   = cli.Client[*v1beta1.ServiceBroker, *v1beta1.ServiceBrokerList]
)

// scope is --namespaced, the flag for the kind of brokers that a command is about.
type scope struct {
	e          *cli.Environment
	namespaced bool
}

func (s *scope) addFlag(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&s.namespaced, "namespaced", false, "A ServiceBroker of the namespace, and not a ClusterServiceBroker")
}

// label names a broker of the scope as KIND/NAME.
func (s *scope) label(name string) string {
	if s.namespaced {
		return "ServiceBroker/" + name
	}
	return "ClusterServiceBroker/" + name
}

func (s *scope) clusterBrokers() (clusterClient, error) {
	services, err := s.e.Services()
	if err != nil {
		return nil, err
	}
	return services.ClusterServiceBrokers(), nil
}

func (s *scope) localBrokers() (localClient, error) {
	services, err := s.e.Services()
	if err != nil {
		return nil, err
	}
	namespace, err := s.e.Namespace()
	if err != nil {
		return nil, err
	}
	return services.ServiceBrokers(namespace), nil
}

// complete completes the names of brokers of the scope.
func (s *scope) complete() cobra.CompletionFunc {
	return cli.Complete(func(ctx context.Context) ([]string, error) {
		if s.namespaced {
			client, err := s.localBrokers()
			if err != nil {
				return nil, err
			}
			return cli.NamesOf(ctx, client)
		}
		client, err := s.clusterBrokers()
		if err != nil {
			return nil, err
		}
		return cli.NamesOf(ctx, client)
	})
}
