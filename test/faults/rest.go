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

package main

import (
	"fmt"
	"strings"
	"time"
)

// evaluate waits until all is as without faults, and says what is not.
func (r *run) evaluate(expected string, whole bool) result {
	w := r.env
	state := r.oracle.state()
	if whole {
		state = r.waitForEnd(expected)
	}
	r.oracle.check(whole)
	if w.fault.kind == "" && w.retryRequests > 0 {
		w.reportf("nothing was refused, and the user had to ask %d times again", w.retryRequests)
	}
	r.currentLeader().dump()
	r.oracle.checkLog(r.log.String(), whole)
	return result{
		calls: r.injector.calls(), events: r.injector.watchEvents(), state: state, problems: w.allProblems(),
		happened: r.injector.happened(), log: r.log.String(),
	}
}

// waitForEnd waits until all is as expected and at rest, and says how it is.
func (r *run) waitForEnd(expected string) string {
	w, window := r.env, 2500*time.Millisecond
	switch {
	case expected == "": // to be sure
		window = 12 * time.Second
	case w.fault.kind == watchGone: // what is listed anew, and doubted, comes later
		window *= 2
	}
	for end := time.Now().Add(deadline); expected != "" && !r.oracle.equalOutcome(r.oracle.state(), expected); sleep(w.ctx, 300*time.Millisecond) {
		if time.Now().After(end) {
			w.reportf("it ends otherwise than without faults:\n%s", difference(expected, r.oracle.state()))
			break
		}
	}
	if calls := r.waitUntilIdle(window); calls != "" {
		w.reportf("it does not come to rest: %s", calls)
	}
	return r.oracle.state()
}

// waitUntilIdle waits until nothing is asked for a while, nor will be soon; else it says what
// still is.
func (r *run) waitUntilIdle(window time.Duration) string {
	const soon = 11 * time.Second // an operator reads a catalog again after 10, whatever has changed
	end := time.Now().Add(deadline)
	before, since, rounds := len(r.injector.calls()), time.Now(), r.reconcileCount()
	for time.Since(since) < window {
		if time.Now().After(end) {
			all := r.injector.calls()
			var last []string
			for _, c := range all[max(0, len(all)-5):] {
				last = append(last, c.name)
			}
			return strings.Join(last, ", ")
		}
		sleep(r.env.ctx, 100*time.Millisecond)
		if n := len(r.injector.calls()); n != before || r.injector.isBusy() || r.currentLeader().log.isBusy(soon) {
			before, since, rounds = n, time.Now(), r.reconcileCount()
		}
	}
	if n := r.reconcileCount() - rounds; n > 20 {
		return fmt.Sprintf("%d reconciles that ask for nothing", n)
	}
	return ""
}

// reconcileCount is how many reconciles there were.
func (r *run) reconcileCount() int { return strings.Count(r.log.String(), `"msg":"Reconciling"`) }
