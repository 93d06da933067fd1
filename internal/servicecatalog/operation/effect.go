// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"unicode"

	"k8s.io/apimachinery/pkg/util/duration"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Result is the result of a request, or of the operation that it polls.
type Result int

const (
	// Done: the broker has carried out the request. A removal is done once it is confirmed, also by a poll.
	Done Result = iota + 1 // the zero value is no result
	// Accepted: the broker works on the request.
	Accepted
	// Running: the operation is in progress, and Unanswered: the poll has shown no state.
	Running
	Unanswered
	// Succeeded, Failed and Overdue: the operation that was polled has ended, or is in progress after its deadline. Failed is also a removal
	// request that has failed and is repeated.
	Succeeded
	Failed
	Overdue
	// Repeated: the request failed, and may have been carried out. It is repeated, or the resource at the broker is inspected first.
	Repeated
	// NoEffect: the request failed without an effect, and is repeated.
	NoEffect
	// Refused: the request is not repeated as it is.
	Refused
	// Kept: no successor replaces the resource for now. LeftOver: a failed request may have left the resource behind, which is removed.
	Kept
	LeftOver
	// GoneOnce: the broker has answered 410 Gone to a removal for the first time.
	GoneOnce
	// Waits: another operation comes before a removal.
	Waits
	// LeftBehind: the removal has failed for so long that the next attempt has another id.
	LeftBehind
)

// Effect has the result of an answer, as far as the kind has to record it.
type Effect struct {
	Result Result
	// Message describes the failure where the kind decides on the next step. Otherwise Conditions have it.
	Message    string
	Conditions rules.ConditionSet
}

// Record records the answer to a change, or to a poll of one, in the fields that all kinds have. It returns the effect that the kind has to record.
func (ap *Application) Record() Effect {
	switch {
	case ap.Call.Operation == rules.Poll:
		return ap.recordPoll()
	case ap.Call.IsRemoval():
		return ap.recordRemoval()
	}
	return ap.recordChange()
}

// recordChange records the answer to a request that creates or changes the resource.
func (ap *Application) recordChange() Effect {
	switch class := ap.Answer.Class; {
	case class == osbresult.Done:
		ap.confirmAddress()
		return Effect{Result: Done}
	case class == osbresult.Accepted:
		ap.confirmAddress()
		return Effect{Result: Accepted}
	case ap.Call.Repeat: // the resource that exists under the id is not affected
		return ap.repeat(Repeated)
	case class == osbresult.Unknown, class == osbresult.Malformed:
		mayHaveCreated := class == osbresult.Unknown && !ap.ConflictHeld // a malformed answer to a creation leaves nothing
		if !ap.Change.Creates || mayHaveCreated {
			ap.Attempts().Unknown++
		}
		return ap.repeat(Repeated)
	case class == osbresult.Conflict && ap.Change.Creates:
		return ap.recordConflict()
	case ap.Answer.IsRefusal(), class == osbresult.NeedsApp:
		return Effect{Result: Refused, Message: ap.DescribeHeld() + ap.callFailed(ap.DescribeOutcome()) + ap.adviseOnRequired()}
	}
	return ap.repeat(NoEffect)
}

// repeat records a failed request that is repeated.
func (ap *Application) repeat(result Result) Effect {
	return Effect{Result: result, Conditions: ap.RetryRequest(ap.Change.Name, ap.Change.reason(ap.Answer))}
}

// recordPoll records the answer to a poll.
func (ap *Application) recordPoll() Effect {
	a, isRemoval := ap.Answer, ap.Call.IsRemoval()
	if a.Class == osbresult.Done {
		rules.RecordAnswer(ap.Common.Attempts)
	}
	switch {
	case isRemoval && a.Class == osbresult.Gone:
		return ap.gone()
	case isRemoval && a.NotFound(): // it proves nothing; a broker that follows the specification answers the repeated request with 410
		return ap.removalFailed("The broker does not know the operation: " + ap.DescribeOutcome())
	case a.Class != osbresult.Done:
		return ap.unanswered()
	case a.State == osbresult.Succeeded && isRemoval:
		return ap.removed()
	case a.State == osbresult.Succeeded:
		return Effect{Result: Succeeded}
	case a.State == osbresult.InProgress && !ap.Call.IsOverdue: // only an answer can be overdue: without one the operation may have ended in time (R11)
		running := ap.Change.Running
		running.Ready, running.Message = v1beta1.ConditionFalse, rules.WithProgress(running.Message, a.OperationDescription)
		return Effect{Result: Running, Conditions: running}
	}
	result, message := Failed, ap.callFailed(cmp.Or(a.OperationDescription, "the broker reported no reason"))
	if a.State == osbresult.InProgress {
		result, message = Overdue, ap.callFailed("timed out after "+duration.ShortHumanDuration(ap.Call.MaxDuration))
	}
	if isRemoval {
		return ap.removalFailed(message)
	}
	if result == Failed {
		message += ap.adviseOnRequired()
	}
	return Effect{Result: result, Message: message}
}

// unanswered records a poll without a state. It is not counted, which would cost a write each time, unless polls are slow retries.
func (ap *Application) unanswered() Effect {
	set := rules.PollUnanswered(ap.DescribeOutcome(), ap.Call.IsOverdue)
	if ap.Answer.Misconfigured() {
		ap.ScheduleRetry(set.Message)
		set.Message = ap.WithNextAttempt(set.Message)
		set = ap.WithStalled(set)
	} else {
		set.Message += "; the next poll is within a minute, or once the broker answers other requests"
	}
	return Effect{Result: Unanswered, Conditions: set}
}

// adviseOnRequired returns advice for a person where the broker's refusal, or the failure of its operation, names a parameter that is sent because
// the plan's schema requires it; empty: it names no such parameter. The plan may set that parameter itself.
func (ap *Application) adviseOnRequired() string {
	if ap.Answer.Withheld {
		return ""
	}
	words := strings.FieldsFunc(ap.Answer.Description+" "+ap.Answer.OperationDescription, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-'
	})
	for _, name := range ap.Call.Required {
		if slices.Contains(words, name) {
			return fmt.Sprintf("; the plan's schema requires the parameter %q: if the broker does not accept it, %s", rules.DisplayName(name), ap.Kind.HowToLeaveOut)
		}
	}
	return ""
}
