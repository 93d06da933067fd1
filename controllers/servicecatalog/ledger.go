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

package servicecatalog

import (
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
)

// ledger holds what this process knows of objects beyond what is on record: statuses
// that could not be written yet, so that nothing a broker confirmed is dropped when a
// write fails, and when something was last asked for.
type ledger[S any, M comparable] struct {
	mu      sync.Mutex
	entries map[types.NamespacedName]*entry[S, M]
	orphans *orphans // those that objects leave behind
}

// entry is what is known of one object. Only the worker that has the object uses it.
type entry[S any, M comparable] struct {
	uid types.UID
	// unrecorded is the status as it is to be; nil: it is on record. It follows from recorded,
	// which is that of the object as it had version.
	unrecorded, recorded *S
	version              string
	// refused: the broker did not do what was last asked for.
	refused bool
	// polled is when an operation was last asked for, and asked what the broker then
	// wanted to be left alone for.
	polled time.Time
	asked  time.Duration
	// definition is what was read of the CRD since the deletion was seen.
	definition definitionState
	// queued is where it waits for its turn at a broker, if it does.
	queued *waiting
	// released: the finalizer is off, whatever the cache still shows.
	released bool
	// open: an event has told of something that has not ended, and the conditions are too
	// quiet to show it. The next process does without.
	open bool
	// made is what it has at the broker that is not on record.
	made *orphan
	// memory is what only one kind has to remember.
	memory M
}

func newLedger[S any, M comparable](o *orphans) *ledger[S, M] {
	return &ledger[S, M]{entries: map[types.NamespacedName]*entry[S, M]{}, orphans: o}
}

// of is an object's entry, made if there is none. Of one of another object of that name only the
// place where it waits is left, which is the name's.
func (l *ledger[S, M]) of(o client.Object) *entry[S, M] {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := client.ObjectKeyFromObject(o)
	e := l.entries[name]
	if e == nil || e.uid != o.GetUID() {
		l.bereave(name, e)
		next := &entry[S, M]{uid: o.GetUID()}
		if e != nil && e.queued != nil {
			next.queued = &waiting{broker: e.queued.broker}
		}
		l.entries[name], e = next, next
	}
	return e
}

// drop forgets an object, and returns where it waited.
func (l *ledger[S, M]) drop(name types.NamespacedName) (queued *waiting) {
	l.mu.Lock()
	defer l.mu.Unlock()
	e := l.entries[name]
	if e != nil {
		queued = e.queued
	}
	l.bereave(name, e)
	delete(l.entries, name)
	return queued
}

// bereave keeps in mind what an object has left behind.
func (l *ledger[S, M]) bereave(name types.NamespacedName, e *entry[S, M]) {
	if e != nil && e.made != nil {
		l.orphans.add(name, e.made)
	}
}

// rest forgets an object of which nothing has to be known.
func (l *ledger[S, M]) rest(o client.Object) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := client.ObjectKeyFromObject(o)
	if e := l.entries[name]; e != nil && e.unrecorded == nil && !e.released && !e.open && e.made == nil && e.queued == nil && e.definition == definitionUnknown && e.memory == *new(M) {
		delete(l.entries, name)
	}
}
