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

package binding

import (
	"fmt"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/lifecycle"
)

// startRotation begins a rotation: a bind request under a new id, with the present binding as the predecessor.
func (d *decision) startRotation() {
	s := &d.Status
	s.PredecessorID, s.ExternalID = d.id(), lifecycle.NextBindingID(d.b, s)
	setPhase(s, Binding)
	s.OperationStartTime, s.InProgressProperties = lifecycle.Timestamp(d.w.Now), s.ExternalProperties
	s.Rebind = d.b.Annotations[v1beta1.RebindAnnotation]
	if d.w.Secret != SecretInSync {
		s.ReconciledGeneration = 0
	}
	if a := s.Attempts; a != nil {
		s.Attempts = &v1beta1.Attempts{Generation: a.Generation, Count: a.Count, Removals: a.Removals}
	}
	d.requestSuccessor()
	d.Request.NothingAtBroker, d.WriteAhead = true, true
	d.observe()
}

func (d *decision) requestSuccessor() {
	d.Request = d.newRequest(lifecycle.Bind)
	d.Request.PredecessorID, d.Request.Properties = d.Status.PredecessorID, d.Status.InProgressProperties
}

// rotate continues a rotation.
func (d *decision) rotate() {
	a, tried := d.Status.Attempts, d.recovery()
	retrievable := d.nextWay() == fetch
	lost := tried.hasFailed(repeat) && !retrievable
	why := d.instanceNotReady()
	if why == nil {
		why = d.brokerUnavailable()
	}
	switch {
	case d.hasReceivedCredentials() && d.w.Memory.Received.Binding == nil:
		d.startMitigation()
	case d.hasReceivedCredentials():
		if !d.w.Memory.Received.DoesNotFit {
			d.SecretAction = WriteSecret
		}
	case why != nil:
		d.setBlocked(why)
	case !d.isDue():
	case lost || a != nil && (a.Unknown > lifecycle.MaxRepeatsOf(a) || a.Conflict):
		d.startMitigation()
	case retrievable && (tried.created || tried.hasFailed(repeat)):
		d.Request = d.newRequest(lifecycle.Fetch)
		d.Request.Repeat = true
	case d.hasEnded(): // an expired predecessor cannot be rotated
		d.startMitigation()
	default:
		d.requestSuccessor()
	}
}

// startReplacement removes the binding at the broker to create another one under a new id. A binding that this object does not own is
// left there. made are the attempts so far; nil: none.
func (d *decision) startReplacement(why string, made *v1beta1.Attempts) {
	if obstacle := d.precondition(); obstacle != nil {
		d.setBlocked(obstacle)
		return
	}
	s := &d.Status
	s.Rebind = d.b.Annotations[v1beta1.RebindAnnotation]
	setPhase(s, Unbinding)
	s.OperationStartTime, s.Attempts = lifecycle.Timestamp(d.w.Now), made
	d.setConditions(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonRebinding, Message: "The binding is being replaced: " + why})
	d.WriteAhead = true
	d.replace()
}

// replace continues a removal that startAnew or retire has begun.
func (d *decision) replace() {
	switch {
	case d.Status.PredecessorID != "":
		d.removePredecessor()
	case d.w.Secret == SecretUnknown:
		d.Need = lifecycle.NeedSecret
	case d.w.Secret == SecretModified, d.w.Secret == SecretInSync && (isDelivered(&d.Status) || d.w.SecretID == d.id()):
		d.SecretAction = ClearSecret
	case d.owns():
		d.unbind(d.id())
	default:
		d.Retained = d.retainedCause(d.id(), d.w.Claimants)
		d.Status = resetForNextID(d.b, d.Status, d.w.Now)
		d.setConditions(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonRebinding, Message: "The binding is being replaced; " + d.Retained.Message})
		d.WriteAhead, d.RequeueAt = false, d.w.Now
	}
}

// retainedCause is the cause for leaving a binding at the broker that this object may not remove.
func (d *decision) retainedCause(id string, others lifecycle.Claimants) *lifecycle.Cause {
	why := "which this object did not create"
	if others.BlocksRemoval() != nil {
		why = "which another object has as well"
	}
	return &lifecycle.Cause{Reason: v1beta1.ReasonRetained, Message: fmt.Sprintf("the binding under the id %q, %s, is left at the broker, and its credentials stay valid", id, why)}
}

// resetForNextID returns the status of a binding that gets a new id.
func resetForNextID(b *v1beta1.ServiceBinding, s v1beta1.ServiceBindingStatus, now time.Time) v1beta1.ServiceBindingStatus {
	s.ExternalID = lifecycle.NextBindingID(b, &s)
	setPhase(&s, Idle)
	s.ExternalProperties, s.CreatedForUID, s.OwnershipUnknown = nil, "", false
	s.UnbindStatus, s.ReconciledGeneration = v1beta1.UnbindSucceeded, 0
	s.ExpiresAt, s.RenewBefore = nil, nil
	if s.Attempts = remaining(s.Attempts); s.Attempts != nil {
		s.Attempts.NextTime = lifecycle.Timestamp(now.Add(lifecycle.Backoff(b.UID, s.Attempts.Removals, 0)))
	}
	return s
}

// remaining returns the part of the attempts that counts until the credentials are in the Secret.
func remaining(a *v1beta1.Attempts) *v1beta1.Attempts {
	if a == nil || a.Removals == 0 {
		return nil
	}
	return &v1beta1.Attempts{Generation: a.Generation, ParametersVersion: a.ParametersVersion, ParametersDigest: a.ParametersDigest, Removals: a.Removals}
}

// removePredecessor removes the predecessor.
func (d *decision) removePredecessor() {
	if !d.ownsPredecessor() {
		d.Retained = d.retainedCause(d.Status.PredecessorID, d.w.PredecessorClaimants)
		d.Status.PredecessorID, d.RequeueAt = "", d.w.Now
		if d.hasUsableCredentials() {
			d.setConditions(stillInjectedConditions(d.Retained.Message))
		}
		return
	}
	d.unbind(d.Status.PredecessorID)
}
