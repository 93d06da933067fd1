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
		"the operator is a day ahead":     {edits(clockMoves(24 * time.Hour)), func(f *fixture) time.Time { return f.in.Now.Add(-f.ahead) }},
		"the operator is 7h58m ahead":     {edits(clockMoves(lives - 2*time.Minute)), func(f *fixture) time.Time { return f.in.Now.Add(-f.ahead) }},
		"the API server is 7h ahead":      {edits(func(f *fixture) { f.ahead = time.Hour - lives }), func(f *fixture) time.Time { return f.in.Now }},
		"the API server is 7h50m ahead":   {edits(func(f *fixture) { f.ahead = 10*time.Minute - lives }), func(f *fixture) time.Time { return f.in.Now }},
		"the API server is 7h58m ahead":   {edits(func(f *fixture) { f.ahead = 2*time.Minute - lives }), func(f *fixture) time.Time { return f.in.Now }},
	} {
		f := newFixture(is.edits...)
		binds := 0
		for _, request := range f.runFor(30*time.Minute, issue(func() time.Time { return is.broker(f).Add(lives) })) {
			if strings.Contains(request, " bind ") {
				binds++
			}
		}
		if binds < 1 || binds > 2 {
			t.Errorf("%s: %d binds in 30 minutes of credentials that live for %s, %d predecessors", name, binds, lives, len(f.b.Status.Predecessors))
		}
	}
}

// A process that starts with a clock that has fallen behind since the issue has the credentials replaced in time: the API server's clock was not wrong
// when they were issued.
func TestCredentialsAreRenewedThoughTheClockFallsBehind(t *testing.T) {
	const lives = 8 * time.Hour
	for _, behind := range []time.Duration{0, 7 * time.Hour, 8 * time.Hour, 9 * time.Hour, 24 * time.Hour} {
		for _, is := range []struct {
			after       time.Duration
			isRestarted bool
		}{{time.Minute, true}, {time.Minute, false}, {5 * time.Hour, true}} {
			f := newFixture()
			right, binds := func() time.Time { return f.in.Now.Add(-f.ahead) }, 0
			end := right().Add(lives)
			answer := func(r *Request) Answer {
				if r.Operation == rules.Bind {
					binds++
				}
				return issue(func() time.Time { return right().Add(lives) })(r)
			}
			f.after(answer(f.step().Request))
			later(is.after)(f)
			if clockMoves(-behind)(f); is.isRestarted {
				newProcess(f)
			}
			f.runFor(time.Minute, answer)
			if is.after == time.Minute && binds > 1 {
				t.Errorf("%s behind, restarted %t: replaced after a minute", behind, is.isRestarted)
			}
			for right().Before(end) && binds == 1 {
				f.runFor(time.Minute, answer)
			}
			if binds == 1 || !right().Before(end) {
				in := f.inputs()
				t.Errorf("%s behind since %s after the issue, restarted %t: credentials of 8 hours end without a renewal, which is wanted at %s, and it is %s",
					behind, is.after, is.isRestarted, in.renewal(&f.b.Status), f.in.Now)
			}
		}
	}
}

// Credentials that were received while a machine was behind are replaced once its time is right, and they have ended.
func TestCredentialsAreRenewedOnceAMachineIsRight(t *testing.T) {
	f := newFixture(machineMoves(-24 * time.Hour))
	a := answerWithCredentials(201)
	a.Binding.ExpiresAt = f.in.Now.Add(25 * time.Hour)
	f.after(a)
	machineMoves(24 * time.Hour)(f)
	later(time.Hour)(f)
	if got := f.step().describe(); got != "write-ahead bind "+next1 {
		t.Errorf("once they have ended by both clocks: %s", got)
	}
}

// Also where no process lives for long, so that none measures the time since the issue.
func TestRestartsWithWrongClocksCauseNoRotationStorm(t *testing.T) {
	const lives = 8 * time.Hour
	for name, ahead := range map[string]time.Duration{
		"right":        0,
		"a day ahead":  24 * time.Hour,
		"7h58m ahead":  lives - 2*time.Minute,
		"a day behind": -24 * time.Hour,
	} {
		f, binds := newFixture(func(f *fixture) { f.ahead = -ahead }), 0
		answer := issue(func() time.Time { return f.in.Now.Add(lives) })
		for start := f.in.Now; f.in.Now.Sub(start) < 2*time.Hour; f.in.Now = f.in.Now.Add(time.Minute) {
			for next := f.step(); next.Request != nil; next = f.step() {
				if next.Request.Operation == rules.Bind {
					binds++
				}
				f.after(answer(next.Request))
			}
			newProcess(f)
		}
		if most := 1 + int(2*time.Hour/uncertainInterval); binds > most {
			t.Errorf("the API server's clock is %s: %d binds in 2 hours with a restart each minute, want at most %d", name, binds, most)
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
