// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package marketplace

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// CompleteClasses completes the names of classes.
func CompleteClasses(e *cli.Environment) cobra.CompletionFunc {
	return cli.Complete(func(ctx context.Context) ([]string, error) {
		c, err := readHere(ctx, e)
		if err != nil {
			return nil, err
		}
		var names []string
		for _, class := range c.Classes {
			names = append(names, class.Common().ExternalName)
		}
		return names, nil
	})
}

// CompletePlans completes the names of the plans of the class that className returns.
func CompletePlans(e *cli.Environment, className func() string) cobra.CompletionFunc {
	return cli.Complete(func(ctx context.Context) ([]string, error) {
		c, err := readHere(ctx, e)
		if err != nil {
			return nil, err
		}
		class, err := c.Class(className(), "")
		if err != nil {
			return nil, err
		}
		var names []string
		for _, plan := range c.PlansOf(class) {
			names = append(names, plan.Common().ExternalName)
		}
		return names, nil
	})
}

// completeClassPlans completes CLASS/PLAN.
func completeClassPlans(e *cli.Environment) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		className, _, hasPlan := strings.Cut(prefix, "/")
		if !hasPlan {
			classes, directive := CompleteClasses(e)(cmd, args, prefix)
			for i := range classes {
				classes[i] += "/"
			}
			return classes, directive | cobra.ShellCompDirectiveNoSpace
		}
		plans, directive := CompletePlans(e, func() string { return className })(cmd, nil, strings.TrimPrefix(prefix, className+"/"))
		for i := range plans {
			plans[i] = className + "/" + plans[i]
		}
		return plans, directive
	}
}

// readHere reads the catalog that the command's namespace can use.
func readHere(ctx context.Context, e *cli.Environment) (*Catalog, error) {
	namespace, err := e.Namespace()
	if err != nil {
		return nil, err
	}
	return Read(ctx, e, namespace)
}
