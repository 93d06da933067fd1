// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package conversion

import (
	"strings"
	"testing"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1alpha1"
	"github.com/gophernetes/bellhop/api/pager/v1beta1"
)

// The round trips are in test/conversion, where the filler's module is.

func BenchmarkConversion(b *testing.B) {
	spoke := &v1alpha1.Alert{
		ObjectMeta: metav1.ObjectMeta{Name: "a", Annotations: map[string]string{v1alpha1.TitleAnnotation: "title"}},
		Spec:       v1alpha1.AlertSpec{Message: strings.Repeat("x", 1024)},
		Status:     v1beta1.AlertStatus{Deliveries: make([]v1beta1.Delivery, 3)},
	}
	for b.Loop() {
		var hub v1beta1.Alert
		if err := alertFromV1alpha1(b.Context(), spoke, &hub); err != nil {
			b.Fatal(err)
		}
	}
}
