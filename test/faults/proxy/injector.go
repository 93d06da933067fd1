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

package proxy

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
	SeamAPI     seam = "api"
	SeamOutside seam = "outside"
)

// A call is a request that crosses a seam. The cache's lists, watches, events and leases are none.
type Call struct {
	Seam seam
	// Name is the same in each run of a scenario: method and object, or the operation.
	Name string
	// Mutates: it is not a read.
	Mutates bool
}

// FaultDuration is how long what is stale, frozen or late stays so.
const FaultDuration = 1500 * time.Millisecond

// Injector counts the calls of a run, and has its fault happen.
type Injector struct {
	// before returns the newest resourceVersion there is.
	newest func(context.Context) string

	mu             sync.Mutex
	armed          bool
	plan           *Fault         // of the process that is there; nil: nothing (more) happens
	count          int            // of its calls
	countByName    map[string]int // of them, by name
	recorded       []Call         // of all processes, since armed
	staleVersion   string         // what the cache of the next process shows
	events         map[string]int
	recordedEvents []string // events, since armed
	injected       bool
	lastCall       time.Time // when anything was asked
	busyUntil      time.Time // until when a process is known to have something to do

	frozen       *gate // what watches wait at
	cutSignal    *Signal
	expireSignal *Signal
	killed       *Signal // the process is to be killed
	deposed      *Signal // it leads no more
	delayGate    *gate   // where a deposed leader's call waits
	faultName    string  // in which kinds catch up comes of this
}

// NewInjector arranges for nothing, until it is armed.
func NewInjector(newest func(context.Context) string) *Injector {
	return &Injector{
		newest: newest, countByName: map[string]int{}, events: map[string]int{}, frozen: newGate(), cutSignal: NewSignal(), expireSignal: NewSignal(),
		killed: NewSignal(), deposed: NewSignal(), delayGate: newGate(),
	}
}

// Arm has a fault happen from now on.
func (d *Injector) Arm(f Fault) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.armed, d.count, d.countByName, d.recorded, d.plan = true, 0, map[string]int{}, nil, nil
	d.faultName = f.String()
	if f.Kind != "" {
		d.plan = &f
	}
}

// NextProcess is for the process that takes over.
func (d *Injector) NextProcess() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.count, d.countByName, d.killed = 0, map[string]int{}, NewSignal()
	if d.plan != nil {
		d.plan = d.plan.Then
	}
}

// Disarm ends all faults.
func (d *Injector) Disarm() {
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
func (d *Injector) intercept(ctx context.Context, c Call) action {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.lastCall = time.Now()
	if !d.armed {
		return action{}
	}
	d.count++
	d.countByName[c.Name]++
	d.recorded = append(d.recorded, c)
	p := d.plan
	if p == nil || p.Watched != "" {
		return action{}
	}
	isIt := func(at Point) bool { return at == Nth(d.count) || at == PointOf(c, d.countByName[c.Name]) }
	if isIt(p.From) {
		d.beginWindow(ctx, p)
	}
	if !isIt(p.At) {
		return action{}
	}
	d.injected = true
	switch p.Kind {
	case CrashBefore:
		return action{killBefore: true}
	case CrashAfter, Stale, Standby:
		return action{killAfter: true}
	case Frozen:
		time.AfterFunc(FaultDuration, d.frozen.open)
	case Deposed:
		d.delayGate.close()
		d.deposed.Set()
		return action{delayed: true}
	case WatchCut:
		d.cutSignal.Set()
		d.cutSignal = NewSignal()
	case WatchGone:
		d.expireSignal.Set()
		d.expireSignal = NewSignal()
	default:
		d.plan = nil
		return action{answer: p.Kind}
	}
	return action{}
}

// beginWindow is for what happens between two calls.
func (d *Injector) beginWindow(ctx context.Context, p *Fault) {
	switch p.Kind {
	case Stale:
		d.staleVersion = d.newest(ctx)
	case Frozen, Standby:
		d.frozen.close()
		time.AfterFunc(4*FaultDuration, d.frozen.open) // should the other call never come
	}
}

// IdleTime is for how long nothing was asked.
func (d *Injector) IdleTime() time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Since(d.lastCall)
}

// ExpectWork says that a process has something to do until then at least.
func (d *Injector) ExpectWork(until time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if until.After(d.busyUntil) {
		d.busyUntil = until
	}
}

// IsBusy says whether a process begins, or is about to see what has happened.
func (d *Injector) IsBusy() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return time.Now().Before(d.busyUntil)
}

// Calls are those since the director was armed.
func (d *Injector) Calls() []Call {
	d.mu.Lock()
	defer d.mu.Unlock()
	return append([]Call{}, d.recorded...)
}

// Happened says whether the fault did.
func (d *Injector) Happened() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.injected
}

// interceptEvent is called for each event of a watch about an object; it returns what is to happen.
func (d *Injector) interceptEvent(resource, name string) (kind string) {
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
	if p == nil || p.Watched != key && p.Watched != resource {
		return ""
	}
	d.injected = true
	return p.Kind
}

// EventCount counts the events about an object, such as secrets/hook, that watches had since the director was armed.
func (d *Injector) EventCount(object string) int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.events[object]
}

// watchSignals are what ends watches: replaced once fired.
func (d *Injector) watchSignals() (cut, gone *Signal) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.cutSignal, d.expireSignal
}

func (d *Injector) KillSignal() *Signal {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.killed
}

// TakeStaleVersion is the resourceVersion that the cache of the next process shows; "": the newest.
func (d *Injector) TakeStaleVersion() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	asOf := d.staleVersion
	d.staleVersion = ""
	return asOf
}

// MaxCatchUpDelay is by how much one kind's watch may catch up later than another's.
const MaxCatchUpDelay = 800 * time.Millisecond

// catchUpDelay is by how much a kind's watch catches up later than the first ones: one thing with each fault.
func (d *Injector) catchUpDelay(resource string) time.Duration {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := fnv.New32a()
	_, _ = h.Write([]byte(d.faultName + resource))
	return time.Duration(h.Sum32()%5) * MaxCatchUpDelay / 4
}

// freezeGate is the gate at which a process's watches wait.
func (d *Injector) freezeGate(s *APIServer) *gate {
	d.mu.Lock()
	defer d.mu.Unlock()
	if d.plan != nil && d.plan.Kind == Standby && !s.isStandby.Load() {
		return newGate()
	}
	return d.frozen
}

// Unfreeze has watches go on.
func (d *Injector) Unfreeze() { d.frozen.open() }

// WhenDeposed is closed once the leader is deposed.
func (d *Injector) WhenDeposed() <-chan struct{} { return d.deposed.Done }

// ReleaseDelayedCall has the deposed leader's call be carried out.
func (d *Injector) ReleaseDelayedCall() { d.delayGate.open() }

// WatchEvents are the events since the director was armed.
func (d *Injector) WatchEvents() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Clone(d.recordedEvents)
}
