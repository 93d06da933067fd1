// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Answer is the broker's answer to a request about a binding.
type Answer = operation.Answer

var names = operation.Names{
	Resource: "servicebinding", Noun: "binding",
	Remove: "Unbind", RemoveFailed: v1beta1.ReasonUnbindCallFailed,
	Removing:          rules.ConditionSet{Reason: v1beta1.ReasonUnbinding, Message: "The binding is being removed asynchronously"},
	WhileRemovalWaits: v1beta1.ConditionUnknown, HowToRetry: "change the annotation " + v1beta1.RebindAnnotation,
	HowToLeaveOut: "delete this ServiceBinding and create it again without the parameter, with the annotation " + v1beta1.SchemaPolicyAnnotation + " set to " + v1beta1.SchemaPolicyWarn + " on the new one or on the plan", // its spec cannot be changed
}

// application is the application of an answer to a status.
type application struct {
	operation.Application

	b      *v1beta1.ServiceBinding
	status v1beta1.ServiceBindingStatus
	phase  bindingphase.Phase
	call   Request
}

func newApplication(b *v1beta1.ServiceBinding, status v1beta1.ServiceBindingStatus, call Request, a Answer, now time.Time) *application {
	ap := &application{b: b, status: *status.DeepCopy(), phase: bindingphase.Of(&status), call: call}
	ap.Application = operation.Application{Kind: ap, Names: &names, Object: b, Common: ap.status.Common(), Call: &ap.call.Request, Answer: a, Now: now}
	return ap
}

// Apply returns the status after a request; status is the one before it, as the decision has it.
func Apply(b *v1beta1.ServiceBinding, status v1beta1.ServiceBindingStatus, call Request, a Answer, now time.Time) v1beta1.ServiceBindingStatus {
	if call.CleanUp {
		after := *status.DeepCopy()
		operation.ApplyCleanUp(b, after.Common(), &names, &call.Request, a, now)
		return after
	}
	ap := newApplication(b, status, call, a, now)
	ap.status.ObservedGeneration = b.Generation
	ap.ForgetFormerRemoval()
	switch call.Operation {
	case rules.Bind:
		ap.applyBind()
	case rules.Fetch:
		ap.applyFetch()
	case rules.Unbind:
		if a.Class != osbresult.NeedsAsync { // then it is repeated at once, with accepts_incomplete
			ap.ApplyRemoval()
		}
	case rules.Poll:
		ap.ApplyPoll()
	case rules.Provision, rules.Update, rules.Deprovision, rules.Inspect:
		panic(rules.UnknownOperation("ServiceBinding", call.Operation))
	}
	return ap.encoded()
}

// encoded returns the status with the phase.
func (ap *application) encoded() v1beta1.ServiceBindingStatus {
	ap.phase.Encode(&ap.status)
	return ap.status
}

// recordAccepted records that the broker has begun the asynchronous operation of a task.
func (ap *application) recordAccepted(task bindingphase.Task, set rules.ConditionSet) {
	if !ap.phase.Accepted { // the deadline counts from the acceptance, and polls name the plan of the beginning
		target := ap.call.Target
		ap.status.OperationStartTime, ap.status.Target = times.Timestamp(ap.Now), &target
	}
	ap.phase = bindingphase.Phase{Task: task, Accepted: true}
	ap.RecordAccepted()
	set.Ready = v1beta1.ConditionFalse
	ap.SetConditions(set)
}

// untilAsked says how a person repeats a request that was refused.
const untilAsked = " until the annotation " + v1beta1.RebindAnnotation + " changes"

// IsConflictHeld reports whether the broker has something under the id that the record does not show to be left over from this object.
func (ap *application) IsConflictHeld() bool { return ap.phase.IsConflictHeld(ap.status.Attempts) }

// IsSlow reports whether requests are retried slowly.
func (ap *application) IsSlow() bool { return bindingphase.IsSlow(&ap.status) }

// KeepsLastError reports whether the message of the attempts stays that of a refusal, or of what an orphan mitigation follows from.
func (ap *application) KeepsLastError() bool {
	return ap.phase.IsMitigating() || ap.Attempts().Stopped
}

// Attempts returns the attempts of the request's generation, and creates them if there are none.
func (ap *application) Attempts() *v1beta1.Attempts {
	if ap.status.Attempts == nil {
		ap.status.Attempts = &v1beta1.Attempts{}
	}
	a := ap.status.Attempts
	if a.Generation != ap.call.Generation { // the recorded ones are of another spec, or of before the deletion
		a.Misconfigured, a.OwnFault, a.FailingSince, a.LastError = 0, false, nil, ""
	}
	a.AttemptedSpec = v1beta1.AttemptedSpec{Generation: ap.call.Generation, ParametersVersion: ap.call.parametersVersion, ParametersDigest: ap.call.parametersDigest}
	return a
}

// stopRetrying ends the attempts.
func (ap *application) stopRetrying(reason, message string) {
	ap.stopRetryingAs(reason, reason, message)
}

func (ap *application) stopRetryingAs(reason, failed, message string) {
	ap.Stop(message)
	if ap.phase.IsReplacement() { // the credentials that were to be replaced stay
		return
	}
	ap.status.ReconciledGeneration = ap.call.Generation
	ap.SetConditions(rules.Terminal(reason, failed, message))
}

// SetConditions sets the conditions. As long as the Secret has valid credentials, the binding is Ready, whatever comes of their replacement,
// of fetching them again, or of the removal of those before them. That removal does not replace what is wrong with the present ones.
func (ap *application) SetConditions(set rules.ConditionSet) {
	s := &ap.status
	isOfPredecessor := isPredecessor(s, ap.call.ID) && !ap.IsDeleting()
	if isOfPredecessor && !rules.IsTrue(rules.FindCondition(s.Conditions, v1beta1.ConditionReady)) {
		return
	}
	if beside := ap.phase.IsReplacement() || ap.call.Recheck || isOfPredecessor; beside && bindingphase.IsDelivered(s) && !hasEnded(s, ap.Now) && !ap.IsDeleting() && set.Ready != v1beta1.ConditionTrue {
		set = stillInjectedConditions(rules.Uncapitalize(set.Message))
	}
	setBindingConditions(s, set, ap.Now)
}
