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

package servicecatalog

import (
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
)

// observe sets what the status says of the spec.
func (d *instanceDecision) observe() {
	isCleanup := d.status.OrphanMitigationInProgress && d.si.DeletionTimestamp.IsZero()
	if !d.status.AsyncOpInProgress && !isCleanup { // these stay with the generation that they began with
		d.status.ObservedGeneration = d.si.Generation
	}
	ref, _ := catalog.ReferenceOf(d.si.Spec.PlanReference) // admission has refused a wrong one
	d.status.UserSpecifiedClassName, d.status.UserSpecifiedPlanName = ref.UserSpecifiedClassName(), ref.UserSpecifiedPlanName()
}

// say sets the conditions.
func (d *instanceDecision) say(v verdict) {
	d.observe()
	setInstanceConditions(&d.status, v, d.w.now)
}

// wait sets the conditions for a blocker. An event about what is missing, or its time, causes another reconcile.
func (d *instanceDecision) wait(by *blocker) {
	v, wake := by.verdict(d.si, d.w.now)
	v.ready, v.message = v1beta1.ConditionFalse, by.message
	d.wake = wake
	d.say(v)
}

// stall sets the conditions of an object that the operator does nothing for.
func (d *instanceDecision) stall(reason, message string) {
	d.say(verdict{ready: v1beta1.ConditionUnknown, reason: reason, message: message, stalled: true})
}

// hold sets the conditions for a blocker of a deletion or an orphan mitigation.
func (d *instanceDecision) hold(by *blocker) {
	v, wake := by.verdict(d.si, d.w.now)
	v.mitigation = mitigationOf(d.status.Conditions)
	d.wake = wake
	d.say(v)
}

// troubledInstance returns the status for a blocker that appears after the decision, such as a full queue or an API server that
// does not answer.
func troubledInstance(si *v1beta1.ServiceInstance, why *blocker, now time.Time) v1beta1.ServiceInstanceStatus {
	status := *si.Status.DeepCopy()
	v, _ := why.verdict(si, now)
	v.mitigation = mitigationOf(status.Conditions)
	setInstanceConditions(&status, v, now)
	return status
}

// stop ends the attempts until the spec changes.
func (d *instanceDecision) stop(reason, message string) {
	if d.status.Attempts == nil {
		d.status.Attempts = &v1beta1.Attempts{}
	}
	d.status.Attempts.Generation, d.status.Attempts.ParametersVersion = d.si.Generation, d.w.parameters.version
	d.halt(reason, message)
}

// halt ends the recorded attempts.
func (d *instanceDecision) halt(reason, message string) {
	d.status.Attempts.Stopped, d.status.Attempts.NextTime = true, nil
	d.say(givenUp(reason, reason, message))
}

func setInstanceConditions(status *v1beta1.ServiceInstanceStatus, v verdict, now time.Time) {
	status.Conditions = v.conditions(status.Conditions, now)
	status.LastConditionState = lastConditionState(status.Conditions)
}
