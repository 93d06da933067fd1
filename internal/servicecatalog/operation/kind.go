// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package operation

import (
	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/servicecatalog/rules"
)

// Kind has the differences between the kinds of objects: words for messages, reasons, and a rule about attempts.
type Kind struct {
	// Resource is the kind's resource in commands of kubectl, such as "serviceinstance", and Noun the word for the broker's resource, such as
	// "instance".
	Resource, Noun string
	// Removal is the operation that removes it.
	Removal Change
	// WhileRemovalWaits is the status of Ready while the broker carries out another operation before a removal.
	WhileRemovalWaits v1beta1.ConditionStatus
	// HowToRetry says how a person has requests repeated, as part of a sentence.
	HowToRetry string
	// HowToLeaveOut says how a person leaves out a parameter that the plan's schema requires, as part of a sentence.
	HowToLeaveOut string
	// Renew drops the fields of attempts at another spec that do not count for the present one.
	Renew func(*v1beta1.Attempts)
}

// Change is an operation that creates, changes or removes a resource: its words and its reasons.
type Change struct {
	// Name is its name in messages, such as "Provision".
	Name string
	// Unanswered and Failed are the reasons of a request without an answer, and of one that was answered but not carried out.
	Unanswered, Failed string
	// Running has the reason and the message while the broker works on it.
	Running rules.ConditionSet
	// Creates: it creates the resource. A request with an unknown outcome does not count then if a repeat finds the resource that it has created.
	Creates bool
}

// reason returns the reason of a request that was not carried out.
func (c *Change) reason(a Answer) string {
	if a.Status == 0 {
		return c.Unanswered
	}
	return c.Failed
}
