// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instances

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

type deprovision struct {
	e         *cli.Environment
	write     *cli.WriteFlags
	wait      cli.WaitFlags
	selection cli.Selection
	unbind    bool
}

func newDeprovision(e *cli.Environment) *cobra.Command {
	d := &deprovision{e: e, write: cli.NewWriteFlags()}
	cmd := &cobra.Command{
		Use:   "deprovision NAME...",
		Short: "Deprovision services: delete ServiceInstances",
		Long: `Deprovision services: delete ServiceInstances. The broker deletes the service and
its data. An instance that has ServiceBindings is refused, unless --unbind
deletes these, too.

To keep the service at the broker, use kubectl bellhop retain before.`,
		Example: `  # One service and all bindings to it, and wait until the broker has confirmed that
  kubectl bellhop deprovision orders --unbind --wait`,
		ValidArgsFunction: Complete(e),
		RunE:              func(cmd *cobra.Command, args []string) error { return d.run(cmd.Context(), args) },
	}
	d.selection.AddFlags(cmd)
	cmd.Flags().BoolVar(&d.unbind, "unbind", false, "Delete also the ServiceBindings of the instances")
	d.wait.AddFlags(cmd, "the services are gone", 5*time.Minute)
	d.write.AddFlags(cmd)
	return cmd
}

func (d *deprovision) run(ctx context.Context, names []string) error {
	if err := d.write.Validate(); err != nil {
		return err
	}
	client, err := clientOf(d.e)
	if err != nil {
		return err
	}
	instances, err := cli.Select(ctx, d.e, &d.selection, names, client)
	if err != nil {
		return err
	}
	for _, instance := range instances {
		if err := d.removeBindings(ctx, instance); err != nil {
			return err
		}
		if err := cli.Delete(ctx, d.e, d.write, client(instance.Namespace), instance); err != nil {
			return err
		}
	}
	return cli.FinishGone(ctx, d.e, d.write, &d.wait, client, instances...)
}

// removeBindings deletes the bindings of an instance, or fails if there are any and --unbind is not given.
func (d *deprovision) removeBindings(ctx context.Context, instance *v1beta1.ServiceInstance) error {
	services, err := d.e.Services()
	if err != nil {
		return err
	}
	client := services.ServiceBindings(instance.Namespace)
	all, err := cli.List[*v1beta1.ServiceBinding, *v1beta1.ServiceBindingList](ctx, client, metav1.ListOptions{})
	if err != nil {
		return err
	}
	var names []string
	for _, binding := range all {
		if binding.Spec.InstanceRef.Name != instance.Name || !binding.DeletionTimestamp.IsZero() {
			continue
		}
		names = append(names, binding.Name)
		if d.unbind {
			if err := cli.Delete[*v1beta1.ServiceBinding, *v1beta1.ServiceBindingList](ctx, d.e, d.write, client, binding); err != nil {
				return err
			}
		}
	}
	if len(names) > 0 && !d.unbind {
		return cli.WithHint(fmt.Errorf("%s has ServiceBindings: %s", cli.ResourceName(instance), strings.Join(names, ", ")),
			"--unbind deletes them, too; applications lose their credentials")
	}
	return nil
}
