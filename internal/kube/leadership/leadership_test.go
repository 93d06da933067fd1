// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package leadership

import (
	"errors"
	"testing"
	"time"

	clocktesting "k8s.io/utils/clock/testing"
)

func TestLeaseEnds(t *testing.T) {
	const duration = 15 * time.Second
	acquired := time.Date(2026, 12, 1, 12, 0, 0, 0, time.UTC)
	clock := clocktesting.NewFakePassiveClock(acquired)
	lease := &Lease{Clock: clock}
	expect := func(why string, want error) {
		t.Helper()
		if got := lease.Err(); !errors.Is(got, want) {
			t.Errorf("%s: %v, want %v", why, got, want)
		}
	}
	if err := (*Lease)(nil).Err(); err != nil {
		t.Errorf("without an election: %v", err)
	}
	expect("before it is acquired", nil)
	lease.Renew(acquired, duration)
	expect("acquired", nil)
	clock.SetTime(acquired.Add(duration - 1))
	expect("just before its end", nil)
	clock.SetTime(acquired.Add(duration))
	expect("at its end", ErrEnded)
	lease.Renew(clock.Now(), duration)
	expect("renewed", nil)
	lease.End()
	expect("released", ErrEnded)
}
