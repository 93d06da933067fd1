// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"fmt"
	"slices"

	"k8s.io/utils/ptr"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/instancerules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// remove decides on a binding that is being deleted.
func (d *decision) remove() {
	d.recordRemainder()
	s := &d.Status
	foreign := d.foreignPredecessor()
	switch {
	case !slices.Contains(d.b.Finalizers, v1beta1.Finalizer): // released; it has the finalizer of another controller
	case catalog.IsRetained(d.b):
		d.Release = &rules.Cause{Reason: v1beta1.ReasonRetained, Message: "the deletion policy is Retain: the binding is left at the broker"}
	case foreign >= 0:
		d.dropPredecessor(foreign)
	case d.hasNothingAtBroker() && s.UnbindStatus != v1beta1.UnbindSucceeded:
		d.Release = rules.NothingCreated(v1beta1.ReasonUnboundSuccessfully, d.id(), d.belongsToAnother())
	case d.hasNothingAtBroker():
		d.Release = &rules.Cause{Reason: v1beta1.ReasonUnboundSuccessfully, Message: "Nothing is left at the broker"}
	case s.UnbindStatus == v1beta1.UnbindFailed && !rules.IsRetryRequested(d.b):
		d.blockRemoval(rules.HoldGivenUpRemoval("servicebinding", v1beta1.ReasonUnbindCallFailed, d.b, s.Common(), d.schedule().PresentSpec()))
	case d.phase.IsConflictHeld(s.Attempts) && d.owns() && !rules.IsToBeDeleted(d.b):
		d.blockRemoval(rules.ConflictHeld("servicebinding", d.b, d.id()))
	case d.phase.IsMitigating() && d.owns(): // it may be the operation in progress
		d.removeSecretThenUnbind(d.id())
	case len(s.Predecessors) > 0:
		d.removeSecretThenUnbind(s.Predecessors[0].ID)
	case d.owns():
		d.removeSecretThenUnbind(d.id())
	case d.phase == bindingphase.Phase{Task: bindingphase.Binding, Accepted: true} && d.in.Claimants.BlocksRemoval() == nil:
		d.poll()
	case d.in.Claimants.BlocksRemoval() != nil:
		d.Release = rules.RetainedForClaimant(d.id(), d.in.Claimants.BlocksRemoval())
	case (s.OwnershipUnknown || !bindingphase.IsBound(s)) && d.id() == d.b.Spec.ExternalID:
		d.blockRemoval(rules.OwnershipUnknown("servicebinding", d.b, d.id()))
	default:
		d.Release = rules.RetainedAsSupplied(d.id())
	}
}

// recordRemainder makes the binding that was to be replaced one of the predecessors, which are removed with the object.
func (d *decision) recordRemainder() {
	s := &d.Status
	if s.PredecessorID != "" {
		retire(d.b, s, s.PredecessorID, d.in.Server.Begin(d.in.Now))
		s.PredecessorID, d.phase = "", d.phase.WithoutPredecessor()
	}
	if d.phase.IsUnbinding() {
		d.phase.Task = bindingphase.RemovalOf(s)
	}
}

// removeSecretThenUnbind deletes the Secret first, so that no application begins to use it, and then the broker's binding of an id.
func (d *decision) removeSecretThenUnbind(id string) {
	switch {
	case d.in.Definition == rules.DefinitionUnknown:
		d.Need = rules.NeedDefinition
	case d.in.Definition == rules.DefinitionTerminating:
		d.blockRemoval(rules.TerminatingDefinition())
		d.RequeueAt = d.in.Now.Add(rules.DefinitionRetry)
	case d.in.Secret == SecretUnknown:
		d.Need = rules.NeedSecret
	case d.in.Secret == SecretInSync || d.in.Secret == SecretModified:
		d.SecretAction = DeleteSecret
	default:
		d.unbind(id)
	}
}

// startMitigation begins an orphan mitigation.
func (d *decision) startMitigation() {
	d.phase = d.phase.Mitigation()
	d.WriteAhead = true
	d.mitigate()
}

// mitigate continues an orphan mitigation, unless the Secret has the credentials of the binding after all.
func (d *decision) mitigate() {
	switch why := rules.MitigationForbidden(d.isRetained(), d.owns()); {
	case d.in.Secret == SecretUnknown:
		d.Need = rules.NeedSecret
	case d.in.Secret == SecretInSync && d.in.SecretID == d.id():
		if !d.phase.IsReplacement() { // otherwise all requests under the id have the same parameters
			d.Status.InProgressProperties = nil
		}
		d.recordSecretWritten()
	case why != "":
		d.phase = d.phase.AbandonedMitigation(&d.Status)
		d.stopRetrying(v1beta1.ReasonOrphanMitigationFailed, why)
	default:
		d.unbind(d.id())
	}
}

// recordSecretWritten records that the Secret has the credentials of the present id, as a process that was stopped has written it.
func (d *decision) recordSecretWritten() {
	d.phase.Encode(&d.Status)
	if d.Status.InstanceFingerprint = RecordedFingerprint(d.in.BoundInstance.Instance); d.effectivePlan().BindingRetrievable { // the instance may have been updated since
		d.Status.InstanceFingerprint = unknownFingerprint
	}
	d.Status = ApplySecretWritten(d.b, d.Status, nil, d.in.SecretVersion, d.in.Now, d.in.Server)
	d.phase = bindingphase.Of(&d.Status)
	d.RequeueAt = d.in.Now // the next decision has the changes that time alone causes
}

