// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instances

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/marketplace"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/parameters"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

type update struct {
	e          *cli.Environment
	write      *cli.WriteFlags
	wait       cli.WaitFlags
	parameters parameters.Flags
	plan       string
	repeat     bool
}

func newUpdate(e *cli.Environment) *cobra.Command {
	u := &update{e: e, write: cli.NewWriteFlags()}
	cmd := &cobra.Command{
		Use:   "update NAME [--plan PLAN] [-p KEY=VALUE]...",
		Short: "Change the plan or the parameters of a service",
		Long: `Change the plan or the parameters of a service. Parameters that are not named stay
as they are; KEY- removes one, and --params replaces all. They are checked
against the schema of the plan before anything is sent.

With --repeat the request is sent again although nothing has changed, as after a
refusal whose cause is gone.`,
		Example: `  # Another plan
  kubectl bellhop update orders --plan large --wait

  # Set one parameter, and remove another
  kubectl bellhop update orders -p storage=20 -p backup-`,
		Args:              cli.OneArgument("NAME", "kubectl get serviceinstances"),
		ValidArgsFunction: cli.CompleteFirst(Complete(e)),
		RunE:              func(cmd *cobra.Command, args []string) error { return u.run(cmd.Context(), args[0]) },
	}
	cmd.Flags().StringVar(&u.plan, "plan", "", "The new plan: its name in the catalog, its id there, or the name of its object")
	cmd.Flags().BoolVar(&u.repeat, "repeat", false, "Ask the broker again although nothing has changed")
	u.parameters.AddFlags(cmd)
	u.wait.AddFlags(cmd, "the broker has finished the change", provisionTimeout)
	u.write.AddFlags(cmd)
	cli.CompleteFlag(cmd, "plan", func(cmd *cobra.Command, args []string, prefix string) ([]string, cobra.ShellCompDirective) {
		return marketplace.CompletePlans(e, func() string { return u.className(cmd.Context(), args) })(cmd, nil, prefix)
	})
	return cmd
}

// className is the class of the instance that is named on the command line, for completion.
func (u *update) className(ctx context.Context, args []string) string {
	if len(args) == 0 {
		return ""
	}
	_, instance, err := find(ctx, u.e, args[0])
	if err != nil {
		return ""
	}
	reference, _ := catalog.ReferenceOf(instance.Spec.PlanReference)
	return reference.Class
}

// find reads an instance of the command's namespace.
func find(ctx context.Context, e *cli.Environment, name string) (instanceClient, *v1beta1.ServiceInstance, error) {
	namespace, err := e.Namespace()
	if err != nil {
		return nil, nil, err
	}
	client, err := clientOf(e)
	if err != nil {
		return nil, nil, err
	}
	instance, err := cli.Get(ctx, client(namespace), name)
	return client(namespace), instance, err
}

func (u *update) run(ctx context.Context, name string) error {
	if err := u.write.Validate(); err != nil {
		return err
	}
	u.write.HoldFor(&u.wait)
	if u.plan == "" && !u.parameters.IsSet() && !u.repeat {
		return cli.UsageError("nothing to change: give --plan, --param, --params, --params-secret or --repeat")
	}
	client, instance, err := find(ctx, u.e, name)
	if err != nil {
		return err
	}
	offers, err := marketplace.Read(ctx, u.e, instance.Namespace)
	if err != nil {
		return err
	}
	instance, err = cli.Edit(ctx, u.e, u.write, client, instance, "updated", func(edited *v1beta1.ServiceInstance) error {
		return u.edit(ctx, offers, edited)
	})
	if err != nil {
		return err
	}
	return cli.Finish(ctx, u.e, u.write, &u.wait, client, instance)
}

// edit applies the flags to an instance.
func (u *update) edit(ctx context.Context, offers *marketplace.Catalog, instance *v1beta1.ServiceInstance) error {
	spec := &instance.Spec
	reference, errs := catalog.ReferenceOf(spec.PlanReference)
	if len(errs) > 0 {
		return errs.ToAggregate()
	}
	class, plan := offers.Find(reference)
	if u.plan != "" {
		if class == nil {
			return cli.UsageError("class %q of %s is not in a catalog that can be read", reference.Class, cli.ResourceName(instance))
		}
		var err error
		if plan, err = offers.Plan(class, u.plan); err != nil {
			return err
		}
		reference.NamePlan(&spec.PlanReference, plan)
	}
	if u.repeat {
		spec.UpdateRequests++
	}
	if !u.parameters.IsSet() {
		return nil
	}
	return u.parameters.Complete(ctx, u.e, instance, class, plan, marketplace.ForUpdate, &spec.Parameters, &spec.ParametersFrom)
}
