// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingsecret

import (
	"encoding/json"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

// Values returns the values in a broker's credentials, to redact them: as they are written into a Secret, and as the broker wrote
// them.
func Values(credentials json.RawMessage) []string {
	values, err := decode(credentials)
	if err != nil {
		return within([]string{string(credentials)}, credentials)
	}
	return within(collect(nil, values), credentials)
}

// ValuesIn returns the values in the Secret of a binding to a service, also those within a value. The names of the service are not secret,
// and messages have them.
func ValuesIn(secret *corev1.Secret, b *v1beta1.ServiceBinding, service Service) (values []string) {
	names := service.names(b)
	for _, key := range slices.Sorted(maps.Keys(secret.Data)) {
		if name, ok := names[key]; ok && name == string(secret.Data[key]) {
			continue
		}
		values = within(append(values, string(secret.Data[key])), secret.Data[key])
	}
	return values
}

// within appends the strings and numbers that are not too short to be secret, of a text that is JSON.
func within(values []string, text []byte) []string {
	if !json.Valid(text) {
		return values
	}
	return append(values, catalog.Scalars(text)...)
}

// collect appends all strings and numbers in a decoded value, at any depth.
func collect(values []string, value any) []string {
	switch value := value.(type) {
	case string:
		return append(values, value)
	case json.Number:
		return append(values, value.String())
	case []any:
		for _, inner := range value {
			values = collect(values, inner)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(value)) {
			values = collect(values, value[key])
		}
	}
	return values
}
