// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingsecret

import (
	"errors"
	"fmt"
	"slices"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Sources are the Secrets of a binding's namespace whose keys it copies, by name.
type Sources map[string]map[string][]byte

const (
	// MaxSources bounds the memory of all Sources of a binding, in bytes. Later transforms may remove keys again.
	MaxSources = 4 << 20
	// entrySize is the memory of a key beside its name and its value, in bytes. Without it 1 MiB of a Secret without values would hold 6 MiB.
	entrySize = 96
	// maxCopied bounds the keys that all transforms copy, which may copy the same Secret again and again.
	maxCopied = 1 << 16
)

// HeldBy returns the bytes that the data of a Secret holds.
func HeldBy(data map[string][]byte) (size int) {
	for key, value := range data {
		size += entrySize + len(key) + len(value)
	}
	return size
}

// SourcesTooLarge returns the error about Sources that hold more than MaxSources.
func SourcesTooLarge() error {
	return &Error{Message: fmt.Sprintf("spec.secretTransforms: the Secrets of addKeysFrom have more than the %d bytes that they can have together, with %d for each key", MaxSources, entrySize), Foreign: true}
}

// SourcesOf returns the names of the Secrets whose keys a binding copies.
func SourcesOf(b *v1beta1.ServiceBinding) []string {
	var names []string
	for _, t := range b.Spec.SecretTransforms {
		if copiesKeys(t) && t.AddKeysFrom.SecretRef != nil {
			names = append(names, t.AddKeysFrom.SecretRef.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// copiesKeys reports whether a transform copies the keys of another Secret.
func copiesKeys(t v1beta1.SecretTransform) bool {
	return t.AddKey == nil && t.RenameKey == nil && t.AddKeysFrom != nil
}

// CheckSources returns why the keys of other Secrets cannot be copied, before anything is rendered; nil: they can. They are copied from Secrets of
// the same namespace only: Secrets are read with the operator's rights rather than with the rights of the reader of the result.
func CheckSources(b *v1beta1.ServiceBinding, others Sources) error {
	copied := 0
	for i, t := range b.Spec.SecretTransforms {
		if !copiesKeys(t) {
			continue
		}
		ref, path := t.AddKeysFrom.SecretRef, transformPath(i)+".addKeysFrom.secretRef"
		switch {
		case ref == nil || ref.Name == "":
			return Unfit("%s.name is empty: it has to name a Secret", path)
		case ref.Namespace != "" && ref.Namespace != b.Namespace:
			return Unfit("%s.namespace is %s: keys are copied only from Secrets of the binding's namespace, %q", path, shown(ref.Namespace), b.Namespace)
		case ref.Name == catalog.SecretName(b):
			return Unfit("%s.name is %q, which is the binding's own Secret", path, ref.Name)
		}
		data, ok := others[ref.Name]
		if !ok {
			return &Error{Message: fmt.Sprintf("%s: Secret %q does not exist in namespace %q", path, ref.Name, b.Namespace), Foreign: true, Missing: true}
		}
		if copied += len(data); copied > maxCopied {
			return &Error{Message: fmt.Sprintf("%s: the Secrets up to %q have more than the %d keys that can be copied", path, ref.Name, maxCopied), Foreign: true}
		}
	}
	return nil
}

// BlockerForSources returns why nothing is requested of the broker: the Secrets whose keys the binding's Secret gets cannot be copied.
func BlockerForSources(b *v1beta1.ServiceBinding, err error) *rules.Blocker {
	message := err.Error() + ": the bind request is sent once the credentials can be written"
	if own, ok := errors.AsType[*Error](err); ok && own.Missing {
		return rules.MissingReference(b, v1beta1.ReasonErrorInjectingBindResult, message)
	}
	return rules.BlockedBy(v1beta1.ReasonErrorInjectingBindResult, message)
}
