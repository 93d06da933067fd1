/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

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
