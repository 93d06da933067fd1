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
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
)

// provision decides on an instance that the broker does not have.
func (d *instanceDecision) provision() {
	if d.isStopped() {
		return
	}
	d.renewAttempts()
	attempts := d.status.Attempts
	if why := d.obstacle(); why != nil {
		d.hinder(why)
		return
	}
	if !d.isDue() || !d.knowsParameters() {
		return
	}
	if unfit := d.w.parameters.unfit; unfit != nil {
		d.wait(unfit)
		return
	}
	props := d.wanted()
	unwanted := d.isUnsure() && d.status.InProgressProperties != nil && !sameProperties(d.status.InProgressProperties, props)
	switch {
	case attempts != nil && attempts.Conflict:
		d.call = d.newCall(inspect)
		d.call.props = props
		return
	case unwanted || attempts != nil && attempts.Unknown > repeats(attempts):
		if d.owns() && !catalog.IsRetained(d.si) {
			d.startMitigation()
			return
		}
	}
	d.call = d.newCall(provision)
	d.call.props = props
	d.recordFormerPlan(props)
	d.begin(v1beta1.OperationProvision, props)
	d.status.DeprovisionStatus = v1beta1.DeprovisionRequired
	d.writeFirst(v1beta1.ReasonProvisionRequestInFlight, "The broker is being asked to provision the instance")
}

// hinder sets the conditions for what blocks a provisioning. Where another object owns the id, the status records for whom the
// broker's instance was created, so that this object does not inherit it.
func (d *instanceDecision) hinder(why *blocker) {
	d.wait(why)
	if !d.isClean() {
		return
	}
	d.status.DeprovisionStatus = v1beta1.DeprovisionNotRequired
	if c := d.w.claimants.blocksCreation(); why.reason == v1beta1.ReasonExternalIDInUse && c.owns {
		d.status.CreatedForUID = c.uid
	}
}

// writeFirst has the status written before the request, unless it is on record (R1).
func (d *instanceDecision) writeFirst(reason, message string) {
	if equality.Semantic.DeepEqual(d.status, d.si.Status) {
		return
	}
	d.journal = true
	if isSlow(d.status.Attempts) { // the conditions stay until the broker has answered
		d.observe()
		return
	}
	d.say(verdict{ready: v1beta1.ConditionFalse, reason: reason, message: message})
}

// obstacle returns what blocks a provisioning or an update; nil: nothing does.
func (d *instanceDecision) obstacle() *blocker {
	switch offer := d.w.offer; {
	case offer.missing != nil:
		return offer.missing
	case !offer.broker.GetDeletionTimestamp().IsZero() && d.status.ProvisionStatus != v1beta1.Provisioned:
		return missingFor(d.si, v1beta1.ReasonReferencesNonexistentBroker, fmt.Sprintf("broker %q is being deleted", offer.broker.GetName()))
	case d.w.claimants.blocksCreation() != nil && !isOwned(d.si):
		return d.w.claimants.blocksCreation().inUse(idOf(d.si))
	case offer.class.CommonStatus().RemovedFromBrokerCatalog && !d.hasPlan(offer.plan):
		return blockedBy(v1beta1.ReasonReferencesDeletedServiceClass, fmt.Sprintf("the broker does not offer class %q any more", offer.class.Common().ExternalName))
	case offer.plan.CommonStatus().RemovedFromBrokerCatalog && !d.hasPlan(offer.plan):
		return blockedBy(v1beta1.ReasonReferencesDeletedServicePlan, fmt.Sprintf("the broker does not offer plan %q any more", offer.plan.Common().ExternalName))
	}
	return d.w.problem
}

// knowsParameters reports whether the parameters can be sent. If not, they are read first, or the conditions say why they cannot be.
func (d *instanceDecision) knowsParameters() bool {
	params := d.w.parameters
	switch {
	case !params.known:
		d.read = true
	case params.problem == nil:
		return true
	case !params.absent || d.status.ProvisionStatus != v1beta1.Provisioned || d.si.Generation != d.status.ReconciledGeneration:
		d.wait(params.problem)
	default: // the broker has what the spec asks for; without the Secret it only cannot be repeated
	}
	return false
}

// hasPlan reports whether the instance has the plan at the broker.
func (d *instanceDecision) hasPlan(plan v1beta1.Plan) bool {
	return d.status.ProvisionStatus == v1beta1.Provisioned && d.status.ExternalProperties != nil && planIDOf(d.status.ExternalProperties) == plan.Common().ExternalID
}

// wanted returns the properties that the spec asks for.
func (d *instanceDecision) wanted() *v1beta1.ServiceInstancePropertiesState {
	plan, params := d.w.offer.plan, d.w.parameters
	props := ofPlan(plan)
	props.Parameters, props.ParameterChecksum, props.ParametersVersion = params.Redacted, params.Checksum, params.version
	props.UpdateRequests, props.UserInfo = d.si.Spec.UpdateRequests, d.si.Spec.UserInfo
	if info := plan.Common().MaintenanceInfo; info != nil {
		props.MaintenanceVersion = info.Version
	}
	return props
}

