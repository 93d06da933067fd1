// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"testing"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// F-B18: the annotation of the object takes precedence over that of the plan, in both scopes.
func TestIsSchemaAdvisory(t *testing.T) {
	for _, c := range []struct {
		plan, object string
		want         bool
	}{
		{"", "", false}, {"Warn", "", true}, {"", "Warn", true}, {"Warn", "Enforce", false}, {"Enforce", "Warn", true}, {"warn", "", false}, {"", "x", false},
	} {
		for _, plan := range []v1beta1.Plan{&v1beta1.ClusterServicePlan{}, &v1beta1.ServicePlan{}} {
			instance := &v1beta1.ServiceInstance{}
			if c.plan != "" {
				plan.SetAnnotations(map[string]string{v1beta1.SchemaPolicyAnnotation: c.plan})
			}
			if c.object != "" {
				instance.Annotations = map[string]string{v1beta1.SchemaPolicyAnnotation: c.object}
			}
			if got := IsSchemaAdvisory(plan, instance); got != c.want {
				t.Errorf("%T %q, object %q: %t", plan, c.plan, c.object, got)
			}
		}
	}
}
