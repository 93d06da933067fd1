// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"fmt"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// update decides on an instance that the broker has.
func (d *decision) update() {
	if d.isStopped() {
		return
	}
	d.renewAttempts()
	specChanged := d.si.Generation != d.Status.ReconciledGeneration
	if why := d.precondition(); why != nil {
		if specChanged { // otherwise the broker has the state that the spec requests
			d.setBlocked(why)
		}
		return
	}
	if !specChanged && !d.isChangeUnknown() && d.si.Status.Attempts == nil && !d.secretsMayDiffer() {
		return
	}
	if !d.schedule().IsDue() {
		d.AwaitAttempt(d.schedule())
		return
	}
	if !d.in.Parameters.MaySend() {
		d.awaitParameters()
		return
	}
	props, call := d.desiredProperties(), d.newRequest(rules.Update)
	if !specChanged { // a change of a Secret does not request maintenance
		props.MaintenanceVersion = rules.NonNil(d.Status.ExternalProperties).MaintenanceVersion
	}
	d.setChanges(call, props, specChanged)
	// An instance that is unusable since a failed update may be usable after another update, even where nothing changes.
	touched := d.Status.Unusable || specChanged && d.si.Spec.UpdateRequests > rules.NonNil(d.Status.ExternalProperties).UpdateRequests
	switch {
	case d.lacksBaseline() && !specChanged && !call.OutcomeUnknown, !call.NewPlan && !call.NewParameters && !touched:
		d.recordUpToDate(props)
	case call.NewPlan && !d.mayChangePlan():
		d.setBlocked(rules.BlockedBy(v1beta1.ReasonUpdateInstanceCallFailed, fmt.Sprintf("instances of plan %q cannot change to another: name that plan again, or create another ServiceInstance", rules.NonNil(d.Status.ExternalProperties).ClusterServicePlanExternalName+rules.NonNil(d.Status.ExternalProperties).ServicePlanExternalName)))
	case d.Status.RefusedUpdate != "" && d.Status.RefusedUpdate == rules.Fingerprint(props):
		d.stopRetrying(v1beta1.ReasonUpdateInstanceCallFailed, "the broker refused this change and reported that it must not be repeated: change plan or parameters to something else")
	case call.NewParameters && d.in.Parameters.Invalid != nil:
		d.setBlocked(d.in.Parameters.Invalid)
	default:
		call.Properties = props
		if call.NewParameters {
			call.Required = d.in.Parameters.Required
		}
		d.Request = call
		d.recordFormerPlan(props)
		d.beginOperation(Updating, props)
		d.writeAhead(v1beta1.ReasonUpdateInstanceRequestInFlight, "The update request is being sent to the broker")
	}
}

// recordFormerPlan records the plan of the last request where its outcome is not known and the next one is for another plan: the
// instance may have either.
func (d *decision) recordFormerPlan(props *v1beta1.ServiceInstancePropertiesState) {
	former := rules.PlanID(rules.NonNil(d.Status.InProgressProperties))
	if former != "" && former != rules.PlanID(props) && d.isChangeUnknown() {
		rules.AddPlan(&d.currentAttempts().CandidatePlans, former)
	}
}

// setChanges sets what an update changes. Where the outcome of an earlier update is not known, all properties are sent but no previous plan.
func (d *decision) setChanges(call *Request, props *v1beta1.ServiceInstancePropertiesState, specChanged bool) {
	before := rules.NonNil(d.Status.ExternalProperties)
	call.PreviousMaintenanceVersion = before.MaintenanceVersion
	if call.OutcomeUnknown = d.isChangeUnknown(); !call.OutcomeUnknown {
		call.PreviousPlanID = rules.PlanID(before)
	}
	call.NewPlan = rules.PlanID(before) != rules.PlanID(props) || call.OutcomeUnknown && specChanged && d.mayChangePlan()
	call.NewParameters = !rules.SameParametersSent(before, props) || call.OutcomeUnknown
}

// isChangeUnknown reports whether the outcome of an earlier request that changes the instance is not known: it is recorded as such, or the
// operation is on record without an outcome.
func (d *decision) isChangeUnknown() bool {
	return d.phase.HasOperation() || d.Status.Attempts != nil && d.Status.Attempts.Unknown > 0
}

// recordUpToDate records that the broker has the state that the spec requests.
func (d *decision) recordUpToDate(props *v1beta1.ServiceInstancePropertiesState) {
	if d.Status.ReconciledGeneration != d.si.Generation || d.si.Status.Attempts != nil {
		d.Status.ReconciledGeneration = d.si.Generation
		d.Status.Attempts = nil
		d.setConditions(rules.ConditionSet{Ready: v1beta1.ConditionTrue, Reason: v1beta1.ReasonProvisionedSuccessfully, Message: "The broker has the state that the spec describes"})
	}
	if before := d.Status.ExternalProperties; before != nil && before.ParametersDigest != props.ParametersDigest {
		before.ParametersVersion, before.ParametersDigest = props.ParametersVersion, props.ParametersDigest
	}
}

// lacksBaseline reports whether the status has neither version nor digest of parameters, by which a change of the Secrets is found. The original
// service-catalog wrote such a status. Version and digest of the present parameters are recorded, but nothing is sent: the spec has not changed.
func (d *decision) lacksBaseline() bool {
	before := rules.NonNil(d.Status.ExternalProperties)
	return before.ParametersVersion == "" && before.ParametersDigest == ""
}

// secretsMayDiffer reports whether the parameters from Secrets have changed, or have to be read to know that.
func (d *decision) secretsMayDiffer() bool {
	before, params := rules.NonNil(d.Status.ExternalProperties), d.in.Parameters
	if params.Version == "" || d.si.Annotations[v1beta1.ParametersPolicyAnnotation] == v1beta1.ParametersManual {
		return false
	}
	return params.Blocker != nil || d.lacksBaseline() || params.Compare(before.ParametersVersion, before.ParametersDigest, before.ParameterChecksum) != rules.SameParameters
}

// mayChangePlan reports whether an instance of the present plan can change to another plan.
func (d *decision) mayChangePlan() bool {
	present := d.in.PresentPlan
	if present == nil { // removed from the catalog: the class decides
		present = d.in.Offering.Plan
	}
	return catalog.EffectiveOf(d.in.Offering.Class, present).PlanUpdatable
}
