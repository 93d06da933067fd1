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

// Package health creates Alerts about objects of other controllers that fail, where a label asks for it. It observes such objects and the
// Alerts about them, asks package lifecycle/health what to do, and creates or resolves the Alert.
package health

import (
	"context"
	"fmt"
	"sync"
	"time"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/tools/events"
	"k8s.io/utils/clock"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	apply "github.com/gophernetes/bellhop/client/applyconfiguration/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/apiserver"
	"github.com/gophernetes/bellhop/internal/diagnostics"
	lifecycle "github.com/gophernetes/bellhop/internal/lifecycle/health"
)

// unsyncedDelay is when a request is tried again whose informer has not seen all objects.
const unsyncedDelay = 5 * time.Second

// Reasons of Events about objects with the label.
const (
	reasonInvalidAnnotation = "InvalidPageAnnotation"
	reasonNoConsent         = "NamespaceDoesNotPage"
	reasonNameInUse         = "AlertNameInUse"
)

// request names an object. One that was created again under the name is another.
type request struct {
	Resource        schema.GroupVersionResource
	Namespace, Name string
	UID             types.UID
}

func requestFor(resource schema.GroupVersionResource, o metav1.Object) request {
	return request{Resource: resource, Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID()}
}

// Reconciler creates and resolves the Alerts about objects with the label.
type Reconciler struct {
	client client.Client // reads the cache, and shows this process's own writes
	// live reads Pods, which are not cached.
	live        client.Reader
	objects     *objects
	diagnostics diagnostics.Collector
	recorder    events.EventRecorder
	clock       clock.PassiveClock
	budget      lifecycle.Budget
	seen        observations
}

// Reconcile decides about the Alert of one object.
func (r *Reconciler) Reconcile(ctx context.Context, req request) (ctrl.Result, error) {
	if req.Resource == namespaceResource {
		return r.reconcileOverflow(ctx, req)
	}
	object, isKnown := r.objects.get(req)
	if !isKnown {
		return ctrl.Result{RequeueAfter: unsyncedDelay}, nil
	}
	if object == nil {
		return r.reconcileAbsent(ctx, req)
	}
	ask, in, err := r.observe(ctx, req, object)
	if err != nil {
		return ctrl.Result{}, err
	}
	if ask == nil {
		return ctrl.Result{}, nil
	}
	alert, err := r.alertAbout(ctx, req, object.GetKind())
	if err != nil {
		return ctrl.Result{}, err
	}
	if alert != nil && !isAbout(alert, req.UID) {
		if in.Calls() {
			r.warn(req.UID, object, reasonNameInUse, fmt.Sprintf("Alert %s exists and is not about this object: it is left as it is, and no Alert is sent", alert.Name))
		}
		return ctrl.Result{}, nil
	}
	in.IsFiring = isFiring(alert)
	if !in.Calls() {
		r.budget.Forget(req.Namespace, req.UID)
	} else if !in.IsFiring && in.Result.Since.IsZero() {
		if in.Result.Since, err = r.unreadySince(ctx, object); err != nil {
			return ctrl.Result{}, err
		}
	}
	return r.execute(ctx, req, in, alert, func() *apply.AlertApplyConfiguration {
		return newAlert(req, object, *ask, in.Result, r.details(ctx, object))
	})
}

// observe returns what an object asks for and its state; no ask: an annotation is wrong, of which there is an event, and nothing is done.
func (r *Reconciler) observe(ctx context.Context, req request, object *unstructured.Unstructured) (*lifecycle.Ask, lifecycle.Inputs, error) {
	ask, asks, err := lifecycle.ParseAsk(object, object.GetKind())
	if err != nil {
		r.warn(req.UID, object, reasonInvalidAnnotation, err.Error())
		return nil, lifecycle.Inputs{}, nil
	}
	consents, err := r.consents(ctx, req.Namespace)
	if err != nil {
		return nil, lifecycle.Inputs{}, err
	}
	result, err := lifecycle.Compute(object)
	if err != nil {
		return nil, lifecycle.Inputs{}, err
	}
	in := lifecycle.Inputs{Ask: ask, Asks: asks && consents, Result: result}
	if asks && !consents {
		r.warn(req.UID, object, reasonNoConsent, fmt.Sprintf("the object asks for Alerts, and Namespace %s does not allow it: label the Namespace %s=enabled", req.Namespace, v1beta1.PageByLabelLabel))
	} else {
		r.seen.clearWarning(req.UID)
	}
	return &ask, in, nil
}

