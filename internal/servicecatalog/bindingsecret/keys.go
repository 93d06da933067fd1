// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingsecret

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// Keys returns the names of the keys that a binding wrote into its Secret, sorted, without keys that were removed from it since. ok is false if the
// keys are not recorded: another program wrote the Secret.
func Keys(secret *corev1.Secret) (keys []string, ok bool) {
	r, ok := parseRecord(secret.Annotations[v1beta1.CredentialsAnnotation])
	for _, key := range r.keys {
		if _, exists := secret.Data[key]; exists {
			keys = append(keys, key)
		}
	}
	slices.Sort(keys)
	return keys, ok
}
