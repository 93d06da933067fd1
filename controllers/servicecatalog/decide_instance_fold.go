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
	"strings"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/catalog"
	"github.com/gophernetes/bellhop/internal/osb"
)

// answer is what came of a call.
type answer struct {
	osb.Outcome
	// created: this very call has created what is there.
	created              bool
	dashboard, operation string
	// state and words are of a poll.
	state osb.State
	words string
	// instance is what an inspection found.
	instance *osb.Instance
}

// instanceFold takes an answer into a status.
type instanceFold struct {
	si     *v1beta1.ServiceInstance
	status v1beta1.ServiceInstanceStatus
	call   instanceCall
	answer answer
	now    time.Time
}

// foldInstance is the status after a call, where status is that before it.
func foldInstance(si *v1beta1.ServiceInstance, status v1beta1.ServiceInstanceStatus, call instanceCall, a answer, now time.Time) v1beta1.ServiceInstanceStatus {
	f := &instanceFold{si: si, status: *status.DeepCopy(), call: call, answer: a, now: now}
	if call.verb == poll {
		f.call.generation = status.ObservedGeneration // that of the operation: later ones are still to come
	}
	f.status.ObservedGeneration = f.call.generation
	switch call.verb {
	case provision:
		f.provision()
	case update:
		f.update()
	case deprovision:
		f.deprovision()
	case poll:
		f.poll()
	case inspect:
		f.inspect()
	default: // those of bindings
	}
	return f.status
}

// foldOverdue is the status once an operation has taken longer than it may.
func foldOverdue(si *v1beta1.ServiceInstance, status v1beta1.ServiceInstanceStatus, call instanceCall, limit time.Duration, now time.Time) v1beta1.ServiceInstanceStatus {
	call.verb = poll
	return foldInstance(si, status, call, answer{Outcome: osb.Outcome{Class: osb.Done}, state: osb.Failed,
		words: fmt.Sprintf("it was not finished within %s", limit)}, now)
}

// isDeleting says whether the object is being deleted.
func (f *instanceFold) isDeleting() bool { return !f.si.DeletionTimestamp.IsZero() }

func (f *instanceFold) provision() {
	switch f.answer.Class {
	case osb.Done:
		message := "The instance was provisioned successfully"
		switch {
		case f.answer.created:
			f.status.CreatedForUID = f.si.UID
		case !f.call.owned:
			message = fmt.Sprintf("The broker already had what is asked for, under the id %q that was brought along: it is used, and will be left as it is when this object is deleted", f.call.id)
		}
		f.succeed(v1beta1.ReasonProvisionedSuccessfully, message)
	case osb.Accepted:
		f.accept(verdict{reason: v1beta1.ReasonProvisioning, message: "The instance is being provisioned asynchronously"})
	case osb.Unknown, osb.Unusable:
		f.unsure("Provision", callReason(f.answer, v1beta1.ReasonErrorCallingProvision, v1beta1.ReasonProvisionCallFailed))
	case osb.Conflict:
		f.conflict()
	case osb.Rejected, osb.Gone, osb.NeedsAsync, osb.NeedsApp:
		f.rejected()
	default: // nothing has happened, and may later
		f.undo()
		f.again("Provision", callReason(f.answer, v1beta1.ReasonErrorCallingProvision, v1beta1.ReasonProvisionCallFailed))
	}
}

// callReason tells a request without an answer from one that was answered.
func callReason(a answer, unanswered, answered string) string {
	if a.Status == 0 {
		return unanswered
	}
	return answered
}

// succeed is for a broker that has what was asked for.
func (f *instanceFold) succeed(reason, message string) {
	s := &f.status
	if f.call.props != nil {
		s.ExternalProperties = f.call.props
	} else if s.InProgressProperties != nil {
		s.ExternalProperties = s.InProgressProperties
	}
	f.end()
	s.ProvisionStatus, s.DeprovisionStatus = v1beta1.Provisioned, v1beta1.DeprovisionRequired
	s.ReconciledGeneration = f.call.generation
	s.Attempts, s.Unusable, s.RefusedUpdate = nil, false, ""
	f.keepDashboard()
	f.say(verdict{ready: v1beta1.ConditionTrue, reason: reason, message: message})
}

