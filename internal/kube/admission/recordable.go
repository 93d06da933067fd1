// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"context"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"
)

// MaxSpec bounds the spec of an object, in bytes of JSON. Object, annotations, managed fields and status together have to fit into the 1.5 MiB that
// etcd takes: what is admitted can be recorded.
const MaxSpec = 768 << 10

// Recordable refuses a spec that is larger than MaxSpec, unless it was as large before: a stored one can be edited. Few fields come near the bound,
// but some kinds have lists and maps that have no bounds of their own.
func Recordable(handler ctrladmission.Handler) ctrladmission.Handler {
	return ctrladmission.HandlerFunc(func(ctx context.Context, request ctrladmission.Request) ctrladmission.Response {
		size := specSize(request.Object.Raw)
		if size <= MaxSpec || size <= specSize(request.OldObject.Raw) {
			return handler.Handle(ctx, request)
		}
		kind := schema.GroupKind{Group: request.Kind.Group, Kind: request.Kind.Kind}
		status := Invalid(kind, request.Name, field.ErrorList{field.Invalid(field.NewPath("spec"), field.OmitValueType{},
			fmt.Sprintf("has %d bytes of JSON, and may have %d: status and metadata have to fit beside it", size, MaxSpec))}).Status()
		response := ctrladmission.Denied("")
		response.Result = &status
		return response
	})
}

// specSize returns the size of the spec of an object, in bytes; of an object that is not larger than MaxSpec, the size of the object.
func specSize(raw []byte) int {
	if len(raw) <= MaxSpec {
		return len(raw) // not more: most objects need not be read here
	}
	var object struct {
		Spec json.RawMessage `json:"spec"`
	}
	if json.Unmarshal(raw, &object) != nil {
		return 0 // it is no object, which the schema refuses
	}
	return len(object.Spec)
}
