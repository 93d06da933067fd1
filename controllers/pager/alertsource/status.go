// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertsource

import (
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/times"
	"github.com/gophernetes/bellhop/internal/outbound/redact"
	"github.com/gophernetes/bellhop/internal/pager/alertrules"
	"github.com/gophernetes/bellhop/internal/pager/ingest"
)

// observation is what a status follows from.
type observation struct {
	// isOff: the operator has no listener.
	isOff bool
	// secretProblem is why the token of the Secret cannot be used; nil: it can, or there is no secretRef.
	secretProblem *ingest.SecretProblem
	firing        int
}

// evaluate returns the status of an AlertSource. It is pure: no client, no clock.
func evaluate(s *v1beta1.AlertSource, seen observation, now time.Time) v1beta1.AlertSourceStatus {
	status := *s.Status.DeepCopy()
	status.ObservedGeneration, status.Firing = s.Generation, int32(min(seen.firing, 1<<30)) //nolint:gosec // it is bounded
	set := func(ready metav1.ConditionStatus, reason, message string, stalled metav1.ConditionStatus) {
		for _, c := range []metav1.Condition{
			{Type: v1beta1.ConditionReady, Status: ready}, {Type: v1beta1.ConditionReconciling, Status: metav1.ConditionFalse}, {Type: v1beta1.ConditionStalled, Status: stalled},
		} {
			c.Reason, c.ObservedGeneration, c.LastTransitionTime = reason, s.Generation, *times.Timestamp(now)
			if c.Type == v1beta1.ConditionReady || c.Status == metav1.ConditionTrue {
				c.Message = redact.Shorten(redact.Capitalize(message), alertrules.MaxConditionMessage)
			}
			meta.SetStatusCondition(&status.Conditions, c)
		}
	}
	switch {
	case seen.isOff:
		set(metav1.ConditionFalse, v1beta1.ReasonListenerOff, "The operator does not listen for posts: set its flag --ingest-bind-address, or ingest.enabled of the Helm chart", metav1.ConditionTrue)
	case seen.secretProblem != nil:
		set(metav1.ConditionFalse, seen.secretProblem.Reason, seen.secretProblem.Message, metav1.ConditionTrue)
	case s.Status.LastReceivedTime == nil:
		set(metav1.ConditionTrue, v1beta1.ReasonListening, "Senders can post; nothing was received yet", metav1.ConditionFalse)
	default:
		set(metav1.ConditionTrue, v1beta1.ReasonListening, "Senders can post", metav1.ConditionFalse)
	}
	return status
}