// reconcileAbsent resolves the Alert about an object that has the label no more. One that was deleted takes its Alert along.
func (r *Reconciler) reconcileAbsent(ctx context.Context, req request) (ctrl.Result, error) {
	var alerts v1beta1.AlertList
	if err := r.client.List(ctx, &alerts, client.InNamespace(req.Namespace), client.UnsafeDisableDeepCopy); err != nil {
		return ctrl.Result{}, err
	}
	for i := range alerts.Items {
		if alert := &alerts.Items[i]; isAbout(alert, req.UID) {
			in := lifecycle.Inputs{IsFiring: isFiring(alert)}
			return r.execute(ctx, req, in, alert.DeepCopy(), nil)
		}
	}
	r.budget.Forget(req.Namespace, req.UID)
	r.seen.forget(req.UID)
	return ctrl.Result{}, nil
}

// execute does what is decided: newAlert returns the Alert to fire.
func (r *Reconciler) execute(ctx context.Context, req request, in lifecycle.Inputs, alert *v1beta1.Alert, newAlert func() *apply.AlertApplyConfiguration) (ctrl.Result, error) {
	now := r.clock.Now()
	in.SeenSince = r.seen.since(req.UID, in, now)
	action, again := lifecycle.Decide(in, now)
	switch action {
	case lifecycle.Fire:
		if again, ok := r.takeBudget(req, in.Ask, now); !ok {
			return ctrl.Result{RequeueAfter: again.Sub(now)}, nil
		}
		log.FromContext(ctx).Info("Object fails", "reason", in.Result.Reason, "message", in.Result.Message)
		return ctrl.Result{}, r.client.Apply(ctx, newAlert(), client.FieldOwner(fieldManager), client.ForceOwnership)
	case lifecycle.Resolve:
		log.FromContext(ctx).Info("Object fails no more", "alert", alert.Name)
		was := alert.DeepCopy()
		alert.Spec.State = v1beta1.AlertResolved
		err := r.client.Patch(ctx, alert, client.MergeFromWithOptions(was, client.MergeFromWithOptimisticLock{}), client.FieldOwner(fieldManager))
		return ctrl.Result{}, client.IgnoreNotFound(err)
	case lifecycle.Keep:
	}
	if again.IsZero() {
		return ctrl.Result{}, nil
	}
	return ctrl.Result{RequeueAfter: max(again.Sub(now), time.Millisecond)}, nil
}

// takeBudget reports whether an Alert may fire now. If not, an Alert about all objects that wait says how many they are.
func (r *Reconciler) takeBudget(req request, ask lifecycle.Ask, now time.Time) (again time.Time, ok bool) {
	if req.Resource == namespaceResource {
		return time.Time{}, true
	}
	ok, again = r.budget.Take(req.Namespace, req.UID, ask, now)
	if !ok {
		r.objects.enqueue(overflowRequest(req.Namespace))
	}
	return again, ok
}

// details returns what a person would look up first about an object.
func (r *Reconciler) details(ctx context.Context, object *unstructured.Unstructured) string {
	pods, err := r.podSelector(ctx, object)
	if err != nil {
		log.FromContext(ctx).Error(err, "The Alert has no details of Pods")
	}
	return r.diagnostics.Collect(ctx, diagnostics.Subject{Namespace: object.GetNamespace(), UID: object.GetUID(), Pods: pods}, maxDetails)
}

