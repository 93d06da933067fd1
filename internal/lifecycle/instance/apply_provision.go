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
	"fmt"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

func (f *application) applyProvision() {
	switch f.answer.Class {
	case osbresult.Done:
		if !f.answer.Created && f.call.NothingAtBroker && IsForAnother(f.si.UID, f.status.CreatedForUID) {
			f.markNothingSent()
			f.stopRetrying(v1beta1.ReasonExternalIDInUse, v1beta1.ReasonExternalIDInUse, lifecycle.NotInherited(f.call.InstanceID))
			return
		}
		message := "The instance was provisioned successfully"
		switch {
		case f.answer.Created:
			f.status.CreatedForUID = f.si.UID
		case !f.call.Owned:
			message = fmt.Sprintf("The broker already had what is asked for, under the id %q that was supplied: it is used, and will be left as it is when this object is deleted, unless its deletion policy is Delete", f.call.InstanceID)
		}
		f.recordSuccess(v1beta1.ReasonProvisionedSuccessfully, message)
	case osbresult.Accepted:
		f.recordAccepted(lifecycle.ConditionSet{Reason: v1beta1.ReasonProvisioning, Message: "The instance is being provisioned asynchronously"})
	case osbresult.Unknown, osbresult.Malformed:
		f.recordUnknownOutcome("Provision", reasonFor(f.answer, v1beta1.ReasonErrorCallingProvision, v1beta1.ReasonProvisionCallFailed))
	case osbresult.Conflict:
		f.recordConflict()
	case osbresult.Rejected, osbresult.Gone, osbresult.NeedsAsync, osbresult.NeedsApp:
		f.recordRejected()
	default: // no effect; the request may be repeated
		f.markNothingSent()
		f.recordRetry("Provision", reasonFor(f.answer, v1beta1.ReasonErrorCallingProvision, v1beta1.ReasonProvisionCallFailed))
	}
}

// reasonFor returns the reason for a request without an answer, or for one that was answered.
func reasonFor(a Answer, unanswered, answered string) string {
	if a.Status == 0 {
		return unanswered
	}
	return answered
}

// recordRejected records a refusal. It proves nothing about earlier requests, which may have been carried out.
func (f *application) recordRejected() {
	message := "Provision call failed: " + f.describeOutcome()
	f.stopRetrying(v1beta1.ReasonProvisionCallFailed, v1beta1.ReasonClusterServiceBrokerReturnedFailure, message)
	if f.call.NothingAtBroker {
		f.phase = NotCreated
	} else {
		f.startMitigationIfOwned(lifecycle.Cause{Reason: v1beta1.ReasonProvisionCallFailed, Message: message})
	}
}

// markNothingSent removes the operation from the record of a request that had no effect.
func (f *application) markNothingSent() {
	if f.call.NothingAtBroker {
		f.phase = NotCreated
	}
}

// recordConflict records that the broker has another instance under the id.
func (f *application) recordConflict() {
	a := f.attempts()
	switch {
	case !f.call.Owned:
		f.markNothingSent()
		f.recordRetryMessage(v1beta1.ReasonProvisionCallFailed, fmt.Sprintf("the broker has another service instance under the id %q, which was supplied: %s", f.call.InstanceID, f.describeOutcome()))
	case f.call.NothingAtBroker && a.Removals > 0: // the broker does not accept the id again after its removal
		f.status.ExternalID = lifecycle.NextInstanceID(f.si, f.call.InstanceID)
		f.markNothingSent()
		f.recordRetry("Provision", v1beta1.ReasonProvisionCallFailed)
	default: // one of our requests with other properties was carried out
		a.Conflict = true
		a.Unknown++
		f.recordRetry("Provision", v1beta1.ReasonProvisionCallFailed)
	}
}

// startMitigationIfOwned begins an orphan mitigation where the instance may be removed.
func (f *application) startMitigationIfOwned(why lifecycle.Cause) {
	if f.call.Owned && !f.call.Retained {
		f.startMitigation(why)
	}
}

// startMitigation begins an orphan mitigation.
func (f *application) startMitigation(why lifecycle.Cause) {
	f.phase = Mitigating
	f.status.OperationStartTime = lifecycle.Timestamp(f.now)
	a := f.attempts()
	if a.Count, a.Misconfigured, a.NextTime = 0, 0, nil; !a.Stopped { // the message of a refusal also says what a person can do
		a.LastError = why.Message
	}
	f.setConditions(lifecycle.Mitigating(v1beta1.ReasonStartingInstanceOrphanMitigation, lifecycle.MitigationPrefix+": "+why.Message, a, &why))
}

