// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instances

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

type deprovision struct {
	e         *cli.Environment
	write     *cli.WriteFlags
	wait      cli.WaitFlags
	selection cli.Selection
	unbind    bool
	confirm   cli.Confirmation
}

// removal is an instance that is to be deleted, with its bindings.
type removal struct {
	instance *v1beta1.ServiceInstance
	bindings []*v1beta1.ServiceBinding
}

func newDeprovision(e *cli.Environment) *cobra.Command {
	d := &deprovision{e: e, write: cli.NewWriteFlags()}
	cmd := &cobra.Command{
		Use:   "deprovision NAME...",
		Short: "Deprovision services: delete ServiceInstances",
		Long: `Deprovision services: delete ServiceInstances. The broker deletes the service and
its data. An instance that has ServiceBindings is refused, unless --unbind
deletes these, too: their Secrets go, and applications lose their credentials.

With --selector or --interactive the command shows what is deleted and what the
broker retains, and asks; without a terminal it reads the answer from standard
input. --yes deletes without a question. If a deletion would no longer do what
was shown, as after a change of the deletion policy, or if an instance has a new
ServiceBinding, the command ends there.

To keep the service at the broker, use kubectl bellhop retain before.`,
		Example: `  # One service and all bindings to it, and wait until the broker has confirmed that
  kubectl bellhop deprovision orders --unbind --wait

  # All services of an application, in a script
  kubectl bellhop deprovision -l app=orders --unbind --yes`,
		ValidArgsFunction: Complete(e),
		RunE:              func(cmd *cobra.Command, args []string) error { return d.run(cmd.Context(), args) },
	}
	d.selection.AddFlags(cmd)
	cmd.Flags().BoolVar(&d.unbind, "unbind", false, "Delete also the ServiceBindings of the instances")
	d.confirm.AddFlags(cmd)
	d.wait.AddFlags(cmd, "the services are gone", 5*time.Minute)
	d.write.AddFlags(cmd)
	return cmd
}

func (d *deprovision) run(ctx context.Context, names []string) error {
	if err := cmp.Or(d.write.Validate(), d.confirm.Validate()); err != nil {
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
	var removals []removal
	for _, instance := range instances { // before anything is deleted
		bindings, err := d.bindingsOf(ctx, instance)
		if err != nil {
			return err
		}
		removals = append(removals, removal{instance, bindings})
	}
	asks := d.write.Stores() && d.confirm.Asks(&d.selection)
	if asks {
		d.preview(removals)
		if err := d.e.Confirm(fmt.Sprintf("Delete %s?", cli.Count(len(removals), "ServiceInstance"))); err != nil {
			return err
		}
	} else {
		d.noteRetained(removals)
	}
	for _, r := range removals {
		if err := d.remove(ctx, client(r.instance.Namespace), r, asks); err != nil {
			return err
		}
	}
	return cli.FinishGone(ctx, d.e, d.write, &d.wait, client, instances...)
}

// bindingsOf returns the bindings of an instance that are to be deleted with it, or fails if there are any and --unbind is not given.
func (d *deprovision) bindingsOf(ctx context.Context, instance *v1beta1.ServiceInstance) ([]*v1beta1.ServiceBinding, error) {
	services, err := d.e.Services()
	if err != nil {
		return nil, err
	}
	all, err := cli.List[*v1beta1.ServiceBinding, *v1beta1.ServiceBindingList](ctx, services.ServiceBindings(instance.Namespace), metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	of := slices.DeleteFunc(all, func(b *v1beta1.ServiceBinding) bool {
		return b.Spec.InstanceRef.Name != instance.Name || !b.DeletionTimestamp.IsZero()
	})
	if len(of) > 0 && !d.unbind {
		return nil, cli.WithHint(fmt.Errorf("%s has ServiceBindings: %s", cli.ResourceName(instance), strings.Join(cli.Names(of), ", ")),
			"--unbind deletes them, too; applications lose their credentials")
	}
	return of, nil
}

// whyRetained says why the broker retains a service; empty: it deletes it.
func whyRetained(instance *v1beta1.ServiceInstance) string {
	switch {
	case catalog.IsRetained(instance):
		return "its deletion policy is Retain"
	case !rules.IsRemovedWithObject(instance):
		return "its id was supplied, and another client created it"
	default:
		return ""
	}
}

// preview shows what is deleted, and what is retained.
func (d *deprovision) preview(removals []removal) {
	for _, r := range removals {
		fmt.Fprintf(d.e.ErrOut, "%s: %s\n", cli.ResourceName(r.instance), effectOf(r.instance))
		for _, binding := range r.bindings {
			fmt.Fprintf(d.e.ErrOut, "  %s: %s\n", cli.ResourceName(binding), effectOfUnbind(binding))
		}
	}
}

// effectOf says what the deletion of an instance does.
func effectOf(instance *v1beta1.ServiceInstance) string {
	if why := whyRetained(instance); why != "" {
		return "the broker retains the service: " + why
	}
	return "the broker deletes the service and its data"
}

// effectOfUnbind says what the deletion of a binding does.
func effectOfUnbind(binding *v1beta1.ServiceBinding) string {
	what := "the broker revokes the credentials"
	if catalog.IsRetained(binding) {
		what = "the broker retains the credentials: its deletion policy is Retain"
	}
	return fmt.Sprintf("%s; Secret %s is deleted", what, cmp.Or(binding.Spec.SecretName, binding.Name))
}

// noteRetained prints which services the broker retains.
func (d *deprovision) noteRetained(removals []removal) {
	for _, r := range removals {
		if why := whyRetained(r.instance); why != "" {
			fmt.Fprintf(d.e.ErrOut, "note: the broker retains the service of %s: %s\n", cli.ResourceName(r.instance), why)
		}
	}
}

// remove deletes the bindings of an instance, and then the instance. What the user was shown is deleted only if its deletion does what the user has
// agreed to.
func (d *deprovision) remove(ctx context.Context, client instanceClient, r removal, wasShown bool) error {
	if wasShown { // before a binding is deleted
		if _, err := cli.AsShown(ctx, client, r.instance, effectOf); err != nil {
			return err
		}
		if err := d.checkBindings(ctx, r); err != nil {
			return err
		}
	}
	services, err := d.e.Services()
	if err != nil {
		return err
	}
	for _, binding := range r.bindings {
		if err := remove(ctx, d, services.ServiceBindings(binding.Namespace), binding, wasShown, effectOfUnbind); err != nil {
			return err
		}
	}
	return remove(ctx, d, client, r.instance, wasShown, effectOf)
}

// checkBindings fails if an instance has a binding that the user was not shown: its credentials are in use since the question.
func (d *deprovision) checkBindings(ctx context.Context, r removal) error {
	latest, err := d.bindingsOf(ctx, r.instance)
	if err != nil {
		return err
	}
	for _, binding := range latest {
		if !slices.ContainsFunc(r.bindings, func(shown *v1beta1.ServiceBinding) bool { return shown.UID == binding.UID }) {
			return cli.WithHint(fmt.Errorf("%s has %s since it was shown, and was not deleted", cli.ResourceName(r.instance), cli.ResourceName(binding)),
				"run the command again: it shows what is deleted now")
		}
	}
	return nil
}

func remove[T cli.Object, L runtime.Object](ctx context.Context, d *deprovision, client cli.Client[T, L], object T, wasShown bool, effect func(T) string) error {
	if wasShown {
		return cli.DeleteShown(ctx, d.e, d.write, client, object, effect)
	}
	return cli.Delete(ctx, d.e, d.write, client, object)
}
