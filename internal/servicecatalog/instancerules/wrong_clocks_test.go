// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

func TestAnOperationEndsThoughAClockWasAhead(t *testing.T) {
	const year = 365 * 24 * time.Hour
	inProgress := func(f *fixture) { f.after(Decide(f.si, f.inputs()).Request, pollAnswer(osbresult.InProgress)) }
	serverAhead := func(by time.Duration) func(*fixture) { return func(f *fixture) { f.ahead -= by } }
	for name, is := range map[string][]func(*fixture){
		"no clock was":             edits(provisioning, later(8*24*time.Hour), inProgress),
		"the operator was ahead":   edits(clockMoves(year), provisioning, clockMoves(-year), later(8*24*time.Hour), inProgress),
		"the API server was ahead": edits(serverAhead(year), provisioning, serverAhead(-year), later(8*24*time.Hour), inProgress),
		"the same, and a restart":  edits(clockMoves(year), provisioning, clockMoves(-year), newProcess, inProgress, later(8*24*time.Hour), inProgress),
	} {
		f := newFixture(is...)
		if got := Decide(f.si, f.inputs()).describe(); got != "deprovision id small-id" {
			t.Errorf("%s: after 8 days in progress: %s; began %s, now %s", name, got, f.si.Status.OperationStartTime, f.in.Now)
		}
	}
}

// R11: a clock that is put right removes nothing at a broker, whichever way it was wrong.
func TestNoClockMakesAnOperationOverdue(t *testing.T) {
	const week, year = 8 * 24 * time.Hour, 365 * 24 * time.Hour
	inProgress := func(f *fixture) { f.after(Decide(f.si, f.inputs()).Request, pollAnswer(osbresult.InProgress)) }
	for name, is := range map[string][]func(*fixture){
		"right clocks":                                 edits(provisioning, later(time.Minute), inProgress),
		"the machine is behind for a moment":           edits(provisioning, machineMoves(-week), inProgress, machineMoves(week), later(time.Minute), inProgress),
		"the same, also by the monotonic clock":        edits(provisioning, later(-week), inProgress, later(week+time.Minute), inProgress),
		"a restart with the machine behind":            edits(provisioning, newProcess, machineMoves(-week), inProgress, machineMoves(week), later(time.Minute), inProgress),
		"another restart once it is right":             edits(provisioning, newProcess, machineMoves(-week), inProgress, newProcess, machineMoves(week), later(time.Minute), inProgress),
		"it began while the machine was behind":        edits(machineMoves(-week), provisioning, machineMoves(week), later(time.Minute), inProgress),
		"it began so at an unknown time":               edits(timeUnknown, machineMoves(-week), provisioning, machineMoves(week), timeKnown, later(time.Minute), inProgress),
		"the machine is ahead":                         edits(provisioning, machineMoves(week), inProgress),
		"it was requested, by a clock ahead, long ago": edits(machineMoves(year), unanswered, machineMoves(-year), later(week), provisioning, later(time.Minute), inProgress),
	} {
		f := newFixture(is...)
		if got := Decide(f.si, f.inputs()).describe(); got != "wait" || !f.si.Status.AsyncOpInProgress {
			t.Errorf("%s: a minute after the provisioning began: %s", name, got)
		}
	}
}

// A process that starts with a clock behind, which stays behind, measures how long the operation goes on.
func TestAnOperationEndsThoughTheClockIsBehind(t *testing.T) {
	const week = 8 * 24 * time.Hour
	inProgress := func(f *fixture) { f.after(Decide(f.si, f.inputs()).Request, pollAnswer(osbresult.InProgress)) }
	f := newFixture(provisioning, newProcess, machineMoves(-10*week), inProgress, later(week), inProgress)
	if got := Decide(f.si, f.inputs()).describe(); got != "deprovision id small-id" {
		t.Errorf("after 8 days in progress: %s", got)
	}
}

// R11: an id is left behind once its removal has failed for an hour, whatever clocks show meanwhile.
func TestNoClockLeavesAnIDBehind(t *testing.T) {
	const day = 24 * time.Hour
	for name, is := range map[string]struct{ before, then []func(*fixture) }{
		"right clocks":                   {nil, nil},
		"the machine is behind for once": {edits(newProcess, machineMoves(-day)), edits(machineMoves(day))},
		"a restart once it is right":     {edits(newProcess, machineMoves(-day)), edits(newProcess, machineMoves(day))},
		"this clock is ahead":            {edits(clockMoves(day)), nil},
		"the machine is ahead":           {edits(machineMoves(day)), nil},
	} {
		f := newFixture(unanswered)
		fail := func() {
			if next := Decide(f.si, f.inputs()); next.Request != nil {
				f.after(next.Request, answerOf(osbresult.Unknown, 500))
			} else {
				f.si.Status, f.in.Now = next.Status, next.RequeueAt
			}
		}
		for f.si.Status.Attempts.UnremovedSince == nil {
			fail()
		}
		begin := f.inputs().Uptime
		for _, edit := range is.before {
			edit(f)
		}
		fail()
		fail()
		for _, edit := range is.then {
			edit(f)
		}
		for len(f.si.Status.LeftBehind) == 0 && f.inputs().Uptime-begin < 3*time.Hour {
			fail()
		}
		if after := f.inputs().Uptime - begin; len(f.si.Status.LeftBehind) == 0 || after < time.Hour-time.Second {
			t.Errorf("%s: %d ids are left behind after %s", name, len(f.si.Status.LeftBehind), after)
		}
	}
}
