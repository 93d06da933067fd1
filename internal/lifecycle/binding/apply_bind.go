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

	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/lifecycle"
	instancerules "github.com/gophernetes/bellhop/internal/lifecycle/instance"
	"github.com/gophernetes/bellhop/internal/lifecycle/validity"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

func (ap *application) applyBind() {
	switch ap.Answer.Class {
	case osbresult.Done:
		ap.recordBindDone()
	case osbresult.Accepted:
		if ap.call.ID == ap.b.Spec.ExternalID {
			ap.status.OwnershipUnknown = !ap.call.Owned
		}
		task := ap.phase.Task
		if !ap.phase.creates() {
			task = Binding
		}
		ap.recordAccepted(task, lifecycle.ConditionSet{Reason: v1beta1.ReasonBinding, Message: "The binding is being created asynchronously"})
		if ap.status.InProgressProperties == nil {
			ap.status.InProgressProperties = ap.call.Properties
		}
	case osbresult.NeedsApp: // repeated at once, with an application
	default:
		ap.recordNotBound()
	}
}

// recordNotBound records a request that has led to no binding, as far as is known.
func (ap *application) recordNotBound() {
	if ap.call.Repeat { // the existing binding is not affected
		ap.RecordRetry("Bind", v1beta1.ReasonBindCallFailed)
		return
	}
	switch ap.Answer.Class {
	case osbresult.Unknown, osbresult.Malformed:
		ap.RecordUnknownOutcome("Bind", v1beta1.ReasonBindCallFailed)
	case osbresult.Conflict:
		ap.recordConflict()
	case osbresult.Rejected, osbresult.Gone:
		ap.recordRejected("Bind call failed: " + ap.DescribeOutcome())
	case osbresult.NeedsAsync:
		ap.recordRejected("Bind call failed: the broker makes bindings only asynchronously, and its catalog does not say bindings_retrievable, so that nobody could get the credentials: " + ap.DescribeOutcome())
	default: // no effect; the request may be repeated
		ap.MarkNothingSent()
		ap.RecordRetry("Bind", v1beta1.ReasonBindCallFailed)
	}
}

// recordBindDone records that the broker has the binding.
func (ap *application) recordBindDone() {
	s := &ap.status
	if !ap.Answer.Binding.Created && ap.call.ID == ap.b.Spec.ExternalID && instancerules.IsForAnother(ap.b.UID, s.CreatedForUID) { // also after an answer that was lost
		s.UnbindStatus = v1beta1.UnbindNotRequired
		ap.phase = Phase{}
		ap.stopRetrying(v1beta1.ReasonExternalIDInUse, lifecycle.NotInherited(ap.call.ID))
		return
	}
	if ap.Answer.Binding.Created && ap.call.ID == ap.b.Spec.ExternalID {
		s.CreatedForUID, s.OwnershipUnknown = ap.b.UID, false
	}
	if found := ap.Answer.Binding; ap.call.Replaces && ap.call.NothingAtBroker && !found.Created && found.Credentials == nil {
		s.LastRemovedID = ap.call.ID // not used again
		ap.revert(fmt.Sprintf("the broker had a binding under the id %q before it was asked for it, such as of a time after the backup of this object was made, and does not tell its credentials: it is left there", ap.call.ID))
		return
	}
	if kind := unsupportedReason(ap.Answer.Binding); kind != "" && !ap.call.Repeat {
		message := "the broker answered with " + kind + ", which a cluster cannot give"
		ap.stopRetrying(v1beta1.ReasonUnsupportedBinding, message)
		ap.startMitigation(lifecycle.Cause{Reason: v1beta1.ReasonUnsupportedBinding, Message: message})
		return
	}
	ap.recordBound()
}

// unsupportedReason returns what a binding requires of the platform and no cluster has; empty: nothing.
func unsupportedReason(b *osbresult.Binding) string {
	switch {
	case b.SyslogDrainURL != "":
		return "a syslog_drain_url"
	case b.RouteServiceURL != "":
		return "a route_service_url"
	case len(b.VolumeMounts) > 0:
		return "volume_mounts"
	}
	return ""
}

