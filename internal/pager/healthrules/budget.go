// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package healthrules

import (
	"maps"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
)

// MaxFired is how many Alerts at most fire in a namespace in a minute: an outage of a cluster makes most of its objects fail.
const MaxFired = 60

const firedWindow = time.Minute

// ReportEvery is how often the Alert about the objects that wait says how many they are.
const ReportEvery = time.Minute

// sweepFrom is how many more namespaces than were in use there may be.
const sweepFrom = 64

// Budget limits how many Alerts fire in a namespace. The zero value is ready to use.
type Budget struct {
	mu          sync.Mutex
	byNamespace map[string]*namespaceBudget
	sweepAt     int // namespaces from which on those are dropped in which nothing has happened lately
}

type namespaceBudget struct {
	fired    []time.Time // within the window
	waiting  map[types.UID]bool
	ask      Ask // of the object that has begun to wait last
	reported time.Time
}

// Has reports whether the budget of a namespace is in use. If not, Begin takes over another process's use of it.
func (b *Budget) Has(namespace string) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.byNamespace[namespace] != nil
}

// Begin begins the budget of a namespace, in which Alerts have fired before at some times, in any order. Of concurrent callers the first one
// begins it.
func (b *Budget) Begin(namespace string, fired []time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.byNamespace[namespace] == nil {
		b.of(namespace).fired = slices.SortedFunc(slices.Values(fired), time.Time.Compare)
	}
}

// Take reports whether the Alert of an object may fire now; if not, the object waits, and again is when it should be tried again.
func (b *Budget) Take(namespace string, object types.UID, ask Ask, now time.Time) (ok bool, again time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.byNamespace) > b.sweepAt {
		b.dropIdle(now)
		b.sweepAt = 2*len(b.byNamespace) + sweepFrom
	}
	own := b.of(namespace)
	for n, at := range own.fired { // by a clock that has gone back
		if at.After(now) {
			own.fired[n] = now
		}
	}
	for len(own.fired) > 0 && !now.Before(own.fired[0].Add(firedWindow)) {
		own.fired = own.fired[1:]
	}
	if len(own.fired) < MaxFired {
		own.fired = append(own.fired, now)
		delete(own.waiting, object)
		return true, time.Time{}
	}
	own.waiting[object], own.ask = true, ask
	return false, own.fired[0].Add(firedWindow)
}

// dropIdle drops namespaces whose budget is whole: it begins anew with the next failure.
func (b *Budget) dropIdle(now time.Time) {
	maps.DeleteFunc(b.byNamespace, func(_ string, own *namespaceBudget) bool {
		hasFired := len(own.fired) > 0 && now.Before(own.fired[len(own.fired)-1].Add(firedWindow))
		return len(own.waiting) == 0 && !hasFired && !now.Before(own.reported.Add(ReportEvery))
	})
}

// GiveBack undoes a Take after which no Alert has fired.
func (b *Budget) GiveBack(namespace string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if own := b.of(namespace); len(own.fired) > 0 {
		own.fired = own.fired[:len(own.fired)-1]
	}
}

// Forget ends the wait of an object that does not fail any more.
func (b *Budget) Forget(namespace string, object types.UID) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if own, ok := b.byNamespace[namespace]; ok {
		delete(own.waiting, object)
	}
}

// Report reports whether the Alert about the objects that wait may say now how many they are; if not, again is when it may.
func (b *Budget) Report(namespace string, now time.Time) (ok bool, again time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	own := b.of(namespace)
	if again = own.reported.Add(ReportEvery); now.Before(again) && !own.reported.After(now) {
		return false, again
	}
	own.reported = now
	return true, time.Time{}
}

// Waiting returns how many objects of a namespace wait, and the Ask of one of them.
func (b *Budget) Waiting(namespace string) (int, Ask) {
	b.mu.Lock()
	defer b.mu.Unlock()
	own, ok := b.byNamespace[namespace]
	if !ok {
		return 0, Ask{}
	}
	return len(own.waiting), own.ask
}

func (b *Budget) of(namespace string) *namespaceBudget {
	if b.byNamespace == nil {
		b.byNamespace = map[string]*namespaceBudget{}
	}
	if b.byNamespace[namespace] == nil {
		b.byNamespace[namespace] = &namespaceBudget{waiting: map[types.UID]bool{}}
	}
	return b.byNamespace[namespace]
}
