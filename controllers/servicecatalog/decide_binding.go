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

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
)

// bindingWorld is what the decision about a binding depends on, beside the object.
type bindingWorld struct {
	now time.Time
	// ground is the instance that the spec refers to, or why it does not exist.
	ground ground
	// broker is that of the binding's target; nil: it does not exist.
	broker v1beta1.Broker
	// problem is why no request can be sent to the broker now.
	problem *blocker
	// recovered is when the broker's bindings last recovered from failures.
	recovered time.Time
	// parameters are those of the spec, or why they cannot be read.
	parameters parameters
	// claimants, and predecessorClaimants, are the other objects of the broker that have the same id.
	claimants, predecessorClaimants claimants
	definition                      definitionState
	// secret is what is known of the binding's Secret; secretOf is the id whose credentials it has, and secretVersion its
	// resourceVersion, where it was read.
	secret                  secretState
	secretOf, secretVersion string
	// known is what this process remembers beyond the status.
	known  callMemory
	polled time.Time
	asked  time.Duration
}

// ground is the instance of a binding, with the class and the plan that it has at the broker.
type ground struct {
	instance *v1beta1.ServiceInstance
	class    v1beta1.Class
	plan     v1beta1.Plan
	// target is where its bindings are; nil: the instance is at no broker.
	target *v1beta1.ServiceBindingTarget
	// plans are the ids of the plans that the instance may have, the most likely one first.
	plans []string
	// missing is why the class or the plan does not exist.
	missing *blocker
}

// secretState is what is known of a binding's Secret.
type secretState int

const (
	// secretAbsent: there is none.
	secretAbsent secretState = iota
	// secretUnseen: the cache does not show whether it is as it was written; it has to be read.
	secretUnseen
	// secretGood: it is as it was written.
	secretGood
	// secretEdited: a person or program has changed it.
	secretEdited
	// secretOthers: a Secret of the name exists, and does not belong to the binding.
	secretOthers
)

// bindingCall is a request to the broker about a binding.
type bindingCall struct {
	verb   verb
	id     string
	target v1beta1.ServiceBindingTarget
	// generation of the spec that it follows from, and version of the parameters.
	generation int64
	version    string
	// predecessor is the id of the binding that this one replaces by rotation; empty: none.
	predecessor string
	// props are the properties that the broker has once the request has succeeded; nil for requests that change none.
	props *v1beta1.ServiceBindingPropertiesState
	// clean: the broker can have nothing under the id before the request.
	clean bool
	// owned: this object created the broker's binding, so that it may be deleted (R10).
	owned bool
	// kept: the deletion policy is Retain.
	kept bool
	// keeps: the predecessor may not be deleted.
	keeps bool
	// removal: the operation that is polled is an unbinding.
	removal bool
	// limit is the maximum duration of the operation that is polled.
	limit time.Duration
	// retrievable: the binding can be fetched.
	retrievable bool
	// again: the binding exists, and the request is for its credentials.
	again bool
}

// cleans reports whether a failed request is followed by an orphan mitigation.
func (c *bindingCall) cleans() bool { return c.owned && !c.kept }

// secretDeed is a write of a binding's Secret.
type secretDeed string

const (
	// injectKeys writes the credentials.
	injectKeys secretDeed = "inject"
	// withdrawKeys removes the credentials, which are about to end.
	withdrawKeys secretDeed = "withdraw"
	// ejectSecret deletes the Secret.
	ejectSecret secretDeed = "eject"
)

// bindingStep is what the reconciler does next for a binding.
type bindingStep struct {
	// protect: the finalizer has to be added first.
	protect bool
	// prove: the CRD has to be read first, as it may be terminating (R10).
	prove bool
	// read: the parameters have to be read first.
	read bool
	// look: the Secret has to be read first.
	look bool
	// journal: the status has to be written before the Secret and the request (R1).
	journal bool
	deed    secretDeed
	call    *bindingCall
	// release is why the finalizer is removed; nil: it is not.
	release *word
	// leave is why a binding that is replaced stays at the broker; nil: it does not.
	leave *word
	// status is the status to write, before the outcome of the request.
	status v1beta1.ServiceBindingStatus
	// wake is when to reconcile again; zero: with the next event.
	wake time.Time
}

