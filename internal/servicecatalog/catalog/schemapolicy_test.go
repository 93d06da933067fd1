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
