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

// Package credentials is what is in a binding's Secret, and how it gets there: what a
// broker told becomes keys of it, beside those that are others'. It knows no broker and
// no status.
package credentials

import (
	"fmt"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
)

// Error says why credentials cannot go into a Secret. It names keys and fields, never
// values.
type Error struct {
	message string
	// Foreign: they can go there once others' Secrets, or others' keys in it, are as they
	// have to be; and Occupied: the binding's Secret is another's.
	Foreign, Occupied bool
}

func (e *Error) Error() string { return e.message }

func unfit(format string, args ...any) error {
	return &Error{message: fmt.Sprintf(format, args...)}
}

// Occupied says what is in the way of a binding's Secret.
func Occupied(b *v1beta1.ServiceBinding) error {
	return &Error{message: fmt.Sprintf("Secret %q is there already and does not belong to this ServiceBinding: delete it, or make a ServiceBinding with another spec.secretName", catalog.SecretName(b)), Foreign: true, Occupied: true}
}
