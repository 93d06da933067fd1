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

func (f *application) bind() {
	switch f.answer.Class {
	case osbresult.Done:
		f.done()
	case osbresult.Accepted:
		f.accept(lifecycle.ConditionSet{Reason: v1beta1.ReasonBinding, Message: "The binding is being created asynchronously"}, f.answer.Binding.Operation)
		f.status.CurrentOperation = v1beta1.OperationBind
		if f.status.InProgressProperties == nil {
			f.status.InProgressProperties = f.call.Properties
		}
	case osbresult.NeedsApp: // repeated at once, with an application
	default:
		f.notDone()
	}
}

// notDone records a request that has led to no binding, as far as is known.
func (f *application) notDone() {
	if f.call.Repeat { // the existing binding is not affected
		f.again("Bind", v1beta1.ReasonBindCallFailed)
		return
	}
	switch f.answer.Class {
	case osbresult.Unknown, osbresult.Malformed:
		f.unsure()
	case osbresult.Conflict:
		f.conflict()
	case osbresult.Rejected, osbresult.Gone:
		f.rejected("Bind call failed: " + f.words())
	case osbresult.NeedsAsync:
		f.rejected("Bind call failed: the broker makes bindings only asynchronously, and its catalog does not say bindings_retrievable, so that nobody could get the credentials: " + f.words())
	default: // no effect; the request may be repeated
		f.undo()
		f.again("Bind", v1beta1.ReasonBindCallFailed)
	}
}

// done records that the broker has the binding.
func (f *application) done() {
	s := &f.status
	if !f.answer.Binding.Created && f.call.NothingAtBroker && f.call.BindingID == f.b.Spec.ExternalID && instancerules.IsForAnother(f.b.UID, s.CreatedForUID) {
		f.undo()
		f.stop(v1beta1.ReasonExternalIDInUse, lifecycle.NotInherited(f.call.BindingID))
		return
	}
	if f.answer.Binding.Created && f.call.BindingID == f.b.Spec.ExternalID {
		s.CreatedForUID = f.b.UID
	}
	if kind := unsupported(f.answer.Binding); kind != "" && !f.call.Repeat {
		message := "the broker answered with " + kind + ", which a cluster cannot give"
		if !f.isRotation() {
			f.stop(v1beta1.ReasonUnsupportedBinding, message)
		}
		f.dispose(lifecycle.Cause{Reason: v1beta1.ReasonUnsupportedBinding, Message: message})
		return
	}
	f.bound()
}

// unsupported returns what a binding requires of the platform and no cluster has; empty: nothing.
func unsupported(b *osbresult.Binding) string {
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

// bound records a binding that the broker has confirmed. It is Ready once its credentials are in the Secret.
func (f *application) bound() {
	s := &f.status
	s.UnbindStatus = v1beta1.UnbindRequired
	s.AsyncOpInProgress, s.LastOperation = false, nil
	if f.isRotation() {
		f.attempts().NextTime = nil
		f.say(undelivered)
		return
	}
	if f.call.Properties != nil {
		s.ExternalProperties = f.call.Properties
	} else if s.InProgressProperties != nil {
		s.ExternalProperties = s.InProgressProperties
	}
	f.end()
	s.Attempts = remaining(s.Attempts)
	if !f.call.Repeat {
		s.ReconciledGeneration = 0
	}
	if found := f.answer.Binding; found != nil && (!f.call.Repeat || saysEnd(found)) {
		s.ExpiresAt, s.RenewBefore = endOf(found.ExpiresAt), endOf(found.RenewBefore)
	}
	f.say(undelivered)
}

// undelivered returns the conditions of a binding whose credentials are not in its Secret yet.
var undelivered = lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonBinding, Message: "The broker has the binding; its credentials are not in the Secret yet"}

// rejected records a refusal. It proves nothing about earlier requests, which may have been carried out.
func (f *application) rejected(message string) {
	if !f.isRotation() {
		f.stopAs(v1beta1.ReasonBindCallFailed, v1beta1.ReasonServiceBindingReturnedFailure, message+"; it is not tried any more"+untilAsked)
	}
	if !f.call.NothingAtBroker {
		f.dispose(lifecycle.Cause{Reason: v1beta1.ReasonBindCallFailed, Message: message})
	} else if f.isRotation() {
		f.revert(message)
	} else {
		f.undo()
	}
}

