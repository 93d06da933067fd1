// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"fmt"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

var provision = operation.Change{Name: "Provision", Unanswered: v1beta1.ReasonErrorCallingProvision, Failed: v1beta1.ReasonProvisionCallFailed, Creates: true,
	Running: rules.ConditionSet{Reason: v1beta1.ReasonProvisioning, Message: "The instance is being provisioned asynchronously"}}

// recordProvision records the effect of the answer to a provisioning.
func (ap *application) recordProvision(effect operation.Effect) {
	switch effect.Result {
	case operation.Done:
		ap.recordProvisionDone()
	case operation.Succeeded:
		ap.recordSuccess(v1beta1.ReasonProvisionedSuccessfully, ap.provisionedMessage())
	case operation.Accepted:
		ap.status.OwnershipUnknown = !ap.call.Owned
		ap.recordAccepted(provision.Running)
	case operation.Failed:
		ap.recordProvisionFailure(effect.Message)
	case operation.Overdue:
		ap.endProvisioning(effect.Message)
	case operation.Refused:
		ap.recordRejected(effect.Message)
	case operation.NoEffect:
		if ap.call.NothingAtBroker {
			ap.phase = NotCreated
		}
		ap.setConditions(effect.Conditions)
	default: // it is repeated
		ap.setConditions(effect.Conditions)
	}
}

// recordProvisionDone records that the broker has the instance.
func (ap *application) recordProvisionDone() {
	if !ap.Answer.Created && IsForAnother(ap.si.UID, ap.status.CreatedForUID) { // also after an answer that was lost
		ap.phase = NotCreated
		ap.stopRetrying(v1beta1.ReasonExternalIDInUse, v1beta1.ReasonExternalIDInUse, rules.NotInherited(ap.call.ID))
		return
	}
	message := ap.provisionedMessage()
	switch {
	case ap.Answer.Created:
		ap.status.CreatedForUID, ap.status.OwnershipUnknown = ap.si.UID, false
	case !ap.call.Owned && !ap.call.NothingAtBroker: // an earlier request without an answer on record may have created it
		ap.status.OwnershipUnknown = true
		message = ap.provisionedMessage()
	case !ap.call.Owned:
		message = fmt.Sprintf("The broker already had this resource under the supplied id %q: it is adopted, and is retained when this object is deleted, unless the deletion policy is Delete", ap.call.ID)
	}
	ap.recordSuccess(v1beta1.ReasonProvisionedSuccessfully, message)
}

// provisionedMessage says that the broker has the instance, and whether its deletion waits for a person because the owner is not known.
func (ap *application) provisionedMessage() string {
	const message = "The instance was provisioned successfully"
	if ap.status.OwnershipUnknown {
		return message + ". " + rules.OwnershipUnknownWhenReady("serviceinstance", ap.si, ap.call.ID)
	}
	return message
}

// recordProvisionFailure records an asynchronous provisioning that has failed.
func (ap *application) recordProvisionFailure(message string) {
	if !ap.call.SeenRunning && ap.call.MayMitigate() { // the operation that has failed may be a later one than the one on record
		ap.phase = Provisioning
		ap.setConditions(ap.RetryUnseen(v1beta1.ReasonProvisionCallFailed, message))
		return
	}
	ap.endProvisioning(message)
}

// endProvisioning ends an asynchronous provisioning that has failed, or is past its deadline. The broker may still carry it out.
func (ap *application) endProvisioning(message string) {
	ap.phase = Provisioning
	if !ap.call.MayMitigate() {
		ap.setConditions(ap.RetrySlowly(v1beta1.ReasonProvisionCallFailed, message))
		return
	}
	ap.Attempts().LastTime = times.Timestamp(ap.Now)
	ap.startMitigation(rules.Cause{Reason: v1beta1.ReasonProvisionCallFailed, Message: message})
}

// recordRejected records a refusal. It proves nothing about earlier requests, which may have been carried out.
func (ap *application) recordRejected(message string) {
	ap.stopRetrying(v1beta1.ReasonProvisionCallFailed, v1beta1.ReasonClusterServiceBrokerReturnedFailure, message)
	if ap.call.NothingAtBroker {
		ap.phase = NotCreated
	} else if !ap.ConflictHeld {
		ap.startMitigationIfOwned(rules.Cause{Reason: v1beta1.ReasonProvisionCallFailed, Message: message})
	}
}

// startMitigationIfOwned begins an orphan mitigation where the instance may be removed.
func (ap *application) startMitigationIfOwned(why rules.Cause) {
	if ap.call.MayMitigate() {
		ap.startMitigation(why)
	}
}

// startMitigation begins an orphan mitigation.
func (ap *application) startMitigation(why rules.Cause) {
	ap.phase = Mitigating
	ap.status.OperationStartTime = times.Timestamp(ap.Now)
	a := ap.Attempts()
	if a.Count, a.Misconfigured, a.NextTime = 0, 0, nil; !a.Stopped { // the message of a refusal also says what a person can do
		a.LastError = why.Message
	}
	ap.setConditions(rules.Mitigating(v1beta1.ReasonStartingInstanceOrphanMitigation, rules.MitigationPrefix+": "+why.Message, a, &why))
}
