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
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube"
	"github.com/gophernetes/bellhop/internal/receivers"
)

// recordTimeout is how long a write may take that says what has happened. It is
// not cut short when the process is asked to stop.
const recordTimeout = 10 * time.Second

// AlertReconciler brings Alerts to their receivers.
type AlertReconciler struct {
	client   client.Client // reads are from the cache and show our own writes
	fresh    *kube.Freshness
	book     receivers.Book
	senders  *senders
	recorder events.EventRecorder
	metrics  *metrics
	clock    clock.PassiveClock
	ledger   ledger
	wake     wakeups
}

// +kubebuilder:rbac:groups=pager.k8s.co,resources=alerts,verbs=get;list;watch;patch;delete
// +kubebuilder:rbac:groups=pager.k8s.co,resources=alerts/status,verbs=patch
// +kubebuilder:rbac:groups=pager.k8s.co,resources=receivers;clusterreceivers,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets;namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch;update

// Reconcile reads, decides, acts and records.
func (r *AlertReconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	before := &v1beta1.Alert{}
	err := r.client.Get(ctx, req.NamespacedName, before)
	if client.IgnoreNotFound(err) != nil {
		return ctrl.Result{}, err
	}
	for _, o := range r.ledger.drop(req.NamespacedName, before.UID) {
		log.FromContext(ctx).Info("Alert is gone and cannot say what was sent", "receiver", o.ref, "event", o.event)
	}
	if before.UID == "" {
		return ctrl.Result{}, nil
	}
	if fresh, err := r.fresh.IsFresh(ctx, before); err != nil || !fresh {
		return ctrl.Result{}, err
	}
	alert := before.DeepCopy()
	unrecorded := r.ledger.apply(alert)

	w, err := r.look(ctx, alert, r.clock.Now())
	if err != nil {
		return ctrl.Result{}, fmt.Errorf("looking up receivers: %w", err)
	}
	next := decide(alert, w)
	if next.protect {
		return ctrl.Result{}, superseded(ctx, kube.AddFinalizer(ctx, r.client, before, v1beta1.AlertFinalizer))
	}
	// What is under way is finished and recorded also when the process stops.
	ctx = context.WithoutCancel(ctx)
	acted, queued := r.act(ctx, before, alert, next, w)
	if acted {
		w.now, unrecorded = r.clock.Now(), true
		next = decide(alert, w)
	}
	next = next.waiting(queued, w.now)
	if !unrecorded && isPatient(queued, w.now) {
		return ctrl.Result{RequeueAfter: until(next.wake, w.now)}, nil
	}
	if !unrecorded && !before.DeletionTimestamp.IsZero() && !controllerutil.ContainsFinalizer(before, v1beta1.AlertFinalizer) {
		return ctrl.Result{}, nil // we are done; another's finalizer holds it
	}
	err = r.record(ctx, before, alert, next, w)
	return ctrl.Result{RequeueAfter: until(next.wake, w.now)}, err
}

// until is how long to wait for t: 0, which is for ever, if there is no t.
func until(t, now time.Time) time.Duration {
	if t.IsZero() {
		return 0
	}
	return max(t.Sub(now), time.Millisecond)
}

// record makes the one write that says what has happened.
func (r *AlertReconciler) record(ctx context.Context, before, alert *v1beta1.Alert, s step, w world) error {
	ctx, cancel := context.WithTimeout(ctx, recordTimeout)
	defer cancel()
	after := before.DeepCopy()
	switch {
	case s.release:
		if err := kube.RemoveFinalizer(ctx, r.client, after, v1beta1.AlertFinalizer); err != nil {
			return superseded(ctx, err)
		}
		r.released(before, s, w)
	case s.purge:
		if err := r.purge(ctx, after); err != nil {
			return superseded(ctx, err)
		}
	default:
		status := report(alert, s, w)
		if equality.Semantic.DeepEqual(status, before.Status) {
			break
		}
		if err := kube.PatchStatus(ctx, r.client, after, status); err != nil {
			return superseded(ctx, err)
		}
		r.announce(before, status, w)
		*before = *after
	}
	r.ledger.settle(before)
	return nil
}

// purge deletes an Alert whose time to live is over. The finalizer goes first:
// what is then deleted is a cleanup and tells the receivers nothing.
func (r *AlertReconciler) purge(ctx context.Context, alert *v1beta1.Alert) error {
	if err := kube.RemoveFinalizer(ctx, r.client, alert, v1beta1.AlertFinalizer); err != nil {
		return err
	}
	return r.client.Delete(ctx, alert, client.Preconditions{UID: &alert.UID, ResourceVersion: &alert.ResourceVersion})
}

// superseded takes no offence at an object that has changed or gone since it was
// read: it comes again by itself, and what was sent is in the ledger.
func superseded(ctx context.Context, err error) error {
	if errors.Is(err, kube.ErrStale) || apierrors.IsConflict(err) || apierrors.IsNotFound(err) {
		log.FromContext(ctx).V(1).Info("Alert has changed since it was read")
		return nil
	}
	return err
}
