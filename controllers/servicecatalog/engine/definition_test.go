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
