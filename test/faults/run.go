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
	took     time.Duration
	log      string
}

// A run is a scenario with a fault.
type run struct {
	lab      *lab
	director *director
	world    *world
	oracle   checker
	log      *output.Buffer
	// env is what processes have in their environment beside what all have.
	env []string

	// follow is told who leads; nil: nobody wants to know.
	follow func(*process)
	// played: the user has all that the steps wait for.
	played *flare

	mu      sync.Mutex
	leader  *process
	backup  *process
	started []*process
}

// newRun makes the world of a run. env is what processes have in their environment beside what all have.
func (l *lab) newRun(ctx context.Context, sc scenario, env ...string) (*run, error) {
	r := &run{lab: l, director: newDirector(l.newest), log: &output.Buffer{}, env: env, played: newFlare()}
	var err error
	if r.world, err = newWorld(ctx, l.client, r.director, r.killLeader, sc); err != nil {
		return nil, err
	}
	r.oracle = newChecker(r.world)
	r.world.guard = r.oracle.guard
	return r, nil
}

// try runs a scenario with a fault. expected is how it ends without one; "": that is what
// this run finds out.
func (l *lab) try(ctx context.Context, sc scenario, f fault, expected string) (result, error) {
	began := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r, err := l.newRun(ctx, sc, detectMutations)
	if err != nil {
		return result{}, err
	}
	w := r.world
	w.fault, w.repeats = f, f.repeats()
	defer r.close()
	first, err := r.start(ctx, f.needsStandby(), "")
	if err != nil {
		return result{}, err
	}
	r.lead(first)
	if err := w.play(sc.prepare); err != nil {
		return result{}, fmt.Errorf("preparing %s: %w\n%s", sc.name, err, r.log)
	}
	if f.needsStandby() {
		for r.holder(ctx) == "" && ctx.Err() == nil { // else the other one may be first
			wait(ctx, 50*time.Millisecond)
		}
		if r.backup, err = r.start(ctx, true, ""); err != nil {
			return result{}, err
		}
		r.backup.seam.setStandby()
		wait(ctx, 2*patience) // until its caches are warm
	}
	for r.director.idle() < 500*time.Millisecond {
		wait(ctx, 50*time.Millisecond)
	}
	watching := r.oracle.watch(ctx)
	r.director.arm(f)
	succeeded := make(chan struct{})
	go func() {
		r.succeed(ctx, f)
		close(succeeded)
	}()
	err = w.play(sc.steps)
	r.played.fire()
	if err == nil && f.kind != "" {
		r.linger(ctx)
		if f.kind == deposed && r.director.happened() {
			<-succeeded
		}
	}
	r.director.disarm()
	if err != nil {
		w.blame("%v", err)
	}
	found := r.judge(expected, err == nil)
	cancel()
	watching()
	found.took = time.Since(began)
	return found, nil
}

// linger gives the fault time to happen after the last that the user waits for.
func (r *run) linger(ctx context.Context) {
	for end := time.Now().Add(2 * patience); !r.director.happened() && r.director.idle() < patience/2 && time.Now().Before(end); {
		wait(ctx, 20*time.Millisecond)
	}
}

// current is the process that leads.
func (r *run) current() *process {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.leader
}

// lead makes a process the one that leads.
func (r *run) lead(p *process) {
	r.mu.Lock()
	r.leader = p
	r.mu.Unlock()
	if r.follow != nil {
		r.follow(p)
	}
}

func (r *run) killLeader() { r.current().kill() }

func (r *run) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.started {
		p.close()
	}
	r.world.close()
	r.world.clean()
}
