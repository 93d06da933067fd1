// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instances

import (
	"context"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

func newAdopt(e *cli.Environment) *cobra.Command {
	p := &provision{e: e, write: cli.NewWriteFlags()}
	cmd := &cobra.Command{
		Use:   "adopt NAME --class CLASS [--plan PLAN] --external-id ID",
		Short: "Use a service that the broker already has",
		Long: `Use a service that the broker already has: create a ServiceInstance with the id
under which the broker knows it. Plan and parameters have to be those that the
service has.

The service is not removed with the ServiceInstance, since this did not create
it, unless --delete-with-object is given. See "Import an
instance" in the documentation.`,
		Example: `  # The database that another cluster created
  kubectl bellhop adopt orders --class postgres --plan small -p region=eu --external-id 0f4f77f4-1c8e-4c3b-8d9b-0d2c5f3a7e11`,
		Args: cli.OneArgument("NAME", "kubectl get serviceinstances"),
		RunE: func(cmd *cobra.Command, args []string) error { return p.adopt(cmd.Context(), args) },
	}
	p.addFlags(cmd)
	cmd.Flags().StringVar(&p.externalID, "external-id", "", "The id under which the broker knows the service")
	cmd.Flags().BoolVar(&p.deleteAdopted, "delete-with-object", false, "Remove the service when the ServiceInstance is deleted")
	return cmd
}

func (p *provision) adopt(ctx context.Context, args []string) error {
	if err := p.write.Validate(); err != nil {
		return err
	}
	p.write.HoldFor(&p.wait)
	if p.externalID == "" {
		return cli.WithHint(cli.UsageError("--external-id is missing"), "kubectl bellhop provision orders a new service")
	}
	instance, err := p.start(args)
	if err != nil {
		return err
	}
	instance.Spec.ExternalID = p.externalID
	if p.deleteAdopted {
		metav1.SetMetaDataAnnotation(&instance.ObjectMeta, v1beta1.DeletionPolicyAnnotation, v1beta1.DeletionPolicyDelete)
	}
	return p.create(ctx, instance)
}
