// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"testing"
	"time"
)

// A process that has read that another one leads, or gives way to it, sends nothing any more.
func TestLeadershipEndsWithAReplacement(t *testing.T) {
	for name, holder := range map[string]string{"released by hand": "", "held": "a successor"} {
		e := newElection()
		if err := e.Create(t.Context(), e.held("me")); err != nil {
			t.Fatal(err)
		}
		e.clock.SetTime(e.clock.Now().Add(time.Second))
		e.hold(e.own, holder)
		if _, _, err := e.Get(t.Context()); err == nil || e.stopped == nil {
			t.Fatal("goes on to lead")
		}
		if e.lasting.Err() == nil {
			t.Errorf("%s: the process has read that another one leads, and may send", name)
		}
	}
	e := newElection()
	if err := e.Create(t.Context(), e.held("me")); err != nil {
		t.Fatal(err)
	}
	e.hold(e.other, "another")
	_ = e.Update(t.Context(), e.held("me"))
	e.clock.SetTime(e.clock.Now().Add(2 * time.Second))
	e.hold(e.other, "another")
	if err := e.Update(t.Context(), e.held("me")); err == nil || e.stopped == nil {
		t.Fatal("no giving way")
	}
	if e.lasting.Err() == nil {
		t.Error("gives way to another installation, and may send and record until it has ended")
	}
}

// Another installation led while this process was stopped, and was removed or scaled down before it continued.
func TestLeaderThatAnotherInstallationReplacedEnds(t *testing.T) {
	e := newElection()
	if err := e.Create(t.Context(), e.held("me")); err != nil {
		t.Fatal(err)
	}
	e.clock.SetTime(e.clock.Now().Add(20 * time.Second))
	e.hold(e.other, "another")
	e.clock.SetTime(e.clock.Now().Add(20 * time.Second))
	e.hold(e.other, "") // released
	_, _, getErr := e.Get(t.Context())
	updateErr := e.Update(t.Context(), e.held("me"))
	if e.stopped == nil {
		t.Errorf("goes on to lead with an obsolete memory: %v, %v, %v", getErr, updateErr, e.lasting.Err())
	}
}

// A successor led while this process was stopped, and the lease was deleted before it continued.
func TestLeaderWhoseLeaseWasDeletedEnds(t *testing.T) {
	e := newElection()
	if err := e.Create(t.Context(), e.held("me")); err != nil {
		t.Fatal(err)
	}
	e.clock.SetTime(e.clock.Now().Add(20 * time.Second))
	e.hold(e.own, "a successor")
	e.own.record = nil
	_, _, _ = e.Get(t.Context())
	err := e.Create(t.Context(), e.held("me"))
	if e.stopped == nil {
		t.Errorf("goes on to lead with an obsolete memory: %v, %v", err, e.lasting.Err())
	}
}

// A lease is deleted by hand while this process leads.
func TestLeaderRestoresADeletedLease(t *testing.T) {
	e := newElection()
	if err := e.Create(t.Context(), e.held("me")); err != nil {
		t.Fatal(err)
	}
	e.own.record = nil
	if err := e.Create(t.Context(), e.held("me")); err != nil || e.stopped != nil || e.lasting.Err() != nil {
		t.Error(err, e.stopped, e.lasting.Err())
	}
}

// The release is on record, and its answer is slow: client-go waits for it as long as for a renewal, while the controllers run.
func TestLeadershipEndsBeforeTheRelease(t *testing.T) {
	e := newElection()
	if err := e.Create(t.Context(), e.held("me")); err != nil {
		t.Fatal(err)
	}
	e.clock.SetTime(e.clock.Now().Add(6 * time.Second)) // no renewal has succeeded within the deadline of client-go
	e.own.onUpdate = func() {
		if e.lasting.Err() == nil {
			t.Error("the lease is being released, which lets another process lead at once, and this one may still send")
		}
	}
	_ = e.Update(t.Context(), e.held(""))
}
