// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package catalog

import (
	"cmp"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// IsSchemaAdvisory reports whether parameters of an instance or binding are sent to the broker although the schema of its plan refuses them. The
// annotation of the object takes precedence over the plan's.
func IsSchemaAdvisory(plan v1beta1.Plan, obj metav1.Object) bool {
	return cmp.Or(obj.GetAnnotations()[v1beta1.SchemaPolicyAnnotation], plan.GetAnnotations()[v1beta1.SchemaPolicyAnnotation]) == v1beta1.SchemaPolicyWarn
}
