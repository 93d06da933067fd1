// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package limiter

import (
	"container/heap"
	"time"
)

// Severities is how many severities requests have. 0 is the lowest.
const Severities = 3

// critical is the highest severity.
const critical = Severities - 1

// oldestEvery is how often a flow's turn is its oldest waiter's, of any severity: no waiter starves.
const oldestEvery = 4

// ready are the waiters of a flow that can be notified. They are ordered by severity, then by age. Those with a first message have queues of
// their own, since a share of the rate limit may bound them.
type ready struct {
	queues [Severities][2]byAge
	count  int
}

func (r *ready) queueOf(w *waiter) *byAge {
	kind := 0
	if w.Notifies {
		kind = 1
	}
	return &r.queues[min(max(w.Severity, 0), critical)][kind]
}

func (r *ready) add(w *waiter) {
	r.count++
	heap.Push(r.queueOf(w), w)
}

func (r *ready) remove(w *waiter) {
	r.count--
	heap.Remove(r.queueOf(w), w.index)
}

// mostSevere returns the oldest of the most severe waiters that may enter; nil: no waiter may.
func (r *ready) mostSevere(may func(*waiter) bool) *waiter {
	for severity := critical; severity >= 0; severity-- {
		if w := oldestOf(r.queues[severity][:], may); w != nil {
			return w
		}
	}
	return nil
}

// oldest returns the oldest of the waiters that may enter; nil: no waiter may.
func (r *ready) oldest(may func(*waiter) bool) (oldest *waiter) {
	for severity := range r.queues {
		if w := oldestOf(r.queues[severity][:], may); w != nil && (oldest == nil || w.isOlder(oldest)) {
			oldest = w
		}
	}
	return oldest
}

// first returns the first waiter of each queue.
func (r *ready) first(yield func(*waiter) bool) {
	for severity := range r.queues {
		for _, queue := range r.queues[severity] {
			if len(queue) > 0 && !yield(queue[0]) {
				return
			}
		}
	}
}

// oldestOf returns the oldest waiter of queues that may enter. If the first waiter of a queue may not, none of it may.
func oldestOf(queues []byAge, may func(*waiter) bool) (oldest *waiter) {
	for _, queue := range queues {
		if len(queue) > 0 && (oldest == nil || queue[0].isOlder(oldest)) && may(queue[0]) {
			oldest = queue[0]
		}
	}
	return oldest
}

// isOlder reports whether a request is due for longer than another one; of those that are due since the same time, whether it was queued first.
func (w *waiter) isOlder(than *waiter) bool {
	if !w.due.Equal(than.due) {
		return w.due.Before(than.due)
	}
	return w.number < than.number
}

// dueSince returns since when a request is due that is queued at a time.
func dueSince(r Request, queued time.Time) time.Time {
	if r.Due.IsZero() || r.Due.After(queued) {
		return queued
	}
	return r.Due
}

// byAge is a heap of waiters, the oldest first.
type byAge []*waiter

func (q byAge) Len() int           { return len(q) }
func (q byAge) Less(i, j int) bool { return q[i].isOlder(q[j]) }
func (q byAge) Swap(i, j int)      { q[i], q[j] = q[j], q[i]; q[i].index, q[j].index = i, j }

func (q *byAge) Push(x any) {
	w := x.(*waiter)
	w.index = len(*q)
	*q = append(*q, w)
}

func (q *byAge) Pop() any {
	last := len(*q) - 1
	w := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	return w
}
