// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog_test

import (
	"testing"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
)

func TestRefs(t *testing.T) {
	other := map[catalog.Scope]catalog.Scope{catalog.Cluster: catalog.Namespaced, catalog.Namespaced: catalog.Cluster}
	for _, scope := range catalog.Scopes {
		for _, refs := range []catalog.Refs{{}, {Class: "class"}, {Plan: "plan"}, {Class: "class", Plan: "plan"}} {
			spec := &v1beta1.ServiceInstanceSpec{}
			catalog.SetRefs(spec, other[scope], catalog.Refs{Class: "former", Plan: "former"})
			catalog.SetRefs(spec, scope, refs)
			if got := catalog.RefsOf(spec, scope); got != refs {
				t.Errorf("%s: %+v instead of %+v", scope, got, refs)
			}
			if got := catalog.RefsOf(spec, other[scope]); got != (catalog.Refs{}) {
				t.Errorf("%s: %+v is left of the other scope", scope, got)
			}
			if catalog.SetRefs(spec, "", catalog.Refs{}); !equality.Semantic.DeepEqual(*spec, v1beta1.ServiceInstanceSpec{}) {
				t.Errorf("%s: %+v is left", scope, spec)
			}
		}
	}
}
