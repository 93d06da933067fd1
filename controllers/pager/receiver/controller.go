// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package receiver reconciles Receivers and ClusterReceivers: it probes them, and writes the results of probes and deliveries into their status. It
// decides nothing about deliveries.
package receiver

import (
	"context"
	"fmt"
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/consistency"
	"github.com/gophernetes/bellhop/internal/kube/enqueue"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/notify"
	"github.com/gophernetes/bellhop/internal/pager/notify/result"
	"github.com/gophernetes/bellhop/internal/pager/receivers"
	"github.com/gophernetes/bellhop/internal/pager/receivers/endpoints"
)

const (
	// statusEvery is the interval between writes of a receiver's counts, urgentEvery that between writes of its conditions.
	statusEvery, urgentEvery = 10 * time.Second, time.Second
	// probeConditionDelay is how long a probe takes before the status says so.
	probeConditionDelay = time.Second
	// countAfter is the delay between a change of an Alert and the count of waiting Alerts.
	countAfter = 2 * time.Second
	// maxProbes bounds the concurrent probes of receivers of a kind, maxProbesPerNamespace bounds them for receivers of a namespace.
	maxProbes, maxProbesPerNamespace = 32, 4
	// probeTimeout bounds a probe, also where the receiver's own timeout is longer.
	probeTimeout = 10 * time.Second
)

// Reconciler keeps the status of the receivers of one kind.
type Reconciler struct {
	client    client.Client
	kind      v1beta1.ReceiverKind
	resolver  receivers.Resolver
	secrets   secrets.Metadata
	endpoints *endpoints.Cache
	health    *endpoints.Health
	probes    *limiter.Pool
	clock     clock.PassiveClock
	wake      enqueue.Enqueuer
}

// +kubebuilder:rbac:groups=pager.k8s.co,resources=receivers/status;clusterreceivers/status,verbs=patch

// Reconcile observes, evaluates, probes and records.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	receiver := receivers.NewOf(r.kind)
	key := endpoints.KeyOf(req.Namespace, v1beta1.ReceiverRef{Kind: r.kind, Name: req.Name})
	if err := consistency.ReadYourWrites(r.client, r.resolver.Cache).Get(ctx, req.NamespacedName, receiver); err != nil {
		if apierrors.IsNotFound(err) {
			return r.forget(ctx, key)
		}
		return ctrl.Result{}, err
	}
	if !receiver.GetDeletionTimestamp().IsZero() {
		return r.dropUnusedSender(ctx, key)
	}
	target, err := r.resolver.Of(ctx, receiver)
	if endpoints.IsBusy(err) {
		return ctrl.Result{RequeueAfter: endpoints.BusyDelay}, nil
	}
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("looking up the Secret: %w", err)
	}
	hasVersion, err := r.endpoints.SetVersion(ctx, req.Namespace, key.Ref, &target)
	if endpoints.IsBusy(err) { // another worker reads the Secret
		return ctrl.Result{RequeueAfter: endpoints.BusyDelay}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	result, err := r.reconcileStatus(ctx, receiver, key, target, hasVersion)
	if err != nil || !target.ResolvesOnly {
		return result, err
	}
	kept, err := r.dropUnusedSender(ctx, key)
	return enqueue.Sooner(result, kept.RequeueAfter), err
}

// reconcileStatus evaluates a receiver, and probes it or writes its status.
func (r *Reconciler) reconcileStatus(ctx context.Context, receiver v1beta1.ReceiverObject, key endpoints.Key, target alertrules.Target, hasVersion bool) (ctrl.Result, error) {
	seen, now := r.health.Of(key), r.clock.Now()
	if ref := target.Spec.SecretRef; ref != nil && !seen.Failed.IsZero() { // perhaps there are other credentials
		r.secrets.ReadSoon(ctx, types.NamespacedName{Namespace: target.SecretNamespace, Name: ref.Name}, seen.Failed)
	}
	endpoint := r.endpoints.Limiters.Of(key, now)
	if hasVersion {
		endpoint.Reset(target.Version, now)
	}
	seen.NextDelivery, seen.Slow = endpoint.NextProbe()
	next := evaluate(receiver, target, seen, receiver.CommonStatus().Waiting, now)
	if next.probe {
		return r.startProbe(ctx, key, target), nil
	}
	due := seen.Written.Add(statusEvery)
	if next.urgent {
		due = seen.Written.Add(urgentEvery)
	}
	if now.Before(due) {
		return enqueue.Requeue(times.Earliest(next.requeueAt, due), now), nil
	}
	return r.record(ctx, receiver, key, target, seen)
}

// forget drops the state of a receiver that was deleted, except for the sender that Alerts need for their resolves.
func (r *Reconciler) forget(ctx context.Context, key endpoints.Key) (ctrl.Result, error) {
	r.health.Forget(key)
	r.endpoints.Recoveries.Forget(key)
	if _, err := r.endpoints.SetVersion(ctx, key.Namespace, key.Ref, &alertrules.Target{}); err != nil {
		return ctrl.Result{}, err
	}
	return r.dropUnusedSender(ctx, key)
}

