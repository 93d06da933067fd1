// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package bindingrules

import (
	"time"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/bindingphase"
	"github.com/gophernetes/bellhop/internal/servicecatalog/operation"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Answer is the broker's answer to a request about a binding.
type Answer = operation.Answer

var kind = operation.Kind{
	Resource: "servicebinding", Noun: "binding",
	Removal: operation.Change{Name: "Unbind", Failed: v1beta1.ReasonUnbindCallFailed,
		Running: rules.ConditionSet{Reason: v1beta1.ReasonUnbinding, Message: "The binding is being removed asynchronously"}},
	WhileRemovalWaits: v1beta1.ConditionUnknown, HowToRetry: "change the annotation " + v1beta1.RebindAnnotation,
	HowToLeaveOut: "delete this ServiceBinding and create it again without the parameter, with the annotation " + v1beta1.SchemaPolicyAnnotation + " set to " + v1beta1.SchemaPolicyWarn + " on the new one or on the plan", // its spec cannot be changed
	Renew:         renew,
}

// renew drops the failures of another spec. The removals, and the resources that requests may have left, still count.
func renew(a *v1beta1.Attempts) {
	a.Misconfigured, a.OwnFault, a.FailingSince, a.LastError = 0, false, nil, ""
}

// application is the application of an answer to a status.
type application struct {
	operation.Application

	b      *v1beta1.ServiceBinding
	status v1beta1.ServiceBindingStatus
	phase  bindingphase.Phase
	call   Request
	record func(operation.Effect) // of an answer about Change
}

func newApplication(b *v1beta1.ServiceBinding, status v1beta1.ServiceBindingStatus, call Request, a Answer, now time.Time) *application {
	ap := &application{b: b, status: *status.DeepCopy(), phase: bindingphase.Of(&status), call: call}
	s := &ap.status
	ap.Application = operation.Application{
		Kind: &kind, Object: b, Common: s.Common(), Call: &ap.call.Request, Answer: a, Now: now,
		Attempted:      &v1beta1.AttemptedSpec{Generation: call.Generation, ParametersVersion: call.parametersVersion, ParametersDigest: call.parametersDigest},
		ConflictHeld:   ap.phase.IsConflictHeld(s.Attempts),
		KeepsLastError: ap.phase.IsMitigating() || s.Attempts != nil && s.Attempts.Stopped,
		Exists:         bindingphase.IsBound(s),
	}
	ap.Change, ap.record = &creation, ap.recordBind
	if call.IsRemoval() {
		ap.Change, ap.record = &kind.Removal, ap.recordRemoval
	}
	if ap.phase.IsMitigating() && !ap.IsDeleting() && !isPredecessor(s, call.ID) {
		ap.Mitigated = &v1beta1.LeftBehind{Target: call.Target}
	}
	return ap
}

// Apply returns the status after a request; status is the one before it, as the decision has it.
func Apply(b *v1beta1.ServiceBinding, status v1beta1.ServiceBindingStatus, call Request, a Answer, now time.Time) v1beta1.ServiceBindingStatus {
	if call.CleanUp {
		after := *status.DeepCopy()
		operation.ApplyCleanUp(b, after.Common(), &kind, &call.Request, a, now)
		return after
	}
	ap := newApplication(b, status, call, a, now)
	ap.status.ObservedGeneration = b.Generation
	ap.ForgetFormerRemoval()
	switch call.Operation {
	case rules.Bind, rules.Unbind, rules.Poll:
		if !IsSentAgain(&call, a) {
			ap.recordEffect(ap.Record())
		}
	case rules.Fetch:
		ap.applyFetch()
	case rules.Provision, rules.Update, rules.Deprovision, rules.Inspect:
		panic(rules.UnknownOperation("ServiceBinding", call.Operation))
	}
	return ap.encoded()
}

// IsSentAgain reports whether a request is sent again at once, with an application or with accepts_incomplete, as the broker requires.
func IsSentAgain(call *Request, a Answer) bool {
	return call.Operation == rules.Bind && a.Class == osbresult.NeedsApp || call.Operation == rules.Unbind && a.Class == osbresult.NeedsAsync
}

// recordEffect records the effect of an answer.
func (ap *application) recordEffect(effect operation.Effect) {
	switch effect.Result {
	case operation.Running, operation.Unanswered:
		ap.setConditions(ap.withRemovalText(effect.Conditions))
	default:
		ap.record(effect)
	}
}

// encoded returns the status with the phase.
func (ap *application) encoded() v1beta1.ServiceBindingStatus {
	ap.phase.Encode(&ap.status)
	return ap.status
}

// recordAccepted records that the broker has begun the asynchronous operation of a task.
func (ap *application) recordAccepted(task bindingphase.Task, set rules.ConditionSet) {
	if !ap.phase.Accepted { // polls name the plan of the beginning
		ap.BeginDeadline()
		ap.status.Target = new(ap.call.Target)
	}
	ap.phase = bindingphase.Phase{Task: task, Accepted: true}
	ap.RecordAccepted()
	set.Ready = v1beta1.ConditionFalse
	ap.setConditions(set)
}

// untilAsked says how a person repeats a request that was refused.
const untilAsked = " until the annotation " + v1beta1.RebindAnnotation + " changes"

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
	ap.setConditions(rules.Terminal(reason, failed, message))
}

// setConditions sets the conditions. As long as the Secret has valid credentials, the binding is Ready. Failures to replace them, to fetch them
// again, or to remove former ones do not change that. A failed removal of former ones does not replace a problem with the present ones in the
// conditions.
func (ap *application) setConditions(set rules.ConditionSet) {
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