// end has nothing under way any more.
func (f *instanceFold) end() {
	s := &f.status
	s.CurrentOperation, s.OperationStartTime, s.InProgressProperties = "", nil, nil
	s.AsyncOpInProgress, s.LastOperation, s.OrphanMitigationInProgress = false, nil, false
}

func (f *instanceFold) keepDashboard() {
	if f.answer.dashboard != "" {
		f.status.DashboardURL = &f.answer.dashboard
	}
}

// accept is for a broker that has begun.
func (f *instanceFold) accept(v verdict) {
	if !f.status.AsyncOpInProgress { // how long it was asked for before does not count
		f.status.OperationStartTime = timeOf(f.now)
	}
	f.status.AsyncOpInProgress, f.status.LastOperation = true, nil
	if f.answer.operation != "" {
		f.status.LastOperation = &f.answer.operation
	}
	f.keepDashboard()
	v.ready = v1beta1.ConditionFalse
	f.say(v)
}

// rejected is for a broker that refuses to provision. That says nothing of an earlier
// request that may have arrived.
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

// undo takes back what was put on record for a request that had no effect.
func (f *instanceFold) undo() {
	if f.call.clean {
		f.status.DeprovisionStatus = v1beta1.DeprovisionNotRequired
		f.end()
	}
}

// conflict is for a broker that has something else under the id.
func (f *instanceFold) conflict() {
	a := f.attempts()
	switch {
	case !f.call.owned:
		f.undo()
		message := fmt.Sprintf("the broker has another service instance under the id %q, which was brought along: %s", f.call.id, f.words())
		f.stop(v1beta1.ReasonProvisionCallFailed, v1beta1.ReasonClusterServiceBrokerReturnedFailure, message)
	case f.call.clean && a.Removals > 0: // it was removed, and the broker does not take it again
		f.status.ExternalID = catalog.NextID(f.si.UID, f.si.Spec.ExternalID, a.Removals)
		f.undo()
		f.again("Provision", v1beta1.ReasonProvisionCallFailed)
	default: // a request of ours that is not on record
		a.Conflict = true
		a.Unknown++
		f.again("Provision", v1beta1.ReasonProvisionCallFailed)
	}
}

// unsure is for a request of which it is not known what it did.
func (f *instanceFold) unsure(what, reason string) {
	a := f.attempts()
	if f.call.verb == update || f.answer.Class == osb.Unknown { // else nothing is left that a repeat would not find
		a.Unknown++
	}
	f.again(what, reason)
	if a.Count >= maxAttempts {
		f.giveUp(what)
	}
}

// giveUp ends the attempts of a generation.
func (f *instanceFold) giveUp(what string) {
	message := fmt.Sprintf("%s call failed %d times and is not tried any more until the spec changes: %s", what, f.status.Attempts.Count, f.words())
	f.stop(v1beta1.ReasonErrorReconciliationRetryTimeout, v1beta1.ReasonErrorReconciliationRetryTimeout, message)
}

// again is for a request that is going to be repeated.
func (f *instanceFold) again(what, reason string) {
	f.later()
	f.say(verdict{ready: v1beta1.ConditionFalse, reason: reason, message: f.failed(what + " call failed: " + f.words())})
}

// failed adds to a message which attempt it is about, and when the next one is made.
func (f *instanceFold) failed(message string) string {
	a := f.status.Attempts
	return fmt.Sprintf("%s (%s failed, the next is at %s)", message, ordinal(a.Count), when(a.NextTime.Time))
}

// later counts an attempt and says when the next one is made.
func (f *instanceFold) later() {
	a := f.attempts()
	a.Count++
	a.LastTime = timeOf(f.now)
	a.NextTime = timeOf(f.now.Add(max(backoff(f.si.UID, a.Count, f.answer.RetryAfter), time.Second)))
}

// attempts are those of the call's generation.
func (f *instanceFold) attempts() *v1beta1.Attempts {
	if f.status.Attempts == nil {
		f.status.Attempts = &v1beta1.Attempts{}
	}
	a := f.status.Attempts
	a.Generation = f.call.generation
	if f.call.props != nil {
		a.ParametersVersion = f.call.props.ParametersVersion
	}
	if f.call.unsure { // until one has succeeded
		a.Unknown = max(a.Unknown, 1)
	}
	return a
}

