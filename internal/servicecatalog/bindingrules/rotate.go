// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"fmt"
	"slices"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
	"github.com/gophernetes/bellhop/internal/servicecatalog/catalog"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// mayRotate reports whether the broker can be asked to rotate the present binding: the plan can, and the broker would not refuse the
// binding as expired.
func (d *decision) mayRotate() bool {
	return d.effectivePlan().BindingRotatable && !d.recovery().hasFailed(rotation) && !d.hasEnded() && rules.RemovalsOf(d.Status.Attempts) < maxRotations
}

// startReplacement begins to replace the present binding: a bind request under a new id, which names the present one where it is
// rotated. The present credentials stay in the Secret, and valid, until the new ones are there. No answer of the broker
// leads to the removal of credentials that are in use: OSB has none that means that an instance can have one binding only.
func (d *decision) startReplacement() {
	rotates := d.mayRotate()
	if len(d.Status.Predecessors) >= maxPredecessors {
		if !d.removeDuePredecessor() {
			d.setBlocked(d.tooManyPredecessors())
			d.wakeForRenewal()
		}
		return
	}
	d.renewCleanUps()
	switch why := d.replacementBlocker(); {
	case why != nil:
		d.setBlocked(why)
		d.wakeBy(d.in.Now.Add(renewRetry))
		return
	case !rotates && !d.in.Parameters.MaySend():
		d.awaitParameters()
		d.wakeBy(d.in.Now.Add(renewRetry))
		return
	case !d.prepareWrite():
		d.wakeBy(d.in.Now.Add(renewRetry))
		return
	}
	s := &d.Status
	s.PredecessorID, s.ExternalID = d.id(), d.nextID()
	if d.phase = (bindingphase.Phase{Task: bindingphase.Replacing}); rotates {
		d.phase.Task = bindingphase.Rotating
	}
	s.OperationStartTime = d.in.BeginningNow()
	recordRebindAttempt(d.b, &d.Status)
	if d.in.Secret != SecretInSync {
		s.ReconciledGeneration = 0
	}
	if a := s.Attempts; a != nil {
		s.Attempts = &v1beta1.Attempts{
			AttemptedSpec: d.schedule().PresentSpec(),
			Backoff:       v1beta1.Backoff{Count: a.Count},
			Mitigation:    v1beta1.Mitigation{Removals: a.Removals, Unremoved: a.Unremoved},
		}
	}
	d.requestFirst()
}

// replacementBlocker returns the blocker of the binding's replacement; nil: nothing blocks it.
func (d *decision) replacementBlocker() *rules.Blocker {
	if why := d.precondition(); why != nil {
		return why
	}
	if full := d.tooManyLeftBehind(); full != nil {
		return full
	}
	if now := d.in.BoundInstance.Target; now != nil && d.target() != now {
		return rules.BlockedBy(v1beta1.ReasonErrorInstanceNotReady, fmt.Sprintf("ServiceInstance %q is not the one that the credentials are for: delete this ServiceBinding, and create it again", d.b.Spec.InstanceRef.Name))
	}
	return nil
}

// maxPredecessors bounds the former bindings on record. An earlier version of the operator may have recorded more.
const maxPredecessors = 16

func (d *decision) tooManyPredecessors() *rules.Blocker {
	s := &d.Status
	return rules.InProgress(v1beta1.ReasonRebinding, fmt.Sprintf("status.predecessors has %d former bindings, and can have %d: new credentials are requested after the first of them is removed, at %s; to remove them sooner, reduce the annotation %s",
		len(s.Predecessors), maxPredecessors, times.Format(d.in.overlapEnds(d.b, s.Predecessors[0])), v1beta1.RotationOverlapAnnotation))
}

// requestFirst makes the first request under the id of a successor. The broker can have nothing under the id yet.
func (d *decision) requestFirst() {
	d.Status.InProgressProperties = d.Status.ExternalProperties
	if d.phase.Task != bindingphase.Rotating {
		d.Status.InProgressProperties = d.desiredProperties()
	}
	d.requestSuccessor()
	d.Request.NothingAtBroker, d.WriteAhead = true, true
	d.Status.ObservedGeneration = d.b.Generation
}

func (d *decision) requestSuccessor() {
	d.Request = d.newRequest(rules.Bind)
	d.Request.Properties, d.Request.Replaces = d.Status.InProgressProperties, true
	tried := d.recovery()
	d.Request.Repeat = tried.hasFailed(fetch) && !tried.absent // the broker has it, but returned no credentials
	if d.phase.Task == bindingphase.Rotating {
		d.Request.PredecessorID = d.Status.PredecessorID
	}
}

