// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

// Package rules has the rules that instances, bindings and brokers share: conditions, attempts and backoff, the ownership of ids, and the
// comparison of properties and parameters. The rules are pure: no client, no clock.
package rules

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
)

// ConditionSet has the values from which the conditions of an object are written. Conditions are never read to decide.
type ConditionSet struct {
	Ready           v1beta1.ConditionStatus
	Reason, Message string
	// Stalled: a person has to act. An object that is neither ready nor stalled is in progress.
	Stalled bool
	// Failed and mitigation are the conditions Failed and OrphanMitigation, which exist only while they are True; Failed needs Stalled.
	Failed, Mitigation *Cause
}

// Cause is the reason and the message of a condition.
type Cause struct{ Reason, Message string }

// MissingReferenceDelay is how long after its creation an object is in progress although
// something that it refers to does not exist: manifests are applied together in any order.
const MissingReferenceDelay = 5 * time.Minute

// Blocker is why the next step of an object cannot be taken now.
type Blocker struct {
	Cause
	// InProgress: the obstacle goes away by itself.
	InProgress bool
	// stalledFrom is when the object becomes Stalled; zero: at once.
	stalledFrom time.Time
	// Failed: requests are refused or retried slowly, so that Failed is True beside Stalled.
	Failed bool
}

// BlockedBy is a blocker that a person has to remove.
func BlockedBy(reason, message string) *Blocker { return &Blocker{Cause: Cause{reason, message}} }

// InProgress is a blocker that goes away by itself.
func InProgress(reason, message string) *Blocker {
	return &Blocker{Cause: Cause{reason, message}, InProgress: true}
}

// MissingReference is a blocker for a reference to something that does not exist. The object o that refers to it is in progress until
// MissingReferenceDelay after its creation.
func MissingReference(o metav1.Object, reason, message string) *Blocker {
	return BlockedFrom(o.GetCreationTimestamp().Add(MissingReferenceDelay), reason, message)
}

// BlockedFrom is a blocker that probably ends by itself before a time. Until then the object is in progress.
func BlockedFrom(from time.Time, reason, message string) *Blocker {
	return &Blocker{Cause: Cause{reason, message}, stalledFrom: from}
}

// IsStalled reports whether the blocker makes an object Stalled at a time, and otherwise from when on; zero: never.
func (b *Blocker) IsStalled(now time.Time) (stalled bool, from time.Time) {
	switch {
	case b.InProgress:
		return false, time.Time{}
	case now.Before(b.stalledFrom):
		return false, b.stalledFrom
	}
	return true, time.Time{}
}

// ConditionSet returns the conditions of a blocked object, and when they change by the passing of time; zero: never.
func (b *Blocker) ConditionSet(o metav1.Object, now time.Time) (set ConditionSet, wake time.Time) {
	set = blocked(o, b.Reason, b.Message)
	if set.Stalled, wake = b.IsStalled(now); set.Stalled && b.Failed {
		set = set.WithStalled(b.Reason)
	}
	return set, wake
}

// blocked returns the conditions of an object whose next step is blocked. For an object that is being deleted they say how to release it (R8).
func blocked(o metav1.Object, reason, message string) ConditionSet {
	set := ConditionSet{Ready: v1beta1.ConditionFalse, Reason: reason, Message: message}
	if !o.GetDeletionTimestamp().IsZero() {
		set.Ready, set.Message = v1beta1.ConditionUnknown, message+". "+HowToRelease(o)
	}
	return set
}

// Terminal returns the conditions of an object that is not retried. failed is the reason of Failed.
func Terminal(reason, failed, message string) ConditionSet {
	return ConditionSet{Ready: v1beta1.ConditionFalse, Reason: reason, Message: message}.WithStalled(failed)
}

// WithStalled adds Stalled and Failed: the request was refused, or is retried slowly.
func (c ConditionSet) WithStalled(failed string) ConditionSet {
	c.Stalled, c.Failed = true, &Cause{failed, c.Message}
	return c
}

// RemovalInFlight returns the conditions of an object that is being deleted while the broker takes its time to answer the removal request.
func RemovalInFlight(o metav1.Object, reason, request string) ConditionSet {
	return ConditionSet{Ready: v1beta1.ConditionFalse, Reason: reason, Message: "The " + request + " request is in flight. " + HowToRelease(o)}
}

// Abandoned are the conditions of an object whose finalizer was removed.
var Abandoned = ConditionSet{Ready: v1beta1.ConditionUnknown, Reason: v1beta1.ReasonAbandoned, Stalled: true,
	Message: "the finalizer was removed: no more requests are sent to the broker, also when this object is deleted"}

// MitigationForbidden returns why an orphan mitigation must not remove the resource that may be at the broker; empty: it may.
func MitigationForbidden(retained, owned bool) string {
	switch {
	case retained:
		return "the deletion policy is Retain: what may be at the broker is retained"
	case !owned:
		return "this object does not own the broker's resource, so it is left in place"
	}
	return ""
}

// Mitigating returns the conditions during an orphan mitigation. From the third one on the object is Stalled meanwhile.
func Mitigating(reason, message string, a *v1beta1.Attempts, mitigation *Cause) ConditionSet {
	set := ConditionSet{Ready: v1beta1.ConditionFalse, Reason: reason, Message: message, Mitigation: mitigation}
	if !IsSlow(a) || a.Stopped {
		return set
	}
	if a.LastError != "" {
		set.Message = a.LastError + ". " + set.Message
	}
	return set.WithStalled(v1beta1.ReasonErrorReconciliationRetryTimeout)
}

