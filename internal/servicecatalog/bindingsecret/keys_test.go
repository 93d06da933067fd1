// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingsecret

import (
	"slices"
	"testing"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

func TestKeysAreThoseOfTheBinding(t *testing.T) {
	b := &v1beta1.ServiceBinding{}
	b.Name = "orders"
	secret := NewSecret(b, "id", map[string][]byte{"uri": nil, "host": []byte("db"), "port": []byte("1")})
	secret.Data["of-others"] = nil
	delete(secret.Data, "port")
	keys, ok := Keys(secret)
	if want := []string{"host", "uri"}; !ok || !slices.Equal(keys, want) {
		t.Errorf("%q, %v, want %q", keys, ok, want)
	}
	secret.Annotations = nil
	if keys, ok := Keys(secret); ok || len(keys) > 0 {
		t.Errorf("without a record: %q, %v", keys, ok)
	}
}