// dispose begins an orphan mitigation where the binding may be removed.
func (f *application) dispose(why lifecycle.Cause) {
	s := &f.status
	s.AsyncOpInProgress, s.LastOperation = false, nil
	if !f.call.MayMitigate() || IsBound(s) && !f.isRotation() {
		if !f.isRotation() {
			f.end()
		}
		return
	}
	s.OrphanMitigationInProgress, s.OperationStartTime = true, lifecycle.Timestamp(f.now)
	a := f.attempts()
	if a.Misconfigured, a.NextTime = 0, nil; !a.Stopped { // the message of a refusal also says what a person can do
		a.LastError = why.Message
	}
	f.say(cleaning(why.Message, a))
}

// undo removes the operation from the record of a request that had no effect.
func (f *application) undo() {
	if f.call.NothingAtBroker && !f.isRotation() {
		f.status.UnbindStatus = v1beta1.UnbindNotRequired
		f.end()
	}
}

// revert ends a rotation: the predecessor stays the binding.
func (f *application) revert(message string) {
	s := &f.status
	s.ExternalID, s.PredecessorID = s.PredecessorID, ""
	if s.ExternalID == f.b.Spec.ExternalID {
		s.ExternalID = ""
	}
	f.later(message)
	a := s.Attempts
	a.Unknown, a.Conflict = 0, false
	s.UnbindStatus = v1beta1.UnbindRequired
	f.end()
	if s.ReconciledGeneration > 0 {
		f.say(stillInjected("they were to be replaced, and were not: " + message))
		return
	}
	f.say(lifecycle.ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonBindCallFailed, Message: message})
}

// conflict records that the broker has another binding under the id.
func (f *application) conflict() {
	a := f.attempts()
	switch {
	case f.isRotation():
		f.dispose(lifecycle.Cause{Reason: v1beta1.ReasonBindCallFailed, Message: "Bind call failed: " + f.words()})
	case !f.call.Owned:
		f.undo()
		f.repeat(v1beta1.ReasonBindCallFailed, fmt.Sprintf("the broker has another service binding under the id %q, which was supplied: %s", f.call.BindingID, f.words()))
	case f.call.NothingAtBroker && a.Removals > 0: // the broker does not accept the id again after its removal
		f.status.ExternalID = lifecycle.NextBindingID(f.b, &f.status)
		f.undo()
		f.again("Bind", v1beta1.ReasonBindCallFailed)
	default: // one of our requests with other properties was carried out
		a.Conflict = true
		a.Unknown++
		f.again("Bind", v1beta1.ReasonBindCallFailed)
	}
}

// unsure records a request with an unknown outcome.
func (f *application) unsure() {
	if f.answer.Class == osbresult.Unknown { // otherwise a repeat finds what is left
		f.attempts().Unknown++
	}
	f.again("Bind", v1beta1.ReasonBindCallFailed)
}

// fetch records what was fetched of a binding.
func (f *application) fetch() {
	conflict := !f.call.Repeat // the request inspects what the broker has under an id of ours
	switch {
	case f.answer.Class == osbresult.Done && conflict && (f.answer.Binding.Credentials == nil || !f.isWanted()):
		f.strange("the broker has a binding under the id, and does not tell its credentials, or that it has these parameters")
	case f.answer.Class == osbresult.Done:
		f.bound()
	case f.answer.Class == osbresult.Gone && conflict: // nothing
		a := f.attempts()
		a.Conflict, a.NextTime = false, nil
	case f.answer.Class == osbresult.Rejected && conflict:
		f.strange("the broker has something else under the id: " + f.words())
	default:
		f.again("Fetch", v1beta1.ReasonFetchingBindingFailed)
	}
}

// isWanted reports whether the fetched binding has the requested parameters.
func (f *application) isWanted() bool {
	var told *runtime.RawExtension
	if raw := f.answer.Binding.Parameters; raw != nil {
		told = &runtime.RawExtension{Raw: raw}
	}
	has, bad := catalog.Merge(told, nil)
	return bad == nil && has.Checksum == f.call.Properties.ParameterChecksum
}

// strange records that the binding under the id has other parameters.
func (f *application) strange(message string) {
	if !f.call.MayMitigate() {
		f.stopAs(v1beta1.ReasonBindCallFailed, v1beta1.ReasonServiceBindingReturnedFailure, message)
	}
	f.dispose(lifecycle.Cause{Reason: v1beta1.ReasonBindCallFailed, Message: message})
}
