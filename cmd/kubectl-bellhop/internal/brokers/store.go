// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"context"
	"errors"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/cmd/kubectl-bellhop/internal/cli"
)

// registration is a broker that is to be stored, with its Secret. Credentials always get a new Secret: an existing one may be used by others,
// and a write to it could not be undone.
type registration[T v1beta1.Broker, L runtime.Object] struct {
	*register
	client cli.Client[T, L]
	// wanted is the broker as the flags describe it, and secret the Secret to create for it, nil without one.
	wanted T
	secret *corev1.Secret
	// kept is the Secret of the broker that exists, if it has the credentials already.
	kept *corev1.Secret
	// present is the broker that exists, if exists is true.
	present T
	exists  bool
}

func (r *registration[T, L]) run(ctx context.Context) error {
	if r.write.IsLocal() {
		if r.secret != nil {
			if err := r.write.Report(r.e, "created", r.secret); err != nil {
				return err
			}
		}
		return r.write.Report(r.e, "created", r.wanted)
	}
	if err := r.check(ctx); err != nil {
		return err
	}
	stored, err := r.store(ctx)
	if err != nil {
		return err
	}
	return cli.Finish(ctx, r.e, r.write, &r.wait, r.client, stored)
}

// check has the API server check the broker, and stores nothing, so that a refused one leaves no Secret. It reads the broker that exists, and
// refuses to change it unless it may be corrected.
func (r *registration[T, L]) check(ctx context.Context) error {
	refused := r.e.WithoutWarnings(func() error { // of a Secret that is created afterwards
		_, err := r.client.Create(ctx, r.wanted, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}, FieldManager: cli.FieldManager})
		return err
	})
	if !apierrors.IsAlreadyExists(refused) {
		return refused
	}
	var err error
	if r.present, err = cli.Get(ctx, r.client, r.wanted.GetName()); err != nil {
		return err
	}
	r.exists = true
	name := cli.ResourceName(r.present)
	if !r.present.GetDeletionTimestamp().IsZero() {
		return cli.WithHint(refused, "it is being deleted: wait with kubectl wait --for=delete %s", name)
	}
	if err := r.keepSameCredentials(ctx); err != nil {
		return err
	}
	corrected := r.present.DeepCopyObject().(T)
	r.adjust(corrected)
	isSame := r.secret == nil && equality.Semantic.DeepEqual(r.present.Common(), corrected.Common())
	switch {
	case isSame:
		return nil
	case r.mayCorrect(r.present):
		return r.e.WithoutWarnings(func() error {
			_, err := cli.Edit(ctx, r.e.Silent(), r.write.AsServerDryRun(), r.client, r.present, "", r.correct)
			return err
		})
	}
	if corrected.Common().AuthInfo = r.present.Common().AuthInfo; r.secret != nil && equality.Semantic.DeepEqual(r.present.Common(), corrected.Common()) {
		for _, secret := range v1beta1.AuthSecrets(r.present) {
			return cli.WithHint(refused, "it has other credentials: kubectl edit secret %s --namespace=%s changes them", secret.Name, secret.Namespace)
		}
	}
	return cli.WithHint(refused, "it has other settings: kubectl edit %s changes them, and kubectl bellhop deregister removes it", name)
}

// keepSameCredentials leaves the broker that exists its Secret if that has the credentials already.
func (r *registration[T, L]) keepSameCredentials(ctx context.Context) error {
	if r.secret == nil {
		return nil
	}
	for _, name := range v1beta1.AuthSecrets(r.present) {
		if name.Namespace != r.secret.Namespace || !isNamedAfter(name.Name, r.secret.Name) {
			continue
		}
		client, err := secretsIn(r.e, name.Namespace)
		if err != nil {
			return err
		}
		secret, err := client.Get(ctx, name.Name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			continue
		}
		if err != nil {
			return err
		}
		if hasValues(secret, r.secret.StringData) && equality.Semantic.DeepEqual(r.present.Common().AuthInfo, r.authInfo(secret)) {
			r.wanted.Common().AuthInfo, r.secret, r.kept = r.authInfo(secret), nil, secret
			return nil
		}
	}
	return nil
}

// mayCorrect reports whether register has made a broker whose catalog was never fetched.
func (r *registration[T, L]) mayCorrect(broker T) bool {
	return broker.GetAnnotations()[v1beta1.RegisteredForAnnotation] == r.label(broker.GetName()) && broker.CommonStatus().LastCatalogRetrievalTime == nil
}