// recordBound records a binding that the broker has confirmed. It is Ready once its credentials are in the Secret.
func (ap *application) recordBound() {
	s := &ap.status
	s.UnbindStatus = v1beta1.UnbindRequired
	if ap.phase.isReplacement() {
		ap.phase.Accepted = false
		ap.Attempts().NextTime = nil
		ap.SetConditions(undelivered)
		return
	}
	if ap.call.Properties != nil {
		s.ExternalProperties = ap.call.Properties
	} else if s.InProgressProperties != nil {
		s.ExternalProperties = s.InProgressProperties
	}
	ap.phase = Phase{}
	s.Attempts = remaining(s.Attempts)
	if !ap.call.Repeat {
		s.ReconciledGeneration = 0
	}
	if found := ap.Answer.Binding; found != nil && (!ap.call.Repeat || validity.HasExpiry(found)) {
		validity.RecordExpiry(s, found, ap.Now)
	}
	ap.SetConditions(undelivered)
}

// remaining returns the part of the attempts that counts until the credentials are in the Secret.
func remaining(a *v1beta1.Attempts) *v1beta1.Attempts {
	if a == nil || a.Removals == 0 {
		return nil
	}
	return &v1beta1.Attempts{Generation: a.Generation, ParametersVersion: a.ParametersVersion, ParametersDigest: a.ParametersDigest, Removals: a.Removals}
}

// undelivered returns the conditions of a binding whose credentials are not in its Secret yet.
var undelivered = lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonBinding, Message: "The broker has the binding; its credentials are not in the Secret yet"}

// recordRejected records a refusal. It proves nothing about earlier requests, which may have been carried out.
func (ap *application) recordRejected(message string) {
	s := &ap.status
	switch {
	case ap.phase.Task == Rotating: // the predecessor may be what is refused: a plain bind follows
		if ap.call.NothingAtBroker {
			ap.phase.Task, s.InProgressProperties, ap.Attempts().NextTime = Replacing, nil, nil
			ap.SetConditions(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonBindCallFailed, Message: message + "; another binding is requested instead"})
			return
		}
	case ap.phase.isReplacement():
		ap.Stop(message)
	default:
		ap.stopRetryingAs(v1beta1.ReasonBindCallFailed, v1beta1.ReasonServiceBindingReturnedFailure, message+"; it is not tried any more"+untilAsked)
	}
	if ap.IsConflictHeld() {
		return
	}
	if !ap.call.NothingAtBroker {
		ap.startMitigation(lifecycle.Cause{Reason: v1beta1.ReasonBindCallFailed, Message: message})
	} else if ap.phase.isReplacement() {
		ap.revert(message)
	} else {
		ap.MarkNothingSent()
	}
}

// startMitigation begins an orphan mitigation where the binding may be removed.
func (ap *application) startMitigation(why lifecycle.Cause) {
	switch replaces := ap.phase.isReplacement(); {
	case replaces && !ap.call.MayMitigate():
		ap.phase.Accepted = false
		return
	case !replaces && (IsBound(&ap.status) || !ap.call.MayMitigate()):
		ap.phase = Phase{}
		return
	}
	ap.phase = ap.phase.mitigation()
	ap.status.OperationStartTime = lifecycle.Timestamp(ap.Now)
	a := ap.Attempts()
	if a.Misconfigured, a.NextTime = 0, nil; !a.Stopped { // the message of a refusal also says what a person can do
		a.LastError = why.Message
	}
	ap.SetConditions(mitigatingConditions(why.Message, a))
}

// MarkNothingSent removes the operation from the record of a request that had no effect.
func (ap *application) MarkNothingSent() {
	switch {
	case !ap.call.NothingAtBroker:
	case ap.phase.isReplacement(): // the next request is the first one
		ap.status.InProgressProperties = nil
	default:
		ap.status.UnbindStatus = v1beta1.UnbindNotRequired
		ap.phase = Phase{}
	}
}

