// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package instancerules

import (
	"cmp"
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Answer is the broker's answer to a request about an instance.
type Answer = operation.Answer

var kind = operation.Kind{
	Resource: "serviceinstance", Noun: "instance",
	Removal: operation.Change{Name: "Deprovision", Failed: v1beta1.ReasonDeprovisionCallFailed,
		Running: rules.ConditionSet{Reason: v1beta1.ReasonDeprovisioning, Message: "The instance is being deprovisioned asynchronously"}},
	WhileRemovalWaits: v1beta1.ConditionFalse, HowToRetry: "change the spec, or increase spec.updateRequests,",
	HowToLeaveOut: "leave it out, and set the annotation " + v1beta1.SchemaPolicyAnnotation + " to " + v1beta1.SchemaPolicyWarn + " on this object or its plan",
	Renew:         renew,
}

// renew resets the attempts at another spec, except for the fields about resources that their requests may have left at the broker.
func renew(a *v1beta1.Attempts) {
	*a = v1beta1.Attempts{
		Backoff:        v1beta1.Backoff{NextTime: a.NextTime},
		Outcome:        v1beta1.Outcome{Stopped: a.Stopped, Unknown: a.Unknown, Conflict: a.Conflict},
		CandidatePlans: a.CandidatePlans,
	}
}

// application is the application of an answer to a status.
type application struct {
	operation.Application

	si     *v1beta1.ServiceInstance
	status v1beta1.ServiceInstanceStatus
	phase  Phase
	call   Request
	record func(operation.Effect) // of an answer about Change
}

func newApplication(si *v1beta1.ServiceInstance, status v1beta1.ServiceInstanceStatus, call Request, a Answer, now time.Time) *application {
	ap := &application{si: si, status: *status.DeepCopy(), phase: PhaseOf(&status), call: call}
	s := &ap.status
	ap.Application = operation.Application{Kind: &kind, Object: si, Common: s.Common(), Call: &ap.call.Request, Answer: a, Now: now, ConflictHeld: isConflictHeld(s)}
	switch {
	case call.IsRemoval():
		ap.Change, ap.record = &kind.Removal, ap.recordRemoval
	case call.Operation == rules.Update, ap.phase == Updating.accepted():
		ap.Change, ap.record = &update, ap.recordUpdate
	default:
		ap.Change, ap.record = &provision, ap.recordProvision
	}
	if call.Operation == rules.Poll || ap.isMitigation() {
		ap.call.Generation = status.ObservedGeneration // of the operation: later generations are still to come
	}
	if ap.isMitigation() {
		ap.Mitigated, ap.KeepsLastError = ap.location(), true
		return ap
	}
	sent := rules.NonNil(cmp.Or(call.Properties, s.InProgressProperties))
	ap.Attempted = &v1beta1.AttemptedSpec{Generation: ap.call.Generation, ParametersVersion: sent.ParametersVersion, ParametersDigest: sent.ParametersDigest}
	return ap
}

// Apply returns the status after a request; status is the one before it, as the decision has it.
func Apply(si *v1beta1.ServiceInstance, status v1beta1.ServiceInstanceStatus, call Request, a Answer, now time.Time) v1beta1.ServiceInstanceStatus {
	if call.CleanUp {
		after := *status.DeepCopy()
		operation.ApplyCleanUp(si, after.Common(), &kind, &call.Request, a, now)
		return after
	}
	ap := newApplication(si, status, call, a, now)
	ap.status.ObservedGeneration = ap.call.Generation
	ap.ForgetFormerRemoval()
	switch call.Operation {
	case rules.Update:
		ap.status.Unusable = ap.status.Unusable || a.InstanceUnusable
		if call.OutcomeUnknown && a.Class != osbresult.Done { // until an update has succeeded
			attempts := ap.Attempts()
			attempts.Unknown = max(attempts.Unknown, 1)
		}
		ap.recordEffect(ap.Record())
	case rules.Provision, rules.Deprovision, rules.Poll:
		ap.recordEffect(ap.Record())
	case rules.Inspect:
		ap.applyInspection()
	case rules.Bind, rules.Unbind, rules.Fetch:
		panic(rules.UnknownOperation("ServiceInstance", call.Operation))
	}
	ap.phase.encode(&ap.status)
	return ap.status
}

// isMitigation reports whether the request is part of an orphan mitigation.
func (ap *application) isMitigation() bool { return ap.call.IsRemoval() && !ap.IsDeleting() }

// recordEffect records the effect of an answer.
func (ap *application) recordEffect(effect operation.Effect) {
	switch effect.Result {
	case operation.Running:
		ap.setConditions(ap.withRemovalText(effect.Conditions))
	case operation.Unanswered:
		ap.recordUnanswered(effect)
	default:
		ap.record(effect)
	}
}

// recordSuccess records that the broker has the requested state.
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
	ap.setConditions(rules.ConditionSet{Ready: v1beta1.ConditionTrue, Reason: reason, Message: message})
}

func (ap *application) recordDashboard() {
	if ap.Answer.DashboardURL != "" {
		ap.status.DashboardURL = &ap.Answer.DashboardURL
	}
}

// recordAccepted records an asynchronous operation that the broker has begun.
func (ap *application) recordAccepted(set rules.ConditionSet) {
	if !ap.phase.Accepted {
		ap.BeginDeadline()
	}
	ap.phase.Accepted = true
	ap.RecordAccepted()
	ap.recordDashboard()
	set.Ready = v1beta1.ConditionFalse
	ap.setConditions(set)
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
	ap.setConditions(rules.Terminal(reason, failed, message))
}

// setConditions sets the conditions.
func (ap *application) setConditions(set rules.ConditionSet) {
	SetConditions(&ap.status, set, ap.Now)
}
