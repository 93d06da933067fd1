// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Phase says whether the broker has an instance, and which operation is in progress. The status has it in several fields, which come from the
// original service-catalog: asyncOpInProgress, orphanMitigationInProgress, currentOperation, provisionStatus, deprovisionStatus.
type Phase struct {
	name string
	// Accepted: the broker works on the operation, and is polled.
	Accepted bool
}

var (
	// New: no request is on record.
	New = Phase{name: "New"}
	// NotCreated: the broker has nothing, as no request was sent or had an effect.
	NotCreated = Phase{name: "NotCreated"}
	// Removed: the broker has confirmed the removal.
	Removed = Phase{name: "Removed"}
	// Provisioned: the broker has the instance, and no operation is in progress.
	Provisioned = Phase{name: "Provisioned"}

	// Provisioning, Updating, Mitigating and Deprovisioning: a request is on record, and repeated until it is accepted or its outcome is known. An
	// orphan mitigation removes an instance that a provisioning may have left; a deprovisioning belongs to an object that is being deleted.
	Provisioning   = Phase{name: "Provisioning"}
	Updating       = Phase{name: "Updating"}
	Mitigating     = Phase{name: "Mitigating"}
	Deprovisioning = Phase{name: "Deprovisioning"}

	// ProvisionRefused: the original service-catalog sends a provisioning again that had no effect.
	ProvisionRefused = Phase{name: "ProvisionRefused"}
	// RemovalFailed: the original service-catalog has ended a removal without success, so that the broker may have something.
	RemovalFailed = Phase{name: "RemovalFailed"}
)

// fields are the fields of a status that a phase determines. Where provision or deprovision is empty, the status keeps its own. Beside
// these, lastOperation exists only while the broker is polled, and operationStartTime and inProgressProperties only during an operation.
type fields struct {
	operation   v1beta1.ServiceInstanceOperation
	mitigation  bool
	provision   v1beta1.ProvisionStatus
	deprovision v1beta1.DeprovisionStatus
}

// fieldsOf has no entry for New and RemovalFailed: no operation is in progress, and the status keeps the rest.
var fieldsOf = map[Phase]fields{
	NotCreated:       {deprovision: v1beta1.DeprovisionNotRequired},
	Removed:          {provision: v1beta1.NotProvisioned, deprovision: v1beta1.DeprovisionSucceeded},
	Provisioned:      {provision: v1beta1.Provisioned, deprovision: v1beta1.DeprovisionRequired},
	Provisioning:     {operation: v1beta1.OperationProvision, deprovision: v1beta1.DeprovisionRequired},
	ProvisionRefused: {operation: v1beta1.OperationProvision, deprovision: v1beta1.DeprovisionNotRequired},
	Updating:         {operation: v1beta1.OperationUpdate, provision: v1beta1.Provisioned, deprovision: v1beta1.DeprovisionRequired},
	Mitigating:       {operation: v1beta1.OperationProvision, mitigation: true},
	Deprovisioning:   {operation: v1beta1.OperationDeprovision, deprovision: v1beta1.DeprovisionRequired},
}

// PhaseOf decodes the phase of a status. Every status has one, also where its fields contradict each other.
func PhaseOf(s *v1beta1.ServiceInstanceStatus) Phase {
	var phase Phase
	switch rest := phaseAtRest(s); {
	case s.OrphanMitigationInProgress:
		phase = Mitigating
	case s.CurrentOperation == v1beta1.OperationDeprovision && s.DeprovisionStatus == v1beta1.DeprovisionFailed:
		return RemovalFailed
	case s.CurrentOperation == v1beta1.OperationDeprovision:
		phase = Deprovisioning
	case s.CurrentOperation == v1beta1.OperationUpdate,
		rest == Provisioned && s.CurrentOperation != "" && s.CurrentOperation != v1beta1.OperationProvision: // of a later version: never a reason to remove the instance
		phase = Updating
	case s.AsyncOpInProgress:
		phase = Provisioning
	case s.CurrentOperation == "":
		return rest
	case rest == NotCreated, rest == Removed:
		return ProvisionRefused
	default:
		return Provisioning
	}
	phase.Accepted = s.AsyncOpInProgress
	return phase
}

