// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	eventsv1 "k8s.io/api/events/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/test/internal/workload"
)

// preparePaging prepares a default receiver, and a Namespace that lets its objects page.
func preparePaging(e *Environment) {
	e.createIdempotent("hook", markDefault)
	e.setConsent("enabled")
}

// setConsent sets the label of the Namespace; "" withdraws the consent.
func (e *Environment) setConsent(value string) {
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: e.Namespace}}
	edit(e, ns, func(ns *corev1.Namespace) {
		if delete(ns.Labels, v1beta1.PageByLabelLabel); value != "" {
			metav1.SetMetaDataLabel(&ns.ObjectMeta, v1beta1.PageByLabelLabel, value)
		}
	})
}

// createWorkload creates a healthy Deployment with the label, which pages as soon as it fails.
func (e *Environment) createWorkload(name string) *appsv1.Deployment {
	d := workload.NewDeployment(e.objectMeta(name))
	d.Labels[v1beta1.PageLabel] = "true"
	d.Annotations = map[string]string{v1beta1.PageAfterAnnotation: "0"}
	e.create(d)
	e.setRollout(d, false)
	return d
}

// fail lets a Deployment fail that should page.
func (e *Environment) fail(d *appsv1.Deployment) {
	e.MayPage.add(string(d.UID))
	e.setRollout(d, true)
}

// setRollout sets the status of a Deployment, as its controller does.
func (e *Environment) setRollout(d *appsv1.Deployment, isFailing bool) {
	e.await("setting the status of "+d.Name, func() error {
		if err := e.get(d); err != nil {
			return err
		}
		workload.SetRollout(d, isFailing)
		return e.Client.Status().Update(e.Ctx, d)
	})
}

// deleteWorkload deletes a Deployment. The request of a former leader that arrives after that creates an Alert without an owner, which nothing
// can prevent; the garbage collector deletes it.
func (e *Environment) deleteWorkload(d *appsv1.Deployment) {
	e.TimingDependent = e.Fault.IsLatePage()
	e.remove(d)
}

// createJob creates a Job with the label, and ends it 2 seconds later: of two Jobs of a name the second ends in another second, which times have.
func (e *Environment) createJob(name string, end func(*batchv1.Job)) *batchv1.Job {
	job := &batchv1.Job{ObjectMeta: e.objectMeta(name)}
	job.Labels[v1beta1.PageLabel] = "true"
	job.Spec.Template.Spec = corev1.PodSpec{RestartPolicy: corev1.RestartPolicyNever, Containers: []corev1.Container{{Name: "main", Image: "a"}}}
	e.create(job)
	e.MayPage.add(string(job.UID))
	e.pauseFrom(job.CreationTimestamp.Time, 2*time.Second)
	e.await("the end of "+name, func() error {
		if err := e.get(job); err != nil {
			return err
		}
		end(job)
		return e.Client.Status().Update(e.Ctx, job)
	})
	return job
}

func setPageLabel(value string) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) { d.Labels[v1beta1.PageLabel] = value }
}

// waitPage waits until the Alert about an object has a state, and is settled.
func (e *Environment) waitPage(o client.Object, state v1beta1.AlertState) *v1beta1.Alert {
	var alert *v1beta1.Alert
	e.await(fmt.Sprintf("the Alert about %s is %s", o.GetName(), state), func() (err error) {
		alert, err = e.pageAbout(o)
		if err == nil && alert.Spec.State != state {
			err = fmt.Errorf("it is %s", alert.Spec.State)
		}
		return err
	})
	e.waitSettled(alert)
	return alert
}

// waitPageState waits until an Alert has a state, and is settled.
func (e *Environment) waitPageState(a *v1beta1.Alert, state v1beta1.AlertState) {
	e.waitAlert(a, fmt.Sprintf("%s is %s", a.Name, state), func() bool { return a.Spec.State == state && isSettled(a) })
}

// pageAbout returns the Alert about an object. Versions before 0.6 recorded nothing but the owner.
func (e *Environment) pageAbout(o client.Object) (*v1beta1.Alert, error) {
	var alerts v1beta1.AlertList
	if err := e.Client.List(e.Ctx, &alerts, client.InNamespace(e.Namespace)); err != nil {
		return nil, err
	}
	for i, alert := range alerts.Items {
		isOwner := func(r metav1.OwnerReference) bool { return r.UID == o.GetUID() }
		if alert.Annotations[v1beta1.PagedUIDAnnotation] == string(o.GetUID()) || slices.ContainsFunc(alert.OwnerReferences, isOwner) {
			return &alerts.Items[i], nil
		}
	}
	return nil, errors.New("there is none")
}

// waitRefusal waits until an Event says that the Namespace of an object has not consented.
func (e *Environment) waitRefusal(o client.Object) {
	e.await("an Event says that "+o.GetName()+" may not page", func() error {
		var events eventsv1.EventList
		if err := e.Client.List(e.Ctx, &events, client.InNamespace(e.Namespace)); err != nil {
			return err
		}
		for _, event := range events.Items {
			if event.Regarding.UID == o.GetUID() && strings.Contains(event.Note, v1beta1.PageByLabelLabel) {
				return nil
			}
		}
		return errors.New("there is none")
	})
}
