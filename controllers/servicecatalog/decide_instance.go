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
	"slices"
	"time"

	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
)

// instanceWorld is what the decision about an instance depends on, beside the object.
type instanceWorld struct {
	now time.Time
	// offer is what the spec refers to, or why it does not exist.
	offer offer
	// present is the plan that the instance has at the broker; nil: it has none, or the plan no longer exists.
	present v1beta1.Plan
	// working is the plan of the operation in progress; nil: there is none, or the plan no longer exists.
	working v1beta1.Plan
	// refs have to be written into the spec; nil: it has them.
	refs *catalogRefs
	// problem is why no request can be sent to the broker now.
	problem *blocker
	// recovered is when the broker's provisioning last recovered from failures.
	recovered time.Time
	// parameters are those of the spec, or why they cannot be read.
	parameters parameters
	// bindings are the names of the ServiceBindings that refer to the instance.
	bindings []string
	// unbinding: all of them are being deleted, and none is Stalled.
	unbinding bool
	// claimants are the other objects of the broker that have the same id.
	claimants claimants
	// definition is what a read of the CRD found that began after the deletion was seen.
	definition definitionState
	// polled is when this process last polled the operation, and asked the Retry-After of that answer.
	polled time.Time
	asked  time.Duration
}

// catalogRefs are the names of the objects that the plan reference of a spec resolves to.
type catalogRefs struct {
	catalog.Refs
	scope catalog.Scope
}

// instanceCall is a request to the broker about an instance.
type instanceCall struct {
	verb                  verb
	id, serviceID, planID string
	// generation of the spec that it follows from.
	generation int64
	// props are the properties that the broker has once the request has succeeded; nil for requests that change none.
	props *v1beta1.ServiceInstancePropertiesState
	// clean: the broker can have nothing under the id before the request.
	clean bool
	// owned: this object created the broker's instance, so that it may be deleted (R10). kept: the deletion policy is Retain.
	owned, kept bool
	// removal: the operation that is polled is a deprovisioning.
	removal bool
	// limit is the maximum duration of the operation that is polled.
	limit time.Duration
	// unsure: the outcome of an earlier update is not known.
	unsure bool
	// guessed: the instance may have another of the recorded plans than the one that the request names.
	guessed bool
	// Of an update: what changes. The request leaves out the rest.
	newPlan, newParameters bool
	previousPlanID         string
	previousMaintenance    string
}

// instanceStep is what the reconciler does next for an instance.
type instanceStep struct {
	// protect: finalizer and id have to be added first.
	protect bool
	// refs have to be written into the spec first; nil: none.
	refs *catalogRefs
	// prove: the CRD has to be read first, as it may be terminating (R10).
	prove bool
	// read: the parameters have to be read first.
	read bool
	// journal: the status has to be written before the request (R1).
	journal bool
	call    *instanceCall
	// release is why the finalizer is removed; nil: it is not.
	release *word
	// status is the status to write, before the outcome of the request.
	status v1beta1.ServiceInstanceStatus
	// wake is when to reconcile again; zero: with the next event.
	wake time.Time
}

// instanceDecision is a step while it is decided on.
type instanceDecision struct {
	si *v1beta1.ServiceInstance
	w  instanceWorld
	instanceStep
}

// decideInstance returns the next step for an instance.
func decideInstance(si *v1beta1.ServiceInstance, w instanceWorld) instanceStep {
	d := &instanceDecision{si: si, w: w, instanceStep: instanceStep{status: *si.Status.DeepCopy()}}
	status := &d.status
	switch {
	case !si.DeletionTimestamp.IsZero():
		d.remove()
	case !slices.Contains(si.Finalizers, v1beta1.Finalizer):
		d.unprotected()
	case status.OrphanMitigationInProgress:
		d.mitigate()
	case status.AsyncOpInProgress:
		d.poll()
	case w.refs != nil && (status.ProvisionStatus != v1beta1.Provisioned || si.Generation != status.ReconciledGeneration):
		d.refs = w.refs
	case status.ProvisionStatus == v1beta1.Provisioned:
		d.update()
	default:
		d.provision()
	}
	return d.instanceStep
}

// isBlank reports whether a status was never written: it is empty, or the schema's default, an observedGeneration of -1.
func isBlank(s *v1beta1.ServiceInstanceStatus) bool {
	return s.ObservedGeneration <= 0 && s.ReconciledGeneration == 0 && len(s.Conditions) == 0 && s.CurrentOperation == ""
}

