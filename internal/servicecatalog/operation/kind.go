// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import (
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Names are the words for a kind in messages, and its reasons.
type Names struct {
	// Resource is the kind's resource in commands of kubectl, such as "serviceinstance", and Noun what the broker has, such as "instance".
	Resource, Noun string
	// Remove is the name of the request that removes it, such as "Deprovision", and RemoveFailed the reason where it was not carried out.
	Remove, RemoveFailed string
	// Removing has the reason and the message while the broker works on the removal.
	Removing rules.ConditionSet
	// WhileRemovalWaits is the status of Ready while the broker carries out another operation before a removal.
	WhileRemovalWaits v1beta1.ConditionStatus
	// HowToRetry says how a person has requests repeated, as part of a sentence.
	HowToRetry string
	// HowToLeaveOut says how a person leaves out a parameter that the plan's schema requires, as part of a sentence.
	HowToLeaveOut string
}

// Kind is what differs between the kinds of objects where an answer is applied.
type Kind interface {
	// Change returns the operation of a request that creates or changes the resource, or that is polled and is no removal.
	Change() Change
	// Attempts returns the attempts that the request counts for, and creates them if there are none.
	Attempts() *v1beta1.Attempts
	// IsConflictHeld reports whether the broker has something under the id that the record does not show to be left over from this object.
	IsConflictHeld() bool
	// MarkNothingSent removes the operation from the record of a request that had no effect.
	MarkNothingSent()
	// IsSlow reports whether requests are retried slowly.
	IsSlow() bool
	// KeepsLastError reports whether the message of the attempts stays that of what an orphan mitigation follows from.
	KeepsLastError() bool
	// SetConditions sets the conditions, and WithRemovalText adds to them why a removal was begun.
	SetConditions(rules.ConditionSet)
	WithRemovalText(rules.ConditionSet) rules.ConditionSet
	// RecordRemoved records that the broker has confirmed a removal, and RecordRemovalAccepted that it works on one.
	RecordRemoved()
	RecordRemovalAccepted()
	// ContinueRemoval records whose removal the attempts are of. MarkForRepetition records that the broker does not work on the operation
	// any more. BeginRemoval records the beginning of the removal of an object that is being deleted.
	ContinueRemoval()
	MarkForRepetition()
	BeginRemoval()
	// IsMitigation reports whether the request is part of an orphan mitigation. Location is where that is: the broker, and the plans. RecordLeftBehind
	// records that its id is left behind; what says so.
	IsMitigation() bool
	Location() v1beta1.LeftBehind
	RecordLeftBehind(what string)
	// RecordUnanswered records a poll without a state.
	RecordUnanswered()
}
