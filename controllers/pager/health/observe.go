// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package health

import (
	"cmp"
	"context"
	"slices"
	"strings"

	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/log"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/apiserver"
	"github.com/gophernetes/bellhop/internal/pager/diagnostics"
	"github.com/gophernetes/bellhop/internal/pager/healthrules"
)

// situation is an object and the Alert about it. Of the Jobs of a name, or of a CronJob, the object is the one that decides.
type situation struct {
	req    request
	object *unstructured.Unstructured // nil: it has the label no more, or does not exist
	in     healthrules.Inputs
	alert  *v1beta1.Alert // nil: the object has none
}

// observe returns the situation of an object, with the consent of its Namespace as a reader shows it. It returns nil if nothing can be done:
// the Alert is being deleted, or its name is in use.
func (r *Reconciler) observe(ctx context.Context, reader client.Reader, req request, found found) (*situation, error) {
	s := &situation{req: req, object: found.object}
	var err error
	if s.alert, err = r.alertAbout(ctx, s); err != nil {
		return nil, err
	}
	if s.object != nil {
		if s.in, err = r.inputs(ctx, reader, s); err != nil {
			return nil, err
		}
	}
	isEnding := req.isJob() && s.object != nil && s.object.GetDeletionTimestamp() != nil
	s.in.IsJob, s.in.IsGone, s.in.IsFiring, s.in.FiredFor = req.isJob(), found.isGone || isEnding, isFiring(s.alert), firedFor(s.alert)
	if s.alert == nil && s.object == nil {
		r.forget(req)
		r.objects.deleted.forget(req, found.kept) // it exists without the label
		return nil, nil
	}
	if s.alert == nil {
		return s, nil
	}
	if s.alert.DeletionTimestamp != nil { // the end of the deletion is an event, too
		return nil, nil
	}
	of, isOfObject := requestOf(s.alert)
	if isOfObject && (of.key() == req.key() || !isRecorded(s.alert)) {
		return s, nil
	}
	r.warnOfOtherAlert(s, isOfObject)
	return nil, nil
}

// warnOfOtherAlert warns that the Alert of the name is not about an object that fails. isOfObject: it is about another object with the label. A Job
// that its CronJob controls no more leaves the Alert to the CronJob.
func (r *Reconciler) warnOfOtherAlert(s *situation, isOfObject bool) {
	isOfFormerController := isOfObject && s.object != nil && pagedUID(s.alert) == s.object.GetUID()
	isFailing := s.in.Asks && s.in.Result.State == healthrules.Failing
	if isFailing && !isOfFormerController {
		r.warn(s, reasonNameInUse, "Alert %s exists and is not about this object: it is left as it is, and no Alert is sent", s.alert.Name)
	}
}

// forget drops the process's memory of an object that does not exist, and has no Alert.
func (r *Reconciler) forget(req request) {
	r.seen.forget(req.key())
	r.unknown.forget(req.key())
	r.objects.changed.forget(req.key())
	r.budget.Forget(req.Namespace, req.key())
}

// inputs returns the settings of an object's label and annotations, and its state. An object with a wrong annotation, about which there is an Event,
// may be healthy but never fails: no Alert is sent on a guess.
func (r *Reconciler) inputs(ctx context.Context, reader client.Reader, s *situation) (in healthrules.Inputs, err error) {
	object := s.object
	ask, asks, invalid := healthrules.ParseAsk(object, object.GetKind())
	consents, isDeleted, err := r.consents(ctx, reader, object.GetNamespace())
	if err != nil {
		return in, err
	}
	if isDeleted { // the object fails since its Pods are deleted first, and its Alert is deleted with the namespace
		return healthrules.Inputs{Asks: true, Result: healthrules.Result{State: healthrules.Progressing}}, nil
	}
	in.Ask, in.Asks = ask, asks && consents
	if in.Asks {
		evidence, err := r.evidence(ctx, s)
		if err != nil {
			return in, err
		}
		in.Result = healthrules.Compute(object, evidence)
	}
	switch {
	case asks && !consents:
		r.warn(s, reasonNoConsent, "The object asks for Alerts, and Namespace %s does not allow it: label the Namespace %s", object.GetNamespace(), healthrules.ConsentSelector)
	case invalid != nil:
		r.warn(s, reasonInvalidAnnotation, "%s", invalid)
		if in.Result.State == healthrules.Failing {
			in.Result.State = healthrules.Progressing
		}
	default:
		r.seen.clearWarnings(s.req.key(), reasonNoConsent, reasonInvalidAnnotation)
	}
	return in, nil
}