// renewRemoval makes the removal due at once where a person has asked for a retry: of a deletion, or of an orphan mitigation, after which
// the bind request is due soon as well. A request during a replacement waits until that has ended.
func (d *decision) renewRemoval() {
	isRetry := !d.b.DeletionTimestamp.IsZero() || d.phase.IsMitigating() && !d.phase.IsReplacement()
	if !isRetry || !isRebindRequested(d.b, &d.Status) {
		return
	}
	s := &d.Status
	d.Requested = true
	recordRebindAttempt(d.b, &d.Status)
	if a := s.Attempts; a != nil {
		a.Backoff, a.Mitigation, a.Stopped = v1beta1.Backoff{}, v1beta1.Mitigation{}, false
	}
}

// unbind sends the unbind request for an id, or polls it.
func (d *decision) unbind(id string) {
	d.renewRemoval()
	removing := d.phase.IsRemoval() && d.phase.Accepted
	call := d.newRequest(rules.Unbind)
	call.ID = id
	if plans := d.in.BoundInstance.Plans; len(plans) > 0 && d.target() == d.in.BoundInstance.Target {
		call.Target.PlanID, _ = instancerules.CandidatePlan(plans, d.Status.Attempts)
	}
	switch why, gone := d.brokerUnavailable(), d.in.GoneBlocker(d.Status.Common(), id); {
	case d.target() == nil:
		d.blockRemoval(rules.MissingReference(d.b, v1beta1.ReasonReferencesNonexistentInstance, fmt.Sprintf("ServiceInstance %q does not exist, and the status does not say at which broker the binding is", d.b.Spec.InstanceRef.Name)))
	case why != nil:
		d.blockRemoval(why)
	case !removing && gone != nil:
		d.blockRemoval(gone)
		d.AwaitSuccess(&d.in.Inputs, d.Status.Common(), id)
	case removing && !d.isOverdue():
		d.pollWhenDue(call, true)
	case !removing && !d.schedule().IsDue() && !d.isNewlyDue(id):
		d.AwaitAttempt(d.schedule())
	default:
		if removing { // past its deadline
			d.phase.Accepted = false
			d.Status.OperationStartTime = d.in.BeginningNow()
		}
		call.ConfirmsGone = d.in.ConfirmsGone(d.Status.Common(), id)
		d.Request = call
	}
}

// describeInFlight sets the status for a removal request that takes its time, where the binding is on record as Ready: its Secret is gone.
func (d *decision) describeInFlight() {
	isRemoval := d.Request != nil && d.Request.Operation == rules.Unbind && !d.b.DeletionTimestamp.IsZero()
	if !isRemoval || !rules.IsTrue(rules.FindCondition(d.Status.Conditions, v1beta1.ConditionReady)) {
		return
	}
	d.InFlight = d.Status.DeepCopy()
	d.InFlight.ObservedGeneration = d.b.Generation
	setBindingConditions(d.InFlight, rules.RemovalInFlight(d.b, v1beta1.ReasonUnbinding, "unbind"), d.in.Now)
}

// poll polls the creation of a binding.
func (d *decision) poll() {
	call := d.newRequest(rules.Poll)
	switch why := d.brokerUnavailable(); {
	case d.target() == nil:
		d.setBlocked(rules.MissingReference(d.b, v1beta1.ReasonReferencesNonexistentInstance, "the status does not say at which broker the binding is being created"))
	case why != nil:
		d.setBlocked(why)
	default:
		call.MaxDuration, call.IsOverdue, call.SeenRunning = d.effectivePlan().MaximumPollingDuration, d.isOverdue(), d.in.SeenRunning
		d.pollWhenDue(call, false)
	}
}

// pollWhenDue polls the operation when the next poll is due.
func (d *decision) pollWhenDue(call *Request, removal bool) {
	if due := d.schedule().NextPoll(); due.After(d.in.Now) {
		d.RequeueAt = due
		return
	}
	call.MakePoll(removal, ptr.Deref(d.Status.LastOperation, ""))
	call.ConfirmsGone = removal && d.in.ConfirmsGone(d.Status.Common(), call.ID)
	if then := d.Status.Target; then != nil { // the plan of the beginning; the instance may have changed
		call.Target.PlanID = then.PlanID
	}
	d.Request = call
}

// isOverdue reports whether the operation is past its deadline.
func (d *decision) isOverdue() bool {
	return d.in.IsOverdue(d.Status.Common(), d.effectivePlan().MaximumPollingDuration)
}

// cleanUp adds to the decision the request or the wait that is due for the ids left behind.
func (d *decision) cleanUp() {
	left := d.Status.Common()
	if why := d.AwaitCleanUps(&d.in.Inputs, d.b, left, &kind); why != nil {
		d.blockRemoval(why)
	}
	if len(left.LeftBehind) == 0 || d.Request != nil || d.SecretAction != "" || d.Retained != nil {
		return
	}
	due, isPoll := d.NextCleanUp(&d.in.Inputs, d.b, left, !d.isChanged())
	if due == nil {
		return
	}
	d.Request = d.newRequest(rules.Unbind)
	d.Request.Target = due.Target
	d.Request.Target.PlanID = operation.CleanUpPlan(due, isPoll)
	d.Request.MakeCleanUp(&d.in.Inputs, left, due, isPoll)
}

// tooManyLeftBehind returns why nothing is requested under another id; nil: it may be.
func (d *decision) tooManyLeftBehind() *rules.Blocker {
	if catalog.IsRetained(d.b) {
		return nil
	}
	return d.in.TooManyLeftBehind(d.b, d.Status.Common(), &kind)
}

// renewCleanUps makes the removals under the ids left behind due where they block what a person has requested.
func (d *decision) renewCleanUps() {
	if isRequested := d.Requested || isRebindRequested(d.b, &d.Status); isRequested && d.precondition() == nil && d.tooManyLeftBehind() != nil {
		operation.RenewCleanUps(d.Status.Common())
		recordRebindAttempt(d.b, &d.Status)
	}
}
