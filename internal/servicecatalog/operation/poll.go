// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import (
	"cmp"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// MakePoll makes the request a poll of an operation, which the broker has named.
func (r *Request) MakePoll(removal bool, operation string) {
	r.Operation, r.Removal, r.LastOperation = rules.Poll, removal, operation
}

// ApplyPoll applies the answer to a poll.
func (ap *Application) ApplyPoll() {
	a := ap.Answer
	if a.Class == osbresult.Done {
		rules.RecordAnswer(ap.Common.Attempts)
	}
	overdue := "timed out after " + duration.ShortHumanDuration(ap.Call.MaxDuration)
	failed := cmp.Or(a.OperationDescription, "the broker reported no reason")
	switch {
	case ap.Call.Removal:
		ap.applyPollOfRemoval(overdue, failed)
	case a.Class != osbresult.Done:
		ap.Kind.RecordUnanswered()
	case a.State == osbresult.InProgress:
		change := ap.Kind.Change()
		if ap.IsOverdue() {
			change.Overdue(callFailed(change.Name, overdue))
			return
		}
		ap.recordProgress(change.Running)
	case a.State == osbresult.Succeeded:
		ap.Kind.Change().Succeeded()
	default:
		change := ap.Kind.Change()
		change.OperationFailed(callFailed(change.Name, failed) + ap.adviseOnRequired())
	}
}

// applyPollOfRemoval applies the answer to a poll of a removal.
func (ap *Application) applyPollOfRemoval(overdue, failed string) {
	switch a := ap.Answer; {
	case a.Class == osbresult.Gone:
		ap.recordGone()
	case a.NotFound(): // it proves nothing; a broker that follows the specification answers the repeated request with 410
		ap.RecordRemovalFailure("The broker does not know the operation: " + ap.DescribeOutcome())
	case a.Class != osbresult.Done:
		ap.Kind.RecordUnanswered()
	case a.State == osbresult.InProgress && ap.IsOverdue():
		ap.RecordRemovalFailure(callFailed(ap.Names.Remove, overdue))
	case a.State == osbresult.InProgress:
		ap.recordProgress(ap.Names.Removing)
	case a.State == osbresult.Succeeded:
		ap.recordRemoved()
	default:
		ap.RecordRemovalFailure(callFailed(ap.Names.Remove, failed))
	}
}

// recordProgress records what the broker says of an operation in progress.
func (ap *Application) recordProgress(running rules.ConditionSet) {
	running.Ready = v1beta1.ConditionFalse
	running.Message = rules.WithProgress(running.Message, ap.Answer.OperationDescription)
	ap.Kind.SetConditions(ap.Kind.WithRemovalText(running))
}

// RecordUnanswered records a poll without a state. It is not counted, which would cost a write each time, unless polls are slow retries.
func (ap *Application) RecordUnanswered() {
	set := rules.PollUnanswered(ap.DescribeOutcome(), ap.IsOverdue())
	if ap.Answer.Misconfigured() {
		ap.ScheduleRetry(set.Message)
		set.Message = ap.WithNextAttempt(set.Message)
		set = ap.WithStalled(set)
	} else {
		set.Message += "; the next poll is within a minute, or once the broker answers other requests"
	}
	ap.Kind.SetConditions(ap.Kind.WithRemovalText(set))
}
