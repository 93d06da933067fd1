// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alerts

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

// unwatch is the command unwatch.
type unwatch struct {
	e     *cli.Environment
	write *cli.WriteFlags
}

func newUnwatch(e *cli.Environment) *cobra.Command {
	u := &unwatch{e: e, write: cli.NewWriteFlags()}
	cmd := &cobra.Command{
		Use:   "unwatch KIND/NAME...",
		Short: "Send no alert any more when an object fails",
		Long: `Send no alert any more when an object fails: remove the label pager.k8s.co/page
and the annotations that kubectl bellhop watch sets.

The operator resolves a firing Alert about the object after 60 seconds.`,
		Example: `  # Undo kubectl bellhop watch
  kubectl bellhop unwatch deployment/orders`,
		Args: func(_ *cobra.Command, args []string) error {
			if err := validateAny(args); err != nil {
				return err
			}
			return u.write.Validate()
		},
		ValidArgsFunction: completeAny(e, healthrules.Selector),
		RunE:              func(cmd *cobra.Command, args []string) error { return u.run(cmd.Context(), args) },
	}
	u.write.AddFlags(cmd)
	return cmd
}

func (u *unwatch) run(ctx context.Context, args []string) error {
	targets, err := findAny(ctx, u.e, args)
	if err != nil {
		return err
	}
	for _, target := range targets {
		if _, ok := target.object.GetLabels()[v1beta1.PageLabel]; !ok {
			fmt.Fprintf(u.e.ErrOut, "note: %s has no label %s\n", cli.ResourceName(target.object), v1beta1.PageLabel)
		}
		if _, err := cli.Edit(ctx, u.e, u.write, target.client, target.object, "is no longer watched", removeWatched); err != nil {
			return err
		}
	}
	return nil
}

// removeWatched removes label and annotations.
func removeWatched(object *unstructured.Unstructured) error {
	labels := object.GetLabels()
	delete(labels, v1beta1.PageLabel)
	object.SetLabels(labels)
	annotations := object.GetAnnotations()
	for _, name := range healthrules.AskAnnotations {
		delete(annotations, name)
	}
	object.SetAnnotations(annotations)
	return nil
}
