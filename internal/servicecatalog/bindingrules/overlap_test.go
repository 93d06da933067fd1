// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"testing"
	"time"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Whatever a clock shows, credentials that live for an hour are replaced in time: former ones are removed, so that the record has room.
func TestShortLivedCredentialsOutliveWrongClocks(t *testing.T) {
	for name, is := range map[string][]func(*fixture){
		"right clocks":                      nil,
		"the operator is a day ahead":       edits(clockMoves(24 * time.Hour)),
		"the API server's time is unknown":  edits(timeUnknown),
		"the operator is 30 minutes behind": edits(clockMoves(-30 * time.Minute)),
		"the operator is an hour behind":    edits(clockMoves(-time.Hour)),
		"the operator is a day behind":      edits(clockMoves(-24 * time.Hour)),
		"the machine is a day behind":       edits(machineMoves(-24 * time.Hour)),
	} {
		t.Run(name, func(t *testing.T) {
			f := newFixture(is...)
			if expired := f.longestExpired(48 * time.Hour); expired > 2*time.Minute {
				t.Errorf("the Secret has expired credentials for %s, with %d predecessors", expired, len(f.b.Status.Predecessors))
			}
		})
	}
}

// longestExpired answers all requests for a time, with credentials that live for an hour, and returns for how long the Secret had expired ones.
func (f *fixture) longestExpired(d time.Duration) (longest time.Duration) {
	right := func() time.Time { return f.in.Now.Add(-f.ahead) }
	var end time.Time
	for until := right().Add(d); right().Before(until); {
		switch next := f.step(); {
		case next.Request != nil && next.Request.Operation == rules.Bind:
			a := answerWithCredentials(201)
			end = right().Add(time.Hour)
			a.Binding.ExpiresAt = end
			f.after(a)
		case next.Request != nil:
			f.after(answerOf(osbresult.Done, 200))
		default:
			f.b.Status, f.in.Now = next.Status, f.in.Now.Add(time.Minute)
		}
		if !end.IsZero() {
			longest = max(longest, right().Sub(end))
		}
	}
	return longest
}

// After a clock that was ahead during the replacement is put right, the binding is reconciled again when the overlap is over.
func TestTheEndOfAnOverlapIsAwaited(t *testing.T) {
	for name, is := range map[string][]func(*fixture){
		"the operator was ahead":   edits(bound, rebound, clockMoves(30*24*time.Hour), bound),
		"the API server was ahead": edits(bound, rebound, func(f *fixture) { f.ahead -= 30 * 24 * time.Hour }, bound),
	} {
		f := newFixture(is...)
		if wait := f.step().RequeueAt.Sub(f.in.Now); wait <= 0 || wait > overlap {
			t.Errorf("%s: reconciled again after %s, with an overlap of %s", name, wait, overlap)
		}
	}
}

// R11: a process whose machine is behind does not record that, so that the next one with the right time removes no credentials that are in use.
func TestAClockBehindForAWhileShortensNoOverlap(t *testing.T) {
	for name, behind := range map[string]time.Duration{"right clocks": 0, "a day behind between two restarts": 24 * time.Hour} {
		f := newFixture()
		unbinds := 0
		run := func(d time.Duration) {
			for range d / time.Minute {
				next := f.step()
				for ; next.Request != nil; next = f.step() {
					if next.Request.Operation == rules.Unbind {
						unbinds++
						f.after(answerOf(osbresult.Done, 200))
					} else {
						f.after(answerWithCredentials(201))
					}
				}
				f.b.Status, f.in.Now = next.Status, f.in.Now.Add(time.Minute)
			}
		}
		run(5 * time.Minute)
		requestRebind("now")(f)
		run(5 * time.Minute)
		newProcess(f)
		f.in.Now = f.in.Now.Add(-behind)
		run(3 * time.Minute)
		newProcess(f)
		f.in.Now = f.in.Now.Add(behind)
		if run(overlap - 10*time.Minute); unbinds > 0 {
			t.Errorf("%s: the former credentials are removed at the broker before the overlap of %s is over", name, overlap)
		}
		if run(20 * time.Minute); unbinds != 1 {
			t.Errorf("%s: %d removals after the overlap, want 1", name, unbinds)
		}
	}
}
