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

package engine

import (
	"testing"

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/lifecycle"
)

// F-JS7: what is wrong with a value that comes from a Secret names the Secret and its key.
func TestAnErrorOfTheSchemaNamesWhereTheValueIs(t *testing.T) {
	plan := &runtime.RawExtension{Raw: []byte(`{"$schema":"http://json-schema.org/draft-04/schema#","required":["region"],"additionalProperties":false,"minProperties":3,
		"properties":{"region":{},"color":{"enum":["red","blue"]},"size":{"properties":{"disks":{"items":{"type":"integer"}}}},"plain":{"type":"string"}}}`)}
	secret := func(key, value string) catalog.SecretSource {
		return catalog.SecretSource{Secret: "login", Key: key, Data: map[string][]byte{key: []byte(value)}}
	}
	const first, second = `spec.parametersFrom[0] (key "a" of Secret "login").`, `spec.parametersFrom[1] (key "b" of Secret "login").`
	for name, c := range map[string]struct {
		inline string
		from   []catalog.SecretSource
		want   string
	}{
		"a value":         {`{"region":1,"plain":"x"}`, []catalog.SecretSource{secret("a", `{"color":"green"}`)}, first + `color: Invalid value: must be "red" or "blue"`},
		"an inner value":  {`{"region":1,"plain":"x"}`, []catalog.SecretSource{secret("a", `{"color":"red"}`), secret("b", `{"size":{"disks":[1,"x"]}}`)}, second + `size.disks[1]: Invalid value: must be an integer`},
		"a name":          {`{"region":1,"plain":"x"}`, []catalog.SecretSource{secret("a", `{"colour":"red"}`)}, first + `colour: Forbidden: must not be given: the schema does not define it, but color, plain, region or size`},
		"a value of spec": {`{"region":1,"plain":2}`, []catalog.SecretSource{secret("a", `{"color":"red"}`)}, `spec.parameters.plain: Invalid value: must be a string`},
		"a missing name":  {`{"plain":"x"}`, []catalog.SecretSource{secret("a", `{"color":"red","size":{}}`)}, `spec.parameters.region: Required value: must be given`},
		"all":             {`{"region":1}`, []catalog.SecretSource{secret("a", `{"color":"red"}`)}, `spec.parameters: Invalid value: must have at least 3 fields`},
	} {
		merged, err := catalog.Merge(&runtime.RawExtension{Raw: []byte(c.inline)}, c.from)
		if err != nil {
			t.Fatal(err)
		}
		if got := ValidateParameters(t.Context(), plan, lifecycle.Parameters{Parameters: merged}); got == nil || got.Message != c.want {
			t.Errorf("%s: %+v, want %s", name, got, c.want)
		}
	}
}
