// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package proxy

import (
	"context"
	"hash/fnv"
	"slices"
	"strconv"
	"sync"
	"time"
)

// Seam is a side on which requests leave the operator.
type Seam string

const (
	SeamAPI     Seam = "api"
	SeamOutside Seam = "outside"
)

// Call is a request that the injector counts. Lists and watches of caches, events and leases are not counted.
type Call struct {
	Seam Seam
	// Name is the same in each run of a scenario: method and object, or the operation.
	Name string
	// Mutates: the call is not a read.
	Mutates bool
}

// FaultDuration is how long stale, frozen and delayed views last.
const FaultDuration = 1500 * time.Millisecond

// Injector counts the calls of a run and injects its fault. It belongs to all processes of the run.
type Injector struct {
	// newest returns the newest resourceVersion of the API server.
	newest func(context.Context) string
	// ClockFile is the path of the file that ClockVariable names; "": the processes do not read one.
	ClockFile string

	mu             sync.Mutex
	armed          bool
	plan           *Fault         // of the present process; nil: no fault, or none any more
	count          int            // calls of the present process
	countByName    map[string]int // the same, by name
	recorded       []Call         // calls of all processes, since armed
	staleVersion   string         // resourceVersion that the next process starts with
	events         map[string]int
	recordedEvents []string // watch events, since armed
	injected       *Signal  // the fault was injected
	lastCall       time.Time
	busyUntil      time.Time // until when a process has something to do

	frozen *gate // watches wait here
	// cutSignal and expiredSignal end the watches that are open; once set, each is replaced for the watches that follow.
	cutSignal, expiredSignal *Signal

	server  serverClock // what the API server's responses show
	refusal refusal
	// isRestarting: the process has a wrong clock until it is killed. isRebooted: it began with that.
	isRestarting, isRebooted bool

	killed    *Signal // the present process was killed
	deposed   *Signal // the leader lost the election
	delayGate *gate   // the call of a deposed leader waits here
	faultName string  // the order in which watches catch up derives from it
}

// NewInjector returns an injector that does nothing until it is armed.
func NewInjector(newest func(context.Context) string) *Injector {
	return &Injector{
		newest: newest, countByName: map[string]int{}, events: map[string]int{}, frozen: newGate(), cutSignal: NewSignal(), expiredSignal: NewSignal(),
		killed: NewSignal(), deposed: NewSignal(), injected: NewSignal(), delayGate: newGate(),
	}
}

// Arm resets the counters and injects a fault from now on.
func (i *Injector) Arm(f Fault) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.armed, i.count, i.countByName, i.recorded, i.plan = true, 0, map[string]int{}, nil, nil
	i.faultName = f.String()
	if f.Kind != "" {
		i.plan = &f
	}
}

// NextProcess resets the counters for the process that takes over, and continues with the fault that follows.
func (i *Injector) NextProcess() {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.count, i.countByName, i.killed = 0, map[string]int{}, NewSignal()
	if i.plan == nil {
		return
	}
	if i.plan.isReboot() && !i.isRestarting {
		i.isRestarting, i.isRebooted = true, true
		return
	}
	if i.isRestarting {
		i.isRestarting = false
		i.endShifts()
	}
	i.plan = i.plan.Then
}

// Disarm ends all faults.
func (i *Injector) Disarm() {
	i.mu.Lock()
	i.plan, i.isRestarting, i.isRebooted = nil, false, false
	i.endShifts()
	i.mu.Unlock()
	i.frozen.open()
	i.delayGate.open()
}

// action is what is done to a call.
type action struct {
	// killBefore and killAfter: the process is killed before or after the call is carried out.
	killBefore, killAfter bool
	// killLater: the process is killed some seconds after it has sent the call.
	killLater bool
	// stop: the process does not run for a while once it has sent the call.
	stop bool
	// answer is the name of the answer that replaces the right one; "": none.
	answer string
	// delayed: the call waits at delayGate first.
	delayed bool
}

// intercept is called before a call is carried out.
func (i *Injector) intercept(ctx context.Context, c Call) action {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.lastCall = time.Now()
	if !i.armed {
		return action{}
	}
	i.count++
	i.countByName[c.Name]++
	i.recorded = append(i.recorded, c)
	p := i.plan
	if p == nil || p.Watched != "" {
		return action{}
	}
	if i.isRestarting && c.Seam == SeamOutside && c.Mutates {
		return action{killBefore: true}
	}
	if i.isRebooted {
		i.isRebooted = false
		return action{killLater: true}
	}
	if i.isRestarting {
		return action{}
	}
	isAt := func(at Point) bool { return at == Nth(i.count) || at == PointOf(c, i.countByName[c.Name]) }
	if isAt(p.From) {
		i.beginWindow(ctx, p)
	}
	if !isAt(p.At) {
		return action{}
	}
	i.injected.Set()
	switch p.Kind {
	case stopped, StoppedLeader:
		return action{stop: true}
	case CrashBefore:
		return action{killBefore: true}
	case CrashAfter, Stale, Standby:
		return action{killAfter: true}
	case Frozen:
		time.AfterFunc(FaultDuration, i.frozen.open)
	case Deposed:
		i.delayGate.close()
		i.deposed.Set()
		return action{delayed: true}
	case WatchCut:
		i.cutWatches()
	case WatchGone:
		i.expiredSignal.Set()
		i.expiredSignal = NewSignal()
	default:
		if p.IsOfNeighbours() {
			if !p.IsOfClient() {
				i.beginRefusal(p.Kind)
			}
			return action{}
		}
		if p.IsOfTime() {
			i.beginShift(p)
			return action{killAfter: p.startsShifted() || p.isReboot(), killLater: p.isUntilRestart()}
		}
		i.plan = nil
		return action{answer: p.Kind}
	}
	return action{}
}

