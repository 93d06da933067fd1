// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"slices"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// bindingsDeletionDelay is how long after its deletion an instance with bindings is in progress: they may be deleted by the same command.
const bindingsDeletionDelay = 10 * time.Second

// remove decides on an instance that is being deleted.
func (d *decision) remove() {
	switch {
	case !slices.Contains(d.si.Finalizers, v1beta1.Finalizer): // released; it has the finalizer of another controller
	case catalog.IsRetained(d.si):
		d.Release = &rules.Cause{Reason: v1beta1.ReasonRetained, Message: "the deletion policy is Retain: the service is left at the broker"}
	case d.phase == Removed:
		d.Release = &rules.Cause{Reason: v1beta1.ReasonDeprovisionedSuccessfully, Message: "Nothing is left at the broker"}
	case d.phase.hasNothingAtBroker():
		d.Release = rules.NothingCreated(v1beta1.ReasonDeprovisionedSuccessfully, rules.InstanceID(d.si), d.belongsToAnother())
	case len(d.in.Bindings) > 0:
		d.waitForBindings()
	case d.phase == Provisioning.accepted() && !rules.IsRemovedWithObject(d.si) && d.in.Claimants.BlocksRemoval() == nil:
		d.poll()
	case !rules.IsRemovedWithObject(d.si) && (d.Status.OwnershipUnknown || d.phase == Provisioning) && d.in.Claimants.BlocksRemoval() == nil:
		d.blockRemoval(rules.OwnershipUnknown("serviceinstance", d.si, rules.InstanceID(d.si)))
	case !rules.IsRemovedWithObject(d.si):
		d.Release = rules.RetainedAsSupplied(rules.InstanceID(d.si))
	case isConflictHeld(&d.Status) && !rules.IsToBeDeleted(d.si):
		d.blockRemoval(rules.ConflictHeld("serviceinstance", d.si, rules.InstanceID(d.si)))
	case d.in.Claimants.BlocksRemoval() != nil:
		d.Release = rules.RetainedForClaimant(rules.InstanceID(d.si), d.in.Claimants.BlocksRemoval())
	case d.Status.DeprovisionStatus == v1beta1.DeprovisionFailed && !rules.IsRetryRequested(d.si):
		d.blockRemoval(rules.HoldGivenUpRemoval("serviceinstance", v1beta1.ReasonDeprovisionCallFailed, d.si, d.Status.Common(), d.schedule().PresentSpec()))
	case d.in.Definition == rules.DefinitionUnknown:
		d.Need = rules.NeedDefinition
	case d.in.Definition == rules.DefinitionTerminating:
		d.blockRemoval(rules.TerminatingDefinition())
		d.RequeueAt = d.in.Now.Add(rules.DefinitionRetry)
	default:
		d.deprovision()
	}
}

// waitForBindings waits until the bindings of the instance are removed. One command may delete an instance and its bindings, in this order.
func (d *decision) waitForBindings() {
	blocker := rules.BlockedFrom(d.si.DeletionTimestamp.Add(bindingsDeletionDelay), v1beta1.ReasonDeprovisionBlockedByExistingCredentials,
		"ServiceBindings have to be deleted first: "+rules.Enumerate(d.in.Bindings))
	blocker.InProgress = d.in.BindingsGoing
	d.blockRemoval(blocker)
}

// mitigate continues an orphan mitigation.
func (d *decision) mitigate() {
	if why := rules.MitigationForbidden(catalog.IsRetained(d.si), d.owns()); why != "" {
		d.stopMitigation(why)
		return
	}
	d.deprovision()
}

// startMitigation begins the orphan mitigation of requests with an unknown outcome.
func (d *decision) startMitigation() {
	d.phase, d.WriteAhead = Mitigating, true
	a := d.currentAttempts()
	a.Count, a.Misconfigured = 0, 0
	why := rules.MitigationPrefix + ": the outcome of earlier requests is unknown. Then it is provisioned again"
	d.setConditions(rules.Mitigating(v1beta1.ReasonStartingInstanceOrphanMitigation, rules.MitigationPrefix, a, &rules.Cause{Reason: v1beta1.ReasonStartingInstanceOrphanMitigation, Message: why}))
	d.deprovision()
}