// evidence reads the other objects that decide about an object: the runs of a CronJob whose last one may have failed, and the StorageClass of a claim
// that is pending. A CronJob whose last runs may be missing is looked at again. Where the operator may not read StorageClasses, each claim counts as
// a claim of a class that does not wait.
func (r *Reconciler) evidence(ctx context.Context, s *situation) (healthrules.Evidence, error) {
	e := healthrules.Evidence{Now: r.now(), Failures: r.objects.failuresOf(s.req.Resource)}
	switch {
	case healthrules.NeedsRuns(s.object):
		listed, err := r.runs.of(ctx, r.live, r.now, s.object)
		if err != nil {
			return e, err
		}
		e.Runs, e.AreRunsOld = listed.byOwner[s.object.GetUID()], listed.isBefore(s.object)
		if e.AreRunsOld {
			r.objects.queue.AddAfter(s.req, listed.until.Sub(r.now()))
		}
	case healthrules.ClassOf(s.object) != "":
		class := &storagev1.StorageClass{}
		err := r.live.Get(ctx, client.ObjectKey{Name: healthrules.ClassOf(s.object)}, class)
		if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) {
			return e, err
		}
		if class.VolumeBindingMode != nil {
			e.BindingMode = *class.VolumeBindingMode
		}
	}
	return e, nil
}

// consents reports whether objects of a namespace may ask for Alerts, and whether the namespace is being deleted, or does not exist.
func (r *Reconciler) consents(ctx context.Context, reader client.Reader, namespace string) (consents, isDeleted bool, err error) {
	ns := apiserver.Metadata("Namespace")
	if err := reader.Get(ctx, client.ObjectKey{Name: namespace}, ns); err != nil {
		return false, apierrors.IsNotFound(err), client.IgnoreNotFound(err)
	}
	return healthrules.Consents(ns), ns.DeletionTimestamp != nil, nil
}

// alertAbout returns the Alert about an object, or the one with the name that is used for it; nil if there is none. The Alert of a CronJob is about
// its last failed Job, also where the CronJob does not control the Job any more. Versions before 0.6 named the Alert about a Job by its UID.
func (r *Reconciler) alertAbout(ctx context.Context, s *situation) (*v1beta1.Alert, error) {
	keys := []types.UID{s.req.key()}
	if s.req.isJob() && s.object != nil {
		keys = append(keys, s.object.GetUID())
	}
	for _, key := range keys {
		var list v1beta1.AlertList
		err := r.client.List(ctx, &list, client.InNamespace(s.req.Namespace), client.MatchingFields{subjectIndex: string(key)})
		if err != nil {
			return nil, err
		}
		if len(list.Items) > 0 {
			return chooseAlert(list.Items), nil
		}
	}
	var err error
	names := []string{alertName(s.req.alertKind(), s.req.Name, s.req.identity())}
	if s.req.isJob() && s.object != nil {
		names = append(names, alertName("Job", s.object.GetName(), s.object.GetUID()))
	}
	for _, name := range names {
		alert := &v1beta1.Alert{}
		if err = r.client.Get(ctx, client.ObjectKey{Namespace: s.req.Namespace, Name: name}, alert); !apierrors.IsNotFound(err) {
			return alert, err
		}
	}
	return nil, nil
}

// chooseAlert returns the Alert about an object that counts where there are several: one that is not being deleted, then one that is
// firing, then the oldest.
func chooseAlert(alerts []v1beta1.Alert) *v1beta1.Alert {
	return new(slices.MinFunc(alerts, func(a, b v1beta1.Alert) int {
		return cmp.Or(
			compareBools(b.DeletionTimestamp == nil, a.DeletionTimestamp == nil), compareBools(isFiring(&b), isFiring(&a)),
			a.CreationTimestamp.Compare(b.CreationTimestamp.Time), strings.Compare(a.Name, b.Name))
	}))
}

// compareBools orders false before true.
func compareBools(a, b bool) int {
	switch {
	case a == b:
		return 0
	case b:
		return -1
	}
	return 1
}

// findSince finds since when an object fails whose status does not say: since its pods are not ready.
func (r *Reconciler) findSince(ctx context.Context, s *situation) error {
	if !s.in.Asks || s.in.Result.State != healthrules.Failing || s.in.IsFiring || !s.in.Result.Since.IsZero() {
		return nil
	}
	selector, err := healthrules.PodSelector(s.object)
	if err != nil || selector == nil {
		return err
	}
	var pods corev1.PodList
	err = r.live.List(ctx, &pods, client.InNamespace(s.req.Namespace), client.MatchingLabelsSelector{Selector: selector})
	s.in.Result.Since, s.in.Result.IsRenewed = healthrules.UnreadySince(pods.Items), true
	return err
}

// details returns the diagnostics of an object that a person would look up first, without the summary of its status.
func (r *Reconciler) details(ctx context.Context, s *situation, result healthrules.Result) string {
	pods, err := r.podSelector(ctx, s.object)
	if err != nil {
		log.FromContext(ctx).Error(err, "The Alert has no details of Pods")
	}
	summary := summaryOf(result)
	subject := diagnostics.Subject{Namespace: s.req.Namespace, UID: s.object.GetUID(), Pods: pods, Summary: summary}
	return r.diagnostics.Collect(ctx, subject, maxContent-len(summary)-1)
}

// podSelector returns the selector of the Pods of an object, or of a CronJob's last Job; nil: the object has no Pods.
func (r *Reconciler) podSelector(ctx context.Context, object *unstructured.Unstructured) (labels.Selector, error) {
	if object.GetKind() != "CronJob" {
		return healthrules.PodSelector(object)
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
