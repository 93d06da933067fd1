// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/validation/field"
)

const (
	// Redacted replaces the parameters from Secrets in a status.
	Redacted = "<redacted>"
	// MaxParameters bounds the parameters of a spec, and the parameters from all its Secrets together, in bytes of JSON. Object, annotations,
	// managed fields and status together have to fit into the 1.5 MiB that etcd takes.
	MaxParameters = 256 << 10
	// MaxSent bounds parameters from Secrets that a broker has got before there was that bound.
	MaxSent = 1 << 20
	// MaxFields bounds the fields of the parameters of a spec, at all depths. The API server manages each of them: with 30,000, a write of
	// the status was seen to take longer than the operator waits.
	MaxFields = 4096
	// maxShown bounds the parameters in a status, which has them twice during an update: larger ones are recorded by their checksum only.
	maxShown = 32 << 10
	// minSecret is the length of the shortest value that is redacted in the texts of brokers. A shorter one occurs by chance.
	minSecret = 4
)

// SecretSource is an element of parametersFrom with the data of its Secret.
type SecretSource struct {
	// Secret and Key are named by the element.
	Secret, Key string
	// Data of the Secret, at least the key; nil: the Secret does not exist.
	Data map[string][]byte
}

// Parameters are the parameters of a request, from all sources.
type Parameters struct {
	// Sent is the JSON object for the broker; nil: there are no parameters. Values are kept as they were written, so that no number
	// loses digits.
	Sent json.RawMessage
	// Checksum as in the original service-catalog; empty: there are no parameters.
	Checksum string
	// Redacted has the parameters in the form that a status may show; nil: there are no parameters, or they are too large.
	Redacted *runtime.RawExtension
	// Secrets are the strings and numbers from Secrets, except for the shortest. They are redacted in the texts of brokers.
	Secrets []string
	// Origins are the places of the parameters from Secrets by name, as spec.parametersFrom[0] (key "json" of Secret "login").
	Origins map[string]string
}

// Merge merges the parameters of parametersFrom, in their order, and the inline ones. An error names Secret and key, never a value;
// its path is below "spec". The parameters whose checksums are among sent may be larger than MaxParameters.
func Merge(inline *runtime.RawExtension, from []SecretSource, sent ...string) (Parameters, *field.Error) {
	size := SizeOf(from)
	tooLarge := field.Invalid(field.NewPath("spec", "parametersFrom"), field.OmitValueType{},
		fmt.Sprintf("the keys of the Secrets have more than the %d bytes that they may have together: store large values where the service can read them, and pass their location here", MaxParameters))
	if size > MaxSent || size > MaxParameters && len(sent) == 0 {
		return Parameters{}, tooLarge
	}
	p, err := mergeAll(inline, from)
	if err == nil && size > MaxParameters && !slices.Contains(sent, p.Checksum) {
		return Parameters{}, tooLarge
	}
	return p, err
}

// SizeOf returns the size of the values that are read from Secrets, in bytes.
func SizeOf(from []SecretSource) (size int) {
	for _, source := range from {
		size += len(source.Data[source.Key])
	}
	return size
}

func mergeAll(inline *runtime.RawExtension, from []SecretSource) (Parameters, *field.Error) {
	m := merge{values: values{}, origin: map[string]string{}}
	p := Parameters{Origins: map[string]string{}}
	for i, source := range from {
		path := field.NewPath("spec", "parametersFrom").Index(i).Child("secretKeyRef")
		read, err := source.read(path)
		if err != nil {
			return Parameters{}, err
		}
		if err := m.add(read, path.Child("key"), source.String()); err != nil {
			return Parameters{}, err
		}
		p.Secrets = append(p.Secrets, Scalars(source.Data[source.Key])...)
		for name := range read {
			p.Origins[name] = fmt.Sprintf("spec.parametersFrom[%d] (%s)", i, source)
		}
	}
	slices.Sort(p.Secrets)
	p.Secrets = slices.Compact(p.Secrets)
	if inline != nil {
		path := field.NewPath("spec", "parameters")
		read, err := readObject(inline.Raw)
		if err != nil && len(inline.Raw) > 0 {
			return Parameters{}, field.Invalid(path, field.OmitValueType{}, err.Error())
		}
		if err := m.add(read, path, "spec.parameters"); err != nil {
			return Parameters{}, err
		}
	}
	if len(m.values) == 0 {
		return Parameters{}, nil
	}
	p.Sent = m.values.json()
	p.Checksum = checksum(p.Sent)
	for name := range p.Origins {
		m.values[name] = json.RawMessage(`"` + Redacted + `"`)
	}
	if shown := m.values.json(); len(shown) <= maxShown {
		p.Redacted = &runtime.RawExtension{Raw: shown}
	}
	return p, nil
}

