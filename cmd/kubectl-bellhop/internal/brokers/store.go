// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/kinds"
)

// registerBroker stores a broker, after its Secret if there is one to be made. The API server checks the broker before, so that a refused one
// leaves no Secret.
func registerBroker[T v1beta1.Broker, L runtime.Object](ctx context.Context, r *register, client cli.Client[T, L], broker T, secret *corev1.Secret) error {
	if r.write.IsLocal() {
		if secret != nil {
			if err := r.write.Report(r.e, "created", secret); err != nil {
				return err
			}
		}
		return r.write.Report(r.e, "created", broker)
	}
	present, exists, err := checkBroker(ctx, r, client, broker)
	if err != nil {
		return err
	}
	undo := func(error) error { return nil }
	if secret != nil {
		if undo, err = storeSecret(ctx, r, client, broker.GetName(), secret); err != nil {
			return err
		}
	}
	if exists {
		present, err = cli.Edit(ctx, r.e, r.write, client, present, "configured", correctAndRelist(broker))
	} else {
		present, err = create(ctx, r, client, broker)
	}
	if err != nil {
		return errors.Join(err, undo(err))
	}
	return cli.Finish(ctx, r.e, r.write, &r.wait, client, present)
}

// create creates a broker. An interrupt does not cancel the request: without its answer it would not be known whether the Secret is used.
func create[T v1beta1.Broker, L runtime.Object](ctx context.Context, r *register, client cli.Client[T, L], broker T) (T, error) {
	if err := ctx.Err(); err != nil {
		return broker, err
	}
	ctx, release := r.e.Uninterrupted(ctx)
	defer release()
	return cli.Create(ctx, r.e, r.write, client, broker)
}

// checkBroker has the API server check a broker, and stores nothing. It returns the broker that exists if that one may be corrected.
func checkBroker[T v1beta1.Broker, L runtime.Object](ctx context.Context, r *register, client cli.Client[T, L], broker T) (present T, exists bool, err error) {
	dryRun := []string{metav1.DryRunAll}
	err = r.e.WithoutWarnings(func() error { // of a Secret that is made afterwards
		_, err := client.Create(ctx, broker, metav1.CreateOptions{DryRun: dryRun, FieldManager: cli.FieldManager})
		return err
	})
	if !apierrors.IsAlreadyExists(err) {
		return broker, false, err
	}
	refused := err
	if present, err = cli.Get(ctx, client, broker.GetName()); err != nil {
		return present, true, err
	}
	corrected := present.DeepCopyObject().(T)
	if err := correctTo(broker)(corrected); err != nil {
		return present, true, err
	}
	name := cli.ResourceName(present)
	switch isSame := equality.Semantic.DeepEqual(present.Common(), corrected.Common()); {
	case !present.GetDeletionTimestamp().IsZero():
		return present, true, cli.WithHint(refused, "it is being deleted: wait with kubectl wait --for=delete %s", name)
	case !isSame && !isUnused(present):
		return present, true, cli.WithHint(refused, "it has other settings: kubectl edit %s changes them, and kubectl bellhop deregister removes it", name)
	case isSame:
		return present, true, nil
	}
	err = r.e.WithoutWarnings(func() error {
		_, err := cli.Edit(ctx, r.e.Silent(), r.write.AsServerDryRun(), client, present, "", correctTo(broker))
		return err
	})
	return present, true, err
}

// isUnused reports whether this plugin has registered a broker whose catalog was never fetched.
func isUnused(broker v1beta1.Broker) bool {
	isOurs := slices.ContainsFunc(broker.GetManagedFields(), func(f metav1.ManagedFieldsEntry) bool { return f.Manager == cli.FieldManager })
	return isOurs && broker.CommonStatus().LastCatalogRetrievalTime == nil
}

// correctTo returns an edit that gives a broker the settings of another.
func correctTo[T v1beta1.Broker](wanted T) func(T) error {
	return func(broker T) error {
		from, to := wanted.Common(), broker.Common()
		to.URL, to.CABundle, to.InsecureSkipTLSVerify, to.AuthInfo = from.URL, from.CABundle, from.InsecureSkipTLSVerify, from.AuthInfo
		if from.RelistDuration != nil {
			to.RelistDuration = from.RelistDuration
		}
		return nil
	}
}

