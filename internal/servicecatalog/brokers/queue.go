// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package brokers

import (
	"math/rand/v2"
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/enqueue"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// QueueHeartbeat is the interval at which a waiting object requests a slot by itself; usually it is woken.
const QueueHeartbeat = limiter.QueueTimeout / 3

// Queue is where the objects of a kind wait for slots at their brokers.
type Queue struct {
	kind          string
	clients       *Clients
	clock         clock.PassiveClock
	wake          *enqueue.Enqueuer
	statusLimiter *rate.Limiter
}

// NewQueue returns the queues of the objects of a kind. wake reconciles an object that has a slot.
func NewQueue(kind string, c *Clients, now clock.PassiveClock, wake *enqueue.Enqueuer) *Queue {
	return &Queue{kind: kind, clients: c, clock: now, wake: wake, statusLimiter: NewStatusLimiter()}
}

const (
	// StatusInterval is the interval between writes of less urgent statuses: they only say that an object waits, or repeat the broker's description
	// of an operation. Many objects have such a status at once.
	StatusInterval = 200 * time.Millisecond
	// StatusRetry is the longest time until an object checks again whether its status can be written.
	StatusRetry = time.Minute
)

// NewStatusLimiter returns a limiter that lets a status through each StatusInterval.
func NewStatusLimiter() *rate.Limiter { return rate.NewLimiter(rate.Every(StatusInterval), 1) }

// AllowStatus returns 0 if the status of a waiting object may be written now, and otherwise the delay until the next call. The delay is random, so
// that objects that began to wait together do not call together. Nothing is reserved: many objects get a slot before their turn would come.
func (q *Queue) AllowStatus(now time.Time) (again time.Duration) {
	if q.statusLimiter.AllowN(now, 1) {
		return 0
	}
	return StatusInterval + rand.N(StatusRetry-StatusInterval)
}

// QueueKey identifies an object in the queue of a broker.
type QueueKey struct {
	Kind string
	Name types.NamespacedName
}

// Enter gets a slot at a broker for an object. queued is the broker in whose queue it is, which Enter updates; attempts are the attempts at the
// present spec; nil: none. release, which returns the slot, is nil where there is no slot.
func (q *Queue) Enter(o client.Object, queued **Key, key Key, op rules.Operation, attempts *v1beta1.Attempts) (release limiter.Release, wait limiter.Wait) {
	if *queued != nil && **queued != key {
		q.Leave(client.ObjectKeyFromObject(o), queued)
	}
	name, endpoint := client.ObjectKeyFromObject(o), q.clients.Limiters.Of(key, q.clock.Now())
	flow := "namespace " + o.GetNamespace()
	if op == rules.Poll { // polls have turns of their own: a namespace with many polls delays neither its other requests nor another namespace's
		flow = "polls of " + flow
	}
	request := limiter.Request{ID: QueueKey{q.kind, name}, Flow: flow, First: op != rules.Poll && isFirst(attempts),
		Retry: rules.HasFailed(attempts), Notify: func() { q.wake.AddFirst(name) }}
	if attempts != nil {
		request.Misconfigured, request.OwnFault = int(attempts.Misconfigured), attempts.OwnFault
		if attempts.FailingSince != nil {
			request.FailingSince = attempts.FailingSince.Time
		}
	}
	release, wait = endpoint.Enter(request, q.clock.Now())
	switch {
	case release != nil:
		*queued = nil
	case *queued == nil:
		*queued = &key
	}
	return release, wait
}

// isFirst reports whether an object at its present spec was not attempted yet.
func isFirst(attempts *v1beta1.Attempts) bool {
	return attempts == nil || attempts.Count == 0 && attempts.Removals == 0
}

// Leave takes an object out of the queue of a broker, if it is in one.
func (q *Queue) Leave(name types.NamespacedName, queued **Key) {
	if *queued != nil {
		q.clients.Limiters.Cancel(**queued, QueueKey{q.kind, name}, q.clock.Now())
		*queued = nil
	}
}

// Postpone gives up the slot that is kept for an object, if there is one. The object keeps its place in the queue.
func (q *Queue) Postpone(name types.NamespacedName, queued *Key) {
	if queued != nil {
		q.clients.Limiters.Postpone(*queued, QueueKey{q.kind, name}, q.clock.Now())
	}
}
