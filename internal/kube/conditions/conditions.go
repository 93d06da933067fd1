// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package conditions writes the conditions of a status: Ready, which sums up, Reconciling while the operator has something to do, and Stalled
// while a person has.
package conditions

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
)

// MaxMessage is how many bytes of a condition's message people still read; the schema has 32 KiB.
const MaxMessage = 4096

// The types of the three conditions.
const (
	Ready       = "Ready"
	Reconciling = "Reconciling"
	Stalled     = "Stalled"
)

// Set is the content of the three conditions of an object.
type Set struct {
	Ready           metav1.ConditionStatus
	Reason, Message string
	// Open is the condition beside Ready that is True: Reconciling or Stalled; empty: neither is.
	Open string
}

// Write writes the three conditions. They have the same reason, and those that are False beside Ready no message.
func (s Set) Write(list *[]metav1.Condition, generation int64, now time.Time) {
	all := []metav1.Condition{{Type: Ready, Status: s.Ready, Message: s.Message}, {Type: Reconciling}, {Type: Stalled}}
	for i := range all {
		c := &all[i]
		c.Reason = s.Reason
		if c.Type == Ready {
			continue
		}
		c.Status = metav1.ConditionFalse
		if c.Type == s.Open {
			c.Status, c.Message = metav1.ConditionTrue, s.Message
		}
	}
	Put(list, generation, now, all...)
}

// Put writes conditions that are about a generation, and reports whether that changes any. Messages begin with a capital letter, and have at
// most MaxMessage bytes.
func Put(list *[]metav1.Condition, generation int64, now time.Time, all ...metav1.Condition) (changed bool) {
	for _, c := range all {
		c.ObservedGeneration = generation
		c.Message = redact.Shorten(redact.Capitalize(c.Message), MaxMessage)
		c.LastTransitionTime = *times.Timestamp(now)
		changed = meta.SetStatusCondition(list, c) || changed
	}
	return changed
}