// fetchSuccessor has the successor fetched that the broker has, or may have.
func (d *decision) fetchSuccessor() {
	d.Request = d.newRequest(rules.Fetch)
	d.Request.Repeat, d.Request.Replaces = true, true
}

// replace continues a replacement.
func (d *decision) replace() {
	s, tried := &d.Status, d.recovery()
	rotates, retrievable := d.phase.Task == bindingphase.Rotating, d.nextWay() == fetch
	lost := tried.hasFailed(repeat)
	isUnwanted := operation.NextOfCreation(s.Attempts, false, false, lost) == operation.NextMitigate
	// A fetch is the last way before a removal: the bind request has failed under this id too, or would name an expired predecessor.
	isFetchLeft := (isUnwanted || rotates && d.hasEnded() && s.InProgressProperties != nil) && d.mayFetch()
	why := d.in.BoundInstance.Blocker(d.b)
	if why == nil {
		why = d.brokerUnavailable()
	}
	switch {
	case d.isSuccessorRejected():
		d.startMitigation()
	case d.awaitWrite():
	case d.hasReceivedCredentials():
		d.writeSecret()
	case why != nil:
		d.setBlocked(why)
	case !d.schedule().IsDue():
		d.AwaitAttempt(d.schedule())
	case isUnwanted && !isFetchLeft:
		d.giveUpSuccessor()
	case !d.prepareWrite():
	case isFetchLeft && d.mayReplaceSuccessor():
		d.giveUpSuccessor()
	case retrievable && tried.created, isFetchLeft:
		d.fetchSuccessor()
	case rotates && d.hasEnded() && s.InProgressProperties == nil: // an expired predecessor cannot be rotated; nothing was sent under the id
		if !d.in.Parameters.MaySend() {
			d.awaitParameters()
			return
		}
		d.phase.Task = bindingphase.Replacing
		d.requestFirst()
	case rotates && d.hasEnded():
		d.giveUpSuccessor()
	case !rotates && !d.in.Parameters.MaySend():
		d.awaitParameters()
	case s.InProgressProperties == nil: // no request under the id has had an effect
		d.requestFirst()
	case rotates:
		d.requestSuccessor()
	case !rules.SameBindingParameters(s.InProgressProperties, d.desiredProperties()) && retrievable: // the binding that may be there is used
		d.fetchSuccessor()
	case !rules.SameBindingParameters(s.InProgressProperties, d.desiredProperties()):
		d.giveUpSuccessor()
	default:
		d.requestSuccessor()
	}
}

// giveUpSuccessor has another binding requested instead of a successor. One that this process has requested is removed first, since its credentials are
// in no Secret. Another one may be the binding that was Ready before the status was restored from a backup.
func (d *decision) giveUpSuccessor() {
	if d.recovery().requested || !d.mayRetireSuccessor() {
		d.startMitigation()
	} else {
		d.replaceSuccessor()
	}
}

// mayFetch reports whether a fetch may bring the credentials: the broker has not said that it does not return them. Where no answer has shown that the
// broker has what this process has requested, one fetch without an answer is enough.
func (d *decision) mayFetch() bool {
	tried := d.recovery()
	isPatient := tried.hasFailed(repeat) || !tried.requested
	return d.effectivePlan().BindingRetrievable && (!tried.hasFailed(fetch) || tried.unanswered > 0 && isPatient)
}

// mayReplaceSuccessor reports whether another binding is requested beside a successor whose credentials the broker neither returns nor withholds: a
// person has requested that, or the predecessor has expired.
func (d *decision) mayReplaceSuccessor() bool {
	unanswered := d.recovery().unanswered
	isUnanswered := unanswered > limiter.QuickRetries || unanswered > 0 && rules.IsSlow(d.Status.Attempts)
	return isUnanswered && (isRebindRequested(d.b, &d.Status) || d.hasEnded()) &&
		d.mayRetireSuccessor() && d.replacementBlocker() == nil && (!d.in.Parameters.Known || d.in.Parameters.MaySend())
}

// mayRetireSuccessor reports whether the record has room for the successor beside the binding that another one replaces.
func (d *decision) mayRetireSuccessor() bool { return len(d.Status.Predecessors)+1 < maxPredecessors }

// replaceSuccessor requests another binding beside the successor. After a restore of the status, applications may use the successor. So it is removed
// like a predecessor, after the overlap, which begins when other credentials are in the Secret.
func (d *decision) replaceSuccessor() {
	s := &d.Status
	switch {
	case d.in.Secret == SecretUnknown:
		d.Need = rules.NeedSecret
	case d.in.Secret == SecretInSync && d.in.SecretID == d.id():
		d.recordSecretWritten()
	default:
		s.Predecessors = append(s.Predecessors, v1beta1.PredecessorBinding{ID: d.id(), RemoveAt: overlapEnd(d.b, d.in.Server.Begin(d.in.Now)), Unreplaced: true})
		reinstatePredecessor(d.b, s)
		d.phase = bindingphase.Phase{}
		d.startReplacement()
	}
}

