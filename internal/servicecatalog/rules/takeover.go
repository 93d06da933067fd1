// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package rules

import (
	"fmt"
	"slices"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/gophernetes/bellhop/api/servicecatalog/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
)

// TakeOverCommand records that Bellhop takes over the objects of the original service-catalog.
const TakeOverCommand = "kubectl bellhop doctor --take-over"

// IsFromOriginal reports whether the original service-catalog, rather than Bellhop, has written the status of an instance or a binding: it wrote no
// condition Stalled, no record of an id, and no UID of the object for which the broker's resource was created.
func IsFromOriginal(o metav1.Object, conditions []v1beta1.Condition, createdFor types.UID) bool {
	_, isMade := o.GetAnnotations()[v1beta1.MadeIDAnnotation]
	stalled := FindCondition(conditions, v1beta1.ConditionStalled)
	return len(conditions) > 0 && !isMade && createdFor == "" && (stalled == nil || stalled.Reason == v1beta1.ReasonTakeoverRequired)
}

// IsTakenOver reports whether an object of the original service-catalog is older than the takeover; zero: no takeover is recorded. A status of the
// original counts only on such an object: a status that is written later may be a copy.
func IsTakenOver(o metav1.Object, takeover time.Time) bool {
	return o.GetCreationTimestamp().Time.Before(takeover)
}

// RequireTakeover returns the conditions of an object of the original service-catalog before the takeover. The other conditions stay. Stalled comes
// first, since old clients read the last condition.
func RequireTakeover(conditions []v1beta1.Condition, now time.Time) []v1beta1.Condition {
	if FindCondition(conditions, v1beta1.ConditionStalled) != nil {
		return conditions
	}
	c := condition(v1beta1.ConditionStalled, v1beta1.ConditionTrue, Cause{v1beta1.ReasonTakeoverRequired,
		fmt.Sprintf("the original service-catalog created this object: no request is sent to the broker, and the object is not released, until its takeover is recorded. Run: %s", TakeOverCommand)})
	c.LastTransitionTime = *times.Timestamp(now)
	return append([]v1beta1.Condition{c}, conditions...)
}

// EndTakeover returns the conditions once the takeover is recorded.
func EndTakeover(conditions []v1beta1.Condition) []v1beta1.Condition {
	return slices.DeleteFunc(slices.Clone(conditions), func(c v1beta1.Condition) bool { return c.Reason == v1beta1.ReasonTakeoverRequired })
}
