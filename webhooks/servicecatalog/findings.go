// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package servicecatalog

import (
	"fmt"
	"slices"

	"k8s.io/apimachinery/pkg/util/validation/field"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/admission"
)

// findings are the errors and warnings of a validation.
type findings struct {
	warnings ctrladmission.Warnings
	errs     field.ErrorList
}

func (f *findings) warn(format string, args ...any) {
	f.warnings = append(f.warnings, fmt.Sprintf(format, args...))
}

func (f *findings) refuse(errs ...*field.Error) { f.errs = append(f.errs, errs...) }

// result returns the answer about an object of a kind. A refused object has no warnings.
func (f *findings) result(kind, name string) (ctrladmission.Warnings, error) {
	if len(f.errs) > 0 {
		return nil, admission.Invalid(v1beta1.GroupVersion.WithKind(kind).GroupKind(), name, f.errs)
	}
	return admission.Warnings(f.warnings), nil
}

// present returns the errors that are not nil.
func present(errs ...*field.Error) field.ErrorList {
	return slices.DeleteFunc(errs, func(err *field.Error) bool { return err == nil })
}
