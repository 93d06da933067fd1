// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// TestRecoveries has F-JS4: the first success after a failure is told, and only that.
func TestRecoveries(t *testing.T) {
	var r Recoveries
	key := Key{Name: "broker"}
	at := func(s int) time.Time { return rulestest.T0.Add(time.Duration(s) * time.Second) }
	if !r.RecordSuccess(key, at(1)) || r.RecordSuccess(key, at(2)) || !r.Since(key).Equal(at(1)) {
		t.Errorf("of a broker of which nothing is known: %s", r.Since(key))
	}
	r.RecordFailure(key)
	if !r.RecordSuccess(key, at(3)) || !r.Since(key).Equal(at(3)) {
		t.Errorf("after it failed: %s", r.Since(key))
	}
}
