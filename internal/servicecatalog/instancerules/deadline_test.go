// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rulestest"
)

// TestDeadlineOfAnInstance: a deadline ends an operation only by an answer that this process
// received after it (R11).
// conformance: L12
func TestDeadlineOfAnInstance(t *testing.T) {
	const week = 8 * 24 * time.Hour
	inProgress := func(f *fixture) { f.after(Decide(f.si, f.inputs()).Request, pollAnswer(osbresult.InProgress)) }
	succeeded := func(f *fixture) { f.after(Decide(f.si, f.inputs()).Request, pollAnswer(osbresult.Succeeded)) }
	polled := func(class osbresult.Class, status int) func(*fixture) {
		return func(f *fixture) { f.after(Decide(f.si, f.inputs()).Request, answerOf(class, status)) }
	}
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
		says string // the reasons of Ready and Stalled
	}{
		"past the deadline, not asked since":      {edits(provisioning, later(week)), "poll id small-id", "Provisioning"},
		"asked before the deadline only":          {edits(provisioning, inProgress, later(week)), "poll id small-id", "Provisioning"},
		"restarted past the deadline":             {edits(provisioning, inProgress, later(week), restarted, forgetPolls), "poll id small-id", "Provisioning"},
		"still in progress past the deadline":     {edits(provisioning, later(week), inProgress), "deprovision id small-id", "StartingInstanceOrphanMitigation"},
		"this clock alone is past it":             {edits(provisioning, clockMoves(week), inProgress), "wait", "Provisioning"},
		"past it, at an unknown time":             {edits(provisioning, later(week), timeUnknown, inProgress), "wait", "Provisioning"},
		"this clock was behind at the beginning":  {edits(clockMoves(-week), provisioning, clockMoves(week), later(time.Minute), inProgress), "wait", "Provisioning"},
		"finished while the operator was away":    {edits(provisioning, later(week), succeeded), "nothing: Ready", "ProvisionedSuccessfully"},
		"no answer past the deadline":             {edits(provisioning, later(week), polled(osbresult.Retry, 503), later(time.Hour)), "poll id small-id", "ErrorPollingLastOperation stalled"},
		"an answer of a proxy past the deadline":  {edits(provisioning, later(week), polled(osbresult.Malformed, 404), later(time.Hour)), "poll id small-id", "ErrorPollingLastOperation stalled"},
		"no answer before the deadline":           {edits(provisioning, polled(osbresult.Retry, 503), later(time.Hour)), "poll id small-id", "ErrorPollingLastOperation"},
		"an update past the deadline":             {edits(ready, otherPlan, accepted, later(week)), "poll id small-id", "UpdatingInstance"},
		"an update in progress past the deadline": {edits(ready, otherPlan, accepted, later(week), inProgress), "wait", "UpdateInstanceCallFailed stalled"},
		"an update finished meanwhile":            {edits(ready, otherPlan, accepted, later(week), succeeded), "nothing: Ready", "InstanceUpdatedSuccessfully"},
	} {
		t.Run("F-S1 "+name, func(t *testing.T) {
			f := newFixture(test.is...)
			if got := Decide(f.si, f.inputs()).describe(); got != test.want {
				t.Errorf("next: %s, want %s", got, test.want)
			}
			if got := rulestest.ReadyAndStalled(f.si.Status.Conditions); got != test.says {
				t.Errorf("conditions: %s, want %s", got, test.says)
			}
		})
	}
}

// forgetPolls has the process be another: it has not asked yet.
func forgetPolls(f *fixture) { f.in.LastPoll, f.in.PollAfter = time.Time{}, 0 }

// pollAnswer is an answer to a poll.
func pollAnswer(state osbresult.State) Answer {
	a := answerOf(osbresult.Done, 200)
	a.State, a.OperationDescription = state, "words"
	return a
}
