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

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

func (f *instanceFold) provision() {
	switch f.answer.Class {
	case osbresult.Done:
		if !f.answer.created && f.call.clean && isForAnother(f.si.UID, f.status.CreatedForUID) {
			f.undo()
			f.stop(v1beta1.ReasonExternalIDInUse, v1beta1.ReasonExternalIDInUse, notInherited(f.call.id))
			return
		}
		message := "The instance was provisioned successfully"
		switch {
		case f.answer.created:
			f.status.CreatedForUID = f.si.UID
		case !f.call.owned:
			message = fmt.Sprintf("The broker already had what is asked for, under the id %q that was supplied: it is used, and will be left as it is when this object is deleted, unless its deletion policy is Delete", f.call.id)
		}
		f.succeed(v1beta1.ReasonProvisionedSuccessfully, message)
	case osbresult.Accepted:
		f.accept(verdict{reason: v1beta1.ReasonProvisioning, message: "The instance is being provisioned asynchronously"})
	case osbresult.Unknown, osbresult.Malformed:
		f.unsure("Provision", callReason(f.answer, v1beta1.ReasonErrorCallingProvision, v1beta1.ReasonProvisionCallFailed))
	case osbresult.Conflict:
		f.conflict()
	case osbresult.Rejected, osbresult.Gone, osbresult.NeedsAsync, osbresult.NeedsApp:
		f.rejected()
	default: // no effect; the request may be repeated
		f.undo()
		f.again("Provision", callReason(f.answer, v1beta1.ReasonErrorCallingProvision, v1beta1.ReasonProvisionCallFailed))
	}
}

// callReason returns the reason for a request without an answer, or for one that was answered.
func callReason(a answer, unanswered, answered string) string {
	if a.Status == 0 {
		return unanswered
	}
	return answered
}

// rejected records a refusal. It proves nothing about earlier requests, which may have been carried out.
func (f *instanceFold) rejected() {
	message := "Provision call failed: " + f.words()
	f.stop(v1beta1.ReasonProvisionCallFailed, v1beta1.ReasonClusterServiceBrokerReturnedFailure, message)
	if f.call.clean {
		f.status.DeprovisionStatus = v1beta1.DeprovisionNotRequired
		f.end()
	} else {
		f.mayStartMitigation(word{v1beta1.ReasonProvisionCallFailed, message})
	}
}

// undo removes the operation from the record of a request that had no effect.
func (f *instanceFold) undo() {
	if f.call.clean {
		f.status.DeprovisionStatus = v1beta1.DeprovisionNotRequired
		f.end()
	}
}

// conflict records that the broker has another instance under the id.
func (f *instanceFold) conflict() {
	a := f.attempts()
	switch {
	case !f.call.owned:
		f.undo()
		f.repeat(v1beta1.ReasonProvisionCallFailed, fmt.Sprintf("the broker has another service instance under the id %q, which was supplied: %s", f.call.id, f.words()))
	case f.call.clean && a.Removals > 0: // the broker does not accept the id again after its removal
		f.status.ExternalID = nextInstanceID(f.si, f.call.id)
		f.undo()
		f.again("Provision", v1beta1.ReasonProvisionCallFailed)
	default: // one of our requests with other properties was carried out
		a.Conflict = true
		a.Unknown++
		f.again("Provision", v1beta1.ReasonProvisionCallFailed)
	}
}

// mayStartMitigation begins an orphan mitigation where the instance may be removed.
func (f *instanceFold) mayStartMitigation(why word) {
	if f.call.owned && !f.call.kept {
		f.startMitigation(why)
	}
}

// startMitigation begins an orphan mitigation.
func (f *instanceFold) startMitigation(why word) {
	f.status.OrphanMitigationInProgress = true
	f.status.AsyncOpInProgress, f.status.LastOperation = false, nil
	f.status.OperationStartTime = timeOf(f.now)
	a := f.attempts()
	if a.Count, a.Misconfigured, a.NextTime = 0, 0, nil; !a.Stopped { // the message of a refusal also says what a person can do
		a.LastError = why.message
	}
	f.say(cleanup(v1beta1.ReasonStartingInstanceOrphanMitigation, cleaningUp+": "+why.message, a, &why))
}

