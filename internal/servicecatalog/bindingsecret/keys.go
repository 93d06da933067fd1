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

package bindingsecret

import (
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// Keys returns the names of the keys that a binding wrote into its Secret, sorted, without those that were removed from it since. It is
// not recorded where ok is false: another program wrote the Secret.
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
