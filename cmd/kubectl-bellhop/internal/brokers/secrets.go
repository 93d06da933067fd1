// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/rand"
	"k8s.io/client-go/util/retry"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
)

type secretClient = cli.Client[*corev1.Secret, *corev1.SecretList]

func secretsIn(e *cli.Environment, namespace string) (secretClient, error) {
	core, err := e.Core()
	if err != nil {
		return nil, err
	}
	return core.Secrets(namespace), nil
}

// createSecret creates the Secret, and has the broker refer to it. Its name gets a suffix where an earlier registration of the broker has made one
// of the name.
func (r *registration[T, L]) createSecret(ctx context.Context) error {
	client, err := secretsIn(r.e, r.secret.Namespace)
	if err != nil {
		return err
	}
	ctx, release := r.e.Uninterrupted(ctx)
	defer release()
	stored, err := cli.Create(ctx, r.e, r.write, client, r.secret)
	if apierrors.IsAlreadyExists(err) {
		unused, unusedErr := r.unusedSecret(ctx, client, err)
		if unusedErr != nil {
			return unusedErr
		}
		if unused != nil {
			r.secret, r.wanted.Common().AuthInfo = unused, r.authInfo(unused)
			return r.write.Report(r.e, "unchanged", withoutValues(unused))
		}
		r.secret.Name += "-" + rand.String(suffixLength)
		stored, err = cli.Create(ctx, r.e, r.write, client, r.secret)
	}
	switch {
	case err != nil && (!cli.MayBeCarriedOut(err) || !r.write.Stores()):
		return err
	case err != nil:
		return errors.Join(err, cli.WithHint(&cli.LeftError{Err: fmt.Errorf("it is not known whether %s in namespace %q is stored", cli.ResourceName(r.secret), r.secret.Namespace)},
			"kubectl delete secret %s --namespace=%s deletes it", r.secret.Name, r.secret.Namespace))
	}
	r.secret, r.wanted.Common().AuthInfo = stored, r.authInfo(stored)
	return nil
}

// suffixLength is the length of the suffix of a Secret whose name is taken.
const suffixLength = 5

// isNamedAfter reports whether a Secret of this name was created as base, or as base with a suffix.
func isNamedAfter(name, base string) bool {
	suffix, hasPrefix := strings.CutPrefix(name, base+"-")
	return name == base || hasPrefix && len(suffix) == suffixLength
}

// unusedSecret returns the Secret of the name that is taken if an earlier run has left it: register made it for this broker, it has the same values,
// and no broker uses it. Without one, another Secret is created. That is refused beside a Secret that register has not made for the broker, which
// is likely to have the credentials, and beside one that is being deleted, as its name is free soon.
func (r *registration[T, L]) unusedSecret(ctx context.Context, client secretClient, exists error) (*corev1.Secret, error) {
	present, err := client.Get(ctx, r.secret.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return nil, nil
	case err != nil:
		return nil, err
	case !present.DeletionTimestamp.IsZero():
		return nil, cli.WithHint(exists, "it is being deleted: %s", untilGone(present))
	case present.Annotations[v1beta1.RegisteredForAnnotation] != r.label(r.wanted.GetName()):
		return nil, cli.WithHint(exists, "register did not make it for this broker: --auth-secret=%s uses it as it is, without a password on standard input; "+
			"with one, --auth-secret names a new Secret", present.Name)
	case len(present.Data) != len(r.secret.StringData) || !hasValues(present, r.secret.StringData):
		return nil, nil
	}
	if user, err := r.userOf(ctx, present, ""); user != nil || err != nil { // with an error, such as without the right to list the brokers, it is not known
		present = nil
	}
	return present, nil
}

// untilGone is how a user waits for the end of a deletion.
func untilGone(secret *corev1.Secret) string {
	return fmt.Sprintf("wait with kubectl wait --for=delete %s --namespace=%s", cli.ResourceName(secret), secret.Namespace)
}

// hasValues reports whether a Secret has these values, and is not being deleted.
func hasValues(secret *corev1.Secret, values map[string]string) bool {
	for key, value := range values {
		if !bytes.Equal(secret.Data[key], []byte(value)) {
			return false
		}
	}
	return secret.DeletionTimestamp.IsZero()
}

// deleteNewSecret deletes the Secret that this run has created, and that no broker uses.
func (r *registration[T, L]) deleteNewSecret(ctx context.Context) error {
	if !r.write.Stores() {
		return nil
	}
	client, err := secretsIn(r.e, r.secret.Namespace)
	if err != nil {
		return err
	}
	ctx, release := r.e.Uninterrupted(ctx)
	defer release()
	err = client.Delete(ctx, r.secret.Name, metav1.DeleteOptions{Preconditions: asRead(r.secret)})
	if err != nil && !apierrors.IsNotFound(err) {
		return cli.WithHint(leftSecret(r.secret, kinds.Reason(err)), "kubectl delete secret %s --namespace=%s deletes it", r.secret.Name, r.secret.Namespace)
	}
	fmt.Fprintln(r.e.ErrOut, cli.ResourceName(r.secret), "deleted again")
	return nil
}

// deleteFormerSecrets deletes the Secrets that register had made for the broker as it was, and that it does not use any more.
func (r *registration[T, L]) deleteFormerSecrets(ctx context.Context, stored T) error {
	writing, release := r.e.Uninterrupted(ctx)
	defer release()
	secrets, err := r.registeredSecrets(writing, r.present)
	if err != nil {
		var names []string
		for _, name := range v1beta1.AuthSecrets(r.present) {
			names = append(names, name.String())
		}
		slices.Sort(names)
		return &cli.LeftError{Err: fmt.Errorf("the former Secrets of %s were not deleted, %s: %s", cli.ResourceName(stored), strings.Join(names, ", "), kinds.Reason(err))}
	}
	for _, secret := range secrets {
		if uses(stored, secret) {
			continue
		}
		if err := r.deleteRegistered(ctx, r.write, stored, secret); err != nil {
			return err
		}
	}
	return nil
}