func (d *decision) stopMitigation(why string) {
	d.phase = Provisioning
	a := d.currentAttempts() // the attempts at the generation that was mitigated
	a.Stopped, a.NextTime = true, nil
	d.setConditions(rules.Terminal(v1beta1.ReasonOrphanMitigationFailed, v1beta1.ReasonOrphanMitigationFailed, why))
}

// renewMitigation makes an orphan mitigation due at once where a person has asked for a retry. The attempts keep the spec that is cleaned up, so
// that the next request is made for the present spec. The properties of the operation record the retry that was handled.
func (d *decision) renewMitigation() {
	props := d.Status.InProgressProperties
	if !d.phase.isMitigating() || props == nil || props.UpdateRequests >= d.si.Spec.UpdateRequests {
		return
	}
	props.UpdateRequests = d.si.Spec.UpdateRequests
	if d.Status.Attempts != nil {
		d.Status.Attempts.Backoff = v1beta1.Backoff{}
	}
}

// deprovision sends the deprovision request, or polls it.
func (d *decision) deprovision() {
	d.renewMitigation()
	removing := d.phase.Accepted && (d.phase.isDeprovisioning() || d.phase.isMitigating())
	ids, missing := d.newRecordedRequest()
	switch gone := d.in.GoneBlocker(d.Status.Common(), rules.InstanceID(d.si)); {
	case missing != nil:
		d.blockRemoval(missing)
	case d.in.Offering.Broker == nil:
		d.blockRemoval(rules.MissingReference(d.si, v1beta1.ReasonReferencesNonexistentBroker, rules.BrokerMissing(d.Status.Broker, "to remove the service")))
	case d.in.BrokerBlocker != nil:
		d.blockRemoval(d.in.BrokerBlocker)
	case !removing && gone != nil:
		d.blockRemoval(gone)
		d.AwaitSuccess(&d.in.Inputs, d.Status.Common(), ids.ID)
	case removing && !d.isOverdue():
		d.pollWhenDue(ids, true)
	case !removing && d.isRemovalRefused() && !d.isOverdue():
		ids.PlanID = rules.PlanID(heldProperties(&d.Status))
		d.pollWhenDue(ids, false) // its end decides which plan the removal names
	case !removing && !d.schedule().IsDue():
		d.AwaitAttempt(d.schedule())
	default:
		ids.Operation, ids.ConfirmsGone = rules.Deprovision, d.in.ConfirmsGone(d.Status.Common(), ids.ID)
		if removing || d.isRemovalRefused() { // past its deadline
			d.phase.Accepted = false
		}
		if d.Status.Broker == nil { // of the original service-catalog
			d.Status.Broker = rules.ReferenceTo(d.in.Offering)
		}
		d.Request = ids
	}
}

// describeInFlight sets the status for a removal request that takes its time, where the instance is on record as Ready.
func (d *decision) describeInFlight() {
	isRemoval := d.Request != nil && d.Request.Operation == rules.Deprovision && !d.si.DeletionTimestamp.IsZero()
	if !isRemoval || !rules.IsTrue(rules.FindCondition(d.Status.Conditions, v1beta1.ConditionReady)) {
		return
	}
	d.InFlight = d.Status.DeepCopy()
	d.InFlight.ObservedGeneration = d.si.Generation
	SetConditions(d.InFlight, rules.RemovalInFlight(d.si, v1beta1.ReasonDeprovisioning, "deprovision"), d.in.Now)
}

// isRemovalRefused reports whether the broker has refused the removal because of an operation in progress.
func (d *decision) isRemovalRefused() bool {
	a := d.Status.Attempts
	return d.phase.Accepted && heldProperties(&d.Status) != nil && a != nil && a.Generation == d.si.Generation && !d.si.DeletionTimestamp.IsZero()
}
