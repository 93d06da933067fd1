// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

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
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/pager/receivers/endpoints"
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

// repost is the repetition of an active alert to a receiver that forgets it otherwise, such as an Alertmanager.
type repost struct {
	alert *v1beta1.Alert
	plan  alertrules.DeliveryPlan
	// alone: the repost is sent in a request of its own, because the receiver refused a batch that contained it.
	alone    bool
	since    time.Time                  // when a repost of the Alert was first added
	inFlight alertrules.InFlightRequest // set by begin
}

// reposts sends the reposts to each receiver in batches: with a request for each Alert, the receiver would forget some Alerts before their
// turn. A repost that waits can be canceled, so that it does not delay a resolve or a change. Namespaces take turns.
type reposts struct {
	limiters *limiter.Limiters[endpoints.Key]
	now      func() time.Time
	collect  time.Duration // collectTime; tests set another
	// begin records that a repost is in flight; false: it must not be sent any more. The caller has locked mu.
	begin func(*repost) bool
	// post sends a batch, records its outcome, and releases the slot.
	post func(key endpoints.Key, target alertrules.Target, batch []*repost, release limiter.Release)

	mu     sync.Mutex
	queues map[endpoints.Key]*repostQueue
}

// repostQueue has the reposts to one receiver that wait.
type repostQueue struct {
	target  alertrules.Target // as add was last given it
	waiting map[types.NamespacedName]*repost
	// batched and alone have the reposts in waiting, in the order in which they are sent.
	batched, alone roundRobin
	aloneNext      bool          // the next request is a single repost: batches and single reposts take turns
	dispatching    bool          // dispatch runs
	ready          chan struct{} // receives when the next batch need not wait for more reposts
	inFlight       chan struct{} // has an element for each request in flight
}

func (r *Reconciler) newReposts() *reposts {
	return &reposts{limiters: &r.endpoints.Limiters, now: func() time.Time { return r.clock.Now() }, collect: collectTime, begin: r.beginRepost, post: r.sendReposts}
}

// beginRepost records that a repost is in flight, unless it must not be sent.
func (r *Reconciler) beginRepost(e *repost) bool {
	e.inFlight = alertrules.InFlightRequest{Request: *e.plan.Send, Since: r.clock.Now(), Began: r.beginning()}
	return r.pending.beginRepost(e.alert, alertrules.RefOf(e.plan.Row), e.inFlight)
}

