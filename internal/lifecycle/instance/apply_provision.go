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
	"slices"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

func (ap *application) applyProvision() {
	switch ap.Answer.Class {
	case osbresult.Done:
		if !ap.Answer.Created && IsForAnother(ap.si.UID, ap.status.CreatedForUID) { // also after an answer that was lost
			ap.phase = NotCreated
			ap.stopRetrying(v1beta1.ReasonExternalIDInUse, v1beta1.ReasonExternalIDInUse, lifecycle.NotInherited(ap.call.ID))
			return
		}
		message := "The instance was provisioned successfully"
		switch {
		case ap.Answer.Created:
			ap.status.CreatedForUID, ap.status.OwnershipUnknown = ap.si.UID, false
		case !ap.call.Owned && !ap.status.OwnershipUnknown:
			message = fmt.Sprintf("The broker already had what is asked for, under the id %q that was supplied: it is used, and will be left as it is when this object is deleted, unless its deletion policy is Delete", ap.call.ID)
		}
		ap.recordSuccess(v1beta1.ReasonProvisionedSuccessfully, message)
	case osbresult.Accepted:
		ap.status.OwnershipUnknown = !ap.call.Owned
		ap.recordAccepted(lifecycle.ConditionSet{Reason: v1beta1.ReasonProvisioning, Message: "The instance is being provisioned asynchronously"})
	case osbresult.Unknown, osbresult.Malformed:
		ap.RecordUnknownOutcome("Provision", reasonFor(ap.Answer, v1beta1.ReasonErrorCallingProvision, v1beta1.ReasonProvisionCallFailed))
	case osbresult.Conflict:
		ap.RecordConflict()
	case osbresult.Rejected, osbresult.Gone, osbresult.NeedsAsync, osbresult.NeedsApp:
		ap.recordRejected()
	default: // no effect; the request may be repeated
		ap.MarkNothingSent()
		ap.RecordRetry("Provision", reasonFor(ap.Answer, v1beta1.ReasonErrorCallingProvision, v1beta1.ReasonProvisionCallFailed))
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
func (ap *application) recordRejected() {
	message := "Provision call failed: " + ap.DescribeOutcome()
	ap.stopRetrying(v1beta1.ReasonProvisionCallFailed, v1beta1.ReasonClusterServiceBrokerReturnedFailure, message)
	if ap.call.NothingAtBroker {
		ap.phase = NotCreated
	} else if !ap.IsConflictHeld() {
		ap.startMitigationIfOwned(lifecycle.Cause{Reason: v1beta1.ReasonProvisionCallFailed, Message: message})
	}
}

// MarkNothingSent removes the operation from the record of a request that had no effect.
func (ap *application) MarkNothingSent() {
	if ap.call.NothingAtBroker {
		ap.phase = NotCreated
	}
}

// UseNextID makes the next id that of the instance.
func (ap *application) UseNextID() {
	ap.status.ExternalID = lifecycle.NextInstanceID(ap.si, ap.call.ID)
}

// startMitigationIfOwned begins an orphan mitigation where the instance may be removed.
func (ap *application) startMitigationIfOwned(why lifecycle.Cause) {
	if ap.call.MayMitigate() {
		ap.startMitigation(why)
	}
}

// startMitigation begins an orphan mitigation.
func (ap *application) startMitigation(why lifecycle.Cause) {
	ap.phase = Mitigating
	ap.status.OperationStartTime = lifecycle.Timestamp(ap.Now)
	a := ap.Attempts()
	if a.Count, a.Misconfigured, a.NextTime = 0, 0, nil; !a.Stopped { // the message of a refusal also says what a person can do
		a.LastError = why.Message
	}
	ap.SetConditions(lifecycle.Mitigating(v1beta1.ReasonStartingInstanceOrphanMitigation, lifecycle.MitigationPrefix+": "+why.Message, a, &why))
}

func (ap *application) applyUpdate() {
	ap.status.Unusable = ap.status.Unusable || ap.Answer.InstanceUnusable
	switch ap.Answer.Class {
	case osbresult.Done:
		ap.recordSuccess(v1beta1.ReasonInstanceUpdatedSuccessfully, "The instance was updated successfully")
	case osbresult.Accepted:
		ap.Attempts()
		ap.recordAccepted(lifecycle.ConditionSet{Reason: v1beta1.ReasonUpdatingInstance, Message: "The instance is being updated asynchronously"})
	case osbresult.Rejected, osbresult.Conflict, osbresult.Gone, osbresult.NeedsAsync, osbresult.NeedsApp:
		ap.recordUpdateFailure("Update call failed: " + ap.DescribeOutcome())
	case osbresult.Unknown, osbresult.Malformed:
		ap.RecordUnknownOutcome("Update", reasonFor(ap.Answer, v1beta1.ReasonErrorCallingUpdateInstance, v1beta1.ReasonUpdateInstanceCallFailed))
	default:
		if !ap.call.OutcomeUnknown && !ap.Answer.BrokerFailed() { // no effect
			ap.phase = Provisioned
		}
		ap.RecordRetry("Update", reasonFor(ap.Answer, v1beta1.ReasonErrorCallingUpdateInstance, v1beta1.ReasonUpdateInstanceCallFailed))
	}
}

// recordUpdateFailure records an update that was refused or has failed: the broker has the properties from before.
func (ap *application) recordUpdateFailure(message string) {
	if ap.Answer.UpdateNotRepeatable {
		ap.status.RefusedUpdate = lifecycle.Fingerprint(lifecycle.NonNil(ap.status.InProgressProperties))
	}
	if ap.Answer.InstanceUnusable {
		ap.status.Unusable = true
		message += "; the broker says that the instance cannot be used until it is repaired or deleted"
	}
	if ap.Answer.Class != osbresult.Done || ap.Answer.UpdateNotRepeatable { // refused
		if ap.status.ReconciledGeneration == 0 { // it was adopted, and may be what a failed provisioning has left
			message += fmt.Sprintf("; the broker had this instance under the id %q, and has never confirmed that it was provisioned: if it cannot be used, delete this object, which removes it, and create it again", ap.call.ID)
		}
		ap.stopRetrying(v1beta1.ReasonUpdateInstanceCallFailed, v1beta1.ReasonUpdateInstanceCallFailed, message)
	} else {
		ap.RecordSlowRetry(v1beta1.ReasonUpdateInstanceCallFailed, message)
	}
	if a := ap.Attempts(); a.Unknown > 0 { // an earlier request may have been carried out
		lifecycle.AddPlan(a, lifecycle.PlanID(lifecycle.NonNil(ap.status.InProgressProperties)))
	}
	ap.phase = Provisioned
}

// applyInspection records what the broker has under an id of ours after a conflict. It is removed only as what a request on record, whose
// outcome is not known, has left behind: a record that was restored from a backup does not show what was created later.
func (ap *application) applyInspection() {
	a, found := ap.Attempts(), ap.Answer.Instance
	isLeftover := a.Unknown > 0 && ap.call.Owned && !ap.call.Retained
	why := lifecycle.Cause{Reason: v1beta1.ReasonProvisionCallFailed, Message: "the broker has something else under the id, from an earlier form of the spec"}
	switch class := ap.Answer.Class; {
	case class == osbresult.Gone && !isLeftover: // nothing
		a.Conflict, a.NextTime = false, nil
	case class == osbresult.Done && found != nil && ap.isRequested(found.PlanID):
		ap.adoptExisting(found)
	case class == osbresult.Done && found != nil:
		ap.HoldConflict(fmt.Sprintf("an instance of the plan with id %q, and it is taken over where the spec names this plan", found.PlanID))
		ap.status.InProgressProperties = lifecycle.WithPlanID(*ap.call.Properties, found.PlanID) // a removal names this plan
	case class == osbresult.Done && ap.Answer.State == osbresult.InProgress, class == osbresult.Retry, ap.Answer.Misconfigured(), class == osbresult.Concurrency, class == osbresult.NeedsCatalog,
		ap.call.Retrievable && class != osbresult.Done && class != osbresult.Gone: // a refusal to fetch it proves nothing
		ap.RecordRetry("Provision", v1beta1.ReasonConflict)
	case !isLeftover, class == osbresult.Done && ap.Answer.State == osbresult.Succeeded:
		ap.HoldConflict("an instance with other properties, which cannot be fetched: " + cmp.Or(ap.Answer.OperationDescription, "its last operation: "+cmp.Or(string(ap.Answer.State), ap.DescribeOutcome())))
	default:
		a.Conflict = false
		ap.startMitigation(why)
	}
}

// isRequested reports whether one of the requests on record, or the present one, is for a plan. A broker need not tell the plan.
func (ap *application) isRequested(plan string) bool {
	if plan == "" || plan == lifecycle.PlanID(ap.call.Properties) {
		return ap.call.Owned
	}
	return ap.call.Owned && ap.status.Attempts.Unknown > 0 && slices.Contains(RecordedPlans(&ap.status), plan)
}

// adoptExisting records the broker's instance as this object's: an earlier form of the spec created it. An update follows.
func (ap *application) adoptExisting(instance *osbresult.Instance) {
	s := &ap.status
	found := *ap.call.Properties
	if instance.PlanID != "" && instance.PlanID != lifecycle.PlanID(&found) {
		found = *lifecycle.WithPlanID(found, instance.PlanID)
	}
	found.Parameters, found.ParameterChecksum, found.ParametersVersion, found.ParametersDigest = nil, "", "", ""
	found.MaintenanceVersion = instance.MaintenanceVersion
	s.ExternalProperties, s.InProgressProperties, s.OperationStartTime, s.Attempts = &found, nil, nil, nil
	ap.phase = Updating // with an unknown outcome, so that everything is sent
	ap.SetConditions(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonUpdateInstanceRequestInFlight, Message: "The broker has an instance of an earlier form of the spec, which is being updated"})
}
