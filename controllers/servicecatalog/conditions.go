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
	// failed and mitigation are there only where they are True.
	failed, mitigation *word
}

// word is a condition's reason and message.
type word struct{ reason, message string }

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
	return verdict{ready: v1beta1.ConditionFalse, reason: reason, message: message, stalled: true, failed: &word{failed, message}}
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
	if v.failed != nil {
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

// kept are the conditions that stay until what they are about is over.
func kept(conditions []v1beta1.Condition) (failed, mitigation *word) {
	of := func(kind string) *word {
		if c := conditionOf(conditions, kind); c != nil && c.Status == v1beta1.ConditionTrue {
			return &word{c.Reason, c.Message}
		}
		return nil
	}
	return of(v1beta1.ConditionFailed), of(v1beta1.ConditionOrphanMitigation)
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
