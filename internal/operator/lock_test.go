// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"context"
	"encoding/json"
	"testing"
	"time"

	"github.com/go-logr/logr"
	"github.com/prometheus/client_golang/prometheus"
	coordinationv1 "k8s.io/api/coordination/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/tools/leaderelection/resourcelock"
	"k8s.io/client-go/tools/record"
	testingclock "k8s.io/utils/clock/testing"

	"github.com/gophernetes/bellhop/internal/kube/leadership"
)

// storedLease is a lease as the API server has it, and the lock of one process on it.
type storedLease struct {
	record *resourcelock.LeaderElectionRecord
	err    error
	// onUpdate is called before a write is stored.
	onUpdate func()
}

type fakeLock struct {
	*storedLease
	resourcelock.Interface

	identity string
}

func (l fakeLock) Identity() string { return l.identity }

func (l fakeLock) Get(context.Context) (*resourcelock.LeaderElectionRecord, []byte, error) {
	if l.err != nil {
		return nil, nil, l.err
	}
	if l.record == nil {
		return nil, nil, apierrors.NewNotFound(schema.GroupResource{Resource: "leases"}, "lease")
	}
	raw, err := json.Marshal(l.record)
	return new(*l.record), raw, err
}

func (l fakeLock) Create(ctx context.Context, r resourcelock.LeaderElectionRecord) error {
	return l.Update(ctx, r)
}

func (l fakeLock) Update(_ context.Context, r resourcelock.LeaderElectionRecord) error {
	if then := l.onUpdate; then != nil {
		l.onUpdate = nil
		then()
	}
	l.record = &r
	return nil
}

type election struct {
	*exclusiveLock

	own, other *storedLease
	clock      *testingclock.FakePassiveClock
	events     *record.FakeRecorder
	stopped    error
}

func newElection() *election {
	e := &election{own: &storedLease{}, other: &storedLease{}, clock: testingclock.NewFakePassiveClock(time.Now()), events: record.NewFakeRecorder(10)}
	e.exclusiveLock = &exclusiveLock{
		Interface: fakeLock{storedLease: e.own, identity: "me"}, others: []*watchedLease{{Interface: fakeLock{storedLease: e.other}, name: "other"}},
		clock: e.clock, lasting: &leadership.Lease{Clock: e.clock}, stop: func(err error) { e.stopped = err }, lease: &coordinationv1.Lease{}, events: e.events, logger: logr.Discard(), blocked: newBlockedMetric(),
	}
	return e
}

func (e *election) held(by string) resourcelock.LeaderElectionRecord {
	r := resourcelock.LeaderElectionRecord{HolderIdentity: by, LeaseDurationSeconds: 15}
	r.RenewTime.Time = e.clock.Now()
	return r
}

func (e *election) hold(lease *storedLease, by string) { lease.record = new(e.held(by)) }

// holder returns the identity that client-go reads as the holder of the lease.
func (e *election) holder(t *testing.T) string {
	t.Helper()
	r, _, err := e.Get(t.Context())
	if apierrors.IsNotFound(err) {
		return ""
	}
	if err != nil {
		t.Fatal(err)
	}
	return r.HolderIdentity
}

// blockedSeries returns the number of series of the metric.
func (e *election) blockedSeries(t *testing.T) (n int) {
	t.Helper()
	registry := prometheus.NewRegistry()
	if err := registry.Register(e.blocked); err != nil {
		t.Fatal(err)
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		n += len(family.GetMetric())
	}
	return n
}

