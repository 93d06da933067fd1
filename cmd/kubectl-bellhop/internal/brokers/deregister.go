// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

type deregister struct {
	scope
	write *cli.WriteFlags
	wait  cli.WaitFlags
}

func newDeregister(e *cli.Environment) *cobra.Command {
	d := &deregister{scope: scope{e: e}, write: cli.NewWriteFlags()}
	cmd := &cobra.Command{
		Use:   "deregister NAME",
		Short: "Remove a broker and its catalog",
		Long: `Remove a broker and its catalog. While instances or bindings are at the broker
the command refuses, and names them: without the broker they could not be removed.

The Secret that register made for the broker is deleted, too, unless another
broker uses it, or may do so where you may not list the brokers. Other Secrets stay.`,
		Example: `  # A broker for all namespaces
  kubectl bellhop deregister acme --wait`,
		Args:              cli.OneArgument("NAME", "kubectl get clusterservicebrokers,servicebrokers"),
		ValidArgsFunction: cli.CompleteFirst(d.complete()),
		RunE:              func(cmd *cobra.Command, args []string) error { return d.run(cmd.Context(), args[0]) },
	}
	d.addFlag(cmd)
	d.wait.AddFlags(cmd, "the broker is gone", time.Minute)
	d.write.AddFlags(cmd)
	return cmd
}

func (d *deregister) run(ctx context.Context, name string) error {
	if err := d.write.Validate(); err != nil {
		return err
	}
	if d.namespaced {
		client, err := d.localBrokers()
		if err != nil {
			return err
		}
		return remove(ctx, d, client, name, "ServiceBroker")
	}
	client, err := d.clusterBrokers()
	if err != nil {
		return err
	}
	return remove(ctx, d, client, name, "ClusterServiceBroker")
}

func remove[T v1beta1.Broker, L runtime.Object](ctx context.Context, d *deregister, client cli.Client[T, L], name, kind string) error {
	broker, err := cli.Get(ctx, client, name)
	if err != nil {
		return err
	}
	used, err := d.instancesAt(ctx, broker, kind)
	if err != nil {
		return err
	}
	if len(used) > 0 {
		return cli.WithHint(fmt.Errorf("%s has instances: %s", cli.ResourceName(broker), strings.Join(used, ", ")),
			"delete them with kubectl bellhop deprovision, or keep them at the broker with kubectl bellhop retain before")
	}
	if err := d.delete(ctx, broker, func(ctx context.Context) error { return cli.Delete(ctx, d.e, d.write, client, broker) }); err != nil {
		return err
	}
	return cli.FinishGone(ctx, d.e, d.write, &d.wait, func(string) cli.Client[T, L] { return client }, broker)
}

// delete deletes a broker, and then the Secrets that register has made for it. The operator keeps a deleted Secret while something at the
// broker needs it. An interrupt does not separate the deletions: without the broker the Secrets would not be found any more.
func (d *deregister) delete(ctx context.Context, broker v1beta1.Broker, deleteBroker func(context.Context) error) error {
	secrets, err := d.registeredSecrets(ctx, broker)
	if err != nil || ctx.Err() != nil {
		return cmp.Or(err, ctx.Err())
	}
	defer d.e.Hold()()
	writing, release := d.e.Uninterrupted(ctx)
	defer release()
	err = deleteBroker(writing)
	if cli.MayBeCarriedOut(err) && d.write.Stores() {
		for _, secret := range secrets {
			err = errors.Join(err, cli.WithHint(leftSecret(secret, fmt.Sprintf("it is not known whether %s is deleted", cli.ResourceName(broker))),
				"the command can be repeated; if the broker is gone, kubectl delete secret %s --namespace=%s deletes its Secret", secret.Name, secret.Namespace))
		}
	}
	if err != nil {
		return err
	}
	for _, secret := range secrets {
		err = errors.Join(err, d.deleteRegistered(ctx, d.write, broker, secret))
	}
	return err
}

// maxNamed bounds the instances that an error names.
const maxNamed = 5

// instancesAt names instances at a broker, as NAMESPACE/NAME.
func (d *deregister) instancesAt(ctx context.Context, broker v1beta1.Broker, kind string) ([]string, error) {
	services, err := d.e.Services()
	if err != nil {
		return nil, err
	}
	all, err := cli.List[*v1beta1.ServiceInstance, *v1beta1.ServiceInstanceList](ctx, services.ServiceInstances(broker.GetNamespace()), metav1.ListOptions{})
	if err != nil {
		return nil, err
	}
	var names []string
	for _, instance := range all {
		at := instance.Status.Broker
		if at == nil || at.Kind != kind || at.Name != broker.GetName() {
			continue
		}
		if len(names) == maxNamed {
			return append(names, "and more"), nil
		}
		names = append(names, instance.Namespace+"/"+instance.Name)
	}
	return names, nil
}
