/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package credentials

import (
	"context"
	"fmt"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/apiserver"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/redact"
	"github.com/gophernetes/bellhop/internal/secrets"
)

const (
	// maxRecord bounds what the names of a Secret's keys take in its annotation; all
	// annotations may have 256 KiB.
	maxRecord = 128 << 10
	// maxWrites is how often a Secret is written anew that others write, too.
	maxWrites = 4
	// maxRefusal is how much of what the API server says stands in a condition.
	maxRefusal = 512
)

// Keeper keeps the Secrets of bindings. Their content is not cached.
type Keeper struct {
	Cache  client.Reader // of metadata
	Live   client.Reader
	Writer client.Client
}

// See is what the cache knows of a binding's Secret; nil: nothing. It is the cache's own:
// nobody may change it.
func (k *Keeper) See(ctx context.Context, b *v1beta1.ServiceBinding) (*metav1.PartialObjectMetadata, error) {
	meta := apiserver.Metadata("Secret")
	return found(meta, k.Cache.Get(ctx, types.NamespacedName{Namespace: b.Namespace, Name: catalog.SecretName(b)}, meta, client.UnsafeDisableDeepCopy))
}

// ShowsOther says whether the cache shows another's Secret under the binding's name: then it will
// show, too, when that is gone.
func (k *Keeper) ShowsOther(ctx context.Context, b *v1beta1.ServiceBinding) bool {
	seen, err := k.See(ctx, b)
	return err == nil && seen != nil && !IsOwned(seen, b)
}

// Read is the Secret that has a binding's name for it, with its content; nil: there is
// none.
func (k *Keeper) Read(ctx context.Context, b *v1beta1.ServiceBinding) (*corev1.Secret, error) {
	return k.read(ctx, b.Namespace, catalog.SecretName(b))
}

func (k *Keeper) read(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	return found(secrets.Read(ctx, k.Live, types.NamespacedName{Namespace: namespace, Name: name}))
}

// found is an object, or nil if there is none.
func found[T any](object *T, err error) (*T, error) {
	if err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return object, nil
}

// Put writes the data, which the broker told under an id, into the binding's Secret,
// which is made if there is none, and says of which version it is now. An error is an
// *Error, or the API server's.
func (k *Keeper) Put(ctx context.Context, b *v1beta1.ServiceBinding, id string, data map[string][]byte) (version string, err error) {
	if size := len(recordOf(id, data).String()); size > maxRecord {
		return "", unfit("the names of the credentials' keys have %d bytes; they can have %d", size, maxRecord)
	}
	ctx = secrets.Silent(ctx)
	seen, err := k.See(ctx, b)
	if err != nil {
		return "", err
	}
	for range maxWrites { // others may write it, too, and the cache may lag behind them
		if seen == nil {
			version, err = k.create(ctx, b, id, data)
		} else {
			version, err = k.update(ctx, b, id, data)
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

func (k *Keeper) create(ctx context.Context, b *v1beta1.ServiceBinding, id string, data map[string][]byte) (string, error) {
	secret := NewSecret(b, id, data)
	if err := k.Writer.Create(ctx, secret, client.DisableReadYourWritesConsistency); err != nil {
		return "", err
	}
	return secret.ResourceVersion, nil
}

func (k *Keeper) update(ctx context.Context, b *v1beta1.ServiceBinding, id string, data map[string][]byte) (string, error) {
	secret, err := secrets.Read(ctx, k.Live, types.NamespacedName{Namespace: b.Namespace, Name: catalog.SecretName(b)})
	if err != nil {
		return "", err
	}
	if !IsOwned(secret, b) {
		return "", Occupied(b)
	}
	before := secret.DeepCopy()
	if !Merge(secret, id, data) {
		return secret.ResourceVersion, nil
	}
	if size := sizeOf(secret.Data); size > corev1.MaxSecretSize { // the binding's alone would fit
		return "", &Error{message: fmt.Sprintf("with what else is in it, the Secret would have %d bytes; it can have %d", size, corev1.MaxSecretSize), Foreign: true}
	}
	// The resourceVersion in the patch keeps it from landing on another of the name.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := k.Writer.Patch(ctx, secret, patch, client.DisableReadYourWritesConsistency); err != nil {
		return "", err
	}
	return secret.ResourceVersion, nil
}

// Remove deletes a Secret as it was seen, and no other.
func (k *Keeper) Remove(ctx context.Context, seen metav1.Object) error {
	secret, uid := &corev1.Secret{}, seen.GetUID()
	secret.Namespace, secret.Name = seen.GetNamespace(), seen.GetName()
	return client.IgnoreNotFound(k.Writer.Delete(secrets.Silent(ctx), secret, client.Preconditions{UID: &uid}, client.DisableReadYourWritesConsistency))
}

// Others reads the Secrets from which a binding copies keys.
func (k *Keeper) Others(ctx context.Context, b *v1beta1.ServiceBinding) (map[string]map[string][]byte, error) {
	others := map[string]map[string][]byte{}
	for _, name := range sourcesOf(b) {
		secret, err := k.read(ctx, b.Namespace, name)
		if err != nil {
			return nil, fmt.Errorf("reading Secret %q: %w", name, err)
		}
		if secret != nil {
			others[name] = secret.Data
		}
	}
	return others, nil
}

// Refusal is what the API server says of a Secret that it does not take, without
// anything of what was to be in it.
func Refusal(err error, data map[string][]byte) string {
	var values []string
	for _, value := range data {
		values = append(values, string(value))
	}
	return redact.NewRedactor(values...).Clean(err.Error(), maxRefusal)
}
