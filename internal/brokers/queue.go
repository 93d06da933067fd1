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

package brokers

import (
	"time"

	"golang.org/x/time/rate"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/enqueue"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	"github.com/gophernetes/bellhop/internal/limiter"
)

// QueueHeartbeat is the interval at which a waiting object asks for a slot by itself; usually it is woken.
const QueueHeartbeat = limiter.QueueTimeout / 3

// pollFlow is the flow of polls, beside the flows of the namespaces.
const pollFlow = "polls"

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

// Place is the place of an object in the queue of a broker.
type Place struct {
	Broker Key
	// reserved is the reservation for the write of the status that says so, and says its time; nil: there is none yet.
	reserved   *rate.Reservation
	statusTime time.Time
}

// StatusInterval is the interval between writes of statuses that only say that an object waits, or repeat the broker's description of
// an operation: many objects have such a status at once, and other writes are more urgent.
const StatusInterval = 200 * time.Millisecond

// NewStatusLimiter returns a limiter that lets a status through each StatusInterval.
func NewStatusLimiter() *rate.Limiter { return rate.NewLimiter(rate.Every(StatusInterval), 1) }

// forget drops a place, and its reservation.
func (l *Queue) forget(queued **Place) {
	if *queued != nil && (*queued).reserved != nil {
		(*queued).reserved.CancelAt(l.clock.Now())
	}
	*queued = nil
}

// StatusTime returns when the status of a waiting object is written, or when to ask again, as many others are written before.
func (l *Queue) StatusTime(where *Place, now time.Time) time.Time {
	if where.reserved == nil {
		r := l.statusLimiter.ReserveN(now, 1)
		if r.DelayFrom(now) > QueueHeartbeat {
			r.CancelAt(now)
			return now.Add(QueueHeartbeat)
		}
		where.reserved, where.statusTime = r, now.Add(r.DelayFrom(now))
	}
	return where.statusTime
}

// QueueKey identifies an object in the queue of a broker.
type QueueKey struct {
	Kind string
	Name types.NamespacedName
}

// Enter gets a slot at a broker for an object. queued is its place in a queue, which enter updates; tried are its attempts at the
// present spec; nil: none. leave, which returns the slot, is nil where there is no slot.
func (l *Queue) Enter(o client.Object, queued **Place, key Key, v lifecycle.Operation, tried *v1beta1.Attempts) (leave limiter.Release, wait limiter.Wait) {
	if *queued != nil && (*queued).Broker != key {
		l.Leave(client.ObjectKeyFromObject(o), queued)
	}
	name, endpoint := client.ObjectKeyFromObject(o), l.clients.Limiters.Of(key, l.clock.Now())
	lane := "namespace " + o.GetNamespace()
	if v == lifecycle.Poll {
		lane = pollFlow
	}
	asks := limiter.Request{ID: QueueKey{l.kind, name}, Flow: lane, Retry: lifecycle.HasFailed(tried), Notify: func() { l.wake.AddFirst(name) }}
	if tried != nil {
		asks.Misconfigured, asks.OwnFault = int(tried.Misconfigured), tried.OwnFault
		if tried.FailingSince != nil {
			asks.FailingSince = tried.FailingSince.Time
		}
	}
	leave, wait = endpoint.Enter(asks, l.clock.Now())
	switch {
	case leave != nil:
		l.forget(queued)
	case *queued == nil:
		*queued = &Place{Broker: key}
	}
	return leave, wait
}

// Leave gives up the place of an object, if it has one.
func (l *Queue) Leave(name types.NamespacedName, queued **Place) {
	if *queued != nil {
		l.clients.Limiters.Cancel((*queued).Broker, QueueKey{l.kind, name}, l.clock.Now())
		l.forget(queued)
	}
}
