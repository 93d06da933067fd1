// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instances

import (
	"context"

	"github.com/spf13/cobra"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

type retain struct {
	e         *cli.Environment
	write     *cli.WriteFlags
	selection cli.Selection
	off       bool
	bindings  bool
}

func newRetain(e *cli.Environment) *cobra.Command {
	r := &retain{e: e, write: cli.NewWriteFlags()}
	cmd := &cobra.Command{
		Use:   "retain NAME...",
		Short: "Keep services at the broker when their objects are deleted",
		Long: `Keep services at the broker when their ServiceInstances are deleted: set their
deletion policy to Retain. It can be set at any time, also while a deletion waits
for a broker that does not answer: then the object is released.

With --bindings the names are those of ServiceBindings.`,
		Example: `  # Delete the object, and keep the database
  kubectl bellhop retain orders
  kubectl bellhop deprovision orders

  # Remove the service with its object again
  kubectl bellhop retain orders --off`,
		ValidArgsFunction: Complete(e),
		RunE:              func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), args) },
	}
	r.selection.AddFlags(cmd)
	cmd.Flags().BoolVar(&r.off, "off", false, "Remove the policy: the service is removed with its object")
	cmd.Flags().BoolVar(&r.bindings, "bindings", false, "The names are those of ServiceBindings")
	r.write.AddFlags(cmd)
	return cmd
}

func (r *retain) run(ctx context.Context, names []string) error {
	if err := r.write.Validate(); err != nil {
		return err
	}
	services, err := r.e.Services()
	if err != nil {
		return err
	}
	if r.bindings {
		return setPolicy(ctx, r, names, func(namespace string) cli.Client[*v1beta1.ServiceBinding, *v1beta1.ServiceBindingList] {
			return services.ServiceBindings(namespace)
		})
	}
	return setPolicy(ctx, r, names, func(namespace string) instanceClient { return services.ServiceInstances(namespace) })
}

// setPolicy sets or removes the deletion policy of the selected objects.
func setPolicy[T cli.Object, L runtime.Object](ctx context.Context, r *retain, names []string, client func(string) cli.Client[T, L]) error {
	objects, err := cli.Select(ctx, r.e, &r.selection, names, client)
	if err != nil {
		return err
	}
	done := "is retained"
	if r.off {
		done = "is removed with its object"
	}
	for _, object := range objects {
		_, err := cli.Edit(ctx, r.e, r.write, client(object.GetNamespace()), object, done, func(edited T) error {
			annotations := edited.GetAnnotations()
			if annotations == nil {
				annotations = map[string]string{}
			}
			switch policy := annotations[v1beta1.DeletionPolicyAnnotation]; {
			case !r.off:
				annotations[v1beta1.DeletionPolicyAnnotation] = v1beta1.DeletionPolicyRetain
			case policy == v1beta1.DeletionPolicyRetain:
				delete(annotations, v1beta1.DeletionPolicyAnnotation)
			}
			edited.SetAnnotations(annotations)
			return nil
		})
		if err != nil {
			return err
		}
	}
	return nil
}