// bindingDecision is a step while it is decided on.
type bindingDecision struct {
	b *v1beta1.ServiceBinding
	w bindingWorld
	bindingStep
}

// decideBinding returns the next step for a binding.
func decideBinding(b *v1beta1.ServiceBinding, w bindingWorld) bindingStep {
	d := &bindingDecision{b: b, w: w, bindingStep: bindingStep{status: *b.Status.DeepCopy()}}
	status := &d.status
	switch {
	case !b.DeletionTimestamp.IsZero():
		d.remove()
	case !slices.Contains(b.Finalizers, v1beta1.Finalizer):
		d.unprotected()
	case status.OrphanMitigationInProgress:
		d.mitigate()
	case status.AsyncOpInProgress:
		d.poll()
	case status.CurrentOperation == v1beta1.OperationUnbind:
		d.replace()
	case status.CurrentOperation == v1beta1.OperationBind && status.PredecessorID != "":
		d.rotate()
	case isBound(status) && status.CurrentOperation == "":
		d.keep()
	default:
		d.bind()
	}
	d.heedEnd()
	return d.bindingStep
}

// isUsers reports whether a request is made on behalf of the user who created or deleted the binding. It is not known who has
// asked for other credentials, and nobody has for what the operator does by itself.
func isUsers(b *v1beta1.ServiceBinding) bool {
	s := &b.Status
	replaces := s.Rebind != "" || s.ExternalID != "" || s.PredecessorID != "" || s.CurrentOperation == v1beta1.OperationUnbind
	return !b.DeletionTimestamp.IsZero() || !replaces && !s.OrphanMitigationInProgress
}

// isSettled reports whether nothing is to be done for a binding until its spec or its Secret changes.
func isSettled(b *v1beta1.ServiceBinding) bool {
	renews := b.Status.RenewBefore != nil || b.Status.ExpiresAt != nil || b.Annotations[v1beta1.RebindAnnotation] != b.Status.Rebind
	return isTrue(conditionOf(b.Status.Conditions, v1beta1.ConditionReady)) && !renews && b.Status.PredecessorID == "" && b.DeletionTimestamp.IsZero()
}

// isBound reports whether the broker has confirmed the binding, or the one that it replaces.
func isBound(s *v1beta1.ServiceBindingStatus) bool { return s.ExternalProperties != nil }

// isDelivered reports whether the credentials are in the Secret and not about to end.
func isDelivered(s *v1beta1.ServiceBindingStatus) bool {
	return isBound(s) && s.ReconciledGeneration > 0
}

func (d *bindingDecision) id() string { return bindingID(d.b, &d.status) }

// isKept reports whether the deletion policy keeps the broker's binding. The binding of a failed rotation is not kept beside its
// predecessor.
func (d *bindingDecision) isKept() bool {
	return catalog.IsRetained(d.b) && d.status.PredecessorID == ""
}

func (d *bindingDecision) owns() bool {
	return ownsID(d.b, d.id()) && d.w.claimants.blocksRemoval() == nil
}

func (d *bindingDecision) ownsPredecessor() bool {
	return ownsID(d.b, d.status.PredecessorID) && d.w.predecessorClaimants.blocksRemoval() == nil
}

// isOthers reports whether the id belongs to another object.
func (d *bindingDecision) isOthers() bool {
	return d.w.claimants.blocksCreation() != nil && !ownsID(d.b, d.id()) || isForAnother(d.b.UID, d.status.CreatedForUID)
}

