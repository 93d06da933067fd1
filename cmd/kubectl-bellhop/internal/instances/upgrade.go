// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instances

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/marketplace"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

type upgrade struct {
	e         *cli.Environment
	write     *cli.WriteFlags
	wait      cli.WaitFlags
	selection cli.Selection
}

func newUpgrade(e *cli.Environment) *cobra.Command {
	u := &upgrade{e: e, write: cli.NewWriteFlags()}
	cmd := &cobra.Command{
		Use:   "upgrade NAME...",
		Short: "Upgrade services to the version that their plan offers",
		Long: `Upgrade services to the maintenance version that their plan offers now.
A service that has this version already is not changed.`,
		Example: `  # One service
  kubectl bellhop upgrade orders --wait

  # All services of a team
  kubectl bellhop upgrade -l team=shop`,
		ValidArgsFunction: Complete(e),
		RunE:              func(cmd *cobra.Command, args []string) error { return u.run(cmd.Context(), args) },
	}
	u.selection.AddFlags(cmd)
	u.wait.AddFlags(cmd, "the broker has finished the upgrade", provisionTimeout)
	u.write.AddFlags(cmd)
	return cmd
}

func (u *upgrade) run(ctx context.Context, names []string) error {
	if err := u.write.Validate(); err != nil {
		return err
	}
	u.write.HoldFor(&u.wait)
	client, err := clientOf(u.e)
	if err != nil {
		return err
	}
	instances, err := cli.Select(ctx, u.e, &u.selection, names, client)
	if err != nil {
		return err
	}
	var upgraded []*v1beta1.ServiceInstance
	for _, instance := range instances {
		offers, err := marketplace.Read(ctx, u.e, instance.Namespace)
		if err != nil {
			return err
		}
		version, has := versions(offers, instance)
		if version == "" || version == has {
			fmt.Fprintf(u.e.Out, "%s is up to date%s\n", cli.ResourceName(instance), suffix(has))
			continue
		}
		changed, err := cli.Edit(ctx, u.e, u.write, client(instance.Namespace), instance, fmt.Sprintf("upgrades from %s to %s", orUnknown(has), version),
			func(edited *v1beta1.ServiceInstance) error {
				edited.Spec.UpdateRequests++
				return nil
			})
		if err != nil {
			return err
		}
		upgraded = append(upgraded, changed)
	}
	for _, instance := range upgraded {
		if err := cli.Finish(ctx, u.e, u.write, &u.wait, client(instance.Namespace), instance); err != nil {
			return err
		}
	}
	return nil
}

// versions returns the version that the plan of an instance offers, and the one that the instance has.
func versions(offers *marketplace.Catalog, instance *v1beta1.ServiceInstance) (offered, has string) {
	reference, _ := catalog.ReferenceOf(instance.Spec.PlanReference)
	_, plan := offers.Find(reference)
	if plan != nil && plan.Common().MaintenanceInfo != nil {
		offered = plan.Common().MaintenanceInfo.Version
	}
	if properties := instance.Status.ExternalProperties; properties != nil {
		has = properties.MaintenanceVersion
	}
	return offered, has
}

func suffix(version string) string {
	if version == "" {
		return ""
	}
	return ": it has version " + version
}

func orUnknown(version string) string {
	if version == "" {
		return "an unknown version"
	}
	return version
}