// reinstatePredecessor makes the predecessor the binding in force again.
func reinstatePredecessor(b *v1beta1.ServiceBinding, s *v1beta1.ServiceBindingStatus) {
	s.ExternalID, s.PredecessorID = s.PredecessorID, ""
	if s.ExternalID == b.Spec.ExternalID {
		s.ExternalID = ""
	}
}

// retireFormer carries over the predecessor of a status without a replacement: an earlier version of the operator has recorded it, and
// removes it at once.
func (d *decision) retireFormer() {
	if s := &d.Status; s.PredecessorID != "" && !d.phase.IsReplacement() {
		retire(d.b, s, s.PredecessorID, d.in.Server.Begin(d.in.Now))
		s.PredecessorID = ""
		d.phase = bindingphase.Of(s)
	}
}

// isRemovalDue reports whether the overlap of a predecessor is over.
func (d *decision) isRemovalDue(p v1beta1.PredecessorBinding) bool {
	return !p.Unreplaced && d.in.overlapLeft(d.b, p) <= 0
}

// isNewlyDue reports whether the id is that of a predecessor whose removal became due after the last attempt, which was for something else.
func (d *decision) isNewlyDue(id string) bool {
	return slices.ContainsFunc(d.Status.Predecessors, func(p v1beta1.PredecessorBinding) bool {
		return p.ID == id && d.isRemovalDue(p) && d.attemptsPrecede(d.in.overlapEnds(d.b, p))
	})
}

// removeDuePredecessor removes the predecessor whose overlap was over first, and reports whether there is one. A predecessor that this object may
// not remove is dropped from the record.
func (d *decision) removeDuePredecessor() bool {
	s := &d.Status
	if len(s.Predecessors) == 0 {
		return false
	}
	if i := d.foreignPredecessor(); i >= 0 {
		d.dropPredecessor(i)
		d.setConditions(stillInjectedConditions(d.Retained.Message))
		return true
	}
	first := s.Predecessors[0]
	if !d.phase.IsUnbinding() || !d.phase.Accepted && d.in.GoneBlocker(s.Common(), first.ID) != nil { // otherwise the first one is being removed
		d.in.sortPredecessors(d.b, s)
		preferPredecessor(s, d.isRemovable)
		if first = s.Predecessors[0]; !d.isRemovalDue(first) {
			return false
		}
	}
	if held := d.in.GoneBlocker(s.Common(), first.ID); held != nil && held.Reason == v1beta1.ReasonBrokerMoved && catalog.IsRetained(d.b) {
		d.dropPredecessor(0)
		d.setConditions(stillInjectedConditions(d.Retained.Message))
		return true
	}
	d.unbind(first.ID)
	return true
}

// isRemovable reports whether the removal of a predecessor is due and not held.
func (d *decision) isRemovable(p v1beta1.PredecessorBinding) bool {
	return d.isRemovalDue(p) && d.in.GoneBlocker(d.Status.Common(), p.ID) == nil
}

// foreignPredecessor returns the index of the first predecessor that this object may not remove; -1: it may remove all.
func (d *decision) foreignPredecessor() int {
	return slices.IndexFunc(d.Status.Predecessors, func(p v1beta1.PredecessorBinding) bool { return !d.in.OwnsPredecessor(d.b, p.ID) })
}

// dropPredecessor drops a predecessor that this object may not remove from the record, and says that it stays at the broker.
func (d *decision) dropPredecessor(i int) {
	s := &d.Status
	d.RetainedID = s.Predecessors[i].ID
	why := "which this object did not create"
	switch {
	case d.in.FormerClaimants[d.RetainedID].BlocksRemoval() != nil:
		why = "which another object has as well"
	case s.OwnershipUnknown && d.RetainedID == d.b.Spec.ExternalID:
		why = "of which the broker has not confirmed whether this object created it"
	case d.in.OwnsPredecessor(d.b, d.RetainedID):
		why = "which was requested at another address of the broker"
	}
	d.Retained = &rules.Cause{Reason: v1beta1.ReasonRetained, Message: fmt.Sprintf("the binding under the id %q, %s, is left at the broker, and its credentials stay valid", d.RetainedID, why)}
	s.Predecessors = slices.Delete(s.Predecessors, i, i+1)
	operation.ForgetGone(s.Common(), d.RetainedID)
	if d.phase.IsUnbinding() {
		d.phase = bindingphase.Phase{}
		s.Attempts = rules.RefusalOf(s.Attempts)
	}
	d.RequeueAt = d.in.Now
}
