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
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

func (f *application) applyBind() {
	switch f.answer.Class {
	case osbresult.Done:
		f.recordBindDone()
	case osbresult.Accepted:
		f.recordAccepted(BindAccepted, lifecycle.ConditionSet{Reason: v1beta1.ReasonBinding, Message: "The binding is being created asynchronously"}, f.answer.Binding.Operation)
		if f.status.InProgressProperties == nil {
			f.status.InProgressProperties = f.call.Properties
		}
	case osbresult.NeedsApp: // repeated at once, with an application
	default:
		f.recordNotBound()
	}
}

// recordNotBound records a request that has led to no binding, as far as is known.
func (f *application) recordNotBound() {
	if f.call.Repeat { // the existing binding is not affected
		f.recordRetry("Bind", v1beta1.ReasonBindCallFailed)
		return
	}
	switch f.answer.Class {
	case osbresult.Unknown, osbresult.Malformed:
		f.recordUnknownOutcome()
	case osbresult.Conflict:
		f.recordConflict()
	case osbresult.Rejected, osbresult.Gone:
		f.recordRejected("Bind call failed: " + f.describeOutcome())
	case osbresult.NeedsAsync:
		f.recordRejected("Bind call failed: the broker makes bindings only asynchronously, and its catalog does not say bindings_retrievable, so that nobody could get the credentials: " + f.describeOutcome())
	default: // no effect; the request may be repeated
		f.markNothingSent()
		f.recordRetry("Bind", v1beta1.ReasonBindCallFailed)
	}
}

// recordBindDone records that the broker has the binding.
func (f *application) recordBindDone() {
	s := &f.status
	if !f.answer.Binding.Created && f.call.NothingAtBroker && f.call.BindingID == f.b.Spec.ExternalID && instancerules.IsForAnother(f.b.UID, s.CreatedForUID) {
		f.markNothingSent()
		f.stopRetrying(v1beta1.ReasonExternalIDInUse, lifecycle.NotInherited(f.call.BindingID))
		return
	}
	if f.answer.Binding.Created && f.call.BindingID == f.b.Spec.ExternalID {
		s.CreatedForUID = f.b.UID
	}
	if kind := unsupportedReason(f.answer.Binding); kind != "" && !f.call.Repeat {
		message := "the broker answered with " + kind + ", which a cluster cannot give"
		if !f.isRotation() {
			f.stopRetrying(v1beta1.ReasonUnsupportedBinding, message)
		}
		f.startMitigation(lifecycle.Cause{Reason: v1beta1.ReasonUnsupportedBinding, Message: message})
		return
	}
	f.recordBound()
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
func (f *application) recordBound() {
	s := &f.status
	s.UnbindStatus = v1beta1.UnbindRequired
	if f.isRotation() {
		f.setPhase(Binding)
		f.attempts().NextTime = nil
		f.setConditions(undelivered)
		return
	}
	if f.call.Properties != nil {
		s.ExternalProperties = f.call.Properties
	} else if s.InProgressProperties != nil {
		s.ExternalProperties = s.InProgressProperties
	}
	f.setPhase(Idle)
	s.Attempts = remaining(s.Attempts)
	if !f.call.Repeat {
		s.ReconciledGeneration = 0
	}
	if found := f.answer.Binding; found != nil && (!f.call.Repeat || hasExpiry(found)) {
		s.ExpiresAt, s.RenewBefore = expiryTime(found.ExpiresAt), expiryTime(found.RenewBefore)
	}
	f.setConditions(undelivered)
}

// undelivered returns the conditions of a binding whose credentials are not in its Secret yet.
var undelivered = lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonBinding, Message: "The broker has the binding; its credentials are not in the Secret yet"}

// recordRejected records a refusal. It proves nothing about earlier requests, which may have been carried out.
func (f *application) recordRejected(message string) {
	if !f.isRotation() {
		f.stopRetryingAs(v1beta1.ReasonBindCallFailed, v1beta1.ReasonServiceBindingReturnedFailure, message+"; it is not tried any more"+untilAsked)
	}
	if !f.call.NothingAtBroker {
		f.startMitigation(lifecycle.Cause{Reason: v1beta1.ReasonBindCallFailed, Message: message})
	} else if f.isRotation() {
		f.revertRotation(message)
	} else {
		f.markNothingSent()
	}
}

