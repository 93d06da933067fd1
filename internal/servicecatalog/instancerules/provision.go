// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"fmt"

	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// provision decides on an instance that the broker does not have.
func (d *decision) provision() {
	if d.isStopped() {
		return
	}
	d.renewAttempts()
	if why := d.precondition(); why != nil {
		d.block(why)
		return
	}
	if full := d.in.TooManyLeftBehind(d.si, d.Status.Common(), &kind); full != nil && d.phase.hasNothingAtBroker() && !catalog.IsRetained(d.si) {
		d.block(full)
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
	if unfit := d.in.Parameters.Invalid; unfit != nil {
		d.setBlocked(unfit)
		return
	}
	props := d.desiredProperties()
	isHeld, isRetrievable := isConflictHeld(&d.Status), d.in.Offering.Class.Common().InstanceRetrievable
	unwanted := d.isChangeUnknown() && !isHeld && d.Status.InProgressProperties != nil && !rules.SameProperties(d.Status.InProgressProperties, props)
	switch next := operation.NextOfCreation(d.Status.Attempts, isHeld, isRetrievable || !isHeld, unwanted); {
	case next == operation.NextInspect:
		d.Request = d.newRequest(rules.Inspect)
		d.Request.Properties = props
		return
	case next == operation.NextMitigate && d.owns() && !catalog.IsRetained(d.si):
		d.startMitigation()
		return
	}
	d.Request = d.newRequest(rules.Provision)
	d.Request.Properties, d.Request.Required = props, d.in.Parameters.Required
	d.recordFormerPlan(props)
	d.beginOperation(Provisioning, props)
	d.writeAhead(v1beta1.ReasonProvisionRequestInFlight, "The provision request is being sent to the broker")
}

// block sets the conditions for a blocker of a provisioning. Where another object owns the id, the status records for whom the broker's instance
// was created, so that this object does not inherit it.
func (d *decision) block(why *rules.Blocker) {
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
	if rules.IsSlow(d.Status.Attempts) { // the conditions stay until the broker has answered
		d.observe()
		return
	}
	d.setConditions(rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: reason, Message: message})
}

// precondition returns the blocker of a provisioning or an update; nil: nothing blocks it.
func (d *decision) precondition() *rules.Blocker {
	switch offer := d.in.Offering; {
	case d.in.Namespace == rules.NamespaceTerminating:
		return rules.TerminatingNamespace(d.si.Namespace)
	case offer.Missing != nil:
		return offer.Missing
	case !offer.Broker.GetDeletionTimestamp().IsZero() && !IsProvisioned(&d.Status):
		return rules.MissingReference(d.si, v1beta1.ReasonReferencesNonexistentBroker, fmt.Sprintf("broker %q is being deleted", offer.Broker.GetName()))
	case d.in.Claimants.BlocksCreation() != nil && !rules.OwnsInstance(d.si):
		return d.in.Claimants.BlocksCreation().InUse(rules.InstanceID(d.si))
	case offer.Class.CommonStatus().RemovedFromBrokerCatalog && !d.hasPlan(offer.Plan):
		return rules.BlockedBy(v1beta1.ReasonReferencesDeletedServiceClass, fmt.Sprintf("the broker does not offer class %q any more", offer.Class.Common().ExternalName))
	case offer.Plan.CommonStatus().RemovedFromBrokerCatalog && !d.hasPlan(offer.Plan):
		return rules.BlockedBy(v1beta1.ReasonReferencesDeletedServicePlan, fmt.Sprintf("the broker does not offer plan %q any more", offer.Plan.Common().ExternalName))
	}
	return d.in.BrokerBlocker
}

// awaitParameters has the parameters read, or the conditions say why they cannot be sent.
func (d *decision) awaitParameters() {
	if !d.in.Parameters.Known {
		d.Need = rules.NeedParameters
		return
	}
	// The broker may have the state that the spec requests: without a Secret only a repeat of the request is impossible.
	isAtBroker := IsProvisioned(&d.Status) && d.si.Generation == d.Status.ReconciledGeneration
	if !isAtBroker || !d.in.Parameters.SecretMissing {
		d.setBlocked(d.in.Parameters.Blocker)
	}
}

// hasPlan reports whether the instance has the plan at the broker.
func (d *decision) hasPlan(plan v1beta1.Plan) bool {
	return IsProvisioned(&d.Status) && d.Status.ExternalProperties != nil && rules.PlanID(d.Status.ExternalProperties) == plan.Common().ExternalID
}

// desiredProperties returns the properties that the spec requests.
func (d *decision) desiredProperties() *v1beta1.ServiceInstancePropertiesState {
	plan, params := d.in.Offering.Plan, d.in.Parameters
	props := rules.PropertiesOf(plan)
	props.Parameters, props.ParameterChecksum = params.Redacted, params.Checksum
	props.ParametersVersion, props.ParametersDigest = params.Version, params.Digest
	props.UpdateRequests, props.UserInfo = d.si.Spec.UpdateRequests, d.si.Spec.UserInfo
	if info := plan.Common().MaintenanceInfo; info != nil {
		props.MaintenanceVersion = info.Version
	}
	return props
}

// currentAttempts returns the attempts at the present spec, and creates them if they do not exist.
func (d *decision) currentAttempts() *v1beta1.Attempts {
	if d.Status.Attempts == nil {
		d.Status.Attempts = &v1beta1.Attempts{AttemptedSpec: d.schedule().PresentSpec()}
	}
	return d.Status.Attempts
}
