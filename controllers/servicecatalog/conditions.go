/*
Copyright The Bellhop Authors.

Licensed under the Apache License, Version 2.0 (the "License");
you may not use this file except in compliance with the License.
You may obtain a copy of the License at

    http://www.apache.org/licenses/LICENSE-2.0

Unless required by applicable law or agreed to in writing, software
distributed under the License is distributed on an "AS IS" BASIS,
WITHOUT WARRANTIES OR CONDITIONS OF ANY KIND, either express or implied.
See the License for the specific language governing permissions and
limitations under the License.
*/

package servicecatalog

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
)

// verdict is what the conditions of an object are written from. Conditions are never read to decide.
type verdict struct {
	ready           v1beta1.ConditionStatus
	reason, message string
	// stalled: a person has to act. An object that is neither ready nor stalled is in progress.
	stalled bool
	// failed and mitigation are the conditions Failed and OrphanMitigation, which exist only while they are True; Failed needs Stalled.
	failed, mitigation *word
}

// word is the reason and the message of a condition.
type word struct{ reason, message string }

// missingReferenceDelay is how long after its creation an object is in progress although
// something that it refers to does not exist: manifests are applied together in any order.
const missingReferenceDelay = 5 * time.Minute

// blocker is why the next step of an object cannot be taken now.
type blocker struct {
	word
	// inProgress: the obstacle goes away by itself.
	inProgress bool
	// stalledFrom is when the object becomes Stalled; zero: at once.
	stalledFrom time.Time
	// failed: requests are refused or retried slowly, so that Failed is True beside Stalled.
	failed bool
}

// blockedBy is a blocker that a person has to remove.
func blockedBy(reason, message string) *blocker { return &blocker{word: word{reason, message}} }

// inProgress is a blocker that goes away by itself.
func inProgress(reason, message string) *blocker {
	return &blocker{word: word{reason, message}, inProgress: true}
}

// missingFor is a blocker for a reference to something that does not exist. The object o that refers to it is in progress until
// missingReferenceDelay after its creation.
func missingFor(o metav1.Object, reason, message string) *blocker {
	return &blocker{word: word{reason, message}, stalledFrom: o.GetCreationTimestamp().Add(missingReferenceDelay)}
}

// isStalled reports whether the blocker makes an object Stalled at a time, and otherwise from when on; zero: never.
func (b *blocker) isStalled(now time.Time) (stalled bool, from time.Time) {
	switch {
	case b.inProgress:
		return false, time.Time{}
	case now.Before(b.stalledFrom):
		return false, b.stalledFrom
	}
	return true, time.Time{}
}

// verdict returns the conditions of a blocked object, and when they change by the passing of time; zero: never.
func (b *blocker) verdict(o metav1.Object, now time.Time) (v verdict, wake time.Time) {
	v = heldUp(o, b.reason, b.message)
	if v.stalled, wake = b.isStalled(now); v.stalled && b.failed {
		v = v.slow(b.reason)
	}
	return v, wake
}

// heldUp returns the conditions of an object whose next step is blocked. For an object that is being deleted they say how to release it (R8).
func heldUp(o metav1.Object, reason, message string) verdict {
	v := verdict{ready: v1beta1.ConditionFalse, reason: reason, message: message}
	if !o.GetDeletionTimestamp().IsZero() {
		v.ready, v.message = v1beta1.ConditionUnknown, message+". "+howToLetGo(o)
	}
	return v
}

// givenUp returns the conditions of an object that is not retried. failed is the reason of Failed.
func givenUp(reason, failed, message string) verdict {
	return verdict{ready: v1beta1.ConditionFalse, reason: reason, message: message}.slow(failed)
}

// slow adds Stalled and Failed: the request was refused, or is retried slowly.
func (v verdict) slow(failed string) verdict {
	v.stalled, v.failed = true, &word{failed, v.message}
	return v
}

// cleanup returns the conditions during an orphan mitigation. From the third one on the object is Stalled meanwhile.
func cleanup(reason, message string, a *v1beta1.Attempts, mitigation *word) verdict {
	v := verdict{ready: v1beta1.ConditionFalse, reason: reason, message: message, mitigation: mitigation}
	if !isSlow(a) || a.Stopped {
		return v
	}
	if a.LastError != "" {
		v.message = a.LastError + ". " + v.message
	}
	return v.slow(v1beta1.ReasonErrorReconciliationRetryTimeout)
}

