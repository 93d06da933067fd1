// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package admission

import (
	"fmt"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/util/validation/field"
	ctrladmission "sigs.k8s.io/controller-runtime/pkg/webhook/admission"

	"github.com/gophernetes/bellhop/internal/outbound/redact"
)

// The text of an answer is bounded, since it repeats parts of the request. Of warnings the API server passes on 4096 characters.
const (
	maxErrors       = 32
	maxText         = 1024 // bytes of a field's path, of its value and of a message, each
	maxWarnings     = 32
	maxWarningsText = 4096
	maxName         = 253
)

// Invalid returns the error about an object that is refused because of errs: the first of them, each shortened, and how many more there are.
// The text of a list of errors takes the square of their number.
func Invalid(kind schema.GroupKind, name string, errs field.ErrorList) *apierrors.StatusError {
	shown := make(field.ErrorList, 0, min(len(errs), maxErrors))
	for _, err := range errs[:min(len(errs), maxErrors)] {
		shown = append(shown, shortenError(err))
	}
	if more := len(errs) - len(shown); more > 0 {
		shown[len(shown)-1].Detail += fmt.Sprintf(" (and %d errors more)", more)
	}
	return apierrors.NewInvalid(kind, redact.Shorten(name, maxName), shown)
}

// shortenError returns a copy of an error with shortened texts.
func shortenError(err *field.Error) *field.Error {
	short := *err
	short.Field, short.Detail = redact.Shorten(err.Field, maxText), redact.Shorten(err.Detail, maxText)
	if _, omitted := err.BadValue.(field.OmitValueType); !omitted && err.BadValue != nil {
		if text := fmt.Sprint(err.BadValue); len(text) > maxText {
			short.BadValue = redact.Shorten(text, maxText)
		}
	}
	return &short
}

// Warnings returns the first warnings, each shortened, and as the last one how many more there are.
func Warnings(all ctrladmission.Warnings) (shown ctrladmission.Warnings) {
	length := 0
	for _, warning := range all {
		warning = redact.Shorten(warning, maxText)
		if length += len(warning); length > maxWarningsText || len(shown) == maxWarnings {
			return append(shown, fmt.Sprintf("%d more warnings are not shown", len(all)-len(shown)))
		}
		shown = append(shown, warning)
	}
	return shown
}
