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

package schema

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"math/big"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"

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

// report turns what the library found into errors of fields.
type report struct {
	Options
	root     any
	compiled *compiled
}

// errors are what is wrong, in order, and without what comes after the first few.
func (r report) errors(failure *jsonschema.ValidationError) (field.ErrorList, string) {
	if failure == nil {
		return nil, ""
	}
	errs := r.flatten(failure)
	slices.SortFunc(errs, func(a, b *field.Error) int {
		return cmp.Or(cmp.Compare(a.Field, b.Field), cmp.Compare(a.Detail, b.Detail))
	})
	errs = slices.CompactFunc(errs, func(a, b *field.Error) bool { return a.Field == b.Field && a.Detail == b.Detail })
	if more := len(errs) - maxErrors; more > 0 {
		errs = errs[:maxErrors]
		errs[maxErrors-1].Detail += fmt.Sprintf(" (and %d errors more)", more)
	}
	return errs, ""
}

// flatten is one error for each field that is wrong.
func (r report) flatten(e *jsonschema.ValidationError) field.ErrorList {
	path, value := r.at(e.InstanceLocation)
	invalid := func(detail string, args ...any) field.ErrorList {
		return field.ErrorList{field.Invalid(path, r.shown(value), fmt.Sprintf(detail, args...))}
	}
	switch k := e.ErrorKind.(type) {
	case *kind.Required:
		return r.missing(path, k.Missing, "must be given")
	case *kind.Dependency:
		return r.missing(path, k.Missing, "must be given together with "+shorten(strconv.Quote(k.Prop)))
	case *kind.DependentRequired:
		return r.missing(path, k.Missing, "must be given together with "+shorten(strconv.Quote(k.Prop)))
	case *kind.AdditionalProperties:
		return r.unknown(path, k.Properties, r.compiled.at[e.SchemaURL])
	case *kind.FalseSchema:
		return field.ErrorList{field.Forbidden(path, "must not be given")}
	case *kind.AnyOf:
		return r.alternatives(path, value, e.Causes)
	case *kind.OneOf:
		if len(k.Subschemas) > 0 {
			return invalid("must match only one of the forms that are allowed, and matches the %s and the %s", ordinal(k.Subschemas[0]), ordinal(k.Subschemas[1]))
		}
		return r.alternatives(path, value, e.Causes)
	case *kind.Schema, *kind.Group, *kind.Reference, *kind.AllOf:
		var errs field.ErrorList
		for _, cause := range e.Causes {
			errs = append(errs, r.flatten(cause)...)
		}
		return errs
	default:
		return invalid("%s", must(e.ErrorKind))
	}
}

// must says what would be right.
func must(e jsonschema.ErrorKind) string {
	switch k := e.(type) {
	case *kind.Type:
		return "must be " + oneOf(k.Want, article)
	case *kind.Format:
		return mustFormat(k)
	case *kind.Not:
		return "must not have the form that the schema rules out"
	case *kind.MinProperties:
		return fmt.Sprintf("must have at least %d fields", k.Want)
	case *kind.MaxProperties:
		return fmt.Sprintf("must have at most %d fields", k.Want)
	case *kind.MinItems:
		return fmt.Sprintf("must have at least %d items", k.Want)
	case *kind.MaxItems:
		return fmt.Sprintf("must have at most %d items", k.Want)
	case *kind.AdditionalItems:
		return fmt.Sprintf("must not have the last %d items", k.Count)
	case *kind.UniqueItems:
		return fmt.Sprintf("must not have the same item twice, as at %d and %d", k.Duplicates[0], k.Duplicates[1])
	case *kind.Contains:
		return "must have an item of the form that the schema requires"
	case *kind.MinContains:
		return fmt.Sprintf("must have at least %d items of the form that the schema requires", k.Want)
	case *kind.MaxContains:
		return fmt.Sprintf("must have at most %d items of the form that the schema limits", k.Want)
	case *kind.MinLength:
		return fmt.Sprintf("must have at least %d characters", k.Want)
	case *kind.MaxLength:
		return fmt.Sprintf("must have at most %d characters", k.Want)
	case *kind.Pattern:
		return "must match the regular expression " + shorten(k.Want)
	case *kind.Minimum:
		return "must be at least " + number(k.Want)
	case *kind.Maximum:
		return "must be at most " + number(k.Want)
	case *kind.ExclusiveMinimum:
		return "must be more than " + number(k.Want)
	case *kind.ExclusiveMaximum:
		return "must be less than " + number(k.Want)
	case *kind.MultipleOf:
		return "must be a multiple of " + number(k.Want)
	default:
		return "must match the schema"
	}
}

// mustFormat is for what a rule found, or of a schema the library.
func mustFormat(k *kind.Format) string {
	switch e := k.Err.(type) { //nolint:errorlint // the library does not wrap it
	case enumError:
		return "must be " + oneOf(e.want, literal)
	case nameError:
		return "must not have the name " + shorten(strconv.Quote(e.name)) + ", which the schema does not allow"
	case formatError:
		return "must have the format " + shorten(e.name)
	default:
		return "must have the format " + k.Want + ": " + k.Err.Error()
	}
}

