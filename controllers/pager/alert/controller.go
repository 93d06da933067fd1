// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package alert reconciles Alerts: it observes their receivers, has package alertrules plan the requests to them, sends these, and records the
// outcomes. Outcomes that could not be recorded yet are kept in memory.
package alert

import (
	"context"
	"fmt"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/api/equality"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/consistency"
	"github.com/gophernetes/bellhop/internal/kube/enqueue"
	"github.com/gophernetes/bellhop/internal/kube/guard"
	"github.com/gophernetes/bellhop/internal/kube/leadership"
	"github.com/gophernetes/bellhop/internal/kube/patch"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/receivers"
	"github.com/gophernetes/bellhop/internal/pager/receivers/endpoints"
	"github.com/gophernetes/bellhop/internal/pager/repost"
)

// After shutdown begins, drain tries drainRounds times, drainPause apart, to record the outcomes that are left.
const drainRounds, drainPause = 20, 100 * time.Millisecond

// Metrics counts deliveries.
type Metrics interface {
	// CountAttempt counts a request to a receiver.
	CountAttempt(*v1beta1.Alert, *v1beta1.CommonReceiverSpec, alertrules.Outcome)
	// CountDelivery counts a delivery that reached a state.
	CountDelivery(*v1beta1.CommonReceiverSpec, v1beta1.DeliveryState)
	repost.Metrics
	// CountAbandoned counts a delivery that was abandoned when its Alert was released.
	CountAbandoned()
}

// Reconciler delivers Alerts to their receivers.
type Reconciler struct {
	client    client.Client // reads the cache, and shows this process's own writes
	live      client.Reader
	barrier   *consistency.CacheBarrier
	fresh     *consistency.ObjectFreshness
	resolver  receivers.Resolver
	endpoints *endpoints.Cache
	recorder  events.EventRecorder
	metrics   Metrics
	clock     clock.PassiveClock
	// serverTime returns the API server's time.
	serverTime func() times.Server
	leadership *leadership.Lease
	pending    *pending
	reposts    *repost.Loop
	health     *endpoints.Health
	wake       enqueue.Enqueuer
	sinceLock  sync.Mutex
	leadsFrom  time.Time // when this process began to lead, by its own clock, whose monotonic reading counts
	since      time.Time // the same, in the API server's time
	// answerTimeout is the constant of that name; tests set another.
	answerTimeout time.Duration
}

// scope is an Alert during a reconcile.
type scope struct {
	before      *v1beta1.Alert // as the API server has it
	alert       *v1beta1.Alert // the same, with the outcomes that are not recorded yet
	lastPending uint64         // number of the last alertrules.Outcome in alert that is not in before; 0: none
	inputs      alertrules.Inputs
	queued      map[v1beta1.ReceiverRef]limiter.Wait // for a slot
	certain     bool                                 // missing receivers were looked up in the API server
}

// +kubebuilder:rbac:groups=pager.k8s.co,resources=alerts,verbs=get;list;watch;patch;delete
// +kubebuilder:rbac:groups=pager.k8s.co,resources=alerts/status,verbs=patch
// +kubebuilder:rbac:groups=pager.k8s.co,resources=receivers;clusterreceivers,verbs=get;list;watch
// +kubebuilder:rbac:groups="",resources=secrets;namespaces,verbs=get;list;watch
// +kubebuilder:rbac:groups=events.k8s.io,resources=events,verbs=create;patch

// Reconcile observes, decides, executes and records.
func (r *Reconciler) Reconcile(ctx context.Context, req ctrl.Request) (ctrl.Result, error) {
	if r.leadership.Err() != nil { // outcomes that are not recorded yet are recorded only if no other process has led since
		return ctrl.Result{}, leadership.ErrEnded
	}
	before, err := r.load(ctx, req.NamespacedName)
	if before == nil || err != nil {
		return ctrl.Result{}, err
	}
	s := &scope{before: before}
	r.applyPending(s)
	next, err := r.plan(ctx, s)
	if err != nil {
		r.postpone(s.alert) // it asks for its slots later
	}
	if endpoints.IsBusy(err) {
		return ctrl.Result{RequeueAfter: endpoints.BusyDelay}, nil
	}
	if err != nil {
		return ctrl.Result{}, err
	}
	if next.Action == alertrules.AddFinalizer {
		return patch.RequeueOnConflict(ctx, ctrl.Result{}, patch.AddFinalizer(ctx, r.client, before, v1beta1.AlertFinalizer))
	}
	if err := r.leadership.Stopping(ctx); err != nil {
		return ctrl.Result{}, err
	}
	// Requests in flight are finished and recorded also when the process stops.
	ctx = context.WithoutCancel(ctx)
	if err := r.execute(ctx, s, next); err != nil {
		return patch.RequeueOnConflict(ctx, ctrl.Result{}, err)
	}
	result, err := r.finish(ctx, s)
	return patch.RequeueOnConflict(ctx, result, err)
}

