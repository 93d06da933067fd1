// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
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
	ctx, release := d.e.Uninterrupted(ctx)
	defer release()
	if err := deleteBroker(ctx); err != nil {
		return err
	}
	for _, secret := range secrets {
		client, err := secretsIn(d.e, secret.Namespace)
		if err != nil {
			return err
		}
		if err := cli.Delete(ctx, d.e, d.write, client, secret); err != nil && !apierrors.IsNotFound(err) {
			return cli.WithHint(fmt.Errorf("%s in namespace %q was not deleted: %s", cli.ResourceName(secret), secret.Namespace, kinds.Reason(err)),
				"the broker is deleted; kubectl delete secret %s --namespace=%s deletes its Secret", secret.Name, secret.Namespace)
		}
	}
	return nil
}

// registeredSecrets returns the Secrets that register has made for a broker and that no other broker uses.
func (d *deregister) registeredSecrets(ctx context.Context, broker v1beta1.Broker) ([]*corev1.Secret, error) {
	names := map[types.NamespacedName]bool{}
	for _, name := range v1beta1.AuthSecrets(broker) {
		names[name] = true
	}
	var secrets []*corev1.Secret
	for name := range names {
		client, err := secretsIn(d.e, name.Namespace)
		if err != nil {
			return nil, err
		}
		secret, err := client.Get(ctx, name.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
			continue
		case apierrors.IsForbidden(err):
			fmt.Fprintf(d.e.ErrOut, "note: you may not read secret/%s in namespace %q: it stays, also if register made it\n", name.Name, name.Namespace)
			continue
		case err != nil:
			return nil, err
		case secret.Annotations[v1beta1.RegisteredForAnnotation] != d.label(broker.GetName()):
			continue
		}
		isShared, err := d.isShared(ctx, broker, secret)
		if err != nil {
			return nil, err
		}
		if !isShared {
			secrets = append(secrets, secret)
		}
	}
	return secrets, nil
}

// isShared reports whether another broker may have a Secret in its authInfo: one has, or the user may not list the brokers.
func (d *deregister) isShared(ctx context.Context, broker v1beta1.Broker, secret *corev1.Secret) (bool, error) {
	services, err := d.e.Services()
	if err != nil {
		return false, err
	}
	var others []v1beta1.Broker
	wide, wideErr := cli.List[*v1beta1.ClusterServiceBroker, *v1beta1.ClusterServiceBrokerList](ctx, services.ClusterServiceBrokers(), metav1.ListOptions{})
	for _, b := range wide {
		others = append(others, b)
	}
	local, localErr := cli.List[*v1beta1.ServiceBroker, *v1beta1.ServiceBrokerList](ctx, services.ServiceBrokers(secret.Namespace), metav1.ListOptions{})
	for _, b := range local {
		others = append(others, b)
	}
	switch err := cmp.Or(wideErr, localErr); {
	case apierrors.IsForbidden(err):
		fmt.Fprintf(d.e.ErrOut, "note: secret/%s in namespace %q stays, since another broker may use it: %s\n", secret.Name, secret.Namespace, kinds.Reason(err))
		return true, nil
	case err != nil:
		return false, err
	}
	return slices.ContainsFunc(others, func(other v1beta1.Broker) bool {
		return other.GetUID() != broker.GetUID() && uses(other, secret)
	}), nil
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
