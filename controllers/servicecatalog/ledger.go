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

	"github.com/gophernetes/bellhop/internal/lifecycle"
)

// ledger holds what this process knows of objects beyond their status: results that could not be written yet, so that none is lost
// when a write fails, and times of polls.
type ledger[S any, M comparable] struct {
	mu      sync.Mutex
	entries map[types.NamespacedName]*entry[S, M]
	orphans *orphanList // of objects that are gone
}

// entry is what is known of one object. Only the worker that reconciles the object uses it.
type entry[S any, M comparable] struct {
	uid types.UID
	// unrecorded is the status to write; nil: it is on record. It follows from recorded, the status at resourceVersion version.
	unrecorded, recorded *S
	version              string
	// refused: the broker has refused the last request.
	refused bool
	// polled is when the operation was last polled, and asked the Retry-After of that answer.
	polled time.Time
	asked  time.Duration
	// definition is what a read of the CRD found that began after the deletion was seen.
	definition lifecycle.Definition
	// queued is where it waits for a slot; nil: it does not.
	queued *waiting
	// released: the finalizer was removed, whatever the cache shows.
	released bool
	// open: an event has announced a problem that has not ended, and the present conditions do not show it.
	open bool
	// made is what the broker has for it and is not on record; nil: nothing.
	made *orphan
	// memory is what is specific to the kind.
	memory M
}

func newLedger[S any, M comparable](o *orphanList) *ledger[S, M] {
	return &ledger[S, M]{entries: map[types.NamespacedName]*entry[S, M]{}, orphans: o}
}

// of returns an object's entry, and creates it if there is none. Of the entry of an earlier object of the name only the place in the
// broker's queue is kept, which belongs to the name.
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

// drop removes the entry of an object that is gone, and returns where it waited.
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

// bereave hands over what an object has left at its broker.
func (l *ledger[S, M]) bereave(name types.NamespacedName, e *entry[S, M]) {
	if e != nil && e.made != nil {
		l.orphans.add(name, e.made)
	}
}

// rest removes the entry of an object where it holds nothing.
func (l *ledger[S, M]) rest(o client.Object) {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := client.ObjectKeyFromObject(o)
	if e := l.entries[name]; e != nil && e.unrecorded == nil && !e.released && !e.open && e.made == nil && e.queued == nil && e.definition == lifecycle.DefinitionUnknown && e.memory == *new(M) {
		delete(l.entries, name)
	}
}
