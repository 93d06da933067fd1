// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import (
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// recordRemoval records the answer to a request that removes the resource.
func (ap *Application) recordRemoval() Effect {
	// The values of a binding's Secret, which is deleted first, are known for the redaction of the first answer only.
	message := rules.KeepDescription(ap.callFailed(ap.DescribeOutcome()), ap.Attempts().LastError, ap.Answer.Outcome)
	switch ap.Answer.Class {
	case osbresult.Done:
		return ap.removed()
	case osbresult.Gone:
		return ap.gone()
	case osbresult.Accepted:
		return Effect{Result: Accepted}
	case osbresult.Concurrency: // the operation in progress goes on, and may change the plan
		return ap.retryRemoval(Waits, ap.Kind.WhileRemovalWaits, message)
	default:
		return ap.removalFailed(message)
	}
}

// removalFailed records a removal that has failed.
func (ap *Application) removalFailed(message string) Effect {
	effect := ap.retryRemoval(Failed, v1beta1.ConditionUnknown, message)
	if effect.Result == Failed && ap.Answer.Unfit() {
		ap.Common.Attempts.Refusals++
	}
	return effect
}

// retryRemoval records a removal that is repeated, unless its id is left behind.
func (ap *Application) retryRemoval(result Result, ready v1beta1.ConditionStatus, message string) Effect {
	if said := ap.leaveBehind(message); said != "" {
		return Effect{Result: LeftBehind, Message: said}
	}
	ap.ScheduleRetry(message)
	return Effect{Result: result, Conditions: rules.ConditionSet{Ready: ready, Reason: ap.Change.Failed, Message: ap.WithNextAttempt(message)}}
}