// sendReposts sends a batch and records its outcome. A batch that is refused is not counted as a failure: one of its Alerts may be the
// cause, and each is sent alone next.
func (r *Reconciler) sendReposts(key endpoints.Key, target alertrules.Target, batch []*repost, release limiter.Release) {
	ctx := log.IntoContext(context.Background(), ctrl.Log.WithName("reposts").WithValues("receiver", key.Ref))
	sent, version, receipts, failure := r.sendBatch(ctx, key, target, batch)
	at, limiterResult := r.clock.Now(), resultOf(failure)
	isBatchRefused := sent > 1 && failure != nil && failure.Reason == result.ReasonRejected
	if isBatchRefused {
		limiterResult = limiter.Result{Outcome: limiter.NotSent}
	}
	verdict := release(at, limiterResult)
	for i, e := range batch {
		o := alertrules.Outcome{Request: e.inFlight.Request, Ref: key.Ref, Began: e.inFlight.Began, At: at, Failure: failure, Verdict: verdict}
		o.Version = version
		switch {
		case i >= sent: // the next reconcile adds it again
			r.pending.cancel(e.alert, key.Ref)
		case isBatchRefused:
			r.pending.setAlone(e.alert, key.Ref)
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
	log.FromContext(ctx).V(1).Info("Receiver answered to reposts", "alerts", sent, "failure", failure)
}

// sendBatch sends the first reposts of a batch, as many as fit into one request, and returns their number.
func (r *Reconciler) sendBatch(ctx context.Context, key endpoints.Key, target alertrules.Target, batch []*repost) (sent int, version string, receipts []result.Receipt, failure *result.Error) {
	sent = len(batch)
	defer func() {
		if recovered := recover(); recovered != nil { // a panic for one message must not end the process
			failure = endpoints.FailureOfPanic(ctx, key.Ref, recovered)
		}
	}()
	sender, version, err := r.endpoints.Sender(ctx, key.Namespace, key.Ref, target)
	if err != nil {
		return sent, version, nil, endpoints.FailureOf(err)
	}
	var messages []notify.BatchMessage
	for _, e := range batch {
		o := alertrules.Outcome{Request: e.inFlight.Request, Ref: key.Ref, Began: e.inFlight.Began}
		messages = append(messages, notify.BatchMessage{Message: messageOf(e.alert, e.plan.Row, o), Key: keyOf(e.alert, e.plan.Row, o)})
	}
	sent, receipts, err = sender.(notify.BatchSender).SendBatch(ctx, messages)
	if err != nil {
		failure = endpoints.FailureOf(err)
	}
	return sent, version, receipts, failure
}

// add adds a repost, or replaces the waiting one of the same Alert, and returns since when the Alert waits.
func (s *reposts) add(key endpoints.Key, target alertrules.Target, e *repost) limiter.Wait {
	s.mu.Lock()
	defer s.mu.Unlock()
	q, name := s.queues[key], nameOf(e.alert)
	if q == nil {
		q = &repostQueue{waiting: map[types.NamespacedName]*repost{}, ready: make(chan struct{}, 1), inFlight: make(chan struct{}, batchesInFlight)}
		if s.queues == nil {
			s.queues = map[endpoints.Key]*repostQueue{}
		}
		s.queues[key] = q
	}
	q.target, e.since = target, s.now()
	if existing := q.waiting[name]; existing != nil {
		e.since, e.alone = existing.since, existing.alone
		*existing = *e
	} else {
		q.waiting[name] = e
		q.queueOf(e).push(e)
		q.signalIfReady()
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
		q.queueOf(q.waiting[name]).remove(q.waiting[name])
		delete(q.waiting, name)
	}
}

// dispatch sends batches to a receiver until no repost waits.
func (s *reposts) dispatch(key endpoints.Key, q *repostQueue) {
	for !s.stopIfEmpty(key, q) {
		if !s.checkReady(q) {
			select {
			case <-q.ready:
			case <-time.After(s.collect):
			}
		}
		q.inFlight <- struct{}{}
		release := s.acquireSlot(key, q)
		target, batch := s.takeBatch(q)
		if len(batch) > 0 {
			go func() {
				defer s.endRequest(key, q)
				s.post(key, target, batch, release)
			}()
			continue
		}
		if release != nil {
			release(s.now(), limiter.Result{Outcome: limiter.NotSent})
		}
		s.endRequest(key, q)
	}
}

// stopIfEmpty returns true if no repost waits, and records that dispatch ends.
func (s *reposts) stopIfEmpty(key endpoints.Key, q *repostQueue) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	q.dispatching = len(q.waiting) > 0
	s.removeIfIdle(key, q)
	return !q.dispatching
}

// endRequest counts a request as ended.
func (s *reposts) endRequest(key endpoints.Key, q *repostQueue) {
	s.mu.Lock()
	defer s.mu.Unlock()
	<-q.inFlight
	s.removeIfIdle(key, q)
}

// removeIfIdle removes the queue of a receiver that dispatch has left and for which no request is in flight.
func (s *reposts) removeIfIdle(key endpoints.Key, q *repostQueue) {
	if !q.dispatching && len(q.inFlight) == 0 {
		delete(s.queues, key)
	}
}

// acquireSlot waits for a slot at the receiver's limiter, in the name of the repost that is next; nil: no repost waits any more.
func (s *reposts) acquireSlot(key endpoints.Key, q *repostQueue) limiter.Release {
	type repostID types.NamespacedName // not the ID of the Alert's message, which may wait for a slot as well
	notified := make(chan struct{}, 1)
	var enteredID any // of the request that waits at the limiter
	for {
		now := s.now()
		lim, first := s.limiters.Of(key, now), s.next(q)
		var id any
		if first != nil {
			id = repostID(nameOf(first.alert))
		}
		if enteredID != nil && enteredID != id {
			lim.Cancel(enteredID, now)
		}
		if enteredID = id; id == nil {
			return nil
		}
		release, _ := lim.Enter(limiter.Request{ID: id, Flow: "reposts", Exempt: true, Notify: func() {
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
	return q.nextQueue().front()
}

// takeBatch removes the reposts of the next batch from the queue and begins them. It leaves out those that must not be sent any more.
func (s *reposts) takeBatch(q *repostQueue) (target alertrules.Target, batch []*repost) {
	s.mu.Lock()
	defer s.mu.Unlock()
	from, size := q.nextQueue(), batchSize
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

// checkReady reports whether the next batch need not wait for more reposts. It discards the signal for an earlier batch.
func (s *reposts) checkReady(q *repostQueue) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	select {
	case <-q.ready:
	default:
	}
	return q.isReady()
}

// isReady reports whether the next batch need not wait for more reposts: it is full, or a single repost waits.
func (q *repostQueue) isReady() bool { return q.batched.size >= batchSize || q.alone.size > 0 }

// signalIfReady ends the waiting of dispatch for more reposts, if the next batch is ready.
func (q *repostQueue) signalIfReady() {
	if !q.isReady() {
		return
	}
	select {
	case q.ready <- struct{}{}:
	default:
	}
}

// nextQueue returns the reposts of which the next batch is made.
func (q *repostQueue) nextQueue() *roundRobin {
	if q.alone.size > 0 && (q.aloneNext || q.batched.size == 0) {
		return &q.alone
	}
	return &q.batched
}

// queueOf returns the reposts among which a repost waits.
func (q *repostQueue) queueOf(e *repost) *roundRobin {
	if e.alone {
		return &q.alone
	}
	return &q.batched
}

// roundRobin has a queue of reposts for each namespace, which take turns.
type roundRobin struct {
	size        int      // of all queues
	namespaces  []string // of the queues that are not empty; the first one is next
	byNamespace map[string][]*repost
}

func (t *roundRobin) push(e *repost) {
	if t.byNamespace == nil {
		t.byNamespace = map[string][]*repost{}
	}
	namespace := e.alert.Namespace
	if len(t.byNamespace[namespace]) == 0 {
		t.namespaces = append(t.namespaces, namespace)
	}
	t.byNamespace[namespace] = append(t.byNamespace[namespace], e)
	t.size++
}

// front returns the first repost of the namespace that is next; nil: there is none.
func (t *roundRobin) front() *repost {
	if t.size == 0 {
		return nil
	}
	return t.byNamespace[t.namespaces[0]][0]
}

// pop removes the repost that front returns. The next namespace follows.
func (t *roundRobin) pop() {
	namespace := t.namespaces[0]
	t.remove(t.front())
	if len(t.byNamespace[namespace]) > 0 {
		t.namespaces = append(t.namespaces[1:], namespace)
	}
}

func (t *roundRobin) remove(e *repost) {
	namespace := e.alert.Namespace
	i := slices.Index(t.byNamespace[namespace], e)
	if i == 0 {
		t.byNamespace[namespace] = t.byNamespace[namespace][1:]
	} else {
		t.byNamespace[namespace] = slices.Delete(t.byNamespace[namespace], i, i+1)
	}
	if t.size--; len(t.byNamespace[namespace]) == 0 {
		delete(t.byNamespace, namespace)
		t.namespaces = slices.DeleteFunc(t.namespaces, func(other string) bool { return other == namespace })
	}
}
