// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// maxWork is how much may be done in one check, in units of about a microsecond. It bounds the memory of a check too.
const maxWork = 64_000

// work counts the units that are left for a check. The library takes no context: it is stopped by a panic, from the functions that it calls.
type work struct {
	left int
	last int // left, when done was looked at
	done <-chan struct{}
	// scale is the cost of a unit in a pass that keeps failures: as many failures as there are units, each with its path.
	scale int
	// members is the number of members of a value for which a unit is spent: fewer where a schema makes the library list the members that are not
	// evaluated yet.
	members int
}

func (w *work) begin(ctx context.Context) {
	w.left, w.last, w.done, w.scale = maxWork, maxWork, ctx.Done(), 0
}

// spend is called before work of n units, and at least once for each value that a
// schema is applied to.
func (w *work) spend(n int) {
	if w.left -= n; w.left < 0 {
		panic(errTooCostly)
	}
	if w.last-w.left < 256 {
		return
	}
	w.last = w.left
	select {
	case <-w.done:
		panic(errTooCostly)
	default:
	}
}

// run checks a value that is depth levels deep. The error says why it could not be checked. The first pass finds whether the value is valid, and
// keeps no failures. A second pass collects the failures of an invalid value with the rest of the work.
func (c *compiled) run(ctx context.Context, value any, depth int, o Options) (errs field.ErrorList, err error) {
	invalid := false
	defer func() {
		if p := recover(); p != nil {
			errs, err = nil, problem(p)
		}
		if invalid && len(errs) == 0 {
			errs, err = field.ErrorList{field.Invalid(o.Path, field.OmitValueType{}, "must match the schema; it takes too much time to find what does not")}, nil
		}
	}()
	c.work.begin(ctx)
	root := c.root
	if o.Partial {
		if c.partial == nil {
			c.partial = c.relax(c.root, map[*jsonschema.Schema]*jsonschema.Schema{})
		}
		root = c.partial
	}
	negation := &jsonschema.Schema{DraftVersion: root.DraftVersion, Location: root.Location, Not: root}
	if invalid = negation.Validate(value) == nil; !invalid {
		return nil, nil
	}
	c.work.scale = 2 + depth/8
	var failure *jsonschema.ValidationError
	if err := root.Validate(value); !errors.As(err, &failure) {
		return nil, err
	}
	c.work.scale = 0
	r := report{Options: o, root: value, compiled: c, defined: map[*jsonschema.Schema]string{}}
	return r.errors(failure), nil
}

// prepare walks through all schemas, refuses a schema whose check could not be stopped, and sets in each the rule that counts the work.
func (c *compiled) prepare() error {
	const underWay = -1
	chain := map[*jsonschema.Schema]int{} // of schemas for the same value, from here on
	var visit func(*jsonschema.Schema) error
	visit = func(s *jsonschema.Schema) error {
		if s.RecursiveRef != nil || s.DynamicRef != nil {
			return errors.New("it has a $recursiveRef or a $dynamicRef, which are not followed")
		}
		chain[s], c.at[s.Location] = underWay, s
		longest := 0
		for _, next := range beside(s) {
			if chain[next] == underWay {
				return fmt.Errorf("it refers to itself without end at %s", strings.TrimPrefix(next.Location, location))
			}
			if _, seen := chain[next]; !seen {
				if err := visit(next); err != nil {
					return err
				}
			}
			longest = max(longest, chain[next])
		}
		if chain[s] = longest + 1; chain[s] > maxChain {
			return fmt.Errorf("it applies more than %d schemas to the same value", maxChain)
		}
		return nil
	}
	// Schemas for the values within come later, since these may well be the same.
	for todo := []*jsonschema.Schema{c.root}; len(todo) > 0; {
		s := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if c.rules[s] != nil {
			continue
		}
		if _, seen := chain[s]; !seen {
			if err := visit(s); err != nil {
				return err
			}
		}
		todo = append(append(todo, beside(s)...), within(s)...)
		if s.UnevaluatedProperties != nil || s.UnevaluatedItems != nil {
			c.work.members = 2
		}
		c.rules[s] = takeRule(s)
		s.Format = c.rules[s].format(c.work)
	}
	return nil
}