// stop has nothing tried any more for this generation.
func (f *instanceFold) stop(reason, failed, message string) {
	a := f.attempts()
	a.Stopped, a.NextTime, a.LastTime = true, nil, timeOf(f.now)
	f.say(verdict{ready: v1beta1.ConditionFalse, reason: reason, message: message, stalled: true, failed: &word{failed, message}})
}

// mayStartMitigation has removed what may have been left, where that may be.
func (f *instanceFold) mayStartMitigation(why word) {
	if f.call.owned && !f.call.kept {
		f.startMitigation(why)
	}
}

// startMitigation has removed what may have been left.
func (f *instanceFold) startMitigation(why word) {
	f.status.OrphanMitigationInProgress = true
	f.status.AsyncOpInProgress, f.status.LastOperation = false, nil
	f.status.OperationStartTime = timeOf(f.now)
	f.attempts().NextTime = nil
	failed, _ := kept(f.status.Conditions)
	f.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonStartingInstanceOrphanMitigation,
		message: "What may have been left at the broker is being removed: " + why.message, failed: failed, mitigation: &why})
}

func (f *instanceFold) update() {
	switch f.answer.Class {
	case osb.Done:
		f.succeed(v1beta1.ReasonInstanceUpdatedSuccessfully, "The instance was updated successfully")
	case osb.Accepted:
		f.attempts()
		f.accept(verdict{reason: v1beta1.ReasonUpdatingInstance, message: "The instance is being updated asynchronously"})
	case osb.Rejected, osb.Conflict, osb.Gone, osb.NeedsAsync, osb.NeedsApp:
		f.updateFailed("Update call failed: " + f.words())
	case osb.Unknown, osb.Unusable:
		f.unsure("Update", callReason(f.answer, v1beta1.ReasonErrorCallingUpdateInstance, v1beta1.ReasonUpdateInstanceCallFailed))
	default:
		if !f.call.unsure && !f.answer.BrokerFailed() { // nothing has happened
			f.end()
		}
		f.again("Update", callReason(f.answer, v1beta1.ReasonErrorCallingUpdateInstance, v1beta1.ReasonUpdateInstanceCallFailed))
	}
}

// updateFailed is for an update that was not carried out: the broker has what it had.
func (f *instanceFold) updateFailed(message string) {
	if f.answer.UpdateNotRepeatable {
		f.status.RefusedUpdate = fingerprint(held(f.status.InProgressProperties))
	}
	if f.answer.InstanceUnusable {
		f.status.Unusable = true
		message += "; the broker says that the instance cannot be used until it is repaired or deleted"
	}
	version := held(f.status.InProgressProperties).ParametersVersion
	f.end()
	f.stop(v1beta1.ReasonUpdateInstanceCallFailed, v1beta1.ReasonUpdateInstanceCallFailed, message)
	f.status.Attempts.ParametersVersion = version
}

func (f *instanceFold) deprovision() {
	switch f.answer.Class {
	case osb.Done, osb.Gone:
		f.removed()
	case osb.Accepted:
		if f.isDeleting() {
			f.beginDeprovision()
		}
		f.status.OperationStartTime = timeOf(f.now) // one that took too long was asked for anew
		f.accept(f.removing(verdict{reason: v1beta1.ReasonDeprovisioning, message: "The instance is being deprovisioned asynchronously"}))
	case osb.Concurrency: // what is under way goes on, and may leave another plan
		f.later()
		f.say(f.removing(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonDeprovisionCallFailed, message: f.failed("Deprovision call failed: " + f.words())}))
	default:
		f.removalFailed("Deprovision call failed: " + f.words())
	}
}

// beginDeprovision says that the broker works on it since now.
func (f *instanceFold) beginDeprovision() {
	s := &f.status
	if s.CurrentOperation == v1beta1.OperationDeprovision {
		return
	}
	if s.ExternalProperties != nil && s.CurrentOperation != v1beta1.OperationUpdate { // else it may have either
		s.InProgressProperties = s.ExternalProperties
	}
	s.CurrentOperation, s.OperationStartTime, s.OrphanMitigationInProgress = v1beta1.OperationDeprovision, timeOf(f.now), false
}

