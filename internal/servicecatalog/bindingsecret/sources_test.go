// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingsecret

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/costtest"
)

// keysWith are so many keys of one value.
func keysWith(keys int, value string) map[string][]byte {
	data := make(map[string][]byte, keys)
	for i := range keys {
		data[fmt.Sprintf("%06d", i)] = []byte(value)
	}
	return data
}

// F-S43: the values alone were counted, and Secrets of many keys without a value held 410 MiB.
func TestWhatASecretHolds(t *testing.T) {
	for _, value := range []string{"", "x", strings.Repeat("x", 17), strings.Repeat("x", 1000)} {
		for _, keys := range []int{1000, 14_400, 30_000, 60_000} {
			data := keysWith(keys, value)
			raw, err := (&corev1.Secret{Data: data}).Marshal()
			if err != nil {
				t.Fatal(err)
			}
			held := costtest.Held(func() any {
				decoded := &corev1.Secret{}
				if err := decoded.Unmarshal(raw); err != nil {
					t.Error(err)
				}
				return decoded
			})
			if counted := HeldBy(data); held > uint64(counted)+64<<10 {
				t.Errorf("%d keys of %d bytes hold %d, and count %d", keys, len(value), held, counted)
			}
		}
	}
}

// F-S43: each transform may copy the same Secret.
func TestKeysThatAreCopiedAgainAndAgain(t *testing.T) {
	others := Sources{"many": keysWith(maxCopied/4, "")}
	copies := slices.Repeat([]v1beta1.SecretTransform{copyOf("", "many")}, 5)
	if err := CheckSources(bindingWith(copies[:4]...), others); err != nil {
		t.Error(err)
	}
	const want = `spec.secretTransforms[4].addKeysFrom.secretRef: the Secrets up to "many" have more than the 65536 keys that can be copied`
	if err := CheckSources(bindingWith(copies...), others); err == nil || err.Error() != want {
		t.Errorf("%v, want %s", err, want)
	}
}

// A change of a copied Secret can remove what its keys have caused, or lack.
func TestWhatTheCopiedKeysCause(t *testing.T) {
	many := Sources{"many": {"large": make([]byte, corev1.MaxSecretSize)}}
	for name, test := range map[string]struct {
		credentials string
		b           *v1beta1.ServiceBinding
		want        bool
	}{
		"too large together":          {`{"a":"b"}`, bindingWith(copyOf("", "many")), true},
		"an expression finds nothing": {`{"a":"b"}`, bindingWith(copyOf("", "many"), path("u", "{.uri}"), remove("large")), true},
		"a key that no Secret has":    {`{"a/b":"c"}`, bindingWith(copyOf("", "many"), remove("large")), false},
		"too large, and a bad key":    {`{"a/b":"c"}`, bindingWith(copyOf("", "many")), false},
		"nothing is copied":           {`{"a/b":"c"}`, bindingWith(), false},
	} {
		others := many
		if len(SourcesOf(test.b)) == 0 {
			others = nil
		}
		_, err := Render(json.RawMessage(test.credentials), test.b, Service{}, others)
		if own, ok := errors.AsType[*Error](err); !ok || own.Foreign != test.want {
			t.Errorf("%s: %+v", name, err)
		}
	}
}

// F-S43: a value of many was converted and counted again for each renameKey of it.
func TestARenameCostsNothing(t *testing.T) {
	credentials := json.RawMessage(listOf("1")(32 << 10))
	cost := func(renames int) uint64 {
		transforms := []v1beta1.SecretTransform{path("first", "{.a[0]}")}
		for range renames {
			transforms = append(transforms, rename("a", "b"), rename("b", "a"))
		}
		return costtest.Of(func() {
			if _, err := Render(credentials, bindingWith(append(transforms, path("second", "{.a[0]}"))...), Service{}, nil); err != nil {
				t.Error(err)
			}
		}).Bytes
	}
	if one, many := cost(1), cost(31); many > one+one/4 {
		t.Errorf("62 renames allocate %d bytes, and two %d", many, one)
	}
}
