// Copyright The Bellhop Authors.
// SPDX-License-Identifier: Apache-2.0

package alertsource

import (
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/gophernetes/bellhop/api/pager/v1beta1"
	"github.com/gophernetes/bellhop/internal/kube/conditions"
	"github.com/gophernetes/bellhop/internal/pager/ingest"
)

// observation has the facts from which a status follows.
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
	seen.conditionSet(s).Write(&status.Conditions, s.Generation, now)
	return status
}

func (seen observation) conditionSet(s *v1beta1.AlertSource) conditions.Set {
	blocked := conditions.Set{Ready: metav1.ConditionFalse, Open: conditions.Stalled}
	if seen.isOff {
		blocked.Reason = v1beta1.ReasonListenerOff
		blocked.Message = "The operator does not listen for posts: set its flag --ingest-bind-address, or ingest.enabled of the Helm chart"
		return blocked
	}
	if seen.secretProblem != nil {
		blocked.Reason, blocked.Message = seen.secretProblem.Reason, seen.secretProblem.Message
		return blocked
	}
	listening := conditions.Set{Ready: metav1.ConditionTrue, Reason: v1beta1.ReasonListening, Message: "Senders can post"}
	if s.Status.LastReceivedTime == nil {
		listening.Message += "; nothing was received yet"
	}
	return listening
}