// removing keeps the conditions that say why something is being removed, and tells who
// waits for it what they can do.
func (f *instanceFold) removing(v verdict) verdict {
	v.failed, v.mitigation = kept(f.status.Conditions)
	if f.isDeleting() {
		v.mitigation = nil
		v.message += ". " + howToLetGo(f.si)
	}
	return v
}

// removed is for a broker that confirmed that it has nothing any more.
func (f *instanceFold) removed() {
	s := &f.status
	stopped := s.Attempts != nil && s.Attempts.Stopped
	f.end()
	s.ExternalProperties, s.CreatedForUID, s.DashboardURL = nil, "", nil
	s.ProvisionStatus, s.DeprovisionStatus = v1beta1.NotProvisioned, v1beta1.DeprovisionSucceeded
	if f.isDeleting() {
		f.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonDeprovisionedSuccessfully, message: "The instance was deprovisioned successfully"})
		return
	}
	a := f.attempts()
	a.Removals++
	a.Refusals, a.Unknown, a.Conflict, a.NextTime = 0, 0, false, timeOf(f.now.Add(backoff(f.si.UID, a.Removals, 0)))
	failed, _ := kept(s.Conditions)
	v := verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonOrphanMitigationSuccessful, message: "Nothing is left at the broker", failed: failed, stalled: stopped}
	switch {
	case stopped:
		a.NextTime = nil
	case a.Removals >= maxRemovals:
		a.Stopped, a.NextTime, v.stalled = true, nil, true
		v.failed = &word{v1beta1.ReasonErrorReconciliationRetryTimeout, fmt.Sprintf("Provision call failed and was cleaned up %d times; it is not tried any more until the spec changes", a.Removals)}
	default:
		v.message += ", and it is provisioned anew at " + when(a.NextTime.Time)
	}
	f.say(v)
}

// removalFailed is for a removal that has to be asked for again.
func (f *instanceFold) removalFailed(message string) {
	f.status.AsyncOpInProgress, f.status.LastOperation = false, nil
	if f.answer.InstanceUnusable {
		f.status.Unusable = true
	}
	f.later()
	if f.answer.Class == osb.Rejected {
		f.status.Attempts.Refusals++
	}
	if f.isDeleting() {
		f.beginDeprovision()
	}
	f.say(f.removing(verdict{ready: v1beta1.ConditionUnknown, reason: v1beta1.ReasonDeprovisionCallFailed, message: f.failed(message)}))
}

func (f *instanceFold) poll() {
	a := f.answer
	switch {
	case f.call.removal && a.Class == osb.Gone:
		f.removed()
	case f.call.removal && a.NotFound(): // it proves nothing, but whoever knows the protocol says 410 to another request
		f.removalFailed("The broker does not know the operation: " + f.words())
	case a.Class != osb.Done:
		f.pollFailed()
	case a.state == osb.InProgress:
		f.progress()
	case a.state == osb.Succeeded:
		f.operationSucceeded()
	default:
		f.operationFailed()
	}
}

// pollFailed is for an operation of which it cannot be learned how far it is. It does
// not say how often: that would cost a write each time.
func (f *instanceFold) pollFailed() {
	if f.isDeleting() && !f.call.removal { // then not of what keeps the broker from the removal
		f.status.AsyncOpInProgress, f.status.LastOperation = false, nil
	}
	f.say(f.removing(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonErrorPollingLastOperation,
		message: "The broker was asked how far the operation is, and did not say: " + f.words()}))
}

// progress repeats what the broker says about how far it is.
func (f *instanceFold) progress() {
	v := verdict{ready: v1beta1.ConditionFalse}
	switch {
	case f.call.removal:
		v.reason, v.message = v1beta1.ReasonDeprovisioning, "The instance is being deprovisioned asynchronously"
	case f.status.CurrentOperation == v1beta1.OperationUpdate:
		v.reason, v.message = v1beta1.ReasonUpdatingInstance, "The instance is being updated asynchronously"
	default:
		v.reason, v.message = v1beta1.ReasonProvisioning, "The instance is being provisioned asynchronously"
	}
	if f.answer.words != "" {
		v.message += " (" + f.answer.words + ")"
	}
	f.say(f.removing(v))
}

