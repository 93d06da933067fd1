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

package servicecatalog

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube"
	"github.com/gophernetes/bellhop/internal/outbound"
)

const (
	// maxRecord bounds what the names of a Secret's keys take in its annotation; all
	// annotations may have 256 KiB.
	maxRecord = 128 << 10
	// maxWrites is how often a Secret is written anew that others write, too.
	maxWrites = 4
)

// secretName is the name of a binding's Secret.
func secretName(b *v1beta1.ServiceBinding) string { return cmp.Or(b.Spec.SecretName, b.Name) }

// keyRecord says which keys of a Secret are a binding's, and tells whether they are as
// they were written, and under which id the broker told them.
type keyRecord struct {
	digest string
	keys   []string
}

func recordOf(id string, data map[string][]byte) keyRecord {
	r := keyRecord{keys: slices.Sorted(maps.Keys(data))}
	r.digest = digestOf(id, data, r.keys)
	return r
}

// String is the value of the annotation. It begins with its version.
func (r keyRecord) String() string {
	return strings.Join([]string{"v1", r.digest, strings.Join(r.keys, ",")}, " ")
}

// parseRecord reads an annotation; ok is false where there is none that can be read.
func parseRecord(annotation string) (r keyRecord, ok bool) {
	parts := strings.Split(annotation, " ")
	if len(parts) != 3 || parts[0] != "v1" {
		return r, false
	}
	r.digest = parts[1]
	if parts[2] != "" {
		r.keys = strings.Split(parts[2], ",")
	}
	return r, true
}

// isIn says whether the data has the keys of the record as they were written for an id.
func (r keyRecord) isIn(data map[string][]byte, id string) bool {
	return digestOf(id, data, r.keys) == r.digest
}

// digestOf is that of an id and some of the data's keys. One that is missing is not one
// that is empty.
func digestOf(id string, data map[string][]byte, keys []string) string {
	hash := sha256.New()
	write := func(text []byte) {
		hash.Write(binary.BigEndian.AppendUint64(nil, uint64(len(text))))
		hash.Write(text)
	}
	write([]byte(id))
	for _, key := range keys {
		if value, ok := data[key]; ok {
			write([]byte(key))
			write(value)
		}
	}
	return hex.EncodeToString(hash.Sum(nil))
}

// newSecret is a binding's Secret as it is made.
func newSecret(b *v1beta1.ServiceBinding, id string, data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:   b.Namespace,
			Name:        secretName(b),
			Annotations: map[string]string{v1beta1.CredentialsAnnotation: recordOf(id, data).String()},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1beta1.GroupVersion.String(), Kind: "ServiceBinding", Name: b.Name, UID: b.UID,
				Controller: new(true), BlockOwnerDeletion: new(false),
			}},
		},
		Data: data,
	}
}

// inject puts the data, which the broker told under an id, into a binding's Secret: what
// was the binding's before goes, and what is others' stays. It says whether that changed
// anything.
func inject(secret *corev1.Secret, id string, data map[string][]byte) (changed bool) {
	annotation := secret.Annotations[v1beta1.CredentialsAnnotation]
	before, _ := parseRecord(annotation)
	for _, key := range before.keys {
		if _, stays := data[key]; !stays {
			_, had := secret.Data[key]
			changed = changed || had
			delete(secret.Data, key)
		}
	}
	for key, value := range data {
		if old, ok := secret.Data[key]; ok && bytes.Equal(old, value) {
			continue
		}
		if secret.Data == nil {
			secret.Data = map[string][]byte{}
		}
		secret.Data[key], changed = value, true
	}
	if record := recordOf(id, data).String(); record != annotation {
		metav1.SetMetaDataAnnotation(&secret.ObjectMeta, v1beta1.CredentialsAnnotation, record)
		changed = true
	}
	return changed
}

// isOurs says whether a Secret is a binding's, and not that of another, or of one of the
// same name that was there before.
func isOurs(secret metav1.Object, b *v1beta1.ServiceBinding) bool {
	owner := metav1.GetControllerOfNoCopy(secret)
	return owner != nil && owner.UID == b.UID
}

// notOurs says what is in the way of a binding's Secret.
func notOurs(name string) error {
	return &injectError{message: fmt.Sprintf("Secret %q is there already and does not belong to this ServiceBinding: delete it, or make a ServiceBinding with another spec.secretName", name), foreign: true, occupied: true}
}

// secrets keeps the Secrets of bindings. Their content is not cached.
type secrets struct {
	cache  client.Reader // of metadata
	live   client.Reader
	writer client.Client
}

