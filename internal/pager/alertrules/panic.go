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

package alertrules

import (
	"fmt"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
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

func stall(o metav1.Object, conditions *[]metav1.Condition, message string, now time.Time) bool {
	return message != "" && meta.SetStatusCondition(conditions, metav1.Condition{Type: v1beta1.ConditionStalled, Status: metav1.ConditionTrue, Reason: v1beta1.ReasonInternalError,
		Message: redact.Capitalize(message), ObservedGeneration: o.GetGeneration(), LastTransitionTime: metav1.NewTime(now.Truncate(time.Second))})
}