func (f *instanceFold) operationSucceeded() {
	switch {
	case f.call.removal:
		f.removed()
	case f.status.CurrentOperation == v1beta1.OperationUpdate:
		f.succeed(v1beta1.ReasonInstanceUpdatedSuccessfully, "The instance was updated successfully")
	default:
		f.status.CreatedForUID = f.si.UID
		f.succeed(v1beta1.ReasonProvisionedSuccessfully, "The instance was provisioned successfully")
	}
}

func (f *instanceFold) operationFailed() {
	words := f.answer.words
	if words == "" {
		words = "the broker does not say why"
	}
	switch {
	case f.call.removal:
		f.removalFailed("Deprovision call failed: " + words)
	case f.status.CurrentOperation == v1beta1.OperationUpdate:
		f.updateFailed("Update call failed: " + words)
	default:
		message := "Provision call failed: " + words
		f.status.AsyncOpInProgress, f.status.LastOperation = false, nil
		f.stop(v1beta1.ReasonProvisionCallFailed, v1beta1.ReasonProvisionCallFailed, message)
		f.mayStartMitigation(word{v1beta1.ReasonProvisionCallFailed, message})
	}
}

// inspect is for what a broker has under our id that is not what was asked for.
func (f *instanceFold) inspect() {
	a := f.attempts()
	why := word{v1beta1.ReasonProvisionCallFailed, "the broker has something else under the id, from an earlier form of the spec"}
	switch found := f.answer.instance; {
	case f.answer.Class == osb.Gone: // after all, nothing
		a.Conflict, a.NextTime = false, nil
	case f.answer.Class == osb.Done && found != nil && found.PlanID != "" && found.PlanID == planIDOf(f.call.props):
		f.adopt()
	case f.answer.Class == osb.Done && f.answer.state == osb.InProgress, f.answer.Class == osb.Retry, f.answer.Class == osb.Concurrency:
		f.again("Provision", v1beta1.ReasonProvisionCallFailed)
	case f.answer.Class == osb.Done && found != nil && found.PlanID != "" && !f.call.kept: // now it is known which one is to be removed
		s := *f.call.props
		if s.ServicePlanExternalID != "" {
			s.ServicePlanExternalName, s.ServicePlanExternalID = "", found.PlanID
		} else {
			s.ClusterServicePlanExternalName, s.ClusterServicePlanExternalID = "", found.PlanID
		}
		f.status.InProgressProperties = &s
		f.startMitigation(why)
	case f.call.kept:
		f.stop(why.reason, v1beta1.ReasonClusterServiceBrokerReturnedFailure, why.message+"; as the deletion policy is Retain, it is left there")
	default:
		f.startMitigation(why)
	}
}

// adopt takes what the broker has for the instance: it is ours, from an earlier form of
// the spec. What differs is brought up to date.
func (f *instanceFold) adopt() {
	s := &f.status
	found := *f.call.props
	found.Parameters, found.ParameterChecksum, found.ParametersVersion = nil, "", ""
	found.MaintenanceVersion = f.answer.instance.MaintenanceVersion
	s.ExternalProperties, s.ProvisionStatus, s.DeprovisionStatus = &found, v1beta1.Provisioned, v1beta1.DeprovisionRequired
	f.end()
	s.CurrentOperation = v1beta1.OperationUpdate // so that all is sent
	s.Attempts = nil
	f.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonUpdateInstanceRequestInFlight, message: "What the broker has from an earlier form of the spec is being updated"})
}

// words are what the broker said, for people.
func (f *instanceFold) words() string { return sayOutcome(f.answer.Outcome) }

// sayOutcome puts an outcome into words.
func sayOutcome(o osb.Outcome) string {
	var parts []string
	if o.Status != 0 {
		parts = append(parts, fmt.Sprintf("HTTP %d", o.Status))
	}
	if o.Code != "" {
		parts = append(parts, o.Code)
	}
	said := strings.Join(parts, " ")
	switch {
	case said == "":
		return o.Description
	case o.Description == "":
		return said
	}
	return said + ": " + o.Description
}

func (f *instanceFold) say(v verdict) { setInstanceConditions(&f.status, v, f.now) }
