// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0
package engine

import (
	"context"
	"strings"
	"testing"

	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// panickingReader panics once.
type panickingReader struct {
	client.Reader
	left int
}

func (r *panickingReader) Get(context.Context, client.ObjectKey, client.Object, ...client.GetOption) error {
	if r.left--; r.left >= 0 {
		panic("a mistake")
	}
	return nil
}

// F-P66: a panic of a shared read is an error for all that wait, and not for later callers.
func TestPanicOfASharedRead(t *testing.T) {
	d := NewDefinitionReader(&panickingReader{left: 1}, "ServiceInstance")
	if state, err := d.Read(t.Context()); err == nil || !strings.Contains(err.Error(), "a mistake in Bellhop") || state != rules.DefinitionUnknown {
		t.Errorf("%v, %v", state, err)
	}
	if state, err := d.Read(t.Context()); err != nil || state != rules.DefinitionLives {
		t.Errorf("a later read: %v, %v", state, err)
	}
}
