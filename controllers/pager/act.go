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

package pager

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync/atomic"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/limiter"
	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/result"
	"github.com/gophernetes/bellhop/internal/patch"
	"github.com/gophernetes/bellhop/internal/receivers"
)

// attention is how long a reconcile waits for answers. Who takes longer must not
// keep it from what the Alert needs elsewhere: that answer comes to the ledger.
const attention = 100 * time.Millisecond

// act makes the requests of a step, all at once, and returns when they are
// answered, or when attention is over. What came is recorded while others are
// still under way. An error means that what has to be on record before a request
// could not be written: that one was not made.
func (r *AlertReconciler) act(ctx context.Context, v *view, s step) error {
	alert, parties := v.alert, v.world.parties
	ahead, sends := r.admit(v, s)
	watch := &watch{answered: make(chan struct{}, len(ahead)+len(sends))}
	fly := func(sends []admitted) {
		for _, t := range sends {
			go r.fly(ctx, alert.DeepCopy(), t, parties[refOf(t.row)], watch)
		}
	}
	fly(sends)
	intended, err := r.intend(ctx, v, append(slices.Clone(ahead), sends...))
	if err == nil {
		for _, t := range ahead {
			r.ledger.commit(alert, refOf(t.row))
		}
		fly(ahead)
		sends = append(sends, ahead...)
	} else {
		r.refrain(alert, intended, ahead, err)
	}
	r.attend(ctx, v, len(sends), watch)
	return err
}

// refrain makes no requests of which the record could not be written, or nobody says that it was.
func (r *AlertReconciler) refrain(alert, intended *v1beta1.Alert, ahead []admitted, err error) {
	for _, t := range ahead {
		var unsent []intent
		if !errors.Is(err, patch.ErrStale) {
			unsent = []intent{{before: t.row, after: deliveryIn(intended.Status.Deliveries, t.row)}}
		}
		r.ledger.cancel(alert, refOf(t.row), unsent...)
		t.leave(r.clock.Now(), limiter.Result{Unasked: true})
	}
}

// admitted is a turn whose request has a slot.
type admitted struct {
	turn
	leave limiter.Leave
}

// admit gets a slot for each request of a step, of which some must be on record
// first; v.queued are those that wait for one.
func (r *AlertReconciler) admit(v *view, s step) (ahead, sends []admitted) {
	name, now := nameOf(v.alert), v.world.now
	v.queued = map[v1beta1.ReceiverRef]limiter.Wait{}
	for _, t := range s.turns {
		ref := refOf(t.row)
		if t.send == nil {
			continue
		}
		ticket := ticketFor(v.alert, v.world.parties[ref], *t.send)
		ticket.Call = func() { r.wake.AddFirst(name) }
		bulkhead := r.senders.bulkheads.Of(keyOf(v.alert.Namespace, ref), now)
		if leave, wait := bulkhead.Enter(ticket, now); leave == nil {
			v.queued[ref] = wait
		} else if r.ledger.begin(v.alert, ref, flight{since: now, reminder: t.send.remindEvery > 0, byDefault: t.row.ByDefault}) {
			if t.send.ahead {
				ahead = append(ahead, admitted{t, leave})
			} else {
				sends = append(sends, admitted{t, leave})
			}
		} else {
			leave(now, limiter.Result{Unasked: true}) // the process is being stopped
		}
	}
	for _, ref := range r.ledger.queue(v.alert, v.queued) {
		r.senders.bulkheads.Withdraw(keyOf(v.alert.Namespace, ref), name, now)
	}
	return ahead, sends
}

// ticketFor asks for a slot in the name of the Alert, in its namespace's lane.
func ticketFor(alert *v1beta1.Alert, p receivers.Party, s send) limiter.Ticket {
	if s.remindEvery > 0 {
		return limiter.Ticket{Who: nameOf(alert), Lane: "reminders", Exempt: true}
	}
	return limiter.Ticket{Who: nameOf(alert), Lane: laneOf(alert.Namespace),
		FailingSince: s.failingSince, Misconfigured: int(s.misconfigured), OwnFault: s.ownFault,
		Total: rateOf(p.Spec.RateLimit), PerLane: rateOf(p.NamespaceRateLimit)}
}

func laneOf(namespace string) string { return "namespace " + namespace }

func rateOf(limit *v1beta1.RateLimit) limiter.Rate {
	if limit == nil {
		return limiter.Rate{}
	}
	return limiter.Rate{Count: int(limit.Count), Period: time.Duration(limit.PeriodSeconds) * time.Second}
}

// intend records what is about to be sent where that has to be on record first, and returns the Alert with that.
func (r *AlertReconciler) intend(ctx context.Context, v *view, sends []admitted) (intended *v1beta1.Alert, err error) {
	intended, w := v.alert.DeepCopy(), v.world
	w.underWay = map[v1beta1.ReceiverRef]flight{}
	maps.Copy(w.underWay, v.world.underWay)
	ahead := false
	for _, t := range sends {
		w.underWay[refOf(t.row)] = flight{since: w.now, reminder: t.send.remindEvery > 0}
		if t.send.ahead {
			ahead = true
			putDelivery(intended, intend(deliveryIn(intended.Status.Deliveries, t.row), *t.send, w.now))
		}
	}
	if !ahead {
		return intended, nil
	}
	return intended, r.record(ctx, v, intended, decide(intended, w))
}

// watch is a reconcile that waits for answers.
type watch struct {
	answered chan struct{}
	over     atomic.Bool
}

