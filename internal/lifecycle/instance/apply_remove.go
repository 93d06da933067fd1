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

package instance

import (
	"cmp"
	"fmt"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

func (ap *application) applyDeprovision() {
	switch ap.answer.Class {
	case osbresult.Done, osbresult.Gone:
		ap.recordRemoved()
	case osbresult.Accepted:
		if ap.isDeleting() {
			ap.beginDeprovision()
		}
		ap.status.OperationStartTime = lifecycle.Timestamp(ap.now) // also of a removal that is repeated past its deadline
		ap.recordAccepted(ap.withRemovalText(lifecycle.ConditionSet{Reason: v1beta1.ReasonDeprovisioning, Message: "The instance is being deprovisioned asynchronously"}))
	case osbresult.Concurrency: // the operation in progress goes on, and may change the plan
		message := "Deprovision call failed: " + ap.describeOutcome()
		ap.scheduleRetry(message)
		ap.setConditions(ap.withRemovalText(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonDeprovisionCallFailed, Message: ap.withNextAttempt(message)}))
	default:
		ap.recordRemovalFailure("Deprovision call failed: " + ap.describeOutcome())
	}
}

// beginDeprovision records the beginning of a deprovisioning.
func (ap *application) beginDeprovision() {
	if ap.phase.isDeprovisioning() {
		return
	}
	s := &ap.status
	if s.InProgressProperties == nil { // otherwise the broker may have either
		s.InProgressProperties = s.ExternalProperties
	}
	ap.phase, s.OperationStartTime = Deprovisioning, lifecycle.Timestamp(ap.now)
}

// withRemovalText adds to conditions why a removal was begun, and how a person releases an object that is being deleted (R8).
func (ap *application) withRemovalText(v lifecycle.ConditionSet) lifecycle.ConditionSet {
	v.Mitigation = lifecycle.MitigationCause(ap.status.Conditions)
	if ap.isDeleting() {
		v.Mitigation = nil
		v.Message += ". " + lifecycle.HowToRelease(ap.si)
	} else if ap.isMitigation() {
		ready := v.Ready
		v = lifecycle.Mitigating(v.Reason, lifecycle.MitigationPrefix+": "+v.Message, ap.status.Attempts, v.Mitigation)
		v.Ready = ready
	}
	return v
}

// recordRemoved records that the broker has confirmed the removal.
func (ap *application) recordRemoved() {
	s := &ap.status
	ap.phase = Removed
	s.ExternalProperties, s.CreatedForUID, s.OwnershipUnknown, s.DashboardURL = nil, "", false, nil
	if ap.isDeleting() {
		ap.setConditions(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonDeprovisionedSuccessfully, Message: "The instance was deprovisioned successfully"})
		return
	}
	s.ExternalID = lifecycle.NextInstanceID(ap.si, ap.call.InstanceID) // a late removal by a former leader may still arrive (R2)
	lifecycle.RecordRemoval(ap.attempts(), ap.si.UID, ap.now)
	ap.setConditions(lifecycle.Mitigated("provisioned", v1beta1.ReasonClusterServiceBrokerReturnedFailure, ap.status.Attempts))
}

// RuleOfDeletion returns why an instance's resource is deleted at its broker.
func RuleOfDeletion(si *v1beta1.ServiceInstance) lifecycle.DeletionRule {
	if si.DeletionTimestamp.IsZero() {
		return lifecycle.OrphanMitigation
	}
	return lifecycle.ObjectDeleted
}

// recordRemovalFailure records a removal that has to be repeated.
func (ap *application) recordRemovalFailure(message string) {
	ap.phase = ap.phase.unaccepted()
	if ap.answer.InstanceUnusable {
		ap.status.Unusable = true
	}
	ap.scheduleRetry(message)
	if ap.answer.Unfit() {
		ap.status.Attempts.Refusals++
	}
	if ap.isDeleting() {
		ap.beginDeprovision()
	}
	ap.setConditions(ap.withStalled(ap.withRemovalText(lifecycle.ConditionSet{Ready: v1beta1.ConditionUnknown, Reason: v1beta1.ReasonDeprovisionCallFailed, Message: ap.withNextAttempt(message)})))
}

