// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package instancerules is the state machine of ServiceInstances. Decide returns the next step for an instance and the observations about it; Apply
// returns the status after a broker's answer. Decisions about an operation are in the file with its name, the records of its answers in
// apply_OPERATION.go.
package instancerules

import (
	"slices"

	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Inputs has the observations that the decision about an instance depends on, beside the object.
type Inputs struct {
	operation.Inputs

	// Offering has the broker, class and plan that the spec refers to, or the reason why one does not exist.
	Offering rules.Offering
	// PresentPlan is the plan that the instance has at the broker; nil: it has none, or the plan no longer exists.
	PresentPlan v1beta1.Plan
	// OperationPlan is the plan of the operation in progress; nil: there is no operation, or the plan no longer exists.
	OperationPlan v1beta1.Plan
	// Refs have to be written into the spec; nil: it has them.
	Refs *References
	// RefsRefused: the API server has refused to write them; nil: it has not.
	RefsRefused *rules.Blocker
	// Bindings are the names of the ServiceBindings that refer to the instance.
	Bindings []string
	// BindingsGoing: all of them are being deleted, and none is Stalled.
	BindingsGoing bool
}

// References are the names of the objects that the plan reference of a spec resolves to.
type References struct {
	catalog.Refs
	Scope catalog.Scope
}

// Request is a request to the broker about an instance.
type Request struct {
	operation.Request

	ServiceID, PlanID string
	// Properties are the properties that the broker has once the request has succeeded; nil for requests that change none.
	Properties *v1beta1.ServiceInstancePropertiesState
	// OutcomeUnknown: the outcome of an earlier update is not known.
	OutcomeUnknown bool
	// HasOtherPlans: the instance may have another of the recorded plans than the one that the request names.
	HasOtherPlans bool
	// FetchDashboard: the instance is fetched once the operation that is polled has succeeded, since no URL of its dashboard is known.
	FetchDashboard bool
	// Of an update: the changes. The request leaves out the rest.
	NewPlan, NewParameters     bool
	PreviousPlanID             string
	PreviousMaintenanceVersion string
}

// Decision is the next step of the reconciler for an instance.
type Decision struct {
	operation.Decision

	Request *Request
	// Status is the status to write, before the outcome of the request.
	Status v1beta1.ServiceInstanceStatus
	// InFlight is the status to write where the broker takes its time to answer the request; nil: the one on record is true meanwhile.
	InFlight *v1beta1.ServiceInstanceStatus
}

// decision is a step while it is decided on.
type decision struct {
	si    *v1beta1.ServiceInstance
	in    Inputs
	phase Phase
	Decision
}

// Decide returns the next step for an instance.
func Decide(si *v1beta1.ServiceInstance, in Inputs) Decision {
	d := &decision{si: si, in: in, phase: PhaseOf(&si.Status), Decision: Decision{Status: *si.Status.DeepCopy()}}
	d.Status.Attempts = d.schedule().AfterRecovery()
	d.decide()
	d.phase.encode(&d.Status)
	d.recordAddress()
	d.describeInFlight()
	d.cleanUp()
	return d.Decision
}

// recordAddress records the broker's address with the next write of the status. The address alone causes no write.
func (d *decision) recordAddress() {
	isFirst := d.Request != nil && d.Request.NothingAtBroker
	if d.Request != nil {
		d.Request.Address = d.in.Address.Current
	}
	d.RecordAddress(&d.in.Inputs, d.Status.Common(), d.Request != nil, isFirst, d.isChanged)
}

// isChanged reports whether the status of the decision differs from the recorded one.
func (d *decision) isChanged() bool { return !equality.Semantic.DeepEqual(d.Status, d.si.Status) }

func (d *decision) decide() {
	switch {
	case !d.si.DeletionTimestamp.IsZero():
		d.remove()
	case !slices.Contains(d.si.Finalizers, v1beta1.Finalizer):
		d.decideUnprotected()
	case d.phase.isMitigating():
		d.mitigate()
	case d.phase.Accepted:
		d.poll()
	case d.in.Refs != nil && (!IsProvisioned(&d.Status) || d.si.Generation != d.Status.ReconciledGeneration):
		d.resolve()
	case d.schedule().NeedsParameters():
		d.Need = rules.NeedParameters
	case IsProvisioned(&d.Status):
		d.update()
	default:
		d.provision()
	}
}

// resolve has the references written. An admission policy may refuse the plan then, so no request is sent before.
func (d *decision) resolve() {
	if d.in.RefsRefused == nil {
		d.Need = rules.NeedReferences
		return
	}
	d.block(d.in.RefsRefused)
}

// isBlank reports whether the status was never written: it is empty, or the schema's default, an observedGeneration of -1. Any condition counts: a
// blocker that is found before the first request sets nothing else (StatusForBlocker).
func (d *decision) isBlank() bool {
	s := &d.Status
	return s.ObservedGeneration <= 0 && s.ReconciledGeneration == 0 && len(s.Conditions) == 0 && !d.phase.HasOperation()
}

// decideUnprotected decides on an instance without the finalizer: a new one gets it, any other was abandoned.
func (d *decision) decideUnprotected() {
	if d.isBlank() {
		d.Need = rules.NeedFinalizer
		return
	}
	d.setConditions(rules.Abandoned)
}

// owns reports whether the broker's instance may be removed as this object's (R10).
func (d *decision) owns() bool {
	return rules.OwnsInstance(d.si) && d.in.Claimants.BlocksRemoval() == nil
}

// belongsToAnother reports whether the id belongs to another object.
func (d *decision) belongsToAnother() bool {
	return d.in.Claimants.BlocksCreation() != nil && !rules.OwnsInstance(d.si) || IsForAnother(d.si.UID, d.Status.CreatedForUID)
}

// IsForAnother reports whether the broker's resource was created for another object.
func IsForAnother(uid, createdFor types.UID) bool { return createdFor != "" && createdFor != uid }

// schedule returns when requests about the instance are due.
func (d *decision) schedule() rules.Schedule {
	s := d.in.Schedule(d.si, d.Status.Common())
	s.Removing = d.phase == Deprovisioning.accepted() // otherwise an edit makes the removal due
	return s
}

// isStopped reports whether the present spec was refused, so that it is not tried again.
func (d *decision) isStopped() bool {
	return d.schedule().IsStopped() || isGivenUp(&d.Status) && d.Status.ObservedGeneration >= d.si.Generation
}

// isConflictHeld reports whether the broker has something under the id that the record does not show to be left over from this object.
func isConflictHeld(s *v1beta1.ServiceInstanceStatus) bool {
	return PhaseOf(s) == Provisioning && rules.IsConflictUnexplained(s.Attempts)
}

// renewAttempts resets the attempts for a new spec, except for the fields about resources that earlier requests may have left at the broker.
func (d *decision) renewAttempts() { d.Status.Attempts = d.schedule().Renew() }

// beginOperation sets the operation that the next request begins.
func (d *decision) beginOperation(phase Phase, props *v1beta1.ServiceInstancePropertiesState) {
	if d.phase != phase || d.Status.OperationStartTime == nil {
		d.Status.OperationStartTime = d.in.BeginningNow()
	}
	d.phase, d.Status.InProgressProperties = phase, props
	d.Status.Broker = rules.ReferenceTo(d.in.Offering)
	d.observe()
}

func (d *decision) newRequest(op rules.Operation) *Request {
	call := &Request{Request: operation.Request{ID: rules.InstanceID(d.si), NextID: catalog.NextID(d.si.UID, d.si.Spec.ExternalID, d.in.NextNumber),
		Operation: op, Generation: d.si.Generation, NothingAtBroker: d.phase.hasNothingAtBroker(), Owned: d.owns(), Retained: catalog.IsRetained(d.si),
		MitigationOver: d.in.IsMitigationOver(d.Status.Common())}}
	if d.in.Offering.Class != nil {
		call.ServiceID, call.Retrievable = d.in.Offering.Class.Common().ExternalID, d.in.Offering.Class.Common().InstanceRetrievable
	}
	if d.in.Offering.Plan != nil {
		call.PlanID = d.in.Offering.Plan.Common().ExternalID
	}
	return call
}
