// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package conversion_test

import (
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"k8s.io/apimachinery/pkg/runtime"
	crconversion "sigs.k8s.io/controller-runtime/pkg/webhook/conversion"

	"github.com/gophernetes/bellhop/api/pager/v1alpha1"
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/costtest"
	"github.com/gophernetes/bellhop/internal/kube/admission"
	"github.com/gophernetes/bellhop/webhooks/pager/conversion"
)

// F-S59: what a conversion allocates grows with its size. Those that are served have as many elements as they may, and those that are
// refused are not decoded.
func TestCostOfConversions(t *testing.T) {
	scheme := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{v1alpha1.AddToScheme, v1beta1.AddToScheme} {
		if err := add(scheme); err != nil {
			t.Fatal(err)
		}
	}
	converter, err := conversion.AlertConverter(scheme)
	if err != nil {
		t.Fatal(err)
	}
	registry := crconversion.NewRegistry()
	if err := registry.RegisterConverter(v1beta1.GroupVersion.WithKind("Alert").GroupKind(), converter); err != nil {
		t.Fatal(err)
	}
	webhook := admission.NewBounds(scheme).Serve(crconversion.NewWebhookHandler(scheme, registry))
	for name, c := range map[string]struct {
		element string
		served  bool
		times   uint64 // how many times its size a conversion may allocate
	}{
		"empty elements":      {"{}", false, 8},
		"null":                {"null", false, 8},
		"the most elements":   {`{"note":"` + strings.Repeat("x", 40) + `"}`, true, 48},
		"elements as written": {`{"kind":"Receiver","name":"oncall","namespace":"team-a","state":"Sent","message":"delivered by the receiver","attempts":1}`, true, 32},
	} {
		t.Run(name, func(t *testing.T) {
			shape := func(n int) string {
				elements := strings.Repeat(c.element+",", n/(len(c.element)+1))
				return `{"apiVersion":"apiextensions.k8s.io/v1","kind":"ConversionReview","request":{"uid":"1","desiredAPIVersion":"pager.k8s.co/v1alpha1","objects":[` +
					`{"apiVersion":"pager.k8s.co/v1beta1","kind":"Alert","metadata":{"name":"a"},"status":{"deliveries":[` + elements + c.element + `]}}]}}`
			}
			convert := func(body string) {
				answer := httptest.NewRecorder()
				webhook.ServeHTTP(answer, httptest.NewRequest(http.MethodPost, "/convert", strings.NewReader(body)))
				if served := strings.Contains(answer.Body.String(), `"status":"Success"`); served != c.served {
					t.Errorf("served: %t, %.300s", served, answer.Body)
				}
			}
			costtest.Linear(t, 2<<20, shape, convert)
			body := shape(4 << 20)
			if cost := costtest.Of(func() { convert(body) }); cost.Bytes > c.times*uint64(len(body)) {
				t.Errorf("%d bytes take %d, %d times as much", len(body), cost.Bytes, cost.Bytes/uint64(len(body)))
			}
		})
	}
}
