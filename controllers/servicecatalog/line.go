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

// askAgain is the interval at which a waiting object asks for a slot by itself; usually it is woken.
const askAgain = limiter.QueueTimeout / 3

// pollLane is the flow of polls, beside the flows of the namespaces.
const pollLane = "polls"

// line is where the objects of a kind wait for slots at their brokers.
type line struct {
	kind        string
	connections *connections
	clock       clock.PassiveClock
	wake        *enqueue.Enqueuer
	news        *rate.Limiter
}

func newLine(kind string, c *connections, now clock.PassiveClock, wake *enqueue.Enqueuer) *line {
	return &line{kind: kind, connections: c, clock: now, wake: wake, news: newNewsLimiter()}
}

// waiting is the place of an object in the queue of a broker.
type waiting struct {
	broker brokerKey
	// reserved is the reservation for the write of the status that says so, and says its time; nil: there is none yet.
	reserved *rate.Reservation
	says     time.Time
}

// newsInterval is the interval between writes of statuses that only say that an object waits, or repeat the broker's description of
// an operation: many objects have such a status at once, and other writes are more urgent.
const newsInterval = 200 * time.Millisecond

func newNewsLimiter() *rate.Limiter { return rate.NewLimiter(rate.Every(newsInterval), 1) }

// forget drops a place, and its reservation.
func (l *line) forget(queued **waiting) {
	if *queued != nil && (*queued).reserved != nil {
		(*queued).reserved.CancelAt(l.clock.Now())
	}
	*queued = nil
}

// sayAt returns when the status of a waiting object is written, or when to ask again, as many others are written before.
func (l *line) sayAt(where *waiting, now time.Time) time.Time {
	if where.reserved == nil {
		r := l.news.ReserveN(now, 1)
		if r.DelayFrom(now) > askAgain {
			r.CancelAt(now)
			return now.Add(askAgain)
		}
		where.reserved, where.says = r, now.Add(r.DelayFrom(now))
	}
	return where.says
}

// ticket identifies an object in the queue of a broker.
type ticket struct {
	kind string
	name types.NamespacedName
}

// enter gets a slot at a broker for an object. queued is its place in a queue, which enter updates; tried are its attempts at the
// present spec; nil: none. leave, which returns the slot, is nil where there is no slot.
func (l *line) enter(o client.Object, queued **waiting, key brokerKey, v lifecycle.Operation, tried *v1beta1.Attempts) (leave limiter.Leave, wait limiter.Wait) {
	if *queued != nil && (*queued).broker != key {
		l.leave(client.ObjectKeyFromObject(o), queued)
	}
	name, bulkhead := client.ObjectKeyFromObject(o), l.connections.bulkheads.Of(key, l.clock.Now())
	lane := "namespace " + o.GetNamespace()
	if v == lifecycle.Poll {
		lane = pollLane
	}
	asks := limiter.Ticket{Who: ticket{l.kind, name}, Lane: lane, Retry: lifecycle.HasFailed(tried), Call: func() { l.wake.AddFirst(name) }}
	if tried != nil {
		asks.Misconfigured, asks.OwnFault = int(tried.Misconfigured), tried.OwnFault
		if tried.FailingSince != nil {
			asks.FailingSince = tried.FailingSince.Time
		}
	}
	leave, wait = bulkhead.Enter(asks, l.clock.Now())
	switch {
	case leave != nil:
		l.forget(queued)
	case *queued == nil:
		*queued = &waiting{broker: key}
	}
	return leave, wait
}

// leave gives up the place of an object, if it has one.
func (l *line) leave(name types.NamespacedName, queued **waiting) {
	if *queued != nil {
		l.connections.bulkheads.Withdraw((*queued).broker, ticket{l.kind, name}, l.clock.Now())
		l.forget(queued)
	}
}
