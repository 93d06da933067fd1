// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// issue returns the answers of a broker whose credentials expire at a time of its own clock.
func issue(expires func() time.Time) func(*Request) Answer {
	return func(r *Request) Answer {
		if r.Operation != rules.Bind {
			return answerOf(osbresult.Done, 200)
		}
		a := answerWithCredentials(201)
		a.Binding.ExpiresAt = expires()
		return a
	}
}

// A clock that is wrong does not have credentials replaced again and again.
func TestWrongClocksCauseNoRotationStorm(t *testing.T) {
	const lives = 8 * time.Hour
	for name, is := range map[string]struct {
		edits  []func(*fixture)
		broker func(f *fixture) time.Time // the right time
	}{
		"right clocks":                    {nil, func(f *fixture) time.Time { return f.in.Now }},
		"the API server is a day ahead":   {edits(func(f *fixture) { f.ahead = -24 * time.Hour }), func(f *fixture) time.Time { return f.in.Now }},
		"the operator is a day behind":    {edits(clockMoves(-24 * time.Hour)), func(f *fixture) time.Time { return f.in.Now.Add(-f.ahead) }},
		"the operator is 12 hours behind": {edits(clockMoves(-12 * time.Hour)), func(f *fixture) time.Time { return f.in.Now.Add(-f.ahead) }},
		"the operator is 17 hours behind": {edits(clockMoves(-17 * time.Hour)), func(f *fixture) time.Time { return f.in.Now.Add(-f.ahead) }},
	} {
		f := newFixture(is.edits...)
		binds := 0
		for _, request := range f.runFor(10*time.Minute, issue(func() time.Time { return is.broker(f).Add(lives) })) {
			if strings.Contains(request, " bind ") {
				binds++
			}
		}
		if binds < 1 || binds > 2 {
			t.Errorf("%s: %d binds in 10 minutes of credentials that live for %s, %d predecessors", name, binds, lives, len(f.b.Status.Predecessors))
		}
	}
}

func TestABindEndsThoughAClockWasAhead(t *testing.T) {
	const year = 365 * 24 * time.Hour
	for name, is := range map[string][]func(*fixture){
		"the operator was ahead":   edits(clockMoves(year), bindAccepted, clockMoves(-year)),
		"the API server was ahead": edits(func(f *fixture) { f.ahead = -year }, bindAccepted, func(f *fixture) { f.ahead = 0 }),
	} {
		f := newFixture(is...)
		for range 30 {
			f.in.Now = f.in.Now.Add(24 * time.Hour)
			if next := f.step(); next.Request == nil || next.Request.Operation != rules.Poll {
				break
			}
			f.after(pollAnswer(osbresult.InProgress))
		}
		if next := f.step(); !f.phaseIsMitigating() {
			t.Errorf("%s: after 30 days in progress: %s, began %s", name, next.describe(), f.b.Status.OperationStartTime)
		}
	}
}

// R11: a clock that is put right removes nothing at a broker.
func TestNoClockMakesABindOverdue(t *testing.T) {
	const year = 365 * 24 * time.Hour
	inProgress := func(f *fixture) { f.after(pollAnswer(osbresult.InProgress)) }
	for name, is := range map[string][]func(*fixture){
		"the machine is behind for a moment":    edits(bindAccepted, machineMoves(-year), inProgress, machineMoves(year), later(time.Minute), inProgress),
		"the same, also by the monotonic clock": edits(bindAccepted, later(-year), inProgress, later(year+time.Minute), inProgress),
		"a restart with the machine behind":     edits(bindAccepted, restarted, machineMoves(-year), inProgress, machineMoves(year), later(time.Minute), inProgress),
		"it began while the machine was behind": edits(machineMoves(-year), bindAccepted, machineMoves(year), later(time.Minute), inProgress),
		"the machine is ahead":                  edits(bindAccepted, machineMoves(year), inProgress),
	} {
		if f := newFixture(is...); f.phaseIsMitigating() {
			t.Errorf("%s: a minute after the bind began: %s", name, f.step().describe())
		}
	}
}

func (f *fixture) phaseIsMitigating() bool { return f.b.Status.OrphanMitigationInProgress }

// R11: after a jump of a clock nothing ends at a broker. Credentials that live for 8 hours are replaced after 5h20m at the soonest, and the former ones
// removed after another overlap.
func TestAnAPIServerAheadRemovesNoCredentialsInUse(t *testing.T) {
	for name, ahead := range map[string]time.Duration{"right": 0, "a day ahead": 24 * time.Hour} {
		f := newFixture(func(f *fixture) { f.ahead = -ahead })
		start, first := f.in.Now, ""
		answer := issue(func() time.Time { return f.in.Now.Add(8 * time.Hour) })
		f.runFor(5*time.Hour, func(r *Request) Answer {
			if first == "" {
				first = r.ID
			}
			if r.ID == first && r.Operation == rules.Unbind {
				t.Errorf("API server %s: the credentials that live for 8 hours are removed at the broker after %s", name, f.in.Now.Sub(start))
			}
			return answer(r)
		})
		if first == "" {
			t.Errorf("API server %s: no credentials are requested", name)
		}
	}
}

// A rotation that a person requests is not delayed: no predecessors of needless renewals are on record.
func TestRebindWaitsForNoWrongClock(t *testing.T) {
	f := newFixture(func(f *fixture) { f.ahead = -24 * time.Hour })
	f.runFor(10*time.Minute, issue(func() time.Time { return f.in.Now.Add(8 * time.Hour) }))
	requestRebind("now")(f)
	if next := f.step(); next.Request == nil || next.Request.Operation != rules.Bind || len(f.b.Status.Predecessors) > 1 {
		t.Errorf("%s, with %d predecessors", next.describe(), len(f.b.Status.Predecessors))
	}
}
