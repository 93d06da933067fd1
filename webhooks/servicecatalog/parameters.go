// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"context"
	"fmt"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation/field"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/admission"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog/schema"
)

var (
	parametersPath     = specPath.Child("parameters")
	parametersFromPath = specPath.Child("parametersFrom")
)

// checkParameters validates inline parameters of an object with a schema of its plan, if the plan has it. Parameters from Secrets are not
// known here.
func checkParameters(ctx context.Context, f *findings, obj metav1.Object, plan v1beta1.Plan, planSchema, parameters *runtime.RawExtension, from []v1beta1.ParametersFromSource) {
	if planSchema == nil || len(planSchema.Raw) == 0 {
		return
	}
	var inline []byte
	if parameters != nil {
		inline = parameters.Raw
	}
	errs, warning := schema.Validate(ctx, planSchema, inline, schema.Options{Path: parametersPath, Partial: len(from) > 0, ShowValues: true})
	if catalog.IsSchemaAdvisory(plan, obj) {
		for _, err := range errs {
			f.warn("%s; the parameters are sent nevertheless, since the annotation %s is %s", err, v1beta1.SchemaPolicyAnnotation, v1beta1.SchemaPolicyWarn)
		}
	} else {
		f.refuse(errs...)
	}
	if warning != "" {
		f.warn("%s: not checked: %s", parametersPath, warning)
	}
}

// checkSize refuses parameters that are too large to be recorded in the object.
func checkSize(parameters *runtime.RawExtension) field.ErrorList {
	if parameters == nil {
		return nil
	}
	if n := catalog.CountFields(parameters.Raw); n > catalog.MaxFields {
		return field.ErrorList{field.Invalid(parametersPath, field.OmitValueType{}, fmt.Sprintf("has %d fields, and may have %d: store large values where the service can read them, and pass their location here", n, catalog.MaxFields))}
	}
	if len(parameters.Raw) <= catalog.MaxParameters {
		return nil
	}
	return field.ErrorList{field.Invalid(parametersPath, field.OmitValueType{}, fmt.Sprintf("has %d bytes, and may have %d: store large values where the service can read them, and pass their location here", len(parameters.Raw), catalog.MaxParameters))}
}

// secretUse is a Secret of an object's namespace that the object refers to.
type secretUse struct {
	path *field.Path
	name string
	// without describes the consequence if it does not exist.
	without string
}

// sourceUses returns the Secrets of parametersFrom that old does not refer to.
func sourceUses(old, from []v1beta1.ParametersFromSource) (uses []secretUse) {
	known := map[v1beta1.SecretKeyReference]bool{}
	for _, source := range old {
		if source.SecretKeyRef != nil {
			known[*source.SecretKeyRef] = true
		}
	}
	for i, source := range from {
		if source.SecretKeyRef != nil && !known[*source.SecretKeyRef] {
			uses = append(uses, secretUse{parametersFromPath.Index(i).Child("secretKeyRef", "name"), source.SecretKeyRef.Name, "nothing is sent until it does"})
		}
	}
	return uses
}

// checkUses refuses Secrets that the user may not read, since their content would be sent to a broker or copied into another Secret, and warns of
// Secrets that do not exist. The Secrets of other objects, which the object completes, are only checked.
func (k knowledge) checkUses(ctx context.Context, f *findings, access admission.Reviewer, namespace string, uses []secretUse, others ...admission.SecretUse) {
	if len(f.errs) > 0 {
		return
	}
	asked := make([]admission.SecretUse, len(uses))
	for i, use := range uses {
		asked[i] = admission.SecretUse{Secret: types.NamespacedName{Namespace: namespace, Name: use.name}, Path: use.path}
	}
	if err := access.MayGetSecrets(ctx, append(asked, others...)); err != nil {
		f.refuse(err)
		return
	}
	for i, use := range uses {
		if k.lacksSecret(ctx, asked[i].Secret) {
			f.warn("%s: Secret %q does not exist in namespace %q: %s", use.path, use.name, namespace, use.without)
		}
	}
}