func (r report) missing(path *field.Path, names []string, detail string) (errs field.ErrorList) {
	for _, name := range names {
		errs = append(errs, field.Required(r.child(path, name), detail))
	}
	return errs
}

// unknown is for names that the schema does not know.
func (r report) unknown(path *field.Path, names []string, schema *jsonschema.Schema) (errs field.ErrorList) {
	detail := "must not be given: the schema does not define it"
	if schema != nil && len(schema.Properties) > 0 {
		detail += ", but " + oneOf(slices.Sorted(maps.Keys(schema.Properties)), func(name string) string { return name })
	}
	for _, name := range names {
		errs = append(errs, field.Forbidden(r.child(path, name), detail))
	}
	return errs
}

// alternatives is for a value that matches none of several forms. What is wrong with
// the only one that it seems to be meant for is the best that can be said.
func (r report) alternatives(path *field.Path, value any, causes []*jsonschema.ValidationError) field.ErrorList {
	var meant, first []*field.Error
	candidates := 0
	for _, cause := range causes {
		errs := r.flatten(cause)
		if len(errs) == 0 {
			continue
		}
		first = append(first, errs[0])
		if !isOther(cause) {
			candidates++
			meant = errs
		}
	}
	if candidates == 1 {
		return meant
	}
	texts := make([]string, len(first))
	for i, e := range first {
		texts[i] = strings.TrimPrefix(strings.TrimPrefix(e.Field, path.String()), ".") + " " + e.Detail
	}
	slices.Sort(texts)
	detail := oneOf(slices.Compact(texts), strings.TrimSpace)
	return field.ErrorList{field.Invalid(path, r.shown(value), "must have one of the forms that the schema allows: "+detail)}
}

// isOther says whether a form is for values of another type, or with another value of
// what tells the forms apart.
func isOther(e *jsonschema.ValidationError) bool {
	switch k := e.ErrorKind.(type) {
	case *kind.Type, *kind.FalseSchema:
		return true
	case *kind.Format:
		_, is := k.Err.(enumError) //nolint:errorlint // the library does not wrap it
		return is
	default:
		return slices.ContainsFunc(e.Causes, isOther)
	}
}

// at is the path of a value, and the value.
func (r report) at(location []string) (*field.Path, any) {
	path, value := r.Path, r.root
	for _, token := range location {
		switch v := value.(type) {
		case []any:
			i, err := strconv.Atoi(token)
			if err != nil || i < 0 || i >= len(v) {
				return path, nil
			}
			path, value = path.Index(i), v[i]
		case map[string]any:
			path, value = r.child(path, token), v[token]
		default:
			return path, nil
		}
	}
	return path, value
}

var plain = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_-]{0,63}$`)

// child is the path of a field of any name. That of a parameter from elsewhere begins with its place.
func (r report) child(path *field.Path, name string) *field.Path {
	if origin, ok := r.Origins[name]; ok && path == r.Path {
		path = field.NewPath(origin)
	}
	if plain.MatchString(name) {
		return path.Child(name)
	}
	return path.Key(shorten(name))
}

// shown is what an error may show of a value.
func (r report) shown(value any) any {
	switch v := value.(type) {
	case string:
		if r.ShowValues {
			return shorten(v)
		}
	case json.Number, bool:
		if r.ShowValues {
			return v
		}
	}
	return field.OmitValueType{}
}

// oneOf lists values, as "a, b or c".
func oneOf[T any](values []T, write func(T) string) string {
	var texts []string
	for i, v := range values {
		if i == maxShown {
			return strings.Join(texts, ", ") + fmt.Sprintf(" or one of %d more", len(values)-maxShown)
		}
		texts = append(texts, shorten(write(v)))
	}
	if len(texts) < 2 {
		return strings.Join(texts, "")
	}
	last := len(texts) - 1
	return strings.Join(texts[:last], ", ") + " or " + texts[last]
}

func article(name string) string {
	switch name {
	case "null":
		return "null"
	case "array", "integer", "object":
		return "an " + name
	default:
		return "a " + name
	}
}

func literal(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return "another value"
	}
	return string(text)
}

func number(r *big.Rat) string {
	if r.IsInt() {
		return shorten(r.Num().String())
	}
	f, _ := r.Float64()
	return strconv.FormatFloat(f, 'g', -1, 64)
}

func ordinal(i int) string {
	switch i {
	case 0:
		return "first"
	case 1:
		return "second"
	case 2:
		return "third"
	default:
		return strconv.Itoa(i+1) + "th"
	}
}

// shorten makes one line of a text from elsewhere, and cuts it.
func shorten(text string) string {
	cut := strings.ToValidUTF8(text[:min(len(text), maxText)], "")
	cut = strings.Join(strings.FieldsFunc(cut, func(r rune) bool { return unicode.IsSpace(r) && r != ' ' || !unicode.IsGraphic(r) }), " ")
	if len(text) > maxText {
		cut += "…"
	}
	return cut
}