// cleaned returns the conditions after an orphan mitigation. made is what is done again, such as "provisioned"; refused is the
// reason of Failed where the request is not repeated.
func cleaned(made, refused string, a *v1beta1.Attempts) verdict {
	v := verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonOrphanMitigationSuccessful, message: "Nothing is left at the broker"}
	said := a.LastError
	if said != "" {
		said += ". "
	}
	switch {
	case a.Stopped:
		v.message = said + v.message
		return v.slow(refused)
	case isSlow(a):
		v.message = fmt.Sprintf("%sIt was cleaned up %d times, and nothing is left at the broker; it is %s anew at %s, or as soon as the broker has %s another", said, a.Removals, made, when(a.NextTime.Time), made)
		return v.slow(v1beta1.ReasonErrorReconciliationRetryTimeout)
	}
	v.message += ", and it is " + made + " anew at " + when(a.NextTime.Time)
	return v
}

// conditions builds the list of conditions. A condition whose status stays keeps the lastTransitionTime that it has in before.
func (v verdict) conditions(before []v1beta1.Condition, now time.Time) []v1beta1.Condition {
	own := word{v.reason, v.message}
	going := v.ready != v1beta1.ConditionTrue && !v.stalled
	list := []v1beta1.Condition{
		condition(v1beta1.ConditionReconciling, statusOf(going), own),
		condition(v1beta1.ConditionStalled, statusOf(v.stalled), own),
		condition(v1beta1.ConditionReady, v.ready, own),
	}
	if v.failed != nil && v.stalled {
		list = append(list, condition(v1beta1.ConditionFailed, v1beta1.ConditionTrue, *v.failed))
	}
	if v.mitigation != nil {
		list = append(list, condition(v1beta1.ConditionOrphanMitigation, v1beta1.ConditionTrue, *v.mitigation))
	}
	for i := range list {
		if list[i].Type != v1beta1.ConditionReady && list[i].Status == v1beta1.ConditionFalse {
			list[i].Message = "" // Ready has it
		}
		list[i].LastTransitionTime = metav1.NewTime(now.Truncate(time.Second))
		if old := conditionOf(before, list[i].Type); old != nil && old.Status == list[i].Status {
			list[i].LastTransitionTime = old.LastTransitionTime
		}
	}
	return list
}

func condition(kind string, status v1beta1.ConditionStatus, w word) v1beta1.Condition {
	return v1beta1.Condition{Type: kind, Status: status, Reason: w.reason, Message: w.message}
}

func statusOf(is bool) v1beta1.ConditionStatus {
	if is {
		return v1beta1.ConditionTrue
	}
	return v1beta1.ConditionFalse
}

// pollUnanswered returns the conditions while the broker does not report the state of an operation. After the operation's deadline
// the object is Stalled.
func pollUnanswered(words string, overdue bool) verdict {
	v := verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonErrorPollingLastOperation, stalled: overdue,
		message: "The broker was asked how far the operation is, and did not say: " + words}
	if overdue {
		v.message += "; the operation has taken longer than its plan allows, and ends once the broker reports its state"
	}
	return v
}

// mitigationOf returns the condition OrphanMitigation, which stays until the mitigation has succeeded; nil: there is none.
func mitigationOf(conditions []v1beta1.Condition) *word {
	if c := conditionOf(conditions, v1beta1.ConditionOrphanMitigation); isTrue(c) {
		return &word{c.Reason, c.Message}
	}
	return nil
}

// conditionOf returns the condition of a type; nil: there is none.
func conditionOf(list []v1beta1.Condition, kind string) *v1beta1.Condition {
	i := slices.IndexFunc(list, func(c v1beta1.Condition) bool { return c.Type == kind })
	if i < 0 {
		return nil
	}
	return &list[i]
}

func isTrue(c *v1beta1.Condition) bool { return c != nil && c.Status == v1beta1.ConditionTrue }

// lastConditionState is the text of the printer column STATUS: the type of the last condition if it is True, else its reason.
func lastConditionState(list []v1beta1.Condition) string {
	if len(list) == 0 {
		return ""
	}
	last := list[len(list)-1]
	if last.Status == v1beta1.ConditionTrue {
		return last.Type
	}
	return last.Reason
}