// phaseAtRest decodes the phase without regard to an operation.
func phaseAtRest(s *v1beta1.ServiceInstanceStatus) Phase {
	switch {
	case s.DeprovisionStatus == v1beta1.DeprovisionFailed:
		return RemovalFailed
	case IsProvisioned(s):
		return Provisioned
	case s.DeprovisionStatus == v1beta1.DeprovisionNotRequired:
		return NotCreated
	case s.DeprovisionStatus == v1beta1.DeprovisionSucceeded:
		return Removed
	case s.DeprovisionStatus == "":
		return New
	default:
		return RemovalFailed
	}
}

// encode writes the fields that the phase determines.
func (p Phase) encode(s *v1beta1.ServiceInstanceStatus) {
	f := p.fields()
	s.CurrentOperation, s.OrphanMitigationInProgress, s.AsyncOpInProgress = f.operation, f.mitigation, p.Accepted
	if f.provision != "" {
		s.ProvisionStatus = f.provision
	}
	if f.deprovision != "" {
		s.DeprovisionStatus = f.deprovision
	}
	if !p.Accepted {
		s.LastOperation = nil
	}
	if f.operation == "" {
		s.OperationStartTime, s.InProgressProperties = nil, nil
	}
}

func (p Phase) fields() fields { return fieldsOf[Phase{name: p.name}] }

// accepted returns the phase after the broker has begun the operation.
func (p Phase) accepted() Phase { return Phase{p.name, true} }

// HasOperation reports whether an operation is on record that has not ended.
func (p Phase) HasOperation() bool { return p.fields().operation != "" }

// isMitigating reports whether an orphan mitigation is in progress.
func (p Phase) isMitigating() bool { return p.fields().mitigation }

// isDeprovisioning reports whether the removal of a deleted object is on record.
func (p Phase) isDeprovisioning() bool { return p.fields().operation == v1beta1.OperationDeprovision }

// MayExist reports whether a request is on record after which the broker may have the instance.
func (p Phase) MayExist() bool { return p.HasOperation() || p == Provisioned || p == RemovalFailed }

// hasNothingAtBroker reports whether the broker can have nothing of the instance: every request is on record before it is sent (R1).
func (p Phase) hasNothingAtBroker() bool { return !p.MayExist() || p == ProvisionRefused }

// IsProvisioned reports whether the broker has confirmed the instance but not its removal. During a deprovisioning, the phase does not tell.
func IsProvisioned(s *v1beta1.ServiceInstanceStatus) bool {
	return s.ProvisionStatus == v1beta1.Provisioned || isOfEarlyOriginal(s) && !rules.IsTrue(rules.FindCondition(s.Conditions, v1beta1.ConditionFailed))
}

// isOfEarlyOriginal reports whether an early version of the original service-catalog has written a status: it had neither provisionStatus nor
// observedGeneration.
func isOfEarlyOriginal(s *v1beta1.ServiceInstanceStatus) bool {
	return s.ProvisionStatus == "" && s.ObservedGeneration == 0 && s.ReconciledGeneration > 0
}

// isGivenUp reports whether the original service-catalog had given the instance up, which it recorded in a condition only: it did not
// retry after Failed=True. During an operation, that condition is older than the operation. Bellhop records it in the attempts; its own
// conditions, which have Stalled, may be Failed also while an instance waits.
func isGivenUp(s *v1beta1.ServiceInstanceStatus) bool {
	isOriginal := rules.FindCondition(s.Conditions, v1beta1.ConditionStalled) == nil
	return isOriginal && s.Attempts == nil && s.CurrentOperation == "" && rules.IsTrue(rules.FindCondition(s.Conditions, v1beta1.ConditionFailed))
}
