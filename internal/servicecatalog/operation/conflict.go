// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import (
	"fmt"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound/limiter"
	"github.com/gophernetes/bellhop/internal/servicecatalog/osb/osbresult"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// A 409 says that the broker has something else under the id of a request to create the resource. This file records it, and returns the next step.
// recordChange records a 409 to a request with Repeat; the kind records the result of an inspection.

// Creation is the next step of the creation of a resource where an earlier request may have created it.
type Creation int

const (
	// NextRequest: the request is sent, for the first time or again.
	NextRequest Creation = iota
	// NextInspect: the resource that the broker has under the id is fetched, or polled.
	NextInspect
	// NextMitigate: the resource that the broker may have under the id is removed first; the caller checks whether this object may remove it.
	NextMitigate
)

// NextOfCreation returns the next step of a creation, by its attempts. isHeld: the broker has something that the record does not explain. isUnwanted:
// an earlier request was for something else, or its result cannot be used.
func NextOfCreation(a *v1beta1.Attempts, isHeld, canInspect, isUnwanted bool) Creation {
	isConflict := a != nil && a.Conflict
	switch {
	case isConflict && canInspect:
		return NextInspect
	case isConflict && !isHeld, isUnwanted, a != nil && a.Unknown > rules.MaxRepeatsAfter(a.Mitigation):
		return NextMitigate
	}
	return NextRequest
}

// recordConflict records a 409.
func (ap *Application) recordConflict() Effect {
	if ap.Call.Replaces {
		return ap.recordConflictOfSuccessor()
	}
	if ap.isTaken() {
		return Effect{Result: NoEffect, Conditions: ap.Retry(v1beta1.ReasonConflict, rules.SuppliedConflict("service "+ap.Kind.Noun, ap.Call.ID, ap.DescribeOutcome()))}
	}
	a := ap.Attempts()
	if !ap.Call.NothingAtBroker && !ap.ConflictHeld { // one of the requests on record may have been carried out
		a.Unknown++
	}
	a.Conflict = true // NextOfCreation returns the next step
	if a.Unknown == 0 && !ap.Call.Retrievable {
		return Effect{Result: Repeated, Conditions: ap.HoldConflict("another " + ap.Kind.Noun + ", which cannot be fetched: " + ap.DescribeOutcome())}
	}
	return Effect{Result: Repeated, Conditions: ap.RetryRequest(ap.Change.Name, v1beta1.ReasonConflict)}
}

// recordConflictOfSuccessor records a 409 to a request for the successor of a resource that is in use.
func (ap *Application) recordConflictOfSuccessor() Effect {
	message := ap.callFailed(ap.DescribeOutcome())
	switch {
	case ap.Call.NothingAtBroker: // no request on record has made the resource, so that it is not removed
		ap.Stop(message)
		return Effect{Result: Kept}
	case ap.Call.MayBeFetched():
		return Effect{Result: Repeated, Conditions: ap.RetryByFetch(message)}
	case ap.Attempts().Unknown == 0: // the record may be from a backup, and the credentials in use
		return Effect{Result: Kept, Message: fmt.Sprintf("%s; the broker has a %s under the id %q, which is retained: the outcome of no request in the status is unknown", message, ap.Kind.Noun, ap.Call.ID)}
	}
	return Effect{Result: LeftOver, Message: message}
}

// isTaken reports whether the answer is 409, and this object does not own the resource under the id.
func (ap *Application) isTaken() bool {
	return ap.Answer.Class == osbresult.Conflict && !ap.Call.Owned
}

// IsRefusal reports whether the broker refuses a request as it is.
func (a Answer) IsRefusal() bool {
	return a.Class == osbresult.Rejected || a.Class == osbresult.Conflict || a.Class == osbresult.Gone || a.Class == osbresult.NeedsAsync
}

// HoldConflict records that the broker has something that is neither used nor removed. It is looked at again from time to time.
func (ap *Application) HoldConflict(what string) rules.ConditionSet {
	ap.Attempts().Unknown = 0 // no request on record has created it
	return ap.RetrySlowly(v1beta1.ReasonConflict, rules.Conflict(ap.Kind.Resource, ap.Object, ap.Call.ID, what))
}

// isHeldByAnswer reports whether an answer has shown the resource that is neither used nor removed: HoldConflict has counted it as an answer that
// does not change soon. After an operation that failed unseen it is only possible that there is one.
func (ap *Application) isHeldByAnswer() bool {
	return ap.ConflictHeld && !ap.Call.IsRemoval() && rules.MisconfiguredAnswers(ap.Common.Attempts) > limiter.QuickRetries
}

// DescribeHeld returns a text about a resource at the broker that is neither used nor removed; empty: no answer has shown such a resource. The text
// precedes the message of a refusal, which would otherwise hide it.
func (ap *Application) DescribeHeld() string {
	if !ap.isHeldByAnswer() {
		return ""
	}
	return rules.Conflict(ap.Kind.Resource, ap.Object, ap.Call.ID, "something that no request in the status explains") + ". "
}

// RecordNoConflict records that the broker has nothing under the id after all.
func (ap *Application) RecordNoConflict() {
	a := ap.Attempts()
	a.Conflict, a.NextTime = false, nil
}
