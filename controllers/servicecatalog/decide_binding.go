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

// bindingWorld is what a binding's next step depends on beside the object.
type bindingWorld struct {
	now time.Time
	// ground is what the binding is to be made on, or why that is not there.
	ground ground
	// broker is the one that the binding is, or is to be, at; nil: it does not exist.
	broker v1beta1.Broker
	// problem is why nothing can be sent to it now.
	problem *blocker
	// recovered is when the broker last began to bind again, after that had failed.
	recovered time.Time
	// parameters are those of the spec, or why they cannot be had.
	parameters parameters
	// claimants, and predecessorClaimants, are the other objects of the broker with the same id.
	claimants, predecessorClaimants claimants
	definition                      definitionState
	// secret is what is known of the binding's Secret, and secretOf the id whose
	// credentials it has, where that was looked at; secretVersion is then its version.
	secret                  secretState
	secretOf, secretVersion string
	// known is what this process remembers.
	known  callMemory
	polled time.Time
	asked  time.Duration
}

// ground is an instance, with the class and the plan that it has at the broker.
type ground struct {
	instance *v1beta1.ServiceInstance
	class    v1beta1.Class
	plan     v1beta1.Plan
	// target is where its bindings are; nil: it is at no broker.
	target *v1beta1.ServiceBindingTarget
	// plans are the ids of the plans that it may have, the most likely one first.
	plans []string
	// missing is what the instance refers to and is not there.
	missing *blocker
}

// secretState is what is known of a binding's Secret.
type secretState int

const (
	// secretAbsent: there is none.
	secretAbsent secretState = iota
	// secretUnseen: it is not known to be as it was. It may have to be looked at.
	secretUnseen
	// secretGood: it has what was written into it.
	secretGood
	// secretEdited: somebody changed what was.
	secretEdited
	// secretOthers: what is there under the name is not the binding's.
	secretOthers
)

// bindingCall is a request about a binding.
type bindingCall struct {
	verb   verb
	id     string
	target v1beta1.ServiceBindingTarget
	// generation that it is for, and version of the parameters.
	generation int64
	version    string
	// predecessor is the id of the binding that this one is to replace by rotation.
	predecessor string
	// props are what the broker has once it is done, where it gets anything.
	props *v1beta1.ServiceBindingPropertiesState
	// clean: nothing can be at the broker under the id before it.
	clean bool
	// owned: what is there under the id may be removed.
	owned bool
	// kept: but nobody wants that, unless it is deleted.
	kept bool
	// keeps: what is there under the status's predecessorID may not.
	keeps bool
	// removal: what is polled is one.
	removal bool
	// limit is how long the operation that is polled may be in progress.
	limit time.Duration
	// retrievable: what the broker has under the id can be fetched.
	retrievable bool
	// again: the binding is there, and its credentials are asked for again.
	again bool
}

// cleans says whether what a request may have made is removed again.
func (c *bindingCall) cleans() bool { return c.owned && !c.kept }

// secretDeed is what has to be done with a binding's Secret.
type secretDeed string

const (
	// inject puts credentials into it.
	injectKeys secretDeed = "inject"
	// withdraw takes them out of it, since they are about to end.
	withdrawKeys secretDeed = "withdraw"
	// eject deletes it.
	ejectSecret secretDeed = "eject"
)

// bindingStep is what happens next to a binding.
type bindingStep struct {
	// protect: the finalizer has to be put on first.
	protect bool
	// prove: it has to be known first whether the CRD is being deleted.
	prove bool
	// read: the parameters have to be known first.
	read bool
	// look: the Secret has to be looked at first.
	look bool
	// journal: the status has to be written before the deed or the call.
	journal bool
	deed    secretDeed
	call    *bindingCall
	// release: the finalizer goes, for this reason.
	release *word
	// leave is what stays at the broker although it was to be replaced.
	leave *word
	// status is what to write, but for what comes of the deed or the call.
	status v1beta1.ServiceBindingStatus
	// wake is when to look again; zero: when something changes.
	wake time.Time
}

