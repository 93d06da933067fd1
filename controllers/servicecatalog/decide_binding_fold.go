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
	"encoding/json"
	"fmt"
	"strings"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/osb"
)

// bindingAnswer is what came of a call about a binding.
type bindingAnswer struct {
	osb.Outcome
	// binding is what the broker told of it.
	binding *osb.Binding
	// operation is what the broker calls the removal that it has begun.
	operation string
	// state and words are of a poll.
	state osb.State
	words string
}

// bindingFold takes an answer into a status.
type bindingFold struct {
	b      *v1beta1.ServiceBinding
	status v1beta1.ServiceBindingStatus
	call   bindingCall
	answer bindingAnswer
	now    time.Time
}

// foldBinding is the status after a call, where status is that before it.
func foldBinding(b *v1beta1.ServiceBinding, status v1beta1.ServiceBindingStatus, call bindingCall, a bindingAnswer, now time.Time) v1beta1.ServiceBindingStatus {
	f := &bindingFold{b: b, status: *status.DeepCopy(), call: call, answer: a, now: now}
	f.status.ObservedGeneration = b.Generation
	switch call.verb {
	case bind:
		f.bind()
	case fetch:
		f.fetch()
	case unbind:
		f.unbind()
	default:
		f.poll()
	}
	return f.status
}

// foldOverdueBinding is the status once an operation has taken longer than it may.
func foldOverdueBinding(b *v1beta1.ServiceBinding, status v1beta1.ServiceBindingStatus, call bindingCall, limit time.Duration, now time.Time) v1beta1.ServiceBindingStatus {
	call.verb = poll
	return foldBinding(b, status, call, bindingAnswer{Outcome: osb.Outcome{Class: osb.Done}, state: osb.Failed,
		words: fmt.Sprintf("it was not finished within %s", limit)}, now)
}

// foldInjected is the status once the credentials of the present id are in the Secret, of
// that version.
func foldInjected(b *v1beta1.ServiceBinding, status v1beta1.ServiceBindingStatus, of *osb.Binding, version string, now time.Time) v1beta1.ServiceBindingStatus {
	f := &bindingFold{b: b, status: *status.DeepCopy(), now: now}
	s := &f.status
	if s.InProgressProperties != nil {
		s.ExternalProperties = s.InProgressProperties
	}
	if s.ExternalProperties == nil {
		s.ExternalProperties = &v1beta1.ServiceBindingPropertiesState{UserInfo: b.Spec.UserInfo}
	}
	if of != nil && (f.isRotation() || saysEnd(of)) { // else it is as it was, or not known any more
		s.ExpiresAt, s.RenewBefore = endOf(of.ExpiresAt), endOf(of.RenewBefore)
	}
	f.end()
	s.SecretVersion, s.UnbindStatus = version, v1beta1.UnbindRequired
	s.ObservedGeneration, s.ReconciledGeneration = b.Generation, b.Generation
	if s.Attempts = nil; s.ExpiresAt != nil || s.RenewBefore != nil {
		s.Attempts = &v1beta1.Attempts{Generation: b.Generation, LastTime: timeOf(now)}
	}
	f.say(injected(f.b))
	return f.status
}

// saysEnd says whether a broker has said when credentials end.
func saysEnd(b *osb.Binding) bool { return !b.ExpiresAt.IsZero() || !b.RenewBefore.IsZero() }

// endOf is a time of the broker's as a status has it; nil: it said none.
func endOf(t time.Time) *metav1.Time {
	if t.IsZero() {
		return nil
	}
	return timeOf(t)
}

// foldUninjected is the status if the credentials could not be put into the Secret.
// occupied: what is there under its name is another's.
func foldUninjected(b *v1beta1.ServiceBinding, status v1beta1.ServiceBindingStatus, why string, occupied bool, now time.Time) v1beta1.ServiceBindingStatus {
	f := &bindingFold{b: b, status: *status.DeepCopy(), now: now}
	f.status.ObservedGeneration = b.Generation
	if occupied {
		f.status.ReconciledGeneration = 0
	}
	f.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonErrorInjectingBindResult, stalled: true,
		message: "The credentials cannot be put into the Secret: " + why})
	return f.status
}

