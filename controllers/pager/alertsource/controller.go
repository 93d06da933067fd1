// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package alertsource reconciles AlertSources: it changes their Alerts as time passes, and writes their status. Posts are stored by the listener of
// each replica, in internal/pager/ingest.
package alertsource

import (
	"context"
	"errors"
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/consistency"
	"github.com/gophernetes/bellhop/internal/kube/enqueue"
	"github.com/gophernetes/bellhop/internal/kube/secrets"
	"github.com/gophernetes/bellhop/internal/pager/ingest"
	"github.com/gophernetes/bellhop/internal/pager/sourcerules"
)

// Reconciler reviews the Alerts of AlertSources, and keeps the status.
type Reconciler struct {
	client client.Client
	cache  client.Reader
	live   client.Reader
	access *ingest.Access
	times  ingest.Times
}

// +kubebuilder:rbac:groups=pager.k8s.co,resources=alertsources,verbs=get;list;watch
// +kubebuilder:rbac:groups=pager.k8s.co,resources=alertsources/status,verbs=patch
// +kubebuilder:rbac:groups=pager.k8s.co,resources=alerts,verbs=create;patch

// Reconcile reviews the Alerts of an AlertSource, and writes its status.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	s := &v1beta1.AlertSource{}
	err := consistency.ReadYourWrites(r.client, r.cache).Get(ctx, req.NamespacedName, s)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, err
	}
	alerts, listErr := r.alertsOf(ctx, req.NamespacedName)
	if listErr != nil {
		return ctrl.Result{}, listErr
	}
	if err != nil || !s.DeletionTimestamp.IsZero() {
		return ctrl.Result{}, r.write(ctx, sourcerules.Orphan(alerts))
	}
	now, servedSince := r.times.Now()
	if now.IsZero() { // no response was received yet, so that nothing ends
		return ctrl.Result{RequeueAfter: time.Second}, nil
	}
	next := r.review(s, alerts, now, servedSince)
	if next.Lapses { // a replica that has refused a post has written it
		if err := r.live.Get(ctx, req.NamespacedName, s); err != nil {
			return ctrl.Result{}, client.IgnoreNotFound(err)
		}
		next = r.review(s, alerts, now, servedSince)
	}
	if err := r.write(ctx, next.Writes); err != nil {
		return ctrl.Result{}, err
	}
	isReadable, err := r.record(ctx, s, alerts, now)
	if errors.Is(err, secrets.ErrBusy) {
		return ctrl.Result{RequeueAfter: time.Second}, nil
	}
	if err != nil {
		return ctrl.Result{}, client.IgnoreNotFound(err)
	}
	result := enqueue.Requeue(next.Wake, now)
	if !isReadable && (result.RequeueAfter == 0 || result.RequeueAfter > retryUnreadable) {
		result.RequeueAfter = retryUnreadable
	}
	return result, nil
}

// review decides which changes are due with time. Without a listener it returns no changes: the source cannot be heard.
func (r *Reconciler) review(s *v1beta1.AlertSource, alerts []v1beta1.Alert, now, servedSince time.Time) sourcerules.Plan {
	if r.times.IsOff() {
		return sourcerules.Plan{}
	}
	in := sourcerules.Inputs{Source: s, Alerts: alerts, Now: now, ServedSince: servedSince, Series: sourcerules.SeriesOf(s)}
	if at := s.Status.LastReceivedTime; at != nil {
		in.LastReceived = at.Time
	}
	return sourcerules.Review(in)
}

// alertsOf returns the Alerts of a source as the cache has them: they are to be left as they are.
func (r *Reconciler) alertsOf(ctx context.Context, name types.NamespacedName) ([]v1beta1.Alert, error) {
	var alerts v1beta1.AlertList
	err := r.cache.List(ctx, &alerts, client.InNamespace(name.Namespace), client.MatchingLabels{v1beta1.AlertSourceLabel: name.Name}, client.UnsafeDisableDeepCopy)
	return alerts.Items, err
}

// write writes Alerts. A conflict is no error: the watch shows the other write, and the source is reconciled again.
func (r *Reconciler) write(ctx context.Context, writes []sourcerules.Write) error {
	_, err := ingest.Write(ctx, r.client, writes)
	if ingest.IsConflict(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("writing Alerts: %w", err)
	}
	return nil
}

// record writes the status, but for the time of the last post, which the listeners write. It reports whether the operator may read the Secret.
func (r *Reconciler) record(ctx context.Context, s *v1beta1.AlertSource, alerts []v1beta1.Alert, now time.Time) (isReadable bool, err error) {
	problem, err := r.access.Problem(ctx, s)
	if err != nil {
		return false, err
	}
	isReadable = problem == nil || problem.Reason != v1beta1.ReasonSecretNotRead
	after := s.DeepCopy()
	after.Status = evaluate(s, observation{isOff: r.times.IsOff(), secretProblem: problem, firing: sourcerules.CountFiring(s, alerts)}, now)
	if equality.Semantic.DeepEqual(s.Status, after.Status) {
		return isReadable, nil
	}
	return isReadable, r.client.Status().Patch(ctx, after, client.MergeFrom(s))
}

// sourceOf returns the AlertSource of an Alert.
func sourceOf(o client.Object) []reconcile.Request {
	name := o.GetLabels()[v1beta1.AlertSourceLabel]
	if name == "" {
		return nil
	}
	return []reconcile.Request{{NamespacedName: types.NamespacedName{Namespace: o.GetNamespace(), Name: name}}}
}

// withSecret returns the AlertSources that use a Secret.
func (r *Reconciler) withSecret(ctx context.Context, secret client.Object) (requests []reconcile.Request) {
	var sources v1beta1.AlertSourceList
	if err := r.cache.List(ctx, &sources, client.InNamespace(secret.GetNamespace()), client.UnsafeDisableDeepCopy); err != nil {
		return nil // only while the cache stops
	}
	for i := range sources.Items {
		if ref := sources.Items[i].Spec.SecretRef; ref != nil && ref.Name == secret.GetName() {
			requests = append(requests, reconcile.Request{NamespacedName: client.ObjectKeyFromObject(&sources.Items[i])})
		}
	}
	return requests
}
