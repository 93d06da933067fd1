// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindings

import (
	"cmp"
	"context"
	"time"

	"github.com/spf13/cobra"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/instances"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/marketplace"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/parameters"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// bindTimeout is how long --wait waits by default: the instance may still be on its way.
const bindTimeout = 15 * time.Minute

type bind struct {
	e                *cli.Environment
	write            *cli.WriteFlags
	wait             cli.WaitFlags
	parameters       parameters.Flags
	name, secretName string
	inject           string
	labels           map[string]string
	filenames        []string
}

func newBind(e *cli.Environment) *cobra.Command {
	b := &bind{e: e, write: cli.NewWriteFlags()}
	cmd := &cobra.Command{
		Use:   "bind INSTANCE [--name NAME] [--secret-name SECRET] [--inject KIND/NAME]",
		Short: "Get credentials for a service: create a ServiceBinding",
		Long: `Get credentials for a service: create a ServiceBinding. The credentials come into
a Secret of the same name, or into that of --secret-name, from which Pods take
them. The instance may still be on its way: the binding waits for it.

With --inject the Pods of a Deployment, StatefulSet or DaemonSet get them. The
command sets the label bellhop.gophernetes.io/inject=true on its template, and adds
the binding to the annotation bellhop.gophernetes.io/bindings. That rolls the
workload out, and its new Pods wait for the Secret. The Namespace has to permit it
by the label bellhop.gophernetes.io/injection=enabled.`,
		Example: `  # Credentials in the Secret orders
  kubectl bellhop bind orders --wait

  # A second binding, for another application
  kubectl bellhop bind orders --name reports --secret-name reports-database

  # Credentials for the Pods of a Deployment
  kubectl bellhop bind orders --inject deployment/shop

  # Print the binding and the changed Deployment, and change nothing
  kubectl bellhop bind orders --inject deployment/shop --dry-run=client -o yaml`,
		Args:              cli.AtMostOneArgument("INSTANCE"),
		ValidArgsFunction: cli.CompleteFirst(instances.Complete(e)),
		RunE:              func(cmd *cobra.Command, args []string) error { return b.run(cmd.Context(), args) },
	}
	cmd.Flags().StringVar(&b.name, "name", "", "Name of the ServiceBinding. Default: that of the instance")
	cmd.Flags().StringVar(&b.secretName, "secret-name", "", "Name of the Secret. Default: that of the ServiceBinding")
	cmd.Flags().StringToStringVar(&b.labels, "labels", nil, "Labels of the ServiceBinding, as app=orders,team=shop")
	cmd.Flags().StringSliceVarP(&b.filenames, "filename", "f", nil, "File with the manifest of a ServiceBinding; - is standard input")
	cmd.Flags().StringVar(&b.inject, "inject", "", "Workload whose Pods get the credentials: deployment/NAME, statefulset/NAME or daemonset/NAME; its Pods are replaced")
	cli.CompleteFlag(cmd, "inject", completeInject(e))
	b.parameters.AddFlags(cmd)
	b.wait.AddFlags(cmd, "the credentials are in the Secret", bindTimeout)
	b.write.AddFlags(cmd)
	return cmd
}

func (b *bind) run(ctx context.Context, args []string) error {
	if err := b.write.Validate(); err != nil {
		return err
	}
	if err := b.validateInject(); err != nil {
		return err
	}
	isHeld := b.write.HoldFor(&b.wait)
	binding, err := b.start(args)
	if err != nil {
		return err
	}
	if err := b.complete(ctx, binding); err != nil {
		return err
	}
	workload, err := b.findTarget(ctx, binding)
	if err != nil {
		return err
	}
	client, err := clientOf(b.e)
	if err != nil {
		return err
	}
	binding, err = cli.Create(ctx, b.e, b.write, client(binding.Namespace), binding)
	if err != nil {
		return err
	}
	if err := workload.write(ctx, b.e, b.write); err != nil {
		return err
	}
	if err := cli.Finish(ctx, b.e, b.write, &b.wait, client(binding.Namespace), binding); err != nil || !isHeld {
		return err
	}
	return workload.report(b.e, b.write)
}

// start returns the binding of the manifest, or an empty one, with names from the flags.
func (b *bind) start(args []string) (*v1beta1.ServiceBinding, error) {
	binding := &v1beta1.ServiceBinding{}
	if len(b.filenames) > 0 {
		manifests, err := cli.ReadManifests[*v1beta1.ServiceBinding](b.e, b.filenames)
		if err != nil {
			return nil, err
		}
		if len(manifests) != 1 {
			return nil, cli.UsageError("--filename: one ServiceBinding is expected, and there are %d", len(manifests))
		}
		binding = manifests[0]
	} else {
		namespace, err := b.e.Namespace()
		if err != nil {
			return nil, err
		}
		binding.Namespace = namespace
	}
	if len(args) > 0 {
		binding.Spec.InstanceRef.Name = args[0]
	}
	binding.Name = cmp.Or(b.name, binding.Name, binding.Spec.InstanceRef.Name)
	binding.Spec.SecretName = cmp.Or(b.secretName, binding.Spec.SecretName)
	for key, value := range b.labels {
		metav1.SetMetaDataLabel(&binding.ObjectMeta, key, value)
	}
	return binding, nil
}

// complete checks that the instance can be bound to, and sets and checks the parameters. Against objects that cannot be read nothing is checked:
// the operator checks it again.
func (b *bind) complete(ctx context.Context, binding *v1beta1.ServiceBinding) error {
	class, plan, err := b.offerOf(ctx, binding)
	if err != nil {
		return err
	}
	spec := &binding.Spec
	if class != nil && plan != nil && !catalog.EffectiveOf(class, plan).Bindable {
		return cli.UsageError("plan %s/%s of serviceinstance %q has no credentials: it is not bindable",
			class.Common().ExternalName, plan.Common().ExternalName, spec.InstanceRef.Name)
	}
	return b.parameters.Complete(ctx, b.e, binding, class, plan, marketplace.ForBind, &spec.Parameters, &spec.ParametersFrom)
}

// offerOf returns class and plan of the binding's instance, nil where they are not known. With a manifest the instance may come later.
func (b *bind) offerOf(ctx context.Context, binding *v1beta1.ServiceBinding) (v1beta1.Class, v1beta1.Plan, error) {
	services, err := b.e.Services()
	if err != nil {
		return nil, nil, err
	}
	client := cli.Client[*v1beta1.ServiceInstance, *v1beta1.ServiceInstanceList](services.ServiceInstances(binding.Namespace))
	instance, err := cli.Get(ctx, client, binding.Spec.InstanceRef.Name)
	switch {
	case apierrors.IsForbidden(err), apierrors.IsNotFound(err) && !cli.IsNotServed(err) && len(b.filenames) > 0:
		return nil, nil, nil
	case err != nil:
		return nil, nil, err
	}
	offers, err := marketplace.Read(ctx, b.e, binding.Namespace)
	if apierrors.IsForbidden(err) {
		return nil, nil, nil
	} else if err != nil {
		return nil, nil, err
	}
	reference, _ := catalog.ReferenceOf(instance.Spec.PlanReference)
	class, plan := offers.Find(reference)
	return class, plan, nil
}