// foldWithdrawn is the status once the credentials are out of the Secret.
func foldWithdrawn(status v1beta1.ServiceBindingStatus, version string) v1beta1.ServiceBindingStatus {
	status = *status.DeepCopy()
	status.SecretVersion, status.ReconciledGeneration = version, 0
	return status
}

// isDeleting says whether the object is being deleted.
func (f *bindingFold) isDeleting() bool { return !f.b.DeletionTimestamp.IsZero() }

// isRotation says whether what is being made is to replace what is there.
func (f *bindingFold) isRotation() bool {
	return f.status.PredecessorID != "" && f.status.CurrentOperation == v1beta1.OperationBind
}

// end has nothing under way any more.
func (f *bindingFold) end() {
	s := &f.status
	s.CurrentOperation, s.OperationStartTime, s.InProgressProperties = "", nil, nil
	s.AsyncOpInProgress, s.LastOperation, s.OrphanMitigationInProgress = false, nil, false
}

func (f *bindingFold) bind() {
	switch f.answer.Class {
	case osb.Done:
		f.done()
	case osb.Accepted:
		f.accept(verdict{reason: v1beta1.ReasonBinding, message: "The binding is being created asynchronously"}, f.answer.binding.Operation)
		f.status.CurrentOperation = v1beta1.OperationBind
		if f.status.InProgressProperties == nil {
			f.status.InProgressProperties = f.call.props
		}
	case osb.NeedsApp: // it is asked again at once, with one
	default:
		f.notDone()
	}
}

// notDone is for a request that has not led to a binding, as far as is known.
func (f *bindingFold) notDone() {
	if f.call.again { // the binding that was there is not in question
		f.again("Bind", v1beta1.ReasonBindCallFailed)
		return
	}
	switch f.answer.Class {
	case osb.Unknown, osb.Malformed:
		f.unsure()
	case osb.Conflict:
		f.conflict()
	case osb.Rejected, osb.Gone:
		f.rejected("Bind call failed: " + f.words())
	case osb.NeedsAsync:
		f.rejected("Bind call failed: the broker makes bindings only asynchronously, and its catalog does not say bindings_retrievable, so that nobody could get the credentials: " + f.words())
	default: // nothing has happened, and may later
		f.undo()
		f.again("Bind", v1beta1.ReasonBindCallFailed)
	}
}

// done is for a broker that has the binding.
func (f *bindingFold) done() {
	s := &f.status
	if f.answer.binding.Created && f.call.id == f.b.Spec.ExternalID {
		s.CreatedForUID = f.b.UID
	}
	if kind := unsupported(f.answer.binding); kind != "" && !f.call.again {
		message := "the broker answered with " + kind + ", which a cluster cannot give"
		if !f.isRotation() {
			f.stop(v1beta1.ReasonUnsupportedBinding, message)
		}
		f.dispose(word{v1beta1.ReasonUnsupportedBinding, message})
		return
	}
	f.bound()
}

// unsupported is what a binding asks of the platform that no cluster can do; empty: nothing.
func unsupported(b *osb.Binding) string {
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

// bound is for a binding that the broker has confirmed. It is ready once its credentials
// are in the Secret.
func (f *bindingFold) bound() {
	s := &f.status
	s.UnbindStatus = v1beta1.UnbindRequired
	s.AsyncOpInProgress, s.LastOperation = false, nil
	if f.isRotation() {
		f.attempts().NextTime = nil
		f.say(undelivered)
		return
	}
	if f.call.props != nil {
		s.ExternalProperties = f.call.props
	} else if s.InProgressProperties != nil {
		s.ExternalProperties = s.InProgressProperties
	}
	f.end()
	s.Attempts = remaining(s.Attempts)
	if !f.call.again {
		s.ReconciledGeneration = 0
	}
	if found := f.answer.binding; found != nil && (!f.call.again || saysEnd(found)) {
		s.ExpiresAt, s.RenewBefore = endOf(found.ExpiresAt), endOf(found.RenewBefore)
	}
	f.say(undelivered)
}

// undelivered is the verdict on a binding whose credentials are still to come.
var undelivered = verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonBinding, message: "The broker has the binding; its credentials are not in the Secret yet"}