func TestLeaseWaitsForTheOther(t *testing.T) {
	e := newElection()
	e.hold(e.other, "another")
	e.hold(e.own, "me") // of the process before a restart of the container
	for range 4 {
		if got := e.holder(t); got != "another" {
			t.Fatalf("held by %q while another installation renews its lease", got)
		}
		e.clock.SetTime(e.clock.Now().Add(14 * time.Second))
		e.hold(e.other, "another")
	}
	if n := e.blockedSeries(t); n != 1 {
		t.Errorf("the metric has %d series", n)
	}
	if n := len(e.events.Events); n != 1 {
		t.Errorf("%d events", n)
	}
	for range 3 { // another Pod of that installation leads now
		e.hold(e.other, "its successor")
		if got := e.holder(t); got != "its successor" || e.blockedSeries(t) != 1 || len(e.events.Events) != 1 {
			t.Errorf("held by %q, %d series, %d events", got, e.blockedSeries(t), len(e.events.Events))
		}
		e.clock.SetTime(e.clock.Now().Add(time.Second))
	}
	e.clock.SetTime(e.clock.Now().Add(15 * time.Second))
	if got := e.holder(t); got != "me" {
		t.Errorf("held by %q after the other lease has ended", got)
	}
	if n := e.blockedSeries(t); n != 0 {
		t.Errorf("the metric has %d series", n)
	}
}

func TestForgottenLeaseDoesNotBlock(t *testing.T) {
	e := newElection()
	e.hold(e.other, "another")
	e.clock.SetTime(e.clock.Now().Add(11 * time.Minute))
	if got := e.holder(t); got != "" {
		t.Errorf("held by %q, which has not renewed it for 11 minutes", got)
	}
	e.other.record.RenewTime.Time = e.clock.Now().Add(-11 * time.Minute) // its clock is wrong
	e.other.record.LeaderTransitions++
	if got := e.holder(t); got != "another" {
		t.Errorf("held by %q after the other lease was renewed", got)
	}
}

func TestReleasedLeaseDoesNotBlock(t *testing.T) {
	e := newElection()
	e.hold(e.other, "")
	if got := e.holder(t); got != "" {
		t.Errorf("held by %q", got)
	}
	if err := e.Create(t.Context(), e.held("me")); err != nil || !e.isLeading {
		t.Errorf("not acquired: %v", err)
	}
}

func TestLeaseWithoutRightToTheOther(t *testing.T) {
	e := newElection()
	e.other.err = apierrors.NewForbidden(schema.GroupResource{Resource: "leases"}, "other", nil)
	if err := e.Create(t.Context(), e.held("me")); err != nil || !e.isLeading {
		t.Errorf("not acquired: %v", err)
	}
	e.other.err = apierrors.NewTimeoutError("slow", 1)
	if err := e.Update(t.Context(), e.held("me")); err == nil {
		t.Error("renewed although the other lease cannot be read")
	}
	if e.stopped != nil {
		t.Errorf("stopped: %v", e.stopped)
	}
}

func TestLeasesAcquiredAtTheSameTime(t *testing.T) {
	for name, acquire := range map[string]func(*election, context.Context, resourcelock.LeaderElectionRecord) error{
		"create": func(e *election, ctx context.Context, r resourcelock.LeaderElectionRecord) error {
			return e.Create(ctx, r)
		},
		"update": func(e *election, ctx context.Context, r resourcelock.LeaderElectionRecord) error {
			return e.Update(ctx, r)
		},
	} {
		e := newElection()
		_ = e.holder(t) // none
		e.own.onUpdate = func() { e.hold(e.other, "another") }
		if err := acquire(e, t.Context(), e.held("me")); err == nil || e.isLeading {
			t.Errorf("%s: leads beside another installation", name)
		}
		if e.own.record.HolderIdentity != "" {
			t.Errorf("%s: the lease is kept: %+v", name, e.own.record)
		}
		if e.stopped != nil {
			t.Errorf("%s: stopped: %v", name, e.stopped)
		}
	}
}

