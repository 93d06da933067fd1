// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instances

import (
	"context"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/marketplace"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/parameters"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// provisionTimeout is how long --wait waits by default: brokers take minutes for a database.
const provisionTimeout = 15 * time.Minute

type provision struct {
	e                   *cli.Environment
	write               *cli.WriteFlags
	wait                cli.WaitFlags
	parameters          parameters.Flags
	class, plan, broker string
	externalID          string
	labels              map[string]string
	filenames           []string
	deleteAdopted       bool
}

func newProvision(e *cli.Environment) *cobra.Command {
	p := &provision{e: e, write: cli.NewWriteFlags()}
	cmd := &cobra.Command{
		Use:   "provision NAME --class CLASS [--plan PLAN] [-p KEY=VALUE]...",
		Short: "Provision a service: create a ServiceInstance",
		Long: `Provision a service at a broker: create a ServiceInstance.

The parameters are checked against the schema of the plan before anything is
sent. With --filename the ServiceInstance in a manifest is created, after the
same check; the flags change it.`,
		Example: `  # A small database, and wait until it is there
  kubectl bellhop provision orders --class postgres --plan small -p region=eu --wait

  # With parameters from a file, and a password from the Secret orders-parameters
  kubectl bellhop provision orders --class postgres --plan small --params orders.yaml --params-secret orders-parameters/admin

  # Only print the manifest, to keep it in Git
  kubectl bellhop provision orders --class postgres --plan small -p region=eu --dry-run=client -o yaml

  # From a manifest on standard input
  kubectl bellhop provision -f -`,
		Args: cli.AtMostOneArgument("NAME"),
		RunE: func(cmd *cobra.Command, args []string) error { return p.run(cmd.Context(), args) },
	}
	p.addFlags(cmd)
	cmd.Flags().StringSliceVarP(&p.filenames, "filename", "f", nil, "File with the manifest of a ServiceInstance; - is standard input")
	return cmd
}

func (p *provision) addFlags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&p.class, "class", "", "The service: its name in the catalog, its id there, or the name of its object")
	cmd.Flags().StringVar(&p.plan, "plan", "", "The plan, named in the same ways; may be left out if the class has only one")
	cmd.Flags().StringVar(&p.broker, "broker", "", "The broker, where several offer a class of this name")
	cmd.Flags().StringToStringVar(&p.labels, "labels", nil, "Labels of the ServiceInstance, as app=orders,team=shop")
	p.parameters.AddFlags(cmd)
	p.wait.AddFlags(cmd, "the service is there", provisionTimeout)
	p.write.AddFlags(cmd)
	cli.CompleteFlag(cmd, "class", marketplace.CompleteClasses(p.e))
	cli.CompleteFlag(cmd, "plan", marketplace.CompletePlans(p.e, func() string { return p.class }))
}

func (p *provision) run(ctx context.Context, args []string) error {
	if err := p.write.Validate(); err != nil {
		return err
	}
	p.write.HoldFor(&p.wait)
	instance, err := p.start(args)
	if err != nil {
		return err
	}
	return p.create(ctx, instance)
}

// create completes an instance, creates it, and, with --wait, waits for it.
func (p *provision) create(ctx context.Context, instance *v1beta1.ServiceInstance) error {
	if err := p.complete(ctx, instance); err != nil {
		return err
	}
	client, err := clientOf(p.e)
	if err != nil {
		return err
	}
	instance, err = cli.Create(ctx, p.e, p.write, client(instance.Namespace), instance)
	if err != nil {
		return err
	}
	return cli.Finish(ctx, p.e, p.write, &p.wait, client(instance.Namespace), instance)
}

// start returns the instance before the flags are applied: the manifest's, or an empty one.
func (p *provision) start(args []string) (*v1beta1.ServiceInstance, error) {
	instance := &v1beta1.ServiceInstance{}
	if len(p.filenames) > 0 {
		manifests, err := cli.ReadManifests[*v1beta1.ServiceInstance](p.e, p.filenames)
		if err != nil {
			return nil, err
		}
		if len(manifests) != 1 {
			return nil, cli.UsageError("--filename: one ServiceInstance is expected, and there are %d", len(manifests))
		}
		instance = manifests[0]
	} else {
		namespace, err := p.e.Namespace()
		if err != nil {
			return nil, err
		}
		instance.ObjectMeta = metav1.ObjectMeta{Namespace: namespace}
	}
	if len(args) > 0 {
		instance.Name = args[0]
	}
	for key, value := range p.labels {
		metav1.SetMetaDataLabel(&instance.ObjectMeta, key, value)
	}
	return instance, nil
}

// complete names class and plan, and sets and checks the parameters.
func (p *provision) complete(ctx context.Context, instance *v1beta1.ServiceInstance) error {
	offers, err := marketplace.Read(ctx, p.e, instance.Namespace)
	if err != nil {
		return err
	}
	class, plan, err := p.choose(offers, instance)
	if err != nil || class == nil || plan == nil {
		return err // a manifest may name a class that comes later
	}
	if class.CommonStatus().RemovedFromBrokerCatalog || plan.CommonStatus().RemovedFromBrokerCatalog {
		return cli.UsageError("broker %q does not offer plan %s/%s any more", class.BrokerName(), class.Common().ExternalName, plan.Common().ExternalName)
	}
	spec := &instance.Spec
	return p.parameters.Complete(ctx, p.e, instance, class, plan, marketplace.ForProvision, &spec.Parameters, &spec.ParametersFrom)
}

// choose returns the class and the plan that the flags name, else the manifest.
func (p *provision) choose(offers *marketplace.Catalog, instance *v1beta1.ServiceInstance) (v1beta1.Class, v1beta1.Plan, error) {
	if p.class == "" && len(p.filenames) > 0 {
		reference, errs := catalog.ReferenceOf(instance.Spec.PlanReference)
		if len(errs) > 0 {
			return nil, nil, cli.UsageError("%w", errs.ToAggregate())
		}
		class, plan := offers.Find(reference)
		return class, plan, nil
	}
	if p.class == "" {
		return nil, nil, cli.WithHint(cli.UsageError("--class is missing"), "kubectl bellhop marketplace lists what there is")
	}
	class, err := offers.Class(p.class, p.broker)
	if err != nil {
		return nil, nil, err
	}
	plan, err := offers.Plan(class, p.plan)
	if err != nil {
		return nil, nil, err
	}
	instance.Spec.PlanReference = v1beta1.PlanReference{}
	offers.NameIn(&instance.Spec.PlanReference, class, plan)
	return class, plan, nil
}
