// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertrules

import (
	"fmt"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/conditions"
)

// ShowPanic is a guard.Stall of the objects of this API group. The next reconcile that does not panic evaluates all conditions.
func ShowPanic(o metav1.Object, message string, now time.Time) (status any, changed bool) {
	switch o := o.(type) {
	case *v1beta1.Alert:
		return &o.Status, stall(o, &o.Status.Conditions, message, now)
	case *v1beta1.AlertSource:
		return &o.Status, stall(o, &o.Status.Conditions, message, now)
	case v1beta1.ReceiverObject:
		return o.CommonStatus(), stall(o, &o.CommonStatus().Conditions, message, now)
	}
	panic(fmt.Sprintf("a %T has no condition Stalled", o))
}

func stall(o metav1.Object, list *[]metav1.Condition, message string, now time.Time) bool {
	if message == "" {
		return false
	}
	stalled := metav1.Condition{Type: conditions.Stalled, Status: metav1.ConditionTrue, Reason: v1beta1.ReasonInternalError, Message: message}
	return conditions.Put(list, o.GetGeneration(), now, stalled)
}
