// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"fmt"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
	"github.com/gophernetes/bellhop/internal/servicecatalog/instancerules"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// creation is the creation of a binding, which is the only change that brokers know.
var creation = operation.Change{Name: "Bind", Unanswered: v1beta1.ReasonBindCallFailed, Failed: v1beta1.ReasonBindCallFailed, Creates: true,
	Running: rules.ConditionSet{Reason: v1beta1.ReasonBinding, Message: "The binding is being created asynchronously"}}

// recordBind records the effect of the answer to a bind request.
func (ap *application) recordBind(effect operation.Effect) {
	switch effect.Result {
	case operation.Done:
		ap.recordBindDone()
	case operation.Succeeded:
		ap.recordBound()
	case operation.Accepted:
		ap.recordBindAccepted()
	case operation.Failed, operation.Overdue:
		ap.recordBindFailure(effect)
	case operation.Refused:
		ap.recordRejected(effect.Message)
	case operation.Kept:
		ap.revert(effect.Message)
	case operation.LeftOver:
		ap.startMitigation(rules.Cause{Reason: v1beta1.ReasonBindCallFailed, Message: effect.Message})
	case operation.NoEffect:
		ap.markNothingSent()
		ap.setConditions(effect.Conditions)
	default: // it is repeated
		ap.setConditions(effect.Conditions)
	}
}

func (ap *application) recordBindAccepted() {
	if ap.call.ID == ap.b.Spec.ExternalID {
		ap.status.OwnershipUnknown = !ap.call.Owned
	}
	task := ap.phase.Task
	if !ap.phase.Creates() {
		task = bindingphase.Binding
	}
	ap.recordAccepted(task, creation.Running)
	if ap.status.InProgressProperties == nil {
		ap.status.InProgressProperties = ap.call.Properties
	}
}

// recordBindDone records that the broker has the binding.
func (ap *application) recordBindDone() {
	s := &ap.status
	if !ap.Answer.Binding.Created && ap.call.ID == ap.b.Spec.ExternalID && instancerules.IsForAnother(ap.b.UID, s.CreatedForUID) { // also after an answer that was lost
		s.UnbindStatus = v1beta1.UnbindNotRequired
		ap.phase = bindingphase.Phase{}
		ap.stopRetrying(v1beta1.ReasonExternalIDInUse, rules.NotInherited(ap.call.ID))
		return
	}
	switch isSupplied := ap.call.ID == ap.b.Spec.ExternalID; {
	case isSupplied && ap.Answer.Binding.Created:
		s.CreatedForUID, s.OwnershipUnknown = ap.b.UID, false
	case isSupplied && !bindingphase.IsBound(s) && !ap.call.Owned && !ap.call.NothingAtBroker: // an earlier request may have created it
		s.OwnershipUnknown = true
	}
	if found := ap.Answer.Binding; ap.call.Replaces && ap.call.NothingAtBroker && !found.Created && found.Credentials == nil {
		ap.revert(fmt.Sprintf("the broker already had a binding under the id %q, created for example after the backup of this object, and does not return its credentials: the binding is retained", ap.call.ID))
		return
	}
	if kind := ap.Answer.Binding.Unsupported(); kind != "" && !ap.call.Repeat {
		message := "the broker answered with " + kind + ", which Kubernetes cannot provide"
		ap.stopRetrying(v1beta1.ReasonUnsupportedBinding, message)
		ap.startMitigation(rules.Cause{Reason: v1beta1.ReasonUnsupportedBinding, Message: message})
		return
	}
	ap.recordBound()
}

// recordBound records a binding that the broker has confirmed. It is Ready once its credentials are in the Secret.
func (ap *application) recordBound() {
	s := &ap.status
	s.UnbindStatus = v1beta1.UnbindRequired
	if ap.phase.IsReplacement() {
		ap.phase.Accepted = false
		ap.Attempts().NextTime = nil
		ap.setConditions(undelivered)
		return
	}
	found := ap.Answer.Binding
	bringsNothing := bindingphase.IsBound(s) && !ap.call.Recheck && (found == nil || found.Credentials == nil)
	if ap.call.Properties != nil {
		s.ExternalProperties = ap.call.Properties
	} else if s.InProgressProperties != nil {
		s.ExternalProperties = s.InProgressProperties
	}
	ap.phase = bindingphase.Phase{}
	if bringsNothing && s.Attempts != nil { // so that the failures before it count on, and a refusal stays one (R12)
		s.Attempts.NextTime = nil
	} else {
		s.Attempts = rules.RemovalOf(s.Attempts)
	}
	if !ap.call.Repeat {
		s.ReconciledGeneration = 0
	}
	if found != nil && (!ap.call.Repeat || hasExpiry(found)) {
		recordExpiry(s, found, ap.Now, ap.call.server)
	}
	ap.setConditions(undelivered)
}

// undelivered returns the conditions of a binding whose credentials are not in its Secret yet.
var undelivered = rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonBinding, Message: "The broker has the binding; its credentials are not in the Secret yet"}

