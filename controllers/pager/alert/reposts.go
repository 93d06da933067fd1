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

package alert

import (
	"context"
	"slices"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	lifecycle "github.com/gophernetes/bellhop/internal/lifecycle/alert"
	"github.com/gophernetes/bellhop/internal/limiter"
	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/result"
	"github.com/gophernetes/bellhop/internal/receivers/endpoints"
)

const (
	// batchSize bounds the Alerts in one request.
	batchSize = 64
	// collectTime is how long a request waits for more Alerts.
	collectTime = time.Second
	// batchesInFlight bounds the requests to one receiver. The other slots of its limiter are left to first attempts and resolves.
	batchesInFlight = 2
	// batchHeartbeat is how often a batch asks for a slot, in case it is not notified of one.
	batchHeartbeat = limiter.QueueTimeout / 3
)

// repost is what a receiver holds and has to be sent again, since the receiver forgets it otherwise.
type repost struct {
	alert *v1beta1.Alert
	plan  lifecycle.DeliveryPlan
	// alone: the repost is not sent with others, as a request that had it was refused.
	alone bool
	since time.Time // when it was added
	open  lifecycle.InFlightRequest
}

// reposts sends reposts to each receiver in batches: a request for each Alert would take longer than the Alerts are valid. A repost that
// waits can be canceled, so that it does not delay a resolve or a change. Namespaces take turns.
type reposts struct {
	limiters *limiter.Limiters[endpoints.Key]
	now      func() time.Time
	collect  time.Duration // collectTime; tests set another
	// begin records that a repost is in flight; false: it must not be sent. It is called with the lock of reposts.
	begin func(*repost) bool
	// post sends a batch, records its outcome, and returns the slot.
	post func(key endpoints.Key, target lifecycle.Target, batch []*repost, release limiter.Release)

	mu     sync.Mutex
	queues map[endpoints.Key]*repostQueue
}

// repostQueue has the reposts that wait for one receiver.
type repostQueue struct {
	target  lifecycle.Target // as last observed
	waiting map[types.NamespacedName]*repost
	// batched and alone have the same reposts, in turns of their namespaces.
	batched, alone turns
	aloneNext      bool          // batches and single reposts take turns
	dispatching    bool          // dispatch runs
	full           chan struct{} // receives when a batch need not wait for more
	inFlight       chan struct{} // has an element for each request in flight
}

func (r *Reconciler) newReposts() *reposts {
	return &reposts{limiters: &r.endpoints.Limiters, now: func() time.Time { return r.clock.Now() }, collect: collectTime, begin: r.beginRepost, post: r.repost}
}

// beginRepost records that a repost is in flight, unless it must not be sent.
func (r *Reconciler) beginRepost(e *repost) bool {
	e.open = lifecycle.InFlightRequest{Request: *e.plan.Send, Since: r.clock.Now(), Began: r.beginning()}
	return r.pending.beginRepost(e.alert, lifecycle.RefOf(e.plan.Row), e.open)
}

// repost sends a batch and stores its outcome. A batch that is refused is not counted as a failure: one of its Alerts may be the cause, and
// each is sent alone next.
func (r *Reconciler) repost(key endpoints.Key, target lifecycle.Target, batch []*repost, release limiter.Release) {
	ctx := log.IntoContext(context.Background(), ctrl.Log.WithName("reposts").WithValues("receiver", key.Ref))
	n, version, receipts, failure := r.sendBatch(ctx, key, target, batch)
	at, of := r.clock.Now(), resultOf(failure)
	refused := n > 1 && failure != nil && failure.Reason == result.ReasonRejected
	if refused {
		of = limiter.Result{Outcome: limiter.NotSent}
	}
	verdict := release(at, of)
	for i, e := range batch {
		o := lifecycle.Outcome{Request: e.open.Request, Ref: key.Ref, Began: e.open.Began, At: at, Failure: failure, Verdict: verdict}
		o.Version = version
		switch {
		case i >= n:
			r.pending.cancel(e.alert, key.Ref)
		case refused:
			r.pending.separate(e.alert, key.Ref)
			r.pending.cancel(e.alert, key.Ref)
		default:
			if failure == nil {
				o.Receipt = receipts[i]
			}
			r.metrics.CountAttempt(e.alert, target.Spec, o)
			r.health.ObserveDelivery(key, o)
			r.pending.end(e.alert, o)
		}
		r.wake.Add(nameOf(e.alert))
	}
	log.FromContext(ctx).V(1).Info("Receiver answered to reposts", "alerts", n, "failure", failure)
}