// accept is for a broker that has begun.
func (f *bindingFold) accept(v verdict, operation string) {
	s := &f.status
	if !s.AsyncOpInProgress { // from now on it is asked for, and may be overdue
		s.OperationStartTime = timeOf(f.now)
	}
	s.AsyncOpInProgress, s.LastOperation = true, nil
	if operation != "" {
		s.LastOperation = &operation
	}
	v.ready = v1beta1.ConditionFalse
	f.say(v)
}

// rejected is for a broker that refuses. That says nothing of an earlier request that may
// have arrived.
func (f *bindingFold) rejected(message string) {
	if !f.isRotation() {
		f.stopAs(v1beta1.ReasonBindCallFailed, v1beta1.ReasonServiceBindingReturnedFailure, message+"; it is not tried any more"+untilAsked)
	}
	if !f.call.clean {
		f.dispose(word{v1beta1.ReasonBindCallFailed, message})
	} else if f.isRotation() {
		f.revert(message)
	} else {
		f.undo()
	}
}

// dispose has removed what may have been left, if it is ours to remove.
func (f *bindingFold) dispose(why word) {
	s := &f.status
	s.AsyncOpInProgress, s.LastOperation = false, nil
	if !f.call.cleans() || isBound(s) && !f.isRotation() {
		if !f.isRotation() {
			f.end()
		}
		return
	}
	s.OrphanMitigationInProgress, s.OperationStartTime = true, timeOf(f.now)
	f.attempts().NextTime = nil
	f.say(cleaning(why.message, s.Conditions))
}

// undo takes back what was put on record for a request that had no effect.
func (f *bindingFold) undo() {
	if f.call.clean && !f.isRotation() {
		f.status.UnbindStatus = v1beta1.UnbindNotRequired
		f.end()
	}
}

// revert goes back to the binding that a rotation was to replace.
func (f *bindingFold) revert(message string) {
	s := &f.status
	s.ExternalID, s.PredecessorID = s.PredecessorID, ""
	if s.ExternalID == f.b.Spec.ExternalID {
		s.ExternalID = ""
	}
	f.later()
	a := s.Attempts
	a.Unknown, a.Conflict = 0, false
	s.UnbindStatus = v1beta1.UnbindRequired
	f.end()
	if s.ReconciledGeneration > 0 {
		f.say(stillInjected("they were to be replaced, and were not: " + message))
		return
	}
	f.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonBindCallFailed, message: message})
}

// conflict is for a broker that has something else under the id.
func (f *bindingFold) conflict() {
	a := f.attempts()
	switch {
	case f.isRotation():
		f.dispose(word{v1beta1.ReasonBindCallFailed, "Bind call failed: " + f.words()})
	case !f.call.owned:
		f.undo()
		f.stopAs(v1beta1.ReasonBindCallFailed, v1beta1.ReasonServiceBindingReturnedFailure,
			fmt.Sprintf("the broker has another service binding under the id %q, which was brought along: %s", f.call.id, f.words()))
	case f.call.clean && a.Removals > 0: // it was removed, and the broker does not take it again
		f.status.ExternalID = nextBindingID(f.b, &f.status)
		f.undo()
		f.again("Bind", v1beta1.ReasonBindCallFailed)
	default: // a request of ours that is not on record
		a.Conflict = true
		a.Unknown++
		f.again("Bind", v1beta1.ReasonBindCallFailed)
	}
}

