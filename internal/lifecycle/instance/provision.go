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

package instance

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/lifecycle"
)

// provision decides on an instance that the broker does not have.
func (d *decision) provision() {
	if d.isStopped() {
		return
	}
	d.renewAttempts()
	attempts := d.Status.Attempts
	if why := d.precondition(); why != nil {
		d.block(why)
		return
	}
	if !d.isDue() || !d.knowsParameters() {
		return
	}
	if unfit := d.in.Parameters.Invalid; unfit != nil {
		d.setBlocked(unfit)
		return
	}
	props := d.desiredProperties()
	isHeld, isRetrievable := isConflictHeld(&d.Status), d.in.Offering.Class.Common().InstanceRetrievable
	unwanted := d.isOutcomeUnknown() && !isHeld && d.Status.InProgressProperties != nil && !lifecycle.SameProperties(d.Status.InProgressProperties, props)
	switch {
	case attempts != nil && attempts.Conflict && (isRetrievable || !isHeld):
		d.Request = d.newRequest(lifecycle.Inspect)
		d.Request.Properties = props
		return
	case unwanted || attempts != nil && attempts.Unknown > lifecycle.MaxRepeatsAfter(attempts.Mitigation):
		if !d.owns() || catalog.IsRetained(d.si) {
			break
		}
		d.startMitigation()
		return
	}
	d.Request = d.newRequest(lifecycle.Provision)
	d.Request.Properties = props
	d.recordFormerPlan(props)
	d.beginOperation(Provisioning, props)
	d.writeAhead(v1beta1.ReasonProvisionRequestInFlight, "The broker is being asked to provision the instance")
}

// block sets the conditions for what blocks a provisioning. Where another object owns the id, the status records for whom the
// broker's instance was created, so that this object does not inherit it.
func (d *decision) block(why *lifecycle.Blocker) {
	d.setBlocked(why)
	if !d.phase.hasNothingAtBroker() {
		return
	}
	d.phase = NotCreated
	if c := d.in.Claimants.BlocksCreation(); why.Reason == v1beta1.ReasonExternalIDInUse && c.Owns {
		d.Status.CreatedForUID = c.UID
	}
}

// writeAhead has the status written before the request, unless it is on record (R1).
func (d *decision) writeAhead(reason, message string) {
	if d.phase.encode(&d.Status); equality.Semantic.DeepEqual(d.Status, d.si.Status) {
		return
	}
	d.WriteAhead = true
	if lifecycle.IsSlow(d.Status.Attempts) { // the conditions stay until the broker has answered
		d.observe()
		return
	}
	d.setConditions(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: reason, Message: message})
}

// precondition returns what blocks a provisioning or an update; nil: nothing does.
func (d *decision) precondition() *lifecycle.Blocker {
	switch offer := d.in.Offering; {
	case offer.Missing != nil:
		return offer.Missing
	case !offer.Broker.GetDeletionTimestamp().IsZero() && !IsProvisioned(&d.Status):
		return lifecycle.MissingReference(d.si, v1beta1.ReasonReferencesNonexistentBroker, fmt.Sprintf("broker %q is being deleted", offer.Broker.GetName()))
	case d.in.Claimants.BlocksCreation() != nil && !lifecycle.OwnsInstance(d.si):
		return d.in.Claimants.BlocksCreation().InUse(lifecycle.InstanceID(d.si))
	case offer.Class.CommonStatus().RemovedFromBrokerCatalog && !d.hasPlan(offer.Plan):
		return lifecycle.BlockedBy(v1beta1.ReasonReferencesDeletedServiceClass, fmt.Sprintf("the broker does not offer class %q any more", offer.Class.Common().ExternalName))
	case offer.Plan.CommonStatus().RemovedFromBrokerCatalog && !d.hasPlan(offer.Plan):
		return lifecycle.BlockedBy(v1beta1.ReasonReferencesDeletedServicePlan, fmt.Sprintf("the broker does not offer plan %q any more", offer.Plan.Common().ExternalName))
	}
	return d.in.BrokerBlocker
}

