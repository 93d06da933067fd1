// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alert

import (
	"context"
	"errors"
	"fmt"
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
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/pager/receivers/endpoints"
	"github.com/gophernetes/bellhop/internal/pager/sourcerules"
	"github.com/gophernetes/bellhop/internal/panics"
)

// answerTimeout is how long a reconcile waits for answers. Later answers are recorded by another reconcile, so that a slow receiver does
// not delay the others.
const answerTimeout = 100 * time.Millisecond

// execute sends the requests of a plan concurrently, and returns when they are answered, or after answerTimeout. Outcomes are recorded while
// other requests are in flight. After an error a status could not be written before its requests, which were not sent.
func (r *Reconciler) execute(ctx context.Context, s *scope, plan alertrules.Plan) error {
	alert, targets := s.alert, s.inputs.Targets
	ahead, sends := r.acquireSlots(s, plan)
	watch := &watch{answered: make(chan struct{}, len(ahead)+len(sends))}
	deliverAll := func(sends []acquired) {
		for _, d := range sends {
			go r.deliver(ctx, alert.DeepCopy(), d, targets[alertrules.RefOf(d.Row)], watch)
		}
	}
	deliverAll(sends)
	intended, err := r.writeAhead(ctx, s, append(slices.Clone(ahead), sends...))
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
	name, now := nameOf(s.alert), s.inputs.Now
	s.queued = map[v1beta1.ReceiverRef]limiter.Wait{}
	for _, d := range plan.Deliveries {
		ref := alertrules.RefOf(d.Row)
		key := endpoints.KeyOf(s.alert.Namespace, ref)
		switch {
		case d.Send == nil:
			continue
		case d.Send.RepostEvery > 0:
			r.endpoints.Limiters.Cancel(key, name, now)
			s.queued[ref] = r.reposts.add(key, s.inputs.Targets[ref], &repost{alert: s.alert, plan: d, alone: r.pending.isAlone(s.alert, ref)})
			continue
		}
		r.reposts.cancel(key, name)
		ticket := limiterRequest(s.alert, s.inputs.Targets[ref], d.Row, *d.Send)
		ticket.Notify = func() { r.wake.AddFirst(name) }
		endpoint := r.endpoints.Limiters.Of(key, now)
		if release, wait := endpoint.Enter(ticket, now); release == nil {
			s.queued[ref] = wait
		} else if open := (alertrules.InFlightRequest{Request: *d.Send, Since: now, Began: r.beginning()}); r.pending.begin(s.alert, ref, open) {
			if d.Send.WriteAhead {
				ahead = append(ahead, acquired{d, open, release})
			} else {
				sends = append(sends, acquired{d, open, release})
			}
		} else {
			release(now, limiter.Result{Outcome: limiter.NotSent}) // the process stops, or the answer to a repost is waited for
		}
	}
	for _, ref := range r.pending.queue(s.alert, s.queued) {
		r.leaveQueue(name, ref, now)
	}
	return ahead, sends
}

