// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"

	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	kjson "k8s.io/apimachinery/pkg/util/json"
	"k8s.io/apimachinery/pkg/util/validation/field"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// WithoutStatus gives a defaulting handler objects without their status. The status in
// the request is the user's: the API server replaces it by the stored one after mutating admission, and checks the schema last. So
// it has no effect here, whether it decodes or not.
func WithoutStatus[T client.Object](scheme *runtime.Scheme, handler ctrladmission.Handler) ctrladmission.Handler {
	handler = Decodable[T](scheme, handler)
	return ctrladmission.HandlerFunc(func(ctx context.Context, request ctrladmission.Request) ctrladmission.Response {
		request.Object.Raw = keepFields(request.Object.Raw, isNotStatus)
		request.OldObject.Raw = keepFields(request.OldObject.Raw, isNotStatus)
		var warnings ctrladmission.Warnings
		response := handler.Handle(context.WithValue(ctx, warningsKey{}, &warnings), request)
		if response.Allowed {
			response = response.WithWarnings(warnings...)
		}
		return response
	})
}

// warningsKey is the key of a context's value with the warnings of a defaulter.
type warningsKey struct{}

// Warn adds a warning to the answer of a defaulter to ctx, if the answer accepts the object.
func Warn(ctx context.Context, text string) {
	if warnings, ok := ctx.Value(warningsKey{}).(*ctrladmission.Warnings); ok {
		*warnings = append(*warnings, text)
	}
}

// Decodable refuses an object that does not decode with the fields that are wrong, as the schema does. Fields of the object before an update, and of
// a stored status, that do not decode are left out of the request: they must not prevent their correction. An old spec that is left out counts as
// changed.
func Decodable[T client.Object](scheme *runtime.Scheme, handler ctrladmission.Handler) ctrladmission.Handler {
	d := decodability{ctrladmission.NewDecoder(scheme), reflect.TypeFor[T]().Elem()}
	return ctrladmission.HandlerFunc(func(ctx context.Context, request ctrladmission.Request) ctrladmission.Response {
		response := handler.Handle(ctx, request)
		if response.Allowed {
			return response // it has decoded both
		}
		object, ok := d.reduce(request.Object.Raw, isNotStatus)
		if !ok {
			kind := schema.GroupKind{Group: request.Kind.Group, Kind: request.Kind.Kind}
			status := Invalid(kind, request.Name, wrongFields(d.objectType, object)).Status()
			response = ctrladmission.Denied("")
			response.Result = &status
			return response
		}
		old, _ := d.reduce(request.OldObject.Raw, isNotStatus, isMetadata)
		if bytes.Equal(object, request.Object.Raw) && bytes.Equal(old, request.OldObject.Raw) {
			return response
		}
		request.Object.Raw, request.OldObject.Raw = object, old
		return handler.Handle(ctx, request)
	})
}

// decodability reports whether objects of a type decode.
type decodability struct {
	decoder    ctrladmission.Decoder
	objectType reflect.Type
}

// reduce returns raw with the fields that the first of the filters keeps with which it decodes, and whether there is one; raw
// itself if it decodes.
func (d decodability) reduce(raw []byte, filters ...func(field string) bool) ([]byte, bool) {
	if len(raw) == 0 || d.decodes(raw) {
		return raw, true
	}
	reduced := raw
	for _, keep := range filters {
		if reduced = keepFields(raw, keep); len(reduced) < len(raw) && d.decodes(reduced) {
			return reduced, true
		}
	}
	return reduced, false
}

func (d decodability) decodes(raw []byte) bool {
	return d.decoder.DecodeRaw(runtime.RawExtension{Raw: raw}, reflect.New(d.objectType).Interface().(runtime.Object)) == nil
}

func isNotStatus(field string) bool { return field != "status" }

func isMetadata(field string) bool { return field != "status" && field != "spec" }

// keepFields returns a JSON object with the fields that keep reports.
func keepFields(raw []byte, keep func(field string) bool) []byte {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return raw // it is no object, and does not decode
	}
	n := len(fields)
	maps.DeleteFunc(fields, func(name string, _ json.RawMessage) bool { return !keep(name) })
	if len(fields) == n {
		return raw
	}
	reduced, err := json.Marshal(fields)
	if err != nil {
		return raw
	}
	return reduced
}

