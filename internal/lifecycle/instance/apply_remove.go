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

func (f *application) applyDeprovision() {
	switch f.answer.Class {
	case osbresult.Done, osbresult.Gone:
		f.recordRemoved()
	case osbresult.Accepted:
		if f.isDeleting() {
			f.beginDeprovision()
		}
		f.status.OperationStartTime = lifecycle.Timestamp(f.now) // also of a removal that is repeated past its deadline
		f.recordAccepted(f.withRemovalText(lifecycle.ConditionSet{Reason: v1beta1.ReasonDeprovisioning, Message: "The instance is being deprovisioned asynchronously"}))
	case osbresult.Concurrency: // the operation in progress goes on, and may change the plan
		message := "Deprovision call failed: " + f.describeOutcome()
		f.scheduleRetry(message)
		f.setConditions(f.withRemovalText(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonDeprovisionCallFailed, Message: f.withNextAttempt(message)}))
	default:
		f.recordRemovalFailure("Deprovision call failed: " + f.describeOutcome())
	}
}

// beginDeprovision records the beginning of a deprovisioning.
func (f *application) beginDeprovision() {
	if f.phase.isDeprovisioning() {
		return
	}
	s := &f.status
	if s.InProgressProperties == nil { // otherwise the broker may have either
		s.InProgressProperties = s.ExternalProperties
	}
	f.phase, s.OperationStartTime = Deprovisioning, lifecycle.Timestamp(f.now)
}

// withRemovalText adds to conditions why a removal was begun, and how a person releases an object that is being deleted (R8).
func (f *application) withRemovalText(v lifecycle.ConditionSet) lifecycle.ConditionSet {
	v.Mitigation = lifecycle.MitigationCause(f.status.Conditions)
	if f.isDeleting() {
		v.Mitigation = nil
		v.Message += ". " + lifecycle.HowToRelease(f.si)
	} else if f.isMitigation() {
		ready := v.Ready
		v = lifecycle.Mitigating(v.Reason, lifecycle.MitigationPrefix+": "+v.Message, f.status.Attempts, v.Mitigation)
		v.Ready = ready
	}
	return v
}

// recordRemoved records that the broker has confirmed the removal.
func (f *application) recordRemoved() {
	s := &f.status
	f.phase = Removed
	s.ExternalProperties, s.CreatedForUID, s.DashboardURL = nil, "", nil
	if f.isDeleting() {
		f.setConditions(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonDeprovisionedSuccessfully, Message: "The instance was deprovisioned successfully"})
		return
	}
	s.ExternalID = lifecycle.NextInstanceID(f.si, f.call.InstanceID) // a late removal by a former leader may still arrive (R2)
	lifecycle.RecordRemoval(f.attempts(), f.si.UID, f.now)
	f.setConditions(lifecycle.Mitigated("provisioned", v1beta1.ReasonClusterServiceBrokerReturnedFailure, f.status.Attempts))
}

// recordRemovalFailure records a removal that has to be repeated.
func (f *application) recordRemovalFailure(message string) {
	f.phase = f.phase.unaccepted()
	if f.answer.InstanceUnusable {
		f.status.Unusable = true
	}
	f.scheduleRetry(message)
	if f.answer.Unfit() {
		f.status.Attempts.Refusals++
	}
	if f.isDeleting() {
		f.beginDeprovision()
	}
	f.setConditions(f.withStalled(f.withRemovalText(lifecycle.ConditionSet{Ready: v1beta1.ConditionUnknown, Reason: v1beta1.ReasonDeprovisionCallFailed, Message: f.withNextAttempt(message)})))
}

