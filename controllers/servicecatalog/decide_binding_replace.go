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
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// startRotation begins a rotation: a bind request under a new id, with the present binding as the predecessor.
func (d *bindingDecision) startRotation() {
	s := &d.status
	s.PredecessorID, s.ExternalID = d.id(), nextBindingID(d.b, s)
	s.CurrentOperation, s.OperationStartTime, s.InProgressProperties = v1beta1.OperationBind, timeOf(d.w.now), s.ExternalProperties
	s.Rebind = d.b.Annotations[v1beta1.RebindAnnotation]
	if d.w.secret != secretGood {
		s.ReconciledGeneration = 0
	}
	if a := s.Attempts; a != nil {
		s.Attempts = &v1beta1.Attempts{Generation: a.Generation, Count: a.Count, Removals: a.Removals}
	}
	d.askForSuccessor()
	d.call.clean, d.journal = true, true
	d.observe()
}

func (d *bindingDecision) askForSuccessor() {
	d.call = d.newCall(bind)
	d.call.predecessor, d.call.props = d.status.PredecessorID, d.status.InProgressProperties
}

// rotate continues a rotation.
func (d *bindingDecision) rotate() {
	a, tried := d.status.Attempts, d.tried()
	retrievable := d.present().BindingRetrievable && !tried.fetch
	lost := tried.repeat && !retrievable
	why := d.unready()
	if why == nil {
		why = d.mute()
	}
	switch {
	case d.isTold() && d.w.known.told.binding == nil:
		d.giveUp()
	case d.isTold():
		if !d.w.known.told.unfit {
			d.deed = injectKeys
		}
	case why != nil:
		d.waitFor(why)
	case !d.isDue():
	case lost || a != nil && (a.Unknown > repeats(a) || a.Conflict):
		d.giveUp()
	case retrievable && (tried.made || tried.repeat):
		d.call = d.newCall(fetch)
		d.call.again = true
	case d.hasEnded(): // an expired predecessor cannot be rotated
		d.giveUp()
	default:
		d.askForSuccessor()
	}
}

// giveUp begins the orphan mitigation of a failed rotation.
func (d *bindingDecision) giveUp() {
	d.status.OrphanMitigationInProgress, d.journal = true, true
	d.mitigate()
}

// startAnew removes the binding at the broker to create another one under a new id. A binding that this object does not own is
// left there. made are the attempts so far; nil: none.
func (d *bindingDecision) startAnew(why string, made *v1beta1.Attempts) {
	if obstacle := d.obstacle(); obstacle != nil {
		d.waitFor(obstacle)
		return
	}
	s := &d.status
	s.Rebind = d.b.Annotations[v1beta1.RebindAnnotation]
	s.CurrentOperation, s.OperationStartTime, s.Attempts = v1beta1.OperationUnbind, timeOf(d.w.now), made
	d.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonRebinding, message: "The binding is being replaced: " + why})
	d.journal = true
	d.replace()
}

// replace continues a removal that startAnew or retire has begun.
func (d *bindingDecision) replace() {
	switch {
	case d.status.PredecessorID != "":
		d.retire()
	case d.w.secret == secretUnseen:
		d.look = true
	case d.w.secret == secretEdited, d.w.secret == secretGood && (isDelivered(&d.status) || d.w.secretOf == d.id()):
		d.deed = withdrawKeys
	case d.owns():
		d.unbind(d.id())
	default:
		d.leave = d.left(d.id(), d.w.claimants)
		d.status = movedOn(d.b, d.status, d.w.now)
		d.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonRebinding, message: "The binding is being replaced; " + d.leave.message})
		d.journal, d.wake = false, d.w.now
	}
}

// left is the cause for leaving a binding at the broker that this object may not remove.
func (d *bindingDecision) left(id string, others claimants) *word {
	why := "which this object did not create"
	if others.blocksRemoval() != nil {
		why = "which another object has as well"
	}
	return &word{v1beta1.ReasonRetained, fmt.Sprintf("the binding under the id %q, %s, is left at the broker, and its credentials stay valid", id, why)}
}

// movedOn returns the status of a binding that gets a new id.
func movedOn(b *v1beta1.ServiceBinding, s v1beta1.ServiceBindingStatus, now time.Time) v1beta1.ServiceBindingStatus {
	s.ExternalID = nextBindingID(b, &s)
	s.ExternalProperties, s.InProgressProperties, s.CreatedForUID = nil, nil, ""
	s.CurrentOperation, s.OperationStartTime, s.AsyncOpInProgress, s.LastOperation = "", nil, false, nil
	s.UnbindStatus, s.ReconciledGeneration = v1beta1.UnbindSucceeded, 0
	s.ExpiresAt, s.RenewBefore = nil, nil
	if s.Attempts = remaining(s.Attempts); s.Attempts != nil {
		s.Attempts.NextTime = timeOf(now.Add(backoff(b.UID, s.Attempts.Removals, 0)))
	}
	return s
}

// remaining returns the part of the attempts that counts until the credentials are in the Secret.
func remaining(a *v1beta1.Attempts) *v1beta1.Attempts {
	if a == nil || a.Removals == 0 {
		return nil
	}
	return &v1beta1.Attempts{Generation: a.Generation, ParametersVersion: a.ParametersVersion, Removals: a.Removals}
}

// retire removes the predecessor.
func (d *bindingDecision) retire() {
	if !d.ownsPredecessor() {
		d.leave = d.left(d.status.PredecessorID, d.w.predecessorClaimants)
		d.status.PredecessorID, d.wake = "", d.w.now
		if d.isLive() {
			d.say(stillInjected(d.leave.message))
		}
		return
	}
	d.unbind(d.status.PredecessorID)
}