// beside are the schemas that a schema applies to the same value.
func beside(s *jsonschema.Schema) []*jsonschema.Schema {
	all := slices.Concat([]*jsonschema.Schema{s.Ref, s.Not, s.If, s.Then, s.Else}, s.AllOf, s.AnyOf, s.OneOf)
	all = slices.AppendSeq(all, maps.Values(s.DependentSchemas))
	for _, d := range s.Dependencies {
		all = append(all, either(d))
	}
	return present(all)
}

// within are the schemas that a schema applies to the parts of a value.
func within(s *jsonschema.Schema) []*jsonschema.Schema {
	all := []*jsonschema.Schema{s.PropertyNames, s.UnevaluatedProperties, s.Contains, s.Items2020, s.UnevaluatedItems, s.ContentSchema,
		either(s.AdditionalProperties), either(s.AdditionalItems), either(s.Items)}
	if items, ok := s.Items.([]*jsonschema.Schema); ok {
		all = append(all, items...)
	}
	all = append(all, s.PrefixItems...)
	all = slices.AppendSeq(all, maps.Values(s.Properties))
	return present(slices.AppendSeq(all, maps.Values(s.PatternProperties)))
}

// either returns a value as a schema; nil: it is of another type.
func either(v any) *jsonschema.Schema {
	s, _ := v.(*jsonschema.Schema)
	return s
}

func present(all []*jsonschema.Schema) []*jsonschema.Schema {
	return slices.DeleteFunc(all, func(s *jsonschema.Schema) bool { return s == nil })
}

// rule has the keywords of one schema that are checked here rather than by the library. The library takes it for a format, and checks formats
// before any keyword that could take long.
type rule struct {
	// cost is the work of a check of any value, and failures how many it may have.
	cost, failures int
	// types are the types that are allowed, and never says that no value is: for these keywords the library would not call the format.
	types []string
	never bool
	// unique says that all items of an array are compared.
	unique bool
	// allowed are the values of enum or const, as fingerprint writes them: the library would compare with each. want has the values for errors.
	allowed map[string]bool
	want    []any
	// names is for the names in an object: the library loses the path.
	names *jsonschema.Schema
	// known is the format that the schema names.
	known *jsonschema.Format
}

// takeRule removes from a schema the keywords that the rule checks instead.
func takeRule(s *jsonschema.Schema) *rule {
	r := &rule{
		cost:     (len(s.Required)+len(beside(s))+len(s.PrefixItems))/8 + len(s.Dependencies) + len(s.DependentRequired),
		failures: failures(s),
		never:    s.Bool != nil && !*s.Bool,
		unique:   s.UniqueItems,
		names:    s.PropertyNames,
		known:    s.Format,
	}
	if r.never {
		s.Bool = nil
	}
	if s.Types != nil {
		r.types, s.Types = s.Types.ToStrings(), nil
	}
	switch {
	case s.Const != nil:
		r.want = []any{*s.Const}
	case s.Enum != nil:
		r.want = s.Enum.Values
	}
	if r.want != nil {
		r.allowed = make(map[string]bool, len(r.want))
		for _, v := range r.want {
			r.allowed[fingerprint(v)] = true
		}
	}
	if r.known != nil && r.known.Name == "regex" {
		r.known = nil // it would have to be JavaScript's
	}
	s.Const, s.Enum, s.PropertyNames = nil, nil, nil
	s.Default, s.Examples = nil, nil // only there to be kept
	return r
}

// failures is how many failures a schema may find in one value, without the failures in its parts.
func failures(s *jsonschema.Schema) int {
	n := len(s.Dependencies) + len(s.DependentRequired)
	for _, asserted := range []bool{
		s.MinProperties != nil, s.MaxProperties != nil, len(s.Required) > 0, s.AdditionalProperties != nil,
		s.MinItems != nil, s.MaxItems != nil, s.AdditionalItems != nil, s.Contains != nil, s.MinContains != nil, s.MaxContains != nil, s.UniqueItems,
		s.MinLength != nil, s.MaxLength != nil, s.Pattern != nil,
		s.Minimum != nil, s.Maximum != nil, s.ExclusiveMinimum != nil, s.ExclusiveMaximum != nil, s.MultipleOf != nil,
		s.Ref != nil, s.Not != nil, len(s.AllOf) > 0, len(s.AnyOf) > 0, len(s.OneOf) > 0,
	} {
		if asserted {
			n++
		}
	}
	return n
}

