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
	"cmp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// IsSchemaAdvisory reports whether parameters of an instance or binding are sent to the broker although the schema of its plan refuses them.
// The annotation of the object takes precedence over that of the plan.
func IsSchemaAdvisory(plan v1beta1.Plan, obj metav1.Object) bool {
	return cmp.Or(obj.GetAnnotations()[v1beta1.SchemaPolicyAnnotation], plan.GetAnnotations()[v1beta1.SchemaPolicyAnnotation]) == v1beta1.SchemaPolicyWarn
}
