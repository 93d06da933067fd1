// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operator

import (
	"testing"
	"time"
)

// client-go tries again two seconds after an error, while the controllers end: the lease that ended must not be renewed then.
func TestAnEndedLeadershipIsNotRenewed(t *testing.T) {
	for name, finds := range map[string]func(*election){
		"another installation led while this process was stopped": func(e *election) {
			e.clock.SetTime(e.clock.Now().Add(20 * time.Second))
			e.hold(e.other, "another")
			e.clock.SetTime(e.clock.Now().Add(20 * time.Second))
			e.hold(e.other, "") // released
			_, _, _ = e.Get(t.Context())
		},
		"both lead, and both give way": func(e *election) {
			e.hold(e.other, "another")
			_ = e.Update(t.Context(), e.held("me"))
			e.clock.SetTime(e.clock.Now().Add(2 * time.Second))
			e.hold(e.other, "another") // renewed: this process gives way
			_ = e.Update(t.Context(), e.held("me"))
			e.hold(e.other, "") // and so does the other one
		},
	} {
		e := newElection()
		if err := e.Create(t.Context(), e.held("me")); err != nil {
			t.Fatal(err)
		}
		finds(e)
		if e.stopped == nil || e.lasting.Err() == nil {
			t.Fatalf("%s: it does not end", name)
		}
		e.clock.SetTime(e.clock.Now().Add(2 * time.Second)) // the retry of client-go
		_, _, getErr := e.Get(t.Context())
		updateErr := e.Update(t.Context(), e.held("me"))
		if e.lasting.Err() == nil {
			t.Errorf("%s: the process was told to end (%v), and may send and record again (%v, %v)", name, e.stopped, getErr, updateErr)
		}
	}
}