// sendBatch sends the first n of a batch.
func (r *Reconciler) sendBatch(ctx context.Context, key endpoints.Key, target lifecycle.Target, batch []*repost) (n int, version string, receipts []result.Receipt, failure *result.Error) {
	n = len(batch)
	defer func() {
		if recovered := recover(); recovered != nil { // a panic for one message must not end the process
			failure = endpoints.FailureOfPanic(ctx, key.Ref, recovered)
		}
	}()
	sender, version, err := r.endpoints.Sender(ctx, key.Namespace, key.Ref, target)
	if err != nil {
		return n, version, nil, endpoints.FailureOf(err)
	}
	var messages []notify.BatchMessage
	for _, e := range batch {
		o := lifecycle.Outcome{Request: e.open.Request, Ref: key.Ref, Began: e.open.Began}
		messages = append(messages, notify.BatchMessage{Message: messageOf(e.alert, e.plan.Row, o), Key: keyOf(e.alert, e.plan.Row, o)})
	}
	n, receipts, err = sender.(notify.BatchSender).SendBatch(ctx, messages)
	if err != nil {
		failure = endpoints.FailureOf(err)
	}
	return n, version, receipts, failure
}

// add adds a repost, or replaces the one of the same Alert, and returns since when that waits.
func (s *reposts) add(key endpoints.Key, target lifecycle.Target, e *repost) limiter.Wait {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, name := s.queues[key], nameOf(e.alert)
	if q == nil {
		q = &repostQueue{waiting: map[types.NamespacedName]*repost{}, full: make(chan struct{}, 1), inFlight: make(chan struct{}, batchesInFlight)}
		if s.queues == nil {
			s.queues = map[endpoints.Key]*repostQueue{}
		}
		s.queues[key] = q
	}
	q.target, e.since = target, s.now()
	if own := q.waiting[name]; own != nil {
		e.since, e.alone = own.since, own.alone
		*own = *e
	} else {
		q.waiting[name] = e
		q.turnsOf(e).push(e)
		q.signal()
	}
	if !q.dispatching {
		q.dispatching = true
		go s.dispatch(key, q)
	}
	return limiter.Wait{Since: e.since, Cause: limiter.Busy}
}

// cancel removes the repost of an Alert unless it is in flight.
func (s *reposts) cancel(key endpoints.Key, name types.NamespacedName) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if q := s.queues[key]; q != nil && q.waiting[name] != nil {
		q.turnsOf(q.waiting[name]).remove(q.waiting[name])
		delete(q.waiting, name)
	}
}

// dispatch sends batches to a receiver until no repost waits.
func (s *reposts) dispatch(key endpoints.Key, q *repostQueue) {
	for !s.isDone(key, q) {
		if !s.isFull(q) {
			select {
			case <-q.full:
			case <-time.After(s.collect):
			}
		}
		q.inFlight <- struct{}{}
		release := s.acquireSlot(key, q)
		target, batch := s.take(q)
		if len(batch) > 0 {
			go func() {
				defer s.end(key, q)
				s.post(key, target, batch, release)
			}()
			continue
		}
		if release != nil {
			release(s.now(), limiter.Result{Outcome: limiter.NotSent})
		}
		s.end(key, q)
	}
}

// isDone reports whether no repost waits. Then dispatch ends.
func (s *reposts) isDone(key endpoints.Key, q *repostQueue) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	q.dispatching = len(q.waiting) > 0
	s.dropIdle(key, q)
	return !q.dispatching
}

// end counts a request as ended.
func (s *reposts) end(key endpoints.Key, q *repostQueue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	<-q.inFlight
	s.dropIdle(key, q)
}

