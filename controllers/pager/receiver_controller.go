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
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/util/workqueue"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/event"
	"sigs.k8s.io/controller-runtime/pkg/handler"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/consistency"
	"github.com/gophernetes/bellhop/internal/enqueue"
	lifecycle "github.com/gophernetes/bellhop/internal/lifecycle/alert"
	"github.com/gophernetes/bellhop/internal/limiter"
	"github.com/gophernetes/bellhop/internal/notify"
	"github.com/gophernetes/bellhop/internal/notify/result"
	"github.com/gophernetes/bellhop/internal/patch"
	"github.com/gophernetes/bellhop/internal/receivers"
)

const (
	// statusEvery is the interval between writes of a receiver's counts, urgentEvery that between writes of its conditions.
	statusEvery, urgentEvery = 10 * time.Second, time.Second
	// askPatience is how long a probe takes before the status says so.
	askPatience = time.Second
	// countAfter is the delay between a change of an Alert and the count of waiting Alerts.
	countAfter = 2 * time.Second
	// maxAsked bounds the concurrent probes.
	maxAsked = 32
)

// ReceiverReconciler keeps the status of the receivers of one kind.
type ReceiverReconciler struct {
	client  client.Client
	kind    v1beta1.ReceiverKind
	book    receivers.Resolver
	senders *senders
	health  *health
	asked   chan struct{} // a slot for each receiver that is being asked
	clock   clock.PassiveClock
	wake    enqueue.Enqueuer
}

// +kubebuilder:rbac:groups=pager.k8s.co,resources=receivers/status;clusterreceivers/status,verbs=patch

// Reconcile observes, evaluates, probes and records.
func (r *ReceiverReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	receiver := receivers.NewOf(r.kind)
	key := keyOf(req.Namespace, v1beta1.ReceiverRef{Kind: r.kind, Name: req.Name})
	if err := consistency.ReadYourWrites(r.client, r.book.Cache).Get(ctx, req.NamespacedName, receiver); err != nil {
		r.health.forget(key)
		r.senders.recovered.forget(key)
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	if !receiver.GetDeletionTimestamp().IsZero() {
		return ctrl.Result{}, nil
	}
	party, err := r.book.Of(ctx, receiver)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("looking up the Secret: %w", err)
	}
	isIdentified := r.senders.identify(ctx, req.Namespace, key.ref, &party)
	seen, now := r.health.of(key), r.clock.Now()
	endpoint := r.senders.limiters.Of(key, now)
	if isIdentified {
		endpoint.Reset(party.Version, now)
	}
	seen.probeAt, seen.slow = endpoint.NextProbe()
	next := examine(receiver, party, seen, receiver.CommonStatus().Waiting, now)
	if next.ask {
		return r.ask(ctx, key, party), nil
	}
	due := seen.written.Add(statusEvery)
	if next.urgent {
		due = seen.written.Add(urgentEvery)
	}
	if now.Before(due) {
		return enqueue.Requeue(lifecycle.Earliest(next.wake, due), now), nil
	}
	return r.record(ctx, receiver, key, party, seen)
}

// record counts the waiting Alerts, and writes the status.
func (r *ReceiverReconciler) record(ctx context.Context, receiver v1beta1.ReceiverObject, key senderKey, party lifecycle.Target, seen sighting) (ctrl.Result, error) {
	waiting, err := r.waiting(ctx, key)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("counting what waits: %w", err)
	}
	now := r.clock.Now()
	next := examine(receiver, party, seen, waiting, now)
	if next.ask {
		return r.ask(ctx, key, party), nil
	}
	result := enqueue.Requeue(next.wake, now)
	if equality.Semantic.DeepEqual(*receiver.CommonStatus(), next.status) {
		return result, nil
	}
	if err := patch.Status(ctx, r.client, receiver, next.status); err != nil {
		return patch.RequeueOnConflict(ctx, ctrl.Result{}, err)
	}
	r.health.update(key, func(s *sighting) bool { s.written = now; return false })
	return result, nil
}

