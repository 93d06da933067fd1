// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"fmt"
	"testing"
	"time"
)

// Namespaces come and go: the budget is kept of those in which Alerts have fired lately, or objects wait.
func TestBudgetsOfIdleNamespacesAreDropped(t *testing.T) {
	var b Budget
	now := time.Unix(1_800_000_000, 0)
	for range MaxFired + 1 {
		b.Take("waits", "uid", Ask{}, now)
	}
	for i := range 10_000 {
		now = now.Add(time.Second)
		b.Take(fmt.Sprint(i), "uid", Ask{}, now)
	}
	if n := len(b.byNamespace); n > 400 {
		t.Errorf("%d budgets are kept", n)
	}
	if n, _ := b.Waiting("waits"); n != 1 {
		t.Errorf("%d objects wait", n)
	}
}
