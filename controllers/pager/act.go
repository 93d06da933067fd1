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
	"runtime"
	"time"

	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/notify"
)

// act makes the requests of a step, all at once, and folds their outcomes into
// alert. What came is recorded while others are still under way. It says whether
// any was made, and since when those wait whose receiver has no slot.
func (r *AlertReconciler) act(ctx context.Context, before, alert *v1beta1.Alert, s step, w world) (acted bool, queued map[v1beta1.ReceiverRef]time.Time) {
	outcomes := make(chan outcome, len(s.turns))
	queued = map[v1beta1.ReceiverRef]time.Time{}
	pending := 0
	for _, t := range s.turns {
		if t.send == nil {
			continue
		}
		if started, since := r.start(ctx, alert.DeepCopy(), t, w, outcomes); started {
			pending++
		} else {
			queued[refOf(t.row)] = since
		}
	}
	acted = pending > 0
	for ; pending > 0; pending-- {
		o := <-outcomes
		r.ledger.add(alert, o)
		applyOutcome(alert, o)
		if pending > 1 && len(outcomes) == 0 {
			w.now = r.clock.Now()
			if err := r.record(ctx, before, alert, decide(alert, w).waiting(queued, w.now), w); err != nil {
				log.FromContext(ctx).V(1).Info("Could not record a delivery yet", "error", err.Error())
			}
		}
	}
	return acted, queued
}

// start makes a request in the background, if its receiver has a slot. The Alert
// is the request's own copy.
func (r *AlertReconciler) start(ctx context.Context, alert *v1beta1.Alert, t turn, w world, outcomes chan<- outcome) (started bool, since time.Time) {
	bulkhead, name := &r.senders.at(alert.Namespace, refOf(t.row)).bulkhead, nameOf(alert)
	if entered, since := bulkhead.Enter(name, w.now, func() { r.wake.add(name) }); !entered {
		return false, since
	}
	go func() {
		o := r.send(ctx, alert, t, w)
		bulkhead.Leave(o.at, o.failure != nil && o.failure.Reason == notify.ReasonTimeout)
		outcomes <- o
	}()
	return true, w.now
}

// send makes one request and says what came of it.
func (r *AlertReconciler) send(ctx context.Context, alert *v1beta1.Alert, t turn, w world) (o outcome) {
	o = outcome{send: *t.send, ref: refOf(t.row), began: seconds(w.now).Time}
	defer func() {
		if broken := recover(); broken != nil { // one message must not take down everybody's
			err, _ := broken.(runtime.Error) // the text of another panic may have content
			log.FromContext(ctx).Error(err, "A provider panicked", "receiver", o.ref)
			o.at, o.failure = r.clock.Now(), failureOf(nil)
		}
	}()
	receipt, err := r.attempt(ctx, alert, t, o, w)
	o.at, o.receipt = r.clock.Now(), receipt
	if err != nil {
		o.failure = failureOf(err)
	}
	r.metrics.attempted(alert, w.parties[o.ref].Spec, o)
	log.FromContext(ctx).V(1).Info("Receiver answered", "receiver", o.ref, "event", o.event, "attempt", o.attempt, "failure", o.failure)
	return o
}

func (r *AlertReconciler) attempt(ctx context.Context, alert *v1beta1.Alert, t turn, o outcome, w world) (notify.Receipt, error) {
	sender, err := r.senders.of(ctx, alert.Namespace, o.ref, w.parties[o.ref])
	if err != nil {
		return notify.Receipt{}, err
	}
	return sender.Send(ctx, messageOf(alert, t.row, o), notify.Key{
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
	case o.event == notify.Fired:
		m.Time = a.CreationTimestamp.Time
	case o.attempt > 1 && row.FirstAttemptTime != nil: // a repeat is the same message
		m.Time = row.FirstAttemptTime.Time
	}
	return m
}

// failureOf is what a sender said. An error without a class is of unknown
// outcome: repeating it with the same key is right.
func failureOf(err error) *notify.Error {
	if failure, ok := errors.AsType[*notify.Error](err); ok {
		return failure
	}
	return &notify.Error{Class: notify.Unknown, Reason: notify.ReasonBadAnswer, Message: "the request failed in a way that has no name"}
}
