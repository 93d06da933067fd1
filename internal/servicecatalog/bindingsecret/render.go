// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingsecret

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/util/validation"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// maxShown bounds names from manifests in messages.
const maxShown = 200

// Render returns the content of a binding's Secret: a key for each of the credentials, after the transforms of the binding, and the keys that are
// derived from them and from the service. An error about the transforms is an *Error.
func Render(credentials json.RawMessage, b *v1beta1.ServiceBinding, service Service, others Sources) (Content, error) {
	if err := CheckSources(b, others); err != nil {
		return Content{}, err
	}
	values, err := decode(credentials)
	if err != nil {
		return Content{}, err
	}
	r := rendering{binding: b, others: others, values: values, removed: map[string]bool{}}
	data, err := r.data()
	if err != nil {
		return Content{}, err
	}
	return Content{Data: data, Derived: r.derive(service)}, nil
}

// data returns a key for each of the values, after the transforms.
func (r *rendering) data() (map[string][]byte, error) {
	for i, t := range r.binding.Spec.SecretTransforms {
		if err := r.transform(t, transformPath(i)); err != nil {
			return nil, err
		}
	}
	if size := RecordSize(r.values); size > MaxRecord {
		return nil, r.unfit("the names of the credentials' keys have %d bytes; they can have %d", size, MaxRecord)
	}
	if err := checkKeys(r.values); err != nil {
		return nil, err
	}
	data := make(map[string][]byte, len(r.values))
	for _, key := range slices.Sorted(maps.Keys(r.values)) {
		var err error
		if data[key], err = valueOf(r.values[key]); err != nil {
			return nil, Unfit("the credentials' key %s cannot be written", shown(key))
		}
	}
	if size := SizeOf(data); size > corev1.MaxSecretSize {
		return nil, r.unfit("the Secret would have %d bytes; it can have %d", size, corev1.MaxSecretSize)
	}
	return data, nil
}

// unfit returns an error whose cause a change of the copied keys may remove, if any are copied.
func (r *rendering) unfit(format string, args ...any) error {
	return &Error{Message: fmt.Sprintf(format, args...), Foreign: len(r.others) > 0}
}

// checkKeys refuses credentials with keys that a Secret cannot have. The error names the first of them.
func checkKeys(values map[string]any) error {
	var bad []string
	for key := range values {
		if len(validation.IsConfigMapKey(key)) > 0 {
			bad = append(bad, shown(key))
		}
	}
	if len(bad) == 0 {
		return nil
	}
	what := "keys that a Secret cannot have"
	if len(bad) == 1 {
		what = "a key that a Secret cannot have"
	}
	return Unfit("the credentials have %s: %s; a key has at most 253 letters, digits, '-', '_' and '.'. %s a renameKey or removeKey in spec.secretTransforms for each",
		what, rules.Enumerate(bad), anotherBinding)
}

// anotherBinding begins the advice about a problem that only another spec can solve.
const anotherBinding = "The spec of a ServiceBinding cannot be changed: create another ServiceBinding, with"

func transformPath(i int) string { return fmt.Sprintf("spec.secretTransforms[%d]", i) }

// maxValues bounds the values in credentials, at all depths: decoded, each takes far more memory than it takes to write.
const maxValues = 1 << 15

// decode decodes the credentials. Missing ones are an empty object, which transforms can extend.
func decode(raw json.RawMessage) (map[string]any, error) {
	values := map[string]any{}
	if len(raw) == 0 {
		return values, nil
	}
	if n := countValues(raw); n > maxValues {
		return nil, Unfit("the broker's credentials have %d values; they can have %d", n, maxValues)
	}
	decoder := json.NewDecoder(bytes.NewReader(raw))
	decoder.UseNumber()
	err := decoder.Decode(&values)
	if _, more := decoder.Token(); err != nil || !errors.Is(more, io.EOF) {
		return nil, Unfit("the broker's credentials are not a JSON object")
	}
	if values == nil { // null
		values = map[string]any{}
	}
	for key, value := range values {
		values[key] = withNumbers(value, numberText)
	}
	return values, nil
}

// countValues returns the number of values in valid JSON at all depths, or a few more, without decoding it.
func countValues(raw []byte) int {
	n, inText := 1, false
	for i := 0; i < len(raw); i++ {
		switch c := raw[i]; {
		case c == '"':
			inText = !inText
		case c == '\\' && inText:
			i++
		case !inText && (c == ',' || c == '{' || c == '['):
			n++
		}
	}
	return n
}