// dropUnusedSender drops the sender that is kept of a receiver once no Alert needs it for a resolve, and at the end of its time.
func (r *Reconciler) dropUnusedSender(ctx context.Context, key endpoints.Key) (ctrl.Result, error) {
	until := r.endpoints.KeptUntil(key)
	if until.IsZero() {
		return ctrl.Result{}, nil
	}
	var alerts v1beta1.AlertList
	if err := r.resolver.Cache.List(ctx, &alerts, client.InNamespace(key.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return ctrl.Result{}, fmt.Errorf("looking for Alerts that the receiver holds: %w", err)
	}
	mayHold := func(a v1beta1.Alert) bool { return alertrules.MayHoldPage(&a, key.Ref) }
	if !slices.ContainsFunc(alerts.Items, mayHold) {
		r.endpoints.DropKept(key)
		return ctrl.Result{}, nil
	}
	return enqueue.Requeue(until, r.clock.Now()), nil
}

// record counts the waiting Alerts, and writes the status.
func (r *Reconciler) record(ctx context.Context, receiver v1beta1.ReceiverObject, key endpoints.Key, target alertrules.Target, seen endpoints.Observation) (ctrl.Result, error) {
	waiting, err := r.waiting(ctx, key)
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("counting what waits: %w", err)
	}
	now := r.clock.Now()
	next := evaluate(receiver, target, seen, waiting, now)
	if next.probe {
		return r.startProbe(ctx, key, target), nil
	}
	result := enqueue.Requeue(next.requeueAt, now)
	if equality.Semantic.DeepEqual(*receiver.CommonStatus(), next.status) {
		return result, nil
	}
	if err := patch.Status(ctx, r.client, receiver, next.status); err != nil {
		return patch.RequeueOnConflict(ctx, ctrl.Result{}, err)
	}
	r.health.Update(key, func(seen *endpoints.Observation) bool { seen.Written = now; return false })
	return result, nil
}

// waiting counts the Alerts with an unconfirmed delivery to a receiver.
func (r *Reconciler) waiting(ctx context.Context, key endpoints.Key) (n int32, err error) {
	alerts, err := receivers.AlertsFor(ctx, r.resolver.Cache, key.Namespace, key.Ref)
	for i := range alerts {
		if hasOpen(&alerts[i], key.Ref) {
			n++
		}
	}
	return n, err
}

// startProbe probes a receiver in the background, so that a receiver that hangs does not delay the others. The receiver is reconciled again
// with the answer, or after probeConditionDelay.
func (r *Reconciler) startProbe(ctx context.Context, key endpoints.Key, target alertrules.Target) ctrl.Result {
	r.health.Update(key, func(seen *endpoints.Observation) bool { seen.Probing = true; return false })
	r.probes.Go(key.Namespace, func() {
		proof := r.probe(ctx, key, target)
		now := r.clock.Now()
		r.health.Update(key, func(seen *endpoints.Observation) bool {
			seen.Probing = false
			if seen.Proof.IsFinal(proof.Version) {
				return true // a delivery was faster
			}
			if seen.Proof.Version != proof.Version {
				seen.Probes = 0
			}
			seen.Probes++
			seen.NextProbe = now.Add(alertrules.Backoff(key.Ref.Name, seen.Probes))
			if proof.Failure != nil && proof.Failure.Class == result.Configuration {
				seen.NextProbe = now.Add(limiter.MisconfigurationDelay(int(seen.Probes)))
			}
			seen.Proof = proof
			if proof.Failure != nil {
				seen.Failed, seen.LastError = now, proof.Failure.Message
			}
			return true
		})
	})
	return ctrl.Result{RequeueAfter: probeConditionDelay}
}

func (r *Reconciler) probe(ctx context.Context, key endpoints.Key, target alertrules.Target) (proof endpoints.Proof) {
	proof.Version = target.Version
	defer func() {
		if recovered := recover(); recovered != nil { // a panic for one receiver must not end the process
			proof.Failure = endpoints.FailureOfPanic(ctx, key.Ref, recovered)
		}
	}()
	sender, version, err := r.endpoints.Sender(ctx, key.Namespace, key.Ref, target)
	proof.Version = version
	if err == nil {
		if prober, ok := sender.(notify.Prober); ok {
			ctx, cancel := context.WithTimeout(ctx, probeTimeout)
			defer cancel()
			err = notify.NotSent(prober.Probe(ctx))
		} else {
			err = r.endpoints.CheckAddress(ctx, key.Namespace, key.Ref, target)
			proof.NotProbed = err == nil
		}
	}
	if err != nil {
		proof.Failure = endpoints.FailureOf(err)
	}
	return proof
}

// withSecret returns the receivers of the kind that use a Secret.
func (r *Reconciler) withSecret(ctx context.Context, secret client.Object) []reconcile.Request {
	var requests []reconcile.Request
	for _, receiver := range r.resolver.WithSecret(ctx, secret) {
		if receivers.KindOf(receiver) == r.kind {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(receiver)})
		}
	}
	return requests
}

// receiversOf returns the receivers of the kind that an Alert names, or has sent to.
func (r *Reconciler) receiversOf(o client.Object) (requests []reconcile.Request) {
	a := o.(*v1beta1.Alert)
	refs := slices.Clone(a.Spec.ReceiverRefs)
	for _, row := range a.Status.Deliveries {
		refs = append(refs, alertrules.RefOf(row))
	}
	for _, ref := range refs {
		if ref.Kind == r.kind {
			key := endpoints.KeyOf(a.Namespace, ref)
			requests = append(requests, reconcile.Request{NamespacedName: types.NamespacedName{Namespace: key.Namespace, Name: ref.Name}})
		}
	}
	return requests
}
