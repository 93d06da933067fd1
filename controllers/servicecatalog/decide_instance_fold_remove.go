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
	"cmp"
	"fmt"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	osbresult "github.com/gophernetes/bellhop/internal/osb/result"
)

func (f *instanceFold) deprovision() {
	switch f.answer.Class {
	case osbresult.Done, osbresult.Gone:
		f.removed()
	case osbresult.Accepted:
		if f.isDeleting() {
			f.beginDeprovision()
		}
		f.status.OperationStartTime = timeOf(f.now) // one that took too long was asked for anew
		f.accept(f.removing(verdict{reason: v1beta1.ReasonDeprovisioning, message: "The instance is being deprovisioned asynchronously"}))
	case osbresult.Concurrency: // what is under way goes on, and may leave another plan
		message := "Deprovision call failed: " + f.words()
		f.later(message)
		f.say(f.removing(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonDeprovisionCallFailed, message: f.sayAttempt(message)}))
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
	if s.InProgressProperties == nil { // else it may have either
		s.InProgressProperties = s.ExternalProperties
	}
	s.CurrentOperation, s.OperationStartTime, s.OrphanMitigationInProgress = v1beta1.OperationDeprovision, timeOf(f.now), false
}

// removing keeps the conditions that say why something is being removed, and tells who
// waits for it what they can do.
func (f *instanceFold) removing(v verdict) verdict {
	v.mitigation = mitigationOf(f.status.Conditions)
	if f.isDeleting() {
		v.mitigation = nil
		v.message += ". " + howToLetGo(f.si)
	} else if f.isCleanup() {
		ready := v.ready
		v = cleanup(v.reason, cleaningUp+": "+v.message, f.status.Attempts, v.mitigation)
		v.ready = ready
	}
	return v
}

// removed is for a broker that confirmed that it has nothing any more.
func (f *instanceFold) removed() {
	s := &f.status
	f.end()
	s.ExternalProperties, s.CreatedForUID, s.DashboardURL = nil, "", nil
	s.ProvisionStatus, s.DeprovisionStatus = v1beta1.NotProvisioned, v1beta1.DeprovisionSucceeded
	if f.isDeleting() {
		f.say(verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonDeprovisionedSuccessfully, message: "The instance was deprovisioned successfully"})
		return
	}
	s.ExternalID = nextInstanceID(f.si, f.call.id) // a late removal by a former leader may still arrive
	countRemoval(f.attempts(), f.si.UID, f.now)
	f.say(cleaned("provisioned", v1beta1.ReasonClusterServiceBrokerReturnedFailure, f.status.Attempts))
}

// removalFailed is for a removal that has to be asked for again.
func (f *instanceFold) removalFailed(message string) {
	f.status.AsyncOpInProgress, f.status.LastOperation = false, nil
	if f.answer.InstanceUnusable {
		f.status.Unusable = true
	}
	f.later(message)
	if f.answer.Unfit() {
		f.status.Attempts.Refusals++
	}
	if f.isDeleting() {
		f.beginDeprovision()
	}
	f.say(f.retried(f.removing(verdict{ready: v1beta1.ConditionUnknown, reason: v1beta1.ReasonDeprovisionCallFailed, message: f.sayAttempt(message)})))
}

func (f *instanceFold) poll() {
	a := f.answer
	if a.Class == osbresult.Done {
		noteAnswer(f.status.Attempts)
	}
	switch {
	case f.call.removal && a.Class == osbresult.Gone:
		f.removed()
	case f.call.removal && a.NotFound(): // it proves nothing, but whoever knows the protocol says 410 to another request
		f.removalFailed("The broker does not know the operation: " + f.words())
	case a.Class != osbresult.Done:
		f.pollFailed()
	case a.state == osbresult.InProgress && f.isOverdue():
		f.operationOverdue()
	case a.state == osbresult.InProgress:
		f.progress()
	case a.state == osbresult.Succeeded:
		f.operationSucceeded()
	default:
		f.operationFailed()
	}
}

// pollFailed is for an operation of which it cannot be learned how far it is. It does
// not say how often, which would cost a write each time, unless polls are made seldom.
func (f *instanceFold) pollFailed() {
	if f.answer.Unfit() && f.call.guessed {
		f.attempts().Refusals++
	}
	if f.isDeleting() && !f.call.removal { // then not of what keeps the broker from the removal
		f.status.AsyncOpInProgress, f.status.LastOperation = false, nil
	}
	v := pollUnanswered(f.words(), f.isOverdue())
	if f.answer.Misconfigured() {
		f.later(v.message)
		v.message = f.sayAttempt(v.message)
		v = f.retried(v)
	}
	f.say(f.removing(v))
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
	v.message = sayProgress(v.message, f.answer.words)
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
	words := cmp.Or(f.answer.words, "the broker does not say why")
	switch {
	case f.call.removal:
		f.removalFailed("Deprovision call failed: " + words)
	case f.status.CurrentOperation == v1beta1.OperationUpdate:
		f.updateFailed("Update call failed: " + words)
	default:
		f.provisionFailed("Provision call failed: " + words)
	}
}

// operationOverdue ends an operation that is still in progress after its deadline. The broker
// may carry it out yet.
func (f *instanceFold) operationOverdue() {
	words := fmt.Sprintf("it was not finished within %s", f.call.limit)
	if f.status.CurrentOperation != v1beta1.OperationUpdate {
		f.provisionFailed("Provision call failed: " + words)
		return
	}
	f.status.AsyncOpInProgress, f.status.LastOperation = false, nil
	f.repeatSlowly(v1beta1.ReasonUpdateInstanceCallFailed, "Update call failed: "+words)
	f.status.Attempts.Unknown = max(f.status.Attempts.Unknown, 1)
}

// provisionFailed is for an asynchronous provision that has failed, or counts as failed.
func (f *instanceFold) provisionFailed(message string) {
	f.status.AsyncOpInProgress, f.status.LastOperation = false, nil
	if !f.call.owned || f.call.kept {
		f.repeatSlowly(v1beta1.ReasonProvisionCallFailed, message)
		return
	}
	f.attempts().LastTime = timeOf(f.now)
	f.startMitigation(word{v1beta1.ReasonProvisionCallFailed, message})
}