// unsure is for a request of which it is not known what it did.
func (f *bindingFold) unsure() {
	a := f.attempts()
	if f.answer.Class == osb.Unknown { // else nothing is left that a repeat would not find
		a.Unknown++
	}
	f.again("Bind", v1beta1.ReasonBindCallFailed)
	if a.Count >= maxAttempts && !f.isRotation() && (a.Unknown == 0 || !f.call.cleans()) { // else it is removed
		f.stopAs(v1beta1.ReasonErrorReconciliationRetryTimeout, v1beta1.ReasonErrorReconciliationRetryTimeout,
			fmt.Sprintf("Bind call failed %d times and is not tried any more%s: %s", a.Count, untilAsked, f.words()))
	}
}

// untilAsked says what a person can do about a binding that is not tried any more.
const untilAsked = " until the annotation " + v1beta1.RebindAnnotation + " changes"

// again is for a request that is going to be repeated.
func (f *bindingFold) again(what, reason string) {
	f.later()
	a := f.status.Attempts
	f.say(verdict{ready: v1beta1.ConditionFalse, reason: reason,
		message: fmt.Sprintf("%s call failed: %s (%s failed, the next is at %s)", what, f.words(), ordinal(a.Count), when(a.NextTime.Time))})
}

// later counts an attempt and says when the next one is made.
func (f *bindingFold) later() {
	a := f.attempts()
	a.Count++
	a.LastTime = timeOf(f.now)
	a.NextTime = timeOf(f.now.Add(max(backoff(f.b.UID, a.Count, f.answer.RetryAfter), time.Second)))
}

// attempts are those of the call's generation.
func (f *bindingFold) attempts() *v1beta1.Attempts {
	if f.status.Attempts == nil {
		f.status.Attempts = &v1beta1.Attempts{}
	}
	a := f.status.Attempts
	a.Generation, a.ParametersVersion = f.call.generation, f.call.version
	return a
}

// stop has nothing tried any more.
func (f *bindingFold) stop(reason, message string) { f.stopAs(reason, reason, message) }

func (f *bindingFold) stopAs(reason, failed, message string) {
	a := f.attempts()
	a.Stopped, a.NextTime, a.LastTime = true, nil, timeOf(f.now)
	f.status.ReconciledGeneration = f.call.generation
	f.say(verdict{ready: v1beta1.ConditionFalse, reason: reason, message: message, stalled: true, failed: &word{failed, message}})
}

// fetch is for what a broker tells of a binding that it has.
func (f *bindingFold) fetch() {
	conflict := !f.call.again // it was asked what it has under our id
	switch {
	case f.answer.Class == osb.Done && conflict && (f.answer.binding.Credentials == nil || !f.isWanted()):
		f.strange("the broker has a binding under the id, and does not tell its credentials, or that it has these parameters")
	case f.answer.Class == osb.Done:
		f.bound()
	case f.answer.Class == osb.Gone && conflict: // after all, nothing
		a := f.attempts()
		a.Conflict, a.NextTime = false, nil
	case f.answer.Class == osb.Rejected && conflict:
		f.strange("the broker has something else under the id: " + f.words())
	default:
		f.again("Fetch", v1beta1.ReasonFetchingBindingFailed)
	}
}

// isWanted says whether what was fetched has the parameters that were asked for.
func (f *bindingFold) isWanted() bool {
	var told *runtime.RawExtension
	if raw := f.answer.binding.Parameters; raw != nil {
		told = &runtime.RawExtension{Raw: raw}
	}
	has, bad := catalog.Merge(told, nil)
	return bad == nil && has.Checksum == f.call.props.ParameterChecksum
}

