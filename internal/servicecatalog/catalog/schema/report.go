// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	// maxErrors is how many errors are reported.
	maxErrors = 10
	// maxShown is how many values or names one error lists, and maxText how long a
	// text from elsewhere may be in it.
	maxShown, maxText = 10, 200
)

// report turns the failures that the library found into errors of fields.
type report struct {
	Options
	root     any
	compiled *compiled
	// defined are the texts that list the fields of a schema, each written once.
	defined map[*jsonschema.Schema]string
}

// errors are the first few violations, in the order of their places. The library's failures may be many times as large as schema and parameters
// together. So they are walked through once, within the work that is left for the check, and the path and the text are written only for violations
// that are kept.
func (r *report) errors(failure *jsonschema.ValidationError) (errs field.ErrorList) {
	var found violations
	r.collect(failure, &found)
	for _, v := range found.kept {
		errs = append(errs, r.error(v))
	}
	if found.more {
		errs[len(errs)-1].Detail += " (and more errors)"
	}
	return errs
}

// violation is one field that is wrong.
type violation struct {
	failure *jsonschema.ValidationError
	// name is the name of the field within the failure's value that is missing or not allowed.
	name  string
	named bool
	// forms has the first violation of each form that the value might have.
	forms []*violation
	// text is the result of detail.
	text string
}

// depth is how many names and indexes lead to the field.
func (v *violation) depth() int {
	if v.named {
		return len(v.failure.InstanceLocation) + 1
	}
	return len(v.failure.InstanceLocation)
}

func (v *violation) token(i int) string {
	if i < len(v.failure.InstanceLocation) {
		return v.failure.InstanceLocation[i]
	}
	return v.name
}

// violations are the first few in order.
type violations struct {
	kept []*violation
	more bool
}

func (r *report) add(to *violations, v *violation) {
	r.spend(1 + v.depth()/8)
	i, found := slices.BinarySearchFunc(to.kept, v, r.compare)
	switch {
	case found:
		return
	case i == maxErrors:
		to.more = true
		return
	case len(to.kept) == maxErrors:
		to.kept, to.more = to.kept[:maxErrors-1], true
	}
	to.kept = slices.Insert(to.kept, i, v)
}

func (r *report) compare(a, b *violation) int {
	for i := range min(a.depth(), b.depth()) {
		if c := compareTokens(a.token(i), b.token(i)); c != 0 {
			return c
		}
	}
	if c := cmp.Compare(a.depth(), b.depth()); c != 0 {
		return c
	}
	return cmp.Compare(r.detail(a), r.detail(b))
}

// compareTokens orders names as texts, and indexes, which come before names, as numbers.
func compareTokens(a, b string) int {
	index, other := isIndex(a), isIndex(b)
	switch {
	case index && other:
		return cmp.Or(cmp.Compare(len(a), len(b)), cmp.Compare(a, b))
	case index:
		return -1
	case other:
		return 1
	default:
		return cmp.Compare(a, b)
	}
}

func isIndex(token string) bool {
	for i := range len(token) {
		if token[i] < '0' || token[i] > '9' {
			return false
		}
	}
	return token != ""
}

// collect adds the violations of a failure, and returns whether the failed schema is for other values: for another type, or for another value of
// the field that distinguishes the forms.
func (r *report) collect(e *jsonschema.ValidationError, to *violations) (other bool) {
	r.spend(1)
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		r.addNames(to, e, k.Missing)
	case *kind.Dependency:
		r.addNames(to, e, k.Missing)
	case *kind.DependentRequired:
		r.addNames(to, e, k.Missing)
	case *kind.AdditionalProperties:
		r.addNames(to, e, k.Properties)
	case *kind.AnyOf:
		return r.alternatives(e, to)
	case *kind.OneOf:
		if len(k.Subschemas) == 0 {
			return r.alternatives(e, to)
		}
		r.add(to, &violation{failure: e})
	case *kind.Schema, *kind.Group, *kind.Reference, *kind.AllOf:
		for _, cause := range e.Causes {
			other = r.collect(cause, to) || other
		}
		return other
	default:
		r.add(to, &violation{failure: e})
		return r.isOther(e)
	}
	return false
}

// addNames adds a violation for each of the first few names.
func (r *report) addNames(to *violations, e *jsonschema.ValidationError, names []string) {
	first := r.first(names, compareTokens)
	to.more = to.more || len(first) < len(names)
	for _, name := range first {
		r.add(to, &violation{failure: e, name: name, named: true})
	}
}

// first are the first few values, in order and without duplicates.
func (r *report) first(values []string, compare func(a, b string) int) (first []string) {
	r.spend(len(values) / 8)
	for _, v := range values {
		i, found := slices.BinarySearchFunc(first, v, compare)
		if found || i == maxShown {
			continue
		}
		first = slices.Insert(first[:min(len(first), maxShown-1)], i, v)
	}
	return first
}

