// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/util/retry"

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
	if err := deleteWithSecrets(ctx, d, client, broker); err != nil {
		return err
	}
	return cli.FinishGone(ctx, d.e, d.write, &d.wait, func(string) cli.Client[T, L] { return client }, broker)
}

// deleteWithSecrets deletes a broker, and then the Secrets that register has made for it, also if another client has deleted the broker meanwhile.
// The operator keeps a deleted Secret while something at the broker needs it. An interrupt does not separate the deletions: without the broker the
// Secrets would not be found any more.
func deleteWithSecrets[T v1beta1.Broker, L runtime.Object](ctx context.Context, d *deregister, client cli.Client[T, L], broker T) error {
	secrets, err := d.registeredSecrets(ctx, broker)
	if err != nil || ctx.Err() != nil {
		return cmp.Or(err, ctx.Err())
	}
	defer d.e.Hold()()
	writing, release := d.e.Uninterrupted(ctx)
	defer release()
	secrets, err = deleteBroker(writing, d, client, broker, secrets)
	if cli.MayBeCarriedOut(err) && d.write.Stores() {
		for _, secret := range secrets {
			err = errors.Join(err, cli.WithHint(leftSecret(secret, fmt.Sprintf("it is not known whether %s is deleted", cli.ResourceName(broker))),
				"the command can be repeated; if the broker is gone, kubectl delete secret %s --namespace=%s deletes its Secret", secret.Name, secret.Namespace))
		}
	}
	if err != nil && !errors.Is(err, errGone) {
		return err
	}
	for _, secret := range secrets {
		err = errors.Join(err, d.deleteRegistered(ctx, d.write, broker, secret))
	}
	return err
}

// errGone is of a broker that another client has deleted, and perhaps created again.
var errGone = errors.New("the broker was deleted meanwhile")

// deleteBroker deletes a broker in the version that was read, and returns the Secrets that it had. If another client changes it meanwhile, as
// register does with a correction, it is read again with its Secrets; of a Secret that was read already, the values as they were then.
func deleteBroker[T v1beta1.Broker, L runtime.Object](ctx context.Context, d *deregister, client cli.Client[T, L], broker T, secrets []*corev1.Secret) ([]*corev1.Secret, error) {
	if d.write.IsLocal() {
		return secrets, d.write.Report(d.e, "deleted", broker)
	}
	uid := broker.GetUID()
	latest := broker
	err := retry.RetryOnConflict(retry.DefaultRetry, func() error {
		version := latest.GetResourceVersion()
		options := metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &uid, ResourceVersion: &version}}
		if !d.write.Stores() {
			options.DryRun = []string{metav1.DryRunAll}
		}
		conflict := client.Delete(ctx, broker.GetName(), options)
		if !apierrors.IsConflict(conflict) {
			return conflict
		}
		var err error
		if latest, err = client.Get(ctx, broker.GetName(), metav1.GetOptions{}); err != nil {
			return notDeleted(err)
		}
		if latest.GetUID() != uid {
			return cli.WithHint(fmt.Errorf("%s: %w, and created again", cli.ResourceName(broker), errGone), "the command can be repeated")
		}
		if secrets, err = d.reread(ctx, latest, secrets); err != nil {
			return notDeleted(err)
		}
		return conflict
	})
	switch {
	case apierrors.IsNotFound(err):
		fmt.Fprintf(d.e.ErrOut, "note: %s was deleted meanwhile\n", cli.ResourceName(broker))
		return secrets, nil
	case err != nil:
		return secrets, err
	}
	return secrets, d.write.Report(d.e, "deleted", broker)
}

// notDeleted is the error of a read before a broker was deleted: nothing is carried out after it.
func notDeleted(err error) error {
	if apierrors.IsNotFound(err) {
		return err
	}
	return cli.WithHint(err, "nothing was deleted: the command can be repeated")
}

// reread returns the Secrets of a broker that was read again. A Secret that is among those that were read before is that one: if its values have
// changed since, it stays.
func (d *deregister) reread(ctx context.Context, broker v1beta1.Broker, before []*corev1.Secret) ([]*corev1.Secret, error) {
	secrets, err := d.registeredSecrets(ctx, broker)
	for n, secret := range secrets {
		if known := slices.IndexFunc(before, func(b *corev1.Secret) bool { return b.UID == secret.UID }); known >= 0 {
			secrets[n] = before[known]
		}
	}
	return secrets, err
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