func (s *reposts) dropIdle(key endpoints.Key, q *repostQueue) {
	if !q.dispatching && len(q.inFlight) == 0 {
		delete(s.queues, key)
	}
}

// acquireSlot waits for a slot at the receiver's limiter; nil: no repost waits any more.
func (s *reposts) acquireSlot(key endpoints.Key, q *repostQueue) limiter.Release {
	type id types.NamespacedName // a request for the Alert itself may wait as well
	notified := make(chan struct{}, 1)
	var entered any
	for {
		now := s.now()
		lim, first := s.limiters.Of(key, now), s.next(q)
		var own any
		if first != nil {
			own = id(nameOf(first.alert))
		}
		if entered != nil && entered != own {
			lim.Cancel(entered, now)
		}
		if entered = own; own == nil {
			return nil
		}
		release, _ := lim.Enter(limiter.Request{ID: own, Flow: "reposts", Exempt: true, Notify: func() {
			select {
			case notified <- struct{}{}:
			default:
			}
		}}, now)
		if release != nil {
			return release
		}
		select {
		case <-notified:
		case <-time.After(batchHeartbeat):
		}
	}
}

// next returns the repost that is first in the next batch; nil: none waits.
func (s *reposts) next(q *repostQueue) *repost {
	s.mu.Lock()
	defer s.mu.Unlock()
	return q.turns().front()
}

// take begins the reposts of the next batch.
func (s *reposts) take(q *repostQueue) (target lifecycle.Target, batch []*repost) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, size := q.turns(), batchSize
	if from == &q.alone {
		size = 1
	}
	for e := from.front(); e != nil && len(batch) < size; e = from.front() {
		from.pop()
		delete(q.waiting, nameOf(e.alert))
		if s.begin(e) {
			batch = append(batch, e)
		}
	}
	q.aloneNext = from == &q.batched
	return q.target, batch
}

func (s *reposts) isFull(q *repostQueue) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-q.full: // of an earlier batch
	default:
	}
	return q.isFull()
}

// isFull reports whether a batch need not wait for more.
func (q *repostQueue) isFull() bool { return q.batched.size >= batchSize || q.alone.size > 0 }

func (q *repostQueue) signal() {
	if !q.isFull() {
		return
	}
	select {
	case q.full <- struct{}{}:
	default:
	}
}

// turns returns the reposts of which the next batch is made.
func (q *repostQueue) turns() *turns {
	if q.alone.size > 0 && (q.aloneNext || q.batched.size == 0) {
		return &q.alone
	}
	return &q.batched
}

func (q *repostQueue) turnsOf(e *repost) *turns {
	if e.alone {
		return &q.alone
	}
	return &q.batched
}

// turns are reposts of which each namespace has the first one in turn.
type turns struct {
	size       int
	namespaces []string // the next one first
	of         map[string][]*repost
}

func (t *turns) push(e *repost) {
	if t.of == nil {
		t.of = map[string][]*repost{}
	}
	namespace := e.alert.Namespace
	if len(t.of[namespace]) == 0 {
		t.namespaces = append(t.namespaces, namespace)
	}
	t.of[namespace] = append(t.of[namespace], e)
	t.size++
}

// front returns the first repost; nil: there is none.
func (t *turns) front() *repost {
	if t.size == 0 {
		return nil
	}
	return t.of[t.namespaces[0]][0]
}

// pop removes the first repost.
func (t *turns) pop() {
	namespace := t.namespaces[0]
	t.remove(t.front())
	if len(t.of[namespace]) > 0 {
		t.namespaces = append(t.namespaces[1:], namespace)
	}
}

func (t *turns) remove(e *repost) {
	namespace := e.alert.Namespace
	i := slices.Index(t.of[namespace], e)
	if i == 0 {
		t.of[namespace] = t.of[namespace][1:]
	} else {
		t.of[namespace] = slices.Delete(t.of[namespace], i, i+1)
	}
	if t.size--; len(t.of[namespace]) == 0 {
		delete(t.of, namespace)
		t.namespaces = slices.DeleteFunc(t.namespaces, func(other string) bool { return other == namespace })
	}
}
