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

package health

import (
	"context"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/apiserver"
	"github.com/gophernetes/bellhop/internal/diagnostics"
	lifecycle "github.com/gophernetes/bellhop/internal/lifecycle/health"
)

// situation is an object and the Alert about it.
type situation struct {
	req    request
	object *unstructured.Unstructured // nil: it has the label no more, or does not exist
	in     lifecycle.Inputs
	alert  *v1beta1.Alert // nil: there is none
}

// observe returns the situation of an object, with the consent of its Namespace as a reader shows it. It returns nil if nothing can be done:
// the Alert is being deleted, or its name is in use.
func (r *Reconciler) observe(ctx context.Context, reader client.Reader, req request, object *unstructured.Unstructured) (*situation, error) {
	s := &situation{req: req, object: object}
	var err error
	if s.alert, err = r.alertAbout(ctx, req); err != nil {
		return nil, err
	}
	if object != nil {
		if s.in, err = r.inputs(ctx, reader, object); err != nil {
			return nil, err
		}
	}
	s.in.IsFiring = isFiring(s.alert)
	if !s.in.Calls() {
		r.budget.Forget(req.Namespace, req.UID)
	}
	switch {
	case s.alert == nil && object == nil:
		r.seen.forget(req.UID)
		return nil, nil
	case s.alert == nil:
		return s, nil
	case s.alert.DeletionTimestamp != nil: // the end of the deletion is an event, too
		return nil, nil
	case !isAbout(s.alert, req.UID):
		if s.in.Calls() {
			r.warn(object, reasonNameInUse, "Alert %s exists and is not about this object: it is left as it is, and no Alert is sent", s.alert.Name)
		}
		return nil, nil
	}
	return s, nil
}

// inputs returns what an object asks for, and its state. One with a wrong annotation, of which there is an event, may be healthy, and does
// not fail: nothing is sent on a guess.
func (r *Reconciler) inputs(ctx context.Context, reader client.Reader, object *unstructured.Unstructured) (in lifecycle.Inputs, err error) {
	if in.Result, err = lifecycle.Compute(object); err != nil {
		return in, reconcile.TerminalError(err)
	}
	ask, asks, invalid := lifecycle.ParseAsk(object, object.GetKind())
	consents, isDeleted, err := r.consents(ctx, reader, object.GetNamespace())
	if err != nil {
		return in, err
	}
	if isDeleted { // the object fails since its Pods are deleted first, and its Alert is deleted with the namespace
		return lifecycle.Inputs{Asks: true, Result: lifecycle.Result{State: lifecycle.Progressing}}, nil
	}
	in.Ask, in.Asks = ask, asks && consents
	switch {
	case asks && !consents:
		r.warn(object, reasonNoConsent, "The object asks for Alerts, and Namespace %s does not allow it: label the Namespace %s", object.GetNamespace(), lifecycle.ConsentSelector)
	case invalid != nil:
		r.warn(object, reasonInvalidAnnotation, "%s", invalid)
		if in.Result.State == lifecycle.Failing {
			in.Result.State = lifecycle.Progressing
		}
	default:
		r.seen.clearWarning(object.GetUID())
	}
	return in, nil
}

// consents reports whether objects of a namespace may ask for Alerts, and whether the namespace is being deleted, or does not exist.
func (r *Reconciler) consents(ctx context.Context, reader client.Reader, namespace string) (consents, isDeleted bool, err error) {
	ns := apiserver.Metadata("Namespace")
	if err := reader.Get(ctx, client.ObjectKey{Name: namespace}, ns); err != nil {
		return false, apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	}
	return lifecycle.Consents(ns), ns.DeletionTimestamp != nil, nil
}

// alertAbout returns the Alert with the name that is used for an object, nil if there is none.
func (r *Reconciler) alertAbout(ctx context.Context, req request) (*v1beta1.Alert, error) {
	alert := &v1beta1.Alert{}
	err := r.client.Get(ctx, client.ObjectKey{Namespace: req.Namespace, Name: alertName(req.Kind, req.Name, req.UID)}, alert)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	return alert, err
}

// findSince finds since when an object fails whose status does not say: since its pods are not ready.
func (r *Reconciler) findSince(ctx context.Context, s *situation) error {
	if !s.in.Calls() || s.in.IsFiring || !s.in.Result.Since.IsZero() {
		return nil
	}
	selector, err := lifecycle.PodSelector(s.object)
	if err != nil || selector == nil {
		return err
	}
	var pods corev1.PodList
	err = r.live.List(ctx, &pods, client.InNamespace(s.req.Namespace), client.MatchingLabelsSelector{Selector: selector})
	s.in.Result.Since = lifecycle.UnreadySince(pods.Items)
	return err
}

// details returns what a person would look up first about an object, beside the summary of its status.
func (r *Reconciler) details(ctx context.Context, s *situation) string {
	pods, err := r.podSelector(ctx, s.object)
	if err != nil {
		log.FromContext(ctx).Error(err, "The Alert has no details of Pods")
	}
	summary := summaryOf(s.in.Result)
	subject := diagnostics.Subject{Namespace: s.req.Namespace, UID: s.req.UID, Pods: pods, Summary: summary}
	return r.diagnostics.Collect(ctx, subject, maxContent-len(summary)-1)
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