// adjust gives a broker the settings that the flags describe. Without a flag for credentials it keeps its authInfo,
// and without --ca-file its certificates. --insecure-skip-broker-tls-verify and certificates exclude each other.
func (r *registration[T, L]) adjust(broker T) {
	from, to := r.wanted.Common(), broker.Common()
	to.URL, to.InsecureSkipTLSVerify = from.URL, from.InsecureSkipTLSVerify
	if from.AuthInfo != nil {
		to.AuthInfo = from.AuthInfo
	}
	if len(from.CABundle) > 0 || from.InsecureSkipTLSVerify {
		to.CABundle = from.CABundle
	}
	if from.RelistDuration != nil {
		to.RelistDuration = from.RelistDuration
	}
}

// errChanged is of a broker that was changed after register had decided what to do with it.
var errChanged = errors.New("the broker was changed meanwhile")

// correct edits the broker that exists, and changes no settings but those that were read. A broker that register has made and that is not ready
// gets a request for its catalog: the values in a Secret that the user has changed are in no generation, so that the status might be about the
// former ones.
func (r *registration[T, L]) correct(broker T) error {
	before, mayCorrect := broker.Common().DeepCopy(), r.mayCorrect(broker)
	r.adjust(broker)
	isSame := equality.Semantic.DeepEqual(before, broker.Common())
	isAsRead := mayCorrect && equality.Semantic.DeepEqual(before, r.present.Common())
	if broker.GetUID() != r.present.GetUID() || !broker.GetDeletionTimestamp().IsZero() || !isSame && !isAsRead {
		return cli.WithHint(errChanged, "the command can be repeated")
	}
	if mayCorrect && !cli.HealthOf(broker).Ready {
		broker.Common().RelistRequests++
	}
	return nil
}

// store writes the Secret and the broker, and deletes the Secret that a corrected broker does not use any more. An interrupt cancels no request,
// and ends the command only when it is known what is stored.
func (r *registration[T, L]) store(ctx context.Context) (stored T, err error) {
	defer r.e.Hold()()
	if err := ctx.Err(); err != nil {
		return stored, err
	}
	if r.secret != nil {
		if err := r.createSecret(ctx); err != nil {
			return stored, err
		}
		if err := ctx.Err(); err != nil {
			return stored, errors.Join(err, r.deleteNewSecret(ctx))
		}
	}
	if r.kept != nil {
		if err := r.write.Report(r.e, "unchanged", withoutValues(r.kept)); err != nil {
			return stored, err
		}
	}
	if stored, err = r.storeBroker(ctx); err != nil {
		return stored, errors.Join(err, r.undo(ctx, err))
	}
	if r.exists {
		err = r.deleteFormerSecrets(ctx, stored)
	}
	return stored, err
}

func (r *registration[T, L]) storeBroker(ctx context.Context) (T, error) {
	ctx, release := r.e.Uninterrupted(ctx)
	defer release()
	if r.exists {
		return cli.Edit(ctx, r.e, r.write, r.client, r.present, "configured", r.correct)
	}
	return cli.Create(ctx, r.e, r.write, r.client, r.wanted)
}

// undo deletes the Secret of a broker that is certainly not stored. Else both stay, as the request may be carried out later.
func (r *registration[T, L]) undo(ctx context.Context, cause error) error {
	isUnknown := cli.MayBeCarriedOut(cause) && !errors.Is(cause, errChanged)
	switch {
	case !r.write.Stores():
		return nil
	case r.secret == nil && isUnknown:
		return cli.WithHint(&cli.LeftError{Err: fmt.Errorf("it is not known whether %s is stored", cli.ResourceName(r.wanted))}, "the command can be repeated")
	case r.secret == nil:
		return nil
	case isUnknown || r.mayBeUsed(ctx, cause):
		return cli.WithHint(leftSecret(r.secret, fmt.Sprintf("it is not known whether %s is stored, which refers to it", cli.ResourceName(r.wanted))),
			"if kubectl get %s -o yaml shows no broker with it, kubectl delete secret %s --namespace=%s deletes the Secret", cli.ResourceName(r.wanted), r.secret.Name, r.secret.Namespace)
	}
	return r.deleteNewSecret(ctx)
}

// mayBeUsed reports whether the broker that is stored may refer to the new Secret, although the API server has refused to store it: a conflict may
// be with an earlier attempt of the same request.
func (r *registration[T, L]) mayBeUsed(ctx context.Context, cause error) bool {
	if !apierrors.IsConflict(cause) && !apierrors.IsAlreadyExists(cause) && !errors.Is(cause, errChanged) {
		return false
	}
	ctx, release := r.e.Uninterrupted(ctx)
	defer release()
	present, err := r.client.Get(ctx, r.wanted.GetName(), metav1.GetOptions{})
	if err != nil {
		return !apierrors.IsNotFound(err)
	}
	return uses(present, r.secret)
}
