// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"errors"
	"maps"
	"slices"
	"sync/atomic"
	"time"

	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/message"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/pager/receivers/endpoints"
	"github.com/gophernetes/bellhop/internal/panics"
)

// answerTimeout is how long a reconcile waits for answers. Later answers are recorded by another reconcile, so that a slow receiver does
// not delay the others.
const answerTimeout = 100 * time.Millisecond

// execute sends the requests of a plan concurrently, and returns when they are answered, or after answerTimeout. Outcomes are recorded while
// other requests are in flight. If it returns an error, the write of the status that has to precede some requests failed: those were not sent.
func (r *Reconciler) execute(ctx context.Context, s *scope, plan alertrules.Plan) error {
	alert := s.alert
	ahead, sends := r.acquireSlots(s, plan)
	watch := &watch{answered: make(chan struct{}, len(ahead)+len(sends))}
	deliverAll := func(batch []acquired) {
		for _, d := range batch {
			go r.deliver(ctx, alert.DeepCopy(), d, s.inputs.Receivers[alertrules.RefOf(d.Row)].Target, watch)
		}
	}
	deliverAll(sends)
	intended, err := r.recordBeforeSending(ctx, s, append(slices.Clone(ahead), sends...))
	if err == nil && len(ahead) > 0 {
		err = r.leadership.Err() // the process may have been stopped meanwhile, and another one have taken over what is on record
	}
	if err == nil {
		for _, d := range ahead {
			r.pending.confirm(alert, alertrules.RefOf(d.Row))
		}
		deliverAll(ahead)
		sends = append(sends, ahead...)
	} else {
		r.abortUnrecorded(alert, intended, ahead, err)
	}
	r.awaitAnswers(ctx, s, len(sends), watch)
	return err
}

// abortUnrecorded drops requests whose record could not be written, or may not have been.
func (r *Reconciler) abortUnrecorded(alert *v1beta1.Alert, intended alertrules.Plan, ahead []acquired, err error) {
	for _, d := range ahead {
		var unsent []intent
		if !errors.Is(err, patch.ErrStale) {
			unsent = []intent{{before: d.Row, after: intended.RowOf(alertrules.RefOf(d.Row))}}
		}
		r.pending.cancel(alert, alertrules.RefOf(d.Row), unsent...)
		d.release(r.clock.Now(), limiter.Result{Outcome: limiter.NotSent})
	}
}

// acquired is a delivery whose request has a slot.
type acquired struct {
	alertrules.DeliveryPlan
	open    alertrules.InFlightRequest
	release limiter.Release
}

// acquireSlots gets a slot for each request of a plan; s.queued are the requests that wait for one.
func (r *Reconciler) acquireSlots(s *scope, plan alertrules.Plan) (ahead, sends []acquired) {
	s.queued = map[v1beta1.ReceiverRef]limiter.Wait{}
	for _, d := range plan.Deliveries {
		if d.Send == nil {
			continue
		}
		got, wait := r.acquireSlot(s, d)
		switch {
		case wait != nil:
			s.queued[alertrules.RefOf(d.Row)] = *wait
		case got != nil && d.Send.WriteAhead:
			ahead = append(ahead, *got)
		case got != nil:
			sends = append(sends, *got)
		}
	}
	for _, ref := range r.pending.queue(s.alert, s.queued) {
		r.leaveQueue(nameOf(s.alert), ref, s.inputs.Now)
	}
	return ahead, sends
}

// acquireSlot gets a slot for a request, and records the request as in flight, or returns the cause for which it waits. It returns neither if the
// process stops.
func (r *Reconciler) acquireSlot(s *scope, d alertrules.DeliveryPlan) (*acquired, *limiter.Wait) {
	name, now, ref := nameOf(s.alert), s.inputs.Now, alertrules.RefOf(d.Row)
	if since := r.pending.awaitRepost(s.alert, ref); !since.IsZero() { // a slot would count for the receiver's rate
		return nil, &limiter.Wait{Since: since, Cause: limiter.Busy}
	}
	ticket := limiterRequest(s.alert, s.inputs.Receivers[ref].Target, d.Row, *d.Send)
	ticket.Notify = func() { r.wake.AddFirst(name) }
	release, wait := r.endpoints.Limiters.Of(endpoints.KeyOf(s.alert.Namespace, ref), now).Enter(ticket, now)
	if release == nil {
		return nil, &wait
	}
	open := alertrules.InFlightRequest{Request: *d.Send, Since: now, Began: r.beginning()}
	began, reposted := r.pending.begin(s.alert, ref, open)
	if began {
		return &acquired{d, open, release}, nil
	}
	release(now, limiter.Result{Outcome: limiter.NotSent})
	if reposted.IsZero() {
		return nil, nil
	}
	return nil, &limiter.Wait{Since: reposted, Cause: limiter.Busy}
}

// leaveQueue ends the waiting of an Alert for a slot at a receiver.
func (r *Reconciler) leaveQueue(name types.NamespacedName, ref v1beta1.ReceiverRef, now time.Time) {
	r.endpoints.Limiters.Cancel(endpoints.KeyOf(name.Namespace, ref), name, now)
}

// postpone gives up the slots that are kept for an Alert, which keeps its places in the queues.
func (r *Reconciler) postpone(a *v1beta1.Alert) {
	for _, ref := range r.pending.queuedAt(a) {
		r.endpoints.Limiters.Postpone(endpoints.KeyOf(a.Namespace, ref), nameOf(a), r.clock.Now())
	}
}