// registeredSecrets returns the Secrets in a broker's authInfo that register has made for it.
func (s *scope) registeredSecrets(ctx context.Context, broker v1beta1.Broker) ([]*corev1.Secret, error) {
	names := map[types.NamespacedName]bool{}
	for _, name := range v1beta1.AuthSecrets(broker) {
		names[name] = true
	}
	var secrets []*corev1.Secret
	for name := range names {
		client, err := secretsIn(s.e, name.Namespace)
		if err != nil {
			return nil, err
		}
		secret, err := client.Get(ctx, name.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
		case apierrors.IsForbidden(err):
			fmt.Fprintf(s.e.ErrOut, "note: you may not read secret/%s in namespace %q: it stays, also if register made it\n", name.Name, name.Namespace)
		case err != nil:
			return nil, err
		case secret.Annotations[v1beta1.RegisteredForAnnotation] == s.label(broker.GetName()):
			secrets = append(secrets, secret)
		}
	}
	return secrets, nil
}

// deleteRegistered deletes a Secret that register has made for a broker, unless another broker may use it. An interrupt does not cancel that: a
// Secret that stays would not be found any more.
func (s *scope) deleteRegistered(ctx context.Context, write *cli.WriteFlags, broker v1beta1.Broker, secret *corev1.Secret) error {
	ctx, release := s.e.Uninterrupted(ctx)
	defer release()
	isShared, err := s.isShared(ctx, broker, secret)
	if isShared {
		return nil
	}
	if err == nil && !write.IsLocal() {
		err = s.deleteAsRead(ctx, write, secret)
	}
	if err != nil {
		return cli.WithHint(leftSecret(secret, kinds.Reason(err)), "kubectl delete secret %s --namespace=%s deletes it", secret.Name, secret.Namespace)
	}
	return write.Report(s.e, "deleted", withoutValues(secret))
}

// deleteAsRead deletes a Secret unless its values have changed since it was read. The operator may change its finalizers meanwhile.
func (s *scope) deleteAsRead(ctx context.Context, write *cli.WriteFlags, secret *corev1.Secret) error {
	client, err := secretsIn(s.e, secret.Namespace)
	if err != nil {
		return err
	}
	options := metav1.DeleteOptions{Preconditions: asRead(secret)}
	if !write.Stores() {
		options.DryRun = []string{metav1.DryRunAll}
	}
	err = retry.RetryOnConflict(retry.DefaultRetry, func() error {
		err := client.Delete(ctx, secret.Name, options)
		if !apierrors.IsConflict(err) {
			return err
		}
		present, getErr := client.Get(ctx, secret.Name, metav1.GetOptions{})
		if getErr == nil && equality.Semantic.DeepEqual(present.Data, secret.Data) && maps.Equal(present.Annotations, secret.Annotations) {
			options.Preconditions.ResourceVersion = &present.ResourceVersion
		}
		return err
	})
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// asRead are the preconditions of the deletion of an object in the version that was read.
func asRead(secret *corev1.Secret) *metav1.Preconditions {
	return &metav1.Preconditions{UID: &secret.UID, ResourceVersion: &secret.ResourceVersion}
}

// withoutValues returns a Secret whose values are not printed.
func withoutValues(secret *corev1.Secret) *corev1.Secret {
	printed := secret.DeepCopy()
	printed.Data = nil
	delete(printed.Annotations, corev1.LastAppliedConfigAnnotation)
	return printed
}

// isShared reports whether another broker may have a Secret in its authInfo: one has, or the user may not list the brokers.
func (s *scope) isShared(ctx context.Context, broker v1beta1.Broker, secret *corev1.Secret) (bool, error) {
	user, err := s.userOf(ctx, secret, broker.GetUID())
	switch {
	case user != nil:
		fmt.Fprintf(s.e.ErrOut, "note: secret/%s in namespace %q stays, since %s uses it\n", secret.Name, secret.Namespace, cli.ResourceName(user))
		return true, nil
	case apierrors.IsForbidden(err):
		fmt.Fprintf(s.e.ErrOut, "note: secret/%s in namespace %q stays, since another broker may use it: %s\n", secret.Name, secret.Namespace, kinds.Reason(err))
		return true, nil
	default:
		return false, err
	}
}

// userOf returns a broker of another UID that has a Secret in its authInfo; nil: there is none, or an error, such as that the user may not list all
// brokers.
func (s *scope) userOf(ctx context.Context, secret *corev1.Secret, except types.UID) (v1beta1.Broker, error) {
	services, err := s.e.Services()
	if err != nil {
		return nil, err
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
	user := slices.IndexFunc(others, func(other v1beta1.Broker) bool { return other.GetUID() != except && uses(other, secret) })
	if user < 0 {
		return nil, cmp.Or(wideErr, localErr)
	}
	return others[user], nil
}

// uses reports whether a broker has a Secret in its authInfo.
func uses(broker v1beta1.Broker, secret *corev1.Secret) bool {
	name := types.NamespacedName{Namespace: secret.Namespace, Name: secret.Name}
	return slices.Contains(slices.Collect(maps.Values(v1beta1.AuthSecrets(broker))), name)
}

// leftSecret is the error for a Secret that stays.
func leftSecret(secret *corev1.Secret, why string) error {
	return &cli.LeftError{Err: fmt.Errorf("%s in namespace %q was not deleted: %s", cli.ResourceName(secret), secret.Namespace, why)}
}