// alternatives is for a value that matches none of several forms. If it seems to be meant for one form only, the best report is the violations of
// that form.
func (r *report) alternatives(e *jsonschema.ValidationError, to *violations) (other bool) {
	var meant violations
	var forms []*violation
	candidates := 0
	for _, cause := range e.Causes {
		var own violations
		isOther := r.collect(cause, &own)
		other = other || isOther
		if len(own.kept) == 0 {
			continue
		}
		forms = append(forms, own.kept[0])
		if !isOther {
			candidates++
			meant = own
		}
	}
	if candidates != 1 {
		r.add(to, &violation{failure: e, forms: forms})
		return other
	}
	to.more = to.more || meant.more
	for _, v := range meant.kept {
		r.add(to, v)
	}
	return other
}

// isOther says whether a schema that failed is for other values.
func (r *report) isOther(e *jsonschema.ValidationError) bool {
	r.spend(1)
	if k, is := e.ErrorKind.(*kind.Format); is {
		switch k.Err.(type) { //nolint:errorlint // the library does not wrap it
		case enumError, typeError, neverError:
			return true
		}
	}
	return slices.ContainsFunc(e.Causes, r.isOther)
}

// error is the violation as the error of a field.
func (r *report) error(v *violation) *field.Error {
	path, value := r.at(r.Path, r.root, v.failure.InstanceLocation)
	detail := r.detail(v)
	switch k := v.failure.ErrorKind.(type) {
	case *kind.Required, *kind.Dependency, *kind.DependentRequired:
		return field.Required(r.child(path, v.name), detail)
	case *kind.AdditionalProperties:
		return field.Forbidden(r.child(path, v.name), detail)
	case *kind.Format:
		if _, is := k.Err.(neverError); is { //nolint:errorlint // the library does not wrap it
			return field.Forbidden(path, detail)
		}
	}
	return field.Invalid(path, r.shown(value), detail)
}

// detail returns a text about the values that the schema allows.
func (r *report) detail(v *violation) string {
	if v.text == "" {
		v.text = r.write(v)
		r.spend(1 + len(v.text)/64)
	}
	return v.text
}

func (r *report) write(v *violation) string {
	switch k := v.failure.ErrorKind.(type) {
	case *kind.Required:
		return "must be given"
	case *kind.Dependency:
		return "must be given together with " + shorten(strconv.Quote(k.Prop))
	case *kind.DependentRequired:
		return "must be given together with " + shorten(strconv.Quote(k.Prop))
	case *kind.AdditionalProperties:
		return "must not be given: the schema does not define it" + r.fields(r.compiled.at[v.failure.SchemaURL])
	case *kind.OneOf:
		if len(k.Subschemas) > 0 {
			return fmt.Sprintf("must match only one of the forms that are allowed, and matches the %s and the %s", ordinal(k.Subschemas[0]), ordinal(k.Subschemas[1]))
		}
		return "must have one of the forms that the schema allows: " + r.formsOf(v)
	case *kind.AnyOf:
		return "must have one of the forms that the schema allows: " + r.formsOf(v)
	case *kind.Format:
		if e, is := k.Err.(enumError); is { //nolint:errorlint // the library does not wrap it
			for _, want := range e.want[:min(len(e.want), maxShown)] {
				r.spend(total(want))
			}
		}
	}
	return must(v.failure.ErrorKind)
}

// formsOf lists the first violation of each form that a value might have.
func (r *report) formsOf(v *violation) string {
	location := v.failure.InstanceLocation
	base, prefix := (*field.Path)(nil), ""
	if len(location) == 0 { // below it a path may begin elsewhere
		base, prefix = r.Path, r.Path.String()
	}
	_, value := r.at(nil, r.root, location)
	texts := make([]string, len(v.forms))
	for i, form := range v.forms {
		r.spend(1 + form.depth() - len(location))
		path, _ := r.at(base, value, form.failure.InstanceLocation[len(location):])
		if form.named {
			path = r.child(path, form.name)
		}
		place := ""
		if path != nil {
			place = strings.TrimPrefix(strings.TrimPrefix(path.String(), prefix), ".")
		}
		texts[i] = place + " " + r.detail(form)
	}
	slices.Sort(texts)
	return oneOf(slices.Compact(texts), strings.TrimSpace)
}

// fields lists the fields that a schema defines.
func (r *report) fields(s *jsonschema.Schema) string {
	if s == nil || len(s.Properties) == 0 {
		return ""
	}
	text, ok := r.defined[s]
	if !ok {
		r.spend(len(s.Properties) / 4)
		text = ": use " + oneOf(slices.Sorted(maps.Keys(s.Properties)), func(name string) string { return name })
		r.defined[s] = text
	}
	return text
}

func (r *report) spend(n int) { r.compiled.work.spend(n) }