// attend waits for answers, and records them as they come.
func (r *AlertReconciler) attend(ctx context.Context, v *view, pending int, watch *watch) {
	timeout := time.NewTimer(r.attention)
	defer timeout.Stop()
	for ; pending > 0; pending-- {
		select {
		case <-watch.answered:
		case <-timeout.C:
			watch.over.Store(true)
			return
		}
		if pending == 1 || len(watch.answered) > 0 || !r.renew(v) {
			continue
		}
		next, err := r.decide(ctx, v)
		if err == nil {
			err = r.record(ctx, v, v.alert, next.waiting(v.queued, v.world.now))
		}
		if err != nil {
			log.FromContext(ctx).V(1).Info("Could not record a delivery yet", "error", err.Error())
		}
	}
}

// fly makes a request and brings its outcome to the ledger. The Alert is its own copy.
func (r *AlertReconciler) fly(ctx context.Context, alert *v1beta1.Alert, t admitted, p receivers.Party, watch *watch) {
	o := r.send(ctx, alert, t.turn, p)
	o.verdict = t.leave(o.at, resultOf(o.failure))
	r.health.note(keyOf(alert.Namespace, o.ref), o)
	if !r.ledger.end(alert, o) {
		unsaid(ctx, o)
	}
	watch.answered <- struct{}{}
	if watch.over.Load() {
		r.wake.Add(nameOf(alert))
	}
}

// unasked are reasons for which a receiver was not asked, or not to the end.
var unasked = []string{result.ReasonCanceled, v1beta1.ReasonSecretNotFound, v1beta1.ReasonSecretNotRead}

// resultOf says what a failure means for others' requests. A receiver that refuses
// a message does answer.
func resultOf(failure *result.Error) limiter.Result {
	switch {
	case failure == nil:
		return limiter.Result{}
	case failure.Reason == result.ReasonRateLimited || failure.RetryAfter > 0:
		return limiter.Result{Wish: max(failure.RetryAfter, time.Second)}
	case slices.Contains(unasked, failure.Reason):
		return limiter.Result{Unasked: true}
	case failure.Class == result.Configuration:
		return limiter.Result{Misconfigured: true, Unauthorized: failure.Reason == result.ReasonUnauthorized}
	case failure.Class == result.Permanent, failure.Reason == result.ReasonConflict:
		return limiter.Result{Error: true}
	}
	return limiter.Result{Failed: true}
}

// unsaid leaves a trace of what no status can say any more.
func unsaid(ctx context.Context, o outcome) {
	log.FromContext(ctx).Info("Alert is gone and cannot say what was sent", "receiver", o.ref, "event", o.event)
}

// send makes one request and says what came of it.
func (r *AlertReconciler) send(ctx context.Context, alert *v1beta1.Alert, t turn, p receivers.Party) (o outcome) {
	o = outcome{send: *t.send, ref: refOf(t.row), began: seconds(r.clock.Now()).Time}
	defer func() {
		if broken := recover(); broken != nil { // one message must not take down everybody's
			o.at, o.failure = r.clock.Now(), panicked(ctx, o.ref, broken)
		}
	}()
	receipt, err := r.attempt(ctx, alert, t, &o, p)
	o.at, o.receipt = r.clock.Now(), receipt
	if err != nil {
		o.failure = failureOf(err)
	}
	r.metrics.attempted(alert, p.Spec, o)
	log.FromContext(ctx).V(1).Info("Receiver answered", "receiver", o.ref, "event", o.event, "attempt", o.attempt, "failure", o.failure)
	return o
}

func (r *AlertReconciler) attempt(ctx context.Context, alert *v1beta1.Alert, t turn, o *outcome, p receivers.Party) (result.Receipt, error) {
	sender, version, err := r.senders.of(ctx, alert.Namespace, o.ref, p)
	o.version = version
	if err != nil {
		return result.Receipt{}, err
	}
	return sender.Send(ctx, messageOf(alert, t.row, *o), notify.Key{
		Delivery:   deliveryKey(alert, o.ref, o.sequence, o.hash),
		Incident:   incidentKey(alert, o.ref),
		ExternalID: t.row.ExternalID,
	})
}

func messageOf(a *v1beta1.Alert, row v1beta1.Delivery, o outcome) notify.Message {
	m := notify.Message{
		Event:     o.event,
		UID:       string(a.UID),
		Namespace: a.Namespace,
		Name:      a.Name,
		Title:     a.Spec.Title,
		Content:   a.Spec.Content,
		Severity:  notify.Severity(a.Spec.Severity),
		Receiver:  fmt.Sprintf("%s/%s", o.ref.Kind, o.ref.Name),
		Time:      o.began,
	}
	switch {
	case o.event == result.Fired && o.sequence == 1:
		m.Time = a.CreationTimestamp.Time
	case (o.attempt > 1 || o.remindEvery > 0) && row.FirstAttemptTime != nil: // a repeat is the same message
		m.Time = row.FirstAttemptTime.Time
	}
	return m
}

// panicked is the failure of a provider that did, which leaves a trace.
func panicked(ctx context.Context, ref v1beta1.ReceiverRef, broken any) *result.Error {
	err, _ := broken.(runtime.Error) // the text of another panic may have content
	log.FromContext(ctx).Error(err, "A provider panicked", "receiver", ref)
	return failureOf(nil)
}

// failureOf is what a sender said. An error without a class is of unknown
// outcome: repeating it with the same key is right.
func failureOf(err error) *result.Error {
	if failure, ok := errors.AsType[*result.Error](err); ok {
		return failure
	}
	return &result.Error{Class: result.Unknown, Reason: result.ReasonBadAnswer, Message: "the request failed in a way that has no name"}
}