// Mitigated returns the conditions after an orphan mitigation. made is the participle of the operation that is repeated, such as "provisioned";
// refused is the reason of Failed where the request is not repeated.
func Mitigated(made, refused string, a *v1beta1.Attempts) ConditionSet {
	set := ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonOrphanMitigationSuccessful, Message: "Nothing is left at the broker"}
	said := a.LastError
	if said != "" {
		said += ". "
	}
	switch {
	case a.Stopped:
		set.Message = said + set.Message
		return set.WithStalled(refused)
	case IsSlow(a):
		set.Message = fmt.Sprintf("%sOrphan mitigation removed what was left at the broker %d times; it is %s again at %s, or as soon as the broker has %s another", said, a.Removals, made, times.Format(a.NextTime.Time), made)
		return set.WithStalled(v1beta1.ReasonErrorReconciliationRetryTimeout)
	}
	set.Message += ", and it is " + made + " again at " + times.Format(a.NextTime.Time)
	return set
}

// Unremoved returns the conditions after an orphan mitigation that has left an id behind. what is the message about that, made the participle of
// the operation that is repeated, and refused the reason of Failed where the request is not repeated.
func Unremoved(what, made, refused string, a *v1beta1.Attempts) ConditionSet {
	set := ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonOrphanMitigationFailed, Message: what}
	if a.Stopped {
		return set.WithStalled(refused)
	}
	set.Message += fmt.Sprintf(". It is %s again under another id at %s", made, times.Format(a.NextTime.Time))
	return set.WithStalled(v1beta1.ReasonOrphanMitigationFailed)
}

// Conditions builds the list of conditions. A condition whose status stays keeps the lastTransitionTime that it has in before.
func (c ConditionSet) Conditions(before []v1beta1.Condition, now time.Time) []v1beta1.Condition {
	own := Cause{c.Reason, c.Message}
	going := c.Ready != v1beta1.ConditionTrue && !c.Stalled
	list := []v1beta1.Condition{
		condition(v1beta1.ConditionReconciling, statusOf(going), own),
		condition(v1beta1.ConditionStalled, statusOf(c.Stalled), own),
		condition(v1beta1.ConditionReady, c.Ready, own),
	}
	if c.Failed != nil && c.Stalled {
		list = append(list, condition(v1beta1.ConditionFailed, v1beta1.ConditionTrue, *c.Failed))
	}
	if c.Mitigation != nil {
		list = append(list, condition(v1beta1.ConditionOrphanMitigation, v1beta1.ConditionTrue, *c.Mitigation))
	}
	for i := range list {
		if list[i].Type != v1beta1.ConditionReady && list[i].Status == v1beta1.ConditionFalse {
			list[i].Message = "" // Ready has it
		}
		list[i].LastTransitionTime = *times.Timestamp(now)
		if old := FindCondition(before, list[i].Type); old != nil && old.Status == list[i].Status {
			list[i].LastTransitionTime = old.LastTransitionTime
		}
	}
	return list
}

func condition(kind string, status v1beta1.ConditionStatus, cause Cause) v1beta1.Condition {
	return v1beta1.Condition{Type: kind, Status: status, Reason: cause.Reason, Message: redact.Capitalize(cause.Message)}
}

func statusOf(is bool) v1beta1.ConditionStatus {
	if is {
		return v1beta1.ConditionTrue
	}
	return v1beta1.ConditionFalse
}

// PollUnanswered returns the conditions while the broker does not report the state of an operation. After the operation's deadline
// the object is Stalled.
func PollUnanswered(words string, overdue bool) ConditionSet {
	set := ConditionSet{Ready: v1beta1.ConditionFalse, Reason: v1beta1.ReasonErrorPollingLastOperation, Stalled: overdue,
		Message: "Polling the operation failed: " + words}
	if overdue {
		set.Message += "; the operation has taken longer than its plan allows, and ends once the broker reports its state"
	}
	return set
}

// MitigationCause returns the condition OrphanMitigation, which stays until the mitigation has succeeded; nil: there is no such condition.
func MitigationCause(conditions []v1beta1.Condition) *Cause {
	if c := FindCondition(conditions, v1beta1.ConditionOrphanMitigation); IsTrue(c) {
		return &Cause{c.Reason, c.Message}
	}
	return nil
}

// FindCondition returns the condition of a type; nil: there is no such condition.
func FindCondition(list []v1beta1.Condition, kind string) *v1beta1.Condition {
	i := slices.IndexFunc(list, func(c v1beta1.Condition) bool { return c.Type == kind })
	if i < 0 {
		return nil
	}
	return &list[i]
}

// IsTrue reports whether a condition is True; nil is not.
func IsTrue(c *v1beta1.Condition) bool { return c != nil && c.Status == v1beta1.ConditionTrue }

// LastConditionState is the text of the printer column STATUS: the type of the last condition if it is True, else its reason.
func LastConditionState(list []v1beta1.Condition) string {
	if len(list) == 0 {
		return ""
	}
	last := list[len(list)-1]
	if last.Status == v1beta1.ConditionTrue {
		return last.Type
	}
	return last.Reason
}
