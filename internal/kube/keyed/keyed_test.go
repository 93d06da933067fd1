// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
