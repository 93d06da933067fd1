// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package leadership knows until when no other process leads.
package leadership

import (
	"cmp"
	"context"
	"errors"
	"sync/atomic"
	"time"

	"k8s.io/utils/clock"
)

// ErrEnded is returned where the process does not act because it has not renewed its lease in time.
var ErrEnded = errors.New("the lease of this process has ended, so that another process may lead: nothing is sent or recorded until it is renewed")

// Retry is when a reconcile continues that found that the lease has ended: it is renewed by then, or the process ends.
const Retry = 2 * time.Second

// Lease is until when no other process leads. client-go ends a leader that does not renew its lease in time, but not in the moment in which a process
// that was stopped, such as by SIGSTOP or the freezer of its cgroup, continues: another one may have led in between. Of a nil Lease, and of one that was
// never acquired, no leader is elected.
type Lease struct {
	Clock clock.PassiveClock
	term  atomic.Pointer[term]
	ended atomic.Bool
}

// term is a time in which no other process leads.
type term struct{ since, until time.Time }

// NewLease returns the lease of a process that has not acquired it yet.
func NewLease() *Lease { return &Lease{Clock: clock.RealClock{}} }

// Renew records that the lease was acquired or renewed, unless End was called. The other processes count from when they see that, which is later.
func (l *Lease) Renew(at time.Time, duration time.Duration) {
	since := at
	if before := l.term.Load(); before != nil && at.Before(before.until) {
		since = before.since
	}
	l.term.Store(&term{since, at.Add(duration)})
}

// End has the lease end for ever, before it is released, or since another process leads: this one stops.
func (l *Lease) End() { l.ended.Store(true) }

// Err returns ErrEnded while another process may lead, by the monotonic clock.
func (l *Lease) Err() error {
	if l == nil {
		return nil
	}
	now := l.term.Load()
	if hasPassed := now != nil && !l.Clock.Now().Before(now.until); hasPassed || l.ended.Load() {
		return ErrEnded
	}
	return nil
}

// Since is since when no other process leads, by this process's clock: a process that was stopped for longer than its lease begins then. Zero: no leader
// is elected.
func (l *Lease) Since() time.Time {
	if l == nil || l.term.Load() == nil {
		return time.Time{}
	}
	return l.term.Load().since
}

// Stopping returns why this process sends and records nothing more: it stops, by the context, or another one may lead.
func (l *Lease) Stopping(ctx context.Context) error { return cmp.Or(ctx.Err(), l.Err()) }
