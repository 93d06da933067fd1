// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/costtest"
	"github.com/gophernetes/bellhop/internal/kube/admission"
)

// F-S57: an object that does not decode is looked through for the fields that are wrong. A review has up to 7 MiB.
func TestTheCostOfAnObjectThatDoesNotDecode(t *testing.T) {
	repeated := func(n int, format string) string {
		parts := make([]string, n)
		for i := range parts {
			parts[i] = strings.ReplaceAll(format, "#", fmt.Sprint(i))
		}
		return strings.Join(parts, ",")
	}
	decoder := ctrladmission.NewDecoder(scheme)
	hook := admission.WithoutStatus[*v1beta1.ServiceBinding](scheme, ctrladmission.HandlerFunc(func(_ context.Context, r ctrladmission.Request) ctrladmission.Response {
		if err := decoder.Decode(r, &v1beta1.ServiceBinding{}); err != nil {
			return ctrladmission.Errored(http.StatusBadRequest, err)
		}
		return ctrladmission.Allowed("")
	}))
	for _, c := range []struct {
		name, field string
		shape       func(n int) string
	}{
		{"unknown fields", "spec", func(n int) string { return repeated(n, `"f#":1`) + `,"spec":7` }},
		{"unknown fields of the spec", "spec.secretName", func(n int) string { return `"spec":{"secretName":7,` + repeated(n, `"f#":1`) + `}` }},
		{"unknown fields of an item", "addKey", func(n int) string { return `"spec":{"secretTransforms":[{"addKey":7,` + repeated(n, `"f#":1`) + `}]}` }},
		{"many items that are wrong", "addKey", func(n int) string { return `"spec":{"secretTransforms":[` + repeated(n, `{"addKey":{"key":7}}`) + `]}` }},
		{"the last of many items", "spec.parametersFrom", func(n int) string {
			return `"spec":{"parametersFrom":[` + repeated(n, `{"secretKeyRef":{"name":"#"}}`) + `,7]}`
		}},
		{"many values that are wrong", "metadata.annotations", func(n int) string { return `"metadata":{"annotations":{` + repeated(n, `"a#":7`) + `}}` }},
		{"the same field again", "spec.secretName", func(n int) string { return `"spec":{` + repeated(n, `"secretName":7`) + `}` }},
		{"depth", "spec.secretName", func(n int) string {
			return `"spec":{"secretName":7,"x":` + strings.Repeat("[", n/20) + strings.Repeat("]", n/20) + `}`
		}},
		{"a long text in place of a map", "metadata.labels", func(n int) string { return `"metadata":{"labels":"` + strings.Repeat("x", 10*n) + `"}` }},
		{"a status, and an old one", "spec", func(n int) string { return `"spec":7,"status":{` + repeated(n, `"f#":1`) + `}` }},
	} {
		t.Run(c.name, func(t *testing.T) {
			costtest.Linear(t, 20_000, func(n int) ctrladmission.Request {
				r := ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{Operation: admissionv1.Update}}
				r.Object.Raw = []byte(`{"apiVersion":"servicecatalog.k8s.io/v1beta1","kind":"ServiceBinding",` + c.shape(n) + `}`)
				r.OldObject.Raw = r.Object.Raw
				return r
			}, func(r ctrladmission.Request) {
				if response := hook.Handle(t.Context(), r); response.Allowed || !strings.Contains(response.Result.Message, c.field) {
					t.Errorf("%+v", response)
				}
			})
		})
	}
}
