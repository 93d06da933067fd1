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
	"k8s.io/utils/clock"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube"
	"github.com/gophernetes/bellhop/internal/outbound"
)

// pollLane is where polls wait: beside what users of all namespaces have changed.
const pollLane = "polls"

// line is where the objects of a kind wait for slots at their brokers.
type line struct {
	kind        string
	connections *connections
	clock       clock.PassiveClock
	wake        *kube.Wakeups
	news        pace
}

// waiting is where an object does so.
type waiting struct {
	broker brokerKey
	// says is when its status is to say so; zero: that is not settled yet.
	says time.Time
}

// newsInterval is how far apart statuses are written that only say that something waits, or
// repeat what a broker says while it works.
const newsInterval = 200 * time.Millisecond

// pace keeps apart what many have to say at once, such as all that wait for a broker that
// has stopped answering, or that is asked how far it is: others have more urgent things to
// write.
type pace struct {
	mu   sync.Mutex
	next time.Time
}

// reserve is when something may be said; zero: not within that time from now.
func (p *pace) reserve(now time.Time, within time.Duration) (at time.Time) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if at = p.next; at.Before(now) {
		at = now
	}
	if at.After(now.Add(within)) {
		return time.Time{}
	}
	p.next = at.Add(newsInterval)
	return at
}

// giveBack is for a moment that is not needed: there is one more at the end.
func (p *pace) giveBack() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.next = p.next.Add(-newsInterval)
}

// forget is for what waits no more: what it has not said need not be said.
func (l *line) forget(queued **waiting) {
	if *queued != nil && (*queued).says.After(l.clock.Now()) {
		l.news.giveBack()
	}
	*queued = nil
}

// sayAt is when the status of what has waited for long is to say so, or when to come again for
// that, as many others say so before.
func (l *line) sayAt(where *waiting, now time.Time) time.Time {
	if where.says.IsZero() {
		where.says = l.news.reserve(now, askAgain)
	}
	if where.says.IsZero() {
		return now.Add(askAgain)
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
func (l *line) enter(o client.Object, queued **waiting, key brokerKey, v verb, tried *v1beta1.Attempts) (leave outbound.Leave, wait outbound.Wait) {
	if *queued != nil && (*queued).broker != key {
		l.leave(client.ObjectKeyFromObject(o), queued)
	}
	name, bulkhead := client.ObjectKeyFromObject(o), l.connections.bulkheads.Of(key, l.clock.Now())
	lane := "namespace " + o.GetNamespace()
	if v == poll {
		lane = pollLane
	}
	asks := outbound.Ticket{Who: ticket{l.kind, name}, Lane: lane, Retry: hasFailed(tried), Call: func() { l.wake.AddFirst(name) }}
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
