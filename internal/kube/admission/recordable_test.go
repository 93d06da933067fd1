// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package admission_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	admissionv1 "k8s.io/api/admission/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/internal/kube/admission"
)

// A spec that leaves no room for the status is refused, however its fields are bounded; one that was stored before can be edited.
func TestRecordable(t *testing.T) {
	hook := admission.Recordable(ctrladmission.HandlerFunc(func(context.Context, ctrladmission.Request) ctrladmission.Response {
		return ctrladmission.Allowed("")
	}))
	ofSize := func(spec, annotations int) string {
		if spec == 0 {
			return ""
		}
		return fmt.Sprintf(`{"metadata":{"annotations":{"a":%q}},"spec":{"a":%q}}`, strings.Repeat("x", annotations), strings.Repeat("x", spec-len(`{"a":""}`)))
	}
	for _, c := range []struct {
		name                  string
		spec, annotations, is int // is: the size of the old spec; 0: there is none
		refused               bool
	}{
		{name: "a small one", spec: 100},
		{name: "at the bound", spec: admission.MaxSpec},
		{name: "above the bound", spec: admission.MaxSpec + 1, refused: true},
		{name: "at the bound, with annotations", spec: admission.MaxSpec, annotations: 1 << 17},
		{name: "that grows above the bound", spec: admission.MaxSpec + 1, is: admission.MaxSpec, refused: true},
		{name: "that stays above the bound", spec: admission.MaxSpec + 9, is: admission.MaxSpec + 9},
		{name: "that shrinks above the bound", spec: admission.MaxSpec + 1, is: admission.MaxSpec + 9},
	} {
		t.Run(c.name, func(t *testing.T) {
			response := hook.Handle(t.Context(), ctrladmission.Request{AdmissionRequest: admissionv1.AdmissionRequest{
				Kind: metav1.GroupVersionKind{Group: "servicecatalog.k8s.io", Version: "v1beta1", Kind: "ServiceBinding"}, Name: "app",
				Object:    runtime.RawExtension{Raw: []byte(ofSize(c.spec, c.annotations))},
				OldObject: runtime.RawExtension{Raw: []byte(ofSize(c.is, 0))},
			}})
			if response.Allowed == c.refused {
				t.Fatalf("allowed: %v", response.Allowed)
			}
			if c.refused && !strings.Contains(response.Result.Message, fmt.Sprintf("spec: Invalid value: has %d bytes of JSON, and may have %d", c.spec, admission.MaxSpec)) {
				t.Errorf("refused with %q", response.Result.Message)
			}
		})
	}
}