// knowsParameters reports whether the parameters can be sent. If not, they are read first, or the conditions say why they cannot be.
func (d *decision) knowsParameters() bool {
	params := d.in.Parameters
	switch {
	case !params.Known:
		d.Need = lifecycle.NeedParameters
	case params.Blocker == nil:
		return true
	case !params.SecretMissing || !IsProvisioned(&d.Status) || d.si.Generation != d.Status.ReconciledGeneration:
		d.setBlocked(params.Blocker)
	default: // the broker has what the spec asks for; without the Secret it only cannot be repeated
	}
	return false
}

// hasPlan reports whether the instance has the plan at the broker.
func (d *decision) hasPlan(plan v1beta1.Plan) bool {
	return IsProvisioned(&d.Status) && d.Status.ExternalProperties != nil && lifecycle.PlanID(d.Status.ExternalProperties) == plan.Common().ExternalID
}

// desiredProperties returns the properties that the spec asks for.
func (d *decision) desiredProperties() *v1beta1.ServiceInstancePropertiesState {
	plan, params := d.in.Offering.Plan, d.in.Parameters
	props := lifecycle.PropertiesOf(plan)
	props.Parameters, props.ParameterChecksum = params.Redacted, params.Checksum
	props.ParametersVersion, props.ParametersDigest = params.Version, params.Digest
	props.UpdateRequests, props.UserInfo = d.si.Spec.UpdateRequests, d.si.Spec.UserInfo
	if info := plan.Common().MaintenanceInfo; info != nil {
		props.MaintenanceVersion = info.Version
	}
	return props
}

// update decides on an instance that the broker has.
func (d *decision) update() {
	if d.isStopped() {
		return
	}
	d.renewAttempts()
	byUser := d.si.Generation != d.Status.ReconciledGeneration
	if why := d.precondition(); why != nil {
		if byUser { // otherwise the broker has what the spec asks for
			d.setBlocked(why)
		}
		return
	}
	if !byUser && !d.isOutcomeUnknown() && d.si.Status.Attempts == nil && !d.secretsMayDiffer() {
		return
	}
	if !d.isDue() || !d.knowsParameters() {
		return
	}
	props, call := d.desiredProperties(), d.newRequest(lifecycle.Update)
	if !byUser { // a change of a Secret does not request maintenance
		props.MaintenanceVersion = lifecycle.NonNil(d.Status.ExternalProperties).MaintenanceVersion
	}
	d.setChanges(call, props, byUser)
	// An instance that is unusable since a failed update may be usable after another update, even where nothing changes.
	touched := d.Status.Unusable || byUser && d.si.Spec.UpdateRequests > lifecycle.NonNil(d.Status.ExternalProperties).UpdateRequests
	switch {
	case d.lacksBaseline() && !byUser && !call.OutcomeUnknown, !call.NewPlan && !call.NewParameters && !touched:
		d.recordUpToDate(props)
	case call.NewPlan && !d.mayChangePlan():
		d.setBlocked(lifecycle.BlockedBy(v1beta1.ReasonUpdateInstanceCallFailed, fmt.Sprintf("instances of plan %q cannot change to another: name that plan again, or create another ServiceInstance", lifecycle.NonNil(d.Status.ExternalProperties).ClusterServicePlanExternalName+lifecycle.NonNil(d.Status.ExternalProperties).ServicePlanExternalName)))
	case d.Status.RefusedUpdate != "" && d.Status.RefusedUpdate == lifecycle.Fingerprint(props):
		d.stopRetrying(v1beta1.ReasonUpdateInstanceCallFailed, "the broker refused this change and said not to send it again: change plan or parameters to something else")
	case call.NewParameters && d.in.Parameters.Invalid != nil:
		d.setBlocked(d.in.Parameters.Invalid)
	default:
		call.Properties = props
		d.Request = call
		d.recordFormerPlan(props)
		d.beginOperation(Updating, props)
		d.writeAhead(v1beta1.ReasonUpdateInstanceRequestInFlight, "The broker is being asked to update the instance")
	}
}

