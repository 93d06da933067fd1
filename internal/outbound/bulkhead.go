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

package outbound

import (
	"container/list"
	"sync"
	"time"
)

const (
	// slots is how many requests one party may have under way.
	slots = 4
	// timeoutsToTrip is after how many time-outs in a row a party gets one request at a time, until it answers one.
	timeoutsToTrip = 3
	// QueueTimeout is how often who waits has to ask again, so as not to be taken for gone.
	QueueTimeout = time.Minute
)

// A Bulkhead keeps one party that hangs from holding more than its few of what all share. The zero value is ready to use.
type Bulkhead struct {
	mu       sync.Mutex
	busy     int
	timeouts int // in a row
	queue    list.List
	places   map[any]*list.Element
}

type waiter struct {
	who         any
	since, seen time.Time
	wake        func() // nil once called
}

// Enter takes a slot, which Leave gives back. Where none is free it says since when who waits; wake is called, from another
// goroutine, when it is worth asking again. That there is a slot then is not promised.
func (b *Bulkhead) Enter(who any, now time.Time, wake func()) (entered bool, since time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	place := b.places[who]
	if b.busy < b.limit() {
		b.busy++
		b.remove(place)
		return true, now
	}
	if place == nil {
		if b.places == nil {
			b.places = map[any]*list.Element{}
		}
		place = b.queue.PushBack(&waiter{who: who, since: now})
		b.places[who] = place
	}
	w := place.Value.(*waiter)
	w.seen, w.wake = now, wake
	return false, w.since
}

// Leave gives a slot back and says whether the party ran into the time limit.
func (b *Bulkhead) Leave(now time.Time, timedOut bool) {
	for _, wake := range b.leave(now, timedOut) {
		wake()
	}
}

func (b *Bulkhead) leave(now time.Time, timedOut bool) (wakes []func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.busy--
	b.timeouts++
	if !timedOut {
		b.timeouts = 0
	}
	free := b.limit() - b.busy
	for place := b.queue.Front(); place != nil && len(wakes) < free; {
		w, next := place.Value.(*waiter), place.Next()
		switch {
		case now.Sub(w.seen) > QueueTimeout:
			b.remove(place)
		case w.wake != nil: // it keeps its place until it enters
			wakes = append(wakes, w.wake)
			w.wake = nil
		}
		place = next
	}
	return wakes
}

func (b *Bulkhead) remove(place *list.Element) {
	if place != nil {
		b.queue.Remove(place)
		delete(b.places, place.Value.(*waiter).who)
	}
}

func (b *Bulkhead) limit() int {
	if b.timeouts >= timeoutsToTrip {
		return 1
	}
	return slots
}
