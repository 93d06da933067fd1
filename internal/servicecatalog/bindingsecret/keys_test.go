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