// recordRejected records a refusal. It proves nothing about earlier requests, which may have been carried out.
func (ap *application) recordRejected(message string) {
	s := &ap.status
	if ap.Answer.Class == osbresult.NeedsAsync {
		message = ap.DescribeHeld() + "Bind call failed: the broker creates bindings only asynchronously, and its catalog does not set bindings_retrievable, so the credentials could not be fetched: " + ap.DescribeOutcome()
	}
	switch {
	case ap.phase.IsReplacement() && ap.call.MayBeFetched(): // after a restore of the status it may be the binding that was Ready
		ap.setConditions(ap.RetryByFetch(message))
		return
	case ap.phase.Task == bindingphase.Rotating: // the broker may refuse the predecessor only: a plain bind follows
		if ap.call.NothingAtBroker {
			ap.phase.Task, s.InProgressProperties, ap.Attempts().NextTime = bindingphase.Replacing, nil, nil
			ap.setConditions(rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonBindCallFailed, Message: message + "; another binding is requested instead"})
			return
		}
	case ap.phase.IsReplacement():
		ap.Stop(message)
	default:
		ap.stopRetryingAs(v1beta1.ReasonBindCallFailed, v1beta1.ReasonServiceBindingReturnedFailure, message+"; it is not retried any more"+untilAsked)
	}
	if ap.ConflictHeld {
		return
	}
	if !ap.call.NothingAtBroker {
		ap.startMitigation(rules.Cause{Reason: v1beta1.ReasonBindCallFailed, Message: message})
	} else if ap.phase.IsReplacement() {
		ap.revert(message)
	} else {
		ap.markNothingSent()
	}
}

// startMitigation begins an orphan mitigation where the binding may be removed.
func (ap *application) startMitigation(why rules.Cause) {
	switch replaces := ap.phase.IsReplacement(); {
	case replaces && !ap.call.MayMitigate():
		ap.phase.Accepted = false
		return
	case !replaces && (bindingphase.IsBound(&ap.status) || !ap.call.MayMitigate()):
		ap.phase = bindingphase.Phase{}
		return
	}
	ap.phase = ap.phase.Mitigation()
	ap.status.OperationStartTime = times.Timestamp(ap.Now)
	a := ap.Attempts()
	if a.Misconfigured, a.NextTime = 0, nil; !a.Stopped { // the message of a refusal also says what a person can do
		a.LastError = why.Message
	}
	ap.setConditions(mitigatingConditions(why.Message, a))
}

// markNothingSent removes the operation from the record of a request that had no effect.
func (ap *application) markNothingSent() {
	switch {
	case !ap.call.NothingAtBroker:
	case ap.phase.IsReplacement(): // the next request is the first one
		ap.status.InProgressProperties = nil
	default:
		ap.status.UnbindStatus = v1beta1.UnbindNotRequired
		ap.phase = bindingphase.Phase{}
	}
}

// revert ends a replacement without a successor, and schedules the next attempt. After a refusal there is no next attempt (R12).
func (ap *application) revert(message string) {
	if !ap.Attempts().Stopped {
		ap.ScheduleRetry(message)
		message = ap.WithNextAttempt(message)
	}
	ap.revertAfter(message)
}

// revertAfter ends a replacement without a successor, whose next attempt is scheduled: the predecessor stays the binding.
func (ap *application) revertAfter(message string) {
	s := &ap.status
	reinstatePredecessor(ap.b, s)
	a := ap.Attempts()
	a.Unknown, a.Conflict = 0, false
	s.UnbindStatus = v1beta1.UnbindRequired
	ap.phase = bindingphase.Phase{}
	switch {
	case a.Stopped:
		recordRebindHandled(s)
		ap.setConditions(deliveredConditions(ap.b, s, bindingphase.IsDelivered(s)))
	case bindingphase.IsDelivered(s):
		ap.setConditions(stillInjectedConditions("replacing them failed: " + message))
	default:
		ap.setConditions(rules.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonBindCallFailed, Message: message})
	}
}

// recordBindFailure records an asynchronous creation that has failed, or is past its deadline.
func (ap *application) recordBindFailure(effect operation.Effect) {
	message := effect.Message
	isUnseen := !ap.call.SeenRunning && effect.Result == operation.Failed // the operation that has failed may be a later one than the one on record
	switch s := &ap.status; {
	case ap.phase.IsReplacement() && isUnseen:
		ap.phase.Accepted = false
		if ap.call.Retrievable {
			ap.setConditions(ap.RetryByFetch(message))
		} else { // the repeated request shows whether the broker has it
			ap.setConditions(ap.Retry(v1beta1.ReasonBindCallFailed, message))
		}
	case ap.phase.IsReplacement():
		ap.startMitigation(rules.Cause{Reason: v1beta1.ReasonBindCallFailed, Message: message})
	case bindingphase.IsBound(s): // an existing binding was requested again
		ap.phase = bindingphase.Phase{}
		ap.setConditions(ap.Retry(v1beta1.ReasonBindCallFailed, message))
	case ap.call.MayMitigate() && isUnseen:
		ap.phase = bindingphase.Phase{Task: bindingphase.Binding}
		ap.setConditions(ap.RetryUnseen(v1beta1.ReasonBindCallFailed, message))
	case ap.call.MayMitigate():
		ap.Attempts().LastTime = times.Timestamp(ap.Now)
		ap.startMitigation(rules.Cause{Reason: v1beta1.ReasonBindCallFailed, Message: message})
	default: // nothing is removed, and the request is repeated
		ap.phase = bindingphase.Phase{}
		ap.setConditions(ap.RetrySlowly(v1beta1.ReasonBindCallFailed, message))
	}
}
