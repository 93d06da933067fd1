// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/conditions"
)

// ShowFailure is a guard.Stall of the objects of this API group. The next reconcile that does not fail evaluates all conditions, so that an
// empty message changes nothing. The message of a failure stays as long as its reason and generation do: a webhook may use other words each time,
// and each write of the status queues the object again.
func ShowFailure(o metav1.Object, message string, isRefusal bool, now time.Time) (status any, changed bool) {
	if message == "" {
		return nil, false
	}
	stalled := metav1.Condition{Type: conditions.Stalled, Status: metav1.ConditionTrue, Reason: v1beta1.ReasonInternalError, Message: message}
	if isRefusal {
		stalled.Reason = v1beta1.ReasonFinalizerRefused
	}
	var list *[]metav1.Condition
	switch o := o.(type) {
	case *v1beta1.Alert:
		s := o.Status.DeepCopy()
		status, list = s, &s.Conditions
	case *v1beta1.AlertSource:
		s := o.Status.DeepCopy()
		status, list = s, &s.Conditions
	case v1beta1.ReceiverObject:
		s := o.CommonStatus().DeepCopy()
		status, list = s, &s.Conditions
	default:
		panic(fmt.Sprintf("a %T has no condition Stalled", o))
	}
	if shown := meta.FindStatusCondition(*list, conditions.Stalled); shown != nil && shown.Reason == stalled.Reason && shown.ObservedGeneration == o.GetGeneration() {
		return nil, false
	}
	return status, conditions.Put(list, o.GetGeneration(), now, stalled)
}
