// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import (
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// ApplyRemoval applies the answer to a request that removes the resource.
func (ap *Application) ApplyRemoval() {
	// The values of a binding's Secret, which is deleted first, are known for the redaction of the first answer only.
	message := rules.KeepDescription(callFailed(ap.Names.Remove, ap.DescribeOutcome()), ap.Kind.Attempts().LastError, ap.Answer.Outcome)
	switch ap.Answer.Class {
	case osbresult.Done:
		ap.recordRemoved()
	case osbresult.Gone:
		ap.recordGone()
	case osbresult.Accepted:
		ap.Kind.RecordRemovalAccepted()
	case osbresult.Concurrency: // the operation in progress goes on, and may change the plan
		if ap.leaveBehind(message) {
			return
		}
		ap.scheduleRemoval(message)
		ap.Kind.SetConditions(ap.removalFailed(ap.Names.WhileRemovalWaits, message))
	default:
		ap.RecordRemovalFailure(message)
	}
}

// RecordRemovalFailure records a removal that has failed, and is repeated, unless its id is left behind.
func (ap *Application) RecordRemovalFailure(message string) {
	if ap.leaveBehind(message) {
		return
	}
	ap.Kind.MarkForRepetition()
	ap.scheduleRemoval(message)
	if ap.Answer.Unfit() {
		ap.Common.Attempts.Refusals++
	}
	if ap.IsDeleting() {
		ap.Kind.BeginRemoval()
	}
	ap.Kind.SetConditions(ap.WithStalled(ap.removalFailed(v1beta1.ConditionUnknown, message)))
}

func (ap *Application) scheduleRemoval(message string) {
	ap.Kind.ContinueRemoval()
	ap.ScheduleRetry(message)
}

// removalFailed returns the conditions of a removal that is repeated.
func (ap *Application) removalFailed(ready v1beta1.ConditionStatus, message string) rules.ConditionSet {
	return ap.Kind.WithRemovalText(rules.ConditionSet{Ready: ready, Reason: ap.Names.RemoveFailed, Message: ap.WithNextAttempt(message)})
}
