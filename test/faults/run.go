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
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/gophernetes/bellhop/test/internal/output"
)

// result is what came of a run.
type result struct {
	calls    []call
	events   []string
	state    string
	problems []string
	happened bool
	duration time.Duration
	log      string
}

// A run is a scenario with a fault.
type run struct {
	cluster  *cluster
	injector *injector
	env      *environment
	oracle   checker
	log      *output.Buffer
	// processEnv is what processes have in their environment beside what all have.
	processEnv []string

	// onLeader is told who leads; nil: nobody wants to know.
	onLeader func(*process)
	// stepsDone: the user has all that the steps wait for.
	stepsDone *flare

	mu        sync.Mutex
	leader    *process
	standby   *process
	processes []*process
}

// newRun makes the world of a run. env is what processes have in their environment beside what all have.
func (l *cluster) newRun(ctx context.Context, sc Scenario, env ...string) (*run, error) {
	r := &run{cluster: l, injector: newInjector(l.newestVersion), log: &output.Buffer{}, processEnv: env, stepsDone: newFlare()}
	var err error
	if r.env, err = newEnvironment(ctx, l.client, r.injector, r.killLeader, sc); err != nil {
		return nil, err
	}
	r.oracle = newChecker(r.env)
	r.env.guardBroker = r.oracle.guardBroker
	return r, nil
}

// tryScenario runs a scenario with a fault. expected is how it ends without one; "": that is what
// this run finds out.
func (l *cluster) tryScenario(ctx context.Context, sc Scenario, f fault, expected string) (result, error) {
	began := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := l.newRun(ctx, sc, detectMutations)
	if err != nil {
		return result{}, err
	}
	w := r.env
	w.fault, w.maxRepeats = f, f.maxRepeats()
	defer r.close()
	first, err := r.startProcess(ctx, f.needsStandby(), "")
	if err != nil {
		return result{}, err
	}
	r.setLeader(first)
	if err := w.play(sc.prepare); err != nil {
		return result{}, fmt.Errorf("preparing %s: %w\n%s", sc.name, err, r.log)
	}
	if f.needsStandby() {
		for r.leaseHolder(ctx) == "" && ctx.Err() == nil { // else the other one may be first
			sleep(ctx, 50*time.Millisecond)
		}
		if r.standby, err = r.startProcess(ctx, true, ""); err != nil {
			return result{}, err
		}
		r.standby.server.setStandby()
		sleep(ctx, 2*faultDuration) // until its caches are warm
	}
	for r.injector.idleTime() < 500*time.Millisecond {
		sleep(ctx, 50*time.Millisecond)
	}
	watching := r.oracle.watchObjects(ctx)
	r.injector.arm(f)
	succeeded := make(chan struct{})
	go func() {
		r.replaceKilled(ctx, f)
		close(succeeded)
	}()
	err = w.play(sc.steps)
	r.stepsDone.fire()
	if err == nil && f.kind != "" {
		r.waitForFault(ctx)
		if f.kind == deposed && r.injector.happened() {
			<-succeeded
		}
	}
	r.injector.disarm()
	if err != nil {
		w.reportf("%v", err)
	}
	found := r.evaluate(expected, err == nil)
	cancel()
	watching()
	found.duration = time.Since(began)
	return found, nil
}

// waitForFault gives the fault time to happen after the last that the user waits for.
func (r *run) waitForFault(ctx context.Context) {
	for end := time.Now().Add(2 * faultDuration); !r.injector.happened() && r.injector.idleTime() < faultDuration/2 && time.Now().Before(end); {
		sleep(ctx, 20*time.Millisecond)
	}
}

// currentLeader is the process that leads.
func (r *run) currentLeader() *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leader
}

// setLeader makes a process the one that leads.
func (r *run) setLeader(p *process) {
	r.mu.Lock()
	r.leader = p
	r.mu.Unlock()
	if r.onLeader != nil {
		r.onLeader(p)
	}
}

func (r *run) killLeader() { r.currentLeader().kill() }

func (r *run) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.processes {
		p.close()
	}
	r.env.close()
	r.env.removeObjects()
}