func TestLeaderGivesWay(t *testing.T) {
	e := newElection()
	if err := e.Create(t.Context(), e.held("me")); err != nil {
		t.Fatal(err)
	}
	if err := e.Update(t.Context(), e.held("me")); err != nil {
		t.Fatal(err)
	}
	e.hold(e.other, "another")
	if err := e.Update(t.Context(), e.held("me")); err != nil || e.stopped != nil {
		t.Errorf("gives way to a lease that may be released at once: %v, %v", err, e.stopped)
	}
	if got := e.holder(t); got != "me" {
		t.Errorf("held by %q", got)
	}
	e.clock.SetTime(e.clock.Now().Add(2 * time.Second))
	e.hold(e.other, "another")
	if err := e.Update(t.Context(), e.held("me")); err == nil || e.stopped == nil {
		t.Errorf("renewed beside another installation: %v, %v", err, e.stopped)
	}
	if err := e.Update(t.Context(), e.held("")); err != nil || e.own.record.HolderIdentity != "" {
		t.Errorf("not released: %v", err)
	}
}

// A process that was paused until its lease ended finds that another installation has acquired its own meanwhile, as it may.
func TestLeaderThatWasPausedGivesWay(t *testing.T) {
	e := newElection()
	if err := e.Create(t.Context(), e.held("me")); err != nil {
		t.Fatal(err)
	}
	e.clock.SetTime(e.clock.Now().Add(20 * time.Second))
	e.hold(e.other, "another")
	if _, _, err := e.Get(t.Context()); err == nil || e.stopped == nil {
		t.Errorf("goes on to lead: %v, stopped: %v", err, e.stopped)
	}
	if err := e.Update(t.Context(), e.held("me")); err == nil {
		t.Error("renewed beside another installation")
	}
}

// client-go does not notice at once that a process was stopped for longer than its lease.
func TestLeadershipEndsWithTheLease(t *testing.T) {
	e := newElection()
	if err := e.lasting.Err(); err != nil {
		t.Errorf("without an election: %v", err)
	}
	if err := e.Create(t.Context(), e.held("me")); err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		after time.Duration
		renew bool
		ended bool
	}{{after: 14 * time.Second}, {after: time.Second, ended: true}, {renew: true}, {after: 14 * time.Second}, {renew: true}, {after: 14 * time.Second}, {after: time.Second, ended: true}} {
		e.clock.SetTime(e.clock.Now().Add(step.after))
		if step.renew {
			if err := e.Update(t.Context(), e.held("me")); err != nil {
				t.Fatal(err)
			}
		}
		if err := e.lasting.Err(); (err != nil) != step.ended {
			t.Errorf("%+v: %v", step, err)
		}
	}
}

// Another process may have led while this one was stopped, and have released the lease: client-go would lead on.
func TestLeaderThatWasReplacedEnds(t *testing.T) {
	for name, holder := range map[string]string{"released": "", "held": "a successor"} {
		t.Run(name, func(t *testing.T) {
			e := newElection()
			if err := e.Create(t.Context(), e.held("me")); err != nil {
				t.Fatal(err)
			}
			if got := e.holder(t); got != "me" || e.stopped != nil {
				t.Errorf("held by %q, stopped: %v", got, e.stopped)
			}
			e.clock.SetTime(e.clock.Now().Add(20 * time.Second))
			e.hold(e.own, holder)
			if _, _, err := e.Get(t.Context()); err == nil || e.stopped == nil {
				t.Errorf("goes on to lead: %v, stopped: %v", err, e.stopped)
			}
		})
	}
}

// Beside an operator with both API groups there may be two others. The lease of one that has crashed does not hide that of one which leads.
func TestLeaderGivesWayToOneOfTwo(t *testing.T) {
	e, crashed := newElection(), &storedLease{}
	e.others = append(e.others, &watchedLease{Interface: fakeLock{storedLease: crashed}, name: "crashed"})
	if err := e.Create(t.Context(), e.held("me")); err != nil {
		t.Fatal(err)
	}
	e.hold(e.other, "another")
	_ = e.holder(t)
	e.clock.SetTime(e.clock.Now().Add(2 * time.Second))
	e.hold(e.other, "another")
	e.hold(crashed, "gone")
	if err := e.Update(t.Context(), e.held("me")); err == nil || e.stopped == nil {
		t.Errorf("renewed beside another installation: %v, %v", err, e.stopped)
	}
}
