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
	"slices"
	"strings"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	"k8s.io/client-go/util/retry"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/test/internal/output"
)

// patience is how long what is stale, frozen or late stays so.
const patience = 1500 * time.Millisecond

// A scenario is what a user does.
type scenario struct {
	name string
	// prepare is done without faults; then come the steps.
	prepare func(*world)
	steps   func(*world)
	// hurried: how it ends has a past that depends on how fast the operator is, so that the
	// steps have to say themselves whether it is right.
	hurried bool
	// crashes is with how many crashes it is tried, and nothing else; 0: with all faults.
	crashes int
	// apart: the operator is in another namespace than the user.
	apart bool
	// clusterWide: brokers and receivers belong to the cluster.
	clusterWide bool
	// unordered: somebody else decides what is done first, so that no call comes in each run.
	unordered bool
}

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

// try runs a scenario with a fault. expected is how it ends without one; "": that is what
// this run finds out.
func (l *lab) try(ctx context.Context, sc scenario, f fault, expected string) (result, error) {
	began := time.Now()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	r := &run{lab: l, director: newDirector(l.newest), log: &output.Buffer{}, env: []string{detectMutations}, played: newFlare()}
	w, err := newWorld(ctx, l, r.director, r.killLeader, sc)
	if err != nil {
		return result{}, err
	}
	r.world, w.fault, w.repeats = w, f, f.repeats()
	defer r.close()
	first, err := r.start(ctx, f.needsStandby(), "")
	if err != nil {
		return result{}, err
	}
	r.lead(first)
	if err := r.play(sc.prepare); err != nil {
		return result{}, fmt.Errorf("preparing %s: %w\n%s", sc.name, err, r.log)
	}
	if f.needsStandby() {
		for r.holder(ctx) == "" && ctx.Err() == nil { // else the other one may be first
			wait(ctx, 50*time.Millisecond)
		}
		if r.backup, err = r.start(ctx, true, ""); err != nil {
			return result{}, err
		}
		r.backup.seam.isStandby.Store(true)
		wait(ctx, 2*patience) // until its caches are warm
	}
	for r.director.idle() < 500*time.Millisecond {
		wait(ctx, 50*time.Millisecond)
	}
	watching := w.watch(ctx)
	r.director.arm(f)
	succeeded := make(chan struct{})
	go func() {
		r.succeed(ctx, f)
		close(succeeded)
	}()
	err = r.play(sc.steps)
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

// play has a user do something.
func (r *run) play(part func(*world)) (err error) {
	defer func() {
		if problem := recover(); problem != nil {
			s, ok := problem.(stuck)
			if !ok {
				panic(problem)
			}
			err = s.error
		}
	}()
	part(r.world)
	return nil
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

// succeed has another process take over from each that is killed.
func (r *run) succeed(ctx context.Context, f fault) {
	for now := &f; now != nil && now.kills(); now = now.then {
		crashed := r.director.crashed()
		if now.kind == deposed {
			r.depose(ctx, now)
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-crashed.fired:
		}
		r.director.follow()
		if err := r.takeOver(ctx, now); err != nil {
			r.world.blame("starting the operator again: %v", err)
			return
		}
	}
}

func (r *run) takeOver(ctx context.Context, f *fault) error {
	if f.kind == standby {
		r.lead(r.backup)
		r.showLater(r.director.frozen.open)
		return r.freeLease(ctx)
	}
	next, err := r.start(ctx, false, r.director.staleAt())
	if err != nil {
		return err
	}
	r.lead(next)
	return nil
}

// showLater lets a process see after a while what it was not shown, which may give it
// something to do.
func (r *run) showLater(show func()) {
	r.director.expect(time.Now().Add(2*patience + maxLag + time.Second/2))
	time.AfterFunc(2*patience, show)
}

// freeLease lets the one who stands by lead at once.
func (r *run) freeLease(ctx context.Context) error {
	return retry.RetryOnConflict(retry.DefaultBackoff, func() error { // a renewal may still be on its way
		lease := &coordinationv1.Lease{}
		if err := r.lab.client.Get(ctx, r.leaseName(), lease); err != nil {
			return err
		}
		lease.Spec.HolderIdentity = new("")
		return r.lab.client.Update(ctx, lease)
	})
}

func (r *run) leaseName() client.ObjectKey {
	return client.ObjectKey{Namespace: r.world.home, Name: "bellhop.gophernetes.io"}
}

// holder is who has the lease; "": nobody.
func (r *run) holder(ctx context.Context) string {
	lease := &coordinationv1.Lease{}
	if r.lab.client.Get(ctx, r.leaseName(), lease) != nil || lease.Spec.HolderIdentity == nil {
		return ""
	}
	return *lease.Spec.HolderIdentity
}

// depose waits until another leads and has done what it can. A late removal may find a later life under its id, so it comes after that.
func (r *run) depose(ctx context.Context, f *fault) {
	select {
	case <-ctx.Done():
		return
	case <-r.director.deposed.fired:
	}
	first, end := r.holder(ctx), time.Now().Add(deadline)
	for now := first; now == "" || now == first; now = r.holder(ctx) {
		if wait(ctx, 100*time.Millisecond); ctx.Err() != nil || time.Now().After(end) {
			r.world.blame("no other process leads")
			break
		}
	}
	r.lead(r.backup)
	if f.removes() {
		select {
		case <-ctx.Done():
			return
		case <-r.played.fired:
			end = time.Now().Add(deadline)
		}
	}
	for wait(ctx, patience); ctx.Err() == nil && r.director.idle() < patience && time.Now().Before(end); {
		wait(ctx, 50*time.Millisecond)
	}
	r.director.late.open()
}

// judge waits until all is as without faults, and says what is not.
func (r *run) judge(expected string, whole bool) result {
	w := r.world
	state := w.state()
	if whole {
		state = r.end(expected)
	}
	w.check(whole)
	if w.fault.kind == "" && w.asked > 0 {
		w.blame("nothing was refused, and the user had to ask %d times again", w.asked)
	}
	r.current().dump()
	w.checkLog(r.log.String(), whole)
	w.mu.Lock()
	defer w.mu.Unlock()
	return result{
		calls: r.director.calls(), events: slices.Clone(r.director.seen), state: state, problems: slices.Clone(w.problems),
		happened: r.director.happened(), log: r.log.String(),
	}
}

// end waits until all is as expected and at rest, and says how it is.
func (r *run) end(expected string) string {
	w, window := r.world, 2500*time.Millisecond
	switch {
	case expected == "": // to be sure
		window = 12 * time.Second
	case w.fault.kind == watchGone: // what is listed anew, and doubted, comes later
		window *= 2
	}
	for end := time.Now().Add(deadline); expected != "" && !w.alike(w.state(), expected); wait(w.ctx, 300*time.Millisecond) {
		if time.Now().After(end) {
			w.blame("it ends otherwise than without faults:\n%s", difference(expected, w.state()))
			break
		}
	}
	if calls := r.untilQuiet(window); calls != "" {
		w.blame("it does not come to rest: %s", calls)
	}
	return w.state()
}

// untilQuiet waits until nothing is asked for a while, nor will be soon; else it says what
// still is.
func (r *run) untilQuiet(window time.Duration) string {
	const soon = 11 * time.Second // an operator reads a catalog again after 10, whatever has changed
	end := time.Now().Add(deadline)
	before, since, rounds := len(r.director.calls()), time.Now(), r.rounds()
	for time.Since(since) < window {
		if time.Now().After(end) {
			all := r.director.calls()
			var last []string
			for _, c := range all[max(0, len(all)-5):] {
				last = append(last, c.what)
			}
			return strings.Join(last, ", ")
		}
		wait(r.world.ctx, 100*time.Millisecond)
		if n := len(r.director.calls()); n != before || r.director.isBusy() || r.current().printed.isBusy(soon) {
			before, since, rounds = n, time.Now(), r.rounds()
		}
	}
	if n := r.rounds() - rounds; n > 20 {
		return fmt.Sprintf("%d reconciles that ask for nothing", n)
	}
	return ""
}

// rounds is how many reconciles there were.
func (r *run) rounds() int { return strings.Count(r.log.String(), `"msg":"Reconciling"`) }

func (r *run) close() {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, p := range r.started {
		p.close()
	}
	r.world.close()
	r.world.clean()
}
