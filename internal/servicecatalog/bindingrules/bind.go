// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"k8s.io/apimachinery/pkg/api/equality"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingsecret"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// bind decides on a binding that the broker does not have.
func (d *decision) bind() {
	if d.schedule().NeedsParameters() {
		d.Need = rules.NeedParameters
		return
	}
	if d.isStopped() {
		return
	}
	d.renewAttempts()
	if why := d.precondition(); why != nil {
		d.block(why)
		return
	}
	d.renewCleanUps()
	if full := d.tooManyLeftBehind(); full != nil && d.hasNothingAtBroker() {
		d.setBlocked(full)
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
	props, a := d.desiredProperties(), d.Status.Attempts
	isUnsure := d.phase.Task != bindingphase.Idle || a != nil && a.Unknown > 0
	isHeld := d.phase.IsConflictHeld(a)
	unwanted := isUnsure && !isHeld && d.Status.InProgressProperties != nil && !rules.SameBindingParameters(d.Status.InProgressProperties, props)
	switch next := operation.NextOfCreation(a, isHeld, d.effectivePlan().BindingRetrievable, unwanted); {
	case next == operation.NextInspect:
		if d.prepareWrite() {
			d.Request = d.newRequest(rules.Fetch)
			d.Request.Properties = props
		}
		return
	case next == operation.NextMitigate && d.owns() && !bindingphase.IsBound(&d.Status) && !d.isRetained():
		d.setConditions(mitigatingConditions("the outcome of a request is unknown", a))
		d.startMitigation()
		return
	}
	if d.prepareWrite() {
		d.beginOperation(props)
	}
}

// block sets the conditions for a blocker of a binding. Where another object owns the id, the status records for whom the broker's binding was
// created, so that this object does not inherit it.
func (d *decision) block(why *rules.Blocker) {
	if why.Reason != v1beta1.ReasonExternalIDInUse {
		d.setBlocked(why)
		return
	}
	c := d.in.Claimants.BlocksCreation()
	set, _ := why.ConditionSet(d.b, d.in.Now)
	d.setConditions(set)
	if !d.hasNothingAtBroker() {
		return
	}
	d.Status.UnbindStatus = v1beta1.UnbindNotRequired
	if c.Owns {
		d.Status.CreatedForUID = c.UID
	}
}

// beginOperation makes the request for a binding, and sets the operation that it begins.
func (d *decision) beginOperation(props *v1beta1.ServiceBindingPropertiesState) {
	s, begun := &d.Status, bindingphase.Phase{Task: bindingphase.Binding}
	if d.id() == "" { // admission was bypassed, and the spec is immutable
		s.ExternalID = d.nextID()
	}
	d.Request = d.newRequest(rules.Bind)
	d.Request.Properties = props
	if d.phase != begun || s.OperationStartTime == nil {
		s.OperationStartTime = d.in.BeginningNow()
	}
	target := d.Request.Target
	d.phase = begun
	s.InProgressProperties, s.Target = props, &target
	s.UnbindStatus = v1beta1.UnbindRequired
	recordRebindAttempt(d.b, &d.Status)
	d.Status.ObservedGeneration = d.b.Generation
	if d.phase.Encode(s); !equality.Semantic.DeepEqual(s, &d.b.Status) { // R1
		d.WriteAhead = true
		if bindingphase.IsSlow(s) { // the conditions stay until the broker has answered
			return
		}
		d.setConditions(rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonBindingRequestInFlight, Message: "The bind request is being sent to the broker"})
	}
}

// desiredProperties returns the properties that the spec requests.
func (d *decision) desiredProperties() *v1beta1.ServiceBindingPropertiesState {
	params := d.in.Parameters
	return &v1beta1.ServiceBindingPropertiesState{Parameters: params.Redacted, ParameterChecksum: params.Checksum, ParametersDigest: params.Digest, UserInfo: d.b.Spec.UserInfo}
}

// precondition returns the blocker of a binding; nil: nothing blocks it.
func (d *decision) precondition() *rules.Blocker {
	if why := d.in.BoundInstance.Blocker(d.b); why != nil {
		return why
	}
	switch {
	case d.in.Namespace == rules.NamespaceTerminating:
		return rules.TerminatingNamespace(d.b.Namespace)
	case d.in.Claimants.BlocksCreation() != nil && !rules.OwnsBindingID(d.b, d.id()):
		return d.in.Claimants.BlocksCreation().InUse(d.id())
	case d.in.Secret == SecretNotOwned:
		return rules.BlockedBy(v1beta1.ReasonErrorInjectingBindResult, bindingsecret.Occupied(d.b).Error())
	}
	return d.brokerUnavailable()
}

// brokerUnavailable returns why no request can be sent to the broker; nil: requests can.
func (d *decision) brokerUnavailable() *rules.Blocker {
	if d.in.Broker != nil {
		return d.in.BrokerBlocker
	}
	var ref *v1beta1.BrokerReference
	if t := d.target(); t != nil {
		ref = &t.BrokerReference
	}
	return rules.MissingReference(d.b, v1beta1.ReasonReferencesNonexistentBroker, "the broker "+rules.BrokerName(ref)+" does not exist: register it again under this name")
}

// effectivePlan returns the features of the plan of the binding's target; none where the target is another instance than the present one.
func (d *decision) effectivePlan() catalog.Effective {
	if now := d.in.BoundInstance.Target; now != nil && d.target() != now {
		return catalog.Effective{MaximumPollingDuration: catalog.MaximumPollingDuration}
	}
	return d.in.BoundInstance.Effective()
}

// awaitParameters has the parameters read, or the conditions say why they cannot be sent.
func (d *decision) awaitParameters() {
	if !d.in.Parameters.Known {
		d.Need = rules.NeedParameters
		return
	}
	d.setBlocked(d.in.Parameters.Blocker)
}
