// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package command

import (
	"context"
	"maps"
	"slices"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// completeConnectionFlags completes namespaces from the cluster, and contexts, clusters and users from the kubeconfig.
func completeConnectionFlags(root *cobra.Command, e *cli.Environment) {
	cli.CompleteFlag(root, "namespace", cli.Complete(func(ctx context.Context) ([]string, error) {
		core, err := e.Core()
		if err != nil {
			return nil, err
		}
		list, err := core.Namespaces().List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		var names []string
		for _, namespace := range list.Items {
			names = append(names, namespace.Name)
		}
		return names, nil
	}))
	fromKubeconfig := func(names func(clientcmdapi.Config) []string) cobra.CompletionFunc {
		return cli.Complete(func(context.Context) ([]string, error) {
			config, err := e.Connection.ToRawKubeConfigLoader().RawConfig()
			return names(config), err
		})
	}
	cli.CompleteFlag(root, "context", fromKubeconfig(func(c clientcmdapi.Config) []string { return slices.Collect(maps.Keys(c.Contexts)) }))
	cli.CompleteFlag(root, "cluster", fromKubeconfig(func(c clientcmdapi.Config) []string { return slices.Collect(maps.Keys(c.Clusters)) }))
	cli.CompleteFlag(root, "user", fromKubeconfig(func(c clientcmdapi.Config) []string { return slices.Collect(maps.Keys(c.AuthInfos)) }))
}
