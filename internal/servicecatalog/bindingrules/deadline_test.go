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
		"past the deadline, not asked since":     {bfs(binding1, in(week)), "poll id"},
		"asked before the deadline only":         {bfs(binding1, polled(pollOf(osbresult.InProgress)), in(week)), "poll id"},
		"still in progress past the deadline":    {bfs(binding1, in(week), polled(pollOf(osbresult.InProgress))), "unbind id"},
		"finished while the operator was away":   {bfs(binding1, in(week), polled(pollOf(osbresult.Succeeded))), "fetch id again"},
		"no answer past the deadline":            {bfs(binding1, in(week), polled(saidOf(osbresult.Retry, 503)), in(time.Hour)), "poll id"},
		"an answer of a proxy past the deadline": {bfs(binding1, in(week), polled(saidOf(osbresult.Malformed, 404)), in(time.Hour)), "poll id"},
		"deleted, and not known to be its own":   {bfs(brought1, binding1, deleted1, lives1, in(week)), "poll id"},
		"deleted, and created meanwhile":         {bfs(brought1, binding1, deleted1, lives1, in(week), polled(pollOf(osbresult.Succeeded))), "nothing: OwnershipUnknown"},
		"the same, and it is to be removed":      {bfs(brought1, binding1, deleted1, lives1, in(week), polled(pollOf(osbresult.Succeeded)), policy(v1beta1.DeletionPolicyDelete)), "unbind id"},
	} {
		t.Run("F-S1 "+name, func(t *testing.T) {
			f := newFixture(test.is...)
			if got := f.step().say(); got != test.want {
				t.Errorf("next: %s, want %s", got, test.want)
			}
		})
	}
}