// startMitigation begins an orphan mitigation where the binding may be removed.
func (f *application) startMitigation(why lifecycle.Cause) {
	switch rotates := f.isRotation(); {
	case rotates && !f.call.MayMitigate():
		f.setPhase(Binding)
		return
	case !rotates && (IsBound(&f.status) || !f.call.MayMitigate()):
		f.setPhase(Idle)
		return
	}
	f.setPhase(Mitigating)
	f.status.OperationStartTime = lifecycle.Timestamp(f.now)
	a := f.attempts()
	if a.Misconfigured, a.NextTime = 0, nil; !a.Stopped { // the message of a refusal also says what a person can do
		a.LastError = why.Message
	}
	f.setConditions(mitigatingConditions(why.Message, a))
}

// markNothingSent removes the operation from the record of a request that had no effect.
func (f *application) markNothingSent() {
	if f.call.NothingAtBroker && !f.isRotation() {
		f.status.UnbindStatus = v1beta1.UnbindNotRequired
		f.setPhase(Idle)
	}
}

// revertRotation ends a rotation: the predecessor stays the binding.
func (f *application) revertRotation(message string) {
	s := &f.status
	s.ExternalID, s.PredecessorID = s.PredecessorID, ""
	if s.ExternalID == f.b.Spec.ExternalID {
		s.ExternalID = ""
	}
	f.scheduleRetry(message)
	a := s.Attempts
	a.Unknown, a.Conflict = 0, false
	s.UnbindStatus = v1beta1.UnbindRequired
	f.setPhase(Idle)
	if s.ReconciledGeneration > 0 {
		f.setConditions(stillInjectedConditions("they were to be replaced, and were not: " + message))
		return
	}
	f.setConditions(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonBindCallFailed, Message: message})
}

// recordConflict records that the broker has another binding under the id.
func (f *application) recordConflict() {
	a := f.attempts()
	switch {
	case f.isRotation():
		f.startMitigation(lifecycle.Cause{Reason: v1beta1.ReasonBindCallFailed, Message: "Bind call failed: " + f.describeOutcome()})
	case !f.call.Owned:
		f.markNothingSent()
		f.recordRetryMessage(v1beta1.ReasonBindCallFailed, fmt.Sprintf("the broker has another service binding under the id %q, which was supplied: %s", f.call.BindingID, f.describeOutcome()))
	case f.call.NothingAtBroker && a.Removals > 0: // the broker does not accept the id again after its removal
		f.status.ExternalID = lifecycle.NextBindingID(f.b, &f.status)
		f.markNothingSent()
		f.recordRetry("Bind", v1beta1.ReasonBindCallFailed)
	default: // one of our requests with other properties was carried out
		a.Conflict = true
		a.Unknown++
		f.recordRetry("Bind", v1beta1.ReasonBindCallFailed)
	}
}

// recordUnknownOutcome records a request with an unknown outcome.
func (f *application) recordUnknownOutcome() {
	if f.answer.Class == osbresult.Unknown { // otherwise a repeat finds what is left
		f.attempts().Unknown++
	}
	f.recordRetry("Bind", v1beta1.ReasonBindCallFailed)
}

// applyFetch records what was fetched of a binding.
func (f *application) applyFetch() {
	conflict := !f.call.Repeat // the request inspects what the broker has under an id of ours
	switch {
	case f.answer.Class == osbresult.Done && conflict && (f.answer.Binding.Credentials == nil || !f.matchesRequest()):
		f.recordForeignBinding("the broker has a binding under the id, and does not tell its credentials, or that it has these parameters")
	case f.answer.Class == osbresult.Done:
		f.recordBound()
	case f.answer.Class == osbresult.Gone && conflict: // nothing
		a := f.attempts()
		a.Conflict, a.NextTime = false, nil
	case f.answer.Class == osbresult.Rejected && conflict:
		f.recordForeignBinding("the broker has something else under the id: " + f.describeOutcome())
	default:
		f.recordRetry("Fetch", v1beta1.ReasonFetchingBindingFailed)
	}
}

// matchesRequest reports whether the fetched binding has the requested parameters.
func (f *application) matchesRequest() bool {
	var told *runtime.RawExtension
	if raw := f.answer.Binding.Parameters; raw != nil {
		told = &runtime.RawExtension{Raw: raw}
	}
	has, bad := catalog.Merge(told, nil)
	return bad == nil && has.Checksum == f.call.Properties.ParameterChecksum
}

// recordForeignBinding records that the binding under the id has other parameters.
func (f *application) recordForeignBinding(message string) {
	if !f.call.MayMitigate() {
		f.stopRetryingAs(v1beta1.ReasonBindCallFailed, v1beta1.ReasonServiceBindingReturnedFailure, message)
	}
	f.startMitigation(lifecycle.Cause{Reason: v1beta1.ReasonBindCallFailed, Message: message})
}