func (f *application) applyPoll() {
	a := f.answer
	if a.Class == osbresult.Done {
		lifecycle.RecordAnswer(f.status.Attempts)
	}
	switch {
	case f.call.Removal && a.Class == osbresult.Gone:
		f.recordRemoved()
	case f.call.Removal && a.NotFound(): // it proves nothing; a broker that follows the specification answers the repeated request with 410
		f.recordRemovalFailure("The broker does not know the operation: " + f.describeOutcome())
	case a.Class != osbresult.Done:
		f.recordPollFailure()
	case a.State == osbresult.InProgress && f.isOverdue():
		f.recordOverdue()
	case a.State == osbresult.InProgress:
		f.recordProgress()
	case a.State == osbresult.Succeeded:
		f.recordOperationSuccess()
	default:
		f.recordOperationFailure()
	}
}

// recordPollFailure records a poll without a state. It is not counted, which would cost a write each time, unless polls are slow retries.
func (f *application) recordPollFailure() {
	if f.answer.Unfit() && f.call.HasOtherPlans {
		f.attempts().Refusals++
	}
	if f.isDeleting() && !f.call.Removal { // the removal is tried instead
		f.phase = f.phase.unaccepted()
	}
	v := lifecycle.PollUnanswered(f.describeOutcome(), f.isOverdue())
	if f.answer.Misconfigured() {
		f.scheduleRetry(v.Message)
		v.Message = f.withNextAttempt(v.Message)
		v = f.withStalled(v)
	}
	f.setConditions(f.withRemovalText(v))
}

// recordProgress records what the broker says of an operation in progress.
func (f *application) recordProgress() {
	v := lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse}
	switch {
	case f.call.Removal:
		v.Reason, v.Message = v1beta1.ReasonDeprovisioning, "The instance is being deprovisioned asynchronously"
	case f.phase == UpdateAccepted:
		v.Reason, v.Message = v1beta1.ReasonUpdatingInstance, "The instance is being updated asynchronously"
	default:
		v.Reason, v.Message = v1beta1.ReasonProvisioning, "The instance is being provisioned asynchronously"
	}
	v.Message = lifecycle.WithProgress(v.Message, f.answer.OperationDescription)
	f.setConditions(f.withRemovalText(v))
}

func (f *application) recordOperationSuccess() {
	switch {
	case f.call.Removal:
		f.recordRemoved()
	case f.phase == UpdateAccepted:
		f.recordSuccess(v1beta1.ReasonInstanceUpdatedSuccessfully, "The instance was updated successfully")
	default:
		f.status.CreatedForUID = f.si.UID
		f.recordSuccess(v1beta1.ReasonProvisionedSuccessfully, "The instance was provisioned successfully")
	}
}

func (f *application) recordOperationFailure() {
	words := cmp.Or(f.answer.OperationDescription, "the broker gives no reason")
	switch {
	case f.call.Removal:
		f.recordRemovalFailure("Deprovision call failed: " + words)
	case f.phase == UpdateAccepted:
		f.recordUpdateFailure("Update call failed: " + words)
	default:
		f.recordProvisionFailure("Provision call failed: " + words)
	}
}

// recordOverdue ends an operation that is still in progress after its deadline. The broker may still carry it out.
func (f *application) recordOverdue() {
	words := fmt.Sprintf("it was not finished within %s", f.call.MaxDuration)
	if f.phase != UpdateAccepted {
		f.recordProvisionFailure("Provision call failed: " + words)
		return
	}
	f.phase = Updating
	f.recordSlowRetry(v1beta1.ReasonUpdateInstanceCallFailed, "Update call failed: "+words)
	f.status.Attempts.Unknown = max(f.status.Attempts.Unknown, 1)
}

// recordProvisionFailure records an asynchronous provisioning that has failed, or is past its deadline.
func (f *application) recordProvisionFailure(message string) {
	f.phase = Provisioning
	if !f.call.Owned || f.call.Retained {
		f.recordSlowRetry(v1beta1.ReasonProvisionCallFailed, message)
		return
	}
	f.attempts().LastTime = lifecycle.Timestamp(f.now)
	f.startMitigation(lifecycle.Cause{Reason: v1beta1.ReasonProvisionCallFailed, Message: message})
}
