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
	"hash/fnv"
	"slices"
	"strconv"
	"sync"
	"time"
)

// A seam is where calls leave the operator.
type seam string

const (
	api     seam = "api"
	outside seam = "outside"
)

// A call is a request that crosses a seam. The cache's lists, watches, events and leases are none.
type call struct {
	seam seam
	// what is the same in each run of a scenario: method and object, or the operation.
	what string
	// changes: it is not a read.
	changes bool
}

// patience is how long what is stale, frozen or late stays so.
const patience = 1500 * time.Millisecond

// director counts the calls of a run, and has its fault happen.
type director struct {
	// before returns the newest resourceVersion there is.
	newest func(context.Context) string

	mu     sync.Mutex
	armed  bool
	plan   *fault         // of the process that is there; nil: nothing (more) happens
	count  int            // of its calls
	named  map[string]int // of them, by name
	all    []call         // of all processes, since armed
	asOf   string         // what the cache of the next process shows
	events map[string]int
	seen   []string // events, since armed
	fired  bool
	last   time.Time // when anything was asked
	busy   time.Time // until when a process is known to have something to do

	frozen  *gate // what watches wait at
	cut     *flare
	gone    *flare
	crash   *flare // the process is to be killed
	deposed *flare // it leads no more
	late    *gate  // where a deposed leader's call waits
	order   string // in which kinds catch up comes of this
}

// newDirector arranges for nothing, until it is armed.
func newDirector(newest func(context.Context) string) *director {
	return &director{
		newest: newest, named: map[string]int{}, events: map[string]int{}, frozen: newGate(), cut: newFlare(), gone: newFlare(),
		crash: newFlare(), deposed: newFlare(), late: newGate(),
	}
}

// arm has a fault happen from now on.
func (d *director) arm(f fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed, d.count, d.named, d.all, d.plan = true, 0, map[string]int{}, nil, nil
	d.order = f.String()
	if f.kind != "" {
		d.plan = &f
	}
}

// follow is for the process that takes over.
func (d *director) follow() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count, d.named, d.crash = 0, map[string]int{}, newFlare()
	if d.plan != nil {
		d.plan = d.plan.then
	}
}

// disarm ends all faults.
func (d *director) disarm() {
	d.mu.Lock()
	d.plan = nil
	d.mu.Unlock()
	d.frozen.open()
	d.late.open()
}

// An act is what is done to a call.
type act struct {
	// before and after say that the process is killed then.
	before, after bool
	// answer is the name of another answer; "": none.
	answer string
	// held: it waits at the director's gate for late calls first.
	held bool
}

// arrive is called before a call is carried out.
func (d *director) arrive(ctx context.Context, c call) act {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.last = time.Now()
	if !d.armed {
		return act{}
	}
	d.count++
	d.named[c.what]++
	d.all = append(d.all, c)
	p := d.plan
	if p == nil || p.of != "" {
		return act{}
	}
	isIt := func(at point) bool { return at == nth(d.count) || at == pointOf(c, d.named[c.what]) }
	if isIt(p.from) {
		d.begin(ctx, p)
	}
	if !isIt(p.at) {
		return act{}
	}
	d.fired = true
	switch p.kind {
	case crashBefore:
		return act{before: true}
	case crashAfter, stale, standby:
		return act{after: true}
	case frozen:
		time.AfterFunc(patience, d.frozen.open)
	case deposed:
		d.late.close()
		d.deposed.fire()
		return act{held: true}
	case watchCut:
		d.cut.fire()
		d.cut = newFlare()
	case watchGone:
		d.gone.fire()
		d.gone = newFlare()
	default:
		d.plan = nil
		return act{answer: p.kind}
	}
	return act{}
}

// begin is for what happens between two calls.
func (d *director) begin(ctx context.Context, p *fault) {
	switch p.kind {
	case stale:
		d.asOf = d.newest(ctx)
	case frozen, standby:
		d.frozen.close()
		time.AfterFunc(4*patience, d.frozen.open) // should the other call never come
	}
}

// idle is for how long nothing was asked.
func (d *director) idle() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Since(d.last)
}

// expect says that a process has something to do until then at least.
func (d *director) expect(until time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if until.After(d.busy) {
		d.busy = until
	}
}

// isBusy says whether a process begins, or is about to see what has happened.
func (d *director) isBusy() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Now().Before(d.busy)
}

// calls are those since the director was armed.
func (d *director) calls() []call {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]call{}, d.all...)
}

// happened says whether the fault did.
func (d *director) happened() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.fired
}

// event is called for each event of a watch about an object; it returns what is to happen.
func (d *director) event(resource, name string) (kind string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.armed {
		return ""
	}
	object := resource + "/" + name
	d.events[object]++
	key := object + "#" + strconv.Itoa(d.events[object])
	d.seen = append(d.seen, key)
	p := d.plan
	if p == nil || p.of != key && p.of != resource {
		return ""
	}
	d.fired = true
	return p.kind
}

// eventsOf counts the events about an object, such as secrets/hook, that watches had since the director was armed.
func (d *director) eventsOf(object string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.events[object]
}

// watchers are what ends watches: replaced once fired.
func (d *director) watchers() (cut, gone *flare) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cut, d.gone
}

func (d *director) crashed() *flare {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.crash
}

// staleAt is the resourceVersion that the cache of the next process shows; "": the newest.
func (d *director) staleAt() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	asOf := d.asOf
	d.asOf = ""
	return asOf
}

// maxLag is by how much one kind's watch may catch up later than another's.
const maxLag = 800 * time.Millisecond

// lag is by how much a kind's watch catches up later than the first ones: one thing with each fault.
func (d *director) lag(resource string) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := fnv.New32a()
	_, _ = h.Write([]byte(d.order + resource))
	return time.Duration(h.Sum32()%5) * maxLag / 4
}

// frozenFor is the gate at which a process's watches wait.
func (d *director) frozenFor(s *apiSeam) *gate {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.plan != nil && d.plan.kind == standby && !s.isStandby.Load() {
		return newGate()
	}
	return d.frozen
}

// unfreeze has watches go on.
func (d *director) unfreeze() { d.frozen.open() }

// whenDeposed is closed once the leader is deposed.
func (d *director) whenDeposed() <-chan struct{} { return d.deposed.fired }

// releaseLate has the deposed leader's call be carried out.
func (d *director) releaseLate() { d.late.open() }

// watchEvents are the events since the director was armed.
func (d *director) watchEvents() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.seen)
}
