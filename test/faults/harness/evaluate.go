// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package harness

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/scenario"
	"github.com/gophernetes/bellhop/test/faults/snapshot"
)

// evaluate waits for the end state, and returns what was wrong. whole: all steps were made.
func (r *Run) evaluate(learned Result, whole bool) Result {
	env := r.Env
	state := r.Oracle.State()
	if whole {
		state = r.waitForEnd(learned.State)
	}
	r.Oracle.Check(whole)
	r.Oracle.CheckRepeats(r.Injector.Calls(), learned.Calls)
	if env.Fault.Kind == "" && env.RetryRequests > 0 {
		env.Reportf("the user had to request %d retries, though nothing was refused", env.RetryRequests)
	}
	r.currentLeader().dump()
	r.Oracle.CheckLog(r.Log.String(), whole)
	return Result{
		Calls: r.Injector.Calls(), Events: r.Injector.WatchEvents(), State: state, Problems: env.AllProblems(),
		Happened: r.Injector.Happened(), Log: r.Log.String(),
	}
}

// waitForEnd waits until the state is as expected and the operator is idle, and returns the state.
func (r *Run) waitForEnd(expected string) string {
	env, window := r.Env, 2500*time.Millisecond
	switch {
	case expected == "": // this state is what other runs are compared with
		window = 12 * time.Second
	case env.Fault.Kind == proxy.WatchGone: // objects that are listed again are confirmed with delay
		window *= 2
	}
	for end := time.Now().Add(scenario.Deadline); expected != "" && !r.Oracle.EqualOutcome(r.Oracle.State(), expected); proxy.Sleep(env.Ctx, 300*time.Millisecond) {
		if env.Ctx.Err() != nil || time.Now().After(end) {
			env.Reportf("the end state differs from the run without faults:\n%s", snapshot.Difference(expected, r.Oracle.State()))
			break
		}
	}
	if calls := r.WaitUntilIdle(window); calls != "" {
		env.Reportf("the operator does not become idle: %s", calls)
	}
	return r.Oracle.State()
}

// WaitUntilIdle waits until no request was made for a while, and none is due soon; otherwise it returns what the operator still does.
func (r *Run) WaitUntilIdle(window time.Duration) string {
	const soon = 11 * time.Second // the operator may read a catalog again after 10 s
	end := time.Now().Add(scenario.Deadline)
	before, since, rounds := len(r.restlessCalls()), time.Now(), r.reconcileCount()
	for time.Since(since) < window {
		if r.Env.Ctx.Err() != nil || time.Now().After(end) {
			all := r.restlessCalls()
			var last []string
			for _, c := range all[max(0, len(all)-5):] {
				last = append(last, c.Name)
			}
			return strings.Join(last, ", ")
		}
		proxy.Sleep(r.Env.Ctx, 100*time.Millisecond)
		if n := len(r.restlessCalls()); n != before || r.Injector.IsBusy() || r.currentLeader().log.isBusy(soon) {
			before, since, rounds = n, time.Now(), r.reconcileCount()
		}
	}
	if n := r.reconcileCount() - rounds; n > 20 && !r.Env.Fault.LastsUntilEnd() {
		return fmt.Sprintf("%d reconciles without requests", n)
	}
	return ""
}

// restlessCalls returns the calls that an idle operator does not make. Where a neighbour writes until the end, it reads Secrets whose version has
// changed: it watches only their metadata, and cannot know what has.
func (r *Run) restlessCalls() []proxy.Call {
	all := r.Injector.Calls()
	if r.Env.Fault.LastsUntilEnd() {
		all = slices.DeleteFunc(all, func(c proxy.Call) bool { return c.Seam == proxy.SeamAPI && !c.Mutates })
	}
	return all
}

// reconcileCount returns the number of reconciles so far.
func (r *Run) reconcileCount() int { return strings.Count(r.Log.String(), `"msg":"Reconciling"`) }