// strange is for what is under the id, and not what was asked for.
func (f *bindingFold) strange(message string) {
	if !f.call.cleans() {
		f.stopAs(v1beta1.ReasonBindCallFailed, v1beta1.ReasonServiceBindingReturnedFailure, message)
	}
	f.dispose(word{v1beta1.ReasonBindCallFailed, message})
}

func (f *bindingFold) unbind() {
	switch f.answer.Class {
	case osb.Done, osb.Gone:
		f.removed()
	case osb.Accepted:
		// What is left of a rotation goes before its predecessor: only one is asked for at a time.
		if last := f.status.PredecessorID == "" || f.call.id == f.status.PredecessorID; !f.status.OrphanMitigationInProgress || f.isDeleting() && last {
			f.beginUnbind()
		}
		f.accept(f.removing(verdict{reason: v1beta1.ReasonUnbinding, message: "The binding is being removed asynchronously"}), f.answer.operation)
	case osb.NeedsAsync: // it is asked again at once, so
	case osb.Concurrency: // what is under way goes on
		f.later()
		f.say(f.removing(verdict{ready: v1beta1.ConditionUnknown, reason: v1beta1.ReasonUnbindCallFailed, message: f.failedAttempt("Unbind call failed: " + f.words())}))
	default:
		f.removalFailed("Unbind call failed: " + f.words())
	}
}

// beginUnbind says that the broker works on it since now.
func (f *bindingFold) beginUnbind() {
	s := &f.status
	if s.CurrentOperation == v1beta1.OperationUnbind && s.OperationStartTime != nil {
		return
	}
	s.CurrentOperation, s.OperationStartTime = v1beta1.OperationUnbind, timeOf(f.now)
	s.OrphanMitigationInProgress, s.InProgressProperties = false, nil
}

// removing keeps the conditions that say why something is being removed, and says it.
func (f *bindingFold) removing(v verdict) verdict {
	v.failed, _ = kept(f.status.Conditions)
	s, small := &f.status, strings.ToLower(v.message[:1])+v.message[1:]
	switch {
	case f.isDeleting():
		v.message += ". " + howToLetGo(f.b)
	case s.PredecessorID != "": // say says it
	case s.OrphanMitigationInProgress:
		v.message = "What may have been left at the broker is being removed: " + small
	case s.CurrentOperation == v1beta1.OperationUnbind:
		v.message = "The binding is being replaced: " + small
	}
	return v
}

// removed is for a broker that confirmed that it does not have a binding any more.
func (f *bindingFold) removed() {
	s := &f.status
	switch {
	case f.call.id == s.PredecessorID:
		f.retired()
	case f.isDeleting():
		f.gone()
		f.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonUnboundSuccessfully, message: "The binding was removed successfully"})
	case s.OrphanMitigationInProgress && s.PredecessorID != "":
		f.attempts().Removals++
		f.revert("what was made for that could not be used, and is removed again")
	case s.OrphanMitigationInProgress:
		f.cleaned()
	default: // to make way for another
		*s = movedOn(f.b, *s, f.now)
		f.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonRebinding, message: "The binding is being replaced; the one before it is removed"})
	}
}

// retired is for the binding that this one has replaced.
func (f *bindingFold) retired() {
	s := &f.status
	s.PredecessorID = ""
	s.AsyncOpInProgress, s.LastOperation = false, nil
	if f.isDeleting() {
		s.OperationStartTime = nil
		f.beginUnbind()
		f.attempts().NextTime = nil
		return
	}
	f.end()
	s.Attempts = f.sinceInjected()
	f.say(injected(f.b))
}

// sinceInjected are the attempts of a binding that is as it should be.
func (f *bindingFold) sinceInjected() *v1beta1.Attempts {
	if s := &f.status; s.Attempts == nil || s.ExpiresAt == nil && s.RenewBefore == nil {
		return nil
	}
	return &v1beta1.Attempts{Generation: f.b.Generation, LastTime: f.status.Attempts.LastTime}
}

