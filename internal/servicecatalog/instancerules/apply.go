// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"cmp"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Answer is the broker's answer to a request about an instance.
type Answer = operation.Answer

var names = operation.Names{
	Resource: "serviceinstance", Noun: "instance",
	Remove: "Deprovision", RemoveFailed: v1beta1.ReasonDeprovisionCallFailed,
	Removing:          rules.ConditionSet{Reason: v1beta1.ReasonDeprovisioning, Message: "The instance is being deprovisioned asynchronously"},
	WhileRemovalWaits: v1beta1.ConditionFalse, HowToRetry: "change the spec, or increase spec.updateRequests,",
	HowToLeaveOut: "leave it out, and set the annotation " + v1beta1.SchemaPolicyAnnotation + " to " + v1beta1.SchemaPolicyWarn + " on this object or its plan",
}

// application is the application of an answer to a status.
type application struct {
	operation.Application

	si     *v1beta1.ServiceInstance
	status v1beta1.ServiceInstanceStatus
	phase  Phase
	call   Request
}

// Apply returns the status after a request; status is the one before it, as the decision has it.
func Apply(si *v1beta1.ServiceInstance, status v1beta1.ServiceInstanceStatus, call Request, a Answer, now time.Time) v1beta1.ServiceInstanceStatus {
	if call.CleanUp {
		after := *status.DeepCopy()
		operation.ApplyCleanUp(si, after.Common(), &names, &call.Request, a, now)
		return after
	}
	ap := &application{si: si, status: *status.DeepCopy(), phase: PhaseOf(&status), call: call}
	ap.Application = operation.Application{Kind: ap, Names: &names, Object: si, Common: ap.status.Common(), Call: &ap.call.Request, Answer: a, Now: now}
	if call.Operation == rules.Poll || ap.IsMitigation() {
		ap.call.Generation = status.ObservedGeneration // of the operation: later generations are still to come
	}
	ap.status.ObservedGeneration = ap.call.Generation
	ap.ForgetFormerRemoval()
	switch call.Operation {
	case rules.Provision:
		ap.ApplyChange()
	case rules.Update:
		ap.status.Unusable = ap.status.Unusable || ap.Answer.InstanceUnusable
		ap.ApplyChange()
	case rules.Deprovision:
		ap.ApplyRemoval()
	case rules.Poll:
		ap.ApplyPoll()
	case rules.Inspect:
		ap.applyInspection()
	case rules.Bind, rules.Unbind, rules.Fetch:
		panic(rules.UnknownOperation("ServiceInstance", call.Operation))
	}
	ap.phase.encode(&ap.status)
	return ap.status
}

// IsMitigation reports whether the request is part of an orphan mitigation.
func (ap *application) IsMitigation() bool {
	return (ap.call.Operation == rules.Deprovision || ap.call.Removal) && !ap.IsDeleting()
}

// recordSuccess records that the broker has what was requested.
func (ap *application) recordSuccess(reason, message string) {
	s := &ap.status
	if ap.call.Properties != nil {
		s.ExternalProperties = ap.call.Properties
	} else if s.InProgressProperties != nil {
		s.ExternalProperties = s.InProgressProperties
	}
	ap.phase = Provisioned
	s.ReconciledGeneration = ap.call.Generation
	s.Attempts, s.Unusable, s.RefusedUpdate = nil, false, ""
	ap.recordDashboard()
	ap.SetConditions(rules.ConditionSet{Ready: v1beta1.ConditionTrue, Reason: reason, Message: message})
}

func (ap *application) recordDashboard() {
	if ap.Answer.DashboardURL != "" {
		ap.status.DashboardURL = &ap.Answer.DashboardURL
	}
}

// recordAccepted records an asynchronous operation that the broker has begun.
func (ap *application) recordAccepted(set rules.ConditionSet) {
	if !ap.phase.IsAccepted() { // the deadline counts from the acceptance
		ap.status.OperationStartTime = times.Timestamp(ap.Now)
	}
	ap.phase = ap.phase.accepted()
	ap.RecordAccepted()
	ap.recordDashboard()
	set.Ready = v1beta1.ConditionFalse
	ap.SetConditions(set)
}

// IsConflictHeld reports whether the broker has something under the id that the record does not show to be left over from this object.
func (ap *application) IsConflictHeld() bool { return isConflictHeld(&ap.status) }

// IsSlow reports whether requests are retried slowly.
func (ap *application) IsSlow() bool { return rules.IsSlow(ap.status.Attempts) }

// KeepsLastError reports whether the message of the attempts stays that of what an orphan mitigation follows from.
func (ap *application) KeepsLastError() bool { return ap.IsMitigation() }

// Attempts returns the attempts of the request's generation, or of the failure that is mitigated; it creates them if there are none.
func (ap *application) Attempts() *v1beta1.Attempts {
	if ap.status.Attempts == nil {
		ap.status.Attempts = &v1beta1.Attempts{AttemptedSpec: v1beta1.AttemptedSpec{Generation: ap.call.Generation}}
	}
	a := ap.status.Attempts
	if ap.IsMitigation() {
		return a
	}
	if a.Generation != ap.call.Generation { // the recorded ones are of another spec
		*a = v1beta1.Attempts{
			AttemptedSpec:  v1beta1.AttemptedSpec{Generation: ap.call.Generation},
			Backoff:        v1beta1.Backoff{NextTime: a.NextTime},
			Outcome:        v1beta1.Outcome{Stopped: a.Stopped, Unknown: a.Unknown, Conflict: a.Conflict},
			CandidatePlans: a.CandidatePlans,
		}
	}
	sent := rules.NonNil(cmp.Or(ap.call.Properties, ap.status.InProgressProperties))
	a.ParametersVersion, a.ParametersDigest = sent.ParametersVersion, sent.ParametersDigest
	if ap.call.OutcomeUnknown { // until an update has succeeded
		a.Unknown = max(a.Unknown, 1)
	}
	return a
}

// tryAgain says how a person repeats a request that was refused.
const tryAgain = "; it is not retried until the spec or a Secret of parametersFrom changes: increase spec.updateRequests to repeat it unchanged"

// stopRetrying ends the attempts for this generation.
func (ap *application) stopRetrying(reason, failed, message string) {
	if ap.Answer.UpdateNotRepeatable {
		message += "; the broker reported that this change must not be repeated: change plan or parameters to something else"
	} else {
		message += tryAgain
	}
	ap.Stop(message)
	ap.SetConditions(rules.Terminal(reason, failed, message))
}

// SetConditions sets the conditions.
func (ap *application) SetConditions(set rules.ConditionSet) {
	SetConditions(&ap.status, set, ap.Now)
}
