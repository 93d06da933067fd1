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

package keyed_test

import (
	"context"
	"testing"

	"github.com/gophernetes/bellhop/internal/kube/keyed"
)

// The limit is each key's own, and nothing is kept of a key whose last holder and waiter have left.
func TestSemaphores(t *testing.T) {
	var all keyed.Semaphores[string]
	over, cancel := context.WithCancel(t.Context())
	cancel()
	first, second := all.TryAcquire("a", 1, 2), all.TryAcquire("a", 1, 2)
	if first == nil || second == nil || all.TryAcquire("a", 1, 2) != nil {
		t.Fatal("two of two are not free, or a third is")
	}
	if _, err := all.Acquire(over, "a", 1, 2); err == nil {
		t.Error("more than the limit was taken")
	}
	other, err := all.Acquire(t.Context(), "b", 2, 2)
	if err != nil || all.Len() != 2 {
		t.Fatalf("%v; %d keys", err, all.Len())
	}
	first()
	both := make(chan func())
	go func() {
		release, _ := all.Acquire(t.Context(), "a", 2, 2)
		both <- release
	}()
	second()
	(<-both)()
	other()
	if all.Len() != 0 {
		t.Errorf("%d keys are kept", all.Len())
	}
}