// update decides on an instance that the broker has.
func (d *instanceDecision) update() {
	if d.isStopped() {
		return
	}
	d.renewAttempts()
	byUser := d.si.Generation != d.status.ReconciledGeneration
	if why := d.obstacle(); why != nil {
		if byUser { // otherwise the broker has what the spec asks for
			d.wait(why)
		}
		return
	}
	if !byUser && !d.isUnsure() && held(d.status.ExternalProperties).ParametersVersion == d.w.parameters.version {
		return
	}
	if !d.isDue() || !d.knowsParameters() {
		return
	}
	props, call := d.wanted(), d.newCall(update)
	if !byUser { // a change of a Secret does not request maintenance
		props.MaintenanceVersion = held(d.status.ExternalProperties).MaintenanceVersion
	}
	d.changes(call, props, byUser)
	// An instance that is unusable since a failed update may be usable after another update, even where nothing changes.
	touched := d.status.Unusable || byUser && d.si.Spec.UpdateRequests > held(d.status.ExternalProperties).UpdateRequests
	switch {
	case !call.newPlan && !call.newParameters && !touched:
		d.upToDate(props)
	case call.newPlan && !d.mayChangePlan():
		d.wait(blockedBy(v1beta1.ReasonUpdateInstanceCallFailed, fmt.Sprintf("instances of plan %q cannot change to another: name that plan again, or make another ServiceInstance", held(d.status.ExternalProperties).ClusterServicePlanExternalName+held(d.status.ExternalProperties).ServicePlanExternalName)))
	case d.status.RefusedUpdate != "" && d.status.RefusedUpdate == fingerprint(props):
		d.stop(v1beta1.ReasonUpdateInstanceCallFailed, "the broker refused this change and said not to send it again: change plan or parameters to something else")
	case call.newParameters && d.w.parameters.unfit != nil:
		d.wait(d.w.parameters.unfit)
	default:
		call.props = props
		d.call = call
		d.recordFormerPlan(props)
		d.begin(v1beta1.OperationUpdate, props)
		d.writeFirst(v1beta1.ReasonUpdateInstanceRequestInFlight, "The broker is being asked to update the instance")
	}
}

// recordFormerPlan records the plan of the last request where its outcome is not known and the next one is for another plan: the
// instance may have either.
func (d *instanceDecision) recordFormerPlan(props *v1beta1.ServiceInstancePropertiesState) {
	former := planIDOf(held(d.status.InProgressProperties))
	if former != "" && former != planIDOf(props) && d.isUnsure() {
		addPlan(d.currentAttempts(), former)
	}
}

// currentAttempts returns the attempts at the present spec, and creates them if there are none.
func (d *instanceDecision) currentAttempts() *v1beta1.Attempts {
	if d.status.Attempts == nil {
		d.status.Attempts = &v1beta1.Attempts{Generation: d.si.Generation, ParametersVersion: d.w.parameters.version}
	}
	return d.status.Attempts
}

// changes sets what an update changes. Where the outcome of an earlier update is not known, everything is sent, and no previous plan.
func (d *instanceDecision) changes(call *instanceCall, props *v1beta1.ServiceInstancePropertiesState, byUser bool) {
	before := held(d.status.ExternalProperties)
	call.previousMaintenance = before.MaintenanceVersion
	if call.unsure = d.isUnsure(); !call.unsure {
		call.previousPlanID = planIDOf(before)
	}
	call.newPlan = planIDOf(before) != planIDOf(props) || call.unsure && byUser && d.mayChangePlan()
	call.newParameters = before.ParameterChecksum != props.ParameterChecksum || call.unsure
}

// isUnsure reports whether the outcome of an earlier request is not known: it is recorded as such, or the operation is on record
// without an outcome.
func (d *instanceDecision) isUnsure() bool {
	return d.status.CurrentOperation != "" || d.status.Attempts != nil && d.status.Attempts.Unknown > 0
}

// upToDate records that the broker has what the spec asks for.
func (d *instanceDecision) upToDate(props *v1beta1.ServiceInstancePropertiesState) {
	if d.status.ReconciledGeneration != d.si.Generation || d.si.Status.Attempts != nil {
		d.status.ReconciledGeneration = d.si.Generation
		d.status.Attempts = nil
		d.say(verdict{ready: v1beta1.ConditionTrue, reason: v1beta1.ReasonProvisionedSuccessfully, message: "The broker has what the spec says"})
	}
	if d.status.ExternalProperties != nil && props.ParametersVersion != d.status.ExternalProperties.ParametersVersion {
		d.status.ExternalProperties.ParametersVersion = props.ParametersVersion
	}
}

// mayChangePlan reports whether an instance of the present plan can change to another plan.
func (d *instanceDecision) mayChangePlan() bool {
	present := d.w.present
	if present == nil { // removed from the catalog: the class decides
		present = d.w.offer.plan
	}
	return catalog.EffectiveOf(d.w.offer.class, present).PlanUpdatable
}