// podSelector returns the selector of the pods of an object; of a CronJob those of its last Job; nil: it has none.
func (r *Reconciler) podSelector(ctx context.Context, object *unstructured.Unstructured) (labels.Selector, error) {
	if object.GetKind() != "CronJob" {
		return lifecycle.PodSelector(object)
	}
	var jobs batchv1.JobList
	if err := r.live.List(ctx, &jobs, client.InNamespace(object.GetNamespace())); err != nil {
		return nil, err
	}
	var last *batchv1.Job
	for i := range jobs.Items {
		job := &jobs.Items[i]
		if metav1.IsControlledBy(job, object) && (last == nil || last.CreationTimestamp.Before(&job.CreationTimestamp)) {
			last = job
		}
	}
	if last == nil {
		return nil, nil
	}
	return metav1.LabelSelectorAsSelector(last.Spec.Selector)
}

// unreadySince returns since when an object fails whose status does not say; zero: it has no pods that are not ready.
func (r *Reconciler) unreadySince(ctx context.Context, object *unstructured.Unstructured) (time.Time, error) {
	selector, err := lifecycle.PodSelector(object)
	if err != nil || selector == nil {
		return time.Time{}, err
	}
	var pods corev1.PodList
	err = r.live.List(ctx, &pods, client.InNamespace(object.GetNamespace()), client.MatchingLabelsSelector{Selector: selector})
	return lifecycle.UnreadySince(pods.Items), err
}

// consents reports whether objects of a namespace may ask for Alerts.
func (r *Reconciler) consents(ctx context.Context, namespace string) (bool, error) {
	ns := apiserver.Metadata("Namespace")
	if err := r.client.Get(ctx, client.ObjectKey{Name: namespace}, ns); err != nil {
		return false, client.IgnoreNotFound(err)
	}
	return ns.Labels[v1beta1.PageByLabelLabel] == "enabled", nil
}

// alertAbout returns the Alert with the name that is used for an object, nil if there is none.
func (r *Reconciler) alertAbout(ctx context.Context, req request, kind string) (*v1beta1.Alert, error) {
	alert := &v1beta1.Alert{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: req.Namespace, Name: alertName(kind, req.Name, req.UID)}, alert)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return alert, err
}

// warn emits an event about an object, once for each message.
func (r *Reconciler) warn(uid types.UID, object client.Object, reason, message string) {
	if r.seen.isNewWarning(uid, reason+": "+message) {
		r.recorder.Eventf(object, nil, corev1.EventTypeWarning, reason, "Page", "%s", message)
	}
}

// requestOf returns the request for the object that an Alert is about; false if it is about none.
func requestOf(alert metav1.Object) (request, bool) {
	resource, err := lifecycle.ParseResource(alert.GetAnnotations()[v1beta1.PagedResourceAnnotation])
	if err == nil && resource == namespaceResource {
		return overflowRequest(alert.GetNamespace()), true
	}
	if err != nil || len(alert.GetOwnerReferences()) == 0 {
		return request{}, false
	}
	owner := alert.GetOwnerReferences()[0]
	return request{Resource: resource, Namespace: alert.GetNamespace(), Name: owner.Name, UID: owner.UID}, true
}

// observations is what the process remembers of objects with the label.
type observations struct {
	mu       sync.Mutex
	byObject map[types.UID]observation
}

type observation struct {
	calls, isCalm bool
	began         time.Time // of this answer
	warning       string    // of which there was an event
}

// since returns since when the answer is as it is.
func (s *observations) since(uid types.UID, in lifecycle.Inputs, now time.Time) time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.byObject[uid]
	if seen.began.IsZero() || seen.calls != in.Calls() || seen.isCalm != in.IsCalm() {
		seen.calls, seen.isCalm, seen.began = in.Calls(), in.IsCalm(), now
	}
	s.set(uid, seen)
	return seen.began
}

// isNewWarning reports whether there was no event with this message since the last other one.
func (s *observations) isNewWarning(uid types.UID, message string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen := s.byObject[uid]
	isNew := seen.warning != message
	seen.warning = message
	s.set(uid, seen)
	return isNew
}

func (s *observations) clearWarning(uid types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if seen := s.byObject[uid]; seen.warning != "" {
		seen.warning = ""
		s.set(uid, seen)
	}
}

func (s *observations) forget(uid types.UID) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.byObject, uid)
}

func (s *observations) set(uid types.UID, seen observation) {
	if s.byObject == nil {
		s.byObject = map[types.UID]observation{}
	}
	s.byObject[uid] = seen
}
