// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package receivers resolves the receivers of an Alert, for webhooks and controllers, and says why a receiver cannot be used. It
// reads caches, or the API server where certainty is needed, and only the metadata of Secrets.
package receivers

import (
	"context"
	"errors"
	"fmt"
	"slices"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
)

// Names of indexes of the cache.
const (
	// SecretIndex finds receivers by the name of their Secret.
	SecretIndex  = "secretRef"
	defaultIndex = "isDefault"
)

// Resolver finds receivers.
type Resolver struct {
	// Cache has the indexes of AddIndexes, unless Unindexed: then it is the API server.
	Cache     client.Reader
	Unindexed bool
	// OperatorNamespace has the Secrets of ClusterReceivers.
	OperatorNamespace string
}

// AddIndexes adds the indexes that a Resolver needs.
func AddIndexes(ctx context.Context, indexer client.FieldIndexer) error {
	return errors.Join(
		indexer.IndexField(ctx, &v1beta1.Receiver{}, defaultIndex, isDefault),
		indexer.IndexField(ctx, &v1beta1.ClusterReceiver{}, defaultIndex, isDefault),
		indexer.IndexField(ctx, &v1beta1.Receiver{}, SecretIndex, secretOf),
		indexer.IndexField(ctx, &v1beta1.ClusterReceiver{}, SecretIndex, secretOf),
	)
}

func isDefault(obj client.Object) []string {
	if IsDefault(obj) {
		return []string{"true"}
	}
	return nil
}

func secretOf(obj client.Object) []string {
	if ref := obj.(v1beta1.ReceiverObject).Common().SecretRef; ref != nil {
		return []string{ref.Name}
	}
	return nil
}

// NewOf returns an empty receiver of a kind.
func NewOf(kind v1beta1.ReceiverKind) v1beta1.ReceiverObject {
	if kind == v1beta1.KindClusterReceiver {
		return &v1beta1.ClusterReceiver{}
	}
	return &v1beta1.Receiver{}
}

// KindOf returns the kind of a receiver.
func KindOf(receiver metav1.Object) v1beta1.ReceiverKind {
	if receiver.GetNamespace() == "" {
		return v1beta1.KindClusterReceiver
	}
	return v1beta1.KindReceiver
}

// IsDefault reports whether a receiver is marked as a default.
func IsDefault(receiver metav1.Object) bool {
	return receiver.GetAnnotations()[v1beta1.DefaultReceiverAnnotation] == "true"
}

// Default returns the default Receiver of a namespace, else the default ClusterReceiver that selects it; nil: it has no default.
func (r Resolver) Default(ctx context.Context, namespace string) (*v1beta1.ReceiverRef, error) {
	var local v1beta1.ReceiverList
	if err := r.Cache.List(ctx, &local, append(r.defaults(), client.InNamespace(namespace))...); err != nil {
		return nil, err
	}
	own := slices.DeleteFunc(local.Items, func(receiver v1beta1.Receiver) bool { return !IsDefault(&receiver) })
	if chosen := newest(own, func(receiver *v1beta1.Receiver) *metav1.ObjectMeta { return &receiver.ObjectMeta }); chosen != nil {
		return &v1beta1.ReceiverRef{Kind: v1beta1.KindReceiver, Name: chosen.Name}, nil
	}
	var shared v1beta1.ClusterReceiverList
	if err := r.Cache.List(ctx, &shared, r.defaults()...); err != nil {
		return nil, err
	}
	var usable []v1beta1.ClusterReceiver
	for _, receiver := range shared.Items {
		selected, err := r.selects(ctx, &receiver, namespace)
		if err != nil {
			return nil, err
		}
		if selected && IsDefault(&receiver) {
			usable = append(usable, receiver)
		}
	}
	if chosen := newest(usable, func(receiver *v1beta1.ClusterReceiver) *metav1.ObjectMeta { return &receiver.ObjectMeta }); chosen != nil {
		return &v1beta1.ReceiverRef{Kind: v1beta1.KindClusterReceiver, Name: chosen.Name}, nil
	}
	return nil, nil
}

// defaults lists the receivers that are marked as a default, by index where there is one.
func (r Resolver) defaults() []client.ListOption {
	if r.Unindexed {
		return nil
	}
	return []client.ListOption{client.MatchingFields{defaultIndex: "true"}, client.UnsafeDisableDeepCopy}
}

// newest returns the metadata of the newest of several defaults; of those that were created in the same second, the first by name. nil: none.
func newest[T any](items []T, meta func(*T) *metav1.ObjectMeta) *metav1.ObjectMeta {
	var chosen *metav1.ObjectMeta
	for i := range items {
		m := meta(&items[i])
		if chosen == nil || chosen.CreationTimestamp.Before(&m.CreationTimestamp) ||
			chosen.CreationTimestamp.Equal(&m.CreationTimestamp) && m.Name < chosen.Name {
			chosen = m
		}
	}
	return chosen
}