// maxLookedThrough bounds the objects whose wrong fields are all listed, in bytes: that takes several times as long as to decode one.
const maxLookedThrough = 128 << 10

// wrongFields returns the fields of an object that its Go type cannot hold; of a large object the first one.
func wrongFields(t reflect.Type, raw []byte) field.ErrorList {
	if len(raw) <= maxLookedThrough {
		return undecodable(nil, t, raw)
	}
	path, is := field.NewPath("spec"), "value"
	if err, ok := errors.AsType[*json.UnmarshalTypeError](kjson.Unmarshal(raw, reflect.New(t).Interface())); ok && err.Field != "" {
		path = field.NewPath(err.Field)
		is, _, _ = strings.Cut(err.Value, " ") // after it comes a number, as it is written
	}
	return field.ErrorList{field.TypeInvalid(path, is, "has another type than the schema says")}
}

// undecodable returns the fields of a JSON value that a Go type cannot hold. A decoder returns one of them, by its Go type.
func undecodable(path *field.Path, t reflect.Type, raw []byte) (errs field.ErrorList) {
	err := kjson.Unmarshal(raw, reflect.New(t).Interface())
	if err == nil {
		return nil
	}
	add := func(path *field.Path, t reflect.Type, raw []byte) {
		if len(errs) < maxErrors {
			errs = append(errs, undecodable(path, t, raw)...)
		}
	}
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	want := ""
	if decodesItself := reflect.PointerTo(t).Implements(reflect.TypeFor[json.Unmarshaler]()); decodesItself {
		want = err.Error()
	} else {
		want = "must be " + nameOf(t)
		switch t.Kind() {
		case reflect.Struct:
			fields := fieldsOf(t)
			eachField(raw, func(name string, raw []byte) {
				if f, ok := fields[name]; ok {
					add(child(path, name), f, raw)
				}
			})
		case reflect.Map:
			eachField(raw, func(key string, raw []byte) { add(path.Key(key), t.Elem(), raw) })
		case reflect.Slice:
			var items []json.RawMessage
			if t.Elem().Kind() != reflect.Uint8 && json.Unmarshal(raw, &items) == nil {
				for i, item := range items {
					add(path.Index(i), t.Elem(), item)
				}
			}
		default: // a value without parts
		}
	}
	if len(errs) > 0 {
		return errs
	}
	return field.ErrorList{field.TypeInvalid(path, jsonType(raw), want)}
}

func child(path *field.Path, name string) *field.Path {
	if path == nil {
		return field.NewPath(name)
	}
	return path.Child(name)
}

// eachField calls do with the fields of a JSON object, in order.
func eachField(raw []byte, do func(name string, raw []byte)) {
	var fields map[string]json.RawMessage
	if json.Unmarshal(raw, &fields) != nil {
		return
	}
	for _, name := range slices.Sorted(maps.Keys(fields)) {
		do(name, fields[name])
	}
}

// fieldsOf returns the types of the fields of a struct by their names in JSON: its own fields, and the fields of embedded structs.
func fieldsOf(t reflect.Type) map[string]reflect.Type {
	fields, depths := map[string]reflect.Type{}, map[string]int{}
	for _, f := range reflect.VisibleFields(t) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if depth, ok := depths[name]; !ok || len(f.Index) < depth {
			fields[name], depths[name] = f.Type, len(f.Index)
		}
	}
	return fields
}

// nameOf returns JSON's word for the values of a Go type.
func nameOf(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Bool:
		return "a boolean"
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return fmt.Sprintf("an integer of at most %d bits", t.Bits())
	case reflect.Float32, reflect.Float64:
		return "a number"
	case reflect.String:
		return "a string"
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "a string in base64"
		}
		return "an array"
	default:
		return "an object"
	}
}

// jsonType returns the type of a JSON value. The value itself may be a secret.
func jsonType(raw []byte) string {
	switch strings.TrimSpace(string(raw[:min(len(raw), 1)])) {
	case "{":
		return "object"
	case "[":
		return "array"
	case `"`:
		return "string"
	case "t", "f":
		return "boolean"
	case "n":
		return "null"
	default:
		return "number"
	}
}
