// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"fmt"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

var update = operation.Change{Name: "Update", Unanswered: v1beta1.ReasonErrorCallingUpdateInstance, Failed: v1beta1.ReasonUpdateInstanceCallFailed,
	Running: rules.ConditionSet{Reason: v1beta1.ReasonUpdatingInstance, Message: "The instance is being updated asynchronously"}}

// recordUpdate records the effect of the answer to an update.
func (ap *application) recordUpdate(effect operation.Effect) {
	switch effect.Result {
	case operation.Done, operation.Succeeded:
		ap.recordSuccess(v1beta1.ReasonInstanceUpdatedSuccessfully, "The instance was updated successfully")
	case operation.Accepted:
		ap.Attempts()
		ap.recordAccepted(update.Running)
	case operation.Failed, operation.Refused:
		ap.recordUpdateFailure(effect.Message)
	case operation.Overdue: // the broker may still carry it out
		ap.phase = Updating
		ap.setConditions(ap.RetrySlowly(v1beta1.ReasonUpdateInstanceCallFailed, effect.Message))
		ap.status.Attempts.Unknown = max(ap.status.Attempts.Unknown, 1)
	case operation.NoEffect:
		if !ap.call.OutcomeUnknown && !ap.Answer.BrokerFailed() { // otherwise an earlier one may have had one
			ap.phase = Provisioned
		}
		ap.setConditions(effect.Conditions)
	default: // it is repeated
		ap.setConditions(effect.Conditions)
	}
}

// recordUpdateFailure records an update that was refused or has failed: the broker has the properties from before.
func (ap *application) recordUpdateFailure(message string) {
	if ap.Answer.UpdateNotRepeatable {
		ap.status.RefusedUpdate = rules.Fingerprint(rules.NonNil(ap.status.InProgressProperties))
	}
	if ap.Answer.InstanceUnusable {
		ap.status.Unusable = true
		message += "; the broker says that the instance cannot be used until it is repaired or deleted"
	}
	if ap.Answer.Class != osbresult.Done || ap.Answer.UpdateNotRepeatable { // refused
		if ap.status.ReconciledGeneration == 0 { // it was adopted, and a failed provisioning may have left it
			message += fmt.Sprintf("; the broker had this instance under the id %q, and has never confirmed that it was provisioned: if it cannot be used, delete this object, which removes it, and create it again", ap.call.ID)
		}
		ap.stopRetrying(v1beta1.ReasonUpdateInstanceCallFailed, v1beta1.ReasonUpdateInstanceCallFailed, message)
	} else {
		ap.setConditions(ap.RetrySlowly(v1beta1.ReasonUpdateInstanceCallFailed, message))
	}
	if a := ap.Attempts(); a.Unknown > 0 { // an earlier request may have been carried out
		rules.AddPlan(&a.CandidatePlans, rules.PlanID(rules.NonNil(ap.status.InProgressProperties)))
	}
	ap.phase = Provisioned
}
