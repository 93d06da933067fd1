// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package bindingsecret has the content of a binding's Secret: the credentials that a broker returned become keys of it, beside keys
// of others. It knows no broker and no status.
package bindingsecret

import (
	"fmt"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Error is why credentials cannot be written into a Secret. It names keys and fields, never values.
type Error struct {
	Message string
	// Foreign: a change of another Secret, or of others' keys in this one, can remove the cause. Occupied: the Secret does not
	// belong to the binding. Missing: a Secret does not exist.
	Foreign, Occupied, Missing bool
}

func (e *Error) Error() string { return e.Message }

// Unfit returns the error of credentials that a Secret cannot hold.
func Unfit(format string, args ...any) error {
	return &Error{Message: fmt.Sprintf(format, args...)}
}

// Immutable returns the error about an immutable Secret of the binding that has keys of others: they would be lost if the process ended between
// its deletion and its creation.
func Immutable(b *v1beta1.ServiceBinding, others []string) error {
	return &Error{Message: fmt.Sprintf("Secret %q is immutable, and has keys that are not of this ServiceBinding (%s): move them to another Secret, and delete this one", catalog.SecretName(b), rules.Enumerate(others)), Foreign: true}
}

// Occupied returns the error about a Secret of the name that does not belong to the binding.
func Occupied(b *v1beta1.ServiceBinding) error {
	return &Error{Message: fmt.Sprintf("Secret %q already exists and is not owned by this ServiceBinding: delete it, or create a ServiceBinding with another spec.secretName", catalog.SecretName(b)), Foreign: true, Occupied: true}
}