// gone is for a broker that has nothing any more.
func (f *bindingFold) gone() {
	s := &f.status
	f.end()
	s.ExternalProperties, s.CreatedForUID, s.UnbindStatus = nil, "", v1beta1.UnbindSucceeded
	s.ExpiresAt, s.RenewBefore = nil, nil
	if f.call.keeps {
		s.PredecessorID = "" // which is left to whoever it is of
	}
}

// cleaned is for a broker that has nothing left of a failure.
func (f *bindingFold) cleaned() {
	s := &f.status
	stopped := s.Attempts != nil && s.Attempts.Stopped
	f.gone()
	a := f.attempts()
	a.Removals++
	a.Unknown, a.Conflict, a.NextTime = 0, false, timeOf(f.now.Add(backoff(f.b.UID, a.Removals, 0)))
	failed, _ := kept(s.Conditions)
	v := verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonOrphanMitigationSuccessful, message: "Nothing is left at the broker", failed: failed, stalled: stopped}
	switch {
	case stopped:
		a.NextTime = nil
	case a.Removals >= maxRemovals:
		a.Stopped, a.NextTime, v.stalled = true, nil, true
		s.ReconciledGeneration = f.call.generation
		v.failed = &word{v1beta1.ReasonErrorReconciliationRetryTimeout, fmt.Sprintf("Bind call failed and was cleaned up %d times; it is not tried any more%s", a.Removals, untilAsked)}
	default:
		v.message += ", and it is bound anew at " + when(a.NextTime.Time)
	}
	f.say(v)
}

// removalFailed is for a removal that has to be asked for again.
func (f *bindingFold) removalFailed(message string) {
	s := &f.status
	s.AsyncOpInProgress, s.LastOperation = false, nil
	f.later()
	if f.isDeleting() {
		f.beginUnbind()
		s.UnbindStatus = v1beta1.UnbindRequired
	}
	f.say(f.removing(verdict{ready: v1beta1.ConditionUnknown, reason: v1beta1.ReasonUnbindCallFailed, message: f.failedAttempt(message)}))
}

func (f *bindingFold) failedAttempt(message string) string {
	a := f.status.Attempts
	return message + fmt.Sprintf(" (%s failed, the next is at %s)", ordinal(a.Count), when(a.NextTime.Time))
}

func (f *bindingFold) poll() {
	a := f.answer
	switch {
	case f.call.removal && a.Class == osb.Gone:
		f.removed()
	case f.call.removal && a.NotFound(): // which proves nothing, but another request is answered with 410
		f.removalFailed("The broker does not know the operation: " + f.words())
	case a.Class != osb.Done:
		f.pollFailed()
	case a.state == osb.InProgress:
		f.progress()
	case a.state == osb.Succeeded && f.call.removal:
		f.removed()
	case a.state == osb.Succeeded:
		if f.call.id == f.b.Spec.ExternalID {
			f.status.CreatedForUID = f.b.UID
		}
		f.bound()
	default:
		f.operationFailed()
	}
}

// pollFailed is for an operation of which it cannot be learned how far it is. It does
// not say how often: that would cost a write each time.
func (f *bindingFold) pollFailed() {
	f.say(f.removing(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonErrorPollingLastOperation,
		message: "The broker was asked how far the operation is, and did not say: " + f.words()}))
}

// progress repeats what the broker says about how far it is.
func (f *bindingFold) progress() {
	v := verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonBinding, message: "The binding is being created asynchronously"}
	if f.call.removal {
		v.reason, v.message = v1beta1.ReasonUnbinding, "The binding is being removed asynchronously"
	}
	if f.answer.words != "" {
		v.message += " (" + f.answer.words + ")"
	}
	f.say(f.removing(v))
}