// load reads the Alert from the cache. It returns nil if the Alert does not exist, if this process has released it, or if the cached version is
// older than the last write; then a later watch event reconciles it. It drops the pending state of a former Alert of the name.
func (r *Reconciler) load(ctx context.Context, name types.NamespacedName) (*v1beta1.Alert, error) {
	alert, isFresh, err := r.readFresh(ctx, name)
	if err != nil {
		return nil, err
	}
	r.lead()
	r.dropFormer(ctx, name, alert.UID)
	if !isFresh || r.pending.isReleased(alert) { // a released one is gone, or has the finalizer of another controller
		return nil, nil
	}
	return alert, nil
}

// readFresh reads an Alert from the cache. isFresh is false if the Alert does not exist, so that it has no UID, or if the cached version is older
// than the last write.
func (r *Reconciler) readFresh(ctx context.Context, name types.NamespacedName) (alert *v1beta1.Alert, isFresh bool, err error) {
	if err := r.barrier.WaitForSync(ctx); err != nil {
		return nil, false, err
	}
	alert = &v1beta1.Alert{}
	err = r.fresh.Read(ctx, r.client, name, alert)
	if apierrors.IsNotFound(err) {
		return alert, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	isFresh, err = r.fresh.IsFresh(ctx, alert)
	return alert, isFresh, err
}

// dropFormer drops the pending state of Alerts of a name with another UID, which are gone.
func (r *Reconciler) dropFormer(ctx context.Context, name types.NamespacedName, uid types.UID) {
	outcomes, queued := r.pending.drop(name, uid)
	for _, o := range outcomes {
		logUnrecorded(ctx, o)
	}
	for _, ref := range queued {
		r.leaveQueue(name, ref, r.clock.Now())
	}
}

// finish plans again with the outcomes, and records the status, or releases or deletes the Alert. It skips the write while there is no new outcome
// and requests are due, or wait for less than the time after which the status says so. It returns when to reconcile the Alert again.
func (r *Reconciler) finish(ctx context.Context, s *scope) (ctrl.Result, error) {
	r.applyPending(s)
	next, err := r.decide(ctx, s)
	if err != nil {
		return ctrl.Result{}, err
	}
	next = next.Waiting(s.before, s.queued, s.inputs.Now)
	result := enqueue.Requeue(next.Wake, s.inputs.Now)
	if next.Sends() {
		result = enqueue.Requeue(s.inputs.Now, s.inputs.Now)
	}
	isRecorded := s.lastPending == 0
	if isRecorded && (s.onlyWaits() || next.Sends()) { // a request that is due now is in the status once it waits, or is answered
		return result, nil
	}
	isDeleted := !s.before.DeletionTimestamp.IsZero()
	if isRecorded && isDeleted && !controllerutil.ContainsFinalizer(s.before, v1beta1.AlertFinalizer) {
		return ctrl.Result{}, nil // released; it has the finalizer of another controller
	}
	if waits, err := r.sendFinalReposts(ctx, s, next); waits || err != nil {
		return ctrl.Result{RequeueAfter: keepHeartbeat}, err
	}
	return result, r.complete(ctx, s, next)
}

// plan observes and decides.
func (r *Reconciler) plan(ctx context.Context, s *scope) (alertrules.Plan, error) {
	if err := r.observe(ctx, s.alert, &s.inputs); err != nil {
		return alertrules.Plan{}, fmt.Errorf("looking up receivers: %w", err)
	}
	return r.decide(ctx, s)
}

// decide returns the plan for the Alert. Before it returns Release, it reads receivers that the cache lacks from the API server: a stale cache must
// not cause a release.
func (r *Reconciler) decide(ctx context.Context, s *scope) (alertrules.Plan, error) {
	for ref, receiver := range s.inputs.Receivers {
		receiver.Recovered = r.endpoints.Recoveries.At(endpoints.KeyOf(s.alert.Namespace, ref))
		s.inputs.Receivers[ref] = receiver
	}
	next := alertrules.Decide(s.alert, s.inputs)
	if next.Action != alertrules.Release || s.certain {
		return next, nil
	}
	s.certain = true
	if err := r.observeLive(ctx, s.alert, next, &s.inputs); err != nil {
		return next, fmt.Errorf("asking the API server for receivers: %w", err)
	}
	return alertrules.Decide(s.alert, s.inputs), nil
}

// applyPending sets s.alert to a copy of s.before with the outcomes that are not recorded yet, renews the times of s.inputs, and reports whether
// there are such outcomes.
func (r *Reconciler) applyPending(s *scope) bool {
	s.alert = s.before.DeepCopy()
	s.lastPending = r.pending.apply(s.alert, &s.inputs)
	s.inputs.Now, s.inputs.Server = r.clock.Now(), r.serverTime()
	s.inputs.LeaderSince = r.leaderSince(s.inputs.Server)
	s.inputs.ActiveSince = r.activeSince(s.inputs)
	return s.lastPending > 0
}

// lead records when this process begins to lead, which may be long before its first reconcile.
func (r *Reconciler) lead() { r.leaderSince(r.serverTime()) }

// leaderSince returns when this process began to lead, in the API server's time. It is never zero: what was created before may have been sent by a former
// leader, also where the time is not known. A time that lies ahead is that of a clock that has been corrected since.
func (r *Reconciler) leaderSince(server times.Server) time.Time {
	r.sinceLock.Lock()
	defer r.sinceLock.Unlock()
	now := r.clock.Now()
	if r.leadsFrom.IsZero() {
		r.leadsFrom, r.since = now, server.Present(now)
	}
	if server.Known.IsZero() {
		return r.since
	}
	if since := server.Known.Add(-now.Sub(r.leadsFrom)); since.Sub(r.since).Abs() > time.Minute {
		r.since = since
	}
	return r.since
}

// activeSince returns since when this process leads, in the API server's time, or since it continued after it was stopped for longer than its lease.
func (r *Reconciler) activeSince(in alertrules.Inputs) time.Time {
	since := r.leadership.Since()
	if since.IsZero() {
		return in.LeaderSince
	}
	return times.Latest(in.LeaderSince, in.Server.Present(in.Now).Add(-in.Now.Sub(since)))
}

// drain records the outcomes of requests that were in flight when the process stopped.
func (r *Reconciler) drain(ctx context.Context) error {
	<-ctx.Done()
	r.pending.close()
	ctx = context.WithoutCancel(ctx)
	guarded := guard.Reconciler(r, nil) // here a panic would end the process, and with it the record of the others
	for range drainRounds {             // an edit may cause a conflict
		names := r.pending.withOutcomes()
		for _, name := range names {
			if _, err := guarded.Reconcile(ctx, ctrl.Request{NamespacedName: name}); err != nil {
				log.FromContext(ctx).Error(err, "Could not record a delivery", "alert", name)
			}
		}
		if len(names) == 0 {
			return nil
		}
		time.Sleep(drainPause)
	}
	for _, name := range r.pending.withOutcomes() {
		log.FromContext(ctx).Info("The process ends before a delivery is recorded", "alert", name)
	}
	return nil
}

// complete carries out a plan whose requests are sent.
func (r *Reconciler) complete(ctx context.Context, s *scope, plan alertrules.Plan) (err error) {
	if err := r.leadership.Err(); err != nil { // what another process has sent without a record would never be resolved
		return err
	}
	switch plan.Action {
	case alertrules.Release:
		err = r.release(ctx, s, plan)
	case alertrules.Purge:
		err = r.purge(ctx, s.before.DeepCopy())
	case alertrules.Deliver, alertrules.AddFinalizer:
		return r.record(ctx, s, plan)
	}
	if err == nil {
		r.pending.markRecorded(s.before, s.lastPending)
	}
	return err
}

// record writes the status.
func (r *Reconciler) record(ctx context.Context, s *scope, plan alertrules.Plan) error {
	if err := r.leadership.Err(); err != nil { // what is obsolete by then would be sent again
		return err
	}
	status := alertrules.Report(s.alert, plan, s.inputs)
	if !equality.Semantic.DeepEqual(status, s.before.Status) {
		ctx, cancel := context.WithTimeout(ctx, times.RecordTimeout)
		defer cancel()
		after := s.before.DeepCopy()
		if err := patch.Status(ctx, r.client, after, status); err != nil {
			return err
		}
		r.emitEvents(s.before, status, s.inputs)
		*s.before = *after
	}
	r.pending.markRecorded(s.before, s.lastPending)
	s.lastPending = 0
	return nil
}

// release removes the finalizer.
func (r *Reconciler) release(ctx context.Context, s *scope, plan alertrules.Plan) error {
	ctx, cancel := context.WithTimeout(ctx, times.RecordTimeout)
	defer cancel()
	if err := patch.RemoveFinalizer(ctx, r.client, s.before.DeepCopy(), v1beta1.AlertFinalizer); err != nil {
		return err
	}
	r.emitRelease(ctx, s.before, plan, s.inputs)
	r.pending.release(s.before)
	return nil
}

// purge deletes an Alert whose time to live has passed. The finalizer is removed first: a TTL does not resolve anything.
func (r *Reconciler) purge(ctx context.Context, alert *v1beta1.Alert) error {
	ctx, cancel := context.WithTimeout(ctx, times.RecordTimeout)
	defer cancel()
	if controllerutil.ContainsFinalizer(alert, v1beta1.AlertFinalizer) { // it is absent where an earlier purge removed it, and the deletion failed
		if err := patch.RemoveFinalizer(ctx, r.client, alert, v1beta1.AlertFinalizer); err != nil {
			return err
		}
	}
	return client.IgnoreNotFound(patch.Delete(ctx, r.client, alert))
}

// onlyWaits reports whether requests are in flight or queued, and none of them for so long that the status has to say so.
func (s *scope) onlyWaits() bool {
	waiting := len(s.queued)
	for _, receiver := range s.inputs.Receivers {
		if receiver.InFlight == nil {
			continue
		}
		if !s.inputs.Now.Before(alertrules.InFlightShownAt(s.before, *receiver.InFlight)) {
			return false
		}
		waiting++
	}
	for _, wait := range s.queued {
		if !s.inputs.Now.Before(alertrules.WaitShownAt(s.before, wait)) {
			return false
		}
	}
	return waiting > 0
}
