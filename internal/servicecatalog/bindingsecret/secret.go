// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingsecret

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// keyRecord records which keys of a Secret belong to a binding, under which id the broker returned them, and a digest of their
// values.
type keyRecord struct {
	digest string
	keys   []string
}

// RecordOf returns the record for the annotations of a Secret with this data.
func RecordOf(id string, data map[string][]byte) keyRecord {
	r := keyRecord{keys: slices.Sorted(maps.Keys(data))}
	r.digest = digestOf(id, data, r.keys)
	return r
}

// String returns the value of the annotation, which begins with its version.
func (r keyRecord) String() string {
	return strings.Join([]string{recordVersion, r.digest, strings.Join(r.keys, ",")}, " ")
}

const (
	// MaxRecord bounds the record in a Secret's annotation; all annotations may have 256 KiB.
	MaxRecord     = 128 << 10
	recordVersion = "v1"
)

// RecordSize returns the size of the record of data, or one byte more.
func RecordSize[V any](data map[string]V) int {
	size := len(recordVersion) + hex.EncodedLen(sha256.Size) + 2
	for key := range data {
		size += len(key) + 1
	}
	return size
}

// parseRecord parses an annotation; ok is false where it is missing or invalid.
func parseRecord(annotation string) (r keyRecord, ok bool) {
	parts := strings.Split(annotation, " ")
	if len(parts) != 3 || parts[0] != recordVersion {
		return r, false
	}
	r.digest = parts[1]
	if parts[2] != "" {
		r.keys = strings.Split(parts[2], ",")
	}
	return r, true
}

// isIn reports whether the data has the keys of the record as they were written for an id.
func (r keyRecord) isIn(data map[string][]byte, id string) bool {
	return digestOf(id, data, r.keys) == r.digest
}

// digestOf returns the digest of an id and some of the data's keys. A missing key differs from an empty one.
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

// IsRecorded reports whether a Secret has the record of a binding.
func IsRecorded(secret *corev1.Secret) bool {
	_, ok := parseRecord(secret.Annotations[v1beta1.CredentialsAnnotation])
	return ok
}

// IsIntact reports whether a Secret has all that was written for an id, unmodified.
func IsIntact(secret *corev1.Secret, id string) bool {
	r, ok := parseRecord(secret.Annotations[v1beta1.CredentialsAnnotation])
	return ok && r.isIn(secret.Data, id)
}

// NewSecret returns a new Secret of a binding.
func NewSecret(b *v1beta1.ServiceBinding, id string, data map[string][]byte) *corev1.Secret {
	return &corev1.Secret{
		ObjectMeta: metav1.ObjectMeta{
			Namespace:   b.Namespace,
			Name:        catalog.SecretName(b),
			Annotations: map[string]string{v1beta1.CredentialsAnnotation: RecordOf(id, data).String()},
			OwnerReferences: []metav1.OwnerReference{{
				APIVersion: v1beta1.GroupVersion.String(), Kind: "ServiceBinding", Name: b.Name, UID: b.UID,
				Controller: new(true), BlockOwnerDeletion: new(false),
			}},
		},
		Data: data,
	}
}

// Merge writes the data of an id into a binding's Secret: the binding's earlier keys are removed, and keys of others stay. It
// reports whether the Secret changed.
func Merge(secret *corev1.Secret, id string, data map[string][]byte) (changed bool) {
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
	if record := RecordOf(id, data).String(); record != annotation {
		metav1.SetMetaDataAnnotation(&secret.ObjectMeta, v1beta1.CredentialsAnnotation, record)
		changed = true
	}
	return changed
}

// MarkWritten records from which state of the binding its Secret is written.
func MarkWritten(secret *corev1.Secret, b *v1beta1.ServiceBinding) {
	metav1.SetMetaDataAnnotation(&secret.ObjectMeta, v1beta1.WrittenFromAnnotation, b.ResourceVersion)
}

// WrittenAt returns when the operator last wrote into a binding's Secret: when the field manager that owns WrittenFromAnnotation, which each
// write changes, last changed its fields. It is zero where that is not known.
func WrittenAt(secret metav1.Object) (at time.Time) {
	for _, entry := range secret.GetManagedFields() {
		if entry.Time == nil || entry.FieldsV1 == nil || !entry.Time.After(at) {
			continue
		}
		if strings.Contains(entry.FieldsV1.String(), `"f:`+v1beta1.WrittenFromAnnotation+`"`) {
			at = entry.Time.Time
		}
	}
	return at
}

// IsNewer reports whether a Secret was written from a later state of its binding than the state of a resourceVersion, by another leader. If the
// Secret looks newer than the newest state, its annotation was not written with it: a person has changed the annotation, or it was restored from a
// backup.
func IsNewer(secret *corev1.Secret, bindingVersion string) bool {
	from := secret.Annotations[v1beta1.WrittenFromAnnotation]
	return from != bindingVersion && rules.NotAfter(bindingVersion, from)
}

// KeysOfOthers returns the keys of a Secret that are not the binding's.
func KeysOfOthers(secret *corev1.Secret) []string {
	record, _ := parseRecord(secret.Annotations[v1beta1.CredentialsAnnotation])
	isOwn := func(key string) bool { return slices.Contains(record.keys, key) }
	return slices.DeleteFunc(slices.Sorted(maps.Keys(secret.Data)), isOwn)
}

// IsOwned reports whether a Secret belongs to a binding rather than to another one of the same name.
func IsOwned(secret metav1.Object, b *v1beta1.ServiceBinding) bool {
	owner := metav1.GetControllerOfNoCopy(secret)
	return owner != nil && owner.UID == b.UID
}

// ContentOf returns the id whose credentials a Secret has, and whether they were modified.
func ContentOf(secret *corev1.Secret, b *v1beta1.ServiceBinding) (contentID string, edited bool) {
	s := &b.Status
	if !IsRecorded(secret) { // the original service-catalog wrote no record
		return "", s.SecretVersion != "" || !bindingphase.IsDelivered(s)
	}
	ids := []string{rules.BindingID(b, s)}
	if s.PredecessorID != "" && bindingphase.TaskOf(s) != bindingphase.Idle {
		ids = append(ids, s.PredecessorID)
	}
	for _, id := range ids {
		if IsIntact(secret, id) {
			return id, false
		}
	}
	return "", true
}