func (f *bindingFold) operationFailed() {
	words := f.answer.words
	if words == "" {
		words = "the broker does not say why"
	}
	message := "Bind call failed: " + words
	switch s := &f.status; {
	case f.call.removal:
		f.removalFailed("Unbind call failed: " + words)
	case f.isRotation():
		f.dispose(word{v1beta1.ReasonBindCallFailed, message})
	case isBound(s): // it was there, and had to be made again
		f.end()
		f.later()
		f.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonBindCallFailed, message: message})
	default:
		f.stop(v1beta1.ReasonBindCallFailed, message)
		f.dispose(word{v1beta1.ReasonBindCallFailed, message})
	}
}

// words are what the broker said, for people.
func (f *bindingFold) words() string { return sayOutcome(f.answer.Outcome) }

// say has the conditions say something. As long as the Secret has credentials that work,
// the binding is ready, whatever becomes of what is to replace them or was before them.
func (f *bindingFold) say(v verdict) {
	s := &f.status
	if s.PredecessorID != "" && isDelivered(s) && !hasEnded(s, f.now) && !f.isDeleting() && v.ready != v1beta1.ConditionTrue {
		v = stillInjected(strings.ToLower(v.message[:1]) + v.message[1:])
	}
	setBindingConditions(s, v, f.now)
}

// learn is what a process remembers of a binding after a call.
func (m bindingMemory) learn(b *v1beta1.ServiceBinding, call bindingCall, a bindingAnswer) bindingMemory {
	if m.tried.id != call.id && !call.removal && call.verb != unbind {
		m.tried = tried{id: call.id}
	}
	switch call.verb {
	case bind:
		m.learnBind(call, a)
	case fetch:
		m.learnFetch(b, call, a)
	case unbind:
		m.async = m.async || a.Class == osb.NeedsAsync
		m.triedRotation = m.triedRotation || b.Status.OrphanMitigationInProgress && b.Status.PredecessorID != ""
	default:
		switch {
		case call.removal || a.Class != osb.Done:
		case a.state == osb.Succeeded:
			m.tried.made, m.tried.fetch = true, false
		case a.state == osb.Failed:
			m.tried.repeat = true
		}
	}
	return m
}

func (m *bindingMemory) learnBind(call bindingCall, a bindingAnswer) {
	refused := a.Class == osb.Rejected || a.Class == osb.Gone || a.Class == osb.Conflict || a.Class == osb.NeedsAsync
	switch {
	case a.Class == osb.NeedsApp:
		m.app = true
	case a.Class == osb.Done && a.binding.Credentials != nil:
		m.told = &told{id: call.id, binding: a.binding}
	case a.Class == osb.Done && (a.binding.Created || call.clean && call.owned): // a service without credentials
		m.told = &told{id: call.id, binding: withoutCredentials(a.binding)}
	case a.Class == osb.Done, refused && call.again:
		m.tried.repeat = true
	case refused && call.predecessor != "":
		m.triedRotation = true
	}
}

// manyFetches is how often a binding that was just made is fetched although the broker
// does not know it yet.
const manyFetches = 3

func (m *bindingMemory) learnFetch(b *v1beta1.ServiceBinding, call bindingCall, a bindingAnswer) {
	made := m.tried.made
	m.tried.made = made && (!a.Sent || a.Class == osb.Gone || a.Class == osb.Concurrency) // else they may have been told, and lost
	patient := made && (b.Status.Attempts == nil || b.Status.Attempts.Count < manyFetches)
	switch {
	case a.Class == osb.Done && a.binding.Credentials != nil:
		m.told = &told{id: call.id, binding: a.binding}
	case a.Class == osb.Done && made: // a service without credentials
		m.told = &told{id: call.id, binding: withoutCredentials(a.binding)}
	case a.Class == osb.Done, a.Class == osb.Rejected, a.Class == osb.Gone && !patient:
		m.tried.fetch = true
	}
}

func withoutCredentials(b *osb.Binding) *osb.Binding {
	none := *b
	none.Credentials = json.RawMessage("{}")
	return &none
}
