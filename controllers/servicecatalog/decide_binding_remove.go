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
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
)

// remove decides on a binding that is being deleted.
func (d *bindingDecision) remove() {
	s := &d.status
	switch {
	case !slices.Contains(d.b.Finalizers, v1beta1.Finalizer): // released; it has the finalizer of another controller
	case catalog.IsRetained(d.b):
		d.release = &word{v1beta1.ReasonRetained, "the deletion policy is Retain: the binding is left at the broker"}
	case d.isClean() && s.UnbindStatus != v1beta1.UnbindSucceeded:
		d.release = neverMade(v1beta1.ReasonUnboundSuccessfully, d.id(), d.isOthers())
	case d.isClean():
		d.release = &word{v1beta1.ReasonUnboundSuccessfully, "nothing is left at the broker"}
	case s.UnbindStatus == v1beta1.UnbindFailed && !d.isRebindAsked():
		d.hold(blockedBy(v1beta1.ReasonUnbindCallFailed, "the original service-catalog has stopped trying to remove the binding; to retry, change the annotation "+v1beta1.RebindAnnotation))
	case s.OrphanMitigationInProgress && d.owns(): // it may be the operation in progress
		d.removeSecretAnd(d.id())
	case s.PredecessorID != "" && d.ownsPredecessor():
		d.removeSecretAnd(s.PredecessorID)
	case d.owns():
		d.removeSecretAnd(d.id())
	case s.AsyncOpInProgress && s.CurrentOperation == v1beta1.OperationBind && !s.OrphanMitigationInProgress && d.w.claimants.blocksRemoval() == nil:
		d.poll() // its success proves that this object created the binding
	case d.w.claimants.blocksRemoval() != nil:
		d.release = leftToClaimant(d.id(), d.w.claimants.blocksRemoval())
	default:
		d.release = leftAsBrought(d.id())
	}
}

// removeSecretAnd deletes the Secret first, so that no application begins to use it, and then the broker's binding of an id.
func (d *bindingDecision) removeSecretAnd(id string) {
	switch {
	case d.w.definition == definitionUnknown:
		d.prove = true
	case d.w.definition == definitionTerminating:
		d.hold(blockedBy(v1beta1.ReasonDefinitionTerminating, "the CustomResourceDefinition is being deleted, and nothing is deleted at a broker for that"))
	case d.w.secret == secretUnseen:
		d.look = true
	case d.w.secret == secretGood || d.w.secret == secretEdited:
		d.deed = ejectSecret
	default:
		d.unbind(id)
	}
}

// mitigate continues an orphan mitigation, unless the Secret has the credentials of the binding after all.
func (d *bindingDecision) mitigate() {
	switch {
	case d.w.secret == secretUnseen:
		d.look = true
	case d.w.secret == secretGood && d.w.secretOf == d.id():
		d.status.InProgressProperties = nil // the earlier request may have had other parameters
		d.status = foldInjected(d.b, d.status, nil, d.w.secretVersion, d.w.now)
	case d.isKept():
		d.status.OrphanMitigationInProgress, d.status.AsyncOpInProgress, d.status.LastOperation = false, false, nil
		d.stop(v1beta1.ReasonOrphanMitigationFailed, "the deletion policy is Retain: what may be at the broker is left as it is")
	case !d.owns():
		d.status.OrphanMitigationInProgress = false
		d.stop(v1beta1.ReasonOrphanMitigationFailed, "what may be at the broker is not this object's to remove")
	default:
		d.unbind(d.id())
	}
}

// unbind sends the unbind request for an id, or polls it.
func (d *bindingDecision) unbind(id string) {
	removing := d.status.AsyncOpInProgress && (d.status.CurrentOperation == v1beta1.OperationUnbind || d.status.OrphanMitigationInProgress)
	call := d.newCall(unbind)
	call.id = id
	if plans := d.w.ground.plans; len(plans) > 0 && d.target() == d.w.ground.target {
		call.target.PlanID, _ = guessPlan(plans, d.status.Attempts)
	}
	switch why := d.mute(); {
	case d.target() == nil:
		d.hold(missingFor(d.b, v1beta1.ReasonReferencesNonexistentInstance, fmt.Sprintf("ServiceInstance %q does not exist, and it is not on record where the binding is", d.b.Spec.InstanceRef.Name)))
	case why != nil:
		d.hold(why)
	case removing && !d.isOverdue():
		d.pollLater(call, true)
	case !removing && !d.isDue():
	default:
		if removing { // past its deadline
			d.status.AsyncOpInProgress, d.status.LastOperation, d.status.OperationStartTime = false, nil, timeOf(d.w.now)
		}
		d.call = call
	}
}

// poll polls the operation in progress.
func (d *bindingDecision) poll() {
	if d.status.CurrentOperation == v1beta1.OperationUnbind {
		d.unbind(cmp.Or(d.status.PredecessorID, d.id()))
		return
	}
	call := d.newCall(poll)
	switch why := d.mute(); {
	case d.target() == nil:
		d.waitFor(missingFor(d.b, v1beta1.ReasonReferencesNonexistentInstance, "it is not on record where the binding is being made"))
	case why != nil:
		d.waitFor(why)
	default:
		call.limit = d.present().MaximumPollingDuration
		d.pollLater(call, false)
	}
}

// pollLater polls the operation when the next poll is due.
func (d *bindingDecision) pollLater(call *bindingCall, removal bool) {
	next := nextPoll(d.status.OperationStartTime, d.w.polled, d.w.asked, d.w.now)
	if a := d.status.Attempts; a != nil && a.Misconfigured > 0 && !d.isDue() {
		next = latest(next, d.wake)
	}
	if d.wake = next; next.After(d.w.now) {
		return
	}
	d.wake = time.Time{}
	call.verb, call.removal = poll, removal
	if then := d.status.Target; then != nil { // the plan of the beginning; the instance may have changed
		call.target.PlanID = then.PlanID
	}
	d.call = call
}

// isOverdue reports whether the operation is past its deadline.
func (d *bindingDecision) isOverdue() bool {
	return isOverdue(d.status.OperationStartTime, d.present().MaximumPollingDuration, d.w.now)
}
