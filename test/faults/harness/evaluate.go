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

package harness

import (
	"fmt"
	"strings"
	"time"

	"github.com/gophernetes/bellhop/test/faults/proxy"
	"github.com/gophernetes/bellhop/test/faults/scenario"
	"github.com/gophernetes/bellhop/test/faults/snapshot"
)

// evaluate waits until all is as without faults, and says what is not.
func (r *Run) evaluate(expected string, whole bool) Result {
	env := r.Env
	state := r.Oracle.State()
	if whole {
		state = r.waitForEnd(expected)
	}
	r.Oracle.Check(whole)
	if env.Fault.Kind == "" && env.RetryRequests > 0 {
		env.Reportf("nothing was refused, and the user had to ask %d times again", env.RetryRequests)
	}
	r.currentLeader().dump()
	r.Oracle.CheckLog(r.Log.String(), whole)
	return Result{
		Calls: r.Injector.Calls(), Events: r.Injector.WatchEvents(), State: state, Problems: env.AllProblems(),
		Happened: r.Injector.Happened(), Log: r.Log.String(),
	}
}

// waitForEnd waits until all is as expected and at rest, and says how it is.
func (r *Run) waitForEnd(expected string) string {
	env, window := r.Env, 2500*time.Millisecond
	switch {
	case expected == "": // to be sure
		window = 12 * time.Second
	case env.Fault.Kind == proxy.WatchGone: // what is listed anew, and doubted, comes later
		window *= 2
	}
	for end := time.Now().Add(scenario.Deadline); expected != "" && !r.Oracle.EqualOutcome(r.Oracle.State(), expected); proxy.Sleep(env.Ctx, 300*time.Millisecond) {
		if time.Now().After(end) {
			env.Reportf("it ends otherwise than without faults:\n%s", snapshot.Difference(expected, r.Oracle.State()))
			break
		}
	}
	if calls := r.WaitUntilIdle(window); calls != "" {
		env.Reportf("it does not come to rest: %s", calls)
	}
	return r.Oracle.State()
}

// WaitUntilIdle waits until nothing is asked for a while, nor will be soon; else it says what
// still is.
func (r *Run) WaitUntilIdle(window time.Duration) string {
	const soon = 11 * time.Second // an operator reads a catalog again after 10, whatever has changed
	end := time.Now().Add(scenario.Deadline)
	before, since, rounds := len(r.Injector.Calls()), time.Now(), r.reconcileCount()
	for time.Since(since) < window {
		if time.Now().After(end) {
			all := r.Injector.Calls()
			var last []string
			for _, c := range all[max(0, len(all)-5):] {
				last = append(last, c.Name)
			}
			return strings.Join(last, ", ")
		}
		proxy.Sleep(r.Env.Ctx, 100*time.Millisecond)
		if n := len(r.Injector.Calls()); n != before || r.Injector.IsBusy() || r.currentLeader().log.isBusy(soon) {
			before, since, rounds = n, time.Now(), r.reconcileCount()
		}
	}
	if n := r.reconcileCount() - rounds; n > 20 {
		return fmt.Sprintf("%d reconciles that ask for nothing", n)
	}
	return ""
}

// reconcileCount is how many reconciles there were.
func (r *Run) reconcileCount() int { return strings.Count(r.Log.String(), `"msg":"Reconciling"`) }