// UseNextID makes the next id that of the binding.
func (ap *application) UseNextID() {
	ap.status.ExternalID = lifecycle.NextBindingID(ap.b, &ap.status)
}

// revert ends a replacement without a successor: the predecessor stays the binding. After a refusal it is not tried again (R12).
func (ap *application) revert(message string) {
	s := &ap.status
	s.ExternalID, s.PredecessorID = s.PredecessorID, ""
	if s.ExternalID == ap.b.Spec.ExternalID {
		s.ExternalID = ""
	}
	a := ap.Attempts()
	if !a.Stopped {
		ap.ScheduleRetry(message)
	}
	a.Unknown, a.Conflict = 0, false
	s.UnbindStatus = v1beta1.UnbindRequired
	ap.phase = Phase{}
	switch {
	case a.Stopped:
		ap.SetConditions(deliveredConditions(ap.b, s))
	case isDelivered(s):
		ap.SetConditions(stillInjectedConditions("replacing them failed: " + message))
	default:
		ap.SetConditions(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonBindCallFailed, Message: message})
	}
}

// recordConflict records that the broker has another binding under the id.
func (ap *application) recordConflict() {
	switch {
	case ap.phase.isReplacement() && ap.call.NothingAtBroker: // no request on record has made what is there: the id is not used again, and nothing is removed
		ap.status.LastRemovedID = ap.call.ID
		ap.Stop("Bind call failed: " + ap.DescribeOutcome())
		ap.revert("")
	case ap.phase.isReplacement():
		ap.startMitigation(lifecycle.Cause{Reason: v1beta1.ReasonBindCallFailed, Message: "Bind call failed: " + ap.DescribeOutcome()})
	default:
		ap.RecordConflict()
	}
}

// applyFetch records what was fetched of a binding.
func (ap *application) applyFetch() {
	conflict := !ap.call.Repeat // the request inspects what the broker has under an id of ours
	switch {
	case ap.Answer.Class == osbresult.Done && conflict && (ap.Answer.Binding.Credentials == nil || !ap.matches(ap.call.Properties)):
		ap.recordForeignBinding("the broker has a binding under the id, and does not tell its credentials, or that it has these parameters")
	case ap.Answer.Class == osbresult.Done:
		ap.recordBound()
	case ap.Answer.Class == osbresult.Gone && conflict: // nothing
		a := ap.Attempts()
		a.Conflict, a.NextTime = false, nil
	case ap.Answer.Class == osbresult.Rejected && conflict:
		ap.recordForeignBinding("the broker has something else under the id: " + ap.DescribeOutcome())
	default:
		ap.RecordRetry("Fetch", v1beta1.ReasonFetchingBindingFailed)
	}
}

// matches reports whether the fetched binding has the parameters of a request.
func (ap *application) matches(props *v1beta1.ServiceBindingPropertiesState) bool {
	if props == nil {
		return false
	}
	var told *runtime.RawExtension
	if raw := ap.Answer.Binding.Parameters; raw != nil {
		told = &runtime.RawExtension{Raw: raw}
	}
	has, bad := catalog.Merge(told, nil)
	return bad == nil && has.Checksum == props.ParameterChecksum
}

// recordForeignBinding records that the binding under the id has other parameters. It is removed only as what a request on record, whose
// outcome is not known, has left behind: a record that was restored from a backup does not show what was created later.
func (ap *application) recordForeignBinding(message string) {
	found := ap.Answer.Binding
	isOthers := found != nil && found.Parameters != nil && !ap.matches(ap.call.Properties) && !ap.matches(ap.status.InProgressProperties)
	if ap.call.Owned && (ap.Attempts().Unknown == 0 || isOthers) {
		ap.HoldConflict("something else: " + message)
		return
	}
	if !ap.call.MayMitigate() {
		ap.stopRetryingAs(v1beta1.ReasonBindCallFailed, v1beta1.ReasonServiceBindingReturnedFailure, message)
	}
	ap.startMitigation(lifecycle.Cause{Reason: v1beta1.ReasonBindCallFailed, Message: message})
}
