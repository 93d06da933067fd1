// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"strings"
	"testing"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

func TestATypeIsThatOfTheAnnotationOrTheClass(t *testing.T) {
	b := &v1beta1.ServiceBinding{}
	if got := ServiceType(b, "azure-mysql"); got != "azure-mysql" {
		t.Errorf("without an annotation: %q", got)
	}
	for value, want := range map[string]string{
		"mysql": "mysql", "MySQL_8.0": "MySQL_8.0", strings.Repeat("x", 63): strings.Repeat("x", 63),
		"": "", "-mysql": "", "my sql": "", "a/b": "", "a\nb": "", "mysql.": "", strings.Repeat("x", 64): "",
	} {
		b.Annotations = map[string]string{v1beta1.BindingTypeAnnotation: value, v1beta1.BindingProviderAnnotation: value}
		err := CheckServiceName(value)
		if (err == nil) != (want != "") {
			t.Errorf("%q: %v", value, err)
		}
		if want == "" { // admission was bypassed
			want = "otherwise"
		}
		if kind, provider := ServiceType(b, "otherwise"), ServiceProvider(b, "otherwise"); kind != want || provider != want {
			t.Errorf("%q: %q and %q, want %q", value, kind, provider, want)
		}
	}
}
