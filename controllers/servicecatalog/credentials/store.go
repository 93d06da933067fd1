// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package credentials reads and writes the Secrets of bindings.
package credentials

import (
	"context"
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingsecret"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// maxWrites bounds the attempts to write a Secret that others write at the same time.
const maxWrites = 4

// Store reads and writes the Secrets of bindings. Their content is not cached.
type Store struct {
	Cache  client.Reader // has the metadata of Secrets
	Live   client.Reader
	Writer client.Client
	// Recorder announces that an immutable Secret was replaced.
	Recorder events.EventRecorder
	// isDry: the Writer changes nothing.
	isDry bool
}

// See returns the metadata of a binding's Secret in the cache; nil: it does not exist there. It belongs to the cache.
func (s *Store) See(ctx context.Context, b *v1beta1.ServiceBinding) (*metav1.PartialObjectMetadata, error) {
	meta := apiserver.Metadata("Secret")
	return found(meta, s.Cache.Get(ctx, types.NamespacedName{Namespace: b.Namespace, Name: catalog.SecretName(b)}, meta, client.UnsafeDisableDeepCopy))
}

// ShowsOther reports whether the cache shows a Secret of the name that does not belong to the binding: then its deletion causes an
// event.
func (s *Store) ShowsOther(ctx context.Context, b *v1beta1.ServiceBinding) bool {
	seen, err := s.See(ctx, b)
	return err == nil && seen != nil && !bindingsecret.IsOwned(seen, b)
}

// Read returns the Secret of the binding's secretName, with its content; nil: it does not exist.
func (s *Store) Read(ctx context.Context, b *v1beta1.ServiceBinding) (*corev1.Secret, error) {
	return s.read(ctx, b.Namespace, catalog.SecretName(b))
}

func (s *Store) read(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	return found(secrets.Read(ctx, s.Live, types.NamespacedName{Namespace: namespace, Name: name}))
}

// found returns an object; nil: it does not exist.
func found[T any](object *T, err error) (*T, error) {
	if err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return object, nil
}

// Put writes the content for an id into the binding's Secret, creates it if it does not exist, and returns its resourceVersion. An error is an
// *Error, or the API server's.
func (s *Store) Put(ctx context.Context, b *v1beta1.ServiceBinding, id string, content bindingsecret.Content) (version string, err error) {
	ctx = secrets.Silent(ctx)
	seen, err := s.See(ctx, b)
	if err != nil {
		return "", err
	}
	for range maxWrites { // others may write it as well, and the cache may lag
		if seen == nil {
			version, err = s.create(ctx, b, id, content)
		} else {
			version, err = s.update(ctx, b, id, content)
		}
		switch {
		case apierrors.IsAlreadyExists(err), apierrors.IsConflict(err):
			seen = &metav1.PartialObjectMetadata{}
		case apierrors.IsNotFound(err):
			seen = nil
		default:
			return version, err
		}
	}
	return "", err
}

// Try returns why the API server would refuse the binding's Secret, for example because of a quota or an admission policy; nil: it would not. It
// makes a dry run of the write, with the same keys and with values as long as the refused ones. An error is an *Error, or the API server's.
func (s *Store) Try(ctx context.Context, b *v1beta1.ServiceBinding, refused bindingsecret.Sizes) error {
	data := refused.Placeholders()
	if data == nil { // nothing is known of the credentials
		secret, err := s.Read(ctx, b)
		if err != nil {
			return err
		}
		if secret != nil {
			data = secret.Data
		}
	}
	dry := *s
	dry.isDry, dry.Writer = true, client.NewDryRunClient(s.Writer)
	_, err := dry.Put(ctx, b, "", bindingsecret.Content{Data: data}) // no id is empty, so that the record differs
	return err
}

func (s *Store) create(ctx context.Context, b *v1beta1.ServiceBinding, id string, content bindingsecret.Content) (string, error) {
	secret := bindingsecret.NewSecret(b, id, content.Beside(nil))
	bindingsecret.MarkWritten(secret, b)
	sent := secret.Data
	if err := s.Writer.Create(ctx, secret, client.DisableReadYourWritesConsistency); err != nil {
		return "", refused(err, sent)
	}
	return secret.ResourceVersion, nil
}

func (s *Store) update(ctx context.Context, b *v1beta1.ServiceBinding, id string, content bindingsecret.Content) (string, error) {
	secret, err := secrets.Read(ctx, s.Live, types.NamespacedName{Namespace: b.Namespace, Name: catalog.SecretName(b)})
	if err != nil {
		return "", err
	}
	if !bindingsecret.IsOwned(secret, b) {
		return "", bindingsecret.Occupied(b)
	}
	if err := s.checkStale(ctx, secret, b); err != nil {
		return "", err
	}
	before := secret.DeepCopy()
	if !bindingsecret.Merge(secret, id, content.Beside(secret)) {
		return secret.ResourceVersion, nil
	}
	if size := bindingsecret.SizeOf(secret.Data); size > corev1.MaxSecretSize { // the binding's alone would fit
		return "", &bindingsecret.Error{Message: fmt.Sprintf("with what else is in it, the Secret would have %d bytes; it can have %d", size, corev1.MaxSecretSize), Foreign: true}
	}
	bindingsecret.MarkWritten(secret, b)
	// The resourceVersion in the patch protects another Secret of the name.
	if ptr.Deref(secret.Immutable, false) {
		if others := bindingsecret.KeysOfOthers(secret); len(others) > 0 {
			return "", bindingsecret.Immutable(b, others)
		}
		version, err := s.recreate(ctx, b, before, secret)
		return version, refused(err, before.Data, secret.Data)
	}
	change := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	sent := secret.Data
	if err := s.Writer.Patch(ctx, secret, change, client.DisableReadYourWritesConsistency); err != nil {
		return "", refused(err, before.Data, sent)
	}
	return secret.ResourceVersion, nil
}

// checkStale returns an error where the Secret was written from a later state of the binding, by another leader. An annotation with a version
// that the binding has not reached yet says nothing.
func (s *Store) checkStale(ctx context.Context, secret *corev1.Secret, b *v1beta1.ServiceBinding) error {
	if !bindingsecret.IsNewer(secret, b.ResourceVersion) {
		return nil
	}
	newest := &metav1.PartialObjectMetadata{}
	newest.SetGroupVersionKind(v1beta1.GroupVersion.WithKind("ServiceBinding"))
	if err := s.Live.Get(ctx, client.ObjectKeyFromObject(b), newest); client.IgnoreNotFound(err) != nil {
		return err
	}
	if newest.UID != b.UID || !bindingsecret.IsNewer(secret, newest.ResourceVersion) {
		return fmt.Errorf("the Secret %q was written from a later state of ServiceBinding %q: %w", secret.Name, b.Name, patch.ErrStale)
	}
	if !s.isDry {
		s.Recorder.Eventf(b, nil, corev1.EventTypeWarning, v1beta1.ReasonInjectedBindResult, "Repair", "The annotation %s of Secret %q has a resourceVersion that the ServiceBinding has not reached: it was changed, or restored from a backup, and is replaced", v1beta1.WrittenFromAnnotation, secret.Name)
	}
	return nil
}

// recreate replaces an immutable Secret of a binding, which has no keys of others, by one that can be changed. Metadata of others stay. It is
// not deleted where the API server would refuse another one.
func (s *Store) recreate(ctx context.Context, b *v1beta1.ServiceBinding, before, secret *corev1.Secret) (string, error) {
	again := &corev1.Secret{Type: secret.Type, Data: secret.Data}
	again.Namespace, again.Name, again.Labels, again.Annotations, again.OwnerReferences = secret.Namespace, secret.Name, secret.Labels, secret.Annotations, secret.OwnerReferences
	// Admission comes before the answer that there is one of the name.
	if err := client.NewDryRunClient(s.Writer).Create(ctx, again.DeepCopy(), client.DisableReadYourWritesConsistency); !apierrors.IsAlreadyExists(err) && err != nil {
		if err = refused(err, before.Data, secret.Data); ExceedsQuota(err) { // for as long as the Secret itself counts
			return "", refusal{err, fmt.Sprintf("Secret %q in namespace %q is immutable, and a quota refuses its replacement: raise the quota, or delete the Secret: %s", secret.Name, secret.Namespace, err)}
		}
		return "", err
	}
	if err := s.Remove(ctx, secret); err != nil || s.isDry {
		return "", err
	}
	if err := s.Writer.Create(ctx, again, client.DisableReadYourWritesConsistency); err != nil {
		return "", err
	}
	s.Recorder.Eventf(b, nil, corev1.EventTypeNormal, v1beta1.ReasonInjectedBindResult, "Recreate", "Secret %q was immutable: it was deleted, and created again with the present credentials, so that it can be changed", secret.Name)
	return again.ResourceVersion, nil
}

// Remove deletes the Secret that was read, and no other of its name.
func (s *Store) Remove(ctx context.Context, seen metav1.Object) error {
	secret, uid := &corev1.Secret{}, seen.GetUID()
	secret.Namespace, secret.Name = seen.GetNamespace(), seen.GetName()
	err := client.IgnoreNotFound(s.Writer.Delete(secrets.Silent(ctx), secret, client.Preconditions{UID: &uid}, client.DisableReadYourWritesConsistency))
	if err == nil {
		return nil
	}
	is, readErr := s.read(ctx, secret.Namespace, secret.Name)
	if readErr != nil || is == nil {
		return refusal{err, summaryOf(err)}
	}
	return refused(err, is.Data)
}

// ReadSources reads the Secrets that spec.secretTransforms[].addKeysFrom names. A missing Secret is left out, which CheckSources reports. If they
// are too large together, it returns a *bindingsecret.Error and reads no more.
func (s *Store) ReadSources(ctx context.Context, b *v1beta1.ServiceBinding) (bindingsecret.Sources, error) {
	others, size := bindingsecret.Sources{}, 0
	for _, name := range bindingsecret.SourcesOf(b) {
		secret, err := s.read(ctx, b.Namespace, name)
		if err != nil {
			return nil, fmt.Errorf("reading Secret %q: %w", name, err)
		}
		if secret == nil {
			continue
		}
		if size += bindingsecret.HeldBy(secret.Data); size > bindingsecret.MaxSources {
			return nil, bindingsecret.SourcesTooLarge()
		}
		others[name] = secret.Data
	}
	return others, nil
}

// Version returns a hash of the UIDs and resource versions of the binding's Secret, whose metadata in the cache is seen, and of its sources.
func (s *Store) Version(ctx context.Context, b *v1beta1.ServiceBinding, seen *metav1.PartialObjectMetadata) (string, error) {
	versions := []string{versionOf(seen)}
	for _, name := range bindingsecret.SourcesOf(b) {
		meta := apiserver.Metadata("Secret")
		meta, err := found(meta, s.Cache.Get(ctx, types.NamespacedName{Namespace: b.Namespace, Name: name}, meta, client.UnsafeDisableDeepCopy))
		if err != nil {
			return "", err
		}
		versions = append(versions, versionOf(meta))
	}
	return catalog.Hash(strings.Join(versions, " ")), nil
}

func versionOf(seen *metav1.PartialObjectMetadata) string {
	if seen == nil {
		return "absent"
	}
	return string(seen.UID) + "/" + seen.ResourceVersion
}
