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

package main

import (
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"sigs.k8s.io/yaml"

	"github.com/gophernetes/bellhop/hack/local"
)

// A shape is what a CRD's schema or the JSON Schema of a plan says of a value, as far as the
// two say it alike.
type shape struct {
	Type       string            `json:"type"`
	Enum       []any             `json:"enum"`
	Minimum    *float64          `json:"minimum"`
	Maximum    *float64          `json:"maximum"`
	MinLength  int               `json:"minLength"`
	MaxLength  *int              `json:"maxLength"`
	Pattern    string            `json:"pattern"`
	Format     string            `json:"format"`
	Properties map[string]*shape `json:"properties"`
	Required   []string          `json:"required"`
	Items      *shape            `json:"items"`
	MinItems   int               `json:"minItems"`
	MaxItems   *int              `json:"maxItems"`
	// Additional is false where nothing else may be there.
	Additional any `json:"additionalProperties"`

	// valid are for what a schema cannot say, such as which names there are; nil: it is
	// left out.
	valid func(*rand.Rand) any
	// given: it is never left out, though it may be.
	given bool
	// anyType: one of another type is not refused.
	anyType bool
	// one: of its properties there is exactly one.
	one bool
}

// specOf is the shape of the spec in a CRD of config/, as its version v1beta1 has it.
func specOf(crd string) (*shape, error) {
	repo, err := local.FindRepo()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(repo, "config", "crd", "bases", crd+".yaml"))
	if err != nil {
		return nil, err
	}
	var read struct {
		Spec struct {
			Versions []struct {
				Name   string
				Schema struct{ OpenAPIV3Schema shape }
			}
		}
	}
	if err := yaml.Unmarshal(text, &read); err != nil {
		return nil, err
	}
	for _, v := range read.Spec.Versions {
		if v.Name == "v1beta1" {
			return v.Schema.OpenAPIV3Schema.Properties["spec"], nil
		}
	}
	return nil, fmt.Errorf("%s has no v1beta1", crd)
}

func shapeOf(schema string) *shape {
	s := &shape{}
	if err := json.Unmarshal([]byte(schema), s); err != nil {
		panic(err) // it is a constant
	}
	return s
}

// none leaves a property out.
func none(*rand.Rand) any { return nil }

// value is one of that shape, now and then at a bound; nil: none is to be there.
func (s *shape) value(r *rand.Rand) any {
	switch {
	case s.valid != nil:
		return s.valid(r)
	case s.Format == "byte":
		return base64.StdEncoding.EncodeToString([]byte("b" + s.word(r))) // the API server takes none that is empty
	case len(s.Enum) > 0:
		return s.Enum[r.IntN(len(s.Enum))]
	}
	switch s.Type {
	case "object":
		return s.object(r)
	case "array":
		list := make([]any, s.MinItems+r.IntN(2))
		for i := range list {
			list[i] = s.Items.value(r)
		}
		return list
	case "integer":
		low, high := s.bounds()
		return []int64{low, high, low + r.Int64N(high-low+1)}[r.IntN(3)]
	case "number":
		low, high := s.bounds()
		return float64(low) + float64(high-low)*float64(r.IntN(5))/4
	case "boolean":
		return r.IntN(2) == 0
	}
	return s.word(r)
}

func (s *shape) bounds() (low, high int64) {
	high = 100000
	if s.Minimum != nil {
		low = int64(*s.Minimum)
	}
	if s.Maximum != nil {
		high = int64(*s.Maximum)
	}
	return low, high
}

// word is of lower-case letters, which all patterns there are take.
func (s *shape) word(r *rand.Rand) string {
	length := s.MinLength + r.IntN(10)
	if s.MaxLength != nil && (length > *s.MaxLength || r.IntN(8) == 0) {
		length = *s.MaxLength
	}
	word := make([]byte, length)
	for i := range word {
		word[i] = byte('a' + r.IntN(26))
	}
	return string(word)
}

// object has what is required, and some of the rest.
func (s *shape) object(r *rand.Rand) any {
	o := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if p := s.Properties[name]; !s.requires(name) && !p.given && r.IntN(3) == 0 {
			continue
		}
		if v := s.Properties[name].value(r); v != nil {
			o[name] = v
		}
	}
	return o
}

func (s *shape) requires(name string) bool { return slices.Contains(s.Required, name) }

// A slip is a value that is not of a shape, and where it is not.
type slip struct {
	value any
	field string
}

// slips are some values that are not of that shape, one for each thing that it says.
func (s *shape) slips(r *rand.Rand, field string) []slip {
	var all []slip
	add := func(is bool, value any) {
		if is {
			all = append(all, slip{value, field})
		}
	}
	other := map[string]any{"string": 7, "integer": "seven", "number": "half", "boolean": "yes", "object": "all", "array": "many"}
	add(s.Type != "" && !s.anyType, other[s.Type])
	add(len(s.Enum) > 0, "NoneOfThem")
	add(s.Minimum != nil, s.beyond(s.Minimum, -1))
	add(s.Maximum != nil, s.beyond(s.Maximum, 1))
	add(s.MinLength > 0, "")
	if s.MaxLength != nil {
		add(true, strings.Repeat("x", *s.MaxLength+1))
	}
	add(s.Pattern != "", "NOT so!")
	if s.Items != nil {
		for _, m := range s.Items.slips(r, field+"[0]") {
			all = append(all, slip{[]any{m.value}, m.field})
		}
		add(s.MinItems > 0, []any{})
		if s.MaxItems != nil {
			add(true, make([]any, *s.MaxItems+1))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		for _, m := range s.Properties[name].slips(r, field+"."+name) {
			all = append(all, s.with(r, name, m))
		}
		if s.requires(name) {
			all = append(all, s.with(r, name, slip{nil, field + "." + name}))
		}
	}
	if s.Additional == false {
		all = append(all, s.with(r, "unheardOf", slip{1, field + ".unheardOf"}))
	}
	return all
}

func (s *shape) beyond(bound *float64, by float64) any {
	if bound == nil {
		return nil
	}
	if s.Type == "integer" {
		return int64(*bound + by)
	}
	return *bound + by
}

// with is an object that is right but for a mistake in one property; nil: that is missing.
func (s *shape) with(r *rand.Rand, name string, m slip) slip {
	o := map[string]any{}
	if !s.one {
		o = s.object(r).(map[string]any)
	}
	if o[name] = m.value; m.value == nil {
		delete(o, name)
	}
	return slip{o, m.field}
}

// keep leaves these properties of a spec, and has the others never be given.
func (s *shape) keep(names ...string) {
	for name, p := range s.Properties {
		if !slices.Contains(names, name) {
			p.valid = none
		}
	}
}

// admissions are properties in which admission puts something else than users say.
func (s *shape) admissions(names ...string) {
	for _, name := range names {
		delete(s.Properties, name)
	}
}
