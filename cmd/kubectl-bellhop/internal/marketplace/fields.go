// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package marketplace

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Field is a parameter that a schema describes.
type Field struct {
	// Path has the names of the objects that the parameter is in, as backup.enabled; the name of a list has the suffix [].
	Path string
	// Type is a type of JSON, or several with |.
	Type string
	// Required: the object that it is in has to have it.
	Required bool
	// Default and Allowed are JSON values and limits.
	Default, Allowed, Description string
}

// maxFieldDepth bounds objects in objects: a schema may refer to itself.
const maxFieldDepth = 8

// node is the part of a JSON Schema that is shown.
type node struct {
	Ref         string                     `json:"$ref"`
	Type        any                        `json:"type"`
	Description string                     `json:"description"`
	Title       string                     `json:"title"`
	Default     json.RawMessage            `json:"default"`
	Const       json.RawMessage            `json:"const"`
	Enum        []json.RawMessage          `json:"enum"`
	Properties  map[string]json.RawMessage `json:"properties"`
	Required    json.RawMessage            `json:"required"`
	Items       json.RawMessage            `json:"items"`
	Minimum     json.Number                `json:"minimum"`
	Maximum     json.Number                `json:"maximum"`
	MinLength   json.Number                `json:"minLength"`
	MaxLength   json.Number                `json:"maxLength"`
	Pattern     string                     `json:"pattern"`
	Format      string                     `json:"format"`
	AllOf       []json.RawMessage          `json:"allOf"`
	AnyOf       []json.RawMessage          `json:"anyOf"`
	OneOf       []json.RawMessage          `json:"oneOf"`
}

// Fields lists the parameters that a JSON Schema describes. Rules that it cannot show, such as conditions, are left out. Parameters are checked by
// the whole schema.
func Fields(schema []byte) ([]Field, error) {
	w := walker{root: schema}
	top, err := w.parse(schema)
	if err != nil {
		return nil, fmt.Errorf("the broker's schema is no JSON Schema: %w", err)
	}
	w.addProperties("", top, 0)
	return w.fields, nil
}

type walker struct {
	root   []byte
	fields []Field
}

// parse reads a schema, follows a local $ref, and merges the members of allOf.
func (w *walker) parse(raw json.RawMessage) (node, error) {
	var n node
	if err := json.Unmarshal(raw, &n); err != nil {
		return n, err
	}
	for range maxFieldDepth {
		pointer, ok := strings.CutPrefix(n.Ref, "#")
		if !ok {
			break
		}
		found := w.lookUp(strings.FieldsFunc(pointer, func(r rune) bool { return r == '/' }))
		if found == nil {
			break
		}
		n.Ref = ""
		if err := json.Unmarshal(found, &n); err != nil {
			return n, err
		}
	}
	for _, part := range n.AllOf {
		more, err := w.parse(part)
		if err != nil {
			continue
		}
		if n.Properties == nil {
			n.Properties = map[string]json.RawMessage{}
		}
		maps.Copy(n.Properties, more.Properties)
		if n.Type == nil {
			n.Type = more.Type
		}
	}
	return n, nil
}

// lookUp follows a JSON pointer in the whole schema.
func (w *walker) lookUp(path []string) json.RawMessage {
	current := json.RawMessage(w.root)
	for _, name := range path {
		var object map[string]json.RawMessage
		if json.Unmarshal(current, &object) != nil {
			return nil
		}
		current = object[strings.NewReplacer("~1", "/", "~0", "~").Replace(name)]
	}
	return current
}

func (w *walker) addProperties(prefix string, object node, depth int) {
	if depth >= maxFieldDepth {
		return
	}
	var required []string
	_ = json.Unmarshal(object.Required, &required) // draft 4 has a list, older ones have a boolean
	for _, name := range slices.Sorted(maps.Keys(object.Properties)) {
		n, err := w.parse(object.Properties[name])
		if err != nil {
			continue // true and false are schemas, too, and say nothing
		}
		w.add(prefix+name, n, slices.Contains(required, name), depth)
	}
}

func (w *walker) add(path string, n node, required bool, depth int) {
	field := Field{Path: path, Type: n.typeName(), Required: required, Default: compact(n.Default), Allowed: n.allowed(), Description: n.Description}
	if field.Description == "" {
		field.Description = n.Title
	}
	var items node
	if len(n.Items) > 0 {
		items, _ = w.parse(n.Items)
		field.Type = strings.TrimSuffix("array of "+items.typeName(), " of any")
	}
	w.fields = append(w.fields, field)
	w.addProperties(path+".", n, depth+1)
	w.addProperties(path+"[].", items, depth+1)
}

func (n node) typeName() string {
	switch kind := n.Type.(type) {
	case string:
		return kind
	case []any:
		var names []string
		for _, name := range kind {
			names = append(names, fmt.Sprint(name))
		}
		return strings.Join(names, "|")
	}
	switch {
	case len(n.Properties) > 0:
		return "object"
	case len(n.AnyOf)+len(n.OneOf) > 0:
		return "one of several"
	default:
		return "any"
	}
}

// allowed are the values, or the limits of values, that are allowed.
func (n node) allowed() string {
	var parts []string
	var values []string
	for _, value := range n.Enum {
		values = append(values, strings.Trim(compact(value), `"`))
	}
	if len(n.Const) > 0 {
		values = append(values, strings.Trim(compact(n.Const), `"`))
	}
	if len(values) > 0 {
		parts = append(parts, strings.Join(values, ", "))
	}
	if limits := between(n.Minimum, n.Maximum); limits != "" {
		parts = append(parts, limits)
	}
	if n.MinLength == "1" && n.MaxLength == "" {
		parts = append(parts, "not empty")
	} else if limits := between(n.MinLength, n.MaxLength); limits != "" {
		parts = append(parts, limits+" characters")
	}
	if n.Format != "" {
		parts = append(parts, n.Format)
	}
	if n.Pattern != "" {
		parts = append(parts, "matches "+n.Pattern)
	}
	return strings.Join(parts, "; ")
}

func between(low, high json.Number) string {
	switch {
	case low != "" && high != "":
		return fmt.Sprintf("%s to %s", low, high)
	case low != "":
		return fmt.Sprintf("at least %s", low)
	case high != "":
		return fmt.Sprintf("at most %s", high)
	default:
		return ""
	}
}

func compact(raw json.RawMessage) string {
	var text bytes.Buffer
	if len(raw) == 0 || json.Compact(&text, raw) != nil {
		return ""
	}
	return text.String()
}

func indent(schema []byte) ([]byte, error) {
	var text bytes.Buffer
	if err := json.Indent(&text, schema, "", "  "); err != nil {
		return nil, err
	}
	text.WriteByte('\n')
	return text.Bytes(), nil
}
