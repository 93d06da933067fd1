// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

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
	"time"

	"sigs.k8s.io/yaml"

	"github.com/gophernetes/bellhop/hack/local"
)

// schema is the part that the OpenAPI schema of a CRD and the JSON Schema of a plan have in common.
type schema struct {
	Type       string             `json:"type"`
	Enum       []any              `json:"enum"`
	Minimum    *float64           `json:"minimum"`
	Maximum    *float64           `json:"maximum"`
	MinLength  int                `json:"minLength"`
	MaxLength  *int               `json:"maxLength"`
	Pattern    string             `json:"pattern"`
	Format     string             `json:"format"`
	Properties map[string]*schema `json:"properties"`
	Required   []string           `json:"required"`
	Items      *schema            `json:"items"`
	MinItems   int                `json:"minItems"`
	MaxItems   *int               `json:"maxItems"`
	// MaxProperties bounds a map.
	MaxProperties *int `json:"maxProperties"`
	// Additional is false if other properties are refused, or the schema of the values of a map.
	Additional any `json:"additionalProperties"`
	// Validations are the rules of a CRD in CEL.
	Validations []struct{ Rule string } `json:"x-kubernetes-validations"`

	// generate replaces the rules above, for values that a schema cannot describe, such as existing names. A nil value is left out.
	generate func(*rand.Rand) any
	// alwaysPresent: the property is never left out, though it is optional.
	alwaysPresent bool
	// anyType: a value of another type is not refused.
	anyType bool
	// exactlyOne: exactly one of the properties is present.
	exactlyOne bool
}

// crd is the part of a CRD that scenarios need.
type crd struct {
	Spec struct {
		Group    string
		Names    struct{ Kind string }
		Scope    string
		Versions []struct {
			Name   string
			Schema struct{ OpenAPIV3Schema schema }
		}
	}
}

// crdFolder returns the folder with the CRDs.
func crdFolder() (string, error) {
	repo, err := local.FindRepo()
	return filepath.Join(repo, "config", "crd", "bases"), err
}

// readCRD reads a CRD, such as "pager.k8s.co_alerts".
func readCRD(name string) (*crd, error) {
	folder, err := crdFolder()
	if err != nil {
		return nil, err
	}
	text, err := os.ReadFile(filepath.Join(folder, name+".yaml"))
	if err != nil {
		return nil, err
	}
	read := &crd{}
	return read, yaml.Unmarshal(text, read)
}

// specSchema returns the schema of the spec in version v1beta1.
func (c *crd) specSchema() (*schema, error) {
	for _, v := range c.Spec.Versions {
		if v.Name == "v1beta1" {
			return v.Schema.OpenAPIV3Schema.Properties["spec"], nil
		}
	}
	return nil, fmt.Errorf("the CRD of %s has no v1beta1", c.Spec.Names.Kind)
}

// parseSchema reads a JSON Schema.
func parseSchema(text string) *schema {
	s := &schema{}
	if err := json.Unmarshal([]byte(text), s); err != nil {
		panic(err) // the schema is a constant
	}
	return s
}

// omit generates no value.
func omit(*rand.Rand) any { return nil }

// randomValue returns a valid value, some of them at a bound; nil: the property is left out.
func (s *schema) randomValue(r *rand.Rand) any {
	switch {
	case s.generate != nil:
		return s.generate(r)
	case s.Format == "byte":
		return base64.StdEncoding.EncodeToString([]byte("b" + s.letters(r))) // the API server refuses an empty one
	case s.Format == "date-time":
		return time.Date(2026, 3, 1, 12, r.IntN(60), 0, 0, time.UTC).Format(time.RFC3339)
	case len(s.Enum) > 0:
		return s.Enum[r.IntN(len(s.Enum))]
	}
	switch s.Type {
	case "object":
		return s.randomObject(r)
	case "array":
		list := make([]any, s.MinItems+r.IntN(2))
		for i := range list {
			list[i] = s.Items.randomValue(r)
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
	return s.letters(r)
}

// bounds returns the smallest and the largest number.
func (s *schema) bounds() (low, high int64) {
	high = 100000
	if s.Minimum != nil {
		low = int64(*s.Minimum)
	}
	if s.Maximum != nil {
		high = int64(*s.Maximum)
	}
	return low, high
}

// letters returns lower-case letters, which match all patterns.
func (s *schema) letters(r *rand.Rand) string {
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

// randomObject returns an object with the required properties and some of the others.
func (s *schema) randomObject(r *rand.Rand) any {
	o := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		if p := s.Properties[name]; !s.requires(name) && !p.alwaysPresent && r.IntN(3) == 0 {
			continue
		}
		if v := s.Properties[name].randomValue(r); v != nil {
			o[name] = v
		}
	}
	return o
}

// requires reports whether a property is required.
func (s *schema) requires(name string) bool { return slices.Contains(s.Required, name) }

// invalidValue is a value that a schema refuses, and the field to blame.
type invalidValue struct {
	value any
	field string
}

// invalidValues returns a value for each rule of the schema, which breaks it.
func (s *schema) invalidValues(r *rand.Rand, field string) []invalidValue {
	var all []invalidValue
	add := func(is bool, value any) {
		if is {
			all = append(all, invalidValue{value, field})
		}
	}
	other := map[string]any{"string": 7, "integer": "seven", "number": "half", "boolean": "yes", "object": "all", "array": "many"}
	add(s.Type != "" && !s.anyType, other[s.Type])
	add(len(s.Enum) > 0, "NoneOfThem")
	add(s.Minimum != nil, s.outOfBounds(s.Minimum, -1))
	add(s.Maximum != nil, s.outOfBounds(s.Maximum, 1))
	add(s.MinLength > 0, "")
	if s.MaxLength != nil {
		add(true, strings.Repeat("x", *s.MaxLength+1))
	}
	add(s.Pattern != "", "NOT so!")
	if s.Items != nil {
		for _, m := range s.Items.invalidValues(r, field+"[0]") {
			all = append(all, invalidValue{[]any{m.value}, m.field})
		}
		add(s.MinItems > 0, []any{})
		if s.MaxItems != nil {
			add(true, make([]any, *s.MaxItems+1))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(s.Properties)) {
		for _, m := range s.Properties[name].invalidValues(r, field+"."+name) {
			all = append(all, s.withProperty(r, name, m))
		}
		if s.requires(name) {
			all = append(all, s.withProperty(r, name, invalidValue{nil, field + "." + name}))
		}
	}
	if s.Additional == false {
		all = append(all, s.withProperty(r, "unheardOf", invalidValue{1, field + ".unheardOf"}))
	}
	return all
}

// outOfBounds returns a number beside a bound.
func (s *schema) outOfBounds(bound *float64, by float64) any {
	if bound == nil {
		return nil
	}
	if s.Type == "integer" {
		return int64(*bound + by)
	}
	return *bound + by
}

// withProperty returns a valid object but for one property; nil: without that property.
func (s *schema) withProperty(r *rand.Rand, name string, m invalidValue) invalidValue {
	o := map[string]any{}
	if !s.exactlyOne {
		o = s.randomObject(r).(map[string]any)
	}
	if o[name] = m.value; m.value == nil {
		delete(o, name)
	}
	return invalidValue{o, m.field}
}

// keepOnly makes all other properties be left out.
func (s *schema) keepOnly(names ...string) {
	for name, p := range s.Properties {
		if !slices.Contains(names, name) {
			p.generate = omit
		}
	}
}

// dropProperties removes properties that admission overwrites.
func (s *schema) dropProperties(names ...string) {
	for _, name := range names {
		delete(s.Properties, name)
	}
}
