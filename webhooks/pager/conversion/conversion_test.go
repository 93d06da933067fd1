/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

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
