// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
)

// TestDeadlineOfABinding: the same for bindings.
func TestDeadlineOfABinding(t *testing.T) {
	const week = 8 * 24 * time.Hour
	polled := func(a Answer) func(*fixture) {
		return func(f *fixture) { f.after(a) }
	}
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
	}{
		"past the deadline, not asked since":     {edits(bindAccepted, later(week)), "poll id"},
		"asked before the deadline only":         {edits(bindAccepted, polled(pollAnswer(osbresult.InProgress)), later(week)), "poll id"},
		"still in progress past the deadline":    {edits(bindAccepted, later(week), polled(pollAnswer(osbresult.InProgress))), "unbind id"},
		"finished while the operator was away":   {edits(bindAccepted, later(week), polled(pollAnswer(osbresult.Succeeded))), "fetch id again"},
		"no answer past the deadline":            {edits(bindAccepted, later(week), polled(answerOf(osbresult.Retry, 503)), later(time.Hour)), "poll id"},
		"an answer of a proxy past the deadline": {edits(bindAccepted, later(week), polled(answerOf(osbresult.Malformed, 404)), later(time.Hour)), "poll id"},
		"deleted, and not known to be its own":   {edits(suppliedID, bindAccepted, deleted, definitionExists, later(week)), "poll id"},
		"deleted, and created meanwhile":         {edits(suppliedID, bindAccepted, deleted, definitionExists, later(week), polled(pollAnswer(osbresult.Succeeded))), "nothing: OwnershipUnknown"},
		"the same, and it is to be removed":      {edits(suppliedID, bindAccepted, deleted, definitionExists, later(week), polled(pollAnswer(osbresult.Succeeded)), policy(v1beta1.DeletionPolicyDelete)), "unbind id"},
	} {
		t.Run("F-S1 "+name, func(t *testing.T) {
			f := newFixture(test.is...)
			if got := f.step().describe(); got != test.want {
				t.Errorf("next: %s, want %s", got, test.want)
			}
		})
	}
}
