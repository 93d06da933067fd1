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

// ShowFailure is a guard.Stall of the objects of this API group.
func ShowFailure(o metav1.Object, message string, isRefusal bool, now time.Time) (status any, changed bool) {
	failure := Cause{Reason: v1beta1.ReasonInternalError, Message: message}
	if isRefusal {
		failure.Reason = v1beta1.ReasonFinalizerRefused
	}
	switch o := o.(type) {
	case v1beta1.Broker:
		list, changed := stall(o, o.CommonStatus().Conditions, failure, now)
		if !changed {
			return nil, false
		}
		s := o.CommonStatus().DeepCopy()
		s.Conditions, s.LastConditionState = list, LastConditionState(list)
		return s, true
	case v1beta1.ServiceObject:
		list, changed := stall(o, o.CommonStatus().Common().Conditions, failure, now)
		if !changed {
			return nil, false
		}
		s := o.CommonStatus().DeepCopyStatus()
		s.Common().Conditions, s.Common().LastConditionState = list, LastConditionState(list)
		return s, true
	}
	panic(fmt.Sprintf("a %T has no condition Stalled", o))
}

// stall returns the conditions of an object with Stalled as a failure makes it, or, where its message is empty, as it was before the failure: many
// reconciles leave conditions as they are. It reports whether they differ. The other conditions stay: decisions follow from them. It changes
// nothing where the original service-catalog wrote the status, which has no Stalled. It also changes nothing where an object has neither conditions
// nor the finalizer: with conditions its finalizer would count as removed by a user.
func stall(o metav1.Object, conditions []v1beta1.Condition, failure Cause, now time.Time) (after []v1beta1.Condition, changed bool) {
	stalled, hasFailed := FindCondition(conditions, v1beta1.ConditionStalled), failure.Message != ""
	switch {
	case hasFailed && len(conditions) == 0 && slices.Contains(o.GetFinalizers(), v1beta1.Finalizer):
		set := ConditionSet{Ready: v1beta1.ConditionUnknown, Stalled: true, Reason: failure.Reason, Message: failure.Message}
		return set.Conditions(nil, now), true
	case stalled == nil, hasFailed && stalled.Reason == failure.Reason, !hasFailed && !isOfFailure(stalled):
		return nil, false
	}
	next := condition(v1beta1.ConditionStalled, v1beta1.ConditionTrue, failure)
	if !hasFailed {
		ready := FindCondition(conditions, v1beta1.ConditionReady)
		if ready == nil || isOfFailure(ready) { // there was nothing before
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

// isOfFailure reports whether a condition shows what ended a reconcile.
func isOfFailure(c *v1beta1.Condition) bool {
	return c.Reason == v1beta1.ReasonInternalError || c.Reason == v1beta1.ReasonFinalizerRefused
}