// The errors of a rule.
type (
	typeError   struct{ want []string }
	neverError  struct{}
	enumError   struct{ want []any }
	nameError   struct{ name string }
	formatError struct{ name string }
)

func (typeError) Error() string   { return "has another type" }
func (neverError) Error() string  { return "is not allowed" }
func (enumError) Error() string   { return "is not one of those that are allowed" }
func (nameError) Error() string   { return "has a name that is not allowed" }
func (formatError) Error() string { return "has another format" }

func (r *rule) format(w *work) *jsonschema.Format {
	return &jsonschema.Format{Validate: func(v any) error { return r.check(w, v) }}
}

func (r *rule) check(w *work, v any) error {
	w.spend((1 + r.cost + size(v)/w.members) + w.scale*(1+r.failures))
	if r.never {
		return neverError{}
	}
	if r.types != nil && !slices.ContainsFunc(r.types, func(name string) bool { return isType(v, name) }) {
		return typeError{r.types}
	}
	if r.unique {
		w.spend(total(v))
	}
	if r.allowed != nil {
		w.spend(total(v) / 2)
		if !r.allowed[fingerprint(v)] {
			return enumError{r.want}
		}
	}
	if object, ok := v.(map[string]any); ok && r.names != nil {
		for _, name := range slices.Sorted(maps.Keys(object)) {
			if r.names.Validate(name) != nil {
				return nameError{name}
			}
		}
	}
	if r.known != nil && r.known.Validate(v) != nil {
		return formatError{r.known.Name}
	}
	return nil
}

// relax is the schema for an object of which some members are not known. It holds for the known members wherever s can hold for the whole, with any
// values of the others. So it has no keyword that others could satisfy, or that is about the object as a whole:
//
//   - required, minProperties, dependentRequired, enum, const: others may do it;
//   - not, unevaluatedProperties: others may match the excluded schema, or evaluate the
//     properties that are left;
//   - oneOf: with less to go by, several may match: it becomes anyOf;
//   - if: it is not known how it ends, so that then or else has to match.
//
// All else holds for the known ones alone if it holds for all. Only this object is affected: the values of its members are known.
func (c *compiled) relax(s *jsonschema.Schema, done map[*jsonschema.Schema]*jsonschema.Schema) *jsonschema.Schema {
	if s == nil || s.Bool != nil {
		return s
	}
	if r, ok := done[s]; ok {
		return r
	}
	all := func(schemas []*jsonschema.Schema) []*jsonschema.Schema {
		var relaxed []*jsonschema.Schema
		for _, s := range schemas {
			relaxed = append(relaxed, c.relax(s, done))
		}
		return relaxed
	}
	r := *s
	r.Required, r.MinProperties, r.DependentRequired = nil, nil, nil
	r.Not, r.UnevaluatedProperties = nil, nil
	r.If, r.Then, r.Else, r.OneOf = nil, nil, nil, nil
	r.Ref, r.AllOf, r.AnyOf = c.relax(s.Ref, done), all(s.AllOf), all(s.AnyOf)
	if len(s.OneOf) > 0 {
		r.AllOf = append(r.AllOf, c.anyOf(s, all(s.OneOf)))
	}
	if s.If != nil && s.Then != nil && s.Else != nil {
		r.AllOf = append(r.AllOf, c.anyOf(s, all([]*jsonschema.Schema{s.Then, s.Else})))
	}
	r.DependentSchemas, r.Dependencies = nil, nil
	for name, d := range s.DependentSchemas {
		if r.DependentSchemas == nil {
			r.DependentSchemas = map[string]*jsonschema.Schema{}
		}
		r.DependentSchemas[name] = c.relax(d, done)
	}
	for name, d := range s.Dependencies {
		if schema := either(d); schema != nil {
			if r.Dependencies == nil {
				r.Dependencies = map[string]any{}
			}
			r.Dependencies[name] = c.relax(schema, done)
		}
	}
	kept := *c.rules[s]
	kept.allowed = nil
	r.Format = kept.format(c.work)
	done[s] = &r
	return &r
}

// anyOf is a schema with nothing but that, in the place of s.
func (c *compiled) anyOf(s *jsonschema.Schema, schemas []*jsonschema.Schema) *jsonschema.Schema {
	counter := rule{cost: len(schemas) / 8}
	return &jsonschema.Schema{DraftVersion: s.DraftVersion, Location: s.Location, AnyOf: schemas, Format: counter.format(c.work)}
}