// unprotected decides on a binding without the finalizer: a new one gets it, any other was abandoned.
func (d *bindingDecision) unprotected() {
	s := &d.status
	if len(s.Conditions) == 0 && s.UnbindStatus == "" && s.CurrentOperation == "" {
		d.protect = true
		return
	}
	d.say(verdict{ready: v1beta1.ConditionUnknown, reason: v1beta1.ReasonAbandoned, stalled: true,
		message: "the finalizer was removed: nothing is sent to the broker any more, and nothing will be when this object is deleted"})
}

// isClean reports whether the broker can have nothing of the binding: every request is on record before it is sent (R1).
func (d *bindingDecision) isClean() bool {
	s := &d.status
	switch s.UnbindStatus {
	case v1beta1.UnbindNotRequired, v1beta1.UnbindSucceeded:
		return s.PredecessorID == ""
	case "":
		return !mayHaveBinding(s)
	default:
		return false
	}
}

// isStopped reports whether the present spec was refused, so that it is not tried again.
func (d *bindingDecision) isStopped() bool {
	if d.isRebindAsked() {
		return false
	}
	if a := d.status.Attempts; a != nil {
		return a.Stopped && !d.isNews(a)
	}
	// The original service-catalog did not retry after Failed=True.
	failed := conditionOf(d.status.Conditions, v1beta1.ConditionFailed)
	return failed != nil && failed.Status == v1beta1.ConditionTrue && d.status.ReconciledGeneration > 0
}

func (d *bindingDecision) isNews(a *v1beta1.Attempts) bool {
	return a.Generation != d.b.Generation || a.ParametersVersion != d.w.parameters.version || d.isRebindAsked()
}

// renewAttempts resets the attempts for a new spec, except for what earlier requests may have left at the broker.
func (d *bindingDecision) renewAttempts() {
	a := d.status.Attempts
	if a == nil || !d.isNews(a) {
		return
	}
	d.status.Attempts = renewed(a, d.b.Generation, d.w.parameters.version)
	d.status.Rebind = d.b.Annotations[v1beta1.RebindAnnotation]
}

// isDue reports whether the next attempt is due, and otherwise sets when to reconcile again.
func (d *bindingDecision) isDue() bool {
	if a := d.status.Attempts; isRecovered(a, d.w.recovered) {
		a.Recovered, a.NextTime = true, nil
	}
	d.wake = nextAttempt(d.b, d.status.Attempts, d.status.CurrentOperation == v1beta1.OperationUnbind, d.w.now)
	return d.wake.IsZero()
}

// target returns where the binding is, or is to be created. Its plan is the present one of the instance, if it is known.
func (d *bindingDecision) target() *v1beta1.ServiceBindingTarget {
	now, then := d.w.ground.target, d.status.Target
	if then == nil || d.isClean() {
		return now
	}
	if now != nil && now.BrokerReference == then.BrokerReference && now.InstanceID == then.InstanceID {
		return now
	}
	return then
}

// targetOf returns where a binding is, or is to be created.
func targetOf(b *v1beta1.ServiceBinding, w bindingWorld) *v1beta1.ServiceBindingTarget {
	return (&bindingDecision{b: b, w: w, bindingStep: bindingStep{status: b.Status}}).target()
}

func (d *bindingDecision) newCall(v verb) *bindingCall {
	call := &bindingCall{verb: v, id: d.id(), generation: d.b.Generation, version: d.w.parameters.version, clean: d.isClean(), owned: d.owns(), kept: d.isKept(),
		retrievable: d.present().BindingRetrievable,
		keeps:       d.status.PredecessorID != "" && !d.ownsPredecessor()}
	if t := d.target(); t != nil {
		call.target = *t
	}
	return call
}

// mayHaveBinding reports whether a request for a binding is on record.
func mayHaveBinding(s *v1beta1.ServiceBindingStatus) bool {
	return s.CurrentOperation != "" || isBound(s) || s.UnbindStatus == v1beta1.UnbindRequired
}
