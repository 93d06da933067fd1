// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import (
	"fmt"
	"slices"
	"strings"
	"unicode"

	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Change is an operation that creates or changes a resource: its words, its reasons, and what a kind records of each outcome.
type Change struct {
	// Name is its name in messages, such as "Provision".
	Name string
	// Unanswered and Failed are the reasons of a request without an answer, and of one that was answered and not carried out.
	Unanswered, Failed string
	// Running has the reason and the message while the broker works on it.
	Running rules.ConditionSet
	// CountsEach: each request with an unknown outcome counts. Otherwise those do not that a repeat finds, as they create the resource.
	CountsEach bool

	// Done records that the request was carried out, and Accepted that the broker works on it.
	Done, Accepted func()
	// Refused records a refusal of the request, which is not repeated as it is, and NoEffect a request that had no effect, and is repeated.
	Refused  func(message string)
	NoEffect func()
	// Conflict records that the broker has something else under the id; nil: that is a refusal.
	Conflict func()
	// Succeeded and OperationFailed record the end of the operation that is polled, and Overdue that it is still in progress after its deadline.
	Succeeded                func()
	OperationFailed, Overdue func(message string)
}

// reason returns the reason of a request that was not carried out.
func (c *Change) reason(a Answer) string {
	if a.Status == 0 {
		return c.Unanswered
	}
	return c.Failed
}

// adviseOnRequired returns what a person can do where the broker's refusal, or the failure of its operation, names a parameter that is sent
// because the plan's schema requires it; empty: it names none. The plan may set that parameter itself.
func (ap *Application) adviseOnRequired() string {
	if ap.Answer.Withheld {
		return ""
	}
	words := strings.FieldsFunc(ap.Answer.Description+" "+ap.Answer.OperationDescription, func(r rune) bool {
		return !unicode.IsLetter(r) && !unicode.IsDigit(r) && r != '_' && r != '-'
	})
	for _, name := range ap.Call.Required {
		if slices.Contains(words, name) {
			return fmt.Sprintf("; the plan's schema requires the parameter %q: if the broker does not accept it, %s", rules.DisplayName(name), ap.Names.HowToLeaveOut)
		}
	}
	return ""
}

// ApplyChange applies the answer to a request that creates or changes the resource.
func (ap *Application) ApplyChange() {
	change := ap.Kind.Change()
	switch class := ap.Answer.Class; {
	case class == osbresult.Done:
		ap.confirmAddress()
		change.Done()
	case class == osbresult.Accepted:
		ap.confirmAddress()
		change.Accepted()
	case class == osbresult.Unknown, class == osbresult.Malformed:
		if change.CountsEach || class == osbresult.Unknown && !ap.Kind.IsConflictHeld() {
			ap.Kind.Attempts().Unknown++
		}
		ap.RecordRetry(change.Name, change.reason(ap.Answer))
	case class == osbresult.Conflict && change.Conflict != nil:
		change.Conflict()
	case class == osbresult.Rejected, class == osbresult.Conflict, class == osbresult.Gone, class == osbresult.NeedsAsync, class == osbresult.NeedsApp:
		change.Refused(callFailed(change.Name, ap.DescribeOutcome()) + ap.adviseOnRequired())
	default:
		change.NoEffect()
		ap.RecordRetry(change.Name, change.reason(ap.Answer))
	}
}
