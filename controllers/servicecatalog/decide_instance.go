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

// instanceWorld is what an instance's next step depends on beside the object.
type instanceWorld struct {
	now time.Time
	// offer is what the spec refers to, or why that is not there.
	offer offer
	// present is the plan that the instance has, nil if it has none or that is gone.
	present v1beta1.Plan
	// working is the plan of the operation that is under way; nil if there is none, or the
	// plan is gone.
	working v1beta1.Plan
	// refs are to be written into the spec; nil: they are there.
	refs *catalogRefs
	// problem is why nothing can be sent to the broker now.
	problem *blocker
	// recovered is when the broker last began to provision again, after that had failed.
	recovered time.Time
	// parameters are those of the spec, or why they cannot be had.
	parameters parameters
	// bindings are the names of those that refer to the instance.
	bindings []string
	// unbinding: all of them are being deleted, and go by themselves.
	unbinding bool
	// claimants are the other objects of the broker with the same id.
	claimants claimants
	// definition is what is known of the CRD since the deletion was seen.
	definition definitionState
	// polled is when this process last asked for the operation, and asked how long the
	// broker then wanted to be left alone.
	polled time.Time
	asked  time.Duration
}

// catalogRefs are the names of the objects that a plan reference was found to mean.
type catalogRefs struct {
	catalog.Refs
	scope catalog.Scope
}

// instanceCall is a request about an instance.
type instanceCall struct {
	verb                  verb
	id, serviceID, planID string
	// generation that it is for.
	generation int64
	// props are what the broker has once it is done, where it gets anything.
	props *v1beta1.ServiceInstancePropertiesState
	// clean: nothing can be at the broker before it.
	clean bool
	// owned: what is there under the id may be removed, and kept: nobody wants that.
	owned, kept bool
	// removal: what is polled is one.
	removal bool
	// limit is how long the operation that is polled may be in progress.
	limit time.Duration
	// unsure: it is not known what an earlier update did.
	unsure bool
	// guessed: the broker may have another of the recorded plans than the one that is named.
	guessed bool
	// changes of an update; what does not change is left out.
	newPlan, newParameters bool
	previousPlanID         string
	previousMaintenance    string
}

// instanceStep is what happens next to an instance.
type instanceStep struct {
	// protect: finalizer and id have to be put on first.
	protect bool
	// refs have to be written into the spec first.
	refs *catalogRefs
	// prove: it has to be known first whether the CRD is being deleted.
	prove bool
	// read: the parameters have to be known first.
	read bool
	// journal: the status has to be written before the call.
	journal bool
	call    *instanceCall
	// release: the finalizer goes, for this reason.
	release *word
	// status is what to write, but for what comes of the call.
	status v1beta1.ServiceInstanceStatus
	// wake is when to look again; zero: when something changes.
	wake time.Time
}

// instanceDecision is a decision being made.
type instanceDecision struct {
	si *v1beta1.ServiceInstance
	w  instanceWorld
	instanceStep
}

// decideInstance says what happens next to an instance.
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

// isBlank reports whether a status was never written: it has no field, or only the schema's
// default, an observedGeneration of -1.
func isBlank(s *v1beta1.ServiceInstanceStatus) bool {
	return s.ObservedGeneration <= 0 && s.ReconciledGeneration == 0 && len(s.Conditions) == 0 && s.CurrentOperation == ""
}

// unprotected is an instance without our finalizer.
func (d *instanceDecision) unprotected() {
	if isBlank(&d.status) {
		d.protect = true
		return
	}
	d.stall(v1beta1.ReasonAbandoned, "the finalizer was removed: nothing is sent to the broker any more, and nothing will be when this object is deleted")
}

// isClean reports whether nothing can be at the broker: what is sent is on record before (R1).
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

// owns says whether what the broker has under the id may be removed as this object's (R10).
func (d *instanceDecision) owns() bool { return isOwned(d.si) && d.w.claimants.blocksRemoval() == nil }

// isOthers says whether what the broker has under the id, if anything, is another object's.
func (d *instanceDecision) isOthers() bool {
	return d.w.claimants.blocksCreation() != nil && !isOwned(d.si) || isForAnother(d.si.UID, d.status.CreatedForUID)
}

// isForAnother says whether what the broker has was created for another object.
func isForAnother(uid, createdFor types.UID) bool { return createdFor != "" && createdFor != uid }

// isStopped says whether nothing is tried any more for what the spec says now.
func (d *instanceDecision) isStopped() bool {
	if a := d.status.Attempts; a != nil {
		return a.Stopped && !d.isNews(a)
	}
	// The former service-catalog left it at that. What is under way has conditions from before.
	failed := conditionOf(d.status.Conditions, v1beta1.ConditionFailed)
	return d.status.CurrentOperation == "" && failed != nil && failed.Status == v1beta1.ConditionTrue && d.status.ObservedGeneration >= d.si.Generation
}

func (d *instanceDecision) isNews(a *v1beta1.Attempts) bool {
	return a.Generation != d.si.Generation || a.ParametersVersion != d.w.parameters.version
}

// renewAttempts begins a new budget for a new spec. What earlier requests may have left
// is not forgotten.
func (d *instanceDecision) renewAttempts() {
	a := d.status.Attempts
	if a == nil || !d.isNews(a) {
		return
	}
	d.status.Attempts = renewed(a, d.si.Generation, d.w.parameters.version)
}

// isDue says whether the next attempt may be made, and else wakes it when it may.
func (d *instanceDecision) isDue() bool {
	if a := d.status.Attempts; isRecovered(a, d.w.recovered) {
		a.Recovered, a.NextTime = true, nil
	}
	d.wake = nextAttempt(d.si, d.status.Attempts, d.status.CurrentOperation == v1beta1.OperationDeprovision, d.w.now)
	return d.wake.IsZero()
}

// begin says what is going to be under way.
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

// mayHaveInstance says whether it is on record that the broker was asked for an instance.
func mayHaveInstance(s *v1beta1.ServiceInstanceStatus) bool {
	return s.CurrentOperation != "" || s.ProvisionStatus == v1beta1.Provisioned || s.DeprovisionStatus == v1beta1.DeprovisionRequired
}