func (f *application) applyUpdate() {
	f.status.Unusable = f.status.Unusable || f.answer.InstanceUnusable
	switch f.answer.Class {
	case osbresult.Done:
		f.recordSuccess(v1beta1.ReasonInstanceUpdatedSuccessfully, "The instance was updated successfully")
	case osbresult.Accepted:
		f.attempts()
		f.recordAccepted(lifecycle.ConditionSet{Reason: v1beta1.ReasonUpdatingInstance, Message: "The instance is being updated asynchronously"})
	case osbresult.Rejected, osbresult.Conflict, osbresult.Gone, osbresult.NeedsAsync, osbresult.NeedsApp:
		f.recordUpdateFailure("Update call failed: " + f.describeOutcome())
	case osbresult.Unknown, osbresult.Malformed:
		f.recordUnknownOutcome("Update", reasonFor(f.answer, v1beta1.ReasonErrorCallingUpdateInstance, v1beta1.ReasonUpdateInstanceCallFailed))
	default:
		if !f.call.OutcomeUnknown && !f.answer.BrokerFailed() { // no effect
			f.phase = Provisioned
		}
		f.recordRetry("Update", reasonFor(f.answer, v1beta1.ReasonErrorCallingUpdateInstance, v1beta1.ReasonUpdateInstanceCallFailed))
	}
}

// recordUpdateFailure records an update that was refused or has failed: the broker has the properties from before.
func (f *application) recordUpdateFailure(message string) {
	if f.answer.UpdateNotRepeatable {
		f.status.RefusedUpdate = lifecycle.Fingerprint(lifecycle.NonNil(f.status.InProgressProperties))
	}
	if f.answer.InstanceUnusable {
		f.status.Unusable = true
		message += "; the broker says that the instance cannot be used until it is repaired or deleted"
	}
	if f.answer.Class != osbresult.Done || f.answer.UpdateNotRepeatable { // refused
		f.stopRetrying(v1beta1.ReasonUpdateInstanceCallFailed, v1beta1.ReasonUpdateInstanceCallFailed, message)
	} else {
		f.recordSlowRetry(v1beta1.ReasonUpdateInstanceCallFailed, message)
	}
	if a := f.attempts(); a.Unknown > 0 { // an earlier request may have been carried out
		lifecycle.AddPlan(a, lifecycle.PlanID(lifecycle.NonNil(f.status.InProgressProperties)))
	}
	f.phase = Provisioned
}

// applyInspection records what the broker has under an id of ours after a conflict.
func (f *application) applyInspection() {
	a := f.attempts()
	why := lifecycle.Cause{Reason: v1beta1.ReasonProvisionCallFailed, Message: "the broker has something else under the id, from an earlier form of the spec"}
	switch found := f.answer.Instance; {
	case f.answer.Class == osbresult.Gone: // nothing
		a.Conflict, a.NextTime = false, nil
	case f.answer.Class == osbresult.Done && found != nil && found.PlanID != "" && found.PlanID == lifecycle.PlanID(f.call.Properties):
		f.adoptExisting()
	case f.answer.Class == osbresult.Done && f.answer.State == osbresult.InProgress, f.answer.Class == osbresult.Retry, f.answer.Misconfigured(), f.answer.Class == osbresult.Concurrency, f.answer.Class == osbresult.NeedsCatalog:
		f.recordRetry("Provision", v1beta1.ReasonProvisionCallFailed)
	case f.answer.Class == osbresult.Done && found != nil && found.PlanID != "" && !f.call.Retained: // the removal names this plan
		f.status.InProgressProperties = lifecycle.WithPlanID(*f.call.Properties, found.PlanID)
		f.startMitigation(why)
	case f.call.Retained:
		f.stopRetrying(why.Reason, v1beta1.ReasonClusterServiceBrokerReturnedFailure, why.Message+"; it is left there, as the deletion policy is Retain")
	default:
		f.startMitigation(why)
	}
}

// adoptExisting records the broker's instance as this object's: an earlier form of the spec created it. An update follows.
func (f *application) adoptExisting() {
	s := &f.status
	found := *f.call.Properties
	found.Parameters, found.ParameterChecksum, found.ParametersVersion = nil, "", ""
	found.MaintenanceVersion = f.answer.Instance.MaintenanceVersion
	s.ExternalProperties, s.InProgressProperties, s.OperationStartTime, s.Attempts = &found, nil, nil, nil
	f.phase = Updating // with an unknown outcome, so that everything is sent
	f.setConditions(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonUpdateInstanceRequestInFlight, Message: "The broker has an instance of an earlier form of the spec, which is being updated"})
}