// waiting counts the Alerts with an unconfirmed delivery to a receiver.
func (r *ReceiverReconciler) waiting(ctx context.Context, key senderKey) (n int32, err error) {
	alerts, err := alertsWaitingFor(ctx, r.book.Cache, key.namespace, key.ref)
	for i := range alerts {
		if hasOpen(&alerts[i], key.ref) {
			n++
		}
	}
	return n, err
}

// ask probes a receiver in the background, so that a receiver that hangs does not delay the others. The receiver is reconciled again
// with the answer, or after askPatience.
func (r *ReceiverReconciler) ask(ctx context.Context, key senderKey, p lifecycle.Target) ctrl.Result {
	r.health.update(key, func(s *sighting) bool { s.asking = true; return false })
	go func() {
		r.asked <- struct{}{}
		defer func() { <-r.asked }()
		v := r.probe(ctx, key, p)
		now := r.clock.Now()
		r.health.update(key, func(s *sighting) bool {
			s.asking = false
			if s.verdict.settled(v.version) {
				return true // a delivery was faster
			}
			if s.verdict.version != v.version {
				s.asked = 0
			}
			s.asked++
			s.next = now.Add(lifecycle.Backoff(key.ref.Name, s.asked))
			if v.failure != nil && v.failure.Class == result.Configuration {
				s.next = now.Add(limiter.MisconfigurationDelay(int(s.asked)))
			}
			s.verdict = v
			if v.failure != nil {
				s.failed, s.lastError = now, v.failure.Message
			}
			return true
		})
	}()
	return ctrl.Result{RequeueAfter: askPatience}
}

func (r *ReceiverReconciler) probe(ctx context.Context, key senderKey, p lifecycle.Target) (v verdict) {
	v.version = p.Version
	defer func() {
		if broken := recover(); broken != nil { // a panic for one receiver must not end the process
			v.failure = panicked(ctx, key.ref, broken)
		}
	}()
	sender, version, err := r.senders.of(ctx, key.namespace, key.ref, p)
	v.version = version
	if err == nil {
		prober, ok := sender.(notify.Prober)
		if !ok {
			v.untried = true
			return v
		}
		err = prober.Probe(ctx)
	}
	if err != nil {
		v.failure = failureOf(err)
	}
	return v
}

// withSecret returns the receivers of the kind that use a Secret.
func (r *ReceiverReconciler) withSecret(ctx context.Context, secret client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, receiver := range r.book.WithSecret(ctx, secret) {
		if receivers.KindOf(receiver) == r.kind {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(receiver)})
		}
	}
	return requests
}

// countLater reconciles the receivers of a changed Alert after countAfter.
func (r *ReceiverReconciler) countLater() handler.EventHandler {
	type queue = workqueue.TypedRateLimitingInterface[reconcile.Request]
	later := func(q queue, alerts ...client.Object) {
		for _, obj := range alerts {
			a := obj.(*v1beta1.Alert)
			refs := slices.Clone(a.Spec.ReceiverRefs)
			for _, row := range a.Status.Deliveries {
				refs = append(refs, lifecycle.RefOf(row))
			}
			for _, ref := range refs {
				if ref.Kind == r.kind {
					key := keyOf(a.Namespace, ref)
					q.AddAfter(reconcile.Request{NamespacedName: types.NamespacedName{Namespace: key.namespace, Name: ref.Name}}, countAfter)
				}
			}
		}
	}
	return handler.Funcs{
		CreateFunc: func(_ context.Context, e event.CreateEvent, q queue) { later(q, e.Object) },
		UpdateFunc: func(_ context.Context, e event.UpdateEvent, q queue) { later(q, e.ObjectOld, e.ObjectNew) },
		DeleteFunc: func(_ context.Context, e event.DeleteEvent, q queue) { later(q, e.Object) },
	}
}
