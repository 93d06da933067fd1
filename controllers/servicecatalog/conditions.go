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

// verdict is what the conditions of an object say. They are written from it and never
// read to decide.
type verdict struct {
	ready           v1beta1.ConditionStatus
	reason, message string
	// stalled: it waits for somebody. What is neither ready nor stalled goes on by itself.
	stalled bool
	// failed and mitigation are there only where they are True, and failed only beside stalled.
	failed, mitigation *word
}

// word is a condition's reason and message.
type word struct{ reason, message string }

// missingReferenceDelay is how long after its creation an object is in progress although
// something that it refers to does not exist: manifests are applied together in any order.
const missingReferenceDelay = 5 * time.Minute

// blocker is why the next step of an object cannot be taken now.
type blocker struct {
	word
	// inProgress: what the object waits for comes by itself.
	inProgress bool
	// stalledFrom is when a person should look; zero: now.
	stalledFrom time.Time
	// failed: requests are refused, or retried slowly.
	failed bool
}

// blockedBy is a blocker that a person has to remove.
func blockedBy(reason, message string) *blocker { return &blocker{word: word{reason, message}} }

// inProgress is a blocker that goes by itself.
func inProgress(reason, message string) *blocker {
	return &blocker{word: word{reason, message}, inProgress: true}
}

// missingFor is a blocker of what does not exist: the object that refers to it is in progress
// while it is young.
func missingFor(o metav1.Object, reason, message string) *blocker {
	return &blocker{word: word{reason, message}, stalledFrom: o.GetCreationTimestamp().Add(missingReferenceDelay)}
}

// isStalled says whether a person should look, and else from when on; zero: not before
// something changes.
func (b *blocker) isStalled(now time.Time) (stalled bool, from time.Time) {
	switch {
	case b.inProgress:
		return false, time.Time{}
	case now.Before(b.stalledFrom):
		return false, b.stalledFrom
	}
	return true, time.Time{}
}

// verdict is the one on an object that is blocked; wake is when it becomes another.
func (b *blocker) verdict(o metav1.Object, now time.Time) (v verdict, wake time.Time) {
	v = heldUp(o, b.reason, b.message)
	if v.stalled, wake = b.isStalled(now); v.stalled && b.failed {
		v = v.slow(b.reason)
	}
	return v, wake
}

// heldUp is the verdict on an object whose next step something keeps from being taken,
// which may be what its deletion waits for.
func heldUp(o metav1.Object, reason, message string) verdict {
	v := verdict{ready: v1beta1.ConditionFalse, reason: reason, message: message}
	if !o.GetDeletionTimestamp().IsZero() {
		v.ready, v.message = v1beta1.ConditionUnknown, message+". "+howToLetGo(o)
	}
	return v
}

// givenUp is the verdict on what is not tried any more, of which Failed says another
// reason.
func givenUp(reason, failed, message string) verdict {
	return verdict{ready: v1beta1.ConditionFalse, reason: reason, message: message}.slow(failed)
}

// slow is the verdict on what is refused, or retried seldom: a person should look.
func (v verdict) slow(failed string) verdict {
	v.stalled, v.failed = true, &word{failed, v.message}
	return v
}

// cleanup is the verdict while what a failure may have left at the broker is removed. After
// as many clean-ups as are made quickly, a person should look meanwhile.
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

// cleaned is the verdict once nothing is left at the broker of a failure. made is what is done
// anew, such as "provisioned", and refused the reason of Failed where it is not.
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

// conditions are the verdict's. One whose status stays keeps its lastTransitionTime.
func (v verdict) conditions(before []v1beta1.Condition, now time.Time) []v1beta1.Condition {
	own := word{v.reason, v.message}
	going := v.ready != v1beta1.ConditionTrue && !v.stalled
	list := []v1beta1.Condition{
		condition(v1beta1.ConditionReconciling, statusOf(going), own),
		condition(v1beta1.ConditionStalled, statusOf(v.stalled), own),
		condition(v1beta1.ConditionReady, v.ready, own),
	}
	if v.failed != nil && v.stalled { // what goes on has not failed
		list = append(list, condition(v1beta1.ConditionFailed, v1beta1.ConditionTrue, *v.failed))
	}
	if v.mitigation != nil {
		list = append(list, condition(v1beta1.ConditionOrphanMitigation, v1beta1.ConditionTrue, *v.mitigation))
	}
	for i := range list {
		if list[i].Type != v1beta1.ConditionReady && list[i].Status == v1beta1.ConditionFalse {
			list[i].Message = "" // there is nothing to explain, and Ready says it
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

// pollUnanswered is the verdict on an operation whose state the broker does not report. After
// the operation's deadline a person should look.
func pollUnanswered(words string, overdue bool) verdict {
	v := verdict{ready: v1beta1.ConditionFalse, reason: v1beta1.ReasonErrorPollingLastOperation, stalled: overdue,
		message: "The broker was asked how far the operation is, and did not say: " + words}
	if overdue {
		v.message += "; the operation has taken longer than its plan allows, and ends once the broker reports its state"
	}
	return v
}

// mitigationOf is the condition that stays until what a failure may have left is removed; nil:
// there is none.
func mitigationOf(conditions []v1beta1.Condition) *word {
	if c := conditionOf(conditions, v1beta1.ConditionOrphanMitigation); isTrue(c) {
		return &word{c.Reason, c.Message}
	}
	return nil
}

// conditionOf is the condition of a type, nil if there is none.
func conditionOf(list []v1beta1.Condition, kind string) *v1beta1.Condition {
	i := slices.IndexFunc(list, func(c v1beta1.Condition) bool { return c.Type == kind })
	if i < 0 {
		return nil
	}
	return &list[i]
}

func isTrue(c *v1beta1.Condition) bool { return c != nil && c.Status == v1beta1.ConditionTrue }

// lastConditionState is what the column STATUS shows: the type of the last condition if
// it is True, else its reason.
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