// bindingDecision is a decision being made.
type bindingDecision struct {
	b *v1beta1.ServiceBinding
	w bindingWorld
	bindingStep
}

// decideBinding says what happens next to a binding.
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

// isBound says whether the broker has confirmed the binding, or the one that it replaces.
func isBound(s *v1beta1.ServiceBindingStatus) bool { return s.ExternalProperties != nil }

// isDelivered says whether the credentials were put into the Secret and are not about to end.
func isDelivered(s *v1beta1.ServiceBindingStatus) bool {
	return isBound(s) && s.ReconciledGeneration > 0
}

func (d *bindingDecision) id() string { return bindingID(d.b, &d.status) }

// isKept says whether what a request may have made is left as it is. What a rotation made
// is not: it is nobody's, beside what is kept.
func (d *bindingDecision) isKept() bool {
	return catalog.IsRetained(d.b) && d.status.PredecessorID == ""
}

func (d *bindingDecision) owns() bool {
	return ownsID(d.b, d.id()) && d.w.claimants.blocksRemoval() == nil
}

func (d *bindingDecision) ownsPredecessor() bool {
	return ownsID(d.b, d.status.PredecessorID) && d.w.predecessorClaimants.blocksRemoval() == nil
}

// isOthers says whether what the broker has under the id, if anything, is another object's.
func (d *bindingDecision) isOthers() bool {
	return d.w.claimants.blocksCreation() != nil && !ownsID(d.b, d.id()) || isForAnother(d.b.UID, d.status.CreatedForUID)
}

// unprotected is a binding without our finalizer.
func (d *bindingDecision) unprotected() {
	s := &d.status
	if len(s.Conditions) == 0 && s.UnbindStatus == "" && s.CurrentOperation == "" {
		d.protect = true
		return
	}
	d.say(verdict{ready: v1beta1.ConditionUnknown, reason: v1beta1.ReasonAbandoned, stalled: true,
		message: "the finalizer was removed: nothing is sent to the broker any more, and nothing will be when this object is deleted"})
}

// isClean is that of instanceDecision.
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

// isStopped says whether nothing is tried any more for what the spec says now.
func (d *bindingDecision) isStopped() bool {
	if d.isRebindAsked() {
		return false
	}
	if a := d.status.Attempts; a != nil {
		return a.Stopped && !d.isNews(a)
	}
	// The former service-catalog left it at that.
	failed := conditionOf(d.status.Conditions, v1beta1.ConditionFailed)
	return failed != nil && failed.Status == v1beta1.ConditionTrue && d.status.ReconciledGeneration > 0
}

func (d *bindingDecision) isNews(a *v1beta1.Attempts) bool {
	return a.Generation != d.b.Generation || a.ParametersVersion != d.w.parameters.version || d.isRebindAsked()
}

// renewAttempts begins a new budget. What earlier requests may have left is not forgotten.
func (d *bindingDecision) renewAttempts() {
	a := d.status.Attempts
	if a == nil || !d.isNews(a) {
		return
	}
	d.status.Attempts = renewed(a, d.b.Generation, d.w.parameters.version)
	d.status.Rebind = d.b.Annotations[v1beta1.RebindAnnotation]
}

// isDue says whether the next attempt may be made, and else wakes it when it may.
func (d *bindingDecision) isDue() bool {
	if a := d.status.Attempts; isRecovered(a, d.w.recovered) {
		a.Recovered, a.NextTime = true, nil
	}
	d.wake = nextAttempt(d.b, d.status.Attempts, d.status.CurrentOperation == v1beta1.OperationUnbind, d.w.now)
	return d.wake.IsZero()
}

// target is where the binding is, or is to be. Its plan is the one that the instance has
// by now, if that is known.
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

// targetOf is where a binding is, or is to be.
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

// mayHaveBinding says whether it is on record that the broker was asked for a binding.
func mayHaveBinding(s *v1beta1.ServiceBindingStatus) bool {
	return s.CurrentOperation != "" || isBound(s) || s.UnbindStatus == v1beta1.UnbindRequired
}