// unprotected decides on an instance without the finalizer: a new one gets it, any other was abandoned.
func (d *instanceDecision) unprotected() {
	if isBlank(&d.status) {
		d.protect = true
		return
	}
	d.stall(v1beta1.ReasonAbandoned, "the finalizer was removed: nothing is sent to the broker any more, and nothing will be when this object is deleted")
}

// isClean reports whether the broker can have nothing of the instance: every request is on record before it is sent (R1).
func (d *instanceDecision) isClean() bool {
	switch d.status.DeprovisionStatus {
	case v1beta1.DeprovisionNotRequired, v1beta1.DeprovisionSucceeded:
		return true
	case "":
		return !mayHaveInstance(&d.status)
	case v1beta1.DeprovisionRequired, v1beta1.DeprovisionFailed:
	}
	return false
}

// owns reports whether the broker's instance may be removed as this object's (R10).
func (d *instanceDecision) owns() bool { return isOwned(d.si) && d.w.claimants.blocksRemoval() == nil }

// isOthers reports whether the id belongs to another object.
func (d *instanceDecision) isOthers() bool {
	return d.w.claimants.blocksCreation() != nil && !isOwned(d.si) || isForAnother(d.si.UID, d.status.CreatedForUID)
}

// isForAnother reports whether the broker's resource was created for another object.
func isForAnother(uid, createdFor types.UID) bool { return createdFor != "" && createdFor != uid }

// isStopped reports whether the present spec was refused, so that it is not tried again.
func (d *instanceDecision) isStopped() bool {
	if a := d.status.Attempts; a != nil {
		return a.Stopped && !d.isNews(a)
	}
	// The original service-catalog did not retry after Failed=True. During an operation the conditions are older than that.
	failed := conditionOf(d.status.Conditions, v1beta1.ConditionFailed)
	return d.status.CurrentOperation == "" && failed != nil && failed.Status == v1beta1.ConditionTrue && d.status.ObservedGeneration >= d.si.Generation
}

func (d *instanceDecision) isNews(a *v1beta1.Attempts) bool {
	return a.Generation != d.si.Generation || a.ParametersVersion != d.w.parameters.version
}

// renewAttempts resets the attempts for a new spec, except for what earlier requests may have left at the broker.
func (d *instanceDecision) renewAttempts() {
	a := d.status.Attempts
	if a == nil || !d.isNews(a) {
		return
	}
	d.status.Attempts = renewed(a, d.si.Generation, d.w.parameters.version)
}

// isDue reports whether the next attempt is due, and otherwise sets when to reconcile again.
func (d *instanceDecision) isDue() bool {
	if a := d.status.Attempts; isRecovered(a, d.w.recovered) {
		a.Recovered, a.NextTime = true, nil
	}
	d.wake = nextAttempt(d.si, d.status.Attempts, d.status.CurrentOperation == v1beta1.OperationDeprovision, d.w.now)
	return d.wake.IsZero()
}

// begin sets the operation that the next request begins.
func (d *instanceDecision) begin(operation v1beta1.ServiceInstanceOperation, props *v1beta1.ServiceInstancePropertiesState) {
	if d.status.CurrentOperation != operation || d.status.OperationStartTime == nil {
		d.status.OperationStartTime = timeOf(d.w.now)
	}
	d.status.CurrentOperation, d.status.InProgressProperties = operation, props
	d.status.Broker = brokerReference(d.w.offer)
	d.observe()
}

func (d *instanceDecision) newCall(v verb) *instanceCall {
	call := &instanceCall{verb: v, id: idOf(d.si), generation: d.si.Generation, clean: d.isClean(), owned: d.owns(), kept: catalog.IsRetained(d.si)}
	if d.w.offer.class != nil {
		call.serviceID = d.w.offer.class.Common().ExternalID
	}
	if d.w.offer.plan != nil {
		call.planID = d.w.offer.plan.Common().ExternalID
	}
	return call
}

// mayHaveInstance reports whether a request for an instance is on record.
func mayHaveInstance(s *v1beta1.ServiceInstanceStatus) bool {
	return s.CurrentOperation != "" || s.ProvisionStatus == v1beta1.Provisioned || s.DeprovisionStatus == v1beta1.DeprovisionRequired
}