// correctAndRelist returns correctTo, and a request for the catalog where the broker is not ready: a Secret alone changes no generation, so that
// its status might be about the former values.
func correctAndRelist[T v1beta1.Broker](wanted T) func(T) error {
	return func(broker T) error {
		if !cli.HealthOf(broker).Ready {
			broker.Common().RelistRequests++
		}
		return correctTo(wanted)(broker)
	}
}

type secretClient = cli.Client[*corev1.Secret, *corev1.SecretList]

func secretsIn(e *cli.Environment, namespace string) (secretClient, error) {
	core, err := e.Core()
	if err != nil {
		return nil, err
	}
	return core.Secrets(namespace), nil
}

// storeSecret creates the Secret, or replaces the values in one that an earlier register has made for the same broker. Undo deletes it, unless a
// broker uses it.
func storeSecret[T v1beta1.Broker, L runtime.Object](
	ctx context.Context, r *register, brokers cli.Client[T, L], broker string, secret *corev1.Secret,
) (undo func(error) error, err error) {
	client, err := secretsIn(r.e, secret.Namespace)
	if err != nil {
		return nil, err
	}
	writing, release := r.e.Uninterrupted(ctx) // else it would not be known whether there is a Secret to delete
	defer release()
	stored, err := cli.Create(writing, r.e, r.write, client, secret)
	isNew := err == nil
	if apierrors.IsAlreadyExists(err) {
		stored, err = replaceSecret(ctx, r, client, secret, err)
	}
	if err != nil {
		return nil, err
	}
	return func(cause error) error {
		if !r.write.Stores() {
			return nil
		}
		ctx, release := r.e.Uninterrupted(ctx)
		defer release()
		present, err := brokers.Get(ctx, broker, metav1.GetOptions{})
		switch {
		case err == nil && uses(present, stored):
			return nil
		case err == nil, apierrors.IsNotFound(err), isNew && isRefused(cause):
		default:
			return leftSecret(stored, "it is not known whether a broker uses it; the command can be repeated")
		}
		err = client.Delete(ctx, stored.Name, metav1.DeleteOptions{Preconditions: metav1.NewUIDPreconditions(string(stored.UID))})
		if err != nil && !apierrors.IsNotFound(err) {
			return leftSecret(stored, kinds.Reason(err)+"; the command can be repeated, and uses it")
		}
		fmt.Fprintln(r.e.ErrOut, cli.ResourceName(stored), "deleted again")
		return nil
	}, nil
}

// replaceSecret replaces the values of a Secret that register has made for this broker. The Secret of others stays as it is.
func replaceSecret(ctx context.Context, r *register, client secretClient, secret *corev1.Secret, exists error) (*corev1.Secret, error) {
	present, err := client.Get(ctx, secret.Name, metav1.GetOptions{})
	if err != nil {
		return nil, err
	}
	if want := secret.Annotations[v1beta1.RegisteredForAnnotation]; present.Annotations[v1beta1.RegisteredForAnnotation] != want {
		return nil, cli.WithHint(exists, "register did not make it for this broker: --auth-secret=%s uses it as it is, without a password on standard input; "+
			"with one, --auth-secret names a new Secret", secret.Name)
	}
	return cli.Edit(ctx, r.e, r.write, client, present, "configured", func(edited *corev1.Secret) error {
		edited.Data = map[string][]byte{}
		for key, value := range secret.StringData {
			edited.Data[key] = []byte(value)
		}
		return nil
	})
}

// isRefused reports whether an error says that nothing was stored.
func isRefused(err error) bool {
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return errors.Is(err, context.Canceled) // before the request was sent
	}
	code := status.Status().Code
	return code >= http.StatusBadRequest && code < http.StatusInternalServerError && code != http.StatusRequestTimeout && code != http.StatusConflict
}

// leftSecret is the error for a Secret that stays.
func leftSecret(secret *corev1.Secret, why string) error {
	return &cli.LeftError{Err: fmt.Errorf("%s in namespace %q was not deleted: %s", cli.ResourceName(secret), secret.Namespace, why)}
}

// uses reports whether a broker has a Secret in its authInfo.
func uses(broker v1beta1.Broker, secret *corev1.Secret) bool {
	name := types.NamespacedName{Namespace: secret.Namespace, Name: secret.Name}
	return slices.Contains(slices.Collect(maps.Values(v1beta1.AuthSecrets(broker))), name)
}