// see is what the cache knows of a binding's Secret; nil: nothing.
func (s *secrets) see(ctx context.Context, b *v1beta1.ServiceBinding) (*metav1.PartialObjectMetadata, error) {
	meta := kube.Metadata("Secret")
	return found(meta, s.cache.Get(ctx, types.NamespacedName{Namespace: b.Namespace, Name: secretName(b)}, meta))
}

// read is a Secret with its content; nil: there is none.
func (s *secrets) read(ctx context.Context, namespace, name string) (*corev1.Secret, error) {
	return found(kube.ReadSecret(ctx, s.live, types.NamespacedName{Namespace: namespace, Name: name}))
}

// found is an object, or nil if there is none.
func found[T any](object *T, err error) (*T, error) {
	if err != nil {
		return nil, client.IgnoreNotFound(err)
	}
	return object, nil
}

// put writes the data, which the broker told under an id, into the binding's Secret,
// which is made if there is none, and says of which version it is now. Errors are
// injectErrors, or the API server's.
func (s *secrets) put(ctx context.Context, b *v1beta1.ServiceBinding, id string, data map[string][]byte) (version string, err error) {
	if size := len(recordOf(id, data).String()); size > maxRecord {
		return "", cannotInject("the names of the credentials' keys have %d bytes; they can have %d", size, maxRecord)
	}
	ctx = kube.Silent(ctx)
	seen, err := s.see(ctx, b)
	if err != nil {
		return "", err
	}
	for range maxWrites { // others may write it, too, and the cache may lag behind them
		if seen == nil {
			version, err = s.create(ctx, b, id, data)
		} else {
			version, err = s.update(ctx, b, id, data)
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

func (s *secrets) create(ctx context.Context, b *v1beta1.ServiceBinding, id string, data map[string][]byte) (string, error) {
	secret := newSecret(b, id, data)
	if err := s.writer.Create(ctx, secret, client.DisableReadYourWritesConsistency); err != nil {
		return "", err
	}
	return secret.ResourceVersion, nil
}

func (s *secrets) update(ctx context.Context, b *v1beta1.ServiceBinding, id string, data map[string][]byte) (string, error) {
	secret, err := kube.ReadSecret(ctx, s.live, types.NamespacedName{Namespace: b.Namespace, Name: secretName(b)})
	if err != nil {
		return "", err
	}
	if !isOurs(secret, b) {
		return "", notOurs(secret.Name)
	}
	before := secret.DeepCopy()
	if !inject(secret, id, data) {
		return secret.ResourceVersion, nil
	}
	if size := sizeOf(secret.Data); size > corev1.MaxSecretSize { // the binding's alone would fit
		return "", &injectError{message: fmt.Sprintf("with what else is in it, the Secret would have %d bytes; it can have %d", size, corev1.MaxSecretSize), foreign: true}
	}
	// The resourceVersion in the patch keeps it from landing on another of the name.
	patch := client.MergeFromWithOptions(before, client.MergeFromWithOptimisticLock{})
	if err := s.writer.Patch(ctx, secret, patch, client.DisableReadYourWritesConsistency); err != nil {
		return "", err
	}
	return secret.ResourceVersion, nil
}

// remove deletes a Secret as it was seen, and no other.
func (s *secrets) remove(ctx context.Context, seen metav1.Object) error {
	secret, uid := &corev1.Secret{}, seen.GetUID()
	secret.Namespace, secret.Name = seen.GetNamespace(), seen.GetName()
	return client.IgnoreNotFound(s.writer.Delete(kube.Silent(ctx), secret, client.Preconditions{UID: &uid}, client.DisableReadYourWritesConsistency))
}

// others reads the Secrets from which a binding copies keys.
func (s *secrets) others(ctx context.Context, b *v1beta1.ServiceBinding) (map[string]map[string][]byte, error) {
	others := map[string]map[string][]byte{}
	for _, name := range sourcesOf(b) {
		secret, err := s.read(ctx, b.Namespace, name)
		if err != nil {
			return nil, fmt.Errorf("reading Secret %q: %w", name, err)
		}
		if secret != nil {
			others[name] = secret.Data
		}
	}
	return others, nil
}

// refusal is what the API server says of a Secret that it does not take, without
// anything of what was to be in it.
func refusal(err error, data map[string][]byte) string {
	var values []string
	for _, value := range data {
		values = append(values, string(value))
	}
	return outbound.NewRedactor(values...).Clean(err.Error(), maxRefusal)
}

// maxRefusal is how much of that stands in a condition.
const maxRefusal = 512
