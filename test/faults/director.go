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
	seamAPI     seam = "api"
	seamOutside seam = "outside"
)

// A call is a request that crosses a seam. The cache's lists, watches, events and leases are none.
type call struct {
	seam seam
	// name is the same in each run of a scenario: method and object, or the operation.
	name string
	// mutates: it is not a read.
	mutates bool
}

// faultDuration is how long what is stale, frozen or late stays so.
const faultDuration = 1500 * time.Millisecond

// injector counts the calls of a run, and has its fault happen.
type injector struct {
	// before returns the newest resourceVersion there is.
	newest func(context.Context) string

	mu             sync.Mutex
	armed          bool
	plan           *fault         // of the process that is there; nil: nothing (more) happens
	count          int            // of its calls
	countByName    map[string]int // of them, by name
	recorded       []call         // of all processes, since armed
	staleVersion   string         // what the cache of the next process shows
	events         map[string]int
	recordedEvents []string // events, since armed
	injected       bool
	lastCall       time.Time // when anything was asked
	busyUntil      time.Time // until when a process is known to have something to do

	frozen       *gate // what watches wait at
	cutSignal    *flare
	expireSignal *flare
	killed       *flare // the process is to be killed
	deposed      *flare // it leads no more
	delayGate    *gate  // where a deposed leader's call waits
	faultName    string // in which kinds catch up comes of this
}

// newInjector arranges for nothing, until it is armed.
func newInjector(newest func(context.Context) string) *injector {
	return &injector{
		newest: newest, countByName: map[string]int{}, events: map[string]int{}, frozen: newGate(), cutSignal: newFlare(), expireSignal: newFlare(),
		killed: newFlare(), deposed: newFlare(), delayGate: newGate(),
	}
}

// arm has a fault happen from now on.
func (d *injector) arm(f fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed, d.count, d.countByName, d.recorded, d.plan = true, 0, map[string]int{}, nil, nil
	d.faultName = f.String()
	if f.kind != "" {
		d.plan = &f
	}
}

// nextProcess is for the process that takes over.
func (d *injector) nextProcess() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count, d.countByName, d.killed = 0, map[string]int{}, newFlare()
	if d.plan != nil {
		d.plan = d.plan.then
	}
}

// disarm ends all faults.
func (d *injector) disarm() {
	d.mu.Lock()
	d.plan = nil
	d.mu.Unlock()
	d.frozen.open()
	d.delayGate.open()
}

// An act is what is done to a call.
type action struct {
	// killBefore and after say that the process is killed then.
	killBefore, killAfter bool
	// answer is the name of another answer; "": none.
	answer string
	// delayed: it waits at the director's gate for late calls first.
	delayed bool
}

// intercept is called before a call is carried out.
func (d *injector) intercept(ctx context.Context, c call) action {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lastCall = time.Now()
	if !d.armed {
		return action{}
	}
	d.count++
	d.countByName[c.name]++
	d.recorded = append(d.recorded, c)
	p := d.plan
	if p == nil || p.watched != "" {
		return action{}
	}
	isIt := func(at point) bool { return at == nth(d.count) || at == pointOf(c, d.countByName[c.name]) }
	if isIt(p.from) {
		d.beginWindow(ctx, p)
	}
	if !isIt(p.at) {
		return action{}
	}
	d.injected = true
	switch p.kind {
	case crashBefore:
		return action{killBefore: true}
	case crashAfter, stale, standby:
		return action{killAfter: true}
	case frozen:
		time.AfterFunc(faultDuration, d.frozen.open)
	case deposed:
		d.delayGate.close()
		d.deposed.fire()
		return action{delayed: true}
	case watchCut:
		d.cutSignal.fire()
		d.cutSignal = newFlare()
	case watchGone:
		d.expireSignal.fire()
		d.expireSignal = newFlare()
	default:
		d.plan = nil
		return action{answer: p.kind}
	}
	return action{}
}

// beginWindow is for what happens between two calls.
func (d *injector) beginWindow(ctx context.Context, p *fault) {
	switch p.kind {
	case stale:
		d.staleVersion = d.newest(ctx)
	case frozen, standby:
		d.frozen.close()
		time.AfterFunc(4*faultDuration, d.frozen.open) // should the other call never come
	}
}

// idleTime is for how long nothing was asked.
func (d *injector) idleTime() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Since(d.lastCall)
}

// expectWork says that a process has something to do until then at least.
func (d *injector) expectWork(until time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if until.After(d.busyUntil) {
		d.busyUntil = until
	}
}

// isBusy says whether a process begins, or is about to see what has happened.
func (d *injector) isBusy() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Now().Before(d.busyUntil)
}

// calls are those since the director was armed.
func (d *injector) calls() []call {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]call{}, d.recorded...)
}

// happened says whether the fault did.
func (d *injector) happened() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.injected
}

// interceptEvent is called for each event of a watch about an object; it returns what is to happen.
func (d *injector) interceptEvent(resource, name string) (kind string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.armed {
		return ""
	}
	object := resource + "/" + name
	d.events[object]++
	key := object + "#" + strconv.Itoa(d.events[object])
	d.recordedEvents = append(d.recordedEvents, key)
	p := d.plan
	if p == nil || p.watched != key && p.watched != resource {
		return ""
	}
	d.injected = true
	return p.kind
}

// eventCount counts the events about an object, such as secrets/hook, that watches had since the director was armed.
func (d *injector) eventCount(object string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.events[object]
}

// watchSignals are what ends watches: replaced once fired.
func (d *injector) watchSignals() (cut, gone *flare) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cutSignal, d.expireSignal
}

func (d *injector) killSignal() *flare {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.killed
}

// takeStaleVersion is the resourceVersion that the cache of the next process shows; "": the newest.
func (d *injector) takeStaleVersion() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	asOf := d.staleVersion
	d.staleVersion = ""
	return asOf
}

// maxCatchUpDelay is by how much one kind's watch may catch up later than another's.
const maxCatchUpDelay = 800 * time.Millisecond

// catchUpDelay is by how much a kind's watch catches up later than the first ones: one thing with each fault.
func (d *injector) catchUpDelay(resource string) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := fnv.New32a()
	_, _ = h.Write([]byte(d.faultName + resource))
	return time.Duration(h.Sum32()%5) * maxCatchUpDelay / 4
}

// freezeGate is the gate at which a process's watches wait.
func (d *injector) freezeGate(s *APIServer) *gate {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.plan != nil && d.plan.kind == standby && !s.isStandby.Load() {
		return newGate()
	}
	return d.frozen
}

// unfreeze has watches go on.
func (d *injector) unfreeze() { d.frozen.open() }

// whenDeposed is closed once the leader is deposed.
func (d *injector) whenDeposed() <-chan struct{} { return d.deposed.fired }

// releaseDelayedCall has the deposed leader's call be carried out.
func (d *injector) releaseDelayedCall() { d.delayGate.open() }

// watchEvents are the events since the director was armed.
func (d *injector) watchEvents() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.recordedEvents)
}
