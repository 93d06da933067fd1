// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package scenario

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/test/internal/workload"
)

// pageScenarios are about Alerts that objects with the label have.
func pageScenarios() []Scenario {
	all := []Scenario{
		{Name: "page", Steps: func(e *Environment) {
			d := e.createWorkload("orders")
			e.fail(d)
			e.waitPage(d, v1beta1.AlertFiring)
			e.setRollout(d, false)
			e.waitPage(d, v1beta1.AlertResolved)
			e.fail(d)
			a := e.waitPage(d, v1beta1.AlertFiring)
			e.deleteWorkload(d)
			e.waitAlertGone(a)
		}},
		{Name: "page-label-removed", Steps: func(e *Environment) {
			d := e.createWorkload("orders")
			e.fail(d)
			e.waitPage(d, v1beta1.AlertFiring)
			edit(e, d, setPageLabel("false"))
			e.waitPage(d, v1beta1.AlertResolved)
		}},
		{Name: "page-anew", Steps: func(e *Environment) {
			for range 2 {
				d := e.createWorkload("orders")
				e.fail(d)
				e.waitPage(d, v1beta1.AlertFiring)
				e.deleteWorkload(d)
				e.waitGone(d)
			}
		}},
		{Name: "page-consent-withdrawn", Steps: consentWithdrawn},
		{Name: "page-resolved", RecordsObject: true, Steps: resolvedByPerson},
		{Name: "page-orphaned", RecordsObject: true, timingDependent: true, Steps: func(e *Environment) { // the garbage collector may delete the Alert
			d := e.createWorkload("orders")
			e.fail(d)
			a := e.waitPage(d, v1beta1.AlertFiring)
			e.must(e.Client.Delete(e.Ctx, d, client.PropagationPolicy(metav1.DeletePropagationOrphan)))
			e.waitPageState(a, v1beta1.AlertResolved)
		}},
		{Name: "page-replaced", RecordsObject: true, Steps: func(e *Environment) { // as by kubectl replace --force
			d := e.createWorkload("orders")
			e.fail(d)
			a := e.waitPage(d, v1beta1.AlertFiring)
			e.deleteWorkload(d)
			e.waitGone(d)
			anew := e.createWorkload("orders")
			e.fail(anew)
			e.waitAlertGone(a)
			e.waitPage(anew, v1beta1.AlertFiring)
		}},
		{Name: "page-job-deleted", RecordsObject: true, Steps: jobDeleted},
	}
	for i := range all {
		all[i].Prepare, all[i].PageByLabel = preparePaging, true
	}
	return all
}

// consentWithdrawn checks that an object has no Alert that fails after its Namespace has withdrawn its consent.
func consentWithdrawn(e *Environment) {
	d, other := e.createWorkload("orders"), e.createWorkload("other")
	e.fail(d)
	e.waitPage(d, v1beta1.AlertFiring)
	e.setConsent("")
	e.setRollout(other, true)
	e.waitRefusal(other)
	e.waitPage(d, v1beta1.AlertResolved)
}

// resolvedByPerson checks that an Alert that a person has resolved fires again once its object fails anew, and not before.
func resolvedByPerson(e *Environment) {
	d, other := e.createWorkload("orders"), e.createWorkload("other")
	e.fail(d)
	a := e.waitPage(d, v1beta1.AlertFiring)
	edit(e, a, func(a *v1beta1.Alert) { a.Spec.State = v1beta1.AlertResolved })
	e.waitPage(d, v1beta1.AlertResolved)
	e.fail(other)
	e.waitPage(other, v1beta1.AlertFiring)
	e.waitPage(d, v1beta1.AlertResolved)
	e.pauseFrom(time.Now(), 2*time.Second) // or the operator, which may not see the recovery, takes the second failure for the first one
	e.setRollout(d, false)
	e.fail(d)
	e.waitPage(d, v1beta1.AlertFiring)
}

// jobDeleted checks that the Alert about a failed Job outlasts the Job, and ends with a later one that succeeds.
func jobDeleted(e *Environment) {
	job := e.createJob("import", workload.SetFailed)
	a := e.waitPage(job, v1beta1.AlertFiring)
	e.must(e.Client.Delete(e.Ctx, job, client.PropagationPolicy(metav1.DeletePropagationForeground)))
	e.waitGone(job)
	other := e.createWorkload("other") // its Alert is resolved later than that of the Job would be
	e.fail(other)
	e.waitPage(other, v1beta1.AlertFiring)
	e.setRollout(other, false)
	e.waitPage(other, v1beta1.AlertResolved)
	e.waitPageState(a, v1beta1.AlertFiring)
	e.createJob("import", workload.SetSucceeded)
	e.waitPageState(a, v1beta1.AlertResolved)
}