// withNumbers returns a decoded value with its numbers converted.
func withNumbers(value any, convert func(json.Number) any) any {
	switch value := value.(type) {
	case json.Number:
		return convert(value)
	case map[string]any:
		converted := make(map[string]any, len(value))
		for key, inner := range value {
			converted[key] = withNumbers(inner, convert)
		}
		return converted
	case []any:
		converted := make([]any, len(value))
		for i, inner := range value {
			converted[i] = withNumbers(inner, convert)
		}
		return converted
	}
	return value
}

// numberText returns a number as the original service-catalog wrote it, which used float64: 1.50 is 1.5, and 1e3 is 1000. A number
// that a float64 cannot represent, such as 12345678901234567890, stays as the broker wrote it.
func numberText(n json.Number) any {
	f, err := strconv.ParseFloat(n.String(), 64)
	if err != nil {
		return n
	}
	text, err := json.Marshal(f)
	if err != nil || decimalOf(n.String()) != decimalOf(string(text)) {
		return n
	}
	return json.Number(text)
}

// decimal is a number as digits × 10^exponent, which is unique.
type decimal struct {
	negative bool
	digits   string
	exponent int64
}

func decimalOf(number string) (d decimal) {
	number, d.negative = strings.CutPrefix(number, "-")
	mantissa, exponent, _ := strings.Cut(strings.ToLower(number), "e")
	whole, fraction, _ := strings.Cut(mantissa, ".")
	digits := strings.TrimLeft(whole+fraction, "0")
	d.digits = strings.TrimRight(digits, "0")
	if d.digits == "" {
		return d
	}
	e, _ := strconv.ParseInt(exponent, 10, 64) // out of range it is at its end, where no float64 is
	d.exponent = e - int64(len(fraction)) + int64(len(digits)-len(d.digits))
	return d
}

// rendering is a Secret's data during Render.
type rendering struct {
	binding *v1beta1.ServiceBinding
	others  Sources
	values  map[string]any
	// paths are the values as JSONPath expressions see them; nil: there was no expression yet.
	paths *paths
	// removed are keys that a transform has taken away.
	removed map[string]bool
}

// transform applies an element of secretTransforms. The first of its members that is set is used.
func (r *rendering) transform(t v1beta1.SecretTransform, path string) error {
	switch {
	case t.AddKey != nil:
		return r.addKey(t.AddKey, path+".addKey")
	case t.RenameKey != nil:
		r.rename(t.RenameKey.From, t.RenameKey.To)
	case copiesKeys(t):
		for key, value := range r.others[t.AddKeysFrom.SecretRef.Name] {
			r.set(key, value)
		}
	case t.RemoveKey != nil:
		r.remove(t.RemoveKey.Key)
	}
	return nil
}

func (r *rendering) set(key string, value any) {
	r.values[key] = value
	if r.paths != nil {
		r.paths.set(key, value)
	}
}

func (r *rendering) rename(from, to string) {
	value, ok := r.values[from]
	if !ok {
		return
	}
	delete(r.values, from)
	r.values[to], r.removed[from] = value, true
	if r.paths != nil {
		r.paths.rename(from, to)
	}
}

func (r *rendering) remove(key string) {
	delete(r.values, key)
	r.removed[key] = true
	if r.paths != nil {
		r.paths.remove(key)
	}
}

func (r *rendering) addKey(add *v1beta1.AddKeyTransform, path string) error {
	switch {
	case add.JSONPathExpression != nil:
		if r.paths == nil {
			r.paths = newPaths(r.values)
		}
		text, err := r.paths.evaluate(*add.JSONPathExpression)
		if err != nil {
			return r.unfit("%s.jsonPathExpression %s: %v. %s an expression that fits", path, shown(*add.JSONPathExpression), err, anotherBinding)
		}
		r.set(add.Key, text)
	case add.StringValue != nil:
		r.set(add.Key, *add.StringValue)
	default:
		r.set(add.Key, add.Value)
	}
	return nil
}

// valueOf returns a value as it is stored in a Secret: a string unchanged, anything else as JSON.
func valueOf(value any) ([]byte, error) {
	switch value := value.(type) {
	case string:
		return []byte(value), nil
	case []byte:
		return value, nil
	}
	return json.Marshal(value)
}

// SizeOf returns the size of the data of a Secret in bytes.
func SizeOf(data map[string][]byte) (size int) {
	for _, value := range data {
		size += len(value)
	}
	return size
}

// shown returns a name for a message.
func shown(name string) string { return fmt.Sprintf("%q", redact.Shorten(name, maxShown)) }