// Target returns the receiver that ref names in a namespace, and why it cannot be used.
func (r Resolver) Target(ctx context.Context, namespace string, ref v1beta1.ReceiverRef) (alertrules.Target, error) {
	receiver, err := r.receiver(ctx, namespace, ref)
	if apierrors.IsNotFound(err) {
		return alertrules.Target{Problem: &alertrules.Problem{Reason: v1beta1.ReasonReceiverNotFound, Message: fmt.Sprintf("%s %q does not exist", ref.Kind, ref.Name)}}, nil
	}
	if err != nil {
		return alertrules.Target{}, err
	}
	target, err := r.Of(ctx, receiver)
	if err != nil {
		return alertrules.Target{}, err
	}
	if shared, ok := receiver.(*v1beta1.ClusterReceiver); ok {
		selected, err := r.selects(ctx, shared, namespace)
		if err != nil {
			return alertrules.Target{}, err
		}
		if !selected {
			target.Problem = &alertrules.Problem{Reason: v1beta1.ReasonNamespaceNotSelected, Message: fmt.Sprintf("the namespaceSelector of ClusterReceiver %q does not select namespace %q", ref.Name, namespace)}
		}
	}
	return target, nil
}

// Of returns a receiver as a target, and why it cannot be used by any Alert.
func (r Resolver) Of(ctx context.Context, receiver v1beta1.ReceiverObject) (alertrules.Target, error) {
	target := alertrules.Target{Spec: receiver.Common(), UID: receiver.GetUID(), SecretNamespace: r.SecretNamespace(receiver)}
	if shared, ok := receiver.(*v1beta1.ClusterReceiver); ok {
		target.NamespaceRateLimit = shared.Spec.NamespaceRateLimit
	}
	secret, missing, err := r.secretVersion(ctx, receiver)
	if err != nil {
		return alertrules.Target{}, err
	}
	target.Revision = fmt.Sprintf("%s/%d/%s", receiver.GetUID(), receiver.GetGeneration(), secret)
	target.Leaving = !receiver.GetDeletionTimestamp().IsZero() || missing && apiserver.IsTerminating(ctx, r.Cache, receiver.GetNamespace())
	switch {
	case missing:
		target.Problem = &alertrules.Problem{Reason: v1beta1.ReasonSecretNotFound, Message: fmt.Sprintf("Secret %q of %s %q does not exist in namespace %q",
			target.Spec.SecretRef.Name, KindOf(receiver), receiver.GetName(), target.SecretNamespace)}
	case target.Spec.Suspend:
		target.Problem = &alertrules.Problem{Reason: v1beta1.ReasonSuspended, Message: fmt.Sprintf("%s %q is suspended", KindOf(receiver), receiver.GetName())}
	}
	return target, nil
}

func (r Resolver) receiver(ctx context.Context, namespace string, ref v1beta1.ReceiverRef) (v1beta1.ReceiverObject, error) {
	receiver, key := NewOf(ref.Kind), client.ObjectKey{Namespace: namespace, Name: ref.Name}
	if ref.Kind == v1beta1.KindClusterReceiver {
		key.Namespace = ""
	}
	return receiver, r.Cache.Get(ctx, key, receiver, client.UnsafeDisableDeepCopy)
}

// selects reports whether the namespaceSelector of a ClusterReceiver selects a namespace; a ClusterReceiver without one selects none.
func (r Resolver) selects(ctx context.Context, receiver *v1beta1.ClusterReceiver, namespace string) (bool, error) {
	if receiver.Spec.NamespaceSelector == nil {
		return false, nil
	}
	selector, err := metav1.LabelSelectorAsSelector(receiver.Spec.NamespaceSelector)
	if err != nil {
		selector = labels.Nothing() // admission refuses an invalid selector; one that bypassed it selects nothing
	}
	if selector.Empty() {
		return true, nil
	}
	ns := apiserver.Metadata("Namespace")
	if err := r.Cache.Get(ctx, client.ObjectKey{Name: namespace}, ns); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return selector.Matches(labels.Set(ns.Labels)), nil
}

// secretVersion returns the version of the receiver's Secret.
func (r Resolver) secretVersion(ctx context.Context, receiver v1beta1.ReceiverObject) (version string, missing bool, err error) {
	ref := receiver.Common().SecretRef
	if ref == nil {
		return "", false, nil
	}
	secret := apiserver.Metadata("Secret")
	err = r.Cache.Get(ctx, client.ObjectKey{Namespace: r.SecretNamespace(receiver), Name: ref.Name}, secret)
	if apierrors.IsForbidden(err) { // the read of its content fails as well, and a reader that needs the content says so
		return "forbidden", false, nil
	}
	if err != nil {
		return "", apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	}
	return string(secret.UID) + "/" + secret.ResourceVersion, false, nil
}

// SecretNamespace returns the namespace of a receiver's Secret.
func (r Resolver) SecretNamespace(receiver v1beta1.ReceiverObject) string {
	if receiver.GetNamespace() == "" {
		return r.OperatorNamespace
	}
	return receiver.GetNamespace()
}

// WithSecret returns the receivers that use a Secret.
func (r Resolver) WithSecret(ctx context.Context, secret metav1.Object) []client.Object {
	var found []client.Object
	named := client.MatchingFields{SecretIndex: secret.GetName()}
	var local v1beta1.ReceiverList
	if err := r.Cache.List(ctx, &local, named, client.InNamespace(secret.GetNamespace()), client.UnsafeDisableDeepCopy); err == nil { // List fails only while the cache stops
		for i := range local.Items {
			found = append(found, &local.Items[i])
		}
	}
	if secret.GetNamespace() != r.OperatorNamespace {
		return found
	}
	var shared v1beta1.ClusterReceiverList
	if err := r.Cache.List(ctx, &shared, named, client.UnsafeDisableDeepCopy); err == nil {
		for i := range shared.Items {
			found = append(found, &shared.Items[i])
		}
	}
	return found
}
