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
	"github.com/gophernetes/bellhop/internal/limiter"
)

// pollLane is where polls wait: beside what users of all namespaces have changed.
const pollLane = "polls"

// line is where the objects of a kind wait for slots at their brokers.
type line struct {
	kind        string
	connections *connections
	clock       clock.PassiveClock
	wake        *enqueue.Enqueuer
	news        *rate.Limiter
}

// waiting is where an object does so.
type waiting struct {
	broker brokerKey
	// reserved is the moment at which its status is to say so, and says is when that is; nil: that
	// is not settled yet.
	reserved *rate.Reservation
	says     time.Time
}

// newsInterval is how far apart statuses are written that only say that something waits, or
// repeat what a broker says while it works: many objects have that to say at once, and other
// writes are more urgent.
const newsInterval = 200 * time.Millisecond

func newNewsLimiter() *rate.Limiter { return rate.NewLimiter(rate.Every(newsInterval), 1) }

// forget is for what waits no more: what it has not said need not be said.
func (l *line) forget(queued **waiting) {
	if *queued != nil && (*queued).reserved != nil {
		(*queued).reserved.CancelAt(l.clock.Now())
	}
	*queued = nil
}

// sayAt is when the status of what has waited for long is to say so, or when to come again for
// that, as many others say so before.
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

// ticket is by whom a broker's bulkhead knows an object.
type ticket struct {
	kind string
	name types.NamespacedName
}

// enter gets a slot at a broker for an object, of which queued says where it waits. tried
// are its attempts at the same before; nil: none. leave is nil where there is none.
func (l *line) enter(o client.Object, queued **waiting, key brokerKey, v verb, tried *v1beta1.Attempts) (leave limiter.Leave, wait limiter.Wait) {
	if *queued != nil && (*queued).broker != key {
		l.leave(client.ObjectKeyFromObject(o), queued)
	}
	name, bulkhead := client.ObjectKeyFromObject(o), l.connections.bulkheads.Of(key, l.clock.Now())
	lane := "namespace " + o.GetNamespace()
	if v == poll {
		lane = pollLane
	}
	asks := limiter.Ticket{Who: ticket{l.kind, name}, Lane: lane, Retry: hasFailed(tried), Call: func() { l.wake.AddFirst(name) }}
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

// leave gives up an object's place, if it waits anywhere.
func (l *line) leave(name types.NamespacedName, queued **waiting) {
	if *queued != nil {
		l.connections.bulkheads.Withdraw((*queued).broker, ticket{l.kind, name}, l.clock.Now())
		l.forget(queued)
	}
}
