// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0
package ingest

import (
	"fmt"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// AlertSources come and go: of the times of their posts, the last are kept.
func TestNothingIsKeptOfFormerSources(t *testing.T) {
	var all memory
	named := func(n int) types.NamespacedName { return types.NamespacedName{Namespace: "n", Name: fmt.Sprint(n)} }
	for i := range 2 * maxKept {
		all.update(named(i), func(r *recorded) { r.received = time.Unix(int64(i), 0) })
	}
	if n := all.last.Len(); n != maxKept {
		t.Errorf("%d sources are kept", n)
	}
	if !all.of(named(0)).received.IsZero() || all.of(named(2*maxKept-1)).received.IsZero() {
		t.Error("the first is kept, or the last is not")
	}
}
