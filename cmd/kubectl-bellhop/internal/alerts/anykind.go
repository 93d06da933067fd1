// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

// anyTarget is an object of any kind that the user names.
type anyTarget struct {
	mapping *meta.RESTMapping
	client  cli.AnyClient
	object  *unstructured.Unstructured
}

func (t anyTarget) kind() string { return t.mapping.GroupVersionKind.Kind }

// validateAny wants at least one argument, each as KIND/NAME.
func validateAny(args []string) error {
	if len(args) == 0 {
		return cli.UsageError("name an object as KIND/NAME, such as deployment/orders")
	}
	for _, arg := range args {
		if _, _, err := cli.ParseKindName(arg); err != nil {
			return cli.UsageError("%w", err)
		}
	}
	return nil
}

// findAny reads the objects that arguments name.
func findAny(ctx context.Context, e *cli.Environment, args []string) ([]anyTarget, error) {
	namespace, err := e.Namespace()
	if err != nil {
		return nil, err
	}
	var targets []anyTarget
	for _, arg := range args {
		kind, name, _ := strings.Cut(arg, "/")
		mapping, client, err := e.AnyKind(kind, namespace)
		if err != nil {
			return nil, kinds.WithMissingGroup(ctx, e, err, kind)
		}
		object, err := cli.Get(ctx, client, name)
		if err != nil {
			return nil, err
		}
		targets = append(targets, anyTarget{mapping, client, object})
	}
	return targets, nil
}

// completeAny completes KIND/NAME with the kinds that the operator watches by default, and with the objects that a label selector selects.
func completeAny(e *cli.Environment, selector string) cobra.CompletionFunc {
	return cli.CompleteKindName(e, selector, watchedKinds)
}

// watchedKinds returns the kinds that the operator watches without --page-kinds, such as deployment/.
func watchedKinds() ([]string, error) {
	resources, err := healthrules.ParseWatched("")
	if err != nil {
		return nil, err
	}
	var names []string
	for _, resource := range resources {
		names = append(names, strings.TrimSuffix(resource.Resource, "s")+"/")
	}
	return names, nil
}