// limiterRequest returns the request for a slot, in the flow of the Alert's namespace.
func limiterRequest(alert *v1beta1.Alert, target alertrules.Target, row v1beta1.Delivery, r alertrules.Request) limiter.Request {
	return limiter.Request{ID: nameOf(alert), Flow: endpoints.FlowOf(alert.Namespace), First: r.First,
		Severity: alertrules.Rank(alert.Spec.Severity), Notifies: r.Event == result.Fired, Due: alertrules.DueSince(alert, row, r),
		FailingSince: r.FailingSince, Misconfigured: int(r.Misconfigured), OwnFault: r.OwnFault,
		Total: rateOf(target.Spec.RateLimit), PerFlow: rateOf(target.NamespaceRateLimit)}
}

func rateOf(limit *v1beta1.RateLimit) limiter.Rate {
	if limit == nil {
		return limiter.Rate{}
	}
	return limiter.Rate{Count: int(limit.Count), Period: time.Duration(limit.PeriodSeconds) * time.Second}
}

// recordBeforeSending records the requests that have to be on record before they are sent (R1), and with them all that are in flight. It returns
// the plan that it recorded.
func (r *Reconciler) recordBeforeSending(ctx context.Context, s *scope, sends []acquired) (intended alertrules.Plan, err error) {
	defer panics.Recover(ctx, panics.Reconciler, "recording requests before they are sent", &err) // the caller returns the slots
	if !slices.ContainsFunc(sends, func(d acquired) bool { return d.Send.WriteAhead }) {
		return alertrules.Plan{}, nil
	}
	in := s.inputs
	in.Receivers = maps.Clone(s.inputs.Receivers)
	for _, d := range sends {
		receiver := in.Receivers[alertrules.RefOf(d.Row)]
		receiver.InFlight = &d.open
		in.Receivers[alertrules.RefOf(d.Row)] = receiver
	}
	intended = alertrules.Decide(s.alert, in)
	return intended, r.record(ctx, s, intended)
}

// watch is a reconcile that waits for answers.
type watch struct {
	answered chan struct{}
	over     atomic.Bool
}

// awaitAnswers waits for answers, and records them as they arrive.
func (r *Reconciler) awaitAnswers(ctx context.Context, s *scope, pending int, watch *watch) {
	timeout := time.NewTimer(r.answerTimeout)
	defer timeout.Stop()
	for ; pending > 0; pending-- {
		select {
		case <-watch.answered:
		case <-timeout.C:
			watch.over.Store(true)
			return
		}
		if pending == 1 || len(watch.answered) > 0 || !r.applyPending(s) {
			continue
		}
		next, err := r.decide(ctx, s)
		if err == nil {
			err = r.record(ctx, s, next.Waiting(s.before, s.queued, s.inputs.Now))
		}
		if err != nil {
			log.FromContext(ctx).V(1).Info("Could not record a delivery yet", "error", err.Error())
		}
	}
}

// deliver sends a request and stores its outcome. The Alert is a copy.
func (r *Reconciler) deliver(ctx context.Context, alert *v1beta1.Alert, d acquired, target alertrules.Target, watch *watch) {
	o := r.send(ctx, alert, d.DeliveryPlan, target)
	o.Verdict = d.release(o.At, endpoints.LimiterResult(o.Failure))
	r.health.ObserveDelivery(endpoints.KeyOf(alert.Namespace, o.Ref), o)
	if !r.pending.end(alert, o) {
		logUnrecorded(ctx, o)
	}
	watch.answered <- struct{}{}
	if watch.over.Load() {
		r.wake.Add(nameOf(alert))
	}
}

// logUnrecorded logs a delivery that no status can record any more.
func logUnrecorded(ctx context.Context, o alertrules.Outcome) {
	log.FromContext(ctx).Info("Alert is gone, a delivery is not recorded", "receiver", o.Ref, "event", o.Event)
}

// send sends one request and returns its outcome.
func (r *Reconciler) send(ctx context.Context, alert *v1beta1.Alert, d alertrules.DeliveryPlan, target alertrules.Target) (o alertrules.Outcome) {
	o = alertrules.Outcome{Request: *d.Send, Ref: alertrules.RefOf(d.Row), Began: r.beginning()}
	defer func() {
		if recovered := recover(); recovered != nil { // a panic for one message must not end the process
			o.At, o.Failure = r.clock.Now(), endpoints.FailureOfPanic(ctx, o.Ref, recovered)
		}
	}()
	receipt, err := r.attempt(ctx, alert, d, &o, target)
	o.At, o.Receipt = r.clock.Now(), receipt
	if err != nil {
		o.Failure = endpoints.FailureOf(err)
	}
	r.metrics.CountAttempt(alert, target.Spec, o)
	log.FromContext(ctx).V(1).Info("Receiver answered", "receiver", o.Ref, "event", o.Event, "attempt", o.Attempt, "failure", o.Failure)
	return o
}

// beginning is when a request that is made now begins, in the API server's time.
func (r *Reconciler) beginning() time.Time {
	return times.Timestamp(r.serverTime().Present(r.clock.Now())).Time
}

func (r *Reconciler) attempt(ctx context.Context, alert *v1beta1.Alert, d alertrules.DeliveryPlan, o *alertrules.Outcome, target alertrules.Target) (result.Receipt, error) {
	sender, version, err := r.endpoints.Sender(ctx, alert.Namespace, o.Ref, target)
	o.Version = version
	if err != nil {
		return result.Receipt{}, err
	}
	return sender.Send(ctx, message.Of(alert, d.Row, o.Request, o.Began), message.KeyOf(alert, d.Row, o.Request))
}
