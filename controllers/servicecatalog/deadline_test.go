/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package servicecatalog

import (
	"strings"
	"testing"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

// TestDeadlineOfAnInstance: a deadline ends an operation only by an answer that this process
// received after it (R11).
// conformance: L12
func TestDeadlineOfAnInstance(t *testing.T) {
	const week = 8 * 24 * time.Hour
	inProgress := func(f *fixture) { f.after(decideInstance(f.si, f.w).call, stateOf(osbresult.InProgress)) }
	succeeded := func(f *fixture) { f.after(decideInstance(f.si, f.w).call, stateOf(osbresult.Succeeded)) }
	polled := func(class osbresult.Class, status int) func(*fixture) {
		return func(f *fixture) { f.after(decideInstance(f.si, f.w).call, said(class, status)) }
	}
	for name, test := range map[string]struct {
		is   []func(*fixture)
		want string
		says string // the reasons of Ready and Stalled
	}{
		"past the deadline, not asked since":      {fs(provisioning, later(week)), "poll id small-id", "Provisioning"},
		"asked before the deadline only":          {fs(provisioning, inProgress, later(week)), "poll id small-id", "Provisioning"},
		"restarted past the deadline":             {fs(provisioning, inProgress, later(week), restarted, forgetPolls), "poll id small-id", "Provisioning"},
		"still in progress past the deadline":     {fs(provisioning, later(week), inProgress), "deprovision id small-id", "StartingInstanceOrphanMitigation"},
		"finished while the operator was away":    {fs(provisioning, later(week), succeeded), "nothing: Ready", "ProvisionedSuccessfully"},
		"no answer past the deadline":             {fs(provisioning, later(week), polled(osbresult.Retry, 503), later(time.Hour)), "poll id small-id", "ErrorPollingLastOperation stalled"},
		"an answer of a proxy past the deadline":  {fs(provisioning, later(week), polled(osbresult.Malformed, 404), later(time.Hour)), "poll id small-id", "ErrorPollingLastOperation stalled"},
		"no answer before the deadline":           {fs(provisioning, polled(osbresult.Retry, 503), later(time.Hour)), "poll id small-id", "ErrorPollingLastOperation"},
		"an update past the deadline":             {fs(ready, planned, accepted, later(week)), "poll id small-id", "UpdatingInstance"},
		"an update in progress past the deadline": {fs(ready, planned, accepted, later(week), inProgress), "wait", "UpdateInstanceCallFailed stalled"},
		"an update finished meanwhile":            {fs(ready, planned, accepted, later(week), succeeded), "nothing: Ready", "InstanceUpdatedSuccessfully"},
	} {
		t.Run("F-S1 "+name, func(t *testing.T) {
			f := newFixture(test.is...)
			if got := decideInstance(f.si, f.w).say(); got != test.want {
				t.Errorf("next: %s, want %s", got, test.want)
			}
			if got := readyAndStalled(f.si.Status.Conditions); got != test.says {
				t.Errorf("conditions: %s, want %s", got, test.says)
			}
		})
	}
}

// TestDeadlineOfABinding: the same for bindings.
func TestDeadlineOfABinding(t *testing.T) {
	const week = 8 * 24 * time.Hour
	polled := func(a bindingAnswer) func(*bindingFixture) {
		return func(f *bindingFixture) { f.after(a) }
	}
	for name, test := range map[string]struct {
		is   []func(*bindingFixture)
		want string
	}{
		"past the deadline, not asked since":     {bfs(binding1, in(week)), "poll id"},
		"asked before the deadline only":         {bfs(binding1, polled(pollOf(osbresult.InProgress)), in(week)), "poll id"},
		"still in progress past the deadline":    {bfs(binding1, in(week), polled(pollOf(osbresult.InProgress))), "unbind id"},
		"finished while the operator was away":   {bfs(binding1, in(week), polled(pollOf(osbresult.Succeeded))), "fetch id again"},
		"no answer past the deadline":            {bfs(binding1, in(week), polled(saidOf(osbresult.Retry, 503)), in(time.Hour)), "poll id"},
		"an answer of a proxy past the deadline": {bfs(binding1, in(week), polled(saidOf(osbresult.Malformed, 404)), in(time.Hour)), "poll id"},
		"deleted, and not known to be its own":   {bfs(brought1, binding1, deleted1, lives1, in(week)), "poll id"},
		"deleted, and created by it meanwhile":   {bfs(brought1, binding1, deleted1, lives1, in(week), polled(pollOf(osbresult.Succeeded))), "unbind id"},
	} {
		t.Run("F-S1 "+name, func(t *testing.T) {
			f := newBindingFixture(test.is...)
			if got := f.step().say(); got != test.want {
				t.Errorf("next: %s, want %s", got, test.want)
			}
		})
	}
}

// forgetPolls has the process be another: it has not asked yet.
func forgetPolls(f *fixture) { f.w.polled, f.w.asked = time.Time{}, 0 }

// stateOf is an answer to a poll.
func stateOf(state osbresult.State) answer {
	a := said(osbresult.Done, 200)
	a.state, a.words = state, "words"
	return a
}

// readyAndStalled is the reason of Ready, and whether the object is stalled.
func readyAndStalled(conditions []v1beta1.Condition) string {
	var parts []string
	if ready := conditionOf(conditions, v1beta1.ConditionReady); ready != nil {
		parts = append(parts, ready.Reason)
	}
	if isTrue(conditionOf(conditions, v1beta1.ConditionStalled)) {
		parts = append(parts, "stalled")
	}
	return strings.Join(parts, " ")
}