func (ap *application) applyPoll() {
	a := ap.answer
	if a.Class == osbresult.Done {
		lifecycle.RecordAnswer(ap.status.Attempts)
	}
	switch {
	case ap.call.Removal && a.Class == osbresult.Gone:
		ap.recordRemoved()
	case ap.call.Removal && a.NotFound(): // it proves nothing; a broker that follows the specification answers the repeated request with 410
		ap.recordRemovalFailure("The broker does not know the operation: " + ap.describeOutcome())
	case a.Class != osbresult.Done:
		ap.recordPollFailure()
	case a.State == osbresult.InProgress && ap.isOverdue():
		ap.recordOverdue()
	case a.State == osbresult.InProgress:
		ap.recordProgress()
	case a.State == osbresult.Succeeded:
		ap.recordOperationSuccess()
	default:
		ap.recordOperationFailure()
	}
}

// recordPollFailure records a poll without a state. It is not counted, which would cost a write each time, unless polls are slow retries.
func (ap *application) recordPollFailure() {
	if ap.answer.Unfit() && ap.call.HasOtherPlans {
		ap.attempts().Refusals++
	}
	if ap.isDeleting() && !ap.call.Removal && lifecycle.IsRemovedWithObject(ap.si) { // the removal is tried instead
		ap.phase = ap.phase.unaccepted()
	}
	v := lifecycle.PollUnanswered(ap.describeOutcome(), ap.isOverdue())
	if ap.answer.Misconfigured() {
		ap.scheduleRetry(v.Message)
		v.Message = ap.withNextAttempt(v.Message)
		v = ap.withStalled(v)
	}
	ap.setConditions(ap.withRemovalText(v))
}

// recordProgress records what the broker says of an operation in progress.
func (ap *application) recordProgress() {
	v := lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse}
	switch {
	case ap.call.Removal:
		v.Reason, v.Message = v1beta1.ReasonDeprovisioning, "The instance is being deprovisioned asynchronously"
	case ap.phase == UpdateAccepted:
		v.Reason, v.Message = v1beta1.ReasonUpdatingInstance, "The instance is being updated asynchronously"
	default:
		v.Reason, v.Message = v1beta1.ReasonProvisioning, "The instance is being provisioned asynchronously"
	}
	v.Message = lifecycle.WithProgress(v.Message, ap.answer.OperationDescription)
	ap.setConditions(ap.withRemovalText(v))
}

func (ap *application) recordOperationSuccess() {
	switch {
	case ap.call.Removal:
		ap.recordRemoved()
	case ap.phase == UpdateAccepted:
		ap.recordSuccess(v1beta1.ReasonInstanceUpdatedSuccessfully, "The instance was updated successfully")
	default:
		message := "The instance was provisioned successfully"
		if ap.status.OwnershipUnknown {
			message += ". " + lifecycle.OwnershipUnknownWhenReady("serviceinstance", ap.si, ap.call.InstanceID)
		}
		ap.recordSuccess(v1beta1.ReasonProvisionedSuccessfully, message)
	}
}

func (ap *application) recordOperationFailure() {
	words := cmp.Or(ap.answer.OperationDescription, "the broker gives no reason")
	switch {
	case ap.call.Removal:
		ap.recordRemovalFailure("Deprovision call failed: " + words)
	case ap.phase == UpdateAccepted:
		ap.recordUpdateFailure("Update call failed: " + words)
	case !ap.call.SeenRunning && ap.call.Owned && !ap.call.Retained: // the operation that has failed may be a later one than the one on record
		ap.phase = Provisioning
		a := ap.attempts()
		if a.Conflict = true; ap.call.Retrievable { // else the repeated request shows whether the instance is there
			a.Unknown++
		}
		ap.recordRetryMessage(v1beta1.ReasonProvisionCallFailed, "Provision call failed: "+words)
	default:
		ap.recordProvisionFailure("Provision call failed: " + words)
	}
}

// recordOverdue ends an operation that is still in progress after its deadline. The broker may still carry it out.
func (ap *application) recordOverdue() {
	words := fmt.Sprintf("it was not finished within %s", ap.call.MaxDuration)
	if ap.phase != UpdateAccepted {
		ap.recordProvisionFailure("Provision call failed: " + words)
		return
	}
	ap.phase = Updating
	ap.recordSlowRetry(v1beta1.ReasonUpdateInstanceCallFailed, "Update call failed: "+words)
	ap.status.Attempts.Unknown = max(ap.status.Attempts.Unknown, 1)
}

// recordProvisionFailure records an asynchronous provisioning that has failed, or is past its deadline.
func (ap *application) recordProvisionFailure(message string) {
	ap.phase = Provisioning
	if !ap.call.Owned || ap.call.Retained {
		ap.recordSlowRetry(v1beta1.ReasonProvisionCallFailed, message)
		return
	}
	ap.attempts().LastTime = lifecycle.Timestamp(ap.now)
	ap.startMitigation(lifecycle.Cause{Reason: v1beta1.ReasonProvisionCallFailed, Message: message})
}