// leaveQueue ends the waiting of an Alert for a slot at a receiver.
func (r *Reconciler) leaveQueue(name types.NamespacedName, ref v1beta1.ReceiverRef, now time.Time) {
	key := endpoints.KeyOf(name.Namespace, ref)
	r.endpoints.Limiters.Cancel(key, name, now)
	r.reposts.cancel(key, name)
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

// writeAhead records the requests that have to be on record before they are sent (R1), and with them all that are in flight. It returns
// the plan that it recorded.
func (r *Reconciler) writeAhead(ctx context.Context, s *scope, sends []acquired) (intended alertrules.Plan, err error) {
	defer panics.Recover(ctx, panics.Reconciler, "recording requests before they are sent", &err) // the caller returns the slots
	if !slices.ContainsFunc(sends, func(d acquired) bool { return d.Send.WriteAhead }) {
		return alertrules.Plan{}, nil
	}
	in := s.inputs
	in.InFlight = map[v1beta1.ReceiverRef]alertrules.InFlightRequest{}
	maps.Copy(in.InFlight, s.inputs.InFlight)
	for _, d := range sends {
		in.InFlight[alertrules.RefOf(d.Row)] = d.open
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
	o.Verdict = d.release(o.At, resultOf(o.Failure))
	r.health.ObserveDelivery(endpoints.KeyOf(alert.Namespace, o.Ref), o)
	if !r.pending.end(alert, o) {
		logUnrecorded(ctx, o)
	}
	watch.answered <- struct{}{}
	if watch.over.Load() {
		r.wake.Add(nameOf(alert))
	}
}

// unasked are the reasons of requests that were not sent, or were canceled, or ended with a panic, which says nothing of the receiver.
var unasked = []string{result.ReasonInternalError, result.ReasonCanceled, v1beta1.ReasonSecretNotFound, v1beta1.ReasonSecretNotRead}

// resultOf returns what a failure means for other requests to the receiver. A refusal is an answer.
func resultOf(failure *result.Error) limiter.Result {
	switch {
	case failure == nil:
		return limiter.Result{}
	case failure.Reason == result.ReasonRateLimited || failure.RetryAfter > 0:
		return limiter.Result{Outcome: limiter.Throttled, RetryAfter: failure.RetryAfter, MayHaveArrived: failure.Class == result.Unknown}
	case slices.Contains(unasked, failure.Reason):
		return limiter.Result{Outcome: limiter.NotSent}
	case failure.Class == result.Configuration && failure.Reason == result.ReasonUnauthorized:
		return limiter.Result{Outcome: limiter.Unauthorized}
	case failure.Class == result.Configuration:
		return limiter.Result{Outcome: limiter.Misconfigured}
	case failure.Partial != "": // it took the message for others
		return limiter.Result{}
	case failure.Class == result.Permanent, failure.Class == result.Unconfirmed, failure.Reason == result.ReasonConflict:
		return limiter.Result{Outcome: limiter.Refused}
	}
	return limiter.Result{Outcome: limiter.Unavailable}
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
	now := r.serverTime()
	if now.IsZero() {
		now = r.clock.Now()
	}
	return times.Timestamp(now).Time
}

func (r *Reconciler) attempt(ctx context.Context, alert *v1beta1.Alert, d alertrules.DeliveryPlan, o *alertrules.Outcome, target alertrules.Target) (result.Receipt, error) {
	sender, version, err := r.endpoints.Sender(ctx, alert.Namespace, o.Ref, target)
	o.Version = version
	if err != nil {
		return result.Receipt{}, err
	}
	return sender.Send(ctx, messageOf(alert, d.Row, *o), keyOf(alert, d.Row, *o))
}

func keyOf(a *v1beta1.Alert, row v1beta1.Delivery, o alertrules.Outcome) notify.Key {
	return notify.Key{
		Delivery:   alertrules.DeliveryKey(a, o.Ref, o.Sequence, o.Hash),
		Incident:   alertrules.IncidentKey(a, o.Ref),
		ExternalID: row.ExternalID,
		Partial:    o.Partial,
	}
}

// instancesOf returns the instances that the content of an Alert has: those that wait have not joined it.
func instancesOf(a *v1beta1.Alert) (instances []notify.Instance) {
	joined := slices.DeleteFunc(slices.Clone(a.Spec.Instances), func(i v1beta1.AlertInstance) bool { return i.Waiting })
	lines := sourcerules.Lines(joined)
	for n, i := range joined {
		instance := notify.Instance{Key: i.Key, Text: lines[n]}
		if i.StartsAt != nil {
			instance.StartsAt = i.StartsAt.Time
		}
		if i.EndsAt != nil {
			instance.EndsAt = i.EndsAt.Time
		}
		instances = append(instances, instance)
	}
	return instances
}

// maxTitle is the schema's limit of a title, in characters. The schema of v1alpha1 does not see the annotation that is the title there,
// and the webhook that does may be ignored.
const maxTitle = 256

func messageOf(a *v1beta1.Alert, row v1beta1.Delivery, o alertrules.Outcome) notify.Message {
	title, _ := notify.Cut(a.Spec.Title, maxTitle, func(rune) int { return 1 })
	m := notify.Message{
		Event:      o.Event,
		UID:        string(a.UID),
		Namespace:  a.Namespace,
		Name:       a.Name,
		RawTitle:   title,
		RawContent: a.Spec.Content,
		Severity:   notify.Severity(a.Spec.Severity),
		Receiver:   fmt.Sprintf("%s/%s", o.Ref.Kind, o.Ref.Name),
		Time:       o.Began,
		Quiet:      o.Quiet,
		Continues:  o.Continues,
		Last:       o.Last,

		AttemptTime:  o.Began,
		BelowMinimum: notify.Severity(o.BelowMinimum),
	}
	for _, link := range a.Spec.Links {
		m.RawLinks = append(m.RawLinks, notify.Link{Text: link.Text, Href: link.Href})
	}
	m.RawInstances = instancesOf(a)
	switch {
	case o.Event == result.Fired && o.Sequence == 1:
		m.Time = a.CreationTimestamp.Time
	case (o.Attempt > 1 || o.RepostEvery > 0) && row.FirstAttemptTime != nil: // a repeat is the same message
		m.Time = row.FirstAttemptTime.Time
	}
	return m
}