// recordFormerPlan records the plan of the last request where its outcome is not known and the next one is for another plan: the
// instance may have either.
func (d *decision) recordFormerPlan(props *v1beta1.ServiceInstancePropertiesState) {
	former := lifecycle.PlanID(lifecycle.NonNil(d.Status.InProgressProperties))
	if former != "" && former != lifecycle.PlanID(props) && d.isOutcomeUnknown() {
		lifecycle.AddPlan(&d.currentAttempts().CandidatePlans, former)
	}
}

// currentAttempts returns the attempts at the present spec, and creates them if there are none.
func (d *decision) currentAttempts() *v1beta1.Attempts {
	if d.Status.Attempts == nil {
		d.Status.Attempts = &v1beta1.Attempts{AttemptedSpec: v1beta1.AttemptedSpec{Generation: d.si.Generation, ParametersVersion: d.in.Parameters.Version, ParametersDigest: d.in.Parameters.Digest}}
	}
	return d.Status.Attempts
}

// setChanges sets what an update changes. Where the outcome of an earlier update is not known, everything is sent, and no previous plan.
func (d *decision) setChanges(call *Request, props *v1beta1.ServiceInstancePropertiesState, byUser bool) {
	before := lifecycle.NonNil(d.Status.ExternalProperties)
	call.PreviousMaintenanceVersion = before.MaintenanceVersion
	if call.OutcomeUnknown = d.isOutcomeUnknown(); !call.OutcomeUnknown {
		call.PreviousPlanID = lifecycle.PlanID(before)
	}
	call.NewPlan = lifecycle.PlanID(before) != lifecycle.PlanID(props) || call.OutcomeUnknown && byUser && d.mayChangePlan()
	call.NewParameters = !lifecycle.SameParametersSent(before, props) || call.OutcomeUnknown
}

// isOutcomeUnknown reports whether the outcome of an earlier request is not known: it is recorded as such, or the operation is on record
// without an outcome.
func (d *decision) isOutcomeUnknown() bool {
	return d.phase.HasOperation() || d.Status.Attempts != nil && d.Status.Attempts.Unknown > 0
}

// recordUpToDate records that the broker has what the spec asks for.
func (d *decision) recordUpToDate(props *v1beta1.ServiceInstancePropertiesState) {
	if d.Status.ReconciledGeneration != d.si.Generation || d.si.Status.Attempts != nil {
		d.Status.ReconciledGeneration = d.si.Generation
		d.Status.Attempts = nil
		d.setConditions(lifecycle.ConditionSet{Ready: v1beta1.ConditionTrue, Reason: v1beta1.ReasonProvisionedSuccessfully, Message: "The broker has what the spec says"})
	}
	if before := d.Status.ExternalProperties; before != nil && before.ParametersDigest != props.ParametersDigest {
		before.ParametersVersion, before.ParametersDigest = props.ParametersVersion, props.ParametersDigest
	}
}

// lacksBaseline reports whether the status has nothing that a later change of the Secrets can be found by, as that of the original
// service-catalog. What they have now is recorded, and not sent: the spec has not changed.
func (d *decision) lacksBaseline() bool {
	before := lifecycle.NonNil(d.Status.ExternalProperties)
	return before.ParametersVersion == "" && before.ParametersDigest == ""
}

// secretsMayDiffer reports whether the parameters from Secrets have changed, or have to be read to know that.
func (d *decision) secretsMayDiffer() bool {
	before, params := lifecycle.NonNil(d.Status.ExternalProperties), d.in.Parameters
	if params.Version == "" || d.si.Annotations[v1beta1.ParametersPolicyAnnotation] == v1beta1.ParametersManual {
		return false
	}
	return params.Blocker != nil || d.lacksBaseline() || params.Compare(before.ParametersVersion, before.ParametersDigest, before.ParameterChecksum) != lifecycle.SameParameters
}

// mayChangePlan reports whether an instance of the present plan can change to another plan.
func (d *decision) mayChangePlan() bool {
	present := d.in.PresentPlan
	if present == nil { // removed from the catalog: the class decides
		present = d.in.Offering.Plan
	}
	return catalog.EffectiveOf(d.in.Offering.Class, present).PlanUpdatable
}
