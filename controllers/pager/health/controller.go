// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package health creates Alerts about objects of other controllers that fail, where the objects have a label. It observes such objects and the Alerts
// about them, has package healthrules decide, and creates or resolves the Alert.
package health

import (
	"context"
	"maps"
	"time"

	"k8s.io/client-go/tools/events"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	apply "github.com/gophernetes/bellhop/client/applyconfiguration/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/pager/diagnostics"
	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

// unsyncedDelay is the time after which a request is reconciled again whose object the cache does not show yet as the API server has it.
const unsyncedDelay = 5 * time.Second

// Reasons of Events about objects with the label.
const (
	reasonInvalidAnnotation = "InvalidPageAnnotation"
	reasonNoConsent         = "NamespaceDoesNotPage"
	reasonNameInUse         = "AlertNameInUse"
	reasonHealthUnknown     = "HealthUnknown"
)

// Reconciler creates and resolves the Alerts about objects with the label.
type Reconciler struct {
	client client.Client // reads the cache, and shows this process's own writes
	// live reads from the API server.
	live         client.Reader
	objects      *objects
	diagnostics  diagnostics.Collector
	recorder     events.EventRecorder
	now          func() time.Time
	resolveAfter time.Duration
	budget       healthrules.Budget
	runs         runs
	seen         observations
	unknown      *unknownObjects
	warnings     warningBudget
}

// Reconcile decides about the Alert of one object.
func (r *Reconciler) Reconcile(ctx context.Context, req request) (ctrl.Result, error) {
	if req.Resource == namespaceResource.GroupResource() {
		return r.reconcileOverflow(ctx, req)
	}
	found, isKnown, err := r.objects.get(ctx, req, r.now())
	if err != nil {
		return ctrl.Result{}, err
	}
	if !isKnown {
		return r.waitUntilKnown(ctx, req)
	}
	s, err := r.observe(ctx, r.client, req, found)
	if s == nil || err != nil {
		return ctrl.Result{}, err
	}
	if err := r.findSince(ctx, s); err != nil {
		return ctrl.Result{}, err
	}
	action, again := r.decide(req, &s.in)
	if s.alert != nil && !isRecorded(s.alert) {
		return ctrl.Result{}, r.record(ctx, s)
	}
	again = times.Earliest(again, r.reportUnknown(s))
	if action == healthrules.Keep {
		r.forgetHandled(s, found.kept, again)
		return r.requeueAt(times.Earliest(again, found.again)), nil
	}
	if s, err = r.confirm(ctx, s); err != nil {
		return ctrl.Result{}, err
	}
	if s == nil {
		return ctrl.Result{RequeueAfter: unsyncedDelay}, nil
	}
	return r.act(ctx, s, action)
}

// waitUntilKnown looks again at an object of a resource that is not read yet. Where the resource is not served, an object without an Alert is looked at
// once it is.
func (r *Reconciler) waitUntilKnown(ctx context.Context, req request) (ctrl.Result, error) {
	if !r.objects.hasInformers(req.Resource) {
		alert, err := r.alertAbout(ctx, &situation{req: req})
		if alert == nil || err != nil {
			return ctrl.Result{}, err
		}
	}
	return ctrl.Result{RequeueAfter: unsyncedDelay}, nil
}

// forgetHandled forgets a deleted Job about which nothing is left to do: the Alert has fired for the failure, or a person has resolved it, or there
// was no failure.
func (r *Reconciler) forgetHandled(s *situation, kept *healthrules.Trimmed, again time.Time) {
	fails := s.in.Asks && s.in.Result.State == healthrules.Failing
	if kept == nil || !fails && s.in.Ask.After > 0 && !s.in.IsGone { // a former Job that failed may be due later
		return
	}
	if s.in.IsFiring && fails || !s.in.IsFiring && (!fails || again.IsZero()) {
		r.objects.deleted.forget(s.req, kept)
		if s.alert == nil && s.in.IsGone {
			r.forget(s.req)
		}
	}
}

// act carries out the decision about an Alert.
func (r *Reconciler) act(ctx context.Context, s *situation, action healthrules.Action) (ctrl.Result, error) {
	switch action {
	case healthrules.Resolve:
		return ctrl.Result{}, r.resolve(ctx, s.alert, s.in.IsJob && (s.in.Asks || s.in.IsGone))
	case healthrules.Extend:
		if err := r.record(ctx, s); err != nil {
			return ctrl.Result{}, err
		}
		r.seen.fired(s.req.key())
		return ctrl.Result{}, nil
	case healthrules.Fire, healthrules.Keep:
	}
	return r.page(ctx, s)
}

// page has the Alert about a failing object fire, unless it has to wait for the budget of its namespace.
func (r *Reconciler) page(ctx context.Context, s *situation) (ctrl.Result, error) {
	if again, ok, err := r.takeBudget(ctx, s.req, s.in.Ask); !ok || err != nil {
		return r.requeueAt(again), err
	}
	result := s.in.Judge(r.now())
	log.FromContext(ctx).Info("Object fails", "reason", result.Reason, "message", result.Message)
	err := r.fire(ctx, s.alert, newAlert(s.req, r.objects.version(s.req.Resource), s.object, s.in.Ask, result, r.details(ctx, s, result)))
	if err != nil {
		r.budget.GiveBack(s.req.Namespace)
		return ctrl.Result{}, err
	}
	r.seen.fired(s.req.key())
	return ctrl.Result{}, nil
}

// decide returns the action that is due for an Alert, and when to decide again; zero: when something changes.
func (r *Reconciler) decide(req request, in *healthrules.Inputs) (healthrules.Action, time.Time) {
	now := r.now()
	in.ResolveAfter = r.resolveAfter
	// The API server's clock may be set while this process measures: since when it sees something follows from this machine's, which goes on.
	seenSince, hasRecovered := r.seen.since(req.key(), in.Answer(), time.Now())
	in.SeenSince, in.HasRecovered = now.Add(-time.Since(seenSince)), hasRecovered
	action, again := healthrules.Decide(*in, now)
	if action != healthrules.Fire {
		r.budget.Forget(req.Namespace, req.key())
	}
	return action, again
}

// requeueAt returns a result for a request that is due at a time; zero: when something changes.
func (r *Reconciler) requeueAt(at time.Time) ctrl.Result {
	if at.IsZero() {
		return ctrl.Result{}
	}
	return ctrl.Result{RequeueAfter: max(at.Sub(r.now()), time.Millisecond)}
}

// confirm observes an object again, as the API server has it now, since a cache may show a former state: a failure that has ended, or a consent that
// was withdrawn. It returns nil if something else would be decided; the cache shows it soon. That a Job has failed is proven by its last event.
func (r *Reconciler) confirm(ctx context.Context, cached *situation) (*situation, error) {
	found := found{object: cached.object, isGone: cached.in.IsGone}
	isProven := cached.in.IsJob && cached.in.Result.HasEnded
	if cached.object != nil && !isProven {
		var err error
		if found.object, err = r.objects.read(ctx, cached.req.Resource, cached.object); err != nil {
			return nil, err
		}
	}
	s, err := r.observe(ctx, r.live, cached.req, found)
	if s == nil || err != nil || s.in.Answer() != cached.in.Answer() || s.in.IsFiring != cached.in.IsFiring {
		return nil, err
	}
	s.in.SeenSince, s.in.ResolveAfter = cached.in.SeenSince, cached.in.ResolveAfter
	if s.in.Result.Since.IsZero() {
		s.in.Result.Since = cached.in.Result.Since
	}
	return s, nil
}

// takeBudget reports whether an Alert may fire now. If not, an Alert about all objects that wait says how many they are.
func (r *Reconciler) takeBudget(ctx context.Context, req request, ask healthrules.Ask) (again time.Time, ok bool, err error) {
	if !r.budget.Has(req.Namespace) {
		fired, err := r.firedBefore(ctx, req.Namespace)
		if err != nil {
			return time.Time{}, false, err
		}
		r.budget.Begin(req.Namespace, fired)
	}
	ok, again = r.budget.Take(req.Namespace, req.key(), ask, r.now())
	if !ok {
		r.objects.enqueue(overflowRequest(req.Namespace))
	}
	return again, ok, nil
}

// firedBefore returns when Alerts about objects of a namespace were created, by this process or by another.
func (r *Reconciler) firedBefore(ctx context.Context, namespace string) (times []time.Time, err error) {
	var alerts v1beta1.AlertList
	if err := r.client.List(ctx, &alerts, client.InNamespace(namespace), client.UnsafeDisableDeepCopy); err != nil {
		return nil, err
	}
	for i := range alerts.Items {
		if req, ok := requestOf(&alerts.Items[i]); ok && req.Resource != namespaceResource.GroupResource() {
			times = append(times, alerts.Items[i].CreationTimestamp.Time)
		}
	}
	return times, nil
}

// absent is the resourceVersion of an Alert that must not exist: no object has it.
const absent = "1"

// fire applies an Alert, if it is as it was observed; nil: absent. A former leader whose request is late must not have an Alert fire again
// that its successor has resolved.
func (r *Reconciler) fire(ctx context.Context, observed *v1beta1.Alert, alert *apply.AlertApplyConfiguration) error {
	alert.WithResourceVersion(absent)
	if observed != nil {
		alert.WithResourceVersion(observed.ResourceVersion)
	}
	return r.client.Apply(ctx, alert, client.FieldOwner(fieldManager), client.ForceOwnership)
}

// resolve resolves an Alert, if it is as it was observed. The failure that the Alert has fired for is forgotten: once the object asks again, or is
// resumed, it fires for the same one. The failure of a Job is kept: it does not end.
func (r *Reconciler) resolve(ctx context.Context, alert *v1beta1.Alert, keepsFailure bool) error {
	log.FromContext(ctx).Info("Object fails no more", "alert", alert.Name)
	was := alert.DeepCopy()
	alert.Spec.State = v1beta1.AlertResolved
	if !keepsFailure {
		delete(alert.Annotations, v1beta1.FailingSinceAnnotation)
	}
	return r.patch(ctx, was, alert)
}

// record writes into an Alert which object it is about, and for which failure it has fired. An Alert about a Job loses its owner, whose
// deletion is no recovery.
func (r *Reconciler) record(ctx context.Context, s *situation) error {
	was := s.alert.DeepCopy()
	since := s.alert.CreationTimestamp.Time
	uid := was.Annotations[v1beta1.PagedUIDAnnotation]
	if s.object != nil {
		uid = string(s.object.GetUID())
		if judged := s.in.Judge(r.now()); judged.State == healthrules.Failing {
			since = judged.Since
		}
	}
	if s.in.IsJob {
		s.alert.OwnerReferences = nil
		s.alert.Spec.TTLSecondsAfterFinished = new(ttlOfJobAlert)
	}
	maps.Copy(s.alert.Annotations, subjectAnnotations(s.req, uid, since))
	return r.patch(ctx, was, s.alert)
}

// patch writes the changes of an Alert, if it is as it was observed.
func (r *Reconciler) patch(ctx context.Context, was, alert *v1beta1.Alert) error {
	err := r.client.Patch(ctx, alert, client.MergeFromWithOptions(was, client.MergeFromWithOptimisticLock{}), client.FieldOwner(fieldManager))
	return client.IgnoreNotFound(err)
}