func (f *instanceFold) update() {
	f.status.Unusable = f.status.Unusable || f.answer.InstanceUnusable
	switch f.answer.Class {
	case osbresult.Done:
		f.succeed(v1beta1.ReasonInstanceUpdatedSuccessfully, "The instance was updated successfully")
	case osbresult.Accepted:
		f.attempts()
		f.accept(verdict{reason: v1beta1.ReasonUpdatingInstance, message: "The instance is being updated asynchronously"})
	case osbresult.Rejected, osbresult.Conflict, osbresult.Gone, osbresult.NeedsAsync, osbresult.NeedsApp:
		f.updateFailed("Update call failed: " + f.words())
	case osbresult.Unknown, osbresult.Malformed:
		f.unsure("Update", callReason(f.answer, v1beta1.ReasonErrorCallingUpdateInstance, v1beta1.ReasonUpdateInstanceCallFailed))
	default:
		if !f.call.unsure && !f.answer.BrokerFailed() { // no effect
			f.end()
		}
		f.again("Update", callReason(f.answer, v1beta1.ReasonErrorCallingUpdateInstance, v1beta1.ReasonUpdateInstanceCallFailed))
	}
}

// updateFailed records an update that was refused or has failed: the broker has the properties from before.
func (f *instanceFold) updateFailed(message string) {
	if f.answer.UpdateNotRepeatable {
		f.status.RefusedUpdate = fingerprint(held(f.status.InProgressProperties))
	}
	if f.answer.InstanceUnusable {
		f.status.Unusable = true
		message += "; the broker says that the instance cannot be used until it is repaired or deleted"
	}
	if f.answer.Class != osbresult.Done || f.answer.UpdateNotRepeatable { // refused
		f.stop(v1beta1.ReasonUpdateInstanceCallFailed, v1beta1.ReasonUpdateInstanceCallFailed, message)
	} else {
		f.repeatSlowly(v1beta1.ReasonUpdateInstanceCallFailed, message)
	}
	if a := f.attempts(); a.Unknown > 0 { // an earlier request may have been carried out
		addPlan(a, planIDOf(held(f.status.InProgressProperties)))
	}
	f.end()
}

// inspect records what the broker has under an id of ours after a conflict.
func (f *instanceFold) inspect() {
	a := f.attempts()
	why := word{v1beta1.ReasonProvisionCallFailed, "the broker has something else under the id, from an earlier form of the spec"}
	switch found := f.answer.instance; {
	case f.answer.Class == osbresult.Gone: // nothing
		a.Conflict, a.NextTime = false, nil
	case f.answer.Class == osbresult.Done && found != nil && found.PlanID != "" && found.PlanID == planIDOf(f.call.props):
		f.adopt()
	case f.answer.Class == osbresult.Done && f.answer.state == osbresult.InProgress, f.answer.Class == osbresult.Retry, f.answer.Misconfigured(), f.answer.Class == osbresult.Concurrency, f.answer.Class == osbresult.NeedsCatalog:
		f.again("Provision", v1beta1.ReasonProvisionCallFailed)
	case f.answer.Class == osbresult.Done && found != nil && found.PlanID != "" && !f.call.kept: // the removal names this plan
		f.status.InProgressProperties = withPlanID(*f.call.props, found.PlanID)
		f.startMitigation(why)
	case f.call.kept:
		f.stop(why.reason, v1beta1.ReasonClusterServiceBrokerReturnedFailure, why.message+"; it is left there, as the deletion policy is Retain")
	default:
		f.startMitigation(why)
	}
}

// adopt records the broker's instance as this object's: an earlier form of the spec created it. An update follows.
func (f *instanceFold) adopt() {
	s := &f.status
	found := *f.call.props
	found.Parameters, found.ParameterChecksum, found.ParametersVersion = nil, "", ""
	found.MaintenanceVersion = f.answer.instance.MaintenanceVersion
	s.ExternalProperties, s.ProvisionStatus, s.DeprovisionStatus = &found, v1beta1.Provisioned, v1beta1.DeprovisionRequired
	f.end()
	s.CurrentOperation = v1beta1.OperationUpdate // with an unknown outcome, so that everything is sent
	s.Attempts = nil
	f.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonUpdateInstanceRequestInFlight, message: "The broker has an instance of an earlier form of the spec, which is being updated"})
}