// cutWatches ends the open watches. The caller holds the lock.
func (i *Injector) cutWatches() {
	i.cutSignal.Set()
	i.cutSignal = NewSignal()
}

// beginWindow begins what lasts from one call to a later one.
func (i *Injector) beginWindow(ctx context.Context, p *Fault) {
	switch p.Kind {
	case Stale:
		i.staleVersion = i.newest(ctx)
	case Frozen, Standby:
		i.frozen.close()
		time.AfterFunc(4*FaultDuration, i.frozen.open) // in case the later call is never made
	}
}

// IdleTime returns the time since the last call.
func (i *Injector) IdleTime() time.Duration {
	i.mu.Lock()
	defer i.mu.Unlock()
	return time.Since(i.lastCall)
}

// ExpectWork records that a process has something to do at least until then.
func (i *Injector) ExpectWork(until time.Time) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if until.After(i.busyUntil) {
		i.busyUntil = until
	}
}

// IsBusy reports whether a process starts, or is about to see a change.
func (i *Injector) IsBusy() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return time.Now().Before(i.busyUntil)
}

// Calls returns the calls since the injector was armed.
func (i *Injector) Calls() []Call {
	i.mu.Lock()
	defer i.mu.Unlock()
	return append([]Call{}, i.recorded...)
}

// Happened reports whether the fault was injected. One that refuses writes for a while has to have refused one.
func (i *Injector) Happened() bool {
	select {
	case <-i.injected.Done:
	default:
		return false
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.refusal.kind == "" || i.refusal.count > 0
}

// interceptEvent is called for each watch event of an object; it returns the kind of the fault that affects the event, or "".
func (i *Injector) interceptEvent(resource, name string) (kind string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	if !i.armed {
		return ""
	}
	object := resource + "/" + name
	i.events[object]++
	key := object + "#" + strconv.Itoa(i.events[object])
	i.recordedEvents = append(i.recordedEvents, key)
	p := i.plan
	if p == nil || p.Watched != key && p.Watched != resource {
		return ""
	}
	i.injected.Set()
	return p.Kind
}

// EventCount returns the number of events of an object, such as secrets/hook, that watches had since the injector was armed.
func (i *Injector) EventCount(object string) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.events[object]
}

// watchSignals returns the signals that end the watches which begin now: cut closes the connection (WatchCut), expired says that the
// resourceVersion has expired (WatchGone).
func (i *Injector) watchSignals() (cut, expired *Signal) {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.cutSignal, i.expiredSignal
}

// KillSignal returns the signal that is set when the present process is killed.
func (i *Injector) KillSignal() *Signal {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.killed
}

// TakeStaleVersion returns the resourceVersion that the cache of the next process shows, once; "": the newest.
func (i *Injector) TakeStaleVersion() string {
	i.mu.Lock()
	defer i.mu.Unlock()
	asOf := i.staleVersion
	i.staleVersion = ""
	return asOf
}

// MaxCatchUpDelay is the largest delay between two watches that catch up.
const MaxCatchUpDelay = 800 * time.Millisecond

// catchUpDelay returns how much later than the first one the watch of a resource catches up. It depends on the fault only.
func (i *Injector) catchUpDelay(resource string) time.Duration {
	i.mu.Lock()
	defer i.mu.Unlock()
	h := fnv.New32a()
	_, _ = h.Write([]byte(i.faultName + resource))
	return time.Duration(h.Sum32()%5) * MaxCatchUpDelay / 4
}

// freezeGate returns the gate at which the watches of a process wait.
func (i *Injector) freezeGate(s *APIServer) *gate {
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.plan != nil && i.plan.Kind == Standby && !s.isStandby.Load() {
		return newGate()
	}
	return i.frozen
}

// Unfreeze lets watches continue.
func (i *Injector) Unfreeze() { i.frozen.open() }

// WhenDeposed returns a channel that is closed once the leader is deposed.
func (i *Injector) WhenDeposed() <-chan struct{} { return i.deposed.Done }

// WhenHappened returns a channel that is closed once the fault was injected.
func (i *Injector) WhenHappened() <-chan struct{} { return i.injected.Done }

// ReleaseDelayedCall lets the call of the deposed leader be carried out.
func (i *Injector) ReleaseDelayedCall() { i.delayGate.open() }

// WatchEvents returns the watch events since the injector was armed.
func (i *Injector) WatchEvents() []string {
	i.mu.Lock()
	defer i.mu.Unlock()
	return slices.Clone(i.recordedEvents)
}
