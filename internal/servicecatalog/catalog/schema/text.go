// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package schema

import (
	"encoding/json"
	"fmt"
	"math/big"
	"regexp"
	"strconv"
	"strings"
	"unicode"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

// must returns a text, which begins with "must", about the values that are allowed.
func must(e jsonschema.ErrorKind) string {
	switch k := e.(type) {
	case *kind.Type:
		return mustType(k.Want)
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

// mustFormat is for an error of a rule, or, in a check of a schema, of the library.
func mustFormat(k *kind.Format) string {
	switch e := k.Err.(type) { //nolint:errorlint // the library does not wrap it
	case typeError:
		return mustType(e.want)
	case neverError:
		return "must not be given"
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

func mustType(names []string) string { return "must be " + oneOf(names, article) }

// at is the path of a value that is within another, and the value.
func (r *report) at(path *field.Path, value any, location []string) (*field.Path, any) {
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

// child is the path of a field of any name. The path of a parameter from elsewhere begins with its place.
func (r *report) child(path *field.Path, name string) *field.Path {
	if origin, ok := r.Origins[name]; ok && path == r.Path {
		path = field.NewPath(origin)
	}
	if plain.MatchString(name) {
		return path.Child(name)
	}
	return path.Key(shorten(name))
}

// shown returns the form in which an error may show a value.
func (r *report) shown(value any) any {
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