// merge is an incomplete result of Merge.
type merge struct {
	values values
	origin map[string]string
}

// add adds parameters.
func (m merge) add(more values, path *field.Path, origin string) *field.Error {
	for _, name := range slices.Sorted(maps.Keys(more)) {
		if other, taken := m.origin[name]; taken {
			return field.Invalid(path, field.OmitValueType{}, fmt.Sprintf("has the parameter %q, which is also in %s: a parameter may be given only once", name, other))
		}
		m.values[name], m.origin[name] = more[name], origin
	}
	return nil
}

func (s SecretSource) String() string { return fmt.Sprintf("key %q of Secret %q", s.Key, s.Secret) }

func (s SecretSource) read(path *field.Path) (values, *field.Error) {
	if s.Data == nil {
		e := field.NotFound(path.Child("name"), s.Secret)
		e.Detail = "there must be a Secret of this name in the namespace"
		return nil, e
	}
	raw, ok := s.Data[s.Key]
	if !ok {
		e := field.NotFound(path.Child("key"), s.Key)
		e.Detail = fmt.Sprintf("Secret %q must have this key, with a JSON object", s.Secret)
		return nil, e
	}
	read, err := readObject(raw)
	if err != nil {
		return nil, field.Invalid(path.Child("key"), field.OmitValueType{}, s.String()+" "+err.Error())
	}
	return read, nil
}

// values are the members of a JSON object, as they were written.
type values map[string]json.RawMessage

// readObject reads a JSON object; null is an empty one. The error does not quote it.
func readObject(raw []byte) (values, error) {
	const want = `must be a JSON object, as {"name": "value"}`
	var read values
	err := json.Unmarshal(raw, &read)
	if syntax := (*json.SyntaxError)(nil); errors.As(err, &syntax) {
		return nil, fmt.Errorf("%s: it is not valid JSON from byte %d on", want, syntax.Offset)
	}
	if err != nil {
		return nil, errors.New(want)
	}
	if !utf8.Valid(raw) {
		return nil, errors.New(want + ": it is not in UTF-8")
	}
	return read, nil
}

// json writes an object with sorted names.
func (v values) json() json.RawMessage { return encode(v, false) }

// encode encodes a value that was decoded from JSON, which cannot fail.
func encode(v any, escapeHTML bool) json.RawMessage {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(escapeHTML)
	if err := encoder.Encode(v); err != nil {
		panic(err)
	}
	return bytes.TrimSuffix(out.Bytes(), []byte("\n"))
}

// checksum returns the SHA-256 of parameters in the form of the original service-catalog: with sorted names at any depth, numbers
// as float64, and escapes for HTML. It is in the status of its instances, where another checksum would cause an update.
func checksum(parameters json.RawMessage) string {
	var decoded map[string]any
	text := parameters
	if err := json.Unmarshal(parameters, &decoded); err == nil {
		text = encode(decoded, true)
	} // else there is a number that is no float64, on which it failed
	digest := sha256.Sum256(text)
	return hex.EncodeToString(digest[:])
}

// CountFields returns the number of fields in a JSON value at any depth; 0: it cannot be read. The value is not decoded,
// which may take fifty times its size.
func CountFields(raw []byte) int {
	if !json.Valid(raw) {
		return 0
	}
	return countFields(raw)
}

func countFields(valid []byte) (n int) {
	inString := false
	for i := 0; i < len(valid); i++ {
		switch c := valid[i]; {
		case inString && c == '\\':
			i++
		case c == '"':
			inString = !inString
		case c == ':' && !inString:
			n++
		}
	}
	return n
}

// Scalars returns the strings and numbers in a JSON value at any depth, without names, except for the shortest.
func Scalars(value json.RawMessage) (found []string) {
	decoder := json.NewDecoder(bytes.NewReader(value))
	decoder.UseNumber()
	type level struct{ object, name bool } // name: a name is next
	var levels []level
	for {
		token, err := decoder.Token()
		if err != nil {
			return found
		}
		var top *level
		if len(levels) > 0 {
			top = &levels[len(levels)-1]
		}
		switch t := token.(type) {
		case json.Delim:
			if t == '{' || t == '[' {
				levels = append(levels, level{object: t == '{', name: t == '{'})
				continue
			}
			levels = levels[:len(levels)-1]
			if top = nil; len(levels) > 0 {
				top = &levels[len(levels)-1]
			}
		case string:
			if top != nil && top.name {
				top.name = false
				continue
			}
			if len(strings.TrimSpace(t)) >= minSecret {
				found = append(found, t)
			}
		case json.Number:
			if len(t) >= minSecret {
				found = append(found, t.String())
			}
		}
		if top != nil {
			top.name = top.object
		}
	}
}
