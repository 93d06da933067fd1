// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"gomodules.xyz/jsonpatch/v2"
	admissionv1 "k8s.io/api/admission/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// Defaulting is the handler of a defaulter. Unlike controller-runtime's, it compares fields of metadata and spec as a whole: a comparison of their
// elements takes time by the square of their size.
func Defaulting[T client.Object](scheme *runtime.Scheme, defaulter ctrladmission.Defaulter[T]) ctrladmission.Handler {
	decoder, objectType := ctrladmission.NewDecoder(scheme), reflect.TypeFor[T]().Elem()
	return ctrladmission.HandlerFunc(func(ctx context.Context, request ctrladmission.Request) ctrladmission.Response {
		if request.Operation == admissionv1.Delete {
			return ctrladmission.Allowed("")
		}
		obj := reflect.New(objectType).Interface().(T)
		if err := decoder.Decode(request, obj); err != nil {
			return ctrladmission.Errored(http.StatusBadRequest, err)
		}
		before := obj.DeepCopyObject()
		if err := defaulter.Default(ctrladmission.NewContextWithRequest(ctx, request), obj); err != nil {
			response := ctrladmission.Denied(err.Error())
			if refusal := apierrors.APIStatus(nil); errors.As(err, &refusal) {
				status := refusal.Status()
				response.Result = &status
			}
			return response
		}
		patches, err := patchesOf(request.Object.Raw, before, obj)
		if err != nil {
			return ctrladmission.Errored(http.StatusInternalServerError, err)
		}
		return ctrladmission.Patched("", patches...)
	})
}

// patchesOf returns the patches that change an object as a defaulter did: one for each field of metadata and spec that it changed, and one for each
// field that is missing or written otherwise than the type encodes it. Members that the types do not know stay in the other fields.
func patchesOf(raw []byte, before, after any) (patches []jsonpatch.Operation, err error) {
	var asked, was, is map[string]json.RawMessage
	if err := errors.Join(fields(raw, &asked), fieldsOfObject(before, &was), fieldsOfObject(after, &is)); err != nil {
		return nil, err
	}
	if bytes.Equal(was["metadata"], is["metadata"]) && bytes.Equal(was["spec"], is["spec"]) {
		return nil, nil
	}
	for _, part := range []string{"metadata", "spec"} {
		var had, old, now map[string]json.RawMessage
		if err := errors.Join(fields(asked[part], &had), fields(was[part], &old), fields(is[part], &now)); err != nil {
			return nil, err
		}
		switch {
		case is[part] == nil:
			continue
		case had == nil:
			patches = append(patches, jsonpatch.NewOperation("add", "/"+part, is[part]))
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(old)) {
			if _, stays := now[name]; !stays && had[name] != nil {
				patches = append(patches, jsonpatch.NewOperation("remove", pointer(part, name), nil))
			}
		}
		for _, name := range slices.Sorted(maps.Keys(now)) {
			if !bytes.Equal(old[name], now[name]) || !isComposite(had[name]) && !bytes.Equal(had[name], now[name]) {
				patches = append(patches, jsonpatch.NewOperation("add", pointer(part, name), now[name])) // or replaces it
			}
		}
	}
	return patches, nil
}

// isComposite reports whether a value is an array or object.
func isComposite(raw json.RawMessage) bool { return len(raw) > 0 && (raw[0] == '{' || raw[0] == '[') }

// pointer returns the JSON pointer of a field.
func pointer(part, name string) string {
	return "/" + part + "/" + strings.NewReplacer("~", "~0", "/", "~1").Replace(name)
}

// fieldsOfObject returns the fields of an object as they are encoded.
func fieldsOfObject(obj any, into *map[string]json.RawMessage) error {
	raw, err := json.Marshal(obj)
	return errors.Join(err, fields(raw, into))
}

// fields decodes the fields of a JSON object, if there is one.
func fields(raw json.RawMessage, into *map[string]json.RawMessage) error {
	if len(raw) == 0 {
		return nil
	}
	return json.Unmarshal(raw, into)
}
