// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
)

// ShowPanic is a guard.Stall of the objects of this API group.
func ShowPanic(o metav1.Object, message string, now time.Time) (status any, changed bool) {
	switch o := o.(type) {
	case v1beta1.Broker:
		list, changed := stall(o, o.CommonStatus().Conditions, message, now)
		if !changed {
			return nil, false
		}
		s := o.CommonStatus().DeepCopy()
		s.Conditions, s.LastConditionState = list, LastConditionState(list)
		return s, true
	case v1beta1.ServiceObject:
		list, changed := stall(o, o.CommonStatus().Common().Conditions, message, now)
		if !changed {
			return nil, false
		}
		s := o.CommonStatus().DeepCopyStatus()
		s.Common().Conditions, s.Common().LastConditionState = list, LastConditionState(list)
		return s, true
	}
	panic(fmt.Sprintf("a %T has no condition Stalled", o))
}

// stall returns the conditions of an object with Stalled as a panic makes it, or, where message is empty, as it was before the panic: many
// reconciles leave conditions as they are. It reports whether they differ. The other conditions stay: decisions follow from them. It changes
// nothing where the original service-catalog wrote the status, which has no Stalled. It also changes nothing where an object has neither conditions
// nor the finalizer: with conditions its finalizer would count as removed by a user.
func stall(o metav1.Object, conditions []v1beta1.Condition, message string, now time.Time) (after []v1beta1.Condition, changed bool) {
	stalled, panicked := FindCondition(conditions, v1beta1.ConditionStalled), message != ""
	switch {
	case panicked && len(conditions) == 0 && slices.Contains(o.GetFinalizers(), v1beta1.Finalizer):
		set := ConditionSet{Ready: v1beta1.ConditionUnknown, Stalled: true, Reason: v1beta1.ReasonInternalError, Message: message}
		return set.Conditions(nil, now), true
	case stalled == nil, panicked == (stalled.Reason == v1beta1.ReasonInternalError):
		return nil, false
	}
	next := condition(v1beta1.ConditionStalled, v1beta1.ConditionTrue, Cause{v1beta1.ReasonInternalError, message})
	if !panicked {
		ready := FindCondition(conditions, v1beta1.ConditionReady)
		if ready == nil || ready.Reason == v1beta1.ReasonInternalError { // there was nothing before
			return nil, false
		}
		next.Status, next.Reason, next.Message = v1beta1.ConditionTrue, ready.Reason, ready.Message
		if IsTrue(ready) || IsTrue(FindCondition(conditions, v1beta1.ConditionReconciling)) { // exactly one of the three is True
			next.Status, next.Message = v1beta1.ConditionFalse, ""
		}
	}
	next.LastTransitionTime = stalled.LastTransitionTime
	if next.Status != stalled.Status {
		next.LastTransitionTime = *times.Timestamp(now)
	}
	after = slices.Clone(conditions)
	*FindCondition(after, v1beta1.ConditionStalled) = next
	return after, true
}
